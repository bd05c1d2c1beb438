#!/usr/bin/env bats
# replay.bats - what real LMCache code answered, played back byte for byte
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib

replay() {
	python3 "$HERE/replay.py" "$1" "$HERE/replay.cases"
}

@test "every recorded answer through its applet gives what it says" {
	replay cases
}

@test "every recorded answer comes out of lmc call byte for byte" {
	replay every
}

@test "an answer cut off anywhere is 3 and said to be broken, every recording" {
	replay cut
}

@test "a late answer is 5 after --timeout" {
	replay late
}

@test "an answer in small pieces is as good as a whole one" {
	replay slow
}

@test "a garbled answer is never a crash, a hang or output that is not JSON" {
	replay garble
}
