#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make lint`: the rules of this tree that a program can check. Every check runs, also after a
# failure; each prints `ok NAME` or its findings and `not ok NAME`. One without findings is ok only
# if it has looked: a program that is not there or gives up, or nothing to look at, is `not ok`.
# usage: lint.sh BPFTOOL OBJECT [compiler flags for clang-tidy]
#        CHECKS="spdx columns" picks some
# shellcheck disable=SC2317 # the checks are called by name
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "$0")/.."
bpftool=$1 object=$2
shift 2
flags=("$@")
all='spdx columns guards length layers printk sleep surface table windows api manuals format
	shellcheck cppcheck tidy'
failed=0
jobs=$(nproc)

files() { # NAME PATTERN...: below the tree, not in build/
	local args=() pattern
	for pattern; do args+=(-o -name "$pattern"); done
	find . -path ./build -prune -o -path ./.git -prune -o -type f \( "${args[@]:1}" \) -print |
		sed 's|^\./||' | sort
}

some() { # WHAT: of its standard input there is something
	awk '{ print } END { exit !NR }' || { echo "nothing to look at: no $1" >&2; return 1; }
}

c_files() { files '*.c' '*.h' | some 'C source'; }
scripts() { files '*.sh' | some script; [[ ! -e .ci/run ]] || echo .ci/run; }
sources() { c_files; scripts; files Makefile '*.mk'; }
# not BPF programs: another target, another libc
user_c() { c_files | grep -E '^(src|tests|packaging)/.*\.c$' | grep -v '\.bpf\.c$'; }
finds() { grep "$@" || (($? == 1)); } # OPTIONS... of grep: to find nothing is no failure

# --- checks: findings to stdout, one a line, none when all is well ---

check_spdx() { # first line, or the second of a script
	sources | while read -r file; do
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' ||
			echo "$file: no SPDX line"
	done
}

check_columns() {
	sources | while read -r file; do
		expand -t 8 "$file" | awk -v file="$file" \
			'length > 100 { print file ":" NR ": " length " columns" }'
	done
}

check_guards() { # the first two directives of a header are its guard
	c_files | grep '\.h$' | while read -r file; do
		awk '/^#/ { n++; if (n == 1 && $1 == "#ifndef") name = $2
			if (n == 2) exit !($1 == "#define" && $2 == name) }
			END { if (n < 2) exit 1 }' "$file" || echo "$file: no include guard"
	done
}

