#!/usr/bin/env bats
# inference.bats - the inference engine around nodes
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "info is flattened into pairs, version is the version alone" {
	house
	fails_with 0 "$LMC" inference -n worker0
	has "model_config.model"
	fails_with 0 "$LMC" inference version -n worker0 --no-headers
	[[ $output == demo_worker0*vllm_version* ]]
	[ "${#lines[@]}" = 1 ]
	shape inference -n worker0
}

@test "an unknown word names the nearest" {
	fails_with 2 "$LMC" inference versoin -n /x
	has "the nearest is version"
}
