#!/usr/bin/env bats
# same.bats - every asking applet over sockets, over TCP and through a frontend
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

# Each line is one call; -a are the four nodes of both dialects. What a line
# changes, a later one changes back or no other looks at.
calls() {
	cat <<-'E'
	version -a
	version -a -o json
	nodes -o name
	call GET /inference_version -a
	call GET /nosuch -a
	call POST /conf {"min_retrieve_tokens":1} -n demo_worker0
	threads -a
	threads -a -o json
	threads -a --group
	threads -a --periodic
	threads -n demo_worker1 --name pin --stacks
	threads -a --sample 100ms --hz 10 --folded
	threads -a --diff 50ms
	loglevel -a
	loglevel lmcache DEBUG -a
	loglevel lmcache -a -o json
	loglevel lmcache NOTSET -a
	loglevel lmcache ERROR -a --for 50ms
	meta -a
	meta worker_id -a -o json
	inference -a
	inference version -a
	env -a
	env PATH -a -o json
	config -a
	config get chunk_size -a
	config diff -n demo_worker0 -n demo_worker1
	config set min_retrieve_tokens=5 -a
	config set min_retrieve_tokens=7 -n demo_worker0 -n demo_worker1 --canary 1 --verify 50ms -o json
	exec-script -e 7 -a
	exec-script -e 7 -a -o json
	cache checksums 0,[2,4] --chunk-size 2 -a
	cache store 0,512 -n demo_worker0
	cache retrieve 0,512 -n demo_worker0
	cache freeze on -a
	cache freeze -a
	cache freeze off -a
	cache hot-cache -a
	cache record on -n demo_worker0
	cache objects -n demo_mp0
	cache clear -a --yes
	backends -a
	backends bypass on RemoteBackend -a
	backends bypass -a
	backends bypass off RemoteBackend -a
	backends remove LocalDiskBackend -n demo_worker0 --yes
	backends add -n demo_worker0
	chunk-stats start -a
	chunk-stats -n demo_scheduler
	chunk-stats reset -n demo_scheduler --yes
	quota set alice 1.5 -a
	quota -a
	quota delete alice -a --yes
	quota delete alice -n demo_mp0 --yes
	lookup -a
	lookup create --dry-run -n demo_scheduler
	controller -a
	health -a
	health -a --deep -o json
	info -a
	info -a -o json
	metrics -a --drop-created
	metrics -a --summary -o json
	E
}

# The addresses in messages, what took how long, and the workload's numbers.
plain() {
	sed -E -e 's/ \((\/|via |[0-9.]+:|\[|unix:)[^)]*\)//g' -e '/socket_path_prefix/d' \
		-e 's/^(.* entries) .*/\1/' -e 's/"(seconds|timestamp)":[0-9.e-]+//g' -e 's/timestamp +[0-9.]+//' -e 's/ +/ /g' |
		case $1 in
		health) sed -E 's/healthy [0-9.]+/healthy/' ;;
		info | metrics | cache | chunk-stats) sed -E 's/[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?/N/g; s/N [KMG]?i?B/N/g' ;;
		threads) sed -E 's/[0-9.]+ s [0-9.]+ s [0-9]+ [0-9]+//' ;;
		*) cat ;;
		esac
}

# ask_all_of FILE ARGS...: the calls one after another, with statuses.
ask_all_of() {
	local file=$1 line status words

	shift
	while IFS= read -r line; do
		read -ra words <<<"$line"
		status=0
		"$LMC" "${words[@]}" "$@" </dev/null >one 2>&1 || status=$?
		echo "--- $line: $status"
		plain "${words[0]}" <one
	done < <(calls) >"$file"
}

alike() {
	diff "$1" "$2" >differs || { head -c 3000 differs; return 1; }
}

over_tcp() {
	local s w m

	start demo --role scheduler --node 127.0.0.1:0
	s=$port
	start demo --node 127.0.0.1:0 --node '[::1]:0'
	w=("${addrs[@]##*:}")
	start demo --dialect mp --node 127.0.0.1:0
	m=$port
	export LMC_NODES="[{\"name\":\"demo_scheduler\",\"host\":\"127.0.0.1\",\"port\":$s},
		{\"name\":\"demo_worker0\",\"host\":\"127.0.0.1\",\"port\":${w[0]}},
		{\"name\":\"demo_worker1\",\"host\":\"::1\",\"port\":${w[1]}},
		{\"name\":\"demo_mp0\",\"host\":\"127.0.0.1\",\"port\":$m}]"
}

@test "the list of calls has every applet that takes nodes" {
	local a

	for a in $("$LMC" --list); do
		[ "$a" = heartbeat ] && continue	# announces itself
		if "$LMC" "$a" --help | grep -q -- ' --via URL'; then
			calls | grep -q "^$a " || { echo "no call of $a"; return 1; }
		fi
	done
}

@test "all of them say the same over sockets, over TCP and through a frontend" {
	house
	ask_all_of sockets
	stop_all || :
	over_tcp
	ask_all_of tcp
	stop_all || :
	house
	start proxy --nodes "$LMC_NODES"
	unset LMC_NODES
	ask_all_of frontend --via "$url"
	alike sockets tcp
	alike sockets frontend
	# and it is about something: most calls work
	[ "$(grep -c '^--- .*: 0$' sockets)" -ge 30 ]
	grep -q '^demo_mp0' sockets
}

@test "JSON keeps its shape where nodes fail, in every applet" {
	local line words

	house
	start demo --node "unix:$PWD/five.sock" --fault 500
	while IFS= read -r line; do
		read -ra words <<<"$line"
		shape "${words[@]}" -n worker0 -n mp0 -n "$PWD/five.sock" -n "$PWD/none" ||
			{ echo "$line"; return 1; }
		picks '[r["node"].rsplit("/")[-1] for r in a if r["error"]][-2:]' "['five.sock', 'none']" ||
			{ echo "$line"; return 1; }
	done <<-'E'
	version
	call GET /version
	threads
	threads --periodic
	threads --diff 10ms
	loglevel
	loglevel lmcache INFO
	meta
	inference
	env
	config
	config set min_retrieve_tokens=5
	cache checksums 0,1 --chunk-size 2
	backends
	chunk-stats
	quota
	lookup
	controller
	exec-script -e 1
	health
	info
	E
}
