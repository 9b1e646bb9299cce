/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What leaves by the interfaces of a network namespace, or what arrives by them, read by AF_PACKET:
 * beside all sockets, and beside the agent. Told what to do as an actor is, see told.h.
 *
 * seen PORT     packets since the last time that have PORT at an end, each once and in order, a
 *               word each: > to it, < from it; and what it is: syn syn-ack ack rst fin udp
 * syn6 N PORT, udp6 N PORT       a packet from [::1]:9 to [::1]:PORT with N extension headers
 * syn6whole PORT DECOY, udp6whole PORT DECOY    the same behind a fragment's header, though it is
 *                      whole, whose reserved byte is the length that leads to a header to DECOY
 *
 * usage: wire [arrives]
 */
#include "told.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SOURCE_PORT 9
#define EXTENSIONS_MAX 64
#define WORDS_MAX 400 /* of one answer */

static int wire = -1;
static int direction = PACKET_OUTGOING; /* loopback shows each packet twice */

/* --- reading --- */

struct packet {
	const unsigned char *ports; /* of the TCP or UDP header, whose first bytes these are */
	size_t left;
	uint8_t proto;
};

/* Past an IPv4 or IPv6 header and all extensions; false when it is neither TCP nor UDP. */
static bool find_ports(const unsigned char *data, size_t size, struct packet *ret)
{
	size_t off = sizeof(struct ip6_hdr);
	uint8_t next;

	if (size < sizeof(struct iphdr))
		return false;
	if (data[0] >> 4 == 4) {
		off = (size_t)(data[0] & 15) * 4;
		next = data[9];
	} else {
		next = data[6];
		while ((next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS ||
			next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT) &&
		       off + 8 <= size) {
			size_t more = next == IPPROTO_FRAGMENT ? 0 : data[off + 1];

			next = data[off];
			off += 8 + more * 8;
		}
	}
	if ((next != IPPROTO_TCP && next != IPPROTO_UDP) || off + sizeof(struct udphdr) > size)
		return false;
	*ret = (struct packet){ data + off, size - off, next };
	return true;
}

static const char *kind_of(const struct packet *p)
{
	const struct tcphdr *tcp = (const struct tcphdr *)p->ports;

	if (p->proto == IPPROTO_UDP)
		return "udp";
	if (p->left < sizeof(*tcp))
		return "short";
	if (tcp->rst)
		return "rst";
	if (tcp->syn)
		return tcp->ack ? "syn-ack" : "syn";
	return tcp->fin ? "fin" : "ack";
}

static ssize_t next_packet(unsigned char *buf, size_t size)
{
	for (;;) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(wire, buf, size, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0 || from.sll_pkttype == direction)
			return n;
	}
}

static int lost_packets(void)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);

	if (getsockopt(wire, SOL_PACKET, PACKET_STATISTICS, &stats, &len) < 0)
		return -errno;
	return stats.tp_drops ? -ENOBUFS : 0;
}

static int do_seen(const struct command *c)
{
	uint16_t port = c->words > 1 ? (uint16_t)strtoul(c->word[1], NULL, 10) : 0;
	static unsigned char buf[65536];
	int words = 0, r = lost_packets();
	ssize_t n;

	if (r < 0)
		return r;
	fputs("ok", stdout);
	while ((n = next_packet(buf, sizeof(buf))) >= 0) {
		struct packet p;
		uint16_t ports[2];

		if (!find_ports(buf, (size_t)n, &p) || words == WORDS_MAX)
			continue;
		memcpy(ports, p.ports, sizeof(ports));
		if (ntohs(ports[0]) != port && ntohs(ports[1]) != port)
			continue;
		printf(" %c%s", ntohs(ports[1]) == port ? '>' : '<', kind_of(&p));
		words++;
	}
	return puts("");
}

/* --- writing --- */

