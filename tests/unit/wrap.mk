# SPDX-License-Identifier: BSD-2-Clause
# Functions of the system that a test stands in for, as __wrap_NAME, with the real one behind it.

$(B)/unit/test_idset $(B)/unit/test_places: UNIT_LDFLAGS += -Wl,--wrap=calloc
$(B)/unit/test_arguments: UNIT_LDFLAGS += -Wl,--wrap=config_load
$(B)/unit/test_agent: UNIT_LDFLAGS += -Wl,--wrap=clock_gettime -Wl,--wrap=gethostname \
	-Wl,--wrap=netns_places_find
$(B)/unit/test_names $(B)/unit/test_people: UNIT_LDFLAGS += -Wl,--wrap=getpwuid_r \
	-Wl,--wrap=getpwnam_r -Wl,--wrap=clock_gettime -Wl,--wrap=pthread_cond_clockwait
$(B)/unit/test_procmem: UNIT_LDFLAGS += -Wl,--wrap=openat -Wl,--wrap=clock_gettime \
	-Wl,--wrap=pthread_cond_clockwait
$(B)/unit/test_metrics: UNIT_LDFLAGS += -Wl,--wrap=clock_gettime
$(B)/unit/test_rules: UNIT_LDFLAGS += -Wl,--wrap=cgroup_is_host_namespace -Wl,--wrap=cgroup_each \
	-Wl,--wrap=clock_gettime -Wl,--wrap=people_uid
$(B)/unit/test_condemned: UNIT_LDFLAGS += -Wl,--wrap=abort_flow -Wl,--wrap=clock_gettime \
	-Wl,--wrap=reallocarray
$(B)/unit/test_pins: UNIT_LDFLAGS += -Wl,--wrap=statfs
$(B)/unit/test_libflowner $(B)/unit/test_netns $(B)/unit/test_reconcile: UNIT_LDFLAGS += \
	-Wl,--wrap=clock_gettime
$(B)/unit/test_api: UNIT_LDFLAGS += -Wl,--wrap=bpf_iter_create
$(B)/unit/test_holders: UNIT_LDFLAGS += -Wl,--wrap=bpf_iter_create -Wl,--wrap=clock_gettime
$(B)/unit/test_exefiles: UNIT_LDFLAGS += -Wl,--wrap=timerfd_settime
$(B)/unit/test_linefile $(B)/unit/test_policysave: UNIT_LDFLAGS += -Wl,--wrap=write
$(B)/unit/test_kept: UNIT_LDFLAGS += -Wl,--wrap=bpf_map_update_elem \
	-Wl,--wrap=bpf_map_lookup_elem
$(B)/unit/test_policyhits: UNIT_LDFLAGS += -Wl,--wrap=bpf_map_update_elem \
	-Wl,--wrap=bpf_map_lookup_elem -Wl,--wrap=libbpf_num_possible_cpus \
	-Wl,--wrap=bpf_map_update_batch
$(B)/unit/test_policylinks: UNIT_LDFLAGS += $(addprefix -Wl$(,)--wrap=,bpf_program__name \
	bpf_program__type bpf_program__fd bpf_program__attach bpf_program__attach_cgroup \
	bpf_object__next_program bpf_link__fd bpf_link__detach bpf_link__destroy bpf_link__open \
	bpf_link__update_program bpf_obj_pin bpf_obj_get_info_by_fd)
$(B)/unit/test_sockdiag: UNIT_LDFLAGS += -Wl,--wrap=netlink_ask
$(B)/unit/test_recall: UNIT_LDFLAGS += -Wl,--wrap=mmap

# calls of what these compile themselves are counted
$(B)/unit/test_lives $(B)/unit/test_execs: UNIT_LDFLAGS += -finstrument-functions

$(B)/unit/test_exefiles_load: UNIT_LDFLAGS += -fno-builtin-strcmp -Wl,--wrap=strcmp

$(B)/unit/test_layout: | $(B)/flowner.bpf.o
$(B)/unit/test_conntrack: UNIT_LDFLAGS += -Wl,--wrap=access
