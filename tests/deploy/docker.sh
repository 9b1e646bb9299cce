#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a machine with Docker's engine: the image that image.sh has made, run by `docker compose` and
# packaging/compose.yaml, as README.md has it, and with the least it needs; what it sees of the host
# and of other containers; `flowner top` there; what it says of namespaces that are withheld.
. "$(dirname "$0")/../integration/lib.sh"

die() { fail "$*"; }
# shellcheck source=tests/deploy/engine.sh
. "$(dirname "$0")/engine.sh"

SOCK=/run/flowner/flowner.sock
PINS=/sys/fs/bpf/flowner
PLACES=(-v /sys/fs/bpf:/sys/fs/bpf -v /run/flowner:/run/flowner
	-v /etc/passwd:/etc/passwd:ro -v /etc/group:/etc/group:ro)
PRIVILEGED=(--privileged --pid=host --network=host --cgroupns=host)
# Docker of Debian 12 knows no CAP_BPF: what is under SYS_ADMIN there. Its AppArmor profile forbids
# to write below /sys, also to pin.
LEAST=(--read-only --security-opt apparmor=unconfined --cap-drop ALL --cap-add SYS_ADMIN
	--cap-add NET_ADMIN --cap-add SYS_PTRACE --cap-add DAC_READ_SEARCH
	--pid=host --network=host --cgroupns=host)
COMPOSE=(compose -f "$TREE/packaging/compose.yaml")
NAME=flowner # of the container
part() { echo "ok $*"; }

asks() { docker exec "$NAME" flowner "$@"; } # in the container
said() { docker logs "$NAME" 2>&1; }
up() { asks stats >/dev/null 2>&1; }
up_or_dead() {
	up || [[ $(docker inspect -f '{{.State.Running}}' "$NAME") == true ]] ||
		fail "the container ended: $(said)"
	up
}

run() { # OPTIONS of docker... [-- OPTIONS of flownerd...]
	local options=()
	while (($#)) && [[ $1 != -- ]]; do options+=("$1"); shift; done
	docker run -d --name flowner "${PLACES[@]}" "${options[@]}" flowner "${@:2}" >/dev/null
	eventually 60 up_or_dead
}

end() {
	docker stop -t 60 "$NAME" >/dev/null
	same "status" "$(docker inspect -f '{{.State.ExitCode}}' "$NAME")" 0
	docker rm "$NAME" >/dev/null
	[[ ! -e $PINS ]] || fail "pins are left: $(ls -R "$PINS")"
}

# An actor in a container of its own, with nothing but the host's libraries.
contained_actor() { # NAME [OPTIONS...]
	start_told "$1" /usr/bin/docker -H "unix://$ENGINE/sock" run --rm -i --name "$1" \
		-v "$BUILD/tests/actor:/actor:ro" -v /usr:/usr:ro "${@:2}" \
		--entrypoint /actor flowner
	CONTAINER=$(docker inspect -f '{{.Id}}' "$1")
	CONTAINER_PID=$(docker inspect -f '{{.State.Pid}}' "$1")
}

# As the first process there it does not hear of a SIGTERM.
end_contained() { # NAME
	docker kill "$1" >/dev/null
	dismiss "$1" 2>/dev/null || true # its client may be gone by itself
}

sees_host() {
	tell client connect tcp 127.0.0.1 8080
	same "the host's session" "$(asks show -j "${R[2]}" |
		jq -r '"\(.process.pid) \(.process.name) \(.user.name) \(.container.id)"')" \
		"${ACTOR_PID[client]} actor root null"
}

sees_container() { # NAME
	tell "$1" listen tcp 127.0.0.1 8081
	tell "$1" connect tcp 127.0.0.1 8081
	same "another container's session" "$(asks show -j "${R[2]}" |
		jq -r '"\(.process.pid) \(.process.name) \(.container.id)"')" \
		"$CONTAINER_PID actor $CONTAINER"
	matches "its list" "$(asks list -H --container "${CONTAINER:0:12}" :8081)" \
		" $CONTAINER_PID .* ${CONTAINER:0:12} "
}

