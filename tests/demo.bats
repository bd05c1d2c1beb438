#!/usr/bin/env bats
# demo.bats - simulated nodes, alone and with a frontend in front of them
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # start and meet set pid, sock, url...

load lib

# worker ARGS..., scheduler ARGS..., mp ARGS...: a node alone on a UNIX socket.
worker() {
	start demo --node "unix:$PWD/n.sock" "$@"
}

scheduler() {
	start demo --node "unix:$PWD/s.sock" --role scheduler "$@"
}

mp() {
	start demo --node "unix:$PWD/m.sock" --dialect mp "$@"
}

# house ARGS...: everything, its directory below this test's own.
house() {
	export TMPDIR=$PWD
	start demo --port 0 "$@"
}

# code PATH [CURL ARGS...]: the status code alone.
code() {
	get "$@" -o /dev/null -w '%{http_code}'
}

# metric NAME: the value of its (only) sample.
metric() {
	get /metrics | sed -n "s/^lmcache:$1{[^}]*} //p"
}

# more_than VALUE NAME
more_than() {
	python3 -c 'import sys; sys.exit(not float(sys.argv[1]) > float(sys.argv[2]))' \
		"$(metric "$2")" "$1"
}

# curl_fails STATUS PATH [CURL ARGS...]: curl ends with exactly that status.
curl_fails() {
	local want=$1

	shift
	run get "$@"
	[ "$status" = "$want" ] && return
	echo "curl: $status, not $want"
	echo "$output"
	return 1
}

nodes_json() {
	get /api/nodes | python3 -c '
import json, sys
for p in json.load(sys.stdin)["nodes"]:
    for n in p["children"]:
        print(n["name"])'
}

directories() {
	find "$PWD" -maxdepth 1 -name 'lmc-demo-*'
}

children() {
	pgrep -P "$pid"
}

# the_frontend, the_simulator: pid of that child of $pid.
the_frontend() {
	for p in $(children); do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q ' proxy ' && echo "$p"
	done
	return 0
}

the_simulator() {
	for p in $(children); do
		tr '\0' ' ' <"/proc/$p/cmdline" | grep -q ' proxy ' || echo "$p"
	done
}

all_gone() {
	local p

	for p; do
		gone "$p" || return 1
	done
	[ -z "$(directories)" ]
}

# leaves_nothing SIGNAL PID: after that signal to that process of the demo,
# every process and the directory are gone within a second.
leaves_nothing() {
	local all

	all=$(echo "$pid" && children)
	[ "$(wc -w <<<"$all")" = 3 ]
	[ -n "$(directories)" ]
	kill -s "$1" "$2"
	# shellcheck disable=SC2086 # one word each
	wait_until 1 all_gone $all
	run get /healthz
	[ "$status" = 7 ]
}

# --- one node ------------------------------------------------------------------

@test "a simulated node says in its version that it is simulated" {
	worker
	[ "$(get /version)" = '"0.3.10-simulated"' ]
	[ "$(get /lmc_version)" = '"0.3.10"' ]
	[ "$(get /commit_id)" = '"simulated"' ]
}