static uint16_t checksum(const unsigned char *data, size_t size, uint32_t sum)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	if (size % 2)
		sum += (uint32_t)data[size - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* From [::1] to [::1], whose bytes add 1 each to the sum. */
static uint16_t checksum_of(const void *segment, size_t size, uint8_t proto)
{
	return checksum(segment, size, (uint32_t)size + proto + 1 + 1);
}

/* In these PAYLOAD bytes stand behind the header already. */
static size_t put_tcp_syn(unsigned char *to, uint16_t port, size_t payload)
{
	struct tcphdr tcp = {
		.source = htons(SOURCE_PORT),
		.dest = htons(port),
		.seq = htonl(1),
		.syn = 1,
		.doff = sizeof(tcp) / 4,
		.window = htons(1024),
	};

	memcpy(to, &tcp, sizeof(tcp));
	tcp.check = checksum_of(to, sizeof(tcp) + payload, IPPROTO_TCP);
	memcpy(to, &tcp, sizeof(tcp));
	return sizeof(tcp) + payload;
}

static size_t put_datagram(unsigned char *to, uint16_t port, size_t payload)
{
	struct udphdr udp = { .source = htons(SOURCE_PORT),
			      .dest = htons(port),
			      .len = htons((uint16_t)(sizeof(udp) + payload)) };

	memcpy(to, &udp, sizeof(udp));
	udp.check = checksum_of(to, sizeof(udp) + payload, IPPROTO_UDP);
	memcpy(to, &udp, sizeof(udp));
	return sizeof(udp) + payload;
}

struct shape {
	uint8_t proto;
	size_t (*put)(unsigned char *to, uint16_t port, size_t payload);
	size_t header; /* bytes */
};

static const struct shape tcp_syn = { IPPROTO_TCP, put_tcp_syn, sizeof(struct tcphdr) };
static const struct shape datagram = { IPPROTO_UDP, put_datagram, sizeof(struct udphdr) };

/* Empty destination options, 8 bytes each: next header, length 0, and padding of 4 bytes (PadN). */
static size_t put_extensions(unsigned char *to, unsigned int n, uint8_t last)
{
	for (unsigned int i = 0; i < n; i++) {
		const unsigned char header[8] = { i + 1 < n ? IPPROTO_DSTOPTS : last, 0, 1, 4 };

		memcpy(to + i * sizeof(header), header, sizeof(header));
	}
	return n * sizeof(struct ip6_ext) * 4;
}

/* BUF, whose first bytes are kept free for it, gets its IPv6 header and goes out. */
static int write_packet(unsigned char *buf, size_t size, uint8_t next)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IPV6),
				  .sll_ifindex = (int)if_nametoindex("lo"),
				  .sll_halen = ETH_ALEN };
	struct ip6_hdr ip = { .ip6_src = IN6ADDR_LOOPBACK_INIT, .ip6_dst = IN6ADDR_LOOPBACK_INIT };

	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_hlim = 64;
	ip.ip6_nxt = next;
	ip.ip6_plen = htons((uint16_t)(size - sizeof(ip)));
	memcpy(buf, &ip, sizeof(ip));
	if (sendto(wire, buf, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return puts("ok");
}

static int write_extended(const struct command *c, const struct shape *shape)
{
	unsigned char buf[sizeof(struct ip6_hdr) + EXTENSIONS_MAX * 8 + 64];
	size_t size = sizeof(struct ip6_hdr);
	unsigned long n, port;

	if (c->words < 3)
		return -EINVAL;
	n = strtoul(c->word[1], NULL, 10);
	port = strtoul(c->word[2], NULL, 10);
	if (n > EXTENSIONS_MAX || port > 65535)
		return -EINVAL;
	size += put_extensions(buf + size, (unsigned int)n, shape->proto);
	size += shape->put(buf + size, (uint16_t)port, 0);
	return write_packet(buf, size, n ? IPPROTO_DSTOPTS : shape->proto);
}

/* Offset 0 and no more to come: the kernel has nothing to put together. */
static int write_whole(const struct command *c, const struct shape *shape)
{
	unsigned char buf[sizeof(struct ip6_hdr) + 128] = { 0 };
	struct ip6_frag fragment = { .ip6f_nxt = shape->proto };
	size_t size = sizeof(struct ip6_hdr), decoy;

	if (c->words < 3)
		return -EINVAL;
	fragment.ip6f_reserved = (uint8_t)((shape->header + 7) / 8);
	memcpy(buf + size, &fragment, sizeof(fragment));
	size += sizeof(fragment);
	decoy = fragment.ip6f_reserved * 8u;
	decoy += shape->put(buf + size + decoy, (uint16_t)strtoul(c->word[2], NULL, 10), 0);
	size += shape->put(buf + size, (uint16_t)strtoul(c->word[1], NULL, 10),
			   decoy - shape->header);
	return write_packet(buf, size, IPPROTO_FRAGMENT);
}

static int do_syn6(const struct command *c)
{
	return write_extended(c, &tcp_syn);
}

static int do_udp6(const struct command *c)
{
	return write_extended(c, &datagram);
}

static int do_syn6whole(const struct command *c)
{
	return write_whole(c, &tcp_syn);
}

static int do_udp6whole(const struct command *c)
{
	return write_whole(c, &datagram);
}

static int do_who(const struct command *c)
{
	(void)c;
	return printf("ok\n");
}

static const struct told commands[] = {
	{ "seen", do_seen },	       { "syn6", do_syn6 },	      { "udp6", do_udp6 },
	{ "syn6whole", do_syn6whole }, { "udp6whole", do_udp6whole }, { "who", do_who },
};

int main(int argc, char **argv)
{
	int bytes = 16 << 20; /* nobody may have asked for long */

	if (argc > 1 && strcmp(argv[1], "arrives") == 0)
		direction = PACKET_HOST;

	/* without the link header: what begins is an IP header */
	wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (wire < 0 || setsockopt(wire, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0) {
		perror("wire");
		return 1;
	}
	return told_run(commands, sizeof(commands) / sizeof(commands[0]));
}
