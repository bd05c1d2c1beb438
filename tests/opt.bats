#!/usr/bin/env bats
# opt.bats - one option table per applet, as seen from a shell
# SPDX-License-Identifier: Apache-2.0
#
# Every kind of row is tried in unit/test_opt.c; here the real applets' rows.

load lib

@test "an option's slip is named with the option that was meant" {
	fails_with 2 "$LMC" proxy --prot 1
	is 'lmc proxy: unknown option --prot; the nearest is --port'
}

@test "a number out of range is refused with the word and the range" {
	fails_with 2 "$LMC" proxy --port 65536
	is 'lmc proxy: --port: 65536 is out of range (0 to 65535)'
	fails_with 2 "$LMC" proxy --port=http
	is 'lmc proxy: --port: http is not a whole number'
	fails_with 2 "$LMC" proxy --port
	is 'lmc proxy: --port needs a value: PORT'
}

@test "a time that is none is refused with examples of one" {
	fails_with 2 "$LMC" proxy --grace 5x
	is 'lmc proxy: --grace: 5x is not a time (use 500ms, 5s, 10m, 1h)'
}

@test "a choice is held against its words" {
	fails_with 2 "$LMC" proxy --log-level debgu
	has 'lmc proxy: --log-level: debgu is not one of critical|'
	has '; the nearest is debug'
}

@test "an operand that nobody takes is refused" {
	fails_with 2 "$LMC" proxy 8080
	is 'lmc proxy: unexpected operand 8080; see lmc proxy --help'
}

@test "--help tells the default, not what the words before it set" {
	"$LMC" proxy --port 9 --grace 3s --help >after
	"$LMC" proxy --help >alone
	cmp after alone
	grep -q 'default 8000' alone
}

@test "--help wins over a wrong value before it, and nothing starts" {
	run timeout 10 "$LMC" proxy --port 99999 --help
	[ "$status" = 0 ]
	has 'Usage: lmc proxy'
}

@test "each kind of option has its form in the manual page" {
	"$LMC" help --man proxy | mandoc -Tutf8 -Owidth=200 | col -bx >page
	grep -qE '^ +-p, --port PORT$' page
	grep -qE '^ +--log-level critical\|error' page
	grep -qE 'default 8000\)' page
}