@test "every recorded answer of a real node has the same shape here" {
	local s w0 w1

	start demo --node "unix:$PWD/s.sock" --role scheduler
	s=$sock
	start demo --node "unix:$PWD/w0.sock" --node "unix:$PWD/w1.sock" --role worker
	w0=${addrs[0]#unix:}
	w1=${addrs[1]#unix:}
	run python3 "$HERE/demo_shapes.py" "$HERE/fixtures/demo" "$s" "$w0" "$w1"
	echo "$output"
	[ "$status" = 0 ]
	has "162 recordings compared, 0 differences"
}

@test "numbers of a worker move, only rise and agree with each other" {
	worker --rate 200
	get /metrics >first
	wait_until 5 more_than "$(metric num_hit_tokens_total)" num_hit_tokens_total
	get /metrics >second
	run python3 "$HERE/demo_numbers.py" first second
	echo "$output"
	[ "$status" = 0 ]
}

@test "numbers of a scheduler move, only rise and agree with each other" {
	scheduler --rate 200
	get /metrics >first
	wait_until 5 more_than "$(metric num_lookup_hits_total)" num_lookup_hits_total
	get /metrics >second
	run python3 "$HERE/demo_numbers.py" first second
	echo "$output"
	[ "$status" = 0 ]
}

@test "numbers of an MP server move, only rise and agree with each other" {
	mp --rate 200
	get /metrics >first
	changed() { ! get /metrics | cmp -s - first; }
	wait_until 5 changed
	get /metrics >second
	run python3 "$HERE/demo_numbers.py" first second
	echo "$output"
	[ "$status" = 0 ]
	grep -q '^lmcache_mp_lookup_hit_tokens_total{cache_salt="_default",model_name=' second
	grep -q '^target_info{service_instance_id="demo"' second
}

@test "two workers of one instance serve the same requests, another seed has others" {
	local a b c

	start demo --node "unix:$PWD/a" --node "unix:$PWD/b" --age 1h
	a=$(metric num_hit_tokens_total)
	meet "${addrs[1]}"
	b=$(metric num_hit_tokens_total)
	meet "${addrs[0]}"
	c=$(metric num_hit_tokens_total)
	python3 -c 'import sys; a, b, c = map(float, sys.argv[1:]); assert a <= b <= c' "$a" "$b" "$c"
	start demo --node "unix:$PWD/c" --age 1h --seed 2
	c=$(metric num_hit_tokens_total)
	python3 -c 'import sys; a, c = map(float, sys.argv[1:]); assert abs(a - c) > 1000' "$a" "$c"
}

@test "nobody asks, nothing runs: an idle node is never woken" {
	local before

	worker
	get /metrics >/dev/null
	woken() { grep ctxt_switches "/proc/$pid/status"; }
	# the closed connection of that request ends within its linger time
	quiet() { before=$(woken); sleep 0.3; [ "$before" = "$(woken)" ]; }
	wait_until 5 quiet
	before=$(woken)
	sleep 1
	[ "$(woken)" = "$before" ]
}

@test "configuration is set, read back, and is one node's own" {
	start demo --node "unix:$PWD/a" --node "unix:$PWD/b"
	[ "$(get /conf -d '{"min_retrieve_tokens": 512, "save_decode_cache": true}')" = \
		'{"updated":{"min_retrieve_tokens":512,"save_decode_cache":true}}' ]
	[ "$(get '/conf?names=min_retrieve_tokens')" = $'{\n  "min_retrieve_tokens": 512\n}' ]
	meet "${addrs[1]}"
	[ "$(get '/conf?names=min_retrieve_tokens')" = $'{\n  "min_retrieve_tokens": 0\n}' ]
}

@test "a configuration that partly fails is 200, one that wholly fails is 400" {
	worker
	[ "$(code /conf -d '{"chunk_size": "x", "nosuch": 1}')" = 200 ]
	[ "$(get '/conf?names=chunk_size')" = $'{\n  "chunk_size": "x"\n}' ]
	[ "$(code /conf -d '{"nosuch": 1}')" = 400 ]
	[ "$(get /conf -d '{"lmcache_instance_id": "x"}')" = \
		'{"updated":{},"errors":{"lmcache_instance_id":"Config is not mutable at runtime"}}' ]
	[ "$(get /conf -d '{"extra_config": "{"}')" = \
		'{"updated":{},"errors":{"extra_config":"Failed to set config value"}}' ]
	[ "$(code /conf -d '{')" = 400 ]
}

@test "a value that is no JSON is kept, and breaks the answer that shows it changed" {
	worker
	[ "$(code /conf -d '{"pd_shutdown_timeout_sec": NaN}')" = 500 ]
	[ "$(get '/conf?names=pd_shutdown_timeout_sec')" = $'{\n  "pd_shutdown_timeout_sec": NaN\n}' ]
	run get /conf
	has '"pd_allocation_timeout_sec": Infinity'
}

@test "log levels are set and read, and reading makes a logger" {
	worker
	[ "$(get '/loglevel?logger_name=vllm&level=debug')" = 'Set vllm level to DEBUG (including all handlers)' ]
	[ "$(get '/loglevel?logger_name=vllm')" = 'vllm: DEBUG' ]
	run get /loglevel
	has $'\nvllm: DEBUG\n'
	lacks 'never.seen'
	[ "$(get '/loglevel?logger_name=never.seen')" = 'never.seen: NOTSET' ]
	run get /loglevel
	has $'\nnever.seen: NOTSET'
	[ "$(get '/loglevel?logger_name=root&level=ERROR')" = 'Set root level to ERROR (including all handlers)' ]
	[ "$(get '/loglevel?logger_name=root')" = 'root: ERROR' ]
	[ "$(code '/loglevel?logger_name=vllm&level=TRACE')" = 400 ]
}

@test "a frozen node stores nothing until it thaws" {
	local stored

	worker --rate 500
	[ "$(code /freeze/enable -X PUT)" = 200 ]
	stored=$(metric num_stored_tokens_total)
	wait_until 5 more_than "$(metric num_requested_tokens_total)" num_requested_tokens_total
	[ "$(metric num_stored_tokens_total)" = "$stored" ]
	run get /freeze/status
	has '"freeze": true'
	get /freeze/disable -X PUT
	wait_until 5 more_than "$stored" num_stored_tokens_total
}

@test "a cleared cache is empty, reset counters begin again" {
	worker --rate 1
	run get /cache/clear -X DELETE
	has '"status": "success"'
	lacks '"num_removed": 0'
	python3 -c 'import sys; assert float(sys.argv[1]) < 3e8' "$(metric local_cache_usage)"
	more_than 0 num_requested_tokens_total
	[ "$(get /metrics/reset -X POST)" = ok ]
	python3 -c 'import sys; assert float(sys.argv[1]) < 50' "$(metric num_retrieve_requests_total)"
}

@test "what is stored by hand is found by hand, in whole chunks" {
	worker --rate 1
	run get '/cache/store?tokens_mock=7,1007' -X POST
	has '"num_tokens": 1000'
	run get '/cache/retrieve?tokens_mock=7,1007' -X POST
	has '"num_retrieved": 768'
	run get '/cache/retrieve?tokens_mock=8,1008' -X POST
	has '"num_retrieved": 0'
}

@test "chunks that one worker exports another imports" {
	local tokens

	tokens=$(python3 -c 'import json; print(json.dumps(list(range(600))))')
	start demo --node "unix:$PWD/a" --node "unix:$PWD/b"
	get '/cache/store?tokens_mock=0,600' -X POST
	get /kv/export -d "{\"tokens\": $tokens}" -o chunks -D headers
	grep -qi '^X-Num-Chunks: 2' headers
	python3 - <<-'EOF'
	import json, struct
	b = open("chunks", "rb").read()
	n, at = struct.unpack_from("<I", b)[0], 4
	assert n == 2, n
	for _ in range(n):
	    k = struct.unpack_from("<I", b, at)[0]
	    assert set(json.loads(b[at + 4:at + 4 + k])) == {"key", "start", "end", "shape", "dtype", "fmt"}
	    at += 4 + k
	    at += 4 + struct.unpack_from("<I", b, at)[0]
	assert at == len(b)
	EOF
	meet "${addrs[1]}"
	get /kv/export -d "{\"tokens\": $tokens}" -o empty
	[ ! -s empty ]
	[ "$(get /kv/import -H "X-Tokens: $tokens" --data-binary @chunks)" = OK ]
	run get '/cache/retrieve?tokens_mock=0,600' -X POST
	has '"num_retrieved": 512'
}

@test "without backends nothing hits" {
	local hits

	worker --rate 500
	for b in LocalCPUBackend LocalDiskBackend; do
		[ "$(code "/backends/$b" -X DELETE)" = 200 ]
	done
	[ "$(code '/bypass/add?backend_name=RemoteBackend' -X PUT)" = 200 ]
	hits=$(metric num_hit_tokens_total)
	wait_until 5 more_than "$(metric num_requested_tokens_total)" num_requested_tokens_total
	[ "$(metric num_hit_tokens_total)" = "$hits" ]
	run get /backends -X POST
	has '"created":{"LocalCPUBackend":"LocalCPUBackend","LocalDiskBackend":"LocalDiskBackend"}'
	wait_until 5 more_than "$hits" num_hit_tokens_total
}

@test "a script is not run, and the answer says so" {
	local sum

	worker
	printf 'import os\nresult = os.getcwd()\n' >x.py
	sum=$(sha256sum x.py | cut -d' ' -f1)
	[ "$(get /run_script -F script=@x.py)" = \
		"simulated node: the script was not executed ($(wc -c <x.py) bytes, sha256 $sum)" ]
	echo "result = 'plain\\n\"text\"'  " >x.py
	[ "$(get /run_script -F script=@x.py)" = $'plain\n"text"' ]
	echo 'result = -42' >x.py
	[ "$(get /run_script -F script=@x.py)" = -42 ]
	[ "$(code /run_script -F script=text)" = 400 ]
	[ "$(code /run_script -H 'Content-Type: multipart/form-data' --data-binary @x.py)" = 400 ]
	[ "$(code /run_script -H 'Content-Type: multipart/form-data; boundary=b' --data-binary @x.py)" = 500 ]
}

@test "with --run-script off the answer is that of newer LMCache" {
	worker --run-script off
	echo 'result = 1' >x.py
	[ "$(code /run_script -F script=@x.py)" = 404 ]
	run get /run_script -F script=@x.py
	has "The /run_script API is disabled."
}

@test "threads can be asked for by name and by number" {
	local id

	worker
	run get '/threads?name=PINMON'
	has 'Total threads: 1'
	id=$(get '/threads?name=pinmon' | sed -n 's/.*started daemon \([0-9]*\).*/\1/p')
	run get "/threads?thread_id=$id"
	has 'PinMonitor-thread'
	has 'Total threads: 1'
	[ "$(code '/threads?thread_id=x')" = 422 ]
}

@test "the paths of a node can be asked for" {
	worker
	get /openapi.json >o
	python3 -c '
import json
p = json.load(open("o"))["paths"]
assert set(p["/conf"]) == {"get", "post"}, p["/conf"]
assert "/status" not in p'
	mp
	get /openapi.json >o
	python3 -c '
import json
p = json.load(open("o"))["paths"]
assert "/status" in p and "/metrics" in p and "/conf" not in p'
}

@test "an MP server answers as one" {
	mp
	[ "$(get /)" = '{"status":"ok","service":"LMCache HTTP API"}' ]
	[ "$(get /healthcheck)" = '{"status":"healthy"}' ]
	[ "$(code /conf)" = 404 ]
	[ "$(get /quota/alice -X PUT -d '{"limit_gb": 10}')" = '{"cache_salt":"alice","limit_gb":10.0,"status":"ok"}' ]
	run get /quota/alice
	has '"limit_gb":10.0,"current_usage_gb":0.0,"exists":true'
	run get /quota
	has '"alice":{"limit_gb":10.0'
	[ "$(get /quota/alice -X DELETE)" = '{"cache_salt":"alice","status":"removed"}' ]
	[ "$(get /quota/alice -X DELETE)" = '{"cache_salt":"alice","status":"not_found"}' ]
	[ "$(get /cache/clear -X POST)" = '{"status":"ok","cleared":{"tier":"l1"}}' ]
	[ "$(code /cache/clear -X POST -d '{"tier":"l2"}')" = 400 ]
	get /status | python3 -c '
import json, sys
s = json.load(sys.stdin)
assert s["is_healthy"] is True and s["storage_manager"]["l1_manager"]["used"] < 4e8'
}

@test "the pages of an MP server's objects are complete and without doubles" {
	mp --rate 1
	python3 - "$sock" <<-'EOF'
	import http.client, json, socket, sys
	def get(path):
	    c = http.client.HTTPConnection("localhost")
	    c.sock = socket.socket(socket.AF_UNIX)
	    c.sock.connect(sys.argv[1])
	    c.request("GET", path)
	    return json.load(c.getresponse())
	seen, token, pages = [], "", 0
	while token is not None:
	    a = get("/cache/objects?page_size=400" + (token and "&page_token=" + token))
	    seen += [e["key"]["chunk_hash_hex"] for e in a["entries"]]
	    token, pages = a["next_page_token"], pages + 1
	assert pages > 1 and len(seen) > 400, (pages, len(seen))
	assert len(set(seen)) == len(seen)
	EOF
}

@test "a node listens on TCP, IPv6 and UNIX sockets at once and takes its socket away" {
	start demo --node 127.0.0.1:0 --node '[::1]:0' --node "unix:$PWD/x.sock"
	[ "${#addrs[@]}" = 3 ]
	for a in "${addrs[@]}"; do
		meet "$a"
		[ "$(get /version)" = '"0.3.10-simulated"' ]
	done
	[ -S x.sock ]
	stop
	[ ! -e x.sock ]
}

@test "one process holds hundreds of nodes" {
	local args=() i

	for ((i = 0; i < 200; i++)); do
		args+=(--node "unix:$PWD/$i")
	done
	start demo "${args[@]}"
	[ "${#addrs[@]}" = 200 ]
	for i in 0 57 199; do
		meet "${addrs[i]}"
		run get '/meta?names=worker_id'
		is $'{\n  "worker_id": '"$i"$'\n}'
	done
}

# --- faults ---------------------------------------------------------------------

@test "a slow node answers late" {
	worker --fault slow --fault-delay 700ms
	python3 -c 'import sys; t = float(sys.argv[1]); assert 0.6 < t < 10, t' \
		"$(get /version -o /dev/null -w '%{time_total}')"
	[ "$(get /conf -d '{"chunk_size": 1}')" = '{"updated":{"chunk_size":1}}' ]
}

@test "a hanging node never answers, and others of its process do" {
	start demo --node "unix:$PWD/a" --node "unix:$PWD/b" --fault worker0=hang
	curl_fails 28 /version --max-time 1
	meet "${addrs[1]}"
	[ "$(code /version)" = 200 ]
}

@test "a resetting node breaks the connection, a truncating one ends it early" {
	start demo --node 127.0.0.1:0 --node 127.0.0.1:0 --fault worker0=reset --fault worker1=truncate
	curl_fails 56 /version
	meet "${addrs[1]}"
	curl_fails 18 /version
	has "the first bytes of an answer"
}

@test "a broken node answers 500, a babbling one no HTTP" {
	start demo --node "unix:$PWD/a" --node "unix:$PWD/b" --fault worker0=500 --fault worker1=garbage
	[ "$(code /version)" = 500 ]
	[ "$(get /version)" = 'Internal Server Error' ]
	meet "${addrs[1]}"
	curl_fails 1 /version
}

@test "with --fault-after a node behaves for a while" {
	worker --fault 500 --fault-after 2
	[ "$(code /version)" = 200 ]
	[ "$(code /version)" = 200 ]
	[ "$(code /version)" = 500 ]
}

@test "a wrong fault, node or instance is named" {
	fails_with 2 "$LMC" demo --node "unix:$PWD/a" --fault sleepy
	has 'sleepy is not one of slow, hang, reset, truncate, 500, garbage'
	fails_with 2 "$LMC" demo --port 0 --fault worker9=hang
	has 'there is no node worker9'
	fails_with 2 "$LMC" demo --port 0 --instance 'a"b'
	has 'a"b is not a name'
	fails_with 2 "$LMC" demo --node nonsense
	has 'nonsense'
}

@test "a socket that is taken is an error and leaves no socket behind" {
	worker
	fails_with 111 "$LMC" demo --node "unix:$PWD/other" --node "unix:$sock"
		has "unable to listen on unix:$sock: Address"
	[ ! -e other ]
	[ "$(code /version)" = 200 ]
}

# --- the house ------------------------------------------------------------------

@test "the frontend lists every simulated node and answers for it" {
	house --workers 3
	run nodes_json
	is $'demo_scheduler\ndemo_worker0\ndemo_worker1\ndemo_worker2\ndemo_mp0'
	for n in $output; do
		[ "$(get "/proxy2/$n/version")" = '"0.3.10-simulated"' ]
	done
	[ "$(cat "$log")" = "" ] || cat "$log"
}

@test "what the frontend passes on is what the node says" {
	local dir

	house --instance inst.7
	dir=$(directories)
	for n in scheduler worker0 worker1; do
		get "/proxy2/inst.7_$n/conf" >through
		curl -sS --unix-socket "$dir/$n.sock" http://localhost/conf >direct
		cmp through direct
	done
}

@test "the directory and its sockets are for the owner alone" {
	house
	[ "$(stat -c %a "$(directories)")" = 700 ]
	[ "$(stat -c %a "$(directories)"/worker0.sock)" = 600 ]
}

@test "the address to open is printed, and quiet prints nothing" {
	house
	grep -qx "open  $url/" "$out"
	grep -q "curl $url/proxy2/demo_worker0/metrics" "$out"
	stop
	house -q
	[ ! -s "$out" ]
}

@test "--once --quiet prints what is wrong and nothing else" {
	export TMPDIR=$PWD
	run "$LMC" demo --port 0 --once -q
	[ "$status" = 0 ]
	is ''
	fails_with 1 "$LMC" demo --port 0 --once -q --fault worker1=500
	has 'FAIL  demo_worker1 answers /version'
	lacks 'ok    '
}

@test "--once looks at every node through the frontend and ends" {
	export TMPDIR=$PWD
	run "$LMC" demo --port 0 --once
	echo "$output"
	[ "$status" = 0 ]
	for n in scheduler worker0 worker1 mp0; do
		has "ok    demo_$n is listed"
		has "ok    demo_$n answers /version"
		has "ok    demo_$n answers /metrics"
	done
	has 'all well'
	[ -z "$(directories)" ]
}

@test "--once fails when a node misbehaves, and tells which" {
	export TMPDIR=$PWD
	for f in 500 garbage truncate; do
		fails_with 1 "$LMC" demo --port 0 --once --fault "worker1=$f"
		has 'FAIL  demo_worker1 answers /version'
		has 'ok    demo_worker0 answers /version'
		has 'not well'
	done
	[ -z "$(directories)" ]
}

@test "SIGTERM, SIGINT and SIGHUP end everything with status 0" {
	for s in TERM INT HUP; do
		house
		leaves_nothing "$s" "$pid"
		run stop "$pid"
		[ "$status" = 0 ]
	done
}

@test "the guardian killed: nothing is left" {
	house
	leaves_nothing KILL "$pid"
	run stop "$pid"
	[ "$status" = 137 ]
}

@test "the simulator killed: nothing is left, and the end is told" {
	house
	leaves_nothing KILL "$(the_simulator)"
	run stop "$pid"
	[ "$status" = 137 ]
	grep -q 'the simulator was killed by signal 9' "$log"
}

@test "the frontend killed: nothing is left, and its status is the demo's" {
	house
	leaves_nothing KILL "$(the_frontend)"
	run stop "$pid"
	[ "$status" = 137 ]
	grep -q 'the frontend was killed by signal 9' "$log"
}

@test "a signal to the whole process group leaves nothing" {
	export TMPDIR=$PWD
	launch setsid "$LMC" demo --port 0 --ready-fd 9
	leaves_nothing KILL "-$pid"
	run stop "$pid"
	[ "$status" = 137 ]
}

@test "a killed frontend on a UNIX socket leaves no socket" {
	house --listen "unix:$PWD/front.sock"
	[ -S front.sock ]
	leaves_nothing KILL "$(the_frontend)"
	[ ! -e front.sock ]
	run stop "$pid"
	house --listen "unix:$PWD/front.sock"
	leaves_nothing KILL "$pid"
	no_socket() { [ ! -e front.sock ]; }
	wait_until 1 no_socket
	run stop "$pid"
	[ "$status" = 137 ]
}

@test "a hanging node does not delay the end" {
	local c

	house --fault worker0=hang
	get /proxy2/demo_worker0/version -o /dev/null &
	c=$!
	# the simulator has the frontend's connection on that socket
	asked() { [ "$(grep -c "$(directories)/worker0.sock" /proc/net/unix)" -ge 2 ]; }
	wait_until 5 asked
	leaves_nothing TERM "$pid"
	wait "$c" || :
	run stop "$pid"
	[ "$status" = 0 ]
}

@test "a taken port is told with what to do" {
	start_peer
	fails_with 111 "$LMC" demo --port "$port"
	has "unable to listen on 127.0.0.1:$port: it is taken"
	has 'lmc demo --port 0'
}

@test "a directory that cannot be used is named" {
	TMPDIR=$PWD/nosuch fails_with 111 "$LMC" demo --port 0
	has "unable to use the directory $PWD/nosuch: No such file or directory"
	mkdir -p "$(printf 'x%.0s' {1..90})"
	TMPDIR=$PWD/$(printf 'x%.0s' {1..90}) fails_with 2 "$LMC" demo --port 0
	has 'set TMPDIR to a shorter directory'
}

@test "output that is lost is an error and ends everything" {
	export TMPDIR=$PWD
	lost() { "$LMC" demo --port 0 >/dev/full; }
	fails_with 111 lost
	has 'unable to write to standard output: No space left on device'
	[ -z "$(directories)" ]
}
