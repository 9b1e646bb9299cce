/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of choice to systemd's journal, each an entry with fields FLOWNER_*. Never waits: what the
 * journal does not take at once is counted.
 */
#ifndef FLOWNER_JOURNAL_H
#define FLOWNER_JOURNAL_H

#include <flowner/flow.h>
#include <stdbool.h>

struct agent;
struct fail;
struct journal;
struct stream_verdict;

/* EVENTS has a bit 1 << enum config_event for each. Negative errno. All others take NULL. */
int journal_new(struct agent *agent, __u32 events, struct journal **ret_journal);
void journal_free(struct journal *j);

/* Some of these the kernel side writes only while somebody watches. */
bool journal_watches(const struct journal *j);

void journal_event(struct journal *j, const struct fl_event *event);
void journal_verdict(struct journal *j, const struct stream_verdict *verdict);
void journal_lost_events(struct journal *j, const char *why, __u64 count);

/* True: there is news for the log. */
bool journal_tick(struct journal *j, struct fail *ret_news);

__u64 journal_untold(const struct journal *j); /* entries it did not take */

#endif
