/* SPDX-License-Identifier: BSD-2-Clause */
/* One round of each scenario: 0 done, SKIPPED, or negative errno. The table is in truth.c. */
#ifndef TRUTH_SCENARIO_H
#define TRUTH_SCENARIO_H

#include <stddef.h>
#include <stdint.h>

/* scenario_tcp.c: who connects and who accepts */
int tcp_plain(void);
int tcp_accept_recv(void);
int tcp_accept_send(void);
int tcp_accept_untouched(void);
int tcp_prefork(void);
int tcp_inetd_addr(void);
int tcp_inetd_null(void);
int tcp_passed_addr(void);
int tcp_passed_null(void);
int tcp_passed_unconnected(void);
int tcp_shared_socket(void);
int tcp_fork_after_listen(void);
int tcp_reuseport(void);
int tcp_thread_comm(void);
int tcp_leader_exited(void);

/* scenario_end.c: how sessions begin badly and end oddly */
int tcp_backlog_closed(void);
int tcp_backlog_reset(void);
int tcp_nonblocking(void);
int tcp_refused(void);
int tcp_backlog_full(void);
int tcp_draining(void);
int tcp_reconnect(void);
int tcp_relisten(void);
int tcp_self_connect(void);
int tcp_reconnect_self(void);
int tcp_tuple_reuse(void);
int tcp_half_closed(void);

/* scenario_proc.c: processes that change, leave or hide */
int proc_activation(void);
int proc_connect_exec(void);
int proc_exec_connect(void);
int proc_orphan(void);
int proc_setuid(void);
int proc_pid_reuse(void);
int proc_pidns(void);
int proc_chroot(void);
int proc_mountns(void);
int proc_exe_deleted(void);
int proc_exe_memfd(void);
int proc_exe_long(void);

/* scenario_netns.c: network namespaces */
int netns_plain(void);
int netns_overlap(void);
int netns_sequence(void);
int netns_moved(void);
int netns_veth(void);
int netns_fastopen(void);
int netns_timed_out(void);
int netns_unreachable(void);
int netns_no_route(void);
int netns_first(void);

/* scenario_again.c: what others have used before */
int again_time_wait(void);
int again_port(void);
int again_overlap(void);
int again_taken_over(void);
int again_pids(void);

/* scenario_device.c: the same endpoints over two devices of one namespace */
int netns_twins(void);
int device_tied(void);
int device_scoped(void);
int device_late(void);
int device_loosened(void);
int device_unicast(void);
int vrf_tied(void);
int vrf_any(void);
int vrf_closed(void);

/* scenario_mptcp.c */
int mptcp_joined(void);
int mptcp_joined_queued(void);

/* scenario_udp.c */
int udp_connected(void);
int udp_unbound(void);
int udp_one_to_many(void);
int udp_many_peers(void);
int udp_forked_addr(void);
int udp_forked_null(void);
int udp_forked_send(void);
int udp_reuseport(void);
int udp_recv_null(void);
int udp_reply_only(void);
int udp_pktinfo(void);
int udp_reconnect(void);
int udp_connected_sendto(void);
int udp_unread(void);
int udp_silent(void);
int udp_refused(void);

/* scenario_shared.c */
int udp_shared_send(void);
int udp_shared_recv(void);
int udp_peeked(void);

/* scenario_association.c: connect() of UDP */
int udp_forked_connect(void);
int udp_connect_any(void);
int udp_connect_failed(void);
int udp_undone(void);
int udp_undone_again(void);
int udp_connect_peer(void);

/* scenario_uring.c */
int uring_inline(void);
int uring_async(void);
int uring_sqpoll(void);

/* storm.c */
int storm_tcp(void);
int storm_churn(void);
int storm_udp(void);

/*
 * Exec: the image at PATH, or behind DIRFD when that is not negative, plays ROLE with the channel
 * CTL and two numbers. Returns only on failure.
 */
int exec_role(const char *path, int dirfd, const char *role, int ctl, uint64_t a, uint64_t b);
/* Our own program as a new process with ROLE and no channel; the cheapest way to a short life. */
int spawn_role(const char *role, uint64_t a, uint64_t b);
/* Entry of such an image; ARGV as exec_role() made it. Exit status. */
int play_role(int argc, char **argv);
/* The program of this test once more: as a new file at PATH, or into a descriptor. */
int copy_program(const char *path);
int copy_program_to(int out);

#endif
