/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A cgroup program is called wherever it attaches: only the others have a probe for the self-test,
 * which runs in the daemon, outside a --cgroup.
 *
 * Rows of one moment stand together. Within a moment the rows of the lowest rank that all work are
 * taken; a rank of several rows (IPv4 and IPv6) is all or nothing.
 */
#define ROW(moment_, rank_, attach_, program_, probe_, lost_, optional_, ...)                      \
	{                                                                                          \
		.moment = moment_, .attach = attach_, .program = program_, .lost = lost_,          \
		.rank = rank_, .probe = probe_, .optional = optional_, __VA_ARGS__                 \
	}
#define NEED(moment_, rank_, attach_, program_, probe_, lost_)                                     \
	ROW(moment_, rank_, attach_, program_, probe_, lost_, false)
#define TRY(moment_, rank_, attach_, program_, probe_, lost_)                                      \
	ROW(moment_, rank_, attach_, program_, probe_, lost_, true)
#define LAST(moment_, rank_, attach_, program_, probe_, lost_, ...)                                \
	ROW(moment_, rank_, attach_, program_, probe_, lost_, true, __VA_ARGS__)
#define ACCEPT_UNSEEN                                                                              \
	.limit = "accept() without an address buffer shows when the socket closes",                \
	.eased = "accept() without an address buffer shows at the first use of the socket",        \
	.eased_by = "touch_send"

/* clang-format off */
static const struct hook table[] = {
	TRY("namespace", 0, "cgroup/sock_create", "netns_create", HOOK_NO_PROBE,
	    "which network namespace a session is in, and its repair"),
	NEED("tcp", 0, "sockops", "track_sockops", HOOK_NO_PROBE,
	    "everything of TCP"),
	NEED("connect", 0, "cgroup/connect4", "track_connect4", HOOK_NO_PROBE,
	    "UDP sessions of connect(), later lives of TCP sockets"),
	NEED("connect", 0, "cgroup/connect6", "track_connect6", HOOK_NO_PROBE,
	    "UDP sessions of connect(), later lives of TCP sockets"),
	NEED("udp bind", 0, "cgroup/post_bind4", "udp_post_bind4", HOOK_NO_PROBE,
	    "UDP servers"),
	NEED("udp bind", 0, "cgroup/post_bind6", "udp_post_bind6", HOOK_NO_PROBE,
	    "UDP servers"),
	NEED("udp send", 0, "cgroup/sendmsg4", "udp_sendmsg4", HOOK_NO_PROBE,
	    "UDP clients without connect()"),
	NEED("udp send", 0, "cgroup/sendmsg6", "udp_sendmsg6", HOOK_NO_PROBE,
	    "UDP clients without connect()"),
	NEED("udp receive", 0, "cgroup/recvmsg4", "udp_recvmsg4", HOOK_NO_PROBE,
	    "which process serves a UDP peer"),
	NEED("udp receive", 0, "cgroup/recvmsg6", "udp_recvmsg6", HOOK_NO_PROBE,
	    "which process serves a UDP peer"),
	NEED("udp packet", 0, "cgroup_skb/egress", "udp_egress", HOOK_NO_PROBE,
	    "UDP sessions"),
	NEED("udp packet", 0, "cgroup_skb/ingress", "udp_ingress", HOOK_NO_PROBE,
	    "UDP sessions"),
	NEED("udp close", 0, "cgroup/sock_release", "udp_release", HOOK_NO_PROBE,
	    "the end of UDP sessions until the next sweep"),
	TRY("accept", 0, "tp_btf/sys_exit", "accept_syscall", FL_PROBE_ACCEPT_SYSCALL,
	    NULL),
	TRY("accept", 1, "lsm/sock_graft", "accept_lsm", FL_PROBE_ACCEPT_LSM,
	    NULL),
	TRY("accept", 2, "fentry/security_sock_graft", "accept_fentry", FL_PROBE_ACCEPT_FENTRY,
	    NULL),
	TRY("accept", 3, "kprobe/security_sock_graft", "accept_kprobe", FL_PROBE_ACCEPT_KPROBE,
	    NULL),
	LAST("accept", 4, "cgroup/getpeername4", "accept_getpeername4", HOOK_NO_PROBE,
	    "who accepts, until the socket is used", ACCEPT_UNSEEN),
	LAST("accept", 4, "cgroup/getpeername6", "accept_getpeername6", HOOK_NO_PROBE,
	    "who accepts, until the socket is used", ACCEPT_UNSEEN),
	TRY("first use", 0, "tp_btf/sock_send_length", "touch_send", FL_PROBE_TOUCH,
	    NULL),
	TRY("first use", 0, "tp_btf/sock_recv_length", "touch_recv", HOOK_NO_PROBE,
	    NULL),
	TRY("first use", 1, "fentry/skb_consume_udp", "take_fentry", FL_PROBE_TAKE,
	    NULL),
	TRY("first use", 2, "kprobe/skb_consume_udp", "take_kprobe", FL_PROBE_TAKE,
	    "who serves a UDP peer without asking for its address"),
	TRY("tcp state", 0, "tp_btf/inet_sock_set_state", "track_set_state", HOOK_NO_PROBE,
	    "the end of TCP sessions older than the agent until the next sweep"),
	TRY("socket freed", 0, "fentry/__sk_free", "free_fentry", FL_PROBE_FREE,
	    NULL),
	TRY("socket freed", 1, "kprobe/__sk_free", "free_kprobe", FL_PROBE_FREE,
	    "an end missed by every other hook waits for the sweep"),
	TRY("exit", 0, "tp_btf/sched_process_exit", "exit_tp", FL_PROBE_EXIT,
	    "process records stay until the sweep"),
	TRY("exec", 0, "tp_btf/sched_process_exec", "exec_tp", HOOK_NO_PROBE,
	    "records of replaced images stay until the sweep"),
	TRY("older sockets", 0, "iter/task_file", "seed_files", HOOK_NO_PROBE,
	    "sockets older than the agent"),
	TRY("older sockets", 0, "iter/tcp", "seed_tcp", HOOK_NO_PROBE,
	    "connections waiting for accept() since before the agent"),
	TRY("holders", 0, "iter/task_file", "find_holders", HOOK_NO_PROBE,
	    "who else has a socket open"),
};
/* clang-format on */

