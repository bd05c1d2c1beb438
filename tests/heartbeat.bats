#!/usr/bin/env bats
# heartbeat.bats - registries told that a frontend is there
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154

load lib

# registry [ARGS...]: a stand-in; sets $reg. Its log is ./told.
registry() {
	launch python3 "$HERE/registry.py" --ready-fd 9 "$@"
	reg=$url
}

# beat ARGS...: lmc heartbeat in the background; $pid, $log.
beat() {
	launch "$LMC" heartbeat --ready-fd 9 "$@"
	[ "${addrs[0]}" = started ]
}

# told [FILE] EXPRESSION: a Python expression over r, the requests so far.
told() {
	local file=told

	[ $# = 1 ] || { file=$1; shift; }
	python3 - "$file" "$1" <<-'E'
	import json, sys
	r = [json.loads(l) for l in open(sys.argv[1])]
	q = [{k: v[0] for k, v in x["query"].items()} for x in r]
	sys.exit(not eval(f"({sys.argv[2]})"))
	E
}

request_line() {
	python3 -c 'import json
print(json.loads(open("told").readlines()[-1])["line"])'
}

seven='[{"name":"a","host":"127.0.0.1","port":1},{"name":"b","host":"127.0.0.1","port":2},{"name":"c","host":"127.0.0.1","port":3},{"name":"d","host":"127.0.0.1","port":4},{"name":"e","host":"127.0.0.1","port":5},{"name":"f","host":"127.0.0.1","port":6},{"name":"g","host":"127.0.0.1","port":7}]'

@test "the request line is lmcache_frontend's, byte for byte" {
	local same=(--pid 12030 --api-address http://192.0.2.2:8200 --nodes "$seven"
		--version-text 0.3.10-g1f2e3d4c5 --startup-time 2026-11-23T04:36:08.553483)

	registry
	"$LMC" heartbeat --once --url "$reg/lmcache_heartbeat" "${same[@]}"
	run request_line
	is "$(head -1 "$HERE/fixtures/heartbeat/frontend_142_heartbeat_sent_1.req" | tr -d '\r')"
	"$LMC" heartbeat --once --url "$reg/lmcache_heartbeat?x=1#here" "${same[@]}"
	run request_line
	is "$(head -1 "$HERE/fixtures/heartbeat/frontend_143_heartbeat_sent_2.req" | tr -d '\r')"
	"$LMC" heartbeat --once --url "$reg" "${same[@]}"
	run request_line
	has "GET /?pid=12030&api_address="
}

@test "what is not given is found out: process, time, address" {
	registry
	beat --url "$reg/h" --port 8123 --nodes '[]'
	wait_until 5 told 'r'
	told 'q[0]["pid"] == "'"$pid"'"'
	told '__import__("re").fullmatch(r"http://\d+\.\d+\.\d+\.\d+:8123", q[0]["api_address"])'
	told 'abs(__import__("datetime").datetime.fromisoformat(json.loads(q[0]["other_info"])["startup_time"]).timestamp() - r[0]["t"]) < 30'
	told 'q[0]["version"] == "1.0.0" and json.loads(q[0]["other_info"])["nodes_count"] == 0'
}

@test "--once: the exit status tells, and the worst of several counts" {
	local no

	no=http://127.0.0.1:$(free_port)
	registry
	fails_with 0 "$LMC" heartbeat --once --url "$reg/h" --nodes '[]'
	is ""
	fails_with 3 "$LMC" heartbeat --once --url "$no/h" --url "$reg/h" --nodes '[]'
	is "lmc heartbeat: unable to reach $no/h: Connection refused"
	echo 500 >mode
	fails_with 1 "$LMC" heartbeat --once --url "$reg/h" --nodes '[]'
	is "lmc heartbeat: unable to tell $reg/h: HTTP 500: {\"detail\": \"told to say no\"}"
	echo 302 >mode
	fails_with 1 "$LMC" heartbeat --once --url "$reg/h" --nodes '[]'
	echo 403 >mode
	fails_with 4 "$LMC" heartbeat --once --url "$reg/h" --nodes '[]'
	echo hang >mode
	fails_with 5 "$LMC" heartbeat --once --url "$reg/h" --nodes '[]' --timeout 200ms
	has "no answer within 200 ms"
	echo close >mode
	fails_with 3 "$LMC" heartbeat --once --url "$reg/h" --nodes '[]'
	fails_with 3 "$LMC" heartbeat --once -q --url "$reg/h" --nodes '[]'
	is ""
}

@test "it beats at the interval, a little early and never late" {
	registry
	beat --url "$reg/h" --interval 400ms --nodes '[]'
	wait_until 20 told 'len(r) >= 6'
	# 360 to 400 ms; a busy machine adds to one and takes from the next
	told '0.3 < (r[5]["t"] - r[0]["t"]) / 5 < 0.6'
	stop
}

@test "an answer that takes long makes no beat late" {
	registry
	echo slow >mode
	beat --url "$reg/h" --interval 1500ms --nodes '[]'
	wait_until 20 told 'len(r) >= 4'
	told '(r[3]["t"] - r[0]["t"]) / 3 < 2'
	stop
}

@test "a registry that hangs or refuses holds up no other" {
	local good=$PWD/good

	echo hang >mode
	registry
	hung=$reg
	mkdir other && echo 500 >other/mode
	registry --log other/told --mode other/mode
	no_good=$reg
	registry --log good --mode none
	beat --url "$hung/h" --url "$no_good/h" --url "$reg/h" --interval 200ms --nodes '[]'
	wait_until 20 told "$good" 'len(r) >= 10'
	told "$good" 'r[9]["t"] - r[0]["t"] < 6'
	grep -qF "not told url=$no_good/h reason=" "$log"
	stop
}

@test "a registry that comes back is told again, and trouble is logged once" {
	registry
	echo 500 >mode
	beat --url "$reg/h" --interval 1s --ttl 10s --nodes '[]'
	wait_until 20 told 'len(r) >= 3'
	rm mode
	wait_until 20 grep -q ' info told ' "$log"
	[ "$(grep -c 'not told' "$log")" = 1 ]
	stop
}

@test "nor does one hold up another while a frontend is asked for its nodes" {
	local good=$PWD/good

	start proxy --nodes '[]'
	front=$url
	echo hang >mode
	registry
	hung=$reg
	registry --log good --mode none
	beat --url "$hung/h" --url "$reg/h" --via "$front" --interval 2s --timeout 2s
	wait_until 20 told "$good" 'len(r) >= 4'
	told "$good" 'max(b["t"] - a["t"] for a, b in zip(r, r[1:])) < 2.5'
	stop
}

@test "the version is that of the first node that answers, whoever hangs or is dead" {
	start demo --node "unix:$PWD/w0.sock" --role worker --worker-id 0
	registry --log hung --mode hung.mode
	echo hang >hung.mode
	hung=${reg##*:}
	registry
	"$LMC" heartbeat --once --url "$reg/h" --timeout 5s --nodes '[
		{"name":"dead","host":"127.0.0.1","port":'"$(free_port)"'},
		{"name":"hung","host":"127.0.0.1","port":'"$hung"'},
		{"name":"w0","host":"localhost","port":"'"$PWD"'/w0.sock"}]'
	run "$LMC" version -n "unix:$PWD/w0.sock" -o raw
	told 'q[0]["version"] == '"$output"
	told 'json.loads(q[0]["other_info"])["nodes_count"] == 3'
	told 'r[0]["t"]'
}

@test "through a frontend it counts the frontend's nodes, as they come and go" {
	start demo --node "unix:$PWD/w0.sock" --role worker --worker-id 0
	start proxy --nodes '[{"name":"w0","host":"localhost","port":"'"$PWD"'/w0.sock"}]'
	front=$url
	registry
	beat --url "$reg/h" --via "$front" --interval 300ms
	wait_until 10 told 'r'
	told 'json.loads(q[0]["other_info"])["nodes_count"] == 1 and q[0]["version"] != "1.0.0"'
	told 'q[0]["api_address"].endswith("'"${front##*[0-9]:}"'")'
	curl -sf "$front/api/nodes" -H 'Content-Type: application/json' \
		-d '{"name":"w1","host":"127.0.0.1","port":9}'
	wait_until 10 told 'json.loads(q[-1]["other_info"])["nodes_count"] == 2'
	fails_with 0 "$LMC" heartbeat --once -q --url "$reg/h" --via "$front/a/path"
	told 'all(x["api_address"].endswith("'"${front##*[0-9]:}"'") for x in q)'
}

@test "an answer to /version that is no version is not passed on" {
	local bad

	mkdir peer
	start_peer --dir peer
	node=$url
	registry
	for bad in '' "$(printf 'a\001b')" "$(printf '%0300d' 0)"; do
		printf %s "$bad" >peer/version
		"$LMC" heartbeat --once --url "$reg/h" -n "$node"
	done
	told 'len(q) == 3 and all(x["version"] == "1.0.0" for x in q)'
	printf '"0.3.9 dev"\n' >peer/version
	"$LMC" heartbeat --once --url "$reg/h" -n "$node"
	told 'q[-1]["version"] == "0.3.9 dev"'
}

@test "an interval that contradicts the TTL is refused at the start" {
	fails_with 2 "$LMC" heartbeat --url http://127.0.0.1:9/h --interval 30s --ttl 59s
	is "lmc heartbeat: --url http://127.0.0.1:9/h: a registry that forgets after 59 s must be told twice in that time: every 30 s is too seldom"
	fails_with 2 "$LMC" heartbeat --coordinator-url http://127.0.0.1:9 --interval 30s
	has "forgets after 30 s"
	fails_with 3 "$LMC" heartbeat --once -q --url http://127.0.0.1:9/h --interval 30s --ttl 60s
	# without --interval the TTL decides
	fails_with 3 "$LMC" heartbeat --once -q --url http://127.0.0.1:9/h --ttl 20s
}

@test "what is wrong on the command line is told with the word, and 2" {
	fails_with 2 "$LMC" heartbeat
	has "nobody to tell"
	fails_with 2 "$LMC" heartbeat --url ftp://h/x
	is "lmc heartbeat: --url ftp://h/x: not a registry's URL"
	fails_with 2 "$LMC" heartbeat --url 'http://h/a b'
	has "must be percent-encoded"
	fails_with 2 "$LMC" heartbeat --url "http://h/$(printf '%09000d' 0)"
	has "too long"
	fails_with 2 "$LMC" heartbeat --url http://0x7f.1/h
	has "--url http://0x7f.1/h: "
	fails_with 2 "$LMC" heartbeat --url http://h/x --api-address 10.0.0.1:8000
	has "is not a URL"
	fails_with 2 "$LMC" heartbeat --coordinator-url http://h --once --api-address https://10.0.0.1:8000
	has 'a coordinator calls http:// only'
	fails_with 2 "$LMC" heartbeat --url http://h/x --report-host 'a/b'
	has "--report-host: a/b: "
	fails_with 2 "$LMC" heartbeat --url http://h/x --instance-id ""
	fails_with 2 "$LMC" heartbeat --once --coordinator-url http://127.0.0.1:9 --instance-id a/b
	has "--instance-id: a/b has a slash"
	fails_with 2 "$LMC" heartbeat --url http://h/x --registry-token none
	has "unable to read the token none"
	fails_with 2 "$LMC" heartbeat --url http://127.0.0.1:9/x --once -n nobody --nodes '[]'
}

@test "a token goes to the registry, and only there" {
	registry
	echo s3cret >token
	start_peer --log asked
	"$LMC" heartbeat --once --url "$reg/h" --registry-token token -n "$url"
	told 'r[0]["headers"]["Authorization"] == "Bearer s3cret"'
	grep -q '^GET /version' asked
	no grep -q s3cret asked
}

@test "user and password of a URL are sent as lmcache_frontend's library does, and stand in no log" {
	local at

	registry
	at=http://lmc:s3%2Fcret@${reg#http://}
	beat --url "$at/h" --coordinator-url "$at" --nodes '[]'
	wait_until 10 told '{(x["line"][:6], x["headers"].get("Authorization")) for x in r} >=
		{("GET /h", "Basic bG1jOnMzL2NyZXQ="), ("POST /", "Basic bG1jOnMzL2NyZXQ=")}'
	stop
	grep -qF "url=$reg/h" "$log"
	no grep -q cret "$log"
	echo 500 >mode
	fails_with 1 "$LMC" heartbeat --once --url "$at/h" --nodes '[]'
	has "unable to tell $reg/h: "
	rm mode
	"$LMC" heartbeat --once --url "http://lmc@${reg#http://}/h" --nodes '[]'
	told 'r[-1]["headers"]["Authorization"] == "Basic bG1jOg=="'
	echo other >token
	"$LMC" heartbeat --once --url "$at/h" --registry-token token --nodes '[]'
	told 'r[-1]["headers"]["Authorization"] == "Bearer other"'
	fails_with 2 "$LMC" heartbeat --once --url "http://a%2@h/x"
	has "bad percent-encoding"
}

@test "an IPv6 address is announced in brackets, a name as it is" {
	registry
	"$LMC" heartbeat --once --url "$reg/h" --nodes '[]' --report-host 2001:DB8:0::7 --port 81
	told 'q[-1]["api_address"] == "http://[2001:db8::7]:81"'
	# a coordinator calls "http://IP:PORT"
	"$LMC" heartbeat --once --coordinator-url "$reg" --nodes '[]' --report-host 2001:DB8:0::7
	told 'json.loads(r[-1]["body"])["ip"] == "[2001:db8::7]"'
	"$LMC" heartbeat --once --url "$reg/h" --nodes '[]' --report-host Node7.example
	told 'q[-1]["api_address"] == "http://node7.example:8000"'
	"$LMC" heartbeat --once --url "$reg/h" --nodes '[]' --api-address https://front.example/
	told 'q[-1]["api_address"] == "https://front.example:443"'
}

@test "--node-address announces a node's own API, and only one that others can reach" {
	local list='[{"name":"i_w0","host":"0.0.0.0","port":7001},{"name":"i_w1","host":"192.0.2.3","port":7002},
		{"name":"i_w2","host":"localhost","port":"/tmp/s"}]'
	export LMC_NODES=$list

	registry
	"$LMC" heartbeat --once --url "$reg/h" --timeout 200ms --node-address -n w0 --report-host 192.0.2.9
	told 'q[-1]["api_address"] == "http://192.0.2.9:7001"'
	"$LMC" heartbeat --once --url "$reg/h" --timeout 200ms --node-address -n w1
	told 'q[-1]["api_address"] == "http://192.0.2.3:7002"'
	fails_with 2 "$LMC" heartbeat --once --url "$reg/h" --node-address -n w2
	has "i_w2 (/tmp/s) is on a socket: let a frontend announce it"
	fails_with 2 "$LMC" heartbeat --once --url "$reg/h" --node-address
	has "3 nodes are known"
	fails_with 2 "$LMC" heartbeat --once --url "$reg/h" --node-address -n w7
}

