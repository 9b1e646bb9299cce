/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An example: hears of every session without asking the daemon, by a ring of its own in a slot of
 * flow_rings, and prints a line for each. Takes its ring out again at SIGTERM or SIGINT; with -k
 * it leaves the ring there, as one that is killed does.
 * usage: rings [-k] PIN_DIR SLOT RING_BYTES
 *
 *	active 00000000000ff6ea tcp 127.0.0.1 43210 127.0.0.1 80 123 curl final
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <error.h>
#include <flowner/flow.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static const char *op_text(enum fl_sock_op op)
{
	switch (op) {
	case FL_SOCK_ACTIVE_ESTABLISHED:
		return "active";
	case FL_SOCK_PASSIVE_ESTABLISHED:
		return "passive";
	case FL_SOCK_CONNECTION_DELETED:
		return "deleted";
	}
	return "?";
}

static const char *address_text(const struct fl_addr *addr, char text[INET6_ADDRSTRLEN])
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!memcmp(addr->b, mapped, sizeof(mapped)))
		return inet_ntop(AF_INET, &addr->b[12], text, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, addr->b, text, INET6_ADDRSTRLEN);
}

/* A later version may have more at its end: nothing but a shorter record is refused. */
static int on_event(void *arg, void *data, size_t size)
{
	const struct fl_sock_event *e = data;
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];

	(void)arg;
	if (size < sizeof(*e) || e->size < sizeof(*e))
		return 0;
	printf("%s %016llx %s %s %u %s %u %u %.16s %s\n", op_text(e->op),
	       (unsigned long long)e->flow_id, e->key.proto == FL_TCP ? "tcp" : "udp",
	       address_text(&e->key.local, local), e->key.local_port,
	       address_text(&e->key.remote, remote), e->key.remote_port, e->owner.proc.pid,
	       e->owner.comm[0] ? e->owner.comm : "-", e->accepted ? "final" : "interim");
	return 0;
}

static int slots_open(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/flow_rings", dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		error(1, errno, "cannot open '%s'", path);
	return fd;
}

/* The kernel would put our ring in the place of another's: whose slot is whose is for the machine's
 * owner to say, and a slot that is taken for the owner to empty (bpftool map delete). */
static void take(int slots, __u32 slot, int ring)
{
	__u32 id;

	if (!bpf_map_lookup_elem(slots, &slot, &id))
		error(1, 0, "slot %u is taken, by the ring with id %u", slot, id);
	if (bpf_map_update_elem(slots, &slot, &ring, BPF_ANY))
		error(1, errno, "cannot take slot %u", slot);
}

int main(int argc, char **argv)
{
	int keep = argc > 1 && !strcmp(argv[1], "-k");
	struct sigaction action = { .sa_handler = stop };
	struct ring_buffer *reader;
	int slots, ring;
	__u32 slot;

	if (argc - keep != 4)
		error(2, 0, "usage: rings [-k] PIN_DIR SLOT RING_BYTES");
	argv += keep;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	slots = slots_open(argv[1]);
	slot = (__u32)strtoul(argv[2], NULL, 10);
	ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "rings", 0, 0,
			      (__u32)strtoul(argv[3], NULL, 10), NULL);
	if (ring < 0)
		error(1, errno, "cannot make a ring of %s bytes", argv[3]);
	reader = ring_buffer__new(ring, on_event, NULL, NULL);
	if (!reader)
		error(1, errno, "cannot read the ring");
	take(slots, slot, ring);
	puts("ready");
	while (!stopped && !keep)
		ring_buffer__poll(reader, 1000);
	if (!keep) {
		(void)bpf_map_delete_elem(slots, &slot);
		(void)ring_buffer__consume(reader); /* what came until then */
	}
	ring_buffer__free(reader);
	return 0;
}
