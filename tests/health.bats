#!/usr/bin/env bats
# health.bats - one verdict for each node
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "nodes of both dialects are healthy, also deep" {
	house
	fails_with 0 "$LMC" health --deep --expect 4
	[ "$(grep -c ' healthy ' <<<"$output")" = 4 ]
	shape health --deep
	fails_with 0 "$LMC" health -q
	is ""
}

@test "each kind of trouble has its verdict and status" {
	mkdir peer
	start_peer --dir peer --type application/json
	printf '"1"' >peer/version
	printf '{"detail":"Not Found"}' >peer/healthcheck
	printf '{"healthy":false,"unhealthy_count":1,"unhealthy_threads":[{"name":"PinMonitor"}]}' >peer/periodic-threads-health
	fails_with 1 "$LMC" health -n "$addr"
	has "unhealthy"
	has "thread PinMonitor does not run"
	printf '{"healthy":true}' >peer/periodic-threads-health
	printf '{"status":"unhealthy","reason":"engine not initialized"}' >peer/healthcheck
	fails_with 1 "$LMC" health -n "$addr"
	has "healthcheck says unhealthy"
	printf '{"status":"healthy"}' >peer/healthcheck
	printf '{"is_healthy":false}' >peer/status
	printf '\nlmcache:lmcache_is_healthy{a="b"} 0.0\n' >peer/metrics
	fails_with 0 "$LMC" health -n "$addr"
	fails_with 1 "$LMC" health --deep -n "$addr"
	has "lmcache_is_healthy is 0"
	has "is_healthy is false"
	fails_with 3 "$LMC" health -n "$PWD/none"
	has "unreachable"
}

@test "different versions are degraded, unless that is allowed" {
	house
	mkdir peer
	start_peer --dir peer --type application/json
	printf '"0.0.1"' >peer/version
	printf '{"healthy":true}' >peer/periodic-threads-health
	printf '{"status":"healthy"}' >peer/healthcheck
	fails_with 1 "$LMC" health -n worker0 -n "$addr"
	has "not all nodes run one version"
	fails_with 0 "$LMC" health -n worker0 -n "$addr" --allow-skew
}

@test "--expect counts" {
	house
	fails_with 1 "$LMC" health --expect 5
	has "4 healthy nodes, not 5"
}

@test "--nagios has one line with performance data and the plugins' statuses" {
	house
	fails_with 0 "$LMC" health --nagios
	[[ $output =~ ^LMCACHE\ OK\ -\ 4\ of\ 4\ nodes\ healthy\ \|\ healthy=4\;\;\;0\;4\ .*time=0\.[0-9]+s\;\;\;0$ ]]
	fails_with 2 "$LMC" health --nagios -n worker0 -n "$PWD/none"
	has "LMCACHE CRITICAL - 1 of 2 nodes healthy: $PWD/none unreachable (version: not reached) | "
	start demo --node "unix:$PWD/five.sock" --fault 500
	fails_with 2 "$LMC" health --nagios -n "$PWD/five.sock"
	has "unhealthy (version: HTTP 500; periodic threads: HTTP 500; healthcheck: HTTP 500) | "
}

@test "--nagios says UNKNOWN, and 3, for words that are wrong" {
	local words

	while read -ra words; do
		run --separate-stderr "$LMC" health --nagios "${words[@]}"
		[ "$status" = 3 ]
		[[ $output == "LMCACHE UNKNOWN - "* ]]
		lacks "|"
		# shellcheck disable=SC2154 # set by run
		[ -z "$stderr" ]
	done <<-'E'
	-n nosuch
	--bogus
	-o csv
	--timeout soon
	operand
	E
}

@test "a node's status is that of the answer that told, not of what it lacks" {
	house
	"$LMC" health -n worker0 -n mp0 -o jsonl >o.jsonl
	[ "$(grep -c '"status":200' o.jsonl)" = 2 ]
}

@test "--timeout bounds it, plus or minus 50 ms" {
	start demo --node "unix:$PWD/h.sock" --fault hang
	python3 - "$LMC" "$PWD/h.sock" <<-'E'
	import subprocess, sys, time
	def once(status, *words):
	    t = time.perf_counter()
	    p = subprocess.run([sys.argv[1], *words], stdout=subprocess.DEVNULL)
	    assert p.returncode == status, p
	    return time.perf_counter() - t
	# a sanitizer's start alone takes longer than what is allowed
	start = min(once(0, "--list") for _ in range(3))
	best = min((once(5, "health", "--deep", "-q", "-n", sys.argv[2], "--timeout", "500ms") - start
	            for _ in range(5)), key=lambda t: abs(t - 0.5))
	print(best)
	sys.exit(not 0.45 <= best <= 0.55)
	E
}