# In a network of its own; $1 is set up there, the announced address comes out.
guess() {
	rm -f told
	unshare -nu sh -c '
		hostname nobody-knows-this-name
		ip link set lo up
		'"$1"'
		python3 "$2/registry.py" --port 5000 &
		until curl -s -o /dev/null http://127.0.0.1:5000/up; do sleep 0.05; done
		"$LMC" heartbeat --once --url http://127.0.0.1:5000/h --nodes "[]"
		kill $!' sh "$1" "$HERE"
	python3 -c '
import json
print(json.loads(open("told").readlines()[-1])["query"]["api_address"][0])'
}

@test "the address is guessed: route, interface, IPv6, and at last loopback" {
	unshare -nu true 2>/dev/null || skip "no network namespace here"
	local pair='ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up'

	run guess "$pair"'; ip addr add 192.0.2.9/24 dev v0; ip addr add 198.51.100.4/24 dev v0
		ip route add default via 198.51.100.1'
	is "http://198.51.100.4:8000"
	run guess "$pair; ip addr add 192.0.2.9/24 dev v0"
	is "http://192.0.2.9:8000"
	run guess "$pair; ip addr add 2001:db8:1::9/64 dev v0 nodad; ip route add default via 2001:db8:1::1"
	is "http://[2001:db8:1::9]:8000"
	run guess true
	is "http://127.0.0.1:8000"
}

