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
	has "LMCACHE CRITICAL - 1 of 2 nodes healthy: $PWD/none unreachable | "
	fails_with 3 "$LMC" health --nagios -n nosuch
	has "LMCACHE UNKNOWN - "
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

@test "through a frontend the verdicts are the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" health | awk '{ print $1, $2, $4 }' >direct
	"$LMC" health --via "$url" | awk '{ print $1, $2, $4 }' >through
	diff direct through
}
