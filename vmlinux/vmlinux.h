/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel fields we read, and no others, written by hand: the same for every architecture and
 * kernel, because every access is relocated by name (CO-RE). Members stand flat here even where the
 * kernel nests them in anonymous structs. surface.txt beside this file is the checked list of them.
 * What programs get as context (bpf_sock_ops, bpf_sock_addr, __sk_buff) is stable UAPI.
 */
#ifndef FLOWNER_VMLINUX_H
#define FLOWNER_VMLINUX_H

#include <asm/ptrace.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct kernfs_node {
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root {
	int hierarchy_id; /* 0: cgroup2 */
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
	int level;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock_cgroup_data___shared { /* before 5.15 */
	__u64 val;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	__u64 net_cookie;
	struct ns_common ns;
};

struct net___lazy { /* before 5.12: 0 until a program asks for it */
	atomic64_t net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_reuseport : 1;
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
};

typedef struct {
	int owned;
} socket_lock_t;

struct rtnl_link_ops {
	const char *kind;
};

struct wireless_dev;

struct net_device {
	char name[16];
	unsigned short type;
	int ifindex;
	possible_net_t nd_net;
	const struct rtnl_link_ops *rtnl_link_ops;
	struct wireless_dev *ieee80211_ptr;
};

struct dst_entry {
	struct net_device *dev;
};

struct sock {
	struct sock_common __sk_common;
	struct dst_entry *sk_dst_cache;
	socket_lock_t sk_lock;
	__u16 sk_protocol;
	int sk_err;
	__u8 sk_userlocks : 4; /* 6.12: a byte of its own */
	struct sock_cgroup_data sk_cgrp_data;
};

enum sock_flags {
	SOCK_DONE = 1, /* a FIN was received */
};

struct ip_options {
	unsigned char srr; /* where a source route begins, 0 = there is none */
};

struct ip_options_rcu {
	struct ip_options opt;
};

struct ipv6_rt_hdr;

struct ipv6_txoptions {
	struct ipv6_rt_hdr *srcrt; /* source route */
};

struct ipv6_pinfo {
	struct ipv6_txoptions *opt;
};

struct inet_sock {
	struct ipv6_pinfo *pinet6;
	__u32 inet_saddr;	  /* network order */
	unsigned long inet_flags; /* 6.7 */
	struct ip_options_rcu *inet_opt;
};

struct inet_sock___bits {
	__u8 bind_address_no_port : 1;
};

struct inet_bind_bucket {
	signed char fastreuse; /* -1: connect() has made it */
	signed char fastreuseport;
};

struct inet_bind2_bucket {
	signed char fastreuse; /* 6.18 */
};

struct inet_connection_sock {
	struct inet_bind_bucket *icsk_bind_hash;
	__u32 icsk_user_timeout; /* milliseconds, 0 = none */
	void *icsk_ulp_data;
};

struct tcp_sock {
	__u32 write_seq;
	__u32 snd_una;
	__u32 packets_out;
	__u32 segs_in;
	__u32 segs_out;
	__u32 srtt_us; /* times 8 */
	__u32 total_retrans;
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 bytes_retrans;
	__u64 bytes_sent;
	bool is_mptcp;
};

struct list_head {
	struct list_head *next;
};

struct mptcp_sock {
	__u64 local_key;
	struct list_head conn_list;
	struct sock *first;
};

struct mptcp_subflow_context { /* in icsk_ulp_data */
	struct list_head node;
	struct sock *tcp_sock;
	struct sock *conn;
};

struct sk_buff {
	struct net_device *dev;
	unsigned char *head;
	__u16 network_header;
	__u16 transport_header;
	int skb_iif;
};

struct socket {
	struct sock *sk;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	unsigned int i_nlink;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct cred {
	kuid_t euid;
	kgid_t egid;
};

struct signal_struct {
	atomic_t live;
};

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct signal_struct *signal;
	kuid_t loginuid;
	__u64 self_exec_id;
	struct css_set *cgroups;
	struct files_struct *files;
};

/* The registers a system call left with; each kernel has one of these. (bpf_tracing.h has shorter
 * names for what a system call's arguments are in.) */
struct pt_regs___x86_syscall {
	unsigned long orig_ax;
};

struct pt_regs___arm64_syscall {
	int syscallno;
};

struct pt_regs___s390_syscall {
	unsigned int int_code;
	unsigned long orig_gpr2;
};

/* Iterator contexts: pointers the verifier knows by these names. */
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct udp_sock;

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
};

#pragma clang attribute pop

#endif /* FLOWNER_VMLINUX_H */
