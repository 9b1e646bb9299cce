/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of ours that attaches, runs and does nothing, for broken.sh: preloaded into flownerd,
 * it loads `return` in place of BREAK_PROGRAM. With BREAK_FIRES it leaves the mark the self-test
 * looks for, if any does, so that nothing at start tells it from the real one. Each one replaced is
 * a line of BREAK_LOG: no line, nothing was broken.
 */
#include <flowner/control.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define INSNS_MAX (16 + 8 * FL_PROBE_MAX)

long syscall(long number, ...);

struct code {
	struct bpf_insn insns[INSNS_MAX];
	__u32 count;
};

static void die(const char *what)
{
	fprintf(stderr, "break: %s\n", what);
	abort();
}

/* The kernel keeps 15 characters of a name, and two of ours differ after them: BTF has it whole. */
static bool is_program(const union bpf_attr *attr, const char *name)
{
	const struct bpf_func_info *first = (const void *)(unsigned long)attr->func_info;
	struct bpf_btf_info info = { 0 };
	__u32 len = sizeof(info);
	const struct btf_type *type;
	struct btf *btf;
	bool is;

	if (!attr->func_info_cnt || bpf_obj_get_info_by_fd((int)attr->prog_btf_fd, &info, &len) < 0)
		return false;
	btf = btf__load_from_kernel_by_id(info.id);
	if (!btf)
		die("cannot read the program's BTF");
	type = btf__type_by_id(btf, first->type_id);
	is = type && !strcmp(btf__name_by_offset(btf, type->name_off), name);
	btf__free(btf);
	return is;
}

static void add(struct code *c, struct bpf_insn insn)
{
	c->insns[c->count++] = insn;
}

/* (*fired)[PROBE]++ */
static void add_mark(struct code *c, int fired, int probe)
{
	add(c, (struct bpf_insn){ .code = BPF_ST | BPF_MEM | BPF_W,
				  .dst_reg = BPF_REG_10,
				  .off = -4,
				  .imm = probe });
	add(c, (struct bpf_insn){ .code = BPF_LD | BPF_IMM | BPF_DW,
				  .dst_reg = BPF_REG_1,
				  .src_reg = BPF_PSEUDO_MAP_FD,
				  .imm = fired });
	add(c, (struct bpf_insn){ 0 });
	add(c, (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_X,
				  .dst_reg = BPF_REG_2,
				  .src_reg = BPF_REG_10 });
	add(c, (struct bpf_insn){
		       .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4 });
	add(c, (struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem });
	add(c, (struct bpf_insn){ .code = BPF_JMP | BPF_JEQ | BPF_K, .off = 1 });
	add(c, (struct bpf_insn){ .code = BPF_ST | BPF_MEM | BPF_DW, .imm = 1 });
}

/* The map of that name among those the program uses, or -1. */
static int map_named(const union bpf_attr *attr, const char *name)
{
	const struct bpf_insn *insns = (const void *)(unsigned long)attr->insns;

	for (__u32 i = 0; i < attr->insn_cnt; i++) {
		struct bpf_map_info info = { 0 };
		__u32 len = sizeof(info);

		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW) ||
		    insns[i].src_reg != BPF_PSEUDO_MAP_FD)
			continue;
		if (!bpf_obj_get_info_by_fd(insns[i].imm, &info, &len) && !strcmp(info.name, name))
			return insns[i].imm;
	}
	return -1;
}

static bool must_permit(const union bpf_attr *attr)
{
	switch (attr->prog_type) {
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_CGROUP_SOCK:
	case BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
	case BPF_PROG_TYPE_SOCK_OPS:
		return true;
	default:
		return false;
	}
}

static void write_code(const union bpf_attr *attr, struct code *c)
{
	int fired = getenv("BREAK_FIRES") ? map_named(attr, "fired") : -1;

	for (int i = 0; fired >= 0 && i < FL_PROBE_MAX; i++)
		add_mark(c, fired, i);
	add(c, (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = must_permit(attr) });
	add(c, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT });
}

static void note(const char *name)
{
	const char *path = getenv("BREAK_LOG");
	FILE *log = path ? fopen(path, "ae") : NULL;

	if (!log || fprintf(log, "%s\n", name) < 0 || fclose(log))
		die("cannot write BREAK_LOG");
}

static void replace(union bpf_attr *attr, struct code *c)
{
	write_code(attr, c);
	attr->insns = (unsigned long)c->insns;
	attr->insn_cnt = c->count;
	attr->func_info_cnt = 0;
	attr->line_info_cnt = 0;
}

long syscall(long number, ...)
{
	static long (*real)(long number, ...);
	const char *program = getenv("BREAK_PROGRAM");
	union bpf_attr attr = { 0 };
	struct code code = { 0 };
	va_list args;
	long a[6];

	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (program && number == SYS_bpf && a[0] == BPF_PROG_LOAD &&
	    is_program((const union bpf_attr *)a[1], program)) {
		if ((size_t)a[2] > sizeof(attr))
			die("built for a kernel older than this libbpf");
		memcpy(&attr, (const void *)a[1], (size_t)a[2]);
		replace(&attr, &code);
		note(program);
		a[1] = (long)&attr;
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
