#!/usr/bin/env bats
# generations.bats - each applet takes the way of the node's generation
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib

# generation NAME: a server with its paths, see generations.py.
generation() {
	launch python3 "$HERE/generations.py" "$1"
	: >asked
}

# at STATUS TEXT ARGS...: what an applet makes of it, and what it said.
at() {
	local status=$1 text=$2

	shift 2
	: >asked
	fails_with "$status" "$LMC" "$@" -n "$addr"
	has "$text"
}

# asks REQUEST...: that was sent, in this order, and nothing else.
asks() {
	printf '%s\n' "$@" | diff - <(sed 's/ *$//' asked)
}

@test "the first MP servers have a word at / and nothing else" {
	generation mp0
	at 0 healthy health
	at 0 healthy health --deep
	at 1 "has no GET /version (HTTP 404)" version
	at 1 "has no DELETE /cache/clear (HTTP 404)" cache clear --yes
	asks 'DELETE /cache/clear' 'POST /cache/clear {"tier":"l1"}' \
		'POST /clear-cache {"tier":"l1"}' 'POST /api/clear-cache {"tier":"l1"}'
	at 1 "has no GET /metrics (HTTP 404)" info
	fails_with 0 "$LMC" nodes --scan -o name
	has "$addr"
}

@test "MP servers with /api: health, status and clear are found there" {
	generation mp1
	at 0 healthy health --deep
	grep -q 'GET /api/healthcheck' asked
	grep -q 'GET /api/status' asked
	at 0 "active_sessions" info
	at 0 "status  ok" cache clear --yes
	asks 'DELETE /cache/clear' 'POST /cache/clear {"tier":"l1"}' \
		'POST /clear-cache {"tier":"l1"}' 'POST /api/clear-cache {"tier":"l1"}'
	at 1 "has no GET /conf (HTTP 404)" config
	asks 'GET /conf' 'GET /config'
	at 1 "has no GET /cache/kvcache/check" cache checksums '0,[1,2]'
	at 1 "has no GET /quota (HTTP 404)" quota
	at 1 "has no GET /threads (HTTP 404)" threads
	at 1 "has no POST /run_script (HTTP 404)" exec-script -e 1
	lacks "run_script_api_enabled"
	touch sick
	at 1 "engine not initialized (HTTP 503)" health
	has unhealthy
	at 1 "engine not initialized (HTTP 503)" cache clear --yes
}

@test "MP servers with paths at the top: /conf, a query for checksums" {
	generation mp2
	at 0 healthy health --deep
	no grep -q /api/ asked
	at 0 "0.4.0" version
	at 0 "status  ok" cache clear --yes
	no grep -q /api/ asked
	at 0 "mp.chunk_size" config
	asks 'GET /conf'
	at 0 256 config get mp.chunk_size
	at 1 "is an MP server: its configuration can be read but not set" config set chunk_size=1
	no grep -q POST asked
	at 0 "d41d" cache checksums 0,1 --chunk-size 2
	asks 'GET /cache/kvcache/check?slot_mapping=0%2C1&chunk_size=2' \
		'POST /cache/checksums {"block_ids":[0,1],"chunk_size":2}' \
		'GET /kvcache/check?block_ids=0%2C1&chunk_size=2'
	at 0 "alice" quota
	at 1 "has no GET /cache/objects" cache objects
	at 1 "has no GET /backends" backends
	at 0 "run (main.py:12)" threads
	at 0 "prefetch_jobs" info
	at 0 2 exec-script -e 1+1 -o raw
	touch sick
	at 1 "configs not initialized (HTTP 503)" config
	at 1 "engine not initialized" health --deep
}

@test "MP servers of today: /config, /cache/..., a body for checksums, adapters" {
	generation mp3
	at 0 healthy health --deep
	at 0 "cleared.tier  l1" cache clear --yes
	asks 'DELETE /cache/clear' 'POST /cache/clear {"tier":"l1"}'
	at 0 "mp.chunk_size" config
	asks 'GET /conf' 'GET /config'
	at 1 "is an MP server: its configuration can be read but not set" config set chunk_size=1
	at 0 "d41d" cache checksums '[0,1]'
	asks 'GET /cache/kvcache/check?slot_mapping=%5B0%2C1%5D' \
		'POST /cache/checksums {"block_ids":[0,1]}'
	at 0 "entries" cache objects
	at 0 "adapters" backends
	at 0 "alice" quota
	at 0 "prefetch_jobs" info
	touch sick
	at 1 "server not initialized (HTTP 503)" cache clear --yes
}

@test "a disabled script API is told from one that is not there" {
	generation mp3
	at 1 "run_script_api_enabled: true" exec-script -e 1
	lacks "has no"
	generation mp1
	at 1 "has no POST /run_script" exec-script -e 1
}

@test "a failure in the body of a 200 is a failure" {
	generation mp3
	at 1 "not_found (HTTP 200)" quota delete bob --yes
	fails_with 0 "$LMC" call DELETE /cache/objects '{"keys":[]}' -n "$addr"
	generation old
	at 1 "has no GET /quota" quota
}

@test "engines of old: threads as text, /conf that cannot be set, /meta that fails" {
	generation old
	at 0 "run (main.py:12)" threads
	at 0 Infinity config
	at 1 "has no POST /conf (HTTP 405)" config set chunk_size=512
	at 1 "/meta api only work for lmcache_engine (HTTP 500)" meta
	at 0 "num_removed  3" cache clear --yes
	at 0 healthy health --deep
}

@test "threads as JSON give the same rows" {
	generation fork
	at 0 "MainThread" threads
	has running
	at 0 '"frames":[]' threads -o json
}
