#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The options that make flownerd see no more of a kernel than a tier has.
# usage: without.sh TIER      stock no-lsm no-trampolines lowest
case ${1:-} in
stock) ;;
no-lsm) echo --without lsm ;;
no-trampolines) echo --without lsm,fentry,fmod_ret,fexit ;;
lowest) echo --without lsm,fentry,fmod_ret,fexit,kprobe ;;
*)
	echo "without: no tier '${1:-}': stock no-lsm no-trampolines lowest" >&2
	exit 2
	;;
esac
