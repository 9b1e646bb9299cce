/* SPDX-License-Identifier: BSD-2-Clause */
/* Units and containers from the cgroup paths that systemd and the runtimes write; users; paths. */
#include "host/cgroup.h"
#include "host/names.h"
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_people.h"

#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ONE "1111111111111111111111111111111111111111111111111111111111111111"
#define POD "pod0f3a5c1e-1111-2222-3333-444455556666"

static void units(void **state)
{
	static const struct {
		const char *path, *unit;
	} cases[] = {
		{ "/system.slice/sshd.service", "sshd.service" },
		{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service" },
		{ "/init.scope", "init.scope" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service",
		  "foo.service" },
		{ "/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope" },
		{ "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
		{ "/system.slice/docker-" HEX ".scope", "docker-" HEX ".scope" },
		{ "/system.slice/docker-" HEX ".scope/system.slice/nginx.service",
		  "nginx.service" },
		{ "/machine.slice/libpod-" HEX ".scope/container", "libpod-" HEX ".scope" },
		{ "/system.slice/foo.service/worker/1", "foo.service" },
		{ "/system.slice/foo.service/", "foo.service" },
		{ "//system.slice//foo.service//x", "foo.service" },
		{ "/system.slice/dev-disk\\x2dby\\x2did.swap", "dev-disk\\x2dby\\x2did.swap" },
		{ "/system.slice/run-x.mount", "run-x.mount" },
		{ "/system.slice/x.socket", "x.socket" },
		{ "/system.slice/_cpu.service", "cpu.service" },
		{ "/system.slice", NULL },
		{ "/user.slice/user-1000.slice", NULL },
		{ "/", NULL },
		{ "", NULL },
		{ "/docker/" HEX, NULL },
		{ "/.service", NULL },
		{ "/_.service", NULL },
		{ "/foo.services", NULL },
	};
	char unit[UNIT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r = cgroup_path_unit(cases[i].path, unit);

		if (r != (cases[i].unit ? 0 : -ENOENT))
			fail_msg("%s -> %d", cases[i].path, r);
		if (!r)
			assert_string_equal(unit, cases[i].unit);
	}
}

static void a_unit_name_has_a_bound(void **state)
{
	char letters[UNIT_MAX], path[600], unit[UNIT_MAX];
	const int longest = UNIT_MAX - 1 - (int)strlen(".service");

	(void)state;
	memset(letters, 'a', sizeof(letters));
	snprintf(path, sizeof(path), "/outer.service/%.*s.service", longest, letters);
	assert_int_equal(cgroup_path_unit(path, unit), 0);
	assert_int_equal(strlen(unit), UNIT_MAX - 1);
	/* one more is no unit name */
	snprintf(path, sizeof(path), "/outer.service/%.*s.service", longest + 1, letters);
	assert_int_equal(cgroup_path_unit(path, unit), 0);
	assert_string_equal(unit, "outer.service");
}

static void containers(void **state)
{
	static const struct {
		const char *path, *id;
	} cases[] = {
		{ "/docker/" HEX, HEX },
		{ "/system.slice/docker-" HEX ".scope", HEX },
		{ "/system.slice/docker-" HEX ".scope/init.scope", HEX },
		{ "/docker/" ONE "/docker/" HEX, HEX },
		{ "/docker/" HEX "/system.slice/foo.service", HEX },
		{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/"
		  "cri-containerd-" HEX ".scope",
		  HEX },
		{ "/kubepods/besteffort/" POD "/" HEX, HEX },
		{ "/system.slice/containerd.service/"
		  "kubepods-burstable-pod1.slice:cri-containerd:" HEX,
		  HEX },
		{ "/machine.slice/libpod-" HEX ".scope", HEX },
		{ "/machine.slice/libpod-" HEX ".scope/container", HEX },
		{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX ".scope",
		  HEX },
		{ "/x/libpod-payload-" HEX, HEX },
		{ "/machine.slice/libpod-conmon-" HEX ".scope", NULL },
		{ "/kubepods.slice/crio-" HEX ".scope", HEX },
		{ "/kubepods.slice/crio-" HEX ".scope/container", HEX },
		{ "/kubepods.slice/crio-conmon-" HEX ".scope", NULL },
		{ "/docker/" ONE "/machine.slice/libpod-conmon-" HEX ".scope", ONE },
		{ "/lxc.payload.web", "web" },
		{ "/lxc.payload.web/system.slice/x.service", "web" },
		{ "/lxc.payload/web", "web" },
		{ "/lxc/101/ns", "101" },
		{ "/lxc.monitor.web", NULL },
		{ "/lxc", NULL },
		{ "/machine.slice/machine-my\\x2dbox.scope/payload", "my-box" },
		{ "/machine.slice/machine-\\x2f.scope", NULL },
		{ "/machine.slice/machine-\\x00.scope", NULL },
		{ "/machine.slice/machine-\\x2.scope", NULL },
		{ "/machine.slice/machine-\\.scope", NULL },
		{ "/machine.slice/machine-a\\", NULL },
		{ "/machine.slice/machine-.scope", NULL },
		{ "/machine.slice/systemd-nspawn@box.service/payload", "box" },
		{ "/docker/0123", NULL },
		{ "/docker/" HEX "0", NULL },
		{ "/docker/g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		  NULL },
		{ "/lxc.payload." HEX "0", NULL }, /* longer than an id may be */
		{ "/system.slice/docker.service", NULL },
		{ "/user.slice", NULL },
		{ "/", NULL },
		{ "", NULL },
		{ ":", NULL },
	};
	char id[CONTAINER_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int r = cgroup_path_container(cases[i].path, id);

		if (r != (cases[i].id ? 0 : -ENOENT))
			fail_msg("%s -> %d", cases[i].path, r);
		if (!r)
			assert_string_equal(id, cases[i].id);
	}
}

/* As soon as it is known, or after a second the last word. */
static const char *user(struct names *names, __u32 uid)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	const char *name = names_user(names, uid);

	for (int i = 0; !name && i < 1000; i++) {
		nanosleep(&moment, NULL); /* lint: poll */
		name = names_user(names, uid);
	}
	return name;
}

/* The first below the slices, and the outermost: what is further in may be called by others. */
static void what_a_rule_means(void **state)
{
#define USER "/user.slice/user-1000.slice/user@1000.service"
	static const struct {
		const char *path, *unit, *id;
		bool users;
	} cases[] = {
		{ "/system.slice/sshd.service", "sshd.service", NULL, false },
		{ "/sshd.service/x", "sshd.service", NULL, false },
		{ "//system.slice//sshd.service//x", "sshd.service", NULL, false },
		{ "/system.slice/_cpu.service", "cpu.service", NULL, false },
		{ "/system.slice/system-getty.slice/getty@tty1.service/b.service",
		  "getty@tty1.service", NULL, false },
		{ USER "/app.slice/nginx.service", "user@1000.service", NULL, false },
		{ "/user.slice/user-1000.slice/session-3.scope", "session-3.scope", NULL, false },
		{ "/system.slice/docker-" HEX ".scope/system.slice/nginx.service",
		  "docker-" HEX ".scope", HEX, false },
		{ "/docker/" HEX "/system.slice/nginx.service", NULL, HEX, false },
		{ "/lxc.payload.web/system.slice/docker-" HEX ".scope", NULL, "web", false },
		{ "/lxc/101/lxc/102", NULL, "101", false },
		{ "/docker/" ONE "/docker/" HEX, NULL, ONE, false },
		{ USER "/user.slice/libpod-" HEX ".scope", "user@1000.service", HEX, true },
		{ USER "/docker/" HEX, "user@1000.service", HEX, true },
		{ "/machine.slice/libpod-" HEX ".scope" USER "/docker/" ONE, "libpod-" HEX ".scope",
		  HEX, false },
		{ "/nginx/nginx.service", NULL, NULL, false },
		{ "/.slice/nginx.service", NULL, NULL, false },
		{ "/system.slice", NULL, NULL, false },
		{ "/", NULL, NULL, false },
		{ "", NULL, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char unit[UNIT_MAX], id[CONTAINER_ID_MAX];
		bool users = false;
		int r = cgroup_path_system_unit(cases[i].path, unit);
		int c = cgroup_path_outer_container(cases[i].path, id, &users);

		if (r != (cases[i].unit ? 0 : -ENOENT) || c != (cases[i].id ? 0 : -ENOENT) ||
		    users != cases[i].users)
			fail_msg("%s -> %d, %d, %d", cases[i].path, r, c, users);
		if (!r)
			assert_string_equal(unit, cases[i].unit);
		if (!c)
			assert_string_equal(id, cases[i].id);
	}
}

static void users(void **state)
{
	const struct passwd *pw = getpwuid(0);
	struct names *names;

	(void)state;
	assert_int_equal(names_new(&names), 0);
	if (pw)
		assert_string_equal(user(names, 0), pw->pw_name);
	/* twice: once asked, once remembered */
	assert_null(names_user(names, 4000000007u));
	assert_null(names_user(names, 4000000007u));
	/* far more than the cache has places for */
	for (unsigned int uid = 3000000000u; uid < 3000003000u; uid++)
		assert_null(names_user(names, uid));
	if (pw)
		assert_string_equal(user(names, 0), pw->pw_name);
	names_free(names);
	names_free(NULL);
}

/* Whoever waited for it would wait for ever: nobody else lets it answer again. */
static void a_silent_name_service_keeps_nobody_waiting(void **state)
{
	const struct passwd *pw = getpwuid(0);
	struct names *names;

	(void)state;
	if (!pw)
		skip();
	assert_int_equal(names_new(&names), 0);
	service_is(true);
	assert_null(names_user(names, 0));
	for (unsigned int uid = 3000000000u; uid < 3000003000u; uid++)
		assert_null(names_user(names, uid));
	/* threads that hang are few, with those that a test before this one left */
	assert_in_range(service_open(), 1, 2 * 4);
	service_is(false);
	assert_string_equal(user(names, 0), pw->pw_name);
	/* what was known is still told when it is asked again, in vain */
	service_is(true);
	later_s = 120;
	assert_string_equal(names_user(names, 0), pw->pw_name);
	assert_string_equal(names_user(names, 0), pw->pw_name);
	service_is(false);
	later_s = 0;
	names_free(names);
}

static void questions_outlive_who_asked(void **state)
{
	struct names *names;

	(void)state;
	service_is(true);
	assert_int_equal(names_new(&names), 0);
	assert_null(names_user(names, 0));
	names_free(names);
	service_is(false);
}

static void cgroup_unknown(void **state)
{
	struct names *names;

	(void)state;
	assert_int_equal(names_new(&names), 0);
	assert_null(names_cgroup(names, 0));
	assert_null(names_cgroup(names, 0x7fffffff12345678ull));
	assert_null(names_cgroup(names, 0x7fffffff12345678ull));
	names_free(names);
}

/* A cgroup made for a test: PATH, whole, has 4200 bytes, OWN is what is below the mount. */
static __u64 make_cgroup(const char *mount, const char *own, char *path)
{
	__u64 id = 0;
	int fd;

	snprintf(path, 4200, "%s%s", mount, own);
	if (mkdir(path, 0755)) {
		print_message("cannot make '%s': %s\n", path, strerror(errno));
		return 0;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(cgroup_id(fd, &id), 0);
	close(fd);
	return id;
}

static char *need_cgroups(void)
{
	char *mount = NULL;

	if (geteuid() || cgroup_mount(&mount)) {
		print_message("needs root (open_by_handle_at) and cgroup2\n");
		skip();
	}
	return mount;
}

/* Its path comes back, and stays when it is gone. */
static void cgroup_is_remembered(void **state)
{
	char *mount = need_cgroups(), path[4200], own[64];
	struct names *names;
	__u64 id, root = 0;
	int fd;

	(void)state;
	if (!mount)
		return; /* skip() does not come back, which analyzers do not know */
	snprintf(own, sizeof(own), "/flowner-test-%d.service", getpid());
	id = make_cgroup(mount, own, path);
	if (!id) {
		free(mount);
		skip();
	}
	fd = open(mount, O_RDONLY | O_DIRECTORY);
	assert_int_equal(cgroup_id(fd, &root), 0);
	close(fd);
	assert_int_equal(names_new(&names), 0);
	assert_string_equal(names_cgroup(names, id), own);
	assert_string_equal(names_cgroup(names, root), "/");
	assert_int_equal(rmdir(path), 0);
	assert_string_equal(names_cgroup(names, id), own);
	/* many others that are nothing do not push out what is asked for */
	for (__u64 other = 1; other < 20000; other++) {
		assert_null(names_cgroup(names, other << 40));
		if (other % 100 == 0)
			assert_string_equal(names_cgroup(names, id), own);
	}
	names_free(names);
	/* one who never saw it does not know it */
	assert_int_equal(names_new(&names), 0);
	assert_null(names_cgroup(names, id));
	names_free(names);
	free(mount);
}

/* Whoever may make cgroups may call them so. */
static void cgroup_that_is_called_deleted(void **state)
{
	char *mount = need_cgroups(), path[4200], own[64];
	struct names *names;
	__u64 id;

	(void)state;
	if (!mount)
		return;
	snprintf(own, sizeof(own), "/flowner-test-%d (deleted)", getpid());
	id = make_cgroup(mount, own, path);
	free(mount);
	if (!id)
		skip();
	assert_int_equal(names_new(&names), 0);
	assert_string_equal(names_cgroup(names, id), own);
	assert_int_equal(rmdir(path), 0);
	names_free(names);
	assert_int_equal(names_new(&names), 0);
	assert_null(names_cgroup(names, id));
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units),
		cmocka_unit_test(a_unit_name_has_a_bound),
		cmocka_unit_test(containers),
		cmocka_unit_test(what_a_rule_means),
		cmocka_unit_test(users),
		cmocka_unit_test(a_silent_name_service_keeps_nobody_waiting),
		cmocka_unit_test(questions_outlive_who_asked),
		cmocka_unit_test(cgroup_unknown),
		cmocka_unit_test(cgroup_is_remembered),
		cmocka_unit_test(cgroup_that_is_called_deleted),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