@test "a coordinator: registered, kept alive, taken away at the end" {
	registry
	beat --coordinator-url "$reg/" --api-address http://10.0.0.7:8080 --interval 300ms --nodes '[]'
	wait_until 10 told 'len(r) >= 3'
	stop
	told 'r[0]["line"] == "POST /instances HTTP/1.1"'
	told 'json.loads(r[0]["body"])["instance_id"] == "frontend-10.0.0.7-8080"'
	told 'json.loads(r[0]["body"])["ip"] == "10.0.0.7" and json.loads(r[0]["body"])["http_port"] == 8080'
	told 'all(x["line"] == "PUT /instances/frontend-10.0.0.7-8080/heartbeat HTTP/1.1" for x in r[1:-1])'
	told 'all(x["headers"]["Content-Length"] == "0" and "Content-Type" not in x["headers"] for x in r[1:-1])'
	told 'r[-1]["line"] == "DELETE /instances/frontend-10.0.0.7-8080 HTTP/1.1"'
	run curl -s "$reg/instances"
	is '{"instances": []}'
	grep -q ' info taken away ' "$log"
}

@test "a coordinator that has forgotten is told again in the same beat, by the same name" {
	registry --assign 'mp 1%x' --forget 0.5
	beat --coordinator-url "$reg" --instance-id mine --interval 1s --ttl 2s --nodes '[]'
	wait_until 20 told 'len([x for x in r if x["method"] == "POST"]) >= 2'
	told 'json.loads(r[0]["body"])["instance_id"] == "mine"'
	told 'r[1]["line"] == "PUT /instances/mp%201%25x/heartbeat HTTP/1.1"'
	told 'r[2]["method"] == "POST" and r[2]["t"] - r[1]["t"] < 0.5'
	told 'json.loads(r[2]["body"])["instance_id"] == "mp 1%x"'
	stop
	told 'r[-1]["method"] == "DELETE"'
}

