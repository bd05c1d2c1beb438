#!/usr/bin/env bats
# chunk-stats.bats - chunk statistics of schedulers
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "they are started, shown, stopped and reset" {
	house
	fails_with 0 "$LMC" chunk-stats start -n scheduler
	has "success"
	fails_with 0 "$LMC" chunk-stats -n scheduler
	has "unique_chunks"
	shape chunk-stats -n scheduler
	fails_with 0 "$LMC" chunk-stats stop -n scheduler
	fails_with 2 "$LMC" chunk-stats reset -n scheduler
	has "say --yes"
	fails_with 0 "$LMC" chunk-stats reset -n scheduler --yes
}

@test "a worker says that it has none, and status is 1" {
	house
	fails_with 1 "$LMC" chunk-stats -n worker0
	has "demo_worker0"
	has "Chunk statistics API unavailable: Lookup client not configured. (HTTP 503)"
}
