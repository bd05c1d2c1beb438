#!/usr/bin/env bats
# nodes.bats - which nodes are known, found, and well listed
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "the list is shown as table, names and JSON without asking any node" {
	export LMC_NODES='[{"name":"a","host":"127.0.0.1","port":1},{"name":"b","host":"h","port":"/x.sock"}]'
	fails_with 0 "$LMC" nodes --no-headers
	is 'a  127.0.0.1:1  -
b  /x.sock      -'
	fails_with 0 "$LMC" nodes -o name
	is 'a
b'
	shape nodes
}

@test "a frontend's list, a coordinator's and a discovery service's are read" {
	house
	start proxy --nodes "$LMC_NODES"
	fails_with 0 "$LMC" nodes --nodes "$url" -o name
	is 'demo_scheduler
demo_worker0
demo_worker1
demo_mp0'
	mkdir peer
	printf '{"processInfos":{"%s":{}}}' "$url" >peer/lmcache_infos
	start_peer --dir peer --type application/json
	fails_with 0 "$LMC" nodes --nodes "$url" -o name
	has demo_worker1
	fails_with 0 "$LMC" version --nodes "$url" -n demo_worker1 -o raw
	is '"0.3.10-simulated"'
	rm peer/lmcache_infos
	printf '{"instances":[{"instance_id":"i1","ip":"127.0.0.1","http_port":8080}]}' >peer/instances
	fails_with 0 "$LMC" nodes --nodes "$url" --no-headers
	is 'mp_i1  127.0.0.1:8080  -'
}

@test "--scan finds what listens here and answers as LMCache does" {
	start demo --node 127.0.0.1:0
	fails_with 0 "$LMC" nodes --scan --timeout 5s
	# other sockets of the machine may widen the columns
	grep -Eq "^$addr +$addr +0.3.10-simulated" <<<"$output"
	shape nodes --scan
	# kept in a file it is a list
	"$LMC" nodes --scan --timeout 5s -o json >list.json
	fails_with 0 "$LMC" nodes --check list.json
	fails_with 0 "$LMC" version --nodes list.json -n "$addr" --no-headers
	start demo --node '[::1]:0'
	fails_with 0 "$LMC" nodes --scan --timeout 5s -o name
	has "$addr"
	start demo --node 127.1.2.3:0
	fails_with 0 "$LMC" nodes --scan --timeout 5s -o name
	has "$addr"
	start demo --node 0.0.0.0:0
	fails_with 0 "$LMC" nodes --scan --timeout 5s -o name
	has "127.0.0.1:$port"
	[ "$(grep -c ":$port\$" <<<"$output")" = 1 ]
	start demo --node "unix:$PWD/socket_6999" --node "unix:$PWD/w.sock" --node "unix:$PWD/else"
	fails_with 0 "$LMC" nodes --scan --timeout 5s -o name
	has "$PWD/socket_6999"
	has "$PWD/w.sock"
	lacks "$PWD/else"
	start_peer
	fails_with 0 "$LMC" nodes --scan --timeout 5s -o name
	lacks "$addr"
	fails_with 0 "$LMC" version -n "$PWD/socket_6999" -o raw
}

@test "--check: 0 a good list, 1 JSON of another shape, 2 no JSON, with the place" {
	printf '[{"name":"a","host":"h","port":1}]' >good
	printf '[{"name":"a","host":"h",\n"port":70000}]' >bad
	printf '[{"name":"a",]' >none
	fails_with 0 "$LMC" nodes --check good
	fails_with 0 "$LMC" nodes --check - <good
	fails_with 1 "$LMC" nodes --check bad
	has "bad:2:8: nodes[0].port: 70000 is not a port"
	fails_with 2 "$LMC" nodes --check none
	has "none:1:14: "
	fails_with 2 "$LMC" nodes --check none -q
	is ""
}