@test "a coordinator that has forgotten need not say so in words" {
	registry --silent --forget 0.5
	beat --coordinator-url "$reg" --interval 1s --ttl 2s --nodes '[]' --log-level debug
	wait_until 20 told 'len([x for x in r if x["method"] == "POST"]) >= 3'
	run cat "$log"
	lacks "not told"
}

@test "trouble of a coordinator that has not forgotten makes no second registration" {
	registry
	beat --coordinator-url "$reg" --instance-id x --interval 100ms --nodes '[]'
	wait_until 10 told 'len(r) > 1'
	for mode in 500 close 429; do
		echo $mode >mode
		was=$(wc -l <told)
		wait_until 20 told "len(r) > $was"
		echo ok >mode
		was=$(wc -l <told)
		wait_until 20 told "len(r) > $was + 1"
	done
	stop
	told '[x["method"] for x in r if x["method"] != "PUT"] == ["POST", "DELETE"]'
}

# in_list URL: what a coordinator lists, without the time
in_list() {
	curl -sf "$1/instances" | python3 -c 'import json, sys
one, = json.load(sys.stdin)["instances"]
assert type(one["registration_time"]) is float and one.pop("registration_time") > 1e9
print(json.dumps(one))'
}

@test "a coordinator and lmc discovery list the same of an instance, and forget it alike" {
	local both at

	registry
	both=("$reg")
	start discovery --listen 127.0.0.1:0
	both+=("$url")
	beat --coordinator-url "${both[0]}" --coordinator-url "${both[1]}" --interval 200ms \
		--api-address http://10.0.0.7:8080 --version-text 0.3.9 --startup-time now --nodes '[]'
	for at in "${both[@]}"; do
		wait_until 10 in_list "$at"
		run in_list "$at"
		is '{"instance_id": "frontend-10.0.0.7-8080", "ip": "10.0.0.7", "http_port": 8080, "metadata": {"version": "0.3.9", "startup_time": "now"}, "p2p_advertised_url": "", "mq_port": 0}'
		run curl -s -X PUT "$at/instances/none%20such/heartbeat" -w ' %{http_code}'
		has '"unknown instance none such; re-register"} 404'
		run curl -s -X DELETE "$at/instances/none" -w '%{http_code}'
		is 204
		# as if it had been restarted without its memory
		curl -s -X DELETE "$at/instances/frontend-10.0.0.7-8080"
		wait_until 10 in_list "$at"
	done
	stop
	for at in "${both[@]}"; do
		run curl -s "$at/instances"
		[ "${output// /}" = '{"instances":[]}' ]
		"$LMC" heartbeat --once --coordinator-url "$at" --instance-id six --report-host fd00::5 --nodes '[]'
		run in_list "$at"
		has '"instance_id": "six", "ip": "[fd00::5]", "http_port": 8000'
	done
}