#define ROWS (sizeof(table) / sizeof(table[0]))

struct hooks {
	struct hook rows[ROWS];
	const char *without; /* list for hooks_forbid(), or NULL */
};

int hooks_new(struct hooks **ret_hooks)
{
	struct hooks *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	memcpy(h->rows, table, sizeof(table));
	*ret_hooks = h;
	return 0;
}

void hooks_free(struct hooks *h)
{
	free(h);
}

size_t hooks_count(const struct hooks *h)
{
	(void)h;
	return ROWS;
}

const struct hook *hooks_at(const struct hooks *h, size_t i)
{
	return &h->rows[i];
}

struct hook *hooks_row(struct hooks *h, size_t i)
{
	return &h->rows[i];
}

/* What a word of LEN bytes names: a way of attaching, or all of ATTACH. */
bool hook_is_named(const char *attach, const char *word, size_t len)
{
	return !strncmp(attach, word, len) && (attach[len] == '\0' || attach[len] == '/');
}

static bool forbid(struct hooks *h, const char *word, size_t len)
{
	bool found = false;

	for (size_t i = 0; i < ROWS; i++) {
		if (!h->rows[i].optional || !hook_is_named(h->rows[i].attach, word, len))
			continue;
		h->rows[i].status = HOOK_OFF;
		found = true;
	}
	return found;
}

/* Of a list of words the next, NULL: there is none. */
static const char *next_word(const char *word, size_t len)
{
	word += len;
	word += *word == ',';
	return *word ? word : NULL;
}

const char *hooks_forbid(struct hooks *h, const char *list,
			 bool (*others)(const char *word, size_t len))
{
	size_t len;

	h->without = list;
	for (const char *word = *list ? list : NULL; word; word = next_word(word, len)) {
		len = strcspn(word, ",");
		if (!forbid(h, word, len) && !(others && others(word, len)))
			return word;
	}
	return NULL;
}

bool hook_is_forbidden(const struct hooks *h, const char *attach)
{
	size_t len;

	for (const char *word = h->without; word; word = next_word(word, len)) {
		len = strcspn(word, ",");
		if (hook_is_named(attach, word, len))
			return true;
	}
	return false;
}

bool hook_is_iterator(const struct hook *hook)
{
	return !strncmp(hook->attach, "iter/", 5);
}

bool hook_is_seed(const struct hook *hook)
{
	return !strcmp(hook->moment, "older sockets");
}

bool hook_is_cgroup(const struct hook *hook)
{
	return !strncmp(hook->attach, "cgroup", 6) || !strcmp(hook->attach, "sockops");
}

bool hook_is_lsm(const struct hook *hook)
{
	return !strncmp(hook->attach, "lsm/", 4);
}

bool hook_is_kprobe(const struct hook *hook)
{
	return !strncmp(hook->attach, "kprobe/", 7);
}

bool hook_is_everywhere(const struct hook *hook)
{
	return !strcmp(hook->attach, "cgroup/sock_create");
}

static const struct hook *row_of(const struct hooks *h, const char *program)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!strcmp(h->rows[i].program, program))
			return &h->rows[i];
	}
	return NULL;
}

static bool is_on(const struct hooks *h, const char *program)
{
	const struct hook *row = row_of(h, program);

	return row && row->status == HOOK_ON;
}

static const char *limit_of(const struct hooks *h, const struct hook *row)
{
	if (row->eased_by && is_on(h, row->eased_by))
		return row->eased;
	if (!row->limit && row->unpinned)
		return "a killed daemon loses this hook until the next one starts";
	return row->limit;
}

const char *hooks_loss(const struct hooks *h, size_t i)
{
	const struct hook *row = &h->rows[i];

	if (row->status == HOOK_ON)
		return limit_of(h, row);
	if (row->status == HOOK_NEEDLESS)
		return NULL;
	for (size_t j = 0; j < ROWS; j++) {
		const struct hook *other = &h->rows[j];

		if (strcmp(other->moment, row->moment) != 0)
			continue;
		if (other->status == HOOK_ON || other->rank > row->rank)
			return NULL;
	}
	return row->lost;
}

static bool usable(const struct hooks *h, const char *program)
{
	const struct hook *row = row_of(h, program);

	return row && (row->status == HOOK_ON || row->status == HOOK_UNUSED);
}

const char *hooks_tier(const struct hooks *h)
{
	if (usable(h, "accept_lsm"))
		return "full";
	if (usable(h, "accept_fentry"))
		return "no LSM";
	if (usable(h, "accept_kprobe"))
		return "no trampolines";
	return "lowest";
}

const char *hook_status_text(enum hook_status status)
{
	switch (status) {
	case HOOK_UNUSED:
		return "unused";
	case HOOK_ON:
		return "on";
	case HOOK_REFUSED:
		return "refused";
	case HOOK_SILENT:
		return "silent";
	case HOOK_OFF:
		return "off";
	case HOOK_NEEDLESS:
		return "not needed";
	}
	return NULL;
}
