#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# "What is connecting to 10.1.2.3, and since when?": both ends, IPv4 and IPv6, TCP and UDP, flows
# older and younger than the agent, open and just closed; every field against what the test did.
. "$(dirname "$0")/lib.sh"

# --- what the test did: a line per flow in $T/truth, as flat JSON ---

note() { # NAME ROLE STATE LOCAL-IP LOCAL-PORT REMOTE-IP REMOTE-PORT ID BEFORE AFTER OLD(true|false)
	jq -nc --arg comm "$1" --argjson pid "${ACTOR_PID[$1]}" --arg role "$2" --arg state "$3" \
		--arg lip "$4" --argjson lport "$5" --arg rip "$6" --argjson rport "$7" \
		--arg id "$8" --argjson before "$9" --argjson after "${10}" --argjson old "${11}" \
		'{$id, $pid, $comm, $role, $state, $lip, $lport, $rip, $rport, $before, $after,
			$old}' \
		>>"$T/truth"
}

# One TCP session between the two actors, both ends noted; FD_C and FD_S are its descriptors.
connect_tcp() { # CLIENT-IP SERVER-IP PORT LISTENER OLD
	local here=$1 ip=$2 to=$3 listener=$4 old=$5 from client
	tell client connect tcp "$ip" "$to" "$here" 0
	client=("${R[@]}") from=${R[1]} FD_C=${R[0]}
	tell server accept "$listener"
	FD_S=${R[0]}
	note client "$([[ $old == true ]] && echo existing || echo opener)" established \
		"$here" "$from" "$ip" "$to" "${client[2]}" "${client[3]}" "${client[4]}" "$old"
	note server "$([[ $old == true ]] && echo existing || echo acceptor)" established \
		"$ip" "$to" "$here" "$from" "${R[2]}" "${client[3]}" "${R[4]}" "$old"
}

# --- what flowner says of the same flows ---

# Times become booleans: the flow began while the call ran that made it.
check() { # WHAT FILE: JSON lines of flowner
	local wanted got
	wanted=$(jq -c "del(.before, .after) + {start_ok: true} | $SORTED" "$T/truth" | sort)
	got=$(jq -c --slurpfile truth "$T/truth" '
		def ns: capture("^(?<s>[^.Z]*)(\\.(?<f>[0-9]*))?Z$") |
			(.s + "Z" | fromdate) * 1000000000 +
			((.f // "0") + "000000000" | .[:9] | tonumber);
		def slack: 20000000; # the offset of the clocks is read once
		. as $f | .flowner.flow_id as $id | ($truth[] | select(.id == $id)) as $t |
		{id: $id, pid: .process.pid, comm: .process.name, role: .flowner.role,
		 state: .flowner.state, lip: .flowner.local.ip, lport: .flowner.local.port,
		 rip: .flowner.remote.ip, rport: .flowner.remote.port,
		 old: (.flowner.opened_before != null),
		 start_ok: (if $t.old then
				.event.start == null and (.flowner.opened_before | ns) >= $t.after
			else
				(.event.start | ns) as $at |
				$at >= $t.before - slack and $at <= $t.after + slack
			end)} | '"$SORTED" "$2" | sort)
	[[ $got == "$wanted" ]] || fail "$1:
$(diff <(echo "$wanted") <(echo "$got"))
$(<"$2")"
}

own_netns
in_netns ip address add 10.1.2.3/32 dev lo
in_netns ip address add 10.9.8.7/32 dev lo
in_netns ip address add fd00::1:2:3/128 dev lo nodad
in_netns ip address add fd00::9:8:7/128 dev lo nodad
actor server
actor client
tell server comm server
tell client comm client
tell server listen tcp 10.1.2.3 0
fd4=${R[0]} port4=${R[1]} listener4=${R[2]}
tell server listen tcp fd00::1:2:3 0
fd6=${R[0]} port6=${R[1]}

# --- older than the agent ---
connect_tcp 10.9.8.7 10.1.2.3 "$port4" "$fd4" true
old_c=$FD_C old_s=$FD_S
cp "$T/truth" "$T/truth4"
: >"$T/truth"
connect_tcp fd00::9:8:7 fd00::1:2:3 "$port6" "$fd6" true
mv "$T/truth" "$T/truth6"

start_daemon

# --- and younger ---
cp "$T/truth4" "$T/truth"
connect_tcp 10.9.8.7 10.1.2.3 "$port4" "$fd4" false
young_c=$FD_C young_s=$FD_S
cp "$T/truth" "$T/truth4"
flowner list -j --state established 10.1.2.3 >"$T/got"
check "open, IPv4" "$T/got"

cp "$T/truth6" "$T/truth"
connect_tcp fd00::9:8:7 fd00::1:2:3 "$port6" "$fd6" false
flowner list -j --state established fd00::1:2:3 >"$T/got"
check "open, IPv6" "$T/got"
flowner list -j -6 --state established >"$T/got"
check "open, all of IPv6" "$T/got"

same "listeners" "$(flowner list -j -l 10.1.2.3 fd00::1:2:3 | jq -r .process.name | xargs)" \
	'server server'
same "at the port too" "$(flowner list -j "10.1.2.3:$port4" | wc -l)" 5
exits 1 flowner list 10.1.2.4
same "in the prefix" "$(flowner list -H -j 10.1.2.0/24 | wc -l)" 5

# --- the table for people ---
cp "$T/truth4" "$T/truth"
flowner list 10.1.2.3 >"$T/table"
same "header" "$(head -n 1 "$T/table" | tr -s ' ')" \
	"AGE PROTO STATE DIR LOCAL REMOTE PID USER COMM UNIT/CONTAINER FLOW_ID"
same "lines" "$(wc -l <"$T/table")" 6
same "without the header" "$(flowner list -H 10.1.2.3 | wc -l)" 5
same "rows" "$(awk 'NR > 1 { print $2, $3, $5, $6, $7, $8, $9, $NF }' "$T/table" | sort)" \
	"$(
		{
			jq -r '["tcp", .state, "\(.lip):\(.lport)", "\(.rip):\(.rport)", .pid,
				"root", .comm, .id] | join(" ")' "$T/truth"
			echo "tcp listen 10.1.2.3:$port4 *" \
				"${ACTOR_PID[server]} root server $listener4"
		} | sort
	)"
same "old ones say so" "$(grep -c '^>' "$T/table")" 3 # two ends and the listener
same "young ones first" "$(tail -n 1 "$T/table" | grep -c '^>')" 0
same "directions, of old ones not known" "$(flowner list -H --state established 10.1.2.3 |
	awk '{ print $4 }' | sort | tr '\n' ' ')" '- - egress ingress '
