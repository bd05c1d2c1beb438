#!/usr/bin/env bats
# call.bats - any request to any node
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "the body is printed as received" {
	house
	get=$(curl -s --unix-socket w0.sock http://localhost/inference_version)
	fails_with 0 "$LMC" call GET /inference_version -n worker0
	is "$get"
}

@test "a status of 400 and above is 1, the body printed all the same" {
	house
	fails_with 1 "$LMC" call GET '/threads?thread_id=x' -n worker0 -q
	has '"type":"type_error.integer"'
	fails_with 1 "$LMC" call GET /nosuch -n worker0
	has '{"detail":"Not Found"}'
	has "w0.sock): HTTP 404"
}

@test "bodies come from the command line, a file and standard input" {
	start_peer
	fails_with 0 "$LMC" call POST /x '{"a":1}' -n "$addr"
	has "Content-Type: application/json"
	has '{"a":1}'
	printf 'bytes' >f
	fails_with 0 "$LMC" call PUT /x @f -n "$addr" -t text/x
	has "Content-Type: text/x"
	has "bytes"
	fails_with 0 bash -c "printf 'from stdin' | '$LMC' call POST /x @- -n $addr -H 'X-Tokens: [1]'"
	has "X-Tokens: [1]"
	has "from stdin"
}

@test "a path and a method that are none are refused before anything is sent" {
	fails_with 2 "$LMC" call GET version -n /tmp/x
	fails_with 2 "$LMC" call GET "/a b" -n /tmp/x
	fails_with 2 "$LMC" call get /a -n /tmp/x
	fails_with 2 "$LMC" call "GET /x HTTP/1.1" /a -n /tmp/x
	fails_with 2 "$LMC" call GET /a -n /tmp/x -H $'A: b\r\nC: d'
}

@test "several nodes: each body under its name; JSON of the promised shape" {
	house
	fails_with 0 "$LMC" call GET /lmc_version -n worker0 -n worker1
	is '==> demo_worker0 (HTTP 200) <==
"0.3.10"
==> demo_worker1 (HTTP 200) <==
"0.3.10"'
	shape call GET /lmc_version
	picks 'a[0]["body"]' 0.3.10
}

@test "what changes nodes needs -n or -a when there are several" {
	house
	fails_with 2 "$LMC" call PUT /freeze/enable
	has "4 nodes are known: name those to change with -n, or take all with -a"
	fails_with 0 "$LMC" call PUT /freeze/enable -n worker0
}


@test "a list of 50 MB is passed on; in JSON it is text, for it is over the ceiling" {
	mkdir peer
	python3 -c 'print("[" + "1," * 26000000 + "1]", end="")' >peer/big
	cp peer/big peer/meta
	start_peer --dir peer --type application/json
	"$LMC" call GET /big -n "$addr" >out
	cmp out peer/big
	(case $LMC in */check/*) ;; *) ulimit -v 400000 ;; esac; "$LMC" call GET /big -n "$addr" -o json) >out
	grep -q '"body":"\[1,1,1,' out
}