@test "--timeout bounds it for a hundred nodes that hang, and the living are not blamed" {
	local i words=(-n "$PWD/w0.sock")

	house
	for i in {0..99}; do words+=(-n "$PWD/many/$i.sock"); done
	mkdir many
	launch python3 "$HERE/many.py" --ready-fd 9 --count 100 --hang 100 many
	fails_with 5 timed 0.7 "$LMC" health -q --deep --timeout 500ms "${words[@]}" -n "$PWD/w1.sock"
	fails_with 5 "$LMC" health --deep --timeout 500ms "${words[@]}" -n "$PWD/w1.sock"
	[ "$(grep -c ' healthy ' <<<"$output")" = 2 ]
	[ "$(grep -c ' unreachable ' <<<"$output")" = 100 ]
}

@test "--timeout bounds the look-up of a name too" {
	unshare -rmn true 2>/dev/null || skip "no namespaces of our own here"
	echo nameserver 127.0.0.53 >resolv
	mkfifo ready
	cat >net <<-'E'
	mount --bind resolv /etc/resolv.conf
	ip link set lo up
	python3 -c 'import socket, time
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("127.0.0.53", 53))
	print(flush=True)
	time.sleep(60)' >ready 3>&- &
	read -r _ <ready
	status=0
	"$LMC" health --timeout 300ms -n http://host.example:80 || status=$?
	kill $!
	exit $status
	E
	# a name server gets five seconds, and whoever waits for it as well
	fails_with 5 timed 3 unshare -rmn bash -e net
	has "no answer from"
}

@test "stale metrics are degraded: the thread that updates them is gone, or the bus lags" {
	mkdir peer
	start_peer --dir peer
	printf '"1"' >peer/version
	printf 'lmcache:num_retrieve_requests_total 0.0\nlmcache:num_store_requests_total{a="x y"} 5.0\n' >peer/metrics
	printf 'Thread: <Thread(stats-logger-thread, started daemon 1)>\nStack trace:\n  File "/o.py", line 7, in wait\n    x\n\n\n=== Thread Summary ===\nTotal threads: 1\n' >peer/threads
	rest() { printf '{"healthy":true}' >peer/periodic-threads-health; printf '{"status":"healthy"}' >peer/healthcheck; printf '{"is_healthy":true}' >peer/status; }
	rest
	fails_with 0 "$LMC" health --deep -n "$addr"
	sed -i 's/stats-logger-thread/Thread-3/' peer/threads
	fails_with 1 "$LMC" health --deep -n "$addr"
	has "degraded"
	has "its metrics are stale: no thread updates them"
	# older engines give the thread no name
	sed -i 's/in wait/in log_worker/' peer/threads
	fails_with 0 "$LMC" health --deep -n "$addr"
	# one that never counted has none
	sed -i 's/in log_worker/in wait/' peer/threads
	printf 'lmcache:num_store_requests_total 0.0\n' >peer/metrics
	fails_with 0 "$LMC" health --deep -n "$addr"
	printf 'lmcache_mp_event_bus_drain_lag_seconds{a="} 1"} 31\n' >peer/metrics
	fails_with 1 "$LMC" health --deep -n "$addr"
	has "its metrics lag behind"
	fails_with 1 "$LMC" health --deep --nagios -n "$addr"
	has "degraded (its metrics lag behind) |"
	printf 'lmcache_mp_event_bus_drain_lag_seconds 2.5\n' >peer/metrics
	fails_with 0 "$LMC" health --deep -n "$addr"
	printf 'other 1\n' >peer/metrics
	fails_with 1 "$LMC" health --deep -n "$addr"
	has "nothing of LMCache"
}

@test "what offers nothing of LMCache's API is not healthy" {
	cat >none.py <<-'E'
	import http.server, os
	class H(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def do_GET(self):
	        found = self.path == "/version"
	        body = b'{"version":"0.11.0"}' if found else b'{"detail":"Not Found"}'
	        self.send_response(200 if found else 404)
	        self.send_header("content-length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    def log_message(self, *args): pass
	s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
	os.write(9, b"127.0.0.1:%d\n" % s.server_port)
	os.close(9)
	s.serve_forever()
	E
	launch python3 none.py
	fails_with 1 "$LMC" health -n "$addr"
	has "it has nothing of LMCache's API"
	mkdir www
	launch python3 -c 'import functools, http.server, os
h = functools.partial(http.server.SimpleHTTPRequestHandler, directory="www")
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), h)
os.write(9, b"127.0.0.1:%d\n" % s.server_port); os.close(9); s.serve_forever()'
	fails_with 1 "$LMC" health -n "$addr"
	has "unhealthy"
	fails_with 2 "$LMC" health -o raw -n "$addr"
}

@test "the monitoring line stays one, whatever nodes are called" {
	export LMC_NODES='[{"name":"a|b","host":"h","port":"/none"}]'
	fails_with 2 "$LMC" health --nagios
	has "a/b unreachable (version: not reached) | healthy=0;;;0;1"
	fails_with 2 "$LMC" health --nagios --expect 3
	has "LMCACHE CRITICAL - 0 of 1 nodes healthy, 3 expected"
}

@test "through a frontend the verdicts are the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" health | awk '{ print $1, $2, $4 }' >direct
	"$LMC" health --via "$url" | awk '{ print $1, $2, $4 }' >through
	diff direct through
}
