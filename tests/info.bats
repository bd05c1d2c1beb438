#!/usr/bin/env bats
# info.bats - what LMCache is doing inside
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "both dialects show requests, memory, evictions, storage and their own topics" {
	local word

	house
	fails_with 0 "$LMC" info -n worker0
	for word in "requests +retrieves" "memory +objects" "evictions +keys" \
		"storage +local_cpu +[0-9.]+ GiB" "storage +remote" "backends +LocalCPUBackend" \
		"bypass +bypassed_backends" "freeze +freeze +false"; do
		grep -Eq "$word" <<<"$output"
	done
	fails_with 0 "$LMC" info -n scheduler
	grep -Eq "requests +unfinished +[0-9]+" <<<"$output"
	grep -Eq "chunk_statistics +unique_chunks" <<<"$output"
	fails_with 0 "$LMC" info -n mp0
	for word in "sessions +active_sessions" "storage +l2_used +[0-9.]+ GiB" \
		"memory +l1_ratio +[0-9.]+%" "async_loads +prefetch_jobs" "quota +users"; do
		grep -Eq "$word" <<<"$output"
	done
	shape info
}

@test "the numbers are those of the metrics, summed over labels" {
	mkdir peer
	cat >peer/metrics <<-'E'
	# HELP lmcache:local_cache_usage x
	lmcache:local_cache_usage{a="} 9 ",b="x y"} 1.0e+03
	lmcache:local_cache_usage{a="2"} 24.0
	lmcache:local_cache_usage_total 5
	lmcache:active_memory_objs_count 7.0
	E
	start_peer --dir peer
	shape info -n "$addr"
	picks 'a[0]["info"]["storage"]["local_cpu"], a[0]["info"]["memory"]["objects"]' '(1024, 7)'
}

@test "a node that is not there has its status" {
	house
	fails_with 3 "$LMC" info -n worker0 -n "$PWD/none"
	has "LocalCPUBackend"
	has "unable to reach"
}

@test "through a frontend the topics are the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" info | awk '{ print $1, $2, $3 }' >direct
	"$LMC" info --via "$url" | awk '{ print $1, $2, $3 }' >through
	diff direct through
}
