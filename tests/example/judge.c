/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What packets printed against what sessions did: a packet belongs to the session of its tuple that
 * began last before it, and until that one's SYN to the one before. Its client's end is the
 * client's; its server's end the acceptor's, but a SYN's, which is the listener's.
 *
 *	judge TRUTH PORT <PACKETS        0: every end of every packet right, every session seen
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXAMPLES 5

struct session {
	uint64_t begin_ns, life_ns;
	uint32_t client, acceptor;
	unsigned int port;
	unsigned int packets;
};

static struct session *sessions;
static size_t count;
static uint32_t listener;
static struct {
	unsigned long packets, ends, right, wrong, unnamed, stray;
} score;

static int by_port_and_time(const void *a, const void *b)
{
	const struct session *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

static int by_life(const void *a, const void *b)
{
	const struct session *x = a, *y = b;

	return x->life_ns < y->life_ns ? -1 : x->life_ns > y->life_ns;
}

static int read_truth(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		struct session s = { 0 };

		sscanf(line, "listener %" SCNu32, &listener);
		if (sscanf(line, "session %*u %" SCNu64 " %u %" SCNu32 " %" SCNu32 " %" SCNu64,
			   &s.begin_ns, &s.port, &s.client, &s.acceptor, &s.life_ns) != 5)
			continue;
		sessions = reallocarray(sessions, count + 1, sizeof(s));
		if (!sessions)
			abort();
		sessions[count++] = s;
	}
	fclose(f);
	return count && listener ? 0 : -1;
}

/*
 * The last of PORT that began at TIME_NS or before. Between its beginning, which is taken before
 * connect(), and its SYN the last words of the one before may pass: an ACK of a FIN sent twice.
 */
static struct session *session_of(unsigned int port, uint64_t time_ns, bool opens)
{
	size_t low = 0, high = count;
	struct session at = { .port = port, .begin_ns = time_ns };

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (by_port_and_time(&sessions[mid], &at) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low > 1 && !opens && !sessions[low - 1].packets && sessions[low - 2].port == port)
		low--;
	return low && sessions[low - 1].port == port ? &sessions[low - 1] : NULL;
}

static void judge_end(const char *line, const char *named, uint32_t wanted)
{
	char *end;
	unsigned long pid = strtoul(named, &end, 10);

	score.ends++;
	if (pid == wanted && *end == '/') { /* and not `?`: interim */
		score.right++;
		return;
	}
	if (strcmp(named, "-") == 0)
		score.unnamed++;
	else
		score.wrong++;
	if (score.wrong + score.unnamed <= EXAMPLES)
		fprintf(stderr, "wanted %u, not %s: %s", wanted, named, line);
}

static void judge(const char *line, unsigned int server_port)
{
	char flags[16], from[64], to[64];
	unsigned int source, destination;
	uint64_t s, ns;
	struct session *session;
	bool to_server;
	uint32_t server;

	if (sscanf(line, "%" SCNu64 ".%" SCNu64 " tcp 127.0.0.1:%u > 127.0.0.1:%u %15s %63s %63s",
		   &s, &ns, &source, &destination, flags, from, to) != 7)
		return;
	to_server = destination == server_port;
	if (!to_server && source != server_port)
		return; /* not of these sessions */
	score.packets++;
	session = session_of(to_server ? source : destination, s * 1000000000u + ns,
			     strcmp(flags, "S") == 0);
	if (!session) {
		score.stray++;
		return;
	}
	session->packets++;
	server = strchr(flags, 'S') ? listener : session->acceptor;
	judge_end(line, from, to_server ? session->client : server);
	judge_end(line, to, to_server ? server : session->client);
}

int main(int argc, char **argv)
{
	unsigned long unseen = 0, reused = 0;
	const struct session *middle;
	char line[512];

	if (argc != 3 || read_truth(argv[1]) < 0)
		return 2;
	qsort(sessions, count, sizeof(*sessions), by_port_and_time);
	while (fgets(line, sizeof(line), stdin))
		judge(line, (unsigned int)atoi(argv[2]));
	for (size_t i = 0; i < count; i++) {
		unseen += sessions[i].packets < 5; /* handshake, data, end */
		reused += i && sessions[i].port == sessions[i - 1].port;
	}
	qsort(sessions, count, sizeof(*sessions), by_life);
	middle = &sessions[count / 2];
	printf("sessions %zu, of them on a tuple used before %lu, life median %.3f ms\n", count,
	       reused, (double)middle->life_ns / 1e6);
	printf("packets %lu, ends %lu: right %lu, wrong %lu, unnamed %lu; stray %lu, sessions "
	       "not seen whole %lu\n",
	       score.packets, score.ends, score.right, score.wrong, score.unnamed, score.stray,
	       unseen);
	return score.right != score.ends || score.stray || unseen;
}
