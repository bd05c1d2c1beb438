#!/usr/bin/env bats
# controller.bats - workers and keys of a controller
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "workers and key counts are tables, one worker too" {
	mkdir -p peer/controller
	printf '{"workers":[{"instance_id":"i","worker_id":0,"ip":"10.0.0.1","port":8001,"peer_init_url":null,"registration_time":1.5,"last_heartbeat_time":2.5,"key_count":7}],"total_count":1}' >peer/controller/workers
	printf '{"total_key_count":7,"total_instance_count":1,"total_worker_count":1,"instances":[{"instance_id":"i","key_count":7,"worker_count":1}]}' >peer/controller/key-stats
	start_peer --dir peer --type application/json --log log
	fails_with 0 "$LMC" controller -n "$addr" --no-headers
	[[ $output == "$addr  i  0  10.0.0.1  8001  7  2.5  -" ]]
	fails_with 0 "$LMC" controller key-stats -n "$addr" --no-headers
	[[ $output == "$addr  i  -  -  -  7  -  1" ]]
	fails_with 0 "$LMC" controller workers i 0 -n "$addr"
	grep -q '/controller/workers?instance_id=i&worker_id=0' log
	shape controller -n "$addr"
}

@test "a node that is no controller says so" {
	house
	fails_with 1 "$LMC" controller -n worker0
	has "Controller manager not available (HTTP 503)"
}