@test "a coordinator that is there later gets the instance then" {
	local p

	p=$(free_port)
	beat --coordinator-url "http://127.0.0.1:$p" --nodes '[]' --instance-id x
	was=$pid
	wait_until 10 grep -q 'not told' "$log"
	registry --port "$p"
	wait_until 20 told 'r and r[0]["method"] == "POST"'
	stop "$was"
	told 'r[-1]["method"] == "DELETE"'
}

@test "an answer of a coordinator that names nobody is refused" {
	local answer

	mkdir -p peer
	start_peer --dir peer
	for answer in '' '{' '[]' '{"instance_id":7}' '{"instance_id":""}' \
		"{\"instance_id\":\"$(printf '%0300d' 0)\"}" '{"instance_id":"a\u0000b"}'; do
		printf %s "$answer" >peer/instances
		fails_with 1 "$LMC" heartbeat --once --coordinator-url "$url" --nodes '[]'
		has "its answer has no instance_id"
	done
}

@test "lmc discovery takes both, lists them, and lets the instance go" {
	"$LMC" --list | grep -qx discovery || skip "this lmc has no discovery"
	(umask 077; echo 0123456789abcdef0123 >token)
	start discovery --listen 127.0.0.1:0 --token-file token --ttl 10s
	reg=$url
	fails_with 4 "$LMC" heartbeat --once --url "$reg/heartbeat" --nodes '[]'
	beat --url "$reg/heartbeat" --coordinator-url "$reg" --registry-token token --ttl 10s \
		--api-address http://10.1.2.4:8000 --version-text 0.3.9 --nodes '[]'
	listed() { curl -s "$reg/lmcache_infos" | grep -qF '"apiAddress":"http://10.1.2.4:8000"'; }
	one() { curl -s "$reg/instances" | grep -qF '"instance_id":"frontend-10.1.2.4-8000","ip":"10.1.2.4","http_port":8000'; }
	wait_until 10 listed
	wait_until 10 one
	stop
	no one
}

