#!/usr/bin/env bats
# loglevel.bats - log levels listed, set, and surely set back
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

level() {
	"$LMC" loglevel "$1" -n "$2" -o json | python3 -c \
		'import json, sys; print(json.load(sys.stdin)[0]["loggers"][0]["level"])'
}

level_is() {
	[ "$(level "$1" "$2")" = "$3" ]
}

@test "all loggers of all nodes are listed, and filtered" {
	house
	fails_with 0 "$LMC" loglevel --filter CACHE_engine
	[ "${#lines[@]}" = 5 ]
	has "lmcache.v1.cache_engine  INFO"
	shape loglevel
}

@test "one logger is read and set" {
	house
	fails_with 0 "$LMC" loglevel lmcache.v1.cache_engine -n worker0
	has "lmcache.v1.cache_engine  INFO"
	fails_with 0 "$LMC" loglevel lmcache.v1.cache_engine debug -n worker0
	has "DEBUG  INFO"
	level_is lmcache.v1.cache_engine worker0 DEBUG
	level_is lmcache.v1.cache_engine worker1 INFO
	shape loglevel lmcache.v1.cache_engine error -n worker0
	picks 'a[0]["loggers"][0]["before"]' ERROR
}

@test "TRACE and OFF are refused with the levels that exist" {
	fails_with 2 "$LMC" loglevel lmcache TRACE -n /tmp/x
	has "CRITICAL, FATAL, ERROR, WARNING, WARN, INFO, DEBUG, NOTSET"
	fails_with 2 "$LMC" loglevel lmcache OFF -n /tmp/x
}

@test "setting on several nodes needs -a" {
	house
	fails_with 2 "$LMC" loglevel lmcache DEBUG
	fails_with 0 "$LMC" loglevel lmcache DEBUG -a
	level_is lmcache mp0 DEBUG
}

@test "--for sets back what was, on every node, and leaves no journal" {
	house
	export XDG_STATE_HOME=$PWD/state
	"$LMC" loglevel lmcache ERROR -n worker0
	fails_with 0 "$LMC" loglevel lmcache DEBUG -a --for 300ms
	level_is lmcache worker0 ERROR
	level_is lmcache worker1 NOTSET
	[ -z "$(ls state/lmc)" ]
}

@test "a signal sets back at once" {
	house
	export XDG_STATE_HOME=$PWD/state
	"$LMC" loglevel lmcache DEBUG -a --for 1h &
	wait_until 10 level_is lmcache worker1 DEBUG
	wait_until 10 level_is lmcache mp0 DEBUG
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" = 143 ]
	level_is lmcache worker1 NOTSET
	level_is lmcache mp0 NOTSET
	[ -z "$(ls state/lmc)" ]
}

