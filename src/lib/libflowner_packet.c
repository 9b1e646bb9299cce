/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose packet is it? A packet at a moment belongs to the life of its session that the moment is
 * in. Three kinds are outside every life, and still somebody's:
 *
 *	late	 the last ACK and what comes after the end, as the ACK of a FIN that came twice:
 *		 the life that ended last
 *	early	 the ACK that completes a handshake: the acceptor's flow opens just after it
 *	opening	 a SYN at the passive end: the listener's, whatever had the session before
 *
 * and what no session has belongs to the socket that the kernel would give it to (ladder.h). Behind
 * NAT all this is so on its other side. Sockets that are bound to an interface have the packets of
 * that one only, and sessions of link-local addresses are always of one.
 */
#include "lib/libflowner.h"

#include <errno.h>
#include <time.h>

#include "flow/ladder.h"
#include "text/clock.h"

#define API __attribute__((visibility("default")))

#define LATE_NS 60000000000ULL	/* TIME-WAIT lasts as long */
#define CLOCKS_NS 20000ULL	/* a packet's CLOCK_REALTIME, as CLOCK_BOOTTIME, may be off */
#define COMING_NS 1000000000ULL /* so long after a packet what it opens may still be made */

/* One end of the packet. */
struct end {
	struct fl_key key; /* ifindex: that of every session it can be of, else 0 */
	__u32 ifindex;	   /* where it passes; 0: not known */
	__u64 at_ns;	   /* 0: now */
	bool syn;	   /* the packet opens a session */
	bool sends;
	bool wildcards; /* the address is the host's: a socket bound to any address may have it */
	bool nat;	/* what no session has is looked for behind NAT */
	const struct fl_flow *other; /* what the other end was found to be; NULL: nothing */
};

static bool lives(const struct fl_flow *flow, __u64 at_ns)
{
	return at_ns ? flow_lived_at(flow, at_ns) : !flow->ended_ns;
}

/* With a SYN, a session that has an acceptor already is an older life than the one beginning. */
static bool takes(const struct end *end, const struct fl_flow *flow)
{
	return lives(flow, end->at_ns) && !(end->syn && flow->role == FL_ROLE_ACCEPTOR);
}

static bool is_early(const struct end *end, const struct around *a)
{
	return a->has_after && a->after.role == FL_ROLE_ACCEPTOR && !end->syn &&
	       flow_began_ns(&a->after) - end->at_ns <= AROUND_EARLY_NS;
}

/*
 * The session that the other end is in by then is a later life than FLOW: an acceptor begins after
 * its opener. The last life's acceptor may end only when the next opener has the tuple already, of
 * which its own end was free.
 */
static bool is_past(const struct end *end, const struct fl_flow *flow)
{
	const struct fl_flow *other = end->other;

	if (!other || !lives(other, end->at_ns))
		return false;
	if (other->role == FL_ROLE_OPENER && flow->role == FL_ROLE_ACCEPTOR)
		return flow_began_ns(flow) < flow_began_ns(other);
	return flow->ended_ns && flow->ended_ns < flow_began_ns(other);
}

static bool is_behind(const struct end *end, const struct around *a)
{
	return a->has_before && a->before.ended_ns && end->at_ns > a->before.ended_ns &&
	       end->at_ns - a->before.ended_ns <= LATE_NS;
}

static bool is_late(const struct end *end, const struct around *a)
{
	return is_behind(end, a) && !is_past(end, &a->before);
}

/* An acceptor has sent nothing but its SYN before it begins: who does is the one before it, also
 * when its opener's tuple has been taken over already. */
static bool is_last_word(const struct end *end, const struct around *a)
{
	return end->sends && end->key.proto == FL_TCP && is_early(end, a) && is_behind(end, a) &&
	       flow_began_ns(&a->after) - end->at_ns > CLOCKS_NS;
}

/* Both would do: the other end's flow tells the lives apart, else the nearer one it is. */
static bool rather_early(const struct end *end, const struct around *a)
{
	if (end->other)
		return flow_began_ns(end->other) > a->before.ended_ns;
	return flow_began_ns(&a->after) - end->at_ns < end->at_ns - a->before.ended_ns;
}

/* The life of the session the packet belongs to, NULL when to none. */
static const struct fl_flow *choose(const struct end *end, const struct around *a)
{
	bool early = is_early(end, a), late = is_late(end, a);

	if (a->has_before && (takes(end, &a->before) || is_last_word(end, a)))
		return &a->before;
	if (early && late)
		return rather_early(end, a) ? &a->after : &a->before;
	if (early)
		return &a->after;
	return late ? &a->before : NULL;
}

/* Of the key as it is. 0, -ENOENT, or another error. */
static int find_life(struct flowner *h, const struct end *end, struct fl_flow *ret_flow)
{
	const struct fl_flow *chosen;
	struct around lives = { 0 };
	int r = 0;

	if (!end->at_ns || !memory_find(h->memory, &end->key, end->at_ns, &lives)) {
		r = flowner_live(h, &end->key, ret_flow);
		if (r == 0 && takes(end, ret_flow))
			return 0;
		if (!end->at_ns || (r < 0 && r != -ENOENT))
			return r < 0 ? r : -ENOENT;
		r = flowner_around(h, &end->key, end->at_ns, &lives);
	}
	if (r < 0)
		return r;
	chosen = choose(end, &lives);
	if (!chosen)
		return -ENOENT;
	*ret_flow = *chosen;
	return 0;
}

