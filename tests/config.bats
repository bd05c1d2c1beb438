#!/usr/bin/env bats
# config.bats - the configuration of nodes
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

value() {
	"$LMC" config get "$1" -n "$2" -o json | python3 -c \
		'import json, sys; print(json.dumps(list(json.load(sys.stdin)[0]["config"].values())[0]))'
}

value_is() {
	local got

	got=$(value "$1" "$2")
	[ "$got" = "$3" ] && return
	echo "$1 of $2 is $got, not $3"
	return 1
}

@test "all keys and some, on both dialects, by their paths" {
	house
	fails_with 0 "$LMC" config -n worker0
	has "chunk_size"
	fails_with 0 "$LMC" config get chunk_size max_local_cpu_size -n worker0 --no-headers
	[ "${#lines[@]}" = 2 ]
	fails_with 0 "$LMC" config get mp.chunk_size -n mp0
	has "256"
	fails_with 1 "$LMC" config get nosuch -n worker0
	has "has no key nosuch"
	shape config
}

@test "set keeps the type of what is there and shows before and after" {
	house
	fails_with 0 "$LMC" config set min_retrieve_tokens=512 save_decode_cache=true -n worker0
	has "min_retrieve_tokens  0       512"
	value_is min_retrieve_tokens worker0 512
	value_is save_decode_cache worker0 true
	value_is min_retrieve_tokens worker1 0
	fails_with 0 "$LMC" config set max_local_cpu_size=6 -n worker0
	value_is max_local_cpu_size worker0 6.0
	shape config set min_retrieve_tokens=7 -n worker0
}

@test "a value of another type is refused before it is sent" {
	house
	fails_with 2 "$LMC" config set min_retrieve_tokens=many -n worker0
	has "min_retrieve_tokens is now a number: say one, not many"
	fails_with 2 "$LMC" config set min_retrieve_tokens=1.5 -n worker0
	fails_with 2 "$LMC" config set save_decode_cache=maybe -n worker0
	fails_with 2 "$LMC" config set pd_allocation_timeout_sec:=NaN -n worker0
	fails_with 2 "$LMC" config set novalue -n worker0
	fails_with 1 "$LMC" config set nosuch=1 -n worker0
	has "has no key nosuch"
	value_is min_retrieve_tokens worker0 0
	fails_with 0 "$LMC" config set 'min_retrieve_tokens:="x"' -n worker0
	value_is min_retrieve_tokens worker0 '"x"'
}

@test "a partial failure in a 200 body is a failure" {
	house
	fails_with 1 "$LMC" config set min_retrieve_tokens=5 lmcache_instance_id=x -n worker0
	has "lmcache_instance_id"
	has "not mutable"
	# what it took all the same is told as read back
	has "min_retrieve_tokens  0       5"
	value_is min_retrieve_tokens worker0 5
}

@test "options and keys that do not belong together are refused" {
	house
	fails_with 2 "$LMC" config get --canary 1
	fails_with 2 "$LMC" config diff --dry-run
	fails_with 2 "$LMC" config set min_retrieve_tokens=5 --verify 1s -n worker0
	has "--verify goes with --canary"
	fails_with 2 "$LMC" config set min_retrieve_tokens=5 min_retrieve_tokens=6 -n worker0
	has "min_retrieve_tokens is there twice"
	value_is min_retrieve_tokens worker0 0
}

@test "--dry-run tells and changes nothing, without -a" {
	house
	fails_with 1 "$LMC" config set min_retrieve_tokens=5 --dry-run
	has "demo_worker1    min_retrieve_tokens  0       5"
	value_is min_retrieve_tokens worker0 0
	fails_with 2 "$LMC" config set min_retrieve_tokens=5
}

@test "an MP server says that it can only be read" {
	house
	fails_with 1 "$LMC" config set chunk_size=5 -n mp0
	has "is an MP server: its configuration can be read but not set"
}

@test "diff names what differs from the first node, or from a file" {
	house
	fails_with 0 "$LMC" config diff -n worker0 -n "$PWD/w0.sock"
	"$LMC" config set min_retrieve_tokens=5 -n worker1
	fails_with 1 "$LMC" config diff -n worker0 -n worker1
	echo "$output" | grep -Eq "demo_worker1 +min_retrieve_tokens +5 +0"
	printf 'min_retrieve_tokens: 5\n' >f.yaml
	fails_with 0 "$LMC" config diff f.yaml -n worker1
	fails_with 1 "$LMC" config diff f.yaml -n worker0
	has "demo_worker0  min_retrieve_tokens  0      5"
	shape config diff -n worker0 -n worker1
	fails_with 1 "$LMC" config diff -n worker0 -n mp0
	is "lmc config: demo_mp0 ($PWD/mp.sock) is of another kind than the first node: compare those of one kind"
}

