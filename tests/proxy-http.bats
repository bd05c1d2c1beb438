#!/usr/bin/env bats
# proxy-http.bats - what the frontend does with HTTP, byte by byte
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
#
# The tests are the functions of proxy_http.py; it speaks through raw sockets and starts
# lmc itself.

load lib

raw() {
	python3 "$HERE/proxy_http.py" "$1"
}

@test "what HTTP forbids is refused with its status, and never reaches a node" {
	raw refused
}

@test "it is refused the same when it comes byte by byte" {
	raw refused_in_pieces
}

@test "a broken chunked body is 400 and never looks whole to the node" {
	raw bad_chunks
}

@test "one request never becomes two" {
	raw smuggling
}

@test "pipelined requests are answered in order" {
	raw pipelined
}

@test "pipelined requests may come in any pieces" {
	raw pipelined_in_odd_pieces
}

@test "HTTP/1.0 closes unless asked, HTTP/1.1 stays unless told" {
	raw versions
}

@test "HEAD, 204 and 304 have no body" {
	raw no_body_answers
}

@test "what a node sends behind its answer is nobody's answer" {
	raw extra_bytes
}

@test "100-continue goes through to the node and back" {
	raw continue
}

@test "a node may refuse a body before it is sent" {
	raw continue_refused
}

@test "the frontend asks for a body itself where it is the one to read it" {
	raw continue_of_our_own
}

@test "an expectation of HTTP/1.0 is ignored" {
	raw expect_of_http_1_0
}

@test "interim answers are passed on, and bounded" {
	raw interim
}

@test "an upgrade is not passed on, and a node that upgrades is refused" {
	raw upgrade
}

@test "bodies go up unchanged, with a length or in chunks" {
	raw uploads
}

@test "bodies come down whole, however they end" {
	raw downloads
}

@test "an answer may come in any pieces" {
	raw answer_in_pieces
}

@test "answers that are odd and right are passed on" {
	raw odd_answers
}

@test "what is meant for one hop does not reach the node" {
	raw hop_by_hop_request
}

@test "what is meant for one hop does not reach the client" {
	raw hop_by_hop_answer
}

@test "a node cannot set what acts on the frontend's origin" {
	raw node_may_not_say
}

@test "the node is told where a request came from, behind those before" {
	raw forwarded
}

@test "behind a server on a UNIX socket, its word about the client stays" {
	raw forwarded_over_a_socket
}

@test "path and query go on byte for byte" {
	raw targets
}

@test "a path that cannot be decoded is 400" {
	raw bad_targets
}

@test "a name is one segment, decoded once" {
	raw names
}

@test "only registered nodes are reached by address, sockets encoded twice" {
	raw by_address
}
