// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The verbs of flow.bpf.h: how a flow enters the two maps, changes hands and leaves them. */
#include "flow.bpf.h"
#include "listener_counts.bpf.h"
#include "ports.bpf.h"

int flow_tell(enum fl_record_type type, __u64 id, const struct fl_socket *s, enum fl_state state)
{
	struct fl_event *e;

	if (!events_watched())
		return 0;
	e = event_reserve(type);
	if (!e)
		return 0;
	flow_describe(&e->flow, id, s, NULL);
	e->flow.state = state;
	event_submit(e);
	return 0;
}

int flow_owner(__u64 id, struct fl_owner *ret_owner)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_key key;

	if (!s)
		return -ENOENT;
	key = s->key;
	*ret_owner = s->owner;
	if (fl_check_word(&key, id, ret_owner) == *(volatile const __u64 *)&s->check)
		return 0;
	__builtin_memset(ret_owner, 0, sizeof(*ret_owner));
	return -ENOENT; /* it ended meanwhile, and the element is another's */
}

/* Another socket may already stand at a local-only key: the newest is shown, all are counted. */
static __always_inline __u32 flow_members(__u64 id, const struct fl_key *key)
{
	struct fl_connection *c;

	if (!key_local_only(key))
		return 1;
	c = bpf_map_lookup_elem(&l7_connections, key);
	if (!c)
		return 1;
	return c->flow_id == id ? c->members : c->members + 1;
}

static __noinline int flow_index(__u64 id, const struct fl_socket *s, enum fl_state state)
{
	struct fl_connection c = {
		.flow_id = id,
		.owner = s->owner,
		.opened_ns = s->opened_ns,
		.role = s->role,
		.state = state,
		.accepted = s->accepted,
		.members = flow_members(id, &s->key),
		.check = s->check,
	};
	/* what is found open may have ended since, and a newer session may have its key */
	__u64 flags = s->opened_ns || key_local_only(&s->key) ? BPF_ANY : BPF_NOEXIST;

	int r = bpf_map_update_elem(&l7_connections, &s->key, &c, flags);

	if (r && r != -EEXIST)
		count(FL_CNT_CONNECTIONS_FULL);
	return 0;
}

int flow_insert(__u64 id, struct fl_socket *s, enum fl_state state)
{
	int r;

	s->check = fl_check_socket(id, s);
	r = bpf_map_update_elem(&socket_to_process, &id, s, BPF_NOEXIST);
	if (r) {
		if (r != -EEXIST)
			count(FL_CNT_SOCKETS_FULL);
		return r;
	}
	flow_index(id, s, state);
	count(FL_CNT_OPENED);
	return 0;
}

int flow_replace_found(__u64 id, const struct fl_socket *s, enum fl_state state)
{
	struct fl_socket *found = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_proc_key proc;

	if (!found || found->opened_ns)
		return -EEXIST;
	proc = found->owner.proc;
	if (bpf_map_update_elem(&socket_to_process, &id, s, BPF_EXIST))
		return -EEXIST;
	process_flow_removed(&proc);
	flow_index(id, s, state);
	count_back(FL_CNT_SEEDED);
	return 0;
}

/* The end of a flow whose element C shows it, or did: compare, then delete. */
static __always_inline void flow_unindex(__u64 id, const struct fl_key *key,
					 struct fl_connection *c)
{
	if (!c)
		return;
	if (c->members > 1) {
		/* others stand here too; an id of 0 says that which of them is not known */
		__sync_fetch_and_add(&c->members, -1);
		if (c->flow_id == id) {
			c->flow_id = 0;
			c->check = 0;
		}
		return;
	}
	if (c->flow_id == id || !c->flow_id)
		bpf_map_delete_elem(&l7_connections, key);
}

/*
 * ID stands for all at its key, where nobody is shown since another ended. Who stands there may be
 * ending: then nobody is shown again, which the daemon repairs. A number for argument: verified
 * once, by itself.
 */
__noinline int flow_show(__u64 id)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_connection *c, n;

	c = s ? bpf_map_lookup_elem(&l7_connections, &s->key) : NULL;
	if (!c || c->flow_id)
		return -ENOENT;
	n = *c;
	n.flow_id = id;
	n.owner = s->owner;
	n.opened_ns = s->opened_ns;
	n.role = s->role;
	n.accepted = s->accepted;
	n.check = s->check;
	bpf_map_update_elem(&l7_connections, &s->key, &n, BPF_EXIST);
	if (bpf_map_lookup_elem(&socket_to_process, &id))
		return 0;
	c = bpf_map_lookup_elem(&l7_connections, &s->key);
	if (c && c->flow_id == id)
		c->flow_id = 0;
	return -ENOENT;
}

/* Who is shown at the key of listener ID when that is no more; 0: nobody, or somebody else is. */
static __always_inline __u64 flow_heir(__u64 id, const struct fl_key *key,
				       const struct fl_connection *c)
{
	if (!c || c->flow_id != id || c->members <= 1 || key->proto != FL_TCP)
		return 0;
	return port_heir(key->netns_cookie, key->local_port, id);
}