same "user as a number" "$(flowner list -nH 10.1.2.3 | awk '{ print $8 }' | sort -u)" 0

# --- UDP ---
tell server listen udp 10.1.2.3 0
udp=${R[0]} uport=${R[1]} uid=${R[2]}
tell client connect udp 10.1.2.3 "$uport"
ucp=${R[1]} uc=("${R[@]}")
tell client send "${uc[0]}"
tell server recv "$udp"
flowner list -j -u 10.1.2.3 >"$T/got"
same "UDP" "$(jq -rc '[.process.name, .flowner.role, .flowner.local.port, .flowner.remote.port]' \
	"$T/got" | sort)" \
	"[\"client\",\"opener\",$ucp,$uport]
[\"server\",\"acceptor\",$uport,$ucp]
[\"server\",\"user\",$uport,null]"
role_id() { jq -r "select(.flowner.role == \"$1\").flowner.flow_id" "$T/got"; }
same "the UDP socket's id" "$(role_id user)" "$uid"
same "the UDP client's id" "$(role_id opener)" "${uc[2]}"

# --- just closed ---
for fd in "$young_c" "$old_c"; do tell client close "$fd"; done
for fd in "$young_s" "$old_s"; do
	tell server recv "$fd"
	tell server close "$fd"
done
closed() { [[ $(flowner list -jt --closed 10.1.2.3 | wc -l) == 4 ]]; }
eventually 10 closed
sed -i 's/"state":"established"/"state":"closed"/' "$T/truth"
flowner list -jt --closed 10.1.2.3 >"$T/got"
jq -c '.flowner.state = (if .event.end then "closed" else "open" end)' "$T/got" >"$T/closed"
check "closed" "$T/closed"
same "none is open" "$(flowner list -jt --state established 10.1.2.3 | wc -l)" 0
same "with -a: closed ones and the listener" "$(flowner list -jt -a 10.1.2.3 | wc -l)" 5
same "of the table" "$(flowner list -H -t --closed 10.1.2.3 | awk '{ print $3 }' | sort -u)" closed
same "IPv6 is untouched" "$(flowner list -j --state established fd00::1:2:3 | wc -l)" 4
