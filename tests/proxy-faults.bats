#!/usr/bin/env bats
# proxy-faults.bats - the frontend between nodes and clients that misbehave
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
#
# The tests are the functions of proxy_faults.py; it speaks through raw sockets and starts
# lmc itself.

load lib

raw() {
	python3 "$HERE/proxy_faults.py" "$1"
}

@test "what is no answer is 502" {
	raw no_answers
}

@test "a node's head over 16 KiB is 502" {
	raw long_head
}

@test "an answer that was cut off never looks complete" {
	raw broken_answers
}

@test "curl notices an answer that was cut off" {
	raw curl_notices
}

@test "a node that is down costs its own clients little, and others nothing" {
	raw down
}

@test "a node that was down serves again by itself" {
	raw back_again
}

@test "a node that was down is tried again without probes" {
	raw back_again_without_probes
}

@test "a node that closes after each answer loses nothing" {
	raw stale
}

@test "what changes something is never sent twice" {
	raw post_is_not_repeated
}

@test "a node restarted under load costs only what it could not answer" {
	raw restart_under_load
}

@test "a client that is gone ends its node's work at once" {
	raw client_gone
}

@test "a client that is gone leaves the queue" {
	raw client_gone_while_waiting
}

@test "a silent node is 504, or cut off in the middle" {
	raw silent
}

@test "the limit for silence holds whatever the limit for an answer is" {
	raw silence_has_its_own_limit
}

@test "a node is not blamed for a slow upload" {
	raw slow_client_is_not_a_slow_node
}

@test "thousands of faulty requests leave no descriptor behind" {
	raw no_leaks
}

@test "nobody gets another's bytes, whoever breaks off" {
	raw nobody_gets_anothers_bytes
}

@test "a long queue at a node that dies is answered" {
	raw a_queue_that_fails_at_once
}
