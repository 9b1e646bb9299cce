/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an interface is to a policy: its name as a number, and IANA's types of it and of the tunnel
 * behind it. Pure; compiles on both sides.
 */
#ifndef FLOWNER_LINK_H
#define FLOWNER_LINK_H

#include <flowner/policy.h>

/* Filled up with zeros, as the kernel's IFNAMSIZ and what it calls kinds of links. */
union fl_link_text {
	char text[16];
	__u64 words[2];
};

/* Of IANAifType-MIB and IANAtunnelType-MIB. */
#define FL_IF_OTHER 1
#define FL_IF_ETHERNET 6
#define FL_IF_PPP 23
#define FL_IF_LOOPBACK 24
#define FL_IF_VIRTUAL 53
#define FL_IF_WIFI 71
#define FL_IF_TUNNEL 131
#define FL_IF_VLAN 135
#define FL_IF_BOND 161
#define FL_IF_INFINIBAND 199
#define FL_IF_BRIDGE 209
#define FL_IF_WWAN 243

#define FL_TUNNEL_NONE 0 /* what Windows says of an interface that is no tunnel */
#define FL_TUNNEL_OTHER 1
#define FL_TUNNEL_DIRECT 2 /* IP in IP, with nothing between the headers */
#define FL_TUNNEL_GRE 3
#define FL_TUNNEL_UDP 8

struct fl_link_types {
	__u32 interface_type;
	__u32 tunnel_type;
};

/* The kind of a link says more than its hardware type: to that wireguard and tun are the same, and
 * vxlan is Ethernet. */
struct fl_link_kind {
	union fl_link_text kind;
	struct fl_link_types types;
};

/* clang-format off */
static const struct fl_link_kind fl_link_kinds[] = {
	{ { "veth" },	   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "bridge" },	   { FL_IF_BRIDGE, FL_TUNNEL_NONE } },
	{ { "bond" },	   { FL_IF_BOND, FL_TUNNEL_NONE } },
	{ { "team" },	   { FL_IF_BOND, FL_TUNNEL_NONE } },
	{ { "vlan" },	   { FL_IF_VLAN, FL_TUNNEL_NONE } },
	{ { "dummy" },	   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "ifb" },	   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "macvlan" },   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "macvtap" },   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "ipvlan" },	   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "ipvtap" },	   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "netkit" },	   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "vrf" },	   { FL_IF_VIRTUAL, FL_TUNNEL_NONE } },
	{ { "ppp" },	   { FL_IF_PPP, FL_TUNNEL_NONE } },
	{ { "wwan" },	   { FL_IF_WWAN, FL_TUNNEL_NONE } },
	{ { "ipoib" },	   { FL_IF_INFINIBAND, FL_TUNNEL_NONE } },
	{ { "tun" },	   { FL_IF_TUNNEL, FL_TUNNEL_OTHER } },
	{ { "xfrm" },	   { FL_IF_TUNNEL, FL_TUNNEL_OTHER } },
	{ { "vti" },	   { FL_IF_TUNNEL, FL_TUNNEL_OTHER } },
	{ { "vti6" },	   { FL_IF_TUNNEL, FL_TUNNEL_OTHER } },
	{ { "ovpn" },	   { FL_IF_TUNNEL, FL_TUNNEL_OTHER } },
	{ { "ipip" },	   { FL_IF_TUNNEL, FL_TUNNEL_DIRECT } },
	{ { "ip6tnl" },	   { FL_IF_TUNNEL, FL_TUNNEL_DIRECT } },
	{ { "sit" },	   { FL_IF_TUNNEL, FL_TUNNEL_DIRECT } },
	{ { "gre" },	   { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
	{ { "gretap" },	   { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
	{ { "ip6gre" },	   { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
	{ { "ip6gretap" }, { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
	{ { "erspan" },	   { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
	{ { "ip6erspan" }, { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
	{ { "wireguard" }, { FL_IF_TUNNEL, FL_TUNNEL_UDP } },
	{ { "vxlan" },	   { FL_IF_TUNNEL, FL_TUNNEL_UDP } },
	{ { "geneve" },	   { FL_IF_TUNNEL, FL_TUNNEL_UDP } },
	{ { "bareudp" },   { FL_IF_TUNNEL, FL_TUNNEL_UDP } },
	{ { "gtp" },	   { FL_IF_TUNNEL, FL_TUNNEL_UDP } },
};

/* ARPHRD_* of links without a kind that is known. */
static const struct fl_link_hardware {
	__u32 hardware;
	struct fl_link_types types;
} fl_link_hardware[] = {
	{ 1,   { FL_IF_ETHERNET, FL_TUNNEL_NONE } },
	{ 772, { FL_IF_LOOPBACK, FL_TUNNEL_NONE } },
	{ 32,  { FL_IF_INFINIBAND, FL_TUNNEL_NONE } },
	{ 512, { FL_IF_PPP, FL_TUNNEL_NONE } },
	{ 519, { FL_IF_WWAN, FL_TUNNEL_NONE } }, /* raw IP, of modems */
	{ 768, { FL_IF_TUNNEL, FL_TUNNEL_DIRECT } },
	{ 769, { FL_IF_TUNNEL, FL_TUNNEL_DIRECT } },
	{ 776, { FL_IF_TUNNEL, FL_TUNNEL_DIRECT } },
	{ 778, { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
	{ 823, { FL_IF_TUNNEL, FL_TUNNEL_GRE } },
};
/* clang-format on */

#define FL_LINK_KINDS (sizeof(fl_link_kinds) / sizeof(fl_link_kinds[0]))
#define FL_LINK_HARDWARE (sizeof(fl_link_hardware) / sizeof(fl_link_hardware[0]))

/* TYPES if YES is all ones, else what it was. */
FL_RULE void fl_link_choose(struct fl_link_types *types, const struct fl_link_types *other,
			    __u64 yes)
{
	types->interface_type ^= (types->interface_type ^ other->interface_type) & (__u32)yes;
	types->tunnel_type ^= (types->tunnel_type ^ other->tunnel_type) & (__u32)yes;
}

/* Without a branch, see fl_mask(). WIRELESS: not 0 when it is. */
FL_RULE struct fl_link_types fl_link_types(__u64 kind_0, __u64 kind_1, __u32 hardware,
					   __u64 wireless)
{
	const struct fl_link_types wifi = { FL_IF_WIFI, FL_TUNNEL_NONE };
	struct fl_link_types types = { FL_IF_OTHER, FL_TUNNEL_NONE };

	for (unsigned int i = 0; i < FL_LINK_HARDWARE; i++)
		fl_link_choose(&types, &fl_link_hardware[i].types,
			       ~fl_mask(fl_link_hardware[i].hardware ^ hardware));
	fl_link_choose(&types, &wifi, fl_mask(wireless));
	for (unsigned int i = 0; i < FL_LINK_KINDS; i++)
		fl_link_choose(&types, &fl_link_kinds[i].types,
			       ~fl_mask((fl_link_kinds[i].kind.words[0] ^ kind_0) |
					(fl_link_kinds[i].kind.words[1] ^ kind_1)));
	return types;
}

/* What stands for a name in a policy. Never 0. */
FL_RULE __u64 fl_link_name(__u64 name_0, __u64 name_1)
{
	return fl_name_end(fl_name_step(fl_name_step(0, name_0), name_1));
}

#endif /* FLOWNER_LINK_H */
