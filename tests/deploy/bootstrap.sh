# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced by what needs a minimal Debian root: this machine's release from this machine's mirror,
# and nothing else of this machine but how its apt gets there. The caller defines die().

# shellcheck source=packaging/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../packaging/apt.sh"

# shellcheck source=/dev/null
release() { (. /etc/os-release && echo "$VERSION_CODENAME"); }

bootstrap() { # DIR [PACKAGE,...]
	local mirror
	mirror=$(apt_mirror "$(release)|stable")
	[[ $mirror ]] || die "apt knows no Debian mirror here: apt-get update"
	debootstrap --variant=minbase ${2:+"--include=$2"} "$(release)" "$1" "$mirror" \
		>"$1.log" 2>&1 || {
		tail -n 20 "$1.log" >&2
		die "debootstrap failed"
	}
	rm "$1.log"
	apt-config dump | sed -nE "/^Acquire::(Check-|https?::)/p" >"$1/etc/apt/apt.conf.d/host"
}
