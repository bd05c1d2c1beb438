#!/usr/bin/env bats
# version.bats - which LMCache the nodes run, and what every asking applet has
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "version of all nodes known is a table in the order of the list" {
	house
	fails_with 0 "$LMC" version
	[[ ${lines[0]} == NODE*VERSION*COMMIT*AGREES ]]
	[[ ${lines[1]} == demo_scheduler*0.3.10*simulated*yes ]]
	[[ ${lines[4]} == demo_mp0* ]]
}

@test "JSON has node, status, error and the promised members" {
	house
	shape version
	picks 'len(a), a[1]["node"], a[1]["version"], a[1]["error"]' \
		"(4, 'demo_worker0', '0.3.10', None)"
}

@test "one node is named by list name, by the end of it, by path and by address" {
	local n

	house
	for n in demo_worker0 worker0 "$PWD/w0.sock" "unix:$PWD/w0.sock"; do
		fails_with 0 "$LMC" version -n "$n" -o raw
		is '"0.3.10-simulated"'
	done
	start demo --node 127.0.0.1:0
	fails_with 0 "$LMC" version -n "$addr" -o raw
	is '"0.3.10-simulated"'
	fails_with 0 "$LMC" version -n "http://$addr" -o raw
	is '"0.3.10-simulated"'
	start demo --node '[::1]:0'
	fails_with 0 "$LMC" version -n "$addr" -o raw
	is '"0.3.10-simulated"'
}

@test "a name that no node has is a usage error" {
	house
	fails_with 2 "$LMC" version -n nosuch
	has "no node is named nosuch"
	fails_with 2 "$LMC" version -n a -a
}

@test "without any node it says what to do" {
	fails_with 2 "$LMC" version --nodes '[]'
	has "no node is known: the list names none; name one with -n"
}

@test "a node that is not there is 3, says why, and does not hide the others" {
	house
	fails_with 3 "$LMC" version -n worker0 -n "$PWD/none.sock"
	has "unable to reach $PWD/none.sock: No such file or directory"
	has "demo_worker0"
	fails_with 3 "$LMC" version -q -n "$PWD/none.sock"
	is ""
}

@test "a node that hangs is 5 after --timeout, and only it" {
	house
	start demo --node "unix:$PWD/h.sock" --fault hang
	fails_with 5 "$LMC" version -n worker0 -n "$PWD/h.sock" --timeout 300ms
	has "no answer from $PWD/h.sock within 300 ms"
	has "demo_worker0"
}

@test "jsonl does not wait for a slow node" {
	house
	start demo --node "unix:$PWD/h.sock" --fault slow --fault-delay 2s
	"$LMC" call GET /version -n "$PWD/h.sock" -n worker0 -o jsonl >o.jsonl &
	wait_until 10 grep -q worker0 o.jsonl
	no grep -q h.sock o.jsonl
	wait $!
	grep -q h.sock o.jsonl
}

@test "no applet holds a line back for a slow node with -o jsonl" {
	local args names pids=() i=0

	house
	start demo --node "unix:$PWD/h.sock" --fault slow --fault-delay 2s
	printf '{"chunk_size":256}' >conf.json
	while IFS= read -r names; do
		read -ra args <<<"$names"
		i=$((i + 1))
		"$LMC" "${args[@]}" -n "$PWD/h.sock" -n worker0 -o jsonl >o$i.jsonl 2>&1 &
		pids+=($!)
	done <<-'E'
	version
	health
	health --deep
	info
	threads
	threads --diff 100ms
	loglevel
	loglevel lmcache INFO
	config
	config diff conf.json
	config set min_retrieve_tokens=5
	exec-script -e 1
	meta
	env
	backends
	E
	for ((; i; i--)); do
		wait_until 10 grep -q worker0 o$i.jsonl
		no grep -q h.sock o$i.jsonl
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}"
		grep -q h.sock o$((i + 1)).jsonl
	done
}

@test "of several failures 4 is told before 2, 3, 5 and 1" {
	local no="$PWD/no.sock" hang="$PWD/hang.sock" gone="$PWD/gone.sock"

	house
	start demo --node "unix:$no" --fault 500
	start demo --node "unix:$hang" --fault hang
	launch python3 "$HERE/frontend.py" --token t
	fails_with 1 "$LMC" version -n worker0 -n "$no"
	fails_with 5 "$LMC" version -n "$no" -n "$hang" --timeout 300ms
	fails_with 3 "$LMC" version -n "$gone" -n "$no" -n "$hang" --timeout 300ms
	fails_with 2 "$LMC" config set min_retrieve_tokens=x -n worker0 -n "$gone" -n "$hang" --timeout 300ms
	fails_with 4 "$LMC" version -n "$hang" -n "$addr" -n "$gone" -n "$no" --timeout 300ms
	has "(HTTP 401)"
}