@test "under nohup it stays until its time is over" {
	house
	nohup "$LMC" loglevel lmcache DEBUG -n worker0 --for 1h &
	wait_until 10 level_is lmcache worker0 DEBUG
	# SIGHUP, the first bit, is ignored, and what is ignored never arrives
	[ $((16#$(awk '/^SigIgn/ { print $2 }' "/proc/$!/status") & 1)) = 1 ]
	kill -TERM $!
	wait $! || :
	level_is lmcache worker0 NOTSET
}

@test "--restore finishes the job of one that was killed, not of one that runs" {
	house
	export XDG_STATE_HOME=$PWD/state
	"$LMC" loglevel lmcache DEBUG -a --for 1h &
	wait_until 10 level_is lmcache worker1 DEBUG
	wait_until 10 level_is lmcache mp0 DEBUG
	fails_with 0 "$LMC" loglevel --restore
	level_is lmcache worker1 DEBUG
	kill -KILL $!
	wait $! || :
	fails_with 0 "$LMC" loglevel --restore
	level_is lmcache worker1 NOTSET
	level_is lmcache mp0 NOTSET
	[ -z "$(ls state/lmc)" ]
}

@test "--restore tells what it set back and who is still at work" {
	local journal

	house
	export XDG_STATE_HOME=$PWD/state
	fails_with 0 "$LMC" loglevel --restore
	is ""
	"$LMC" loglevel lmcache DEBUG -n worker0 --for 1h &
	wait_until 10 level_is lmcache worker0 DEBUG
	fails_with 0 "$LMC" loglevel --restore
	has "process $! still runs"
	kill -KILL $!
	wait $! || :
	journal=$(echo state/lmc/*)
	cp "$journal" kept
	fails_with 0 "$LMC" loglevel --restore --no-headers
	has "demo_worker0  lmcache  NOTSET"
	# the number of a dead one that another process has now
	"$LMC" loglevel lmcache DEBUG -n worker0
	sed "s/\"pid\":[0-9]*/\"pid\":$$/" kept >"$journal"
	shape loglevel --restore || :
	level_is lmcache worker0 NOTSET
	[ -z "$(ls state/lmc)" ]
}

@test "two at once: what was before both comes back, not one's level for a while" {
	local first

	house
	export XDG_STATE_HOME=$PWD/state
	"$LMC" loglevel lmcache ERROR -n worker0
	"$LMC" loglevel lmcache DEBUG -n worker0 --for 1h &
	first=$!
	wait_until 10 level_is lmcache worker0 DEBUG
	"$LMC" loglevel lmcache CRITICAL -a --for 1h &
	wait_until 10 level_is lmcache worker0 CRITICAL
	# the first to end leaves it to the other, the last one sets back
	kill -TERM "$first"
	wait "$first" || :
	level_is lmcache worker0 CRITICAL
	kill -KILL $!
	wait $! || :
	# a killed one's level is not taken for what was before either
	fails_with 0 "$LMC" loglevel lmcache INFO -n worker0 --for 50ms
	level_is lmcache worker0 ERROR
	fails_with 0 "$LMC" loglevel --restore
	level_is lmcache worker0 ERROR
	level_is lmcache worker1 NOTSET
	[ -z "$(ls state/lmc)" ]
}

@test "one journal whose token is gone does not keep the others" {
	house
	export XDG_STATE_HOME=$PWD/state
	printf 'token' >tok
	start proxy --nodes "$LMC_NODES"
	"$LMC" loglevel lmcache DEBUG -n demo_worker0 --via "$url" --token-file tok --for 1h &
	wait_until 10 level_is lmcache worker0 DEBUG
	kill -KILL $!
	wait $! || :
	"$LMC" loglevel lmcache DEBUG -n worker1 --for 1h &
	wait_until 10 level_is lmcache worker1 DEBUG
	kill -KILL $!
	wait $! || :
	mv tok away
	fails_with 2 "$LMC" loglevel --restore
	has "unable to read the token"
	level_is lmcache worker1 NOTSET
	# from anywhere: its path is whole
	mv away tok
	mkdir sub
	(cd sub && "$LMC" loglevel --restore)
	level_is lmcache worker0 NOTSET
}

@test "a node that cannot be asked is told once, and with -q not at all" {
	house
	fails_with 3 "$LMC" loglevel lmcache INFO -n worker0 -n "$PWD/none"
	[ "$(grep -c "unable to reach" <<<"$output")" = 1 ]
	fails_with 3 "$LMC" loglevel lmcache INFO -n "$PWD/none" -q
	is ""
}

@test "a journal that is damaged is told, not guessed at" {
	export XDG_STATE_HOME=$PWD/state
	mkdir -p state/lmc
	printf '{"pid":' >state/lmc/loglevel-7.json
	fails_with 111 "$LMC" loglevel --restore
	has "unable to read"
	has "loglevel-7.json"
}

@test "a node that is away keeps the journal until it is back" {
	start demo --node "unix:$PWD/x.sock"
	export XDG_STATE_HOME=$PWD/state
	"$LMC" loglevel lmcache DEBUG -n "$PWD/x.sock" --for 1h &
	wait_until 10 level_is lmcache "$PWD/x.sock" DEBUG
	stop "$pid"
	kill -TERM $!
	wait $! || :
	[ -n "$(ls state/lmc)" ]
	fails_with 3 "$LMC" loglevel --restore
	start demo --node "unix:$PWD/x.sock"
	"$LMC" loglevel lmcache DEBUG -n "$PWD/x.sock"
	fails_with 0 "$LMC" loglevel --restore
	level_is lmcache "$PWD/x.sock" NOTSET
	[ -z "$(ls state/lmc)" ]
}

@test "nothing is set when a level could not be set back" {
	mkdir peer
	printf 'custom: Level 15' >peer/loglevel
	start_peer --dir peer --log log
	export XDG_STATE_HOME=$PWD/state
	fails_with 1 "$LMC" loglevel custom DEBUG -n "$addr" --for 1s
	has 'it could not be set back'
	no grep -q level=DEBUG log
}

@test "through a frontend and over TCP it is the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" loglevel >direct
	"$LMC" loglevel --via "$url" >through
	diff direct through
	fails_with 0 "$LMC" loglevel lmcache DEBUG --via "$url" -n demo_worker0 --for 300ms
	level_is lmcache worker0 NOTSET
}
