#!/usr/bin/env bats
# proxy-limits.bats - the frontend at its limits: time, number, size, its end
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
#
# The tests are the functions of proxy_limits.py; it speaks through raw sockets and starts
# lmc itself.

load lib

raw() {
	python3 "$HERE/proxy_limits.py" "$1"
}

@test "a request head that takes too long is 408, counted from its first byte" {
	raw slow_head
}

@test "an idle connection is closed" {
	raw idle
}

@test "a body that does not come is 408" {
	raw slow_body
}

@test "a client that takes nothing is let go" {
	raw deaf_reader
}

@test "over --connections it is 503 with Retry-After, and others are served" {
	raw connections
}

@test "over --per-address it is 429, and other addresses are served" {
	raw per_address
}

@test "over --per-node requests wait in order, and over --queue it is 503" {
	raw per_node
}

@test "a queue waits no longer than an answer may take" {
	raw a_queue_waits_no_longer_than_an_answer
}

@test "a probe does not keep a waiting request from its node" {
	raw probes_give_their_connection_back
}

@test "without descriptors the established are served, the others are told" {
	raw shortage
}

@test "a shortage that comes while it runs makes no noise and passes" {
	raw shortage_later
}

@test "without a descriptor for its node a request is 503, and the node not blamed" {
	raw shortage_towards_a_node
}

@test "5,000 idle and 500 slow clients delay nobody" {
	raw crowd
}

@test "a frontend that is its own node ends with 508" {
	raw loop
}

@test "4 GiB pass both ways in 8 MiB of memory" {
	raw big
}

@test "they pass to and from a UNIX socket" {
	raw big_socket
}

@test "they pass in chunks" {
	raw big_chunked
}

@test "slow readers slow their node and take no memory" {
	raw slow_readers
}

@test "a slow node slows an upload and takes no memory" {
	raw slow_node
}

@test "SIGTERM lets what is under way end, and begins nothing new" {
	raw drain
}

@test "the last bytes of an answer are out before it ends" {
	raw drain_of_a_slow_reader
}

@test "an answer of its own that waits for its client is sent before it ends" {
	raw drain_of_an_answer_of_our_own
}

@test "what does not end within --grace is cut off" {
	raw grace
}
