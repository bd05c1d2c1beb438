#!/usr/bin/env bats
# proxy-heartbeat.bats - the frontend announced: options, API, its helper's life
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154

load lib

REPLAY=$HERE/fixtures/replay

registry() {
	launch python3 "$HERE/registry.py" --ready-fd 9
	reg=$url
}

# told EXPRESSION: over the queries q of the heartbeats so far, and requests r.
told() {
	python3 - "$1" <<-'E'
	import json, sys
	r = [json.loads(l) for l in open("told")]
	q = [{k: v[0] for k, v in x["query"].items()} for x in r]
	sys.exit(not eval(sys.argv[1]))
	E
}

node() {
	start demo --node "unix:$PWD/w0.sock" --role worker --worker-id 0
}

nodes() {
	printf '[{"name":"w0","host":"localhost","port":"%s/w0.sock"}]' "$PWD"
}

# The helpers of a frontend, their pids.
helpers() {
	pgrep -P "${1:-$pid}" || :
}

one_helper() {
	[ "$(helpers "$@" | wc -l)" = 1 ]
}

no_helper() {
	[ -z "$(helpers)" ]
}

post() {
	get "/api/heartbeat/$1" -X POST -H 'Content-Type: application/json' "${@:2}"
}

# The body of a recorded answer.
body() {
	sed '1,/^\r$/d' "$REPLAY/$1"
}

@test "lmcache_frontend's options announce it: its process, address, nodes and version" {
	node
	registry
	start proxy --nodes "$(nodes)" --heartbeat-url "$reg/lmcache_heartbeat" \
		--heartbeat-initial-delay 0 --heartbeat-interval 30
	wait_until 10 told r
	told 'q[0]["pid"] == "'"$pid"'" and q[0]["api_address"] == "'"$url"'"'
	told 'json.loads(q[0]["other_info"])["nodes_count"] == 1'
	told 'json.loads(q[0]["other_info"])["startup_time"] == json.loads("""'"$(get /api/heartbeat/status)"'""")["startup_time"]'
	told 'q[0]["version"] == '"$("$LMC" version -n "unix:$PWD/w0.sock" -o raw)"
}

@test "listening on all addresses it tells the guessed one, or --report-host" {
	registry
	start proxy --nodes '[]' --listen 0.0.0.0:0 --heartbeat-url "$reg/h"
	wait_until 10 told r
	told 'q[0]["api_address"] == "http://" + json.loads("""'"$(get /api/heartbeat/status)"'""")["local_ip"] + ":'"$port"'"'
	start proxy --nodes '[]' --listen 0.0.0.0:0 --heartbeat-url "$reg/h" --report-host 192.0.2.77
	wait_until 10 told 'len(r) == 2'
	told 'q[1]["api_address"] == "http://192.0.2.77:'"$port"'"'
	run get /api/heartbeat/status
	has '"local_ip":"192.0.2.77"'
}

@test "several registries are told" {
	registry
	start proxy --nodes '[]' --heartbeat-url "$reg/a" --heartbeat-url "$reg/b"
	wait_until 10 told '{x["path"] for x in r} == {"/a", "/b"}'
	one_helper
}

@test "a registry's token goes with it, and one that cannot be read is refused" {
	registry
	echo s3cret >token
	start proxy --nodes '[]' --heartbeat-url "$reg/a" --registry-token token
	wait_until 10 told r
	told 'r[0]["headers"]["Authorization"] == "Bearer s3cret"'
	no grep -q s3cret "/proc/$(helpers)/cmdline"
	start proxy --nodes '[]' --heartbeat-url "http://lmc:s3cret@${reg#http://}/b"
	wait_until 10 told '{x["headers"].get("Authorization") for x in r if x["path"] == "/b"} == {"Basic bG1jOnMzY3JldA=="}'
	fails_with 2 "$LMC" proxy --nodes '[]' --heartbeat-url "$reg/a" --registry-token none
	has "--registry-token: unable to read the token none: No such file"
}

@test "the API answers as lmcache_frontend does: never started, started, again, stopped" {
	shape() {
		sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{15}/T/g; s/"local_ip":"[0-9.]+"/IP/'
	}

	registry
	start proxy --nodes '[]'
	run shape < <(get /api/heartbeat/status)
	is "$(body frontend_113_tcp_heartbeat_never.http | shape)"
	run post stop
	is "$(body frontend_114_tcp_heartbeat_stop_never.http)"
	run post start -d "{\"heartbeat_url\": \"$reg/h?x=1\", \"initial_delay\": 0, \"interval\": 60}"
	is "$(body frontend_092_heartbeat_restart.http)"
	wait_until 10 told 'r'
	told 'q[0]["x"] == "1"'
	run get /api/heartbeat/status
	has '"running":true'
	run post start -d "{\"heartbeat_url\": \"$reg/other\"}"
	is "$(body frontend_087_heartbeat_start_again.http)"
	one_helper
	run post stop
	is '{"status":"success","message":"Heartbeat service stopped"}'
	wait_until 5 no_helper
	run shape < <(get /api/heartbeat/status)
	is "$(body frontend_091_heartbeat_status_stopped.http | shape)"
	run post start -d "{\"heartbeat_url\": \"$reg/other\"}"
	wait_until 10 told 'r[-1]["path"] == "/other"'
	told 'len([x for x in r if x["path"] == "/other"]) == 1'
}

