# house.bash - simulated nodes for the tests of applets that ask nodes
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# house: a scheduler, two workers and an MP server on UNIX sockets in the
# test's directory, and nodes.json with all of them as $LMC_NODES.

house() {
	start demo --role scheduler --node "unix:$PWD/s.sock" "$@"
	start demo --node "unix:$PWD/w0.sock" --node "unix:$PWD/w1.sock" "$@"
	start demo --dialect mp --node "unix:$PWD/mp.sock" "$@"
	cat >nodes.json <<-E
	[{"name":"demo_scheduler","host":"h","port":"$PWD/s.sock"},
	 {"name":"demo_worker0","host":"h","port":"$PWD/w0.sock"},
	 {"name":"demo_worker1","host":"h","port":"$PWD/w1.sock"},
	 {"name":"demo_mp0","host":"h","port":"$PWD/mp.sock"}]
	E
	export LMC_NODES=$PWD/nodes.json
}

# shape NAME ARGS...: the applet's JSON is of the promised shape, in both
# forms; $output is the array.
shape() {
	local name=$1

	"$LMC" "$@" -o jsonl -q >shape.jsonl || :
	python3 "$HERE/schema.py" "$HERE/../docs/schema/$name.json" --lines <shape.jsonl ||
		return
	run --separate-stderr "$LMC" "$@" -o json
	python3 "$HERE/schema.py" "$HERE/../docs/schema/$name.json" <<<"$output"
}

# pick EXPRESSION: of the array in $output, as Python sees it in `a`.
pick() {
	python3 -c 'import json, sys
a = json.loads(sys.argv[1])
print(eval(sys.argv[2]))' "$output" "$1"
}

# picks EXPRESSION VALUE: that is it.
picks() {
	local got

	got=$(pick "$1") || return
	[ "$got" = "$2" ] && return
	printf '%s is %s, not %s, in:\n%s\n' "$1" "$got" "$2" "$output"
	return 1
}
