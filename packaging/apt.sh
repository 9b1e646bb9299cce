# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced by what fetches Debian packages to unpack and never to install: of other releases, of
# other architectures. Through apt states of their own in build/apt: the machine's is only asked for
# its mirror. The caller defines die().

APT_STATES=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/build/apt
APT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# As this machine's apt has it; REGEX is of the release.
apt_mirror() { # REGEX
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Origin: Debian' |
		awk -v regex="^($1)\$" '$1 ~ regex { print $2; exit }'
}

apt_sources() { # SUITE ARCHITECTURE
	local main security release
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	main=$(apt_mirror "$release|stable|sid|unstable")
	security=$(apt_mirror "($release|stable)-security")
	[[ $main ]] || die "apt knows no Debian mirror here: apt-get update"
	echo "deb [arch=$2 signed-by=$APT_KEYRING] $main $1 main"
	# the second where the suite has one, and for this architecture
	[[ $1 == sid || $2 == s390x || -z $security ]] ||
		echo "deb [arch=$2 signed-by=$APT_KEYRING] $security $1-security main"
}

apt_private() { # SUITE ARCHITECTURE: from here on apt-get and apt-cache know only this suite
	local dir=$APT_STATES/$1-$2
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	touch "$dir/status"
	apt_sources "$1" "$2" >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-END
		APT::Architecture "$2";
		APT::Architectures { "$2"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Dir::Etc::sourcelist "$dir/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State "$dir";
		Dir::State::lists "$dir/lists";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
	END
	export APT_CONFIG=$dir/apt.conf
	apt-get -qq update || die "cannot read the package lists of '$1' for $2"
}

apt_closure() { # PACKAGE... -> those and all they depend on
	apt-get -qq --simulate install "$@" | awk '$1 == "Inst" { print $2 }'
}

# A directory that is a link to another stays one: /lib of releases before they were all in /usr.
apt_unpack() { # DIR PACKAGE...
	local dir=$1 debs deb
	shift
	debs=$dir/debs
	mkdir -p "$debs"
	(cd "$debs" && apt-get -qq download "$@") || die "cannot fetch $*"
	for deb in "$debs"/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink
	done
	rm -r "$debs"
}
