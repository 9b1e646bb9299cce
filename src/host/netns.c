/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces: who we are, which there are, and a netlink socket inside another one.
 * Paths given by people are only opened once they are known to be on nsfs: opening a FIFO or a
 * device as root because a filter named it would be a gift.
 */
#include "host/netns.h"

#include "text/cleanup.h"
#include "text/idset.h"
#include "host/netns_helper.h"
#include "host/netns_places.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define PID_MAX_LIMIT (4u << 20) /* the kernel's, on 64 bit */

typedef int (*netns_fn)(const char *path, __u32 inum, void *arg);

/* The namespace a walk is at: PATH, this very string, opens it though who lived there is gone. */
static __thread struct {
	const char *path;
	int fd;
} held;

static int socket_cookie(int fd, __u64 *ret_cookie)
{
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) && errno != ENOPROTOOPT)
		return -errno;
	*ret_cookie = cookie;
	return 0;
}

static int internet_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int no_such(int error)
{
	return error == ESRCH || error == ENOTDIR ? -ENOENT : -error;
}

/* Inode of the namespace file at PATH, without opening it. */
static int path_inum(const char *path, __u32 *ret_inum)
{
	struct statfs fs;
	struct stat st;

	if (statfs(path, &fs) || stat(path, &st))
		return no_such(errno);
	if (fs.f_type != NSFS_MAGIC)
		return -ENOENT;
	*ret_inum = (__u32)st.st_ino;
	return 0;
}

static __u32 fd_inum(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : (__u32)st.st_ino;
}

/*
 * Only nsfs files that are network namespaces: nsfs holds every other kind too. PATH is anybody's
 * word: what is there is looked at before it is opened, and nothing else is opened then, for to
 * open a device may do something.
 */
