/* SPDX-License-Identifier: BSD-2-Clause */
/* Who follows events, and the journal, are told of a verdict in the words of its policy. */
#ifndef FLOWNER_TELL_H
#define FLOWNER_TELL_H

struct agent;
struct ruleset;
struct verdict;

/* SET: of V's generation; NULL when it is gone, or there was none: then no rule is named. */
void tell_verdict(const struct agent *agent, const struct ruleset *set, const struct verdict *v);

#endif
