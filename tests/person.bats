#!/usr/bin/env bats
# person.bats - what a person at a terminal is told and asked
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

person() {
	python3 "$HERE/person.py" "$@"
}

@test "what destroys asks a person, and does nothing unless the word is yes" {
	house
	fails_with 1 person --answer no "$LMC" cache clear -n worker0
	has "This will clear the cache. Type yes to go on: "
	has "nothing was done"
	fails_with 0 person --answer yes "$LMC" cache clear -n worker0
	has "num_removed"
	fails_with 0 person "$LMC" cache clear -n worker0 --yes
	lacks "Type yes"
	for words in "backends remove LocalDiskBackend" "chunk-stats reset" "lookup close" "quota delete a"; do
		# shellcheck disable=SC2086 # they are words
		fails_with 1 person --answer "" "$LMC" $words -n worker0
		has "Type yes"
	done
	fails_with 0 "$LMC" backends -n worker0
	has LocalDiskBackend
}

@test "progress is shown when it takes over a second, is wiped, and is on the terminal only" {
	house
	start demo --node "unix:$PWD/slow.sock" --fault slow --fault-delay 1500ms
	fails_with 0 person "$LMC" call GET /version -n worker0 -n "$PWD/slow.sock" 2>err
	has $'\rlmc call: 1 of 2 answered '
	has $'\r\033[K'
	person "$LMC" call GET /lmc_version -n worker0 -n "$PWD/slow.sock" -o raw >out 2>/dev/null
	[ "$(cat out)" = '"0.3.10""0.3.10"' ]
	fails_with 0 person "$LMC" version -n worker0
	lacks $'\r\033'
	fails_with 0 person "$LMC" version -q -n "$PWD/slow.sock"
	lacks answered
	fails_with 0 "$LMC" version -n "$PWD/slow.sock"
	lacks answered
}

@test "who waits on purpose says how long" {
	house
	fails_with 0 person "$LMC" threads --sample 1500ms --folded -n worker0
	has $'\rlmc threads: 1 s to go'
	fails_with 0 person "$LMC" loglevel lmcache DEBUG -n worker0 --for 1500ms
	has "s to go"
	fails_with 130 person --signal SIGINT "s to go" "$LMC" loglevel lmcache DEBUG -n worker0 --for 1h
	fails_with 0 "$LMC" loglevel lmcache -n worker0
	has NOTSET
}

@test "colour is for a terminal, unless NO_COLOR says no" {
	house
	fails_with 0 "$LMC" version
	lacks $'\033'
	fails_with 0 "$LMC" version --color always
	has $'\033[1m'
	run script -qec "$LMC version -n worker0" /dev/null
	has $'\033[1m'
	NO_COLOR=1 run script -qec "$LMC version -n worker0" /dev/null
	lacks $'\033'
}
