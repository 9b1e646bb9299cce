/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/probe.h"
#include "text/cleanup.h"
#include "kernel/hooks.h"
#include "host/privileges.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct bpf_insn empty[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

struct trial {
	const char *prefix;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
	bool is_kprobe;
};

static const struct trial trials[] = {
	{ "lsm/", BPF_PROG_TYPE_LSM, BPF_LSM_MAC, false },
	{ "fmod_ret/", BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, false },
	{ "fentry/", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, false },
	{ "fexit/", BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, false },
	{ "tp_btf/", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, false },
	{ "kprobe/", BPF_PROG_TYPE_KPROBE, 0, true },
};

/* The number perf_event_open() knows kprobes by; the file is absent where there are none. */
static int kprobe_type(int *ret_type)
{
	_fclose_ FILE *f = fopen("/sys/bus/event_source/devices/kprobe/type", "re");

	if (!f)
		return -errno;
	if (fscanf(f, "%d", ret_type) != 1)
		return -EIO;
	return 0;
}

static int try_kprobe(const char *function)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	_close_ int fd = -1;
	int type, r;

	r = kprobe_type(&type);
	if (r < 0)
		return r;
	attr.type = (__u32)type;
	attr.kprobe_func = (__u64)(unsigned long)function;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

static int try_load(const struct trial *t, const char *name)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = t->attach);
	_close_ int fd = -1;
	int id = libbpf_find_vmlinux_btf_id(name, t->attach);

	if (id < 0)
		return id;
	opts.attach_btf_id = (__u32)id;
	fd = bpf_prog_load(t->type, "probe", "GPL", empty, sizeof(empty) / sizeof(empty[0]), &opts);
	return fd < 0 ? -errno : 0;
}

int probe_hook(const struct hook *hook)
{
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		const struct trial *t = &trials[i];
		size_t len = strlen(t->prefix);

		if (strncmp(hook->attach, t->prefix, len) != 0)
			continue;
		if (t->is_kprobe)
			return try_kprobe(hook->attach + len);
		return try_load(t, hook->attach + len);
	}
	return 0;
}

/* sockops stands for all: no program type of ours has fewer helpers. */
int probe_helper(int helper)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = helper },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_SOCK_OPS, "probe", "GPL", insns,
				       sizeof(insns) / sizeof(insns[0]), NULL);

	return fd < 0 ? -errno : 0;
}

/* HELPER(...) in a tracing program: refused as unknown before it is refused as senseless. */
static int probe_tracing_helper(int helper)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	char log[4096] = "";
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = helper },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	_close_ int fd = -1;
	int id = libbpf_find_vmlinux_btf_id("inet_sock_set_state", BPF_TRACE_RAW_TP);

	if (id < 0)
		return id;
	opts.attach_btf_id = (__u32)id;
	opts.log_buf = log;
	opts.log_size = sizeof(log);
	opts.log_level = 1;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "probe", "GPL", insns,
			   sizeof(insns) / sizeof(insns[0]), &opts);
	return fd < 0 && (strstr(log, "unknown func") || strstr(log, "cannot use helper"))
		       ? -EOPNOTSUPP
		       : 0;
}

int probe_tracing_storage(void)
{
	return probe_tracing_helper(BPF_FUNC_sk_storage_get);
}

int probe_tracing_lock(void)
{
	return probe_tracing_helper(BPF_FUNC_spin_lock);
}

static int find_enumerator(const struct btf *btf, const char *name, __u32 *ret_value)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		for (__u32 i = 0; btf_is_enum(t) && i < btf_vlen(t); i++) {
			const struct btf_enum *e = &btf_enum(t)[i];

			if (strcmp(btf__name_by_offset(btf, e->name_off), name) != 0)
				continue;
			*ret_value = (__u32)e->val;
			return 0;
		}
	}
	return -ENOENT;
}

int probe_enumerator(const char *name, __u32 *ret_value)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int r;

	if (!btf)
		return -errno;
	r = find_enumerator(btf, name, ret_value);
	btf__free(btf);
	return r;
}

int probe_tracing_load(void)
{
	static const struct trial trial = { "tp_btf/", BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP,
					    false };

	return try_load(&trial, "inet_sock_set_state");
}

static int probe_capabilities(struct fail *f)
{
	const __u64 enough = PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_PERFMON) | PRIVILEGE(CAP_NET_ADMIN);
	__u64 mask = 0;
	int r = privileges_effective(&mask);

	if (r < 0)
		return fail(f, r, "cannot read the capabilities of this process");
	if (mask & PRIVILEGE(CAP_SYS_ADMIN))
		return 0;
	if ((mask & enough) != enough)
		return fail(f, -EPERM,
			    "not permitted: run as root, or with the capabilities CAP_BPF, "
			    "CAP_PERFMON and CAP_NET_ADMIN");
	return 0;
}

static int probe_ring(struct fail *f)
{
	_close_ int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0,
					(__u32)sysconf(_SC_PAGESIZE), NULL);

	if (fd >= 0)
		return 0;
	if (errno == EINVAL)
		return fail(f, -EOPNOTSUPP,
			    "this kernel has no BPF ring buffer: Linux 5.8 or newer is needed");
	return fail(f, -errno, "cannot create a BPF map: %s", strerror(errno));
}

int probe_kernel(struct fail *f)
{
	int r = probe_capabilities(f);

	if (r < 0)
		return r;
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return fail(f, -EOPNOTSUPP,
			    "this kernel has no type information in '/sys/kernel/btf/vmlinux': one "
			    "built with CONFIG_DEBUG_INFO_BTF is needed");
	return probe_ring(f);
}
