#!/usr/bin/env bats
# united-hosts.bats - three hosts, a registry and a united frontend on a fourth
# SPDX-License-Identifier: Apache-2.0
#
# The hosts are network namespaces on one bridge: 10.77.0.1 to .3, and .9. Only
# port 8000 of a host leads anywhere; nodes are on UNIX sockets.
# shellcheck disable=SC2154 # pid and addrs are of lib.bash

bats_require_minimum_version 1.5.0
load lib

declare -A host

apart() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/$$/ns/net)" ]
}

# A namespace lives as long as the process in it.
namespace() {
	unshare -n sleep 600 3>&- 4>&- &
	pid=$!
	started+=("$pid")
	wait_until 5 apart "$pid"
}

on() {
	nsenter -t "${host[$1]}" -n "${@:2}"
}

add_host() {
	namespace
	host[$1]=$pid
	on sw ip link add "v$1" type veth peer name eth0 netns "$pid"
	on sw ip link set "v$1" master br0 up
	on "$1" ip link set lo up
	on "$1" ip addr add "10.77.0.$1/24" dev eth0
	on "$1" ip link set eth0 up
}

# beats N: the frontend of host N, announced every half second.
beats() {
	launch nsenter -t "${host[$1]}" -n "$LMC" proxy --config "nodes.$1" \
		--listen 0.0.0.0:8000 --report-host "10.77.0.$1" --ready-fd 9 \
		--heartbeat-url http://10.77.0.9:5000/heartbeat --heartbeat-interval 500ms
	front[$1]=$pid
}

ask() {
	on 9 curl -sS --max-time 5 "http://127.0.0.1$1"
}

# shows N STATE: what the registry says of host N; "": it does not list it.
shows() {
	[ "$(ask :5000/api/nodes | jq -r ".nodes[] | select(.host == \"10.77.0.$1\") | .state")" = "$2" ]
}

# stands N: the united frontend has this many nodes, none of them stale.
stands() {
	[ "$(ask :8000/api/nodes | jq '[.nodes[] | select(.stale_since == null) | .children[]] | length')" = "$1" ]
}

fleet() {
	local i

	unshare -n true 2>/dev/null || skip "no network namespace here"
	front=()
	namespace
	host[sw]=$pid
	on sw ip link add br0 type bridge
	on sw ip link set br0 up
	add_host 9
	launch nsenter -t "${host[9]}" -n "$LMC" discovery --listen 0.0.0.0:5000 \
		--allow 10.77.0.0/24 --ttl 5s --ready-fd 9
	launch nsenter -t "${host[9]}" -n "$LMC" proxy --nodes '[]' --ready-fd 9 \
		--node-supplier-url http://127.0.0.1:5000 --registry-interval 200ms
	for i in 1 2 3; do
		add_host "$i"
		launch "$LMC" demo --instance "host$i" --node "unix:$PWD/$i.a" \
			--node "unix:$PWD/$i.b" --ready-fd 9
		printf '[{"name":"a","host":"","port":"%s"},{"name":"b","host":"","port":"%s"}]' \
			"$PWD/$i.a" "$PWD/$i.b" >"nodes.$i"
		beats "$i"
	done
	wait_until 15 stands 6
}

@test "every node of three hosts is reached through one frontend on a fourth" {
	local i n

	fleet
	for i in 1 2 3; do
		for n in a b; do
			run ask ":8000/proxy2/proxy_10.77.0.${i}_8000/proxy2/$n/conf"
			has "host$i"
		done
	done
	run ask :8000/proxy2/a/conf
	has "more than one node is named 'a'"
	run ask :8000/metrics
	[ "$(grep -c '^lmc_node_up{.*} 1$' <<<"$output")" = 6 ]
	has 'lmc_node_up{node="b",frontend="proxy_10.77.0.3_8000"} 1'
	run on 9 "$LMC" health --via http://127.0.0.1:8000 --all --no-headers
	[ "${#lines[@]}" = 6 ]
	# a host's frontend serves others as viewers only
	run ask ":8000/proxy2/proxy_10.77.0.1_8000/proxy2/a/env"
	has 'this needs the admin role'
}

@test "a host cut off is late, then gone, and comes back; the others are not touched" {
	fleet
	on sw ip link set v2 down
	wait_until 5 shows 2 late
	wait_until 5 stands 4
	# what it had is still shown, as what it is
	ask :8000/api/nodes >nodes
	[ "$(jq -r '.nodes[] | select(.stale_since) | "\(.name) \(.children | length)"' nodes)" = \
		"proxy_10.77.0.2_8000 2" ]
	wait_until 10 shows 2 ''
	wait_until 5 eval '[ "$(ask :8000/api/nodes | jq "[.nodes[] | select(.name != \"local_proxy\")] | length")" = 2 ]'
	stands 4
	on sw ip link set v2 up
	wait_until 15 stands 6
	shows 2 alive
}

@test "a frontend that is killed is not listed as alive longer than its TTL" {
	local begin now last path ms

	fleet
	for path in /api/nodes /lmcache_infos /sd/prometheus; do
		run ask ":5000$path"
		has 10.77.0.3
	done
	stop "${front[3]}" KILL || :
	begin=${EPOCHREALTIME/./}
	wait_until 4 stands 4
	now=$begin last=$begin
	# any list that names it counts from when it was asked for
	until shows 3 ''; do
		for path in /api/nodes /lmcache_infos /sd/prometheus; do
			now=${EPOCHREALTIME/./}
			ask ":5000$path" | grep -qF 10.77.0.3 || continue
			last=$now
		done
		[ $((now - begin)) -lt 20000000 ]
	done
	ms=$(((last - begin) / 1000))
	echo "listed for $ms ms"
	[ $ms -le 5000 ]
	for path in /api/nodes /lmcache_infos /sd/prometheus; do
		run ask ":5000$path"
		lacks 10.77.0.3
	done
	wait_until 5 eval '[ "$(ask :8000/api/nodes | jq "[.nodes[].children[]] | length")" = 4 ]'
	beats 3
	wait_until 10 stands 6
}
