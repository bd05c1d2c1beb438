#!/usr/bin/env bats
# quota.bats - limits of cache salts
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "quotas are set, shown and deleted on an MP server" {
	house
	fails_with 0 "$LMC" quota set "al ice" 10.5 -n mp0
	fails_with 0 "$LMC" quota -n mp0
	has "al ice"
	has "10.5"
	shape quota -n mp0
	fails_with 0 "$LMC" quota get "al ice" -n mp0
	has "set"
	fails_with 2 "$LMC" quota delete "al ice" -n mp0
	fails_with 0 "$LMC" quota delete "al ice" -n mp0 --yes
	has "removed"
}

@test "what cannot be sent is refused; a node without quotas says so" {
	fails_with 2 "$LMC" quota get a/b -n /x
	fails_with 2 "$LMC" quota set a ten -n /x
	fails_with 2 "$LMC" quota set a -1 -n /x
	house
	fails_with 1 "$LMC" quota -n worker0
	has "has no GET /quota (HTTP 404)"
}
