// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* These are not inlined: the keys would stand in frames below which the policy is asked. */
#include "ways.bpf.h"
#include "asked.bpf.h"
#include "event.bpf.h"
#include "policy.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct asked);
	__type(value, struct answered);
} judged_ways SEC(".maps");

struct way_link {
	__u64 netns_cookie;
	__u32 interface; /* ifindex */
	__u32 pad;
};

struct way_link_is {
	__u64 name; /* fl_link_name() */
	__u32 interface_type;
	__u32 tunnel_type;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct way_link);
	__type(value, struct way_link_is);
} way_links SEC(".maps");

/* How many of those have become something else. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} way_links_changed SEC(".maps");

__u64 ways_epoch(void)
{
	__u32 zero = 0;
	__u64 *changed = bpf_map_lookup_elem(&way_links_changed, &zero);

	return policy_generation() << 32 | (changed ? (__u32)*changed : 0);
}

__noinline int way_known(const struct fl_attempt *a, __u64 epoch)
{
	struct asked way = {};

	asked_by(a, epoch, &way);
	return asked_before(&judged_ways, &way);
}

__noinline int way_remember(const struct fl_attempt *a, __u64 epoch, __u32 may)
{
	struct asked way = {};

	asked_by(a, epoch, &way);
	asked_now(&judged_ways, &way, may);
	return 0;
}

/* --- interfaces --- */

static __always_inline void link_of(const struct fl_attempt *a, struct way_link *key,
				    struct way_link_is *is)
{
	key->netns_cookie = a->key.netns_cookie;
	key->interface = a->next_hop_interface;
	is->name = a->interface;
	is->interface_type = a->interface_type;
	is->tunnel_type = a->tunnel_type;
}

/* At once: whoever opens a session here may have its route changed in a moment. */
static __always_inline bool link_told(const struct way_link *key)
{
	struct fl_link_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count(FL_CNT_RING_FULL);
		return false;
	}
	e->head.type = FL_EVENT_LINK;
	e->head.size = sizeof(*e);
	e->netns_cookie = key->netns_cookie;
	e->interface = key->interface;
	e->pad = 0;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return true;
}

/* What could not be told is told by the next one. */
__noinline int way_link_used(__u64 netns_cookie, __u32 interface, __u64 name, __u64 types)
{
	struct way_link key = { .netns_cookie = netns_cookie, .interface = interface };
	struct way_link_is is = { name, (__u32)(types >> 32), (__u32)types };

	if (!bpf_map_lookup_elem(&way_links, &key) && link_told(&key))
		bpf_map_update_elem(&way_links, &key, &is, BPF_NOEXIST);
	return 0;
}

__noinline int ways_set_link(const struct fl_attempt *a)
{
	struct way_link key = {};
	struct way_link_is is = {}, *was;
	__u32 zero = 0;
	__u64 *changed;

	link_of(a, &key, &is);
	was = bpf_map_lookup_elem(&way_links, &key);
	if (was && was->name == is.name && was->interface_type == is.interface_type &&
	    was->tunnel_type == is.tunnel_type)
		return 0;
	changed = was ? bpf_map_lookup_elem(&way_links_changed, &zero) : NULL;
	bpf_map_update_elem(&way_links, &key, &is, BPF_ANY);
	if (changed)
		__sync_fetch_and_add(changed, 1);
	return 0;
}

__noinline bool ways_get_link(struct fl_attempt *a)
{
	struct way_link key = {};
	struct way_link_is *is;

	key.netns_cookie = a->key.netns_cookie;
	key.interface = a->next_hop_interface;
	is = bpf_map_lookup_elem(&way_links, &key);
	if (!is)
		return false;
	a->interface = is->name;
	a->interface_type = is->interface_type;
	a->tunnel_type = is->tunnel_type;
	a->known |= KNOWS(FL_DIM_INTERFACE) | KNOWS(FL_DIM_INTERFACE_TYPE) |
		    KNOWS(FL_DIM_TUNNEL_TYPE);
	return true;
}