/* Not inlined: flow_end() tests its event once, and before 6.2 the verifier forgets that it did. */
static __noinline int flow_remove(__u64 id, const struct fl_key *key,
				  const struct fl_proc_key *proc, struct fl_connection *c)
{
	if (bpf_map_delete_elem(&socket_to_process, &id))
		return -ENOENT;
	if (count_udp && key->proto == FL_UDP)
		bpf_map_delete_elem(&udp_counts, &id);
	if (key->proto == FL_TCP && key_local_only(key))
		port_leave(key->netns_cookie, key->local_port, id);
	flow_unindex(id, key, c);
	process_flow_removed(proc);
	return 0;
}

/* After flow_remove(), in whose frame there is no room for it. HEIR: see flow_heir(), or 0. */
static __always_inline void flow_removed(__u64 id, const struct fl_key *key, __u64 heir)
{
	if (key->proto == FL_TCP && key_local_only(key))
		listeners_end(id);
	if (heir)
		flow_show(heir);
}

static __always_inline void flow_ended(__u64 id, const struct fl_key *key, __u64 heir)
{
	count(FL_CNT_ENDED);
	flow_removed(id, key, heir);
}

int flow_count_udp(__u64 id)
{
	__u32 zero = 0;
	struct blank *b;
	int r;

	if (!count_udp)
		return 0;
	b = bpf_map_lookup_elem(&blank, &zero);
	r = b ? bpf_map_update_elem(&udp_counts, &id, &b->counts, BPF_NOEXIST) : -ENOENT;
	if (r && r != -EEXIST)
		count(FL_CNT_COUNTS_FULL);
	return 0;
}

/* ID besides FLOW: before 5.11 memory of the ring is no key. */
static __always_inline void flow_closed(struct fl_flow *flow, __u64 id, enum fl_reason reason,
					const struct fl_counts *counts)
{
	flow->reason = reason;
	if (!counts && count_udp && flow->key.proto == FL_UDP)
		counts = bpf_map_lookup_elem(&udp_counts, &id);
	if (!counts)
		return;
	flow->counts = *counts;
	flow->counted = 1;
}

/* A listener, a socket without a peer and a connection that failed never were established. */
static __always_inline bool was_session(__u64 id, const struct fl_key *key,
					const struct fl_connection *c)
{
	if (key_local_only(key))
		return false;
	return !c || c->flow_id != id || c->state != FL_STATE_SYN_SENT;
}

/* The ring is full. */
static __always_inline int flow_end_untold(__u64 id, const struct fl_socket *s,
					   const struct fl_key *key, const struct fl_proc_key *proc,
					   struct fl_connection *c)
{
	__u64 heir = flow_heir(id, key, c);

	if (key->proto == FL_TCP)
		socket_mark_ended(s->cookie);
	if (flow_remove(id, key, proc, c))
		return -ENOENT;
	flow_ended(id, key, heir);
	return 0;
}

int flow_end(__u64 id, enum fl_reason reason, const struct fl_counts *counts)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_proc_key proc;
	struct fl_connection *c;
	struct fl_event *e;
	struct fl_key key;
	__u64 heir;

	if (!s)
		return -ENOENT;
	key = s->key;
	proc = s->owner.proc;
	c = bpf_map_lookup_elem(&l7_connections, &key);
	if (was_session(id, &key, c)) /* two CPUs that end one flow at once may both tell */
		session_told(FL_SOCK_CONNECTION_DELETED, id);
	e = event_reserve(s->role == FL_ROLE_LISTENER ? FL_EVENT_UNLISTEN : FL_EVENT_CLOSE);
	if (!e)
		return flow_end_untold(id, s, &key, &proc, c);
	if (key.proto == FL_TCP) { /* after its place in the ring is taken: see flow_accepted() */
		socket_mark_ended(s->cookie);
		s = bpf_map_lookup_elem(&socket_to_process, &id);
	}
	if (!s) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return -ENOENT;
	}
	proc = s->owner.proc;
	flow_describe(&e->flow, id, s, c);
	e->flow.ended_ns = e->time_ns;
	flow_closed(&e->flow, id, reason, counts);
	heir = flow_heir(id, &key, c);
	if (flow_remove(id, &key, &proc, c)) {
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
		return -ENOENT;
	}
	event_submit(e);
	flow_ended(id, &key, heir);
	return 0;
}

int flow_take_out(__u64 id)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_connection *c;
	struct fl_proc_key proc;
	struct fl_key key;
	__u64 heir;

	if (!s)
		return -ENOENT;
	key = s->key;
	proc = s->owner.proc;
	c = bpf_map_lookup_elem(&l7_connections, &key);
	heir = flow_heir(id, &key, c);
	if (was_session(id, &key, c))
		session_told(FL_SOCK_CONNECTION_DELETED, id);
	if (flow_remove(id, &key, &proc, c))
		return -ENOENT;
	flow_removed(id, &key, heir);
	return 0;
}