int netns_open(const char *path, int *ret_fd)
{
	_close_ int at = -1, fd = -1;
	char link[32];
	__u32 inum = 0;
	int r;

	if (path == held.path) {
		*ret_fd = fcntl(held.fd, F_DUPFD_CLOEXEC, 0);
		return *ret_fd < 0 ? -errno : 0;
	}
	at = open(path, O_PATH | O_CLOEXEC);
	if (at < 0)
		return no_such(errno);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
	r = path_inum(link, &inum);
	if (r)
		return r;
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -ENOENT;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int netns_self(__u64 *ret_cookie, __u32 *ret_inum)
{
	_close_ int fd = -1;
	__u64 cookie = 0;
	__u32 inum = 0;
	int r;

	fd = internet_socket();
	if (fd < 0)
		return fd;
	r = socket_cookie(fd, &cookie);
	if (r)
		return r;
	r = path_inum(NETNS_OWN, &inum);
	if (r)
		return r;
	*ret_cookie = cookie;
	*ret_inum = inum;
	return 0;
}

static bool all_digits(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

static int parse_number(const char *text, __u32 *ret_inum)
{
	char path[64];
	unsigned long n;

	errno = 0;
	n = strtoul(text, NULL, 10);
	if (errno || n > UINT_MAX || n == 0)
		return -EINVAL;
	if (n > PID_MAX_LIMIT) {
		*ret_inum = (__u32)n;
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/%lu/ns/net", n);
	return path_inum(path, ret_inum);
}

static int parse_path(const char *path, __u32 *ret_inum)
{
	_close_ int fd = -1;
	int r = netns_open(path, &fd);

	if (r)
		return r;
	*ret_inum = fd_inum(fd);
	return 0;
}

int netns_parse(const char *text, __u32 *ret_inum)
{
	char path[PATH_MAX];

	if (all_digits(text))
		return parse_number(text, ret_inum);
	if (*text == '/')
		return parse_path(text, ret_inum);
	if (!*text || strchr(text, '/') || strstr(text, "..") || strlen(text) > NAME_MAX)
		return -EINVAL;
	snprintf(path, sizeof(path), "/run/netns/%s", text);
	return parse_path(path, ret_inum);
}

/*
 * What cannot be looked at (not ours to see, not a namespace) is passed over; where a process has
 * gone meanwhile, another one may live.
 */
static int visit(const char *path, struct idset *seen, netns_fn fn, void *arg)
{
	_close_ int fd = -1;
	__u32 inum = 0;
	int r;

	if (path_inum(path, &inum) || idset_has(seen, inum))
		return 0;
	r = netns_open(path, &fd);
	if (r == -ENOENT || r == -ESRCH)
		return 0;
	if (fd >= 0 && fd_inum(fd) != inum)
		return 0; /* another's by now, who has the pid or went elsewhere */
	r = idset_add(seen, inum);
	if (r)
		return r;
	held.path = fd < 0 ? NULL : path;
	held.fd = fd;
	r = fn(path, inum, arg);
	held.path = NULL;
	return r;
}

static int visit_dir(const char *dir, bool is_proc, struct idset *seen, netns_fn fn, void *arg)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	int r = 0;
	DIR *d = opendir(dir);

	if (!d)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	while (!r && (entry = readdir(d))) {
		if (is_proc ? !isdigit((unsigned char)*entry->d_name) : *entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", dir, entry->d_name,
			 is_proc ? "/ns/net" : "");
		r = visit(path, seen, fn, arg);
	}
	closedir(d);
	return r;
}

struct visiting {
	struct idset *seen;
	netns_fn fn;
	void *arg;
};

static int visit_place(const char *path, void *arg)
{
	const struct visiting *v = arg;

	return visit(path, v->seen, v->fn, v->arg);
}

int netns_each(int (*fn)(const char *path, __u32 inum, void *arg), void *arg)
{
	/* named ones first: their paths outlive the processes inside */
	static const struct {
		const char *dir;
		bool is_proc;
	} places[] = { { "/run/netns", false }, { "/run/docker/netns", false }, { "/proc", true } };
	struct idset seen = { 0 };
	struct visiting elsewhere = { &seen, fn, arg };
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(places) / sizeof(*places); i++)
		r = visit_dir(places[i].dir, places[i].is_proc, &seen, fn, arg);
	if (!r)
		r = netns_places_each(visit_place, &elsewhere);
	idset_release(&seen);
	return r;
}

/* An internet socket made and closed here: the kernel side notes the namespace it sees it in. */
static void show_programs(void)
{
	int fd = internet_socket();

	if (fd >= 0)
		close(fd);
}

int netns_socket_here(int protocol, int *ret_fd, __u64 *ret_cookie)
{
	_close_ int fd = -1;
	__u64 cookie = 0;
	int r;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	r = socket_cookie(fd, &cookie);
	if (r)
		return r;
	if (!cookie)
		show_programs();
	*ret_fd = TAKE_FD(fd);
	*ret_cookie = cookie;
	return 0;
}

/* Without libbpf: the command line has this file, too. */
int netns_iterator_here(int link, int *ret_fd)
{
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (__u32)link;
	fd = syscall(SYS_bpf, BPF_ITER_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	*ret_fd = (int)fd;
	return 0;
}

int netns_run_here(int program, __u32 ifindex)
{
	struct __sk_buff packet = { .ifindex = ifindex };
	unsigned char nothing[64] = { 0 };
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (__u32)program;
	attr.test.data_in = (__u64)(unsigned long)nothing;
	attr.test.data_size_in = sizeof(nothing);
	attr.test.ctx_in = (__u64)(unsigned long)&packet;
	attr.test.ctx_size_in = sizeof(packet);
	return syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static bool is_own(int fd)
{
	struct stat own, other;

	return !stat(NETNS_OWN, &own) && !fstat(fd, &other) && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

int netns_socket(const char *path, int protocol, int *ret_fd, __u64 *ret_cookie)
{
	_close_ int fd = -1;
	int r = netns_open(path, &fd);

	if (r)
		return r;
	if (is_own(fd))
		return netns_socket_here(protocol, ret_fd, ret_cookie);
	return netns_helper_socket(fd, protocol, ret_fd, ret_cookie);
}

int netns_iterator(const char *path, int link, int *ret_fd)
{
	_close_ int fd = -1;
	int r = netns_open(path, &fd);

	if (r)
		return r;
	if (!is_own(fd))
		return netns_helper_iterator(fd, link, ret_fd);
	return netns_iterator_here(link, ret_fd);
}

int netns_run(const char *path, int program, __u32 ifindex)
{
	_close_ int fd = -1;
	int r = netns_open(path, &fd);

	if (r)
		return r;
	if (!is_own(fd))
		return netns_helper_run(fd, program, ifindex);
	return netns_run_here(program, ifindex);
}