@test "--parallel is how many are asked at the same time" {
	local one all i words=()

	house
	start demo --node "unix:$PWD/a.sock" --node "unix:$PWD/b.sock" --node "unix:$PWD/c.sock" \
		--fault slow --fault-delay 500ms
	one=$EPOCHREALTIME
	"$LMC" version -n "$PWD/a.sock" -n "$PWD/b.sock" -n "$PWD/c.sock" >/dev/null
	all=$EPOCHREALTIME
	"$LMC" version -n "$PWD/a.sock" -n "$PWD/b.sock" -n "$PWD/c.sock" --parallel 1 >/dev/null
	awk -v a="$one" -v b="$all" -v c="$EPOCHREALTIME" 'BEGIN { exit !(b - a < 1.4 && c - b >= 1.5) }'
	for i in {1..60}; do words+=(-n "$PWD/w0.sock"); done
	(
		ulimit -n 40
		"$LMC" version --parallel 1000 "${words[@]}" >out
	)
	[ "$(wc -l <out)" = 61 ]
}

@test "every fault of a node is its own status" {
	local kind

	for kind in reset:3 truncate:3 garbage:3 500:1; do
		start demo --node "unix:$PWD/$kind.sock" --fault "${kind%:*}"
		fails_with "${kind#*:}" "$LMC" version -n "$PWD/$kind.sock"
	done
}

@test "--check is 1 when nodes disagree, and the table tells which" {
	house
	mkdir peer
	printf '"0.3.9-gabc"' >peer/version
	start_peer --dir peer --type application/json
	fails_with 0 "$LMC" version --check
	fails_with 1 "$LMC" version --check -n worker0 -n worker1 -n "$addr"
	has "0.3.9    gabc       no"
}

@test "through a frontend the output is the same as from the nodes" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" version >direct
	"$LMC" version --via "$url" >through
	diff direct through
	"$LMC" version --nodes "$url" >listed
	diff direct listed
	"$LMC" version --via "$url" -n demo_worker1 -o raw >one
	[ "$(cat one)" = '"0.3.10-simulated"' ]
	fails_with 1 "$LMC" version --via "$url" -n nosuch
	has "Node with name 'nosuch' not found"
}

@test "a dead node behind a frontend is 3 as if it were asked directly" {
	house
	start proxy --nodes "[{\"name\":\"gone\",\"host\":\"h\",\"port\":\"$PWD/none.sock\"}]"
	fails_with 3 "$LMC" version --via "$url"
}

@test "200 nodes take at most one and a half times one plus 200 ms" {
	local i args=()

	for i in {0..199}; do args+=(--node "unix:$PWD/n$i.sock"); done
	start demo "${args[@]}"
	python3 - "$LMC" "$PWD" <<-'E'
	import subprocess, sys, time
	def best(args):
	    def once():
	        t = time.perf_counter()
	        subprocess.run([sys.argv[1], "version", *args], check=True, stdout=subprocess.DEVNULL)
	        return time.perf_counter() - t
	    return min(once() for _ in range(5))
	one = best(["-n", sys.argv[2] + "/n0.sock"])
	all_ = best([w for i in range(200) for w in ("-n", sys.argv[2] + "/n%d.sock" % i)])
	print("one %.1f ms, 200 %.1f ms" % (one * 1e3, all_ * 1e3))
	sys.exit(all_ > 1.5 * one + 0.2)
	E
}

@test "one socket node: no slower than curl, 5 ms to start, 4 MiB of address space" {
	case $LMC in */check/*) skip "a sanitizer needs its own time and memory" ;; esac
	start demo --node "unix:$PWD/w.sock"
	(
		ulimit -v 4096
		"$LMC" version -n "$PWD/w.sock"
		"$LMC" loglevel -n "$PWD/w.sock"
		"$LMC" metrics -n "$PWD/w.sock"
	) >/dev/null
	python3 - "$LMC" "$PWD/w.sock" <<-'E'
	import subprocess, sys, time
	def once(args):
	    t = time.perf_counter()
	    subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
	    return time.perf_counter() - t
	def medians(*commands):
	    rounds = [[once(c) for c in commands] for _ in range(31)]
	    return [sorted(times)[15] * 1000 for times in zip(*rounds)]
	curl = ["curl", "-s", "--unix-socket", sys.argv[2]]
	worst = 0
	for applet in ("version", "loglevel", "metrics"):
	    path = "/" + applet
	    ours, theirs = medians([sys.argv[1], applet, "-n", sys.argv[2]], [*curl, "http://localhost" + path])
	    print("%s: lmc %.2f ms, curl %.2f ms" % (path, ours, theirs))
	    worst = max(worst, ours / theirs)
	start, = medians([sys.argv[1], "version", "-n", "/nowhere.sock"])
	print("start %.2f ms" % start)
	sys.exit(worst > 1 or start > 5)
	E
}