/* The new owner in both maps; each element is replaced as a whole. Not inlined: its copies would
 * stand in the frame below process_ensure(), and the frames of a chain share 512 bytes. */
static __noinline int flow_replace_owner(__u64 id, struct fl_socket *s, const struct fl_owner *o,
					 enum fl_role role)
{
	struct fl_connection *c, n;
	struct fl_socket copy = *s;
	struct fl_proc_key before = s->owner.proc;

	copy.owner = *o;
	copy.role = role;
	copy.accepted = 1;
	copy.check = fl_check_socket(id, &copy);
	if (bpf_map_update_elem(&socket_to_process, &id, &copy, BPF_EXIST))
		return -ENOENT;
	process_flow_removed(&before);
	c = bpf_map_lookup_elem(&l7_connections, &copy.key);
	if (!c || c->flow_id != id)
		return 0;
	n = *c;
	n.owner = *o;
	n.role = role;
	n.accepted = 1;
	n.check = copy.check;
	bpf_map_update_elem(&l7_connections, &copy.key, &n, BPF_EXIST);
	return 0;
}

/* Whose it was already: most servers accept in the process that listens. */
static __always_inline void accept_same(__u64 id, struct fl_socket *s)
{
	struct fl_connection *c = bpf_map_lookup_elem(&l7_connections, &s->key);

	s->accepted = 1;
	if (c && c->flow_id == id)
		c->accepted = 1;
}

/* By pointer: a copy of it would be one word too many on the stack of 5.10. */
static __always_inline int accept_tell(const __u64 *id)
{
	struct fl_socket *s;

	count(FL_CNT_ACCEPTED);
	if (!events_watched())
		return 0;
	s = bpf_map_lookup_elem(&socket_to_process, id); /* the old element may be gone */
	if (s)
		flow_tell(FL_EVENT_ACCEPT, *id, s, FL_STATE_ESTABLISHED);
	return 0;
}

int flow_accept(__u64 id)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_owner o = {};

	if (!s || s->role != FL_ROLE_ACCEPTOR || s->accepted)
		return 0;
	owner_current(&o);
	if (owner_equal(&s->owner, &o)) {
		accept_same(id, s);
	} else {
		process_flow_added(process_current(&o));
		if (flow_replace_owner(id, s, &o, FL_ROLE_ACCEPTOR)) {
			process_flow_removed(&o.proc);
			return 0;
		}
	}
	return accept_tell(&id);
}

int flow_accept_as(__u64 id, const struct fl_owner *o)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);

	if (!s || s->role != FL_ROLE_ACCEPTOR || s->accepted)
		return 0;
	if (owner_equal(&s->owner, o)) {
		accept_same(id, s);
	} else {
		process_flow_added(bpf_map_lookup_elem(&processes, &o->proc));
		if (flow_replace_owner(id, s, o, FL_ROLE_ACCEPTOR)) {
			process_flow_removed(&o->proc);
			return 0;
		}
	}
	return accept_tell(&id);
}

int flow_accept_with(__u64 id, __u64 sibling)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &sibling);
	struct fl_owner o;

	if (!s || !s->accepted || flow_owner(sibling, &o))
		return 0;
	return flow_accept_as(id, &o);
}

int flow_accept_late(__u64 id)
{
	struct fl_owner o = {};
	struct fl_event *e;

	owner_current(&o);
	process_current(&o);
	e = event_reserve(FL_EVENT_ACCEPT);
	if (!e)
		return 0;
	e->flow.id = id;
	e->flow.cookie = id;
	e->flow.role = FL_ROLE_ACCEPTOR;
	e->flow.accepted = 1;
	e->flow.owner = o;
	event_submit(e);
	return 0;
}

int flow_rekey(__u64 id, const struct fl_key *key, enum fl_role role, const struct fl_owner *by)
{
	struct fl_socket *s = bpf_map_lookup_elem(&socket_to_process, &id);
	struct fl_proc_key before;
	struct fl_socket n;

	if (!s)
		return -ENOENT;
	n = *s;
	before = n.owner.proc;
	flow_unindex(id, &n.key, bpf_map_lookup_elem(&l7_connections, &n.key));
	n.key = *key;
	n.role = role;
	n.owner = *by;
	n.check = fl_check_socket(id, &n);
	flow_count_udp(id);
	if (bpf_map_update_elem(&socket_to_process, &id, &n, BPF_EXIST)) {
		bpf_map_delete_elem(&udp_counts, &id);
		return -ENOENT;
	}
	process_flow_added(bpf_map_lookup_elem(&processes, &n.owner.proc));
	process_flow_removed(&before);
	flow_index(id, &n, FL_STATE_ESTABLISHED);
	return 0;
}
