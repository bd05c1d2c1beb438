#!/usr/bin/env bats
# proxy-ops.bats - running the frontend: access log, own metrics, reload, handover
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154

load lib

nodes() {
	printf '[{"name":"w0","host":"localhost","port":"%s/w0.sock"}]' "$PWD"
}

node() {
	start demo --node "unix:$PWD/w0.sock" --role worker --worker-id 0
}

@test "the access log has a line per request, with what came and went, escaped" {
	node
	start proxy --nodes "$(nodes)" --access-log text
	get /proxy2/w0/version >/dev/null
	get '/nosuch"x' >/dev/null
	wait_until 5 grep -q nosuch "$log"
	grep -qE '^[-0-9T:.]+Z 127\.0\.0\.1 "GET /proxy2/w0/version" 200 in=0 out=18 ms=[0-9.]+ node=w0$' "$log"
	grep -qF '"GET /nosuch\x22x" 404 in=0' "$log"
}

@test "as JSON every line of it is an object" {
	node
	start proxy --nodes "$(nodes)" --access-log json
	get /proxy2/w0/version >/dev/null
	get '/nosuch"x' >/dev/null
	wait_until 5 grep -q nosuch "$log"
	grep '^{' "$log" | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
assert [r["status"] for r in rows] == [200, 404], rows
assert rows[0]["node"] == "w0" and rows[1]["node"] is None, rows
assert rows[1]["target"] == "/nosuch\"x", rows'
}

@test "a log that nobody reads costs its lines, which are counted, and no request" {
	mkfifo unread
	exec 8<>unread
	start proxy --nodes '[]' --access-log text --access-file unread
	python3 - "$port" <<-'E'
	import http.client, sys
	c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
	for _ in range(1500):
	    c.request("GET", "/healthz?" + "x" * 500)
	    r = c.getresponse()
	    assert r.status == 200 and r.read() == b"ok\n"
	E
	get /metrics/self >self
	[ "$(awk '/^lmc_access_lines_dropped_total / { print ($2 > 100) }' self)" = 1 ]
}

@test "SIGHUP reads the nodes again and opens the access file again" {
	nodes >list.json
	start proxy --config list.json --access-log text --access-file access --log-level info
	get /livez >/dev/null
	wait_until 5 grep -q livez access
	mv access access.1
	printf '[{"name":"other","host":"127.0.0.1","port":9}]' >list.json
	kill -HUP "$pid"
	wait_until 5 grep -q 'configuration read' "$log"
	run get /api/nodes
	has '"name":"other"'
	lacks '"name":"w0"'
	wait_until 5 grep -q /api/nodes access
	no grep -q /api/nodes access.1
}

@test "a wrong configuration changes nothing at SIGHUP, and is told with its place" {
	nodes >list.json
	start proxy --config list.json --log-level info
	printf '[{' >list.json
	kill -HUP "$pid"
	wait_until 5 grep -q 'list.json:1:3' "$log"
	run get /api/nodes
	has '"name":"w0"'
}

@test "SIGUSR2 hands the socket to a new process, and no request is refused" {
	local old fresh

	start proxy --nodes '[]' --state "$PWD/state" --log-level info
	old=$pid
	python3 - "$port" >asked <<-'E' &
	import http.client, sys, time
	end = time.monotonic() + 3
	while time.monotonic() < end:
	    c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
	    c.request("GET", "/healthz", headers={"Connection": "close"})
	    r = c.getresponse()
	    assert r.status == 200 and r.read() == b"ok\n"
	    c.close()
	print("all answered")
	E
	started+=("$!")
	wait_until 5 grep -q listening "$log"
	kill -USR2 "$old"
	wait_until 10 grep -q ' replaced' "$log"
	wait_until 20 grep -q 'all answered' asked
	wait "$old"
	fresh=$(pgrep -f -- "--state $PWD/state")
	[ -n "$fresh" ]
	[ "$fresh" != "$old" ]
	run get /livez
	is ok
	kill "$fresh"
	wait_until 10 gone "$fresh"
}

@test "a new binary that does not start leaves the old one serving" {
	cp "$LMC" ./copy
	launch ./copy proxy --nodes '[]' --port 0 --ready-fd 9 --log-level info
	printf '#!/bin/sh\nexit 1\n' >broken
	chmod +x broken
	mv broken copy
	kill -USR2 "$pid"
	wait_until 10 grep -q 'not replaced' "$log"
	run get /livez
	is ok
}

@test "/metrics/self is an exposition that counts by node, route and status" {
	node
	start proxy --nodes "$(nodes)"
	for _ in 1 2 3; do get /proxy2/w0/version >/dev/null; done
	get /nosuch >/dev/null
	get /metrics/self >self
	promtool check metrics <self >lint || [ $? = 3 ]
	grep -qxF 'lmc_http_requests_total{route="/proxy2/**",code="2xx"} 3' self
	grep -qxF 'lmc_http_requests_total{route="none",code="4xx"} 1' self
	grep -qxF 'lmc_node_answers_total{node="w0",code="2xx"} 3' self
	grep -qxF 'lmc_node_request_duration_seconds_count{node="w0"} 3' self
	grep -q '^lmc_build_info{version=' self
}
