#!/usr/bin/env bats
# lookup.bats - lookup clients and servers
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "info, dry run, close and create" {
	house
	fails_with 0 "$LMC" lookup -n scheduler
	has "client"
	shape lookup -n scheduler
	fails_with 0 "$LMC" lookup create --dry-run -n scheduler
	has "dryrun  true"
	fails_with 2 "$LMC" lookup close -n worker0
	fails_with 0 "$LMC" lookup close -n worker0 --yes
	fails_with 1 "$LMC" lookup close -n worker0 --yes
	has "No active lookup component (HTTP 400)"
}
