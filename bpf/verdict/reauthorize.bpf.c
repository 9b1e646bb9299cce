// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * CONNECT_AUTHORIZATION again, of sessions that live: the daemon runs these when the policy, a
 * route or an interface has changed. It says which session and by which interface that would go
 * now; who owns it is in the maps, and how it is judged is how it was judged at first.
 */
#include "judge.bpf.h"
#include "packet.bpf.h"
#include "ways.bpf.h"

/* What a rule of this hook asks for is not known of A: that is no reason to cut what was let in. */
static __noinline int again_lacks(const struct fl_attempt *a)
{
	__u64 index = FL_HOOK_INDEX(FL_HOOK_CONNECT_AUTHORIZATION, a->key.proto);
	struct fl_policy_state *state;
	struct fl_policy *policy;
	__u32 zero = 0, slot;

	state = bpf_map_lookup_elem(&policy_state, &zero);
	slot = state ? state->slot : FL_POLICY_NONE;
	policy = bpf_map_lookup_elem(&policies, &slot);
	return policy && index < FL_HOOK_INDEXES && policy->asked[index] & ~a->known;
}

/* The same session by the same interface under the same policy: the same answer, told already. Of
 * one that was found open nobody knows who opened it, only who has it. */
static __noinline int again_judge(struct fl_attempt *a, bool found)
{
	__u64 epoch = ways_epoch();
	int may;

	if (a->next_hop_interface && !ways_get_link(a))
		return FL_AGAIN_NO_LINK;
	may = way_known(a, epoch);
	if (may >= 0)
		return may;
	if (!found)
		attempt_by_owner(a);
	if (again_lacks(a))
		return FL_AGAIN_UNKNOWN;
	may = judge(a) != FL_REJECT;
	way_remember(a, epoch, may);
	return may;
}

/* The packet is a struct fl_again; the answer an enum fl_again_answer. */
SEC("tc")
int judge_again(struct __sk_buff *skb)
{
	struct fl_attempt a = { .hook = FL_HOOK_CONNECT_AUTHORIZATION };
	struct fl_again asked;
	struct fl_socket *s;
	bool found;

	if (bpf_skb_load_bytes(skb, 0, &asked, sizeof(asked)))
		return FL_AGAIN_GONE;
	s = bpf_map_lookup_elem(&socket_to_process, &asked.flow_id);
	if (!s)
		return FL_AGAIN_GONE;
	found = fl_opened_here(s);
	if (!found && s->role != FL_ROLE_OPENER)
		return FL_AGAIN_GONE;
	a.key = s->key;
	a.owner = s->owner;
	a.cookie = s->cookie;
	if (!socket_is(s, asked.flow_id, &a.key, &a.owner))
		return FL_AGAIN_GONE;
	a.known = KNOWS_LOCAL | KNOWS_REMOTE | KNOWS(FL_DIM_NETNS) | FL_KNOWN_AGAIN;
	a.next_hop_interface = asked.interface;
	return again_judge(&a, found);
}

/* Run inside a network namespace with an interface of it for the packet's. */
SEC("tc")
int look_at_link(struct __sk_buff *skb)
{
	struct net_device *dev = device_of(skb);
	struct fl_attempt a = {};

	attempt_by_device(&a, dev);
	attempt_namespace(&a, net_cookie_probed(BPF_CORE_READ(dev, nd_net.net)));
	return ways_set_link(&a);
}
