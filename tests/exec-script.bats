#!/usr/bin/env bats
# exec-script.bats - scripts inside nodes
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "a file, standard input and an expression are sent; each node answers" {
	house
	echo 'result = 42' >s.py
	fails_with 0 "$LMC" exec-script s.py -n worker0 -n worker1
	is 'NODE          RESULT
demo_worker0  42
demo_worker1  42'
	fails_with 0 "$LMC" exec-script - -n worker0 -o raw <s.py
	is 42
	shape exec-script s.py -n worker0
	picks 'a[0]["result"]' 42
}

@test "the upload is a part named script with a filename, its length known" {
	start_peer
	fails_with 0 "$LMC" exec-script -e '1 + 1' -n "$addr" -o raw
	has 'POST /run_script HTTP/1.1'
	has 'Content-Disposition: form-data; name="script"; filename="script.py"'
	has 'Content-Type: multipart/form-data; boundary='
	has 'Content-Length: '
	lacks 'Transfer-Encoding'
	has 'result = (
1 + 1
)'
}

@test "--arg values are Python literals that nothing in them can end" {
	local value=$'a\'b\\c\n"""; import os #\t\x7f é'

	start_peer
	"$LMC" exec-script -e x --arg "x=$value" --arg y=2 -n "$addr" -o raw >out
	python3 - out "$value" <<-'E'
	import ast, re, sys
	body = open(sys.argv[1], newline="").read()
	line = re.search(r"\r\n\r\n(x = .*)\n", body)[1]
	names = {}
	tree = ast.parse(line)
	assert len(tree.body) == 2
	for node in tree.body:
	    names[node.targets[0].id] = ast.literal_eval(node.value)
	assert names == {"x": sys.argv[2], "y": "2"}, names
	E
	fails_with 2 "$LMC" exec-script -e x --arg 'a b=1' -n "$addr"
	fails_with 2 "$LMC" exec-script -e x --arg 'class=1' -n "$addr"
	fails_with 2 "$LMC" exec-script -e x --arg 'novalue' -n "$addr"
}

@test "a disabled API says how it is enabled" {
	start demo --node "unix:$PWD/off.sock" --run-script off
	fails_with 1 "$LMC" exec-script -e 1 -n "$PWD/off.sock"
	has "run_script_api_enabled: true"
	has "LMCACHE_RUN_SCRIPT_API_ENABLED=true"
}

@test "several nodes need -a; no script or two are refused" {
	house
	fails_with 2 "$LMC" exec-script -e 1
	fails_with 2 "$LMC" exec-script -n worker0
	fails_with 2 "$LMC" exec-script f -e 1 -n worker0
	fails_with 2 "$LMC" exec-script /nosuch.py -n worker0
	fails_with 2 "$LMC" exec-script -e '' -n worker0
}

@test "a script of 100 MB is streamed in 16 MiB of address space" {
	case $LMC in */check/*) skip "a sanitizer needs its own memory" ;; esac
	cat >sink.py <<-'E'
	import os, socket
	s = socket.socket()
	s.bind(("127.0.0.1", 0))
	s.listen()
	os.write(9, b"127.0.0.1:%d\n" % s.getsockname()[1])
	os.close(9)
	c, _ = s.accept()
	data = c.recv(65536)
	head, _, rest = data.partition(b"\r\n\r\n")
	want = int([l for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")][0].split(b":")[1])
	n = len(rest)
	while n < want:
	    n += len(c.recv(1 << 20))
	c.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
	E
	launch python3 sink.py
	head -c 100000000 /dev/zero | tr '\0' '#' >big.py
	(
		ulimit -v 16384
		exec "$LMC" exec-script big.py -n "$addr" -o raw --timeout 60
	) >out
	[ "$(cat out)" = ok ]
}

@test "32 nodes take no more than 1.2 times the slowest" {
	local i args=() nodes=()

	for i in {0..31}; do
		args+=(--node "unix:$PWD/n$i.sock")
		nodes+=(-n "$PWD/n$i.sock")
	done
	start demo "${args[@]}" --fault slow --fault-delay 1s
	fails_with 99 timed 1 "$LMC" exec-script -e 1 "${nodes[@]}"
	fails_with 0 timed 1.2 "$LMC" exec-script -e 1 "${nodes[@]}"
}

@test "through a frontend it is the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" exec-script -e 7 -n demo_worker0 >direct || :
	"$LMC" exec-script -e 7 -n demo_worker0 --via "$url" >through || :
	diff direct through
}