@test "a password in a URL stands in no log" {
	registry
	start proxy --nodes '[]' --log-level info
	run post start -d "{\"heartbeat_url\": \"${reg/:\/\//://u:geheim@}/h\", \"initial_delay\": 0}"
	wait_until 10 told 'r'
	told 'r[0]["headers"]["Authorization"] == "Basic dTpnZWhlaW0="'
	run cat "$log"
	has "Heartbeat service started"
	has "u:*@"
	lacks geheim
}

@test "a start that is no good is 400, says why, and starts nothing" {
	no_good() {
		run post start -w '%{http_code}' -d "$1"
		has "$2"
		has 400
	}

	registry
	start proxy --nodes '[]'
	no_good '{}' '{"detail":"heartbeat_url is required"}'
	no_good '{"heartbeat_url":""}' '{"detail":"heartbeat_url is required"}'
	no_good '{"heartbeat_url":7}' '{"detail":"heartbeat_url is required"}'
	no_good '{"heartbeat_url":"file:///etc/passwd"}' "not a registry"
	no_good '{"heartbeat_url":"http://h/\nHost: x"}' "percent-encoded"
	no_good "{\"heartbeat_url\":\"$reg\",\"interval\":0}" "interval are seconds"
	no_good "{\"heartbeat_url\":\"$reg\",\"interval\":\"30\"}" "interval are seconds"
	no_good "{\"heartbeat_url\":\"$reg\",\"initial_delay\":-1}" "interval are seconds"
	no_good "{\"heartbeat_url\":\"$reg\",\"initial_delay\":1e300}" "interval are seconds"
	no_good '[]' "not a JSON object"
	run post start -w '%{http_code}'
	has 411
	no_helper
	run get /api/heartbeat/status
	has '"running":null'
}

@test "on an address for viewers the status may be read, and nothing started or stopped" {
	registry
	start proxy --nodes '[]' --listen 0.0.0.0:0
	run get /api/heartbeat/status
	has '"running":null'
	run post start -d "{\"heartbeat_url\":\"$reg\"}" -w '%{http_code}'
	has 403
	run post stop -w '%{http_code}'
	has 403
	no_helper
}

@test "its helper ends with it: by SIGTERM, and by SIGKILL" {
	local sig h

	registry
	for sig in TERM KILL; do
		start proxy --nodes '[]' --heartbeat-url "$reg/$sig"
		wait_until 10 told 'r and r[-1]["path"] == "/'$sig'"'
		h=$(helpers)
		stop "$pid" $sig || [ $sig = KILL ]
		wait_until 5 gone "$h"
	done
}

@test "a helper that is started while the frontend ends does not keep it" {
	local body='{"heartbeat_url":"http://127.0.0.1:9/h"}' answer

	start proxy --nodes '[]'
	exec 8<>"/dev/tcp/127.0.0.1/$port"
	printf 'POST /api/heartbeat/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{' \
		${#body} >&8
	get /healthz
	kill "$pid"
	wait_until 5 no get /healthz
	printf '%s' "${body:1}" >&8
	IFS= read -r answer <&8
	[ "${answer:9:3}" = 200 ]
	exec 8>&-
	wait_until 8 gone "$pid"
}

@test "a helper that dies is started again, and no request notices" {
	local h

	registry
	start proxy --nodes '[]' --heartbeat-url "$reg/h"
	wait_until 10 told 'len(r) == 1'
	h=$(helpers)
	kill -KILL "$h"
	get /healthz
	wait_until 10 told 'len(r) == 2'
	one_helper
	no one_helper "$h"
	wait_until 5 grep -q 'helper ended, it is started again helper=heartbeat reason="was killed by SIGKILL"' "$log"
}

@test "a registry that hangs holds up neither requests nor the end" {
	local s

	echo hang >mode
	registry
	start proxy --nodes '[]' --heartbeat-url "$reg/h"
	wait_until 10 told 'r'
	for _ in {1..20}; do
		get /api/nodes --max-time 1 >nodes
	done
	s=$SECONDS
	stop
	[ $((SECONDS - s)) -le 6 ]
}

@test "SIGUSR2: the old process's helper is gone when the new one serves" {
	local old new

	registry
	start proxy --nodes '[]' --heartbeat-url "$reg/h" --log-level info
	wait_until 10 told 'len(r) == 1'
	old=$pid
	kill -USR2 "$old"
	wait_until 10 told 'len(r) == 2'
	wait_until 10 gone "$old"
	new=$(python3 -c 'import json
print(json.loads(open("told").readlines()[-1])["query"]["pid"][0])')
	started+=("$new")
	[ "$new" != "$old" ]
	one_helper "$new"
	[ "$(pgrep -fc "lmc heartbeat .*--url=$reg/h")" = 1 ]
	kill "$new"
	wait_until 10 gone "$new"
}

@test "what cannot be announced is refused at the start" {
	fails_with 2 "$LMC" proxy --port 0 --nodes '[]' --heartbeat-url gopher://x
	has "--heartbeat-url gopher://x: not a registry's URL"
	fails_with 2 "$LMC" proxy --listen "unix:$PWD/s" --nodes '[]' --heartbeat-url http://127.0.0.1:9
	has "no TCP address that could be announced"
	fails_with 2 "$LMC" proxy --port 0 --nodes '[]' --heartbeat-url http://x --heartbeat-interval 0
}

@test "without a heartbeat there is no helper and no process more" {
	start proxy --nodes '[]'
	get /healthz
	no_helper
}
