#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In a machine with Docker's engine: the image that image.sh has made, run as packaging/compose.yaml
# has it and with the least it needs; what it sees of the host and of other containers; what it says
# of namespaces that are withheld.
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
part() { echo "ok $*"; }

asks() { docker exec flowner flowner "$@"; } # in the container
said() { docker logs flowner 2>&1; }
up() { asks stats >/dev/null 2>&1; }
up_or_dead() {
	up || [[ $(docker inspect -f '{{.State.Running}}' flowner) == true ]] ||
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
	docker stop -t 60 flowner >/dev/null
	same "status" "$(docker inspect -f '{{.State.ExitCode}}' flowner)" 0
	docker rm flowner >/dev/null
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

in_its_form() { # NAME OPTIONS...
	run "${@:2}"
	older_known
	sees_host
	contained_actor other --network=none
	sees_container other
	end_contained other
	same "asked from the host" "$(flowner list -j -l :8080 | jq .process.pid)" \
		"${ACTOR_PID[server]}"
	same "what it says is lost" "$(said | grep private || true)" ''
	end
	part "$1"
}

finish() { # cleanup() takes the status for its own
	local status=$?
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

in_its_form 'as in compose.yaml' "${PRIVILEGED[@]}"
in_its_form 'with the least it needs' "${LEAST[@]}"

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
