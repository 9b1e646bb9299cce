#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make install` into a directory, by nobody: exactly these files, a program that finds the library
# by pkg-config, and nothing left by `make uninstall`.
. "$(dirname "$0")/lib.sh"

for tool in make gcc pkg-config; do
	command -v "$tool" >/dev/null || skip "no $tool here"
done
root=$T/root
chmod 755 "$T"
install -d -o 65534 -g 65534 "$root"

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

make_there() { # TARGET: what is built already; by nobody if the tree is for everybody to read
	local make=(make -s -C "$TREE" -o all "B=$BUILD" "DESTDIR=$root" PREFIX=/opt "$1")
	if as_nobody test -r "$TREE/packaging/install.mk" -a -r "$BUILD/flownerd"; then
		make=(as_nobody "${make[@]}")
	fi
	(umask 077 && "${make[@]}")
}

every() { # FILES of the tree, PLACE
	local file
	for file in "$TREE"/$1; do echo "644 $2/${file##*/}"; done
}

wanted() {
	printf '%s\n' \
		'755 /opt/bin/flowner' \
		'755 /opt/sbin/flownerd' \
		'644 /opt/lib/libflowner.a' \
		'644 /opt/lib/libflowner.so.0' \
		'644 /opt/lib/pkgconfig/flowner.pc' \
		'644 /opt/lib/systemd/system/flowner.service' \
		'644 /opt/lib/sysusers.d/flowner.conf' \
		'644 /opt/lib/tmpfiles.d/flowner.conf' \
		'644 /opt/share/doc/flowner/README.md' \
		'644 /opt/share/doc/flowner/examples/packets.c' \
		'644 /opt/share/doc/flowner/examples/flowner.logrotate' \
		'644 /opt/share/bash-completion/completions/flowner' \
		'644 /opt/share/man/man1/flowner.1' \
		'644 /opt/share/man/man3/libflowner.3' \
		'644 /opt/share/man/man5/flowner-api.5' \
		'644 /opt/share/man/man5/flowner-policy.5' \
		'644 /opt/share/man/man5/flowner.yaml.5' \
		'644 /opt/share/man/man8/flownerd.8' \
		'644 /opt/share/zsh/site-functions/_flowner' \
		'libflowner.so.0 /opt/lib/libflowner.so'
	every 'include/flowner/*.h' /opt/include/flowner
	every 'packaging/doc/*.md' /opt/share/doc/flowner
	every 'packaging/examples/*.yaml' /opt/share/doc/flowner/examples
}

there() { # files with their modes, links with where they lead
	(cd "$root" && find . -type f -printf '%m /%P\n' -o -type l -printf '%l /%P\n')
}

make_there install
same "what is installed" "$(diff <(wanted | sort) <(there | sort))" ''
same "directories that are not for everybody" "$(find "$root" -mindepth 1 -type d ! -perm 755)" ''
! grep -rIl '@[A-Z]*@' "$root" || fail "words were not replaced"

# --- a program of others ---

san=()
[[ $BUILD != */san ]] || san=(-fsanitize=address -fsanitize=undefined)
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/opt/lib/pkgconfig
same "version" "$(pkg-config --modversion flowner)" "$("$root/opt/bin/flowner" --version |
	cut -d ' ' -f 2)"
read -ra flags < <(pkg-config --cflags --libs flowner)
read -ra alone < <(pkg-config --static --cflags --libs flowner)
alone=("${alone[@]/#-lflowner/-l:libflowner.a}")
cat >"$T/user.c" <<-'END'
	#include <flowner/flowner.h>
	#include <stdio.h>
	int main(void) { return puts(flowner_version()) < 0; }
END
gcc -Wall -Werror "$T/user.c" -o "$T/user" "${flags[@]}" "${san[@]}"
gcc -Wall -Werror "$T/user.c" -o "$T/alone" "${alone[@]}" "${san[@]}"
same "the library says" "$(LD_LIBRARY_PATH=$root/opt/lib "$T/user")" \
	"$(pkg-config --modversion flowner)"
same "the archive says" "$("$T/alone")" "$(pkg-config --modversion flowner)"
matches "the program needs" "$(readelf -d "$T/user")" 'NEEDED.*\[libflowner\.so\.0\]'

# --- the service ---

if command -v systemd-analyze >/dev/null; then
	sed "s|/opt/|$root/opt/|" "$root/opt/lib/systemd/system/flowner.service" \
		>"$T/flowner.service"
	exits 0 systemd-analyze verify --man=no "$T/flowner.service"
	same "what systemd says to the unit" "$(cat "$T/out" "$T/err")" ''
	if systemd-analyze --help | grep -q -e --offline; then # since 250
		exits 0 systemd-analyze security --offline=yes --threshold=25 "$T/flowner.service"
	fi
fi
if command -v systemd-sysusers && command -v systemd-tmpfiles; then
	mkdir -p "$T/new/etc"
	exits 0 systemd-sysusers --root "$T/new" "$root/opt/lib/sysusers.d/flowner.conf"
	matches "groups of a new machine" "$(<"$T/new/etc/group")" '^flowner:x:[0-9]+:$'
	exits 0 systemd-tmpfiles --root "$T/new" --create "$root/opt/lib/tmpfiles.d/flowner.conf"
	same "directories of a new machine" "$(stat -c %a "$T"/new/{run,etc}/flowner | xargs)" \
		'755 755'
fi

# --- and away ---

touch "$root/opt/lib/not-ours"
make_there uninstall
same "what is left" "$(there)" '644 /opt/lib/not-ours'
same "directories of ours left" "$(find "$root" -name 'flowner*')" ''
