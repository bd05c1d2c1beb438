#!/usr/bin/env bats
# env.bats - environment variables, secrets masked
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "secrets are masked by name and by look, in every form" {
	mkdir peer
	printf '{"A_TOKEN":"abc","db_password":"x","PLAIN":"v","URL":"redis://u:p@h/0","X":"hf_abcdef","EMPTY_KEY":"","BAD":"\\udce9"}' >peer/env
	start_peer --dir peer --type text/plain
	fails_with 0 "$LMC" env -n "$addr"
	lacks abc
	lacks "u:p"
	has "PLAIN        v"
	shape env -n "$addr"
	picks 'sorted(k for k, v in a[0]["env"].items() if v == "********")' \
		"['A_TOKEN', 'URL', 'X', 'db_password']"
	printf '{"DB_PASS":"s1","MYSQL_PWD":"s2","PWD":"/home","OPTS":"host=a password=s3","JAVA":"-Dapi-key=s4","Q":"http://h/?token=s5","MODE":"a=b","ARGS":"serve --api-key s6","JS":"{\\"token\\":\\"s7\\"}"}' >peer/env
	fails_with 0 "$LMC" env -n "$addr"
	no grep -q 's[1-7]' <<<"$output"
	has "PWD        /home"
	has "a=b"
	fails_with 2 "$LMC" env -n "$addr" -o raw
	fails_with 0 "$LMC" env -n "$addr" --show-secrets
	has "password=s3"
}

@test "names choose, on both dialects" {
	house
	fails_with 0 "$LMC" env HOME --no-headers
	[ "${#lines[@]}" = 4 ]
}