/* Most are of no interface: those are asked for first. */
static int find_session(struct flowner *h, const struct end *end, struct fl_flow *ret_flow)
{
	struct end bound = *end;
	struct fl_flow flow;
	int r = find_life(h, end, ret_flow), b;

	if (end->ifindex == end->key.ifindex || (r < 0 && r != -ENOENT) ||
	    (r == 0 && takes(end, ret_flow)))
		return r;
	bound.key.ifindex = end->ifindex;
	b = find_life(h, &bound, &flow);
	if (b == 0 && (r < 0 || takes(end, &flow)))
		*ret_flow = flow;
	return b == -ENOENT ? r : b;
}

/* The socket of exactly KEY. */
static int find_socket(struct flowner *h, const struct fl_key *key, __u64 at_ns,
		       struct fl_flow *ret_flow)
{
	int r = flowner_live_rung(h, key, ret_flow);
	struct around lives;

	if (!at_ns || (r < 0 && r != -ENOENT) || (r == 0 && flow_lived_at(ret_flow, at_ns)))
		return r;
	r = flowner_around(h, key, at_ns, &lives);
	if (r == 0 && (!lives.has_before || !flow_lived_at(&lives.before, at_ns)))
		r = -ENOENT;
	if (r == 0)
		*ret_flow = lives.before;
	return r;
}

/* As the kernel does: of one address the socket that is bound to the interface is before others. */
static int find_bound(struct flowner *h, const struct end *end, struct fl_flow *ret_flow)
{
	enum ladder last = end->wildcards ? LADDER_RUNGS : LADDER_ANY;
	struct fl_key key;
	int r = -ENOENT;

	for (enum ladder rung = LADDER_BOUND; rung < last && r == -ENOENT; rung++) {
		if (!ladder_key(&end->key, rung, &key))
			continue;
		key.ifindex = end->ifindex;
		r = find_socket(h, &key, end->at_ns, ret_flow);
		if (r != -ENOENT || !key.ifindex)
			continue;
		key.ifindex = 0;
		r = find_socket(h, &key, end->at_ns, ret_flow);
	}
	return r;
}

/* A session that ended is second to the socket that has the packets now; a TCP one only at SYN. */
static bool rather_bound(const struct end *end, const struct fl_flow *session)
{
	return !takes(end, session) && (end->key.proto == FL_UDP || end->syn);
}

static int find_here(struct flowner *h, const struct end *end, struct fl_flow *ret_flow)
{
	struct fl_flow bound;
	int r = find_session(h, end, ret_flow);
	int b;

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && !rather_bound(end, ret_flow))
		return 0;
	b = find_bound(h, end, &bound);
	if (b == 0)
		*ret_flow = bound;
	return b == -ENOENT ? r : b;
}

/*
 * Who has the packet on the other side of NAT. What conntrack says is of now: of the lives of a
 * session there, it is true of the newest only.
 */
static int find_behind(struct flowner *h, const struct end *end, struct fl_flow *ret_flow)
{
	struct end behind = *end;
	struct fl_flow newest;
	bool nat = false;
	int r = flowner_behind(h, &end->key, &newest, &nat);

	if (r < 0 || !nat)
		return r < 0 ? r : -ENOENT;
	behind.key = newest.key;
	behind.ifindex = newest.key.ifindex; /* the packet's is of this side */
	behind.wildcards = true;	     /* it is the address of who has a socket there */
	r = find_here(h, &behind, ret_flow);
	return r == 0 && ret_flow->key.remote_port && ret_flow->id != newest.id ? -ENOENT : r;
}

static bool is_session_then(const struct end *end, const struct fl_flow *flow)
{
	return flow->key.remote_port && lives(flow, end->at_ns);
}

/*
 * *RET_NAT: found behind NAT. Looked for there also when a listener was found, which may be a proxy
 * that never sees what is translated, or a session that had the ends before.
 */
static int find_end(struct flowner *h, const struct end *end, struct fl_flow *ret_flow,
		    bool *ret_nat)
{
	int r = find_here(h, end, ret_flow), behind;
	struct fl_flow flow;

	*ret_nat = false;
	if (!end->nat || (r < 0 && r != -ENOENT) || (r == 0 && is_session_then(end, ret_flow)))
		return r;
	behind = find_behind(h, end, &flow);
	if (behind < 0)
		return behind == -ENOENT ? r : behind;
	if (r == 0 && ret_flow->key.remote_port && !is_session_then(end, &flow))
		return 0;
	*ret_flow = flow;
	*ret_nat = true;
	return 0;
}

static bool is_loopback(const struct fl_addr *a)
{
	static const struct fl_addr one = { .b = { [15] = 1 } };

	return ladder_is_v4(a) ? a->b[12] == 127 : memcmp(a, &one, sizeof(one)) == 0;
}

