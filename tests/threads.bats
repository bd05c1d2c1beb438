#!/usr/bin/env bats
# threads.bats - stacks of nodes: listed, grouped, sampled, compared
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "each thread is a row with its innermost frame" {
	house
	fails_with 0 "$LMC" threads -n worker0 --name pinmon
	[ "${#lines[@]}" = 2 ]
	has "PinMonitor-thread  started daemon"
	has "wait (threading.py:324)"
	shape threads
	fails_with 0 "$LMC" threads -n worker0 --name pinmon -s
	has '_run_loop  /opt/venv/lib/python3.11/site-packages/lmcache/v1/periodic_thread.py:341'
}

@test "--id asks for one thread" {
	local id

	house
	id=$("$LMC" threads -n worker0 -o json | python3 -c \
		'import json, sys; print(json.load(sys.stdin)[0]["threads"][2]["id"])')
	fails_with 0 "$LMC" threads -n worker0 --id "$id" --no-headers
	[ "${#lines[@]}" = 1 ]
	has "$id"
}

@test "--group counts identical stacks over threads and nodes, biggest first" {
	house
	shape threads --group -n worker0 -n worker1
	picks 'a[0]["count"]' 8
	picks '[g["count"] for g in a] == sorted((g["count"] for g in a), reverse=True)' True
	picks 'sum(g["count"] for g in a)' 22
	fails_with 0 "$LMC" threads --group -n worker0 -n worker1
	[[ ${lines[0]} == "8 threads: demo_worker0/PinMonitor-thread, "* ]]
}

@test "--sample counts stacks over time, --folded is a line for each" {
	house
	fails_with 0 "$LMC" threads --sample 500ms --hz 20 --folded -n worker0
	python3 - "$output" <<-'E'
	import re, sys
	lines = sys.argv[1].splitlines()
	assert all(re.fullmatch(r"[^ ]+(;[^ ]+)+ \d+", l) for l in lines), lines
	total = sum(int(l.rsplit(" ", 1)[1]) for l in lines)
	assert 5 * 11 <= total <= 12 * 11 and total % 11 == 0, total
	E
	fails_with 0 "$LMC" threads --sample 200ms --hz 10 -n worker0
	has "samples ("
}

twice() {
	[ "$(grep -c threads "$1" 2>/dev/null)" -ge 2 ] 2>/dev/null
}

@test "--sample shows what it has when it is interrupted, and waits for nobody" {
	mkdir peer
	printf 'Thread: <Thread(writer, started 1)>\nStack trace:\n  File "/a/disk.py", line 7, in write\n    f.write(x)\n' >peer/threads
	start demo --node "unix:$PWD/hang.sock" --fault hang
	start_peer --dir peer --log log
	"$LMC" threads --sample 1h --folded -n "$addr" -n "$PWD/hang.sock" >out &
	# the first answer is there when the second is asked for
	wait_until 10 twice log
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	grep -q ';writer;' out
}

@test "--diff names what did not move and what did" {
	mkdir peer
	cat >peer/threads <<-'E'
	Thread: <Thread(stuck, started daemon 1)>
	Stack trace:
	  File "/a/x.py", line 7, in acquire
	    lock.acquire()


	Thread: <Thread(busy, started 2)>
	Stack trace:
	  File "/a/y.py", line 1, in run
	    a()


	=== Thread Summary ===
	Total threads: 2
	E
	start_peer --dir peer --log log
	"$LMC" threads --diff 1s -n "$addr" >table &
	wait_until 10 grep -q /threads log
	sed 's/line 1,/line 2,/' peer/threads >peer/new
	mv peer/new peer/threads
	wait $!
	grep -q "stuck   stuck for 1 s in  acquire (x.py:7)" table
	grep -Eq "busy +moved +run .y.py:2. +run .y.py:1." table
	shape threads --diff 100ms -n "$addr"
	picks '[t["change"] for t in a[0]["threads"]]' "['stuck', 'stuck']"
}

@test "a node that hangs takes no samples from the others, and is told once" {
	house
	start demo --node "unix:$PWD/h.sock" --fault hang
	fails_with 5 "$LMC" threads --sample 1s --hz 10 --folded -n worker0 -n "$PWD/h.sock" --timeout 300ms
	[ "$(grep -c 'no answer from' <<<"$output")" = 1 ]
	grep -Eq '^demo_worker0;MainThread;.* ([89]|10|11)$' <<<"$output"
	fails_with 3 "$LMC" threads --sample 200ms --hz 10 -n "$PWD/none" -o json
	has '"error":"unable to reach'
}

@test "--diff compares each node's own two dumps, however slow another is" {
	house
	start demo --node "unix:$PWD/h.sock" --fault hang
	fails_with 3 "$LMC" threads --diff 100ms -n "$PWD/h.sock" -n worker0 -n "$PWD/none" --timeout 400ms -q
	fails_with 5 "$LMC" threads --diff 100ms -n "$PWD/h.sock" -n worker0 --timeout 400ms
	has "no answer from"
	grep -Eq 'demo_worker0 +MainThread +stuck for 0.1 s in ' <<<"$output"
	shape threads --diff 50ms -n worker0 -n "$PWD/none"
}

@test "--periodic shows health as LMCache judges it" {
	house
	fails_with 0 "$LMC" threads --periodic -n worker0
	has "PinMonitor-thread              high      good"
	has "stopped"
	fails_with 0 "$LMC" threads --periodic --level critical -n worker0 --no-headers
	[ "${#lines[@]}" = 1 ]
	shape threads --periodic
}

@test "options that contradict each other are refused" {
	fails_with 2 "$LMC" threads --group --diff 1s -n /x
	fails_with 2 "$LMC" threads --folded -n /x
	fails_with 2 "$LMC" threads --level low -n /x
	fails_with 2 "$LMC" threads --group -o raw -n /x
}

@test "through a frontend it is the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" threads --name monitor >direct
	"$LMC" threads --name monitor --via "$url" >through
	diff direct through
}
