#!/usr/bin/env bats
# backends.bats - storage backends
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "backends of both dialects are listed" {
	house
	fails_with 0 "$LMC" backends -n worker0 -n mp0
	has "LocalCPUBackend"
	has "adapters"
	shape backends -n worker0 -n mp0
}

@test "one is removed and added again" {
	house
	fails_with 2 "$LMC" backends remove LocalDiskBackend -n worker0
	fails_with 0 "$LMC" backends remove LocalDiskBackend -n worker0 --yes
	fails_with 0 "$LMC" backends -n worker0
	lacks LocalDiskBackend
	fails_with 0 "$LMC" backends add -n worker0
	fails_with 0 "$LMC" backends -n worker0
	has LocalDiskBackend
}

@test "bypass is listed, switched on and off; an unknown name is refused by the node" {
	house
	fails_with 0 "$LMC" backends bypass on RemoteBackend -n worker0
	fails_with 0 "$LMC" backends bypass -n worker0
	has '["RemoteBackend"]'
	fails_with 0 "$LMC" backends bypass off RemoteBackend -n worker0
	fails_with 1 "$LMC" backends bypass on Nope -n worker0
	has "Unknown backend"
	fails_with 2 "$LMC" backends bypass on -n worker0
}