older_known() {
	same "what is older than it" "$(asks show -j "$older" | jq -r .process.pid)" \
		"${ACTOR_PID[server]}"
}

sees_all() {
	older_known
	sees_host
	contained_actor other --network=none
	sees_container other
	end_contained other
	same "asked from the host" "$(flowner list -j -l :8080 | jq .process.pid)" \
		"${ACTOR_PID[server]}"
	same "what it says is lost" "$(said | grep private || true)" ''
}

# --- commands of README.md, typed on a terminal ---

terminal() { LC_ALL=C.UTF-8 tmux -u -S "$T/tmux" -f /dev/null "$@"; }
screen() { query 0 terminal capture-pane -p -t typed; }
shows() { screen | grep -qE -- "$1"; }
sees() { # REGEX: of a line, sooner or later
	soon 30 shows "$1" || fail "no '$1' on the screen:"$'\n'"$(screen)"
}

typed() { # what follows 'docker'
	terminal kill-session -t typed 2>/dev/null || true
	terminal new -d -s typed -x 120 -y 30 "$(printf '%q ' /usr/bin/docker \
		-H "unix://$ENGINE/sock" "$@"); echo ended: \$?; exec cat"
}

list_and_top() {
	typed "${COMPOSE[@]}" exec flowner flowner list
	# it may be done before the terminal's size is known there: columns may be missing
	sees " 127\.0\.0\.1:8080 +${ACTOR_PID[client]} .*actor "
	sees '^ended: 0$'
	typed "${COMPOSE[@]}" exec flowner flowner top
	sees '^flowner top by process'
	sees "^ *${ACTOR_PID[client]} +root .* actor$"
	terminal send-keys -t typed q
	sees '^ended: 0$'
}

finish() { # cleanup() takes the status for its own
	local status=$?
	terminal kill-server 2>/dev/null || true
	engine_stop
	set +e
	(exit "$status")
	cleanup
}

trap finish EXIT
engine_start /var/tmp/engine
docker load -q -i "$TREE/build/deploy/flowner.tar"
mkdir -p /run/flowner
actor server
actor client
tell server listen tcp 127.0.0.1 8080
older=${R[2]}

docker "${COMPOSE[@]}" up -d 2>"$T/err" || fail "compose: $(<"$T/err")"
NAME=$(docker "${COMPOSE[@]}" ps -q flowner)
eventually 60 up_or_dead
sees_all
list_and_top
docker "${COMPOSE[@]}" stop -t 60 2>"$T/err" || fail "compose: $(<"$T/err")"
end
NAME=flowner
part 'by compose; list and top on a terminal'

run "${LEAST[@]}"
sees_all
end
part 'with the least it needs'

# --- replaced by another container, and killed: nothing is lost ---
run "${PRIVILEGED[@]}"
tell client connect tcp 127.0.0.1 8080
for signal in USR1 KILL; do
	docker kill -s "$signal" flowner >/dev/null
	docker wait flowner >/dev/null
	docker rm flowner >/dev/null
	tell client connect tcp 127.0.0.1 8080
	id=${R[2]}
	run "${PRIVILEGED[@]}"
	same "opened while there was none, by $signal" "$(asks show -j "$id" |
		jq -r '"\(.flowner.role) \(.process.pid)"')" "opener ${ACTOR_PID[client]}"
done
end
part 'another container goes on'

# --- what is withheld ---
docker run --name flowner "${PLACES[@]}" --privileged --pid=host --network=host \
	--cgroupns=private flowner 2>/dev/null && fail "it runs with a cgroup namespace of its own"
matches "a private cgroup namespace" "$(said)" 'private cgroup namespace.*--cgroupns=host'
docker rm flowner >/dev/null
run --privileged --network=host --cgroupns=host
matches "a private pid namespace" "$(said | grep private)" '--pid=host$'
sees_host
end
run --privileged --pid=host --network=none --cgroupns=host
sees_host
end
docker run --name flowner "${PRIVILEGED[@]}" flowner 2>/dev/null && fail "it runs without a bpffs"
matches "no bpffs" "$(said)" '/sys/fs/bpf'
same "lines about it" "$(said | wc -l)" 1
docker rm flowner >/dev/null
part 'what is withheld is said'