check_length() { # of a function with its signature: 60 lines, 40 in bpf/
	c_files | grep -E '^(src|bpf)/' |
		ctags -L - -o - --sort=no --languages=C --kinds-C=f --fields=ne |
		awk -F '\t' '{
			delete at
			for (i = 4; i <= NF; i++) { split($i, f, ":"); at[f[1]] = f[2] }
			if (!at["end"]) print $2 ": " $1 "() has no end"
			lines = at["end"] - at["line"] + 1
			if (lines > ($2 ~ /^bpf\// ? 40 : 60))
				print $2 ":" at["line"] ": " $1 "() has " lines " lines"
		}
		END { if (NR < 100) print "ctags finds " NR " functions" }'
}

layers='text:
host: text
flow: text host
kernel: text host flow
policy: text host flow kernel
daemon: text host flow kernel policy
lib: text host flow kernel
cli: text host flow policy'

check_layers() { # a folder of src/ includes of the others what its line says
	local folder may
	for folder in src/*; do
		grep -q "^${folder#src/}:" <<<"$layers" || echo "$folder: is in no layer"
	done
	while read -r folder may; do
		grep -HnoE '^#include "[a-z]+/[a-z_0-9]+\.h"' "src/${folder%:}"/*.[ch] |
			grep -v 'include "flowner/' |
			grep -vE "\"(${folder%:}${may:+|${may// /|}})/" || true
	done <<<"$layers"
}

check_printk() { finds -rn bpf_printk bpf; }

check_sleep() { # a test waits for an event; polling says so with `lint: poll`
	files '*.sh' '*.c' | grep '^tests/' | grep -v '^tests/lint.sh$' | while read -r file; do
		finds -HnE '(^|[^a-z_])(u|nano)?sleep[ (]' "$file" | finds -v 'lint: poll'
	done
}

check_surface() { # vmlinux/surface.txt
	local said
	said=$(tests/surface.sh check "$bpftool" "$object" 2>&1) || { echo "$said"; return 1; }
}

check_table() { tests/vm/table.sh lint; } # README.md's is of tests/vm/expected.txt

# Every test that windows-tests.md names is there; every row names one, or says why there is none.
check_windows() {
	local page=packaging/doc/windows-tests.md test file word
	grep '^| `' "$page" | tr '`' '\n' | grep '^tests/' | sort -u | while read -r test; do
		file=${test%%:*} word=${test#"${test%%:*}"}
		[[ -e $file ]] && grep -qwe "${word#:}" "$file" || echo "$page: there is no '$test'"
	done
	awk -F ' [|] ' -v page="$page" '/^[|] `/ { rows++ }
		/^[|] `/ && $3 !~ /`tests\/|^none:|^later/ { print page ":" NR ": names no test" }
		END { if (rows != 59) print page ": " rows " rows, not 59" }' "$page"
}

differ() { # WHAT LINES LINES: of a table, and of a page
	{ some "$1" <<<"$2" | sort | diff - <(sort <<<"$3") || (($? == 1)); } |
		sed -n "s/^</not told, $1:/p; s/^>/no $1:/p"
}

# flowner-api(5) tells each route of the daemon and each field of an event, and no other; an object
# is told by what is in it.
check_api() {
	local page=packaging/man/flowner-api.5
	local routes='s/^\t\{ "([A-Z]+)", "(.*[^*])\*?", .*/\1 \2/p'
	differ route "$(sed -nE "$routes" src/daemon/api.c)" \
		"$(sed -nE 's/^\.Ss ([A-Z]+) (\/.*[^A-Z])[A-Z]*$/\1 \2/p' "$page")"
	differ field "$(awk '!/^#/ && $2 != "object" { sub(/\[\]$/, "", $1); print $1 }' \
		tests/unit/ecs_fields.txt | uniq)" \
		"$(sed -n 's/^\.It Va //p' "$page" | sed 's/ , /\n/g')"
}

check_manuals() { # whether what they refer to is installed here is no matter
	local pages=("${object%/*}"/man/*)
	[[ -e ${pages[0]} ]] || echo "no manual in ${object%/*}/man"
	{ mandoc -T lint "${pages[@]}" 2>/dev/null || (($? < 5)); } | # 1 to 4 by what it finds
		finds -v 'referenced manual not found'
}

check_format() { # other versions format otherwise
	local version
	version=$(clang-format --version | grep -o 'version [0-9]*')
	if [[ $version != 'version 14' ]]; then
		echo "skipped: clang-format $version, .clang-format is for 14" >&2
		[[ ! ${CI:-} ]]
		return
	fi
	c_files | grep -v '^vmlinux/' | xargs clang-format --dry-run 2>&1 |
		sed -n 's/^\([^ :]*\):[0-9].*/\1: make format/p' | uniq
}

check_tidy() {
	user_c | xargs -P "$jobs" -I '{}' clang-tidy --quiet '{}' -- "${flags[@]}" 2>/dev/null |
		finds -v '^$'
}

check_cppcheck() { # leaks are for LeakSanitizer: this knows no __attribute__((cleanup))
	user_c | cppcheck --quiet -j "$jobs" --file-list=- --std=c11 -Iinclude -Isrc \
		-D_GNU_SOURCE -D__x86_64__ '-DLIBBPF_OPTS(type,name,...)=struct type name' \
		'-Dbpf_object__for_each_program(at,object)=while ((at = next(object, at)))' \
		--enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=memleak --suppress=resourceLeak 2>&1
}

check_shellcheck() { # SC2119: start_daemon without options is meant
	{ scripts; echo "${object%/*}/completion/flowner.bash"; } |
		xargs shellcheck --format=gcc -x -P SCRIPTDIR -e SC2119
}

main() {
	local name findings status
	for name in $(compgen -A function check_); do
		[[ " ${all//[[:space:]]/ } " == *" ${name#check_} "* ]] ||
			{ echo "not ok: '$name' is never run"; failed=1; }
	done
	for name in ${CHECKS:-$all}; do
		set +e # here: it holds in there
		findings=$(set -e; "check_$name")
		status=$?
		set -e
		if [[ $status == 0 && ! $findings ]]; then
			echo "ok $name"
		else
			[[ ! $findings ]] || echo "$findings"
			echo "not ok $name (status $status)"
			failed=1
		fi
	done
	exit "$failed"
}

main