static bool is_link_local(const struct fl_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static struct end sender(const struct flowner *h, const struct flowner_packet *p)
{
	struct fl_key key = {
		.netns_cookie = p->netns_cookie,
		.local = p->source,
		.remote = p->destination,
		.local_port = p->source_port,
		.remote_port = p->destination_port,
		.proto = p->proto,
	};
	struct end end = {
		.ifindex = p->ifindex,
		.at_ns = p->time_ns,
		.syn = p->proto == FL_TCP && (p->flags & FLOWNER_PACKET_SYN),
		.sends = true,
		.wildcards = (p->flags & FLOWNER_PACKET_FROM_HOST) || is_loopback(&p->source),
		.nat = p->flags & FLOWNER_PACKET_NAT,
	};

	if (is_link_local(&p->source) || is_link_local(&p->destination))
		key.ifindex = p->ifindex;
	flowner_complete_key(h, &key, &end.key);
	return end;
}

static struct end receiver(const struct end *sender, const struct flowner_packet *p)
{
	struct end end = *sender;

	end.sends = false;
	end.key.local = sender->key.remote;
	end.key.remote = sender->key.local;
	end.key.local_port = sender->key.remote_port;
	end.key.remote_port = sender->key.local_port;
	end.wildcards = (p->flags & FLOWNER_PACKET_FOR_HOST) || is_loopback(&p->destination);
	return end;
}

/* One end of the answer. */
struct found {
	bool known, nat;
	struct fl_flow flow;
};

static int look(struct flowner *h, const struct end *end, bool wanted, struct found *ret_found)
{
	int r = wanted ? find_end(h, end, &ret_found->flow, &ret_found->nat) : -ENOENT;

	ret_found->known = r == 0;
	return r == -ENOENT ? 0 : r;
}

/* Outside its life: which one it belongs to may be for the other end to tell. */
static bool is_guess(const struct end *end, const struct found *found)
{
	return found->known && !lives(&found->flow, end->at_ns);
}

static bool is_session(const struct found *found)
{
	return found->known && found->flow.key.remote_port;
}

/*
 * The OTHER end is in a session at that moment and END, which is of this host, is in none: that of
 * an acceptor is made when the handshake's last ACK has come, which is a moment after it was sent.
 */
static bool is_coming(const struct end *end, const struct found *found, const struct found *other)
{
	bool here = end->wildcards || found->known;

	return here && !is_session(found) && end->key.proto == FL_TCP && !end->syn &&
	       is_session(other) && lives(&other->flow, end->at_ns) && end->at_ns &&
	       clock_ns(CLOCK_BOOTTIME) < end->at_ns + COMING_NS;
}

/* FROM, an acceptor of which only the last word is left, had another opener than TO, who lives. */
static bool is_to_past(const struct end *near, const struct found *from, const struct found *to)
{
	return near->key.proto == FL_TCP && is_guess(near, from) && !is_guess(near, to) &&
	       from->flow.role == FL_ROLE_ACCEPTOR && to->flow.role == FL_ROLE_OPENER &&
	       flow_began_ns(&from->flow) < flow_began_ns(&to->flow);
}

/* The life before TO, which is at END; TO stays when none is known. */
static int look_before(struct flowner *h, const struct end *end, struct found *to)
{
	struct end then = *end;
	struct found found;
	int r;

	then.at_ns = flow_began_ns(&to->flow) - 1;
	r = look(h, &then, true, &found);
	if (r == 0 && is_session(&found))
		*to = found;
	return r;
}

static void tell(const struct found *found, const struct end *end, struct flowner_flow *ret_flow)
{
	if (!found->known)
		return;
	flowner_export(&found->flow, ret_flow);
	if (found->nat)
		flowner_seen_as(ret_flow, &end->key);
}

API int flowner_find_packet(struct flowner *h, const struct flowner_packet *packet,
			    struct flowner_flow *ret_sender, struct flowner_flow *ret_receiver)
{
	struct found from, to;
	struct end near, far;
	int r;

	if (packet->proto != FL_TCP && packet->proto != FL_UDP)
		return -EINVAL;
	near = sender(h, packet);
	r = look(h, &near, ret_sender, &from);
	if (r < 0)
		return r;
	far = receiver(&near, packet);
	far.other = from.known ? &from.flow : NULL;
	r = look(h, &far, ret_receiver, &to);
	if (r == 0 && is_guess(&near, &from) && to.known) {
		near.other = &to.flow;
		r = look(h, &near, ret_sender, &from);
		if (r == 0 && is_to_past(&near, &from, &to))
			r = look_before(h, &far, &to);
	}
	if (r < 0)
		return r;
	tell(&from, &near, ret_sender);
	tell(&to, &far, ret_receiver);
	return (from.known ? FLOWNER_SENDER : 0) | (to.known ? FLOWNER_RECEIVER : 0) |
	       (ret_receiver && is_coming(&far, &to, &from) ? FLOWNER_AGAIN : 0);
}
