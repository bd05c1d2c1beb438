#!/usr/bin/env bats
# meta.bats - engine metadata of nodes
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "all attributes of all nodes are pairs; an MP server says that it has none" {
	house
	fails_with 1 "$LMC" meta
	has "demo_worker1    worker_id"
	has "has no GET /meta (HTTP 404)"
	shape meta -n worker0 -n scheduler
}

@test "names choose, in their order" {
	house
	fails_with 0 "$LMC" meta worker_id model_name -n worker1 --no-headers
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} == demo_worker1*worker_id*1 ]]
}

@test "JSON that is too deep, too long or none is refused and says why" {
	mkdir peer
	start_peer --dir peer --type application/json
	python3 -c 'print("[" * 65 + "]" * 65)' >peer/meta
	fails_with 1 "$LMC" meta -n "$addr"
	has "64"
	printf '{"a":1,}' >peer/meta
	fails_with 1 "$LMC" meta -n "$addr"
	has "the answer is not JSON: line 1, column 8"
	python3 -c 'print("[" + "1," * 26000000 + "1]", end="")' >peer/meta
	fails_with 1 "$LMC" meta -n "$addr"
	has "the answer is larger than 16777216 bytes"
}

@test "JSON that is no object is refused where an object is promised" {
	local name

	mkdir -p peer/cache/kvcache peer/lookup
	start_peer --dir peer --type application/json
	for name in meta conf env backends inference_info cache/kvcache/info quota lookup/info; do
		printf '["x"]' >"peer/$name"
	done
	for name in meta config env backends inference "cache info" quota lookup; do
		# shellcheck disable=SC2086 # words
		shape $name -n "$addr"
		[ "$status" = 1 ]
		[[ $stderr == *"the answer is no JSON object"* ]]
	done
}

@test "Infinity, NaN, doubled keys and lone surrogates are taken and come out as JSON" {
	mkdir peer
	start_peer --dir peer --type application/json
	printf '{"a":Infinity,"b":-Infinity,"c":NaN,"d":1,"d":2,"e":"\\ud800","f":"\\udce9"}' >peer/meta
	shape meta -n "$addr"
	picks 'a[0]["meta"]' "{'a': 'Infinity', 'b': '-Infinity', 'c': 'NaN', 'd': 2, 'e': '�', 'f': '\\udce9'}"
	fails_with 0 "$LMC" meta -n "$addr"
	has "Infinity"
	has '\xe9'
}

@test "through a frontend it is the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" meta -n worker0 >direct
	"$LMC" meta -n demo_worker0 --via "$url" >through
	diff direct through
}