@test "SIGTERM ends it at once: waiting, in its first delay, or with a hung registry" {
	local s

	registry
	beat --url "$reg/h" --nodes '[]' --initial-delay 1h
	stop
	told 'not r'
	beat --url "$reg/h" --nodes '[]'
	wait_until 10 told 'r'
	s=$SECONDS
	stop
	[ $((SECONDS - s)) -le 2 ]
	echo hang >mode
	beat --url "$reg/h" --nodes '[]' --interval 1h
	wait_until 10 told 'len(r) == 2'
	s=$SECONDS
	stop
	[ $((SECONDS - s)) -le 6 ]
}

@test "it sleeps between two beats" {
	woken() { awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$pid/status"; }
	quiet() { before=$(woken); sleep 0.5; [ "$before" = "$(woken)" ]; }

	registry
	beat --url "$reg/h" --nodes '[]' --interval 1h
	wait_until 10 grep -q ' info told ' "$log"
	wait_until 10 quiet
	stop
}

@test "answers are not kept: memory stays as it is" {
	rss() { awk '/VmRSS/ { print $2 }' "/proc/$pid/status"; }

	case $LMC in */check/*) skip "a sanitizer needs its own memory" ;; esac
	echo large >mode
	registry
	beat --url "$reg/h" --nodes '[]' --interval 100ms
	wait_until 10 told 'len(r) >= 10'
	before=$(rss)
	wait_until 20 told 'len(r) >= 60'
	[ $(($(rss) - before)) -lt 500 ]
	stop
}

@test "--log json: every line is an object" {
	registry
	beat --url "$reg/h" --url http://127.0.0.1:9/ --nodes '[]' --log json --log-level debug --interval 200ms
	wait_until 10 told 'len(r) > 2'
	stop
	python3 -c 'import json, sys
rows = [json.loads(l) for l in open(sys.argv[1])]
assert {"told", "not told"} == {r["event"] for r in rows}, rows' "$log"
}