@test "export and apply keep a configuration in a file" {
	house
	"$LMC" config set min_retrieve_tokens=5 -n worker0
	"$LMC" config export -n worker0 >f.json
	"$LMC" config set min_retrieve_tokens=9 -n worker0
	fails_with 0 "$LMC" config apply f.json -n worker0
	has "min_retrieve_tokens  9       5"
	value_is min_retrieve_tokens worker0 5
	fails_with 0 "$LMC" config apply f.json -n worker0 --no-headers
	is ""
	fails_with 2 "$LMC" config export
	printf '{"a":' >bad.json
	fails_with 2 "$LMC" config apply bad.json -n worker0
	has "bad.json:1:6"
	printf '{"min_retrieve_tokens":NaN}' >nan.json
	fails_with 2 "$LMC" config apply nan.json -n worker0
	value_is min_retrieve_tokens worker0 5
}

@test "apply and diff take standard input; what they tell is one line" {
	house
	printf '{"extra_config": {\n  "a": 1,\n  "b": Infinity\n}}' >f.json
	"$LMC" config apply - -n worker0 --dry-run -o jsonl <f.json >o.jsonl
	[ "$(wc -l <o.jsonl)" = 1 ]
	grep -q '"after":{"a":1,"b":"Infinity"}' o.jsonl
	sed 's/Infinity/2/' f.json >g.json
	fails_with 0 "$LMC" config apply - -n worker0 <g.json
	"$LMC" config export -n worker0 >all.json
	fails_with 0 "$LMC" config diff - -n worker0 <all.json
}

@test "--canary changes the rest only after the first stayed healthy" {
	house
	fails_with 0 "$LMC" config set min_retrieve_tokens=5 -n worker0 -n worker1 \
		--canary 1 --verify 200ms
	value_is min_retrieve_tokens worker0 5
	value_is min_retrieve_tokens worker1 5
	fails_with 1 "$LMC" config set min_retrieve_tokens=6 -n worker0 -n mp0 --canary 1
	has "nothing was changed"
	value_is min_retrieve_tokens worker0 5
}

@test "--canary sets everything back when a later node fails" {
	house
	start demo --node "unix:$PWD/bad.sock" --fault 500 --fault-after 1
	fails_with 1 "$LMC" config set min_retrieve_tokens=5 -n worker0 -n worker1 \
		-n "$PWD/bad.sock" --canary 2 --verify 100ms
	has "what was changed is set back"
	value_is min_retrieve_tokens worker0 0
	value_is min_retrieve_tokens worker1 0
}

@test "--canary sets back when the first node becomes unhealthy, and leaves the others" {
	cat >node.py <<-'E'
	import http.server, json, os, sys
	conf = {"a": 1}
	class H(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def log_message(self, *args): pass
	    def do(self):
	        n = int(self.headers.get("content-length") or 0)
	        if self.command == "POST":
	            conf.update(json.loads(self.rfile.read(n)))
	            open("posts", "a").write("%d\n" % conf["a"])
	            answer = {"updated": conf}
	        elif self.path.startswith("/conf"):
	            answer = conf
	        else:
	            answer = {"healthy": conf["a"] == 1, "unhealthy_count": 0, "unhealthy_threads": []}
	        body = json.dumps(answer).encode()
	        self.send_response(200)
	        self.send_header("content-length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    do_GET = do_POST = do
	s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
	os.write(9, b"127.0.0.1:%d\n" % s.server_port)
	os.close(9)
	s.serve_forever()
	E
	launch python3 node.py
	fails_with 1 "$LMC" config set a=2 -n "$addr" --canary 1 --verify 5s
	[ "$(cat posts)" = $'2\n1' ]
	echo "$output" | grep -q "is unhealthy after the change"
}

@test "--canary sets back what it changed when it is interrupted" {
	house
	"$LMC" config set min_retrieve_tokens=5 -n worker0 -n worker1 --canary 1 --verify 1h 2>err &
	wait_until 10 value_is min_retrieve_tokens worker0 5
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	grep -q "interrupted: what was changed is set back" err
	value_is min_retrieve_tokens worker0 0
	value_is min_retrieve_tokens worker1 0
}

@test "what cannot be shown raw is refused" {
	house
	fails_with 2 "$LMC" config diff -n worker0 -n worker1 -o raw
	fails_with 2 "$LMC" config set min_retrieve_tokens=5 -n worker0 -o raw
	value_is min_retrieve_tokens worker0 0
	"$LMC" config get chunk_size -n worker0 -o raw | grep -q '"chunk_size": 256'
}

@test "through a frontend it is the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" config >direct
	"$LMC" config --via "$url" >through
	diff direct through
	fails_with 0 "$LMC" config set min_retrieve_tokens=3 -n demo_worker0 --via "$url"
	value_is min_retrieve_tokens worker0 3
}
