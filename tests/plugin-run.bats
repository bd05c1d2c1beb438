#!/usr/bin/env bats
# plugin-run.bats - plugins supervised: none lost, none left behind
# SPDX-License-Identifier: Apache-2.0
#
# LMC_FULL=1 runs the repeated tests as often as the promises are given: 20
# times instead of 3.

bats_require_minimum_version 1.5.0
load lib

plugin() {
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "${@:2}" >"$1"
}

# run_plugins ARGS...: in the background, $pid and $log set, started.
run_plugins() {
	launch env TAG="$BATS_TEST_TMPDIR" "$LMC" plugin-run --ready-fd 9 "$@"
}

# tagged: the pids of everything that was started in this test, lmc left out.
tagged() {
	python3 - "$BATS_TEST_TMPDIR" "$LMC" <<-'E'
	import os, sys
	tag, lmc = sys.argv[1].encode(), os.path.realpath(sys.argv[2])
	for p in filter(str.isdigit, os.listdir("/proc")):
	    try:
	        env = open("/proc/%s/environ" % p, "rb").read()
	        if b"TAG=" + tag + b"\0" in env and os.readlink("/proc/%s/exe" % p) != lmc:
	            print(p)
	    except OSError:
	        pass
	E
}

tagged_is() {
	[ "$(tagged | wc -l)" = "$1" ]
}

log_has() {
	grep -qF -- "$1" "$log"
}

log_count() {
	[ "$(grep -cF -- "$1" "$log")" -ge "$2" ]
}

# $pid is the guardian, whose child is the warden, whose child the supervisor.
supervisor() {
	pgrep -P "$(warden)" -x "${LMC##*/}"
}

warden() {
	pgrep -P "$pid" -x plugin-warden
}

@test "plugins run by the rules, their streams apart, a line with a prefix each" {
	plugin p/worker_1_x.sh 'echo out; echo err >&2; printf unfinished'
	plugin p/worker_2_x.sh 'echo wrong'
	run "$LMC" plugin-run --role worker --worker-id 1 --until-done p
	[ "$status" = 0 ]
	has "[worker_1_x.sh] out"
	has "[worker_1_x.sh]! err"
	has "[worker_1_x.sh] unfinished"
	has "[worker_1_x.sh]* exited with code 0"
	lacks wrong
}

@test "a plugin sees both families of variables, PYTHONUNBUFFERED and its own file" {
	plugin p/x.sh 'env | grep -E "LMC|PYTHONUN" | sort'
	plugin c.yaml 'extra_config: {a: 1}'
	run "$LMC" plugin-run --role worker --worker-id 3 --worker-count 8 --config c.yaml --until-done p
	has "LMCACHE_PLUGIN_ROLE=worker"
	has "LMCACHE_RUNTIME_PLUGIN_ROLE=worker"
	has "LMCACHE_RUNTIME_PLUGIN_WORKER_ID=3"
	has "LMCACHE_RUNTIME_PLUGIN_WORKER_COUNT=8"
	has "LMCACHE_RUNTIME_PLUGIN_EXTRA_CONFIG={"
	has "PYTHONUNBUFFERED=1"
	has "LMC_PLUGIN_FILE=p/x.sh"
}

@test "a configuration longer than a variable may be is given as a file, gone at the end" {
	python3 -c 'import json
json.dump({"note": "x" * 200000}, open("c.json", "w"))'
	plugin p/x.sh 'echo "file=$LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE"' \
		'wc -c <"$LMCACHE_RUNTIME_PLUGIN_CONFIG_FILE"' \
		'echo "var=${LMCACHE_RUNTIME_PLUGIN_CONFIG-unset}"'
	run "$LMC" plugin-run --config c.json --until-done p
	has "[x.sh] file=/tmp/lmc-plugin-config-"
	has "[x.sh] 2000"
	has "[x.sh] var=unset"
	no test -e "$(sed -n 's/.*file=//p' <<<"$output")"
	run "$LMC" plugin-run --strict-upstream runtime_str --list --config c.json p
	has "Argument list too long"
}

@test "--clean-env gives only what is needed and what is named" {
	plugin p/x.sh env
	SECRET=1 WANTED=2 run "$LMC" plugin-run --clean-env --pass-env WANTED --until-done p
	lacks SECRET
	has "WANTED=2"
	has "PATH="
	has "LMCACHE_PLUGIN_ROLE="
	SECRET=1 run "$LMC" plugin-run --until-done p
	has "SECRET=1"
}

@test "the main command gets signals, and its status is ours" {
	plugin p/x.sh 'trap "echo plugin told; exit" TERM' 'echo up' 'while :; do sleep 0.05; done'
	plugin main.sh 'trap "echo main told; exit 7" USR1' 'while :; do sleep 0.05; done'
	run_plugins p -- bash main.sh
	wait_until 10 log_has "[x.sh] up"
	kill -USR1 "$pid"
	wait_until 10 gone "$pid"
	run wait "$pid"
	[ "$status" = 7 ]
	grep -q "main told" "$out"
	log_has "[x.sh] plugin told"
	tagged_is 0
}

@test "a main command killed by a signal makes 128 plus its number" {
	run "$LMC" plugin-run -- sh -c 'kill -SEGV $$'
	[ "$status" = 139 ]
	run "$LMC" plugin-run -- sh -c 'exit 42'
	[ "$status" = 42 ]
	run -127 "$LMC" plugin-run -- /no/such/command
	[ "$status" = 127 ]
}

@test "who ignores SIGTERM is killed when its grace is over, with its whole family" {
	plugin p/x.sh '# lmc: grace=200ms' "trap '' TERM" '(setsid sh -c "sleep 1000; :" &)' \
		'sleep 1000 & echo up; while :; do sleep 1000; done'
	plugin p/y.sh 'echo up; exec sleep 1000'
	run_plugins --grace 30s p
	wait_until 10 log_count "] up" 2
	start=$(date +%s%N)
	kill "$pid"
	wait_until 10 gone "$pid"
	[ $((($(date +%s%N) - start) / 1000000)) -lt 5000 ]
	log_has "[x.sh]* did not end within its grace: killed"
	log_has "[y.sh]* was killed by SIGTERM"
	tagged_is 0
}

@test "SIGTERM to each of its processes, as service managers send it, is one: there is grace" {
	plugin p/x.sh "trap 'sleep 0.5; echo in good order; exit 0' TERM" 'echo up' \
		'while :; do sleep 0.05; done'
	run_plugins p
	wait_until 10 log_has "[x.sh] up"
	# shellcheck disable=SC2046 # three
	kill -TERM "$pid" $(warden) $(supervisor)
	wait_until 10 gone "$pid"
	log_has "[x.sh] in good order"
	# a second one, later, hurries
	plugin p/x.sh "trap '' TERM" 'echo up again; while :; do sleep 0.05; done'
	run_plugins --grace 60s p
	wait_until 10 log_has "up again"
	wait_until 5 told_until_gone
}

told_until_gone() {
	kill "$pid"
	gone "$pid"
}

# The plugin of the promise: gets away twice, ignores SIGTERM, floods.
runaway() {
	plugin "$1" '#!/bin/bash' "trap '' TERM HUP INT" \
		'(setsid bash -c "trap \"\" TERM; (setsid bash -c \"trap \\\"\\\" TERM; head -c 10000000 /dev/zero | tr \\\\\\\\0 x | fold -w 99; exec sleep 1000\" &)" &)' \
		'exec sleep 1000'
}

killed_hard() {
	local runs=3 i victim n

	[ -z "${LMC_FULL:-}" ] || runs=20
	for i in {1..50}; do runaway "p/all_$i.sh"; done
	for ((i = 0; i < runs; i++)); do
		run_plugins p
		# every one has got away: its second session is there
		wait_until 60 tagged_at_least 100
		case $1 in
		guardian) victim=$pid ;;
		supervisor) victim=$(supervisor) ;;
		warden) victim=$(warden) ;;
		both) victim="$pid $(supervisor)" ;;
		upper) victim="$pid $(warden)" ;;
		lower) victim="$(warden) $(supervisor)" ;;
		esac
		# shellcheck disable=SC2086 # one or two
		kill -KILL $victim
		sleep 1
		n=$(tagged | wc -l)
		[ "$n" = 0 ] || { echo "run $i: $n left"; return 1; }
		wait "$pid" || :
	done
	echo "# $1 killed: none left after 1 s, $runs runs of $runs" >&3
}

tagged_at_least() {
	[ "$(tagged | wc -l)" -ge "$1" ]
}

@test "kill -9 of plugin-run leaves none of 50 runaway plugins after 1 s" {
	killed_hard guardian
}

@test "kill -9 of the supervisor below it leaves none either" {
	killed_hard supervisor
}

@test "kill -9 of the warden between them leaves none either" {
	killed_hard warden
}

@test "kill -9 of guardian and supervisor at once leaves none either" {
	killed_hard both
}

@test "kill -9 of guardian and warden at once leaves none either" {
	killed_hard upper
}

@test "kill -9 of warden and supervisor at once leaves none either" {
	killed_hard lower
}

@test "killall -9 of everything named lmc leaves nothing, the warden last" {
	local w all

	plugin p/x.sh '(setsid sleep 1000 &)' 'exec sleep 1000'
	run_plugins p
	wait_until 10 tagged_is 2
	w=$(warden)
	[ "$(tr '\0' ' ' <"/proc/$w/cmdline" | tr -d ' ')" = plugin-warden ]
	# as killall would find them, but ours alone
	all=$(pgrep -x "${LMC##*/}" | grep -xE "$pid|$(supervisor)|$w")
	[ "$(wc -w <<<"$all")" = 2 ]
	# shellcheck disable=SC2086 # two
	kill -KILL $all
	wait_until 2 tagged_is 0
	wait_until 5 gone "$w"
}

@test "kill -9 of all that is named lmc ends who got away without environment and cgroup too" {
	local secs=1000.$RANDOM$RANDOM

	plugin p/x.sh "env -i setsid -f sh -c 'trap \"\" TERM; sleep $secs; :'" 'exec sleep 1000'
	run_plugins --cgroup none p
	wait_until 10 sleeps 1
	# shellcheck disable=SC2046 # two
	kill -KILL "$pid" $(supervisor)
	wait_until 1 sleeps 0
	tagged_is 0
}

@test "in a PID namespace kill -9 of every process of lmc at once leaves nothing" {
	local secs=1000.$RANDOM$RANDOM all

	unshare -pf --mount-proc --kill-child true 2>/dev/null || skip "no PID namespace here"
	plugin p/x.sh "env -i setsid -f sleep $secs" "exec sleep $secs"
	launch unshare -pf --mount-proc --kill-child "$LMC" plugin-run --cgroup none --ready-fd 9 p
	wait_until 10 sleeps 2
	all=$(pgrep -P "$pid")
	kill -KILL "$pid" "$all"
	wait_until 1 sleeps 0
}

@test "kill -9 of guardian and supervisor ends the main command as well, and what got away from it" {
	plugin main.sh '(setsid sleep 1000 &)' 'sleep 1000 & echo up; wait'
	run_plugins -- bash main.sh
	wait_until 10 tagged_is 3
	# shellcheck disable=SC2046 # two
	kill -KILL "$pid" $(supervisor)
	wait_until 2 tagged_is 0
}

@test "as PID 1 it reaps 10,000 orphans and leaves no zombie" {
	unshare -pf --mount-proc true 2>/dev/null || skip "no PID namespace here"
	# each subshell ends before the process it left behind
	plugin orphans.sh 'i=0' 'while [ $i -lt 10000 ]; do (: & :); i=$((i+1)); done' \
		'n=0' 'while set -- /proc/[0-9]*; [ $# -gt 2 ] && [ $n -lt 200 ]; do' \
		'	n=$((n + 1)); sleep 0.1; done' \
		'echo "left $# processes below pid $PPID"' \
		'read -r _ last <<-X' '	$(cut -d" " -f 5 /proc/loadavg | sed s/^/x\ /)' 'X' \
		'[ "$last" -gt 20000 ] && echo "20,000 pids were used"'
	run unshare -pf --mount-proc "$LMC" plugin-run -- sh orphans.sh
	[ "$status" = 0 ]
	has "left 2 processes below pid 1"
	has "20,000 pids were used"
}

# cgroup_here: sets $top to a cgroup v2 directory that we may make groups in.
cgroup_here() {
	for top in /sys/fs/cgroup /sys/fs/cgroup/unified; do
		[ "$(stat -fc %T "$top" 2>/dev/null)" = cgroup2fs ] || continue
		top=$top$(sed -n 's/^0:://p' /proc/self/cgroup)
		top=${top%/}
		[ ! -w "$top" ] || return 0
	done
	skip "no writable cgroup v2 here"
}

its_cgroup() {
	curl -s --unix-socket s http://localhost/plugins |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["cgroup"])'
}

sleeps() {
	[ "$(pgrep -cxf "sleep $secs")" = "$1" ]
}

@test "who cleared its environment is found by its cgroup: at --stop, kill -9, the end" {
	cgroup_here
	secs=1000.$RANDOM$RANDOM
	plugin p/a.sh '# lmc: grace=200ms' "env -i setsid -f bash -c 'trap \"\" TERM; sleep $secs; :'" \
		'echo up; exec sleep 1000'
	run_plugins --status "unix:$PWD/s" p
	wait_until 10 sleeps 1
	ps_row a.sh 'r["processes"] == 3'
	top=$(its_cgroup)
	[ "$(wc -l <"$top/1/cgroup.procs")" = 3 ]
	"$LMC" plugin-run --status "unix:$PWD/s" --stop a.sh
	wait_until 10 ps_row a.sh 'r["state"] == "stopped"'
	sleeps 0
	"$LMC" plugin-run --status "unix:$PWD/s" --restart-now a.sh
	wait_until 10 sleeps 1
	# shellcheck disable=SC2046 # two
	kill -KILL "$pid" $(supervisor)
	wait_until 2 sleeps 0
	wait_until 5 no test -e "$top"
	run_plugins --status "unix:$PWD/s" p
	wait_until 10 sleeps 1
	top=$(its_cgroup)
	test -d "$top"
	stop "$pid"
	sleeps 0
	no test -e "$top"
}

@test "alone in its cgroup it makes room: a group with members can limit no child" {
	cgroup_here
	mkdir "$top/lmc.test.$$"
	plugin p/a.sh 'echo up; exec sleep 1000'
	plugin start.sh "echo \$\$ >$top/lmc.test.$$/cgroup.procs" 'exec "$@"'
	launch bash start.sh "$LMC" plugin-run --ready-fd 9 p
	wait_until 10 log_has "] up"
	[ ! -s "$top/lmc.test.$$/cgroup.procs" ]
	grep -qE "/lmc.test.$$/lmc$" "/proc/$pid/cgroup"
	stop "$pid"
	rmdir "$top/lmc.test.$$/lmc" "$top/lmc.test.$$"
}

@test "memory= and procs= are a cgroup's where it has the controllers (a made-up one)" {
	mkdir cg
	plugin p/a.sh '# lmc: memory=64M procs=50 grace=100ms' "trap '' TERM" \
		'ulimit -v; echo up; while :; do sleep 0.1; done'
	plugin p/b.sh 'exec sleep 1000'
	LMC_FAKE_CGROUP=1 run_plugins --cgroup "$PWD/cg" p
	wait_until 10 log_has "[a.sh] up"
	log_has "[a.sh] unlimited"
	no log_has setrlimit
	cd cg/lmc-*
	# written without truncation, as one does there: the second over the first
	[ "$(cat ../cgroup.subtree_control)" = "+pidsry" ]
	[ "$(cat cgroup.subtree_control)" = "+pidsry" ]
	[ "$(cat 1/memory.max)" = 67108864 ]
	[ "$(cat 1/memory.swap.max)" = 0 ]
	[ "$(cat 1/memory.oom.group)" = 1 ]
	[ "$(cat 1/pids.max)" = 50 ]
	[ "$(cat 1/cgroup.procs)" = 0 ]
	[ "$(ls 2)" = cgroup.procs ]
	no test -e 1/cgroup.kill
	stop "$pid"
	[ "$(cat 1/cgroup.kill)" = 1 ]
}

# A kernel in a process (user-mode Linux), whose root is this machine's, for
# what no test may do to the machine's own cgroups: $output is what job.sh said.
own_kernel() {
	local uml

	[[ $LMC != *check* && $LMC != *asan* ]] || skip "no room for a sanitizer in user-mode Linux"
	uml=$(command -v linux.uml) || skip "no user-mode Linux here"
	cat >init.sh <<-E
	#!/bin/bash
	export PATH=$PATH
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mount -t tmpfs tmpfs /mnt && cd /mnt
	LMC=$LMC bash $PWD/job.sh 2>&1
	echo o >/proc/sysrq-trigger
	sleep 10
	E
	chmod 755 init.sh
	run timeout 100 "$uml" mem=512M rootfstype=hostfs rootflags=/ ro init="$PWD/init.sh" \
		con=null con0=fd:0,fd:1 quiet </dev/null
	[[ $output == *begun* ]] || skip "user-mode Linux does not run here"
	output=${output//$'\r'/}
}

@test "in a kernel that has the controllers memory= and procs= hold for all of a plugin" {
	cat >job.sh <<-'E'
	echo begun
	mkdir p /sys/fs/cgroup/service
	echo +memory +pids >/sys/fs/cgroup/cgroup.subtree_control
	# each process is below its limit, together they are not
	cat >p/greedy.sh <<-"X"
	# lmc: memory=48M restart=never
	sleep 1
	for i in 1 2 3; do head -c 25M /dev/zero | tail -n 1 | tail -n 1 >/dev/null & done
	wait; echo survived
	X
	cat >p/many.sh <<-"X"
	# lmc: procs=5 restart=never
	for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo survived
	X
	# nothing but lmc is left in the service's group: it makes room
	cat >p/last.sh <<-"X"
	# lmc: restart=never
	sleep 1
	echo "memory.max $(cat /sys/fs/cgroup/service/lmc-*/1/memory.max)"
	echo "pids.max $(cat /sys/fs/cgroup/service/lmc-*/3/pids.max)"
	echo "controllers $(cat /sys/fs/cgroup/service/cgroup.subtree_control)"
	echo "lmc in $(cat /proc/$PPID/cgroup)"
	env -i setsid -f sleep 1000
	exec sleep 1000
	X
	(echo $BASHPID >/sys/fs/cgroup/service/cgroup.procs; exec "$LMC" plugin-run --detached p 2>log) &
	for ((i = 0; i < 200; i++)); do
		sleep 0.1
		grep -q 'greedy.sh.. was' log && grep -q 'lmc in' log && break
	done
	cat log
	sleep 0.5
	pkill -KILL -x lmc
	for ((i = 0; i < 20; i++)); do
		sleep 0.1
		pgrep -x sleep >/dev/null || break
	done
	pgrep -cx sleep
	ls -d /sys/fs/cgroup/service/lmc*
	echo ended
	E
	own_kernel
	has "[greedy.sh]* was killed by SIGKILL: over its memory"
	lacks "[greedy.sh] survived"
	has "fork: retry: Resource temporarily unavailable"
	has "memory.max 50331648"
	has "pids.max 5"
	has "controllers memory pids"
	has "lmc in 0::/service/lmc"
	lacks setrlimit
	has $'\n0\n'
}

@test "without a cgroup limits are setrlimit's, which is told; --cgroup names a wrong place" {
	plugin p/a.sh '# lmc: memory=64M' 'ulimit -v'
	run "$LMC" plugin-run --cgroup none --until-done p
	has "[a.sh] 65536"
	has "[lmc]* memory= and procs= are setrlimit's"
	fails_with 111 "$LMC" plugin-run --cgroup "$PWD" --until-done p
	has "unable to make a cgroup in $PWD: Invalid argument"
	fails_with 111 "$LMC" plugin-run --cgroup "$PWD/nowhere" --until-done p
	[ "$(ls)" = p ]
}

@test "it ends with its own parent, SIGKILL included" {
	plugin p/x.sh 'echo up; exec sleep 1000'
	plugin parent.sh "TAG=$BATS_TEST_TMPDIR $LMC plugin-run p 2>log & echo \$! >pid; wait"
	bash parent.sh &
	parent=$!
	log=log
	wait_until 10 log_has "[x.sh] up"
	kill -KILL "$parent"
	wait_until 10 gone "$(cat pid)"
	log_has "is gone: ending"
	tagged_is 0
}

@test "children from before it began are let be: exec keeps them" {
	plugin p/x.sh '(setsid sleep 1000 &)'
	plugin start.sh 'sleep 3 & echo $! >before' "exec $LMC plugin-run --until-done p"
	TAG=$BATS_TEST_TMPDIR run timeout 20 bash start.sh
	[ "$status" = 0 ]
	kill -0 "$(cat before)"
	kill "$(cat before)"
	wait_until 5 tagged_is 0
}

@test "--watch-pid ends with the process named" {
	plugin p/x.sh 'echo up; exec sleep 1000'
	sleep 1000 &
	other=$!
	run_plugins --watch-pid "$other" p
	wait_until 10 log_has "[x.sh] up"
	kill "$other"
	wait_until 10 gone "$pid"
	tagged_is 0
	fails_with 0 "$LMC" plugin-run --watch-pid "$other" p
}

@test "a plugin that fails is started again, later each time, and given up at the limit" {
	plugin p/x.sh 'exit 3'
	run "$LMC" plugin-run --backoff 20ms --restart-limit 3 --until-done p
	[ "$(grep -c 'started, pid' <<<"$output")" = 4 ]
	has "starts again in 20 ms"
	has "starts again in 40 ms"
	has "starts again in 80 ms"
	has "ended 4 times in a row: given up"
}

@test "the restart policy is never, on-failure or always, and a comment line may set it" {
	plugin p/never.sh '# lmc: restart=never' 'exit 1'
	plugin p/zero.sh 'exit 0'
	plugin p/always.sh '#!/bin/sh' '#lmc:restart=always' 'exit 0'
	run_plugins --backoff 10ms p
	wait_until 10 log_count "[always.sh]* started" 3
	[ "$(grep -c 'never.sh]. started' "$log")" = 1 ]
	[ "$(grep -c 'zero.sh]. started' "$log")" = 1 ]
}

@test "what a run left behind is ended before the next run begins" {
	plugin p/x.sh "trap '' TERM" '(setsid sleep 1000 &)' 'touch "ran.$$"' 'exit 1'
	run_plugins --backoff 100ms --restart-limit 3 --stable 1m p
	wait_until 10 log_has "given up"
	# only the last run's remains are there still, and end with us
	wait_until 5 tagged_is 1
	[ "$(find . -maxdepth 1 -name 'ran*' | wc -l)" = 4 ]
	stop "$pid"
	tagged_is 0
}

@test "comment options limit, renice, time out and switch the user" {
	plugin p/a.sh '# lmc: memory=64M nice=10 files=50 cpu=30s timeout=300ms restart=never' \
		'ulimit -v; ulimit -n; ulimit -t; nice; sleep 1000'
	plugin p/b.sh '# lmc: user=nobody' 'id -un'
	plugin p/c.sh '# lmc: memory=lots' 'echo never'
	plugin p/d.sh '# lmc: memry=1M' 'echo never'
	chmod 755 . p
	chmod 644 p/*
	run "$LMC" plugin-run --until-done p
	has "[a.sh] 65536"
	has "[a.sh] 50"
	has "[a.sh] 30"
	has "[a.sh] 10"
	has "[a.sh]* ran longer than its timeout of 300 ms"
	has "[c.sh]* its lmc: line: memory=lots:"
	has "[d.sh]* its lmc: line: memry=1M: not a known key"
	lacks never
	[ "$(id -u)" != 0 ] || has "[b.sh] nobody"
}

@test "ready=fd is noticed" {
	plugin p/a.sh '# lmc: ready=fd' 'echo >&$LMC_READY_FD' 'exec sleep 1000'
	run_plugins p
	wait_until 10 log_has "[a.sh]* is ready"
}

@test "schedule= runs at once and then at its times, never twice at the same time" {
	plugin p/a.sh '# lmc: schedule=100ms' '[ -e busy ] && echo overlap; touch busy; sleep 0.25; rm busy; echo ran'
	plugin p/b.sh '# lmc: schedule="0 0 1 1 *"' 'echo never'
	plugin p/c.sh '# lmc: schedule="61 * * * *"' 'echo never'
	run_plugins p
	wait_until 10 log_count "[a.sh] ran" 4
	no log_has overlap
	no log_has never
	log_has "a bad minute"
}

@test "invalid UTF-8 and control characters come out escaped, and do not end the reader" {
	plugin p/x.sh 'printf "a\377b\033[2Jc\302\233d gr\303\274n\n"; echo after'
	run "$LMC" plugin-run --until-done p
	has '[x.sh] a\xff'"b\\x1b[2Jc\\xc2\\x9bd grün"
	has "[x.sh] after"
	run "$LMC" plugin-run --log json --until-done p
	python3 -c '
import json, sys
rows = [json.loads(l) for l in sys.argv[1].splitlines()]
assert ["a\\xff" + "b\\x1b[2Jc\\xc2\\x9bd gr\u00fcn", "after"] == [r["line"] for r in rows if r["stream"] == "stdout"], rows
' "$output"
}

@test "100 MB of output is taken in constant memory, every line of it" {
	plugin p/x.sh 'yes 0123456789012345678901234567890123456789012345678 | head -c 100000000; echo the end'
	run_plugins --log-dir logs --log-size 1M --log-count 2 p
	wait_until 60 grep -qs "the end" logs/x.sh.log
	rss=$(awk '/VmHWM/ {print $2}' "/proc/$(supervisor)/status")
	echo "# VmHWM $rss kB" >&3
	[[ $LMC == *check* || $LMC == *asan* ]] || [ "$rss" -le 2048 ]
	[ "$(ls logs)" = "$(printf 'x.sh.log\nx.sh.log.1\nx.sh.log.2')" ]
	[ "$(stat -c %s logs/x.sh.log.1)" -ge 1000000 ]
	[ "$(stat -c %s logs/x.sh.log.1)" -le 1200000 ]
}

@test "a log that nobody reads blocks no plugin: lines are dropped and counted" {
	mkfifo pipe
	plugin p/x.sh '# lmc: restart=never' 'yes some line of text | head -n 200000; touch done'
	exec 8<>pipe
	"$LMC" plugin-run p 2>&8 &
	started+=("$!")
	pid=$!
	wait_until 30 test -e "done"
	# now it is read again, and the count is told
	timeout 20 grep -m 1 'lines of its output were dropped' <pipe >told
	exec 8>&-
	grep -q '^\[x.sh\]\* [0-9]* lines of its output were dropped' told
}

@test "a log that is read slowly, but read, loses no line" {
	plugin p/x.sh '# lmc: restart=never' 'yes some line of text | head -n 100000; echo the end'
	"$LMC" plugin-run --until-done p 2> >(exec python3 -c '
import os, time
f = open("got", "wb", 0)
last = b""
while b"the end" not in last and (b := os.read(0, 65536)):
    last = last[-100:] + b
    f.write(b)
    time.sleep(0.02)')
	wait_until 30 grep -q "the end" got
	[ "$(grep -c "some line of text" got)" = 100000 ]
}

@test "interpreters are looked up in the PATH of the start, at every start of a plugin" {
	plugin bin/bash '#!/bin/sh' 'echo "by $0"' 'exec /bin/sh "$@"'
	chmod 755 bin/bash
	plugin p/x.sh 'echo "has $PATH"' 'PATH=/nowhere' 'exit 1'
	PATH=$PWD/bin:$PATH run "$LMC" plugin-run --until-done --backoff 10ms --restart-limit 2 p
	[ "$(grep -cxF "[x.sh] by $PWD/bin/bash" <<<"$output")" = 3 ]
	[ "$(grep -cF "[x.sh] has $PWD/bin:" <<<"$output")" = 3 ]
	# without one it is the system's
	run env -i "$LMC" plugin-run --until-done --restart never p
	has "[x.sh]* exited with code 1"
	run env -i "$LMC" plugin-run --list p
	has "/bin/bash p/x.sh"
}

@test "a file that is swapped while it runs is checked anew before it runs again" {
	plugin p/x.sh 'echo first; exit 1'
	run_plugins --no-watch --backoff 300ms p
	wait_until 10 log_has "[x.sh] first"
	plugin p/x.sh 'echo second'
	chmod 666 p/x.sh
	wait_until 10 log_has "refused: others can write"
	no log_has "[x.sh] second"
}

@test "plugin files that come, change or go are noticed" {
	plugin p/a.sh 'echo a1; exec sleep 1000'
	plugin p/b.sh 'echo b1; exec sleep 1000'
	mkdir p/sub
	run_plugins --grace 1s p
	wait_until 10 log_has "[b.sh] b1"
	plugin p/new.sh 'echo new; exec sleep 1000'
	wait_until 10 log_has "[new.sh] new"
	plugin p/sub/deep.sh 'echo deep; exec sleep 1000'
	wait_until 10 log_has "[sub/deep.sh] deep"
	plugin p/a.sh 'echo a2; exec sleep 1000'
	wait_until 10 log_has "[a.sh] a2"
	rm p/b.sh
	wait_until 10 log_has "[b.sh]* was killed by SIGTERM"
	[ "$(grep -c 'new.sh]. started' "$log")" = 1 ]
	wait_until 10 tagged_is 3
}

@test "--wait-for holds plugins back until HTTP answers" {
	plugin p/a.sh 'echo up; exec sleep 1000'
	port=$(free_port)
	"$LMC" plugin-run --wait-for "127.0.0.1:$port" p 2>log &
	started+=("$!")
	log=log
	sleep 0.5
	no log_has "started"
	python3 -m http.server --bind 127.0.0.1 "$port" >/dev/null 2>&1 &
	started+=("$!")
	wait_until 10 log_has "[a.sh] up"
}

@test "--wait-for takes a node's socket, and every plugin has a session of its own" {
	plugin p/a.sh 'read -r _ _ _ _ group session _ </proc/self/stat' \
		'echo "$((group == $$ && session == $$)) $PPID"' 'exec sleep 1000'
	"$LMC" plugin-run --wait-for "unix:$PWD/api" p 2>log &
	started+=("$!")
	waits=$!
	log=log
	sleep 0.5
	no log_has "started"
	start demo --node "unix:$PWD/api"
	log=log
	wait_until 10 log_has "[a.sh] 1 $(pgrep -P "$waits" -x "${LMC##*/}")"
}

@test "a crash loop does not disturb the others and uses no measurable CPU" {
	local ticks

	plugin p/crash.sh 'exit 1'
	plugin p/good.sh 'echo up; exec sleep 1000'
	run_plugins --backoff 100ms p
	wait_until 20 log_count "[crash.sh]* started" 5
	ticks=$(awk '{print $14 + $15}' "/proc/$(supervisor)/stat")
	[ "$ticks" -le 10 ]
	[ "$(grep -c 'good.sh]. started' "$log")" = 1 ]
}

@test "50 idle plugins: no wake-up without cause, at most 2 MiB, started within 50 ms" {
	local secs=3 a b i

	[ -z "${LMC_FULL:-}" ] || secs=10
	for i in {1..50}; do plugin "p/all_$i.sh" '#!/bin/sh' 'exec sleep 1000'; done
	run_plugins p
	s=$(supervisor)
	wait_until 20 tagged_is 50
	# what starting them cost us, in ticks of 10 ms
	i=$(awk '{print $14 + $15}' "/proc/$s/stat")
	echo "# ${i}0 ms of CPU to start 50" >&3
	[[ $LMC == *check* || $LMC == *asan* ]] || [ "$i" -le 5 ]
	for i in "$pid" "$s" "$(warden)"; do
		idles "$i" "$secs"
	done
	a=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
	b=$(awk '/VmRSS/ {print $2}' "/proc/$s/status")
	w=$(awk '/VmRSS/ {print $2}' "/proc/$(warden)/status")
	echo "# resident: guardian $a kB, supervisor $b kB, warden $w kB" >&3
	[[ $LMC == *check* || $LMC == *asan* ]] || [ $((a + b + w)) -le 2048 ]
}

# ps FILE EXPR: a Python expression over that plugin's row, as r.
ps_row() {
	python3 -c '
import json, subprocess, sys
text = subprocess.check_output([sys.argv[1], "plugin-run", "--status", "unix:" + __import__("os").getcwd() + "/s", "--ps", "-o", "json"])
r = {r["name"]: r for r in json.loads(text)["plugins"]}[sys.argv[2]]
sys.exit(not eval(sys.argv[3]))' "$LMC" "$1" "$2"
}

@test "--ps shows state, pid, uptime, restarts, last exit, CPU and memory" {
	plugin p/good.sh 'echo up; exec sleep 1000'
	plugin p/bad.sh 'exit 3'
	plugin p/done.sh ':'
	run_plugins --status "unix:$PWD/s" --backoff 20ms --restart-limit 2 p
	wait_until 10 ps_row bad.sh 'r["state"] == "failed"'
	ps_row bad.sh 'r["restarts"] == 2 and r["last_exit"] == "exited with code 3" and r["pid"] is None'
	ps_row good.sh 'r["state"] == "up" and r["pid"] > 1 and r["uptime"] > 0 and r["restarts"] == 0'
	wait_until 10 ps_row good.sh 'r["memory_bytes"] > 10000 and r["processes"] == 1 and r["lines"] == 1'
	ps_row done.sh 'r["state"] == "done" and r["last_exit"] == "exited with code 0"'
	run "$LMC" plugin-run --status "unix:$PWD/s" --ps
	[ "$status" = 0 ]
	has "STATE"
	[ "$(grep -cE '^up +[0-9]+ .* good.sh$' <<<"$output")" = 1 ]
	[ "$(stat -c %a s)" = 600 ]
	run "$LMC" plugin-run --status "unix:$PWD/s" --ps -o json
	python3 "$HERE/schema.py" "$HERE/../docs/schema/plugin-run-ps.json" <<<"$output"
}

@test "--stop and --restart-now do so to one plugin, and an unknown name is said to be" {
	plugin p/a.sh 'echo up; exec sleep 1000'
	plugin p/b.sh 'echo up; exec sleep 1000'
	run_plugins --status "unix:$PWD/s" p
	wait_until 10 ps_row a.sh 'r["state"] == "up"'
	"$LMC" plugin-run --status "unix:$PWD/s" --stop a.sh
	wait_until 10 ps_row a.sh 'r["state"] == "stopped"'
	ps_row b.sh 'r["state"] == "up"'
	wait_until 10 tagged_is 1
	"$LMC" plugin-run --status "unix:$PWD/s" --restart-now a.sh
	wait_until 10 ps_row a.sh 'r["state"] == "up" and r["restarts"] == 1'
	"$LMC" plugin-run --status "unix:$PWD/s" --restart-now a.sh
	wait_until 10 ps_row a.sh 'r["state"] == "up" and r["restarts"] == 2'
	fails_with 1 "$LMC" plugin-run --status "unix:$PWD/s" --stop nobody.sh
	has "no such plugin: nobody.sh"
	fails_with 3 "$LMC" plugin-run --status "unix:$PWD/elsewhere" --ps
	fails_with 2 "$LMC" plugin-run --status 127.0.0.1:1 --ps
	fails_with 2 "$LMC" plugin-run --ps
}

@test "metrics tell what the table does, in exposition format" {
	plugin p/a.sh 'echo one; echo two >&2; exec sleep 1000'
	run_plugins --status "unix:$PWD/s" p
	wait_until 10 ps_row a.sh 'r["lines"] == 2'
	run curl -s --unix-socket s http://localhost/metrics
	has '# TYPE lmc_plugin_up gauge'
	has 'lmc_plugin_up{plugin="a.sh"} 1'
	has 'lmc_plugin_lines_total{plugin="a.sh"} 2'
	has 'lmc_plugin_restarts_total{plugin="a.sh"} 0'
	[ "$(grep -cv '^#\|^lmc_plugin_[a-z_]*\({plugin="a.sh"}\)\? [0-9.e+-]*$' <<<"$output")" = 0 ]
}

# receive tcp|udp|unix FILE: one syslog receiver, writing what comes; $port.
receive() {
	launch python3 -c '
import os, socket, sys
kind, file = sys.argv[1:]
out = open(file, "ab", 0)
if kind == "tcp":
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
elif kind == "udp":
    s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
else:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("dev-log")
os.write(9, b"127.0.0.1:%d\n" % (s.getsockname()[1] if kind != "unix" else 0)); os.close(9)
while kind != "tcp":
    out.write(s.recv(65536) + b"\n")
while True:
    c = s.accept()[0]
    while (b := c.recv(65536)):
        out.write(b)
' "$1" "$2"
}

@test "output goes to syslog as RFC 5424 over UNIX socket, UDP and TCP" {
	local kind to

	plugin p/a.sh 'echo hello; printf "bad \377\n" >&2'
	for kind in unix udp tcp; do
		receive "$kind" "got.$kind"
		to=$kind://127.0.0.1:$port
		[ "$kind" != unix ] || to=unix:$PWD/dev-log
		"$LMC" plugin-run --until-done --syslog "$to" p
		wait_until 10 grep -q "exited with code 0" "got.$kind"
		cat "got.$kind"
		grep -qE '<14>1 20[0-9-]{8}T[0-9:.]{12}Z [^ ]+ a\.sh - stdout - hello' "got.$kind"
		grep -qE '<12>1 .* a\.sh - stderr - bad \\xff' "got.$kind"
	done
	# octet counting, RFC 6587 3.4.1
	python3 - <<-'E'
	text = open("got.tcp", "rb").read()
	n = 0
	while text:
	    length, text = text.split(b" ", 1)
	    assert text[:1] == b"<", text
	    text = text[int(length):]
	    n += 1
	assert n == 4, n
	E
}

@test "a TCP receiver that comes late still gets the lines" {
	plugin p/a.sh 'echo early; exec sleep 1000'
	late=$(free_port)
	run_plugins --syslog "tcp://127.0.0.1:$late" p
	python3 -c '
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); s.settimeout(15)
c = s.accept()[0]; c.settimeout(15); got = b""
while b"early" not in got: got += c.recv(4096)
print(got.decode())' "$late"
}
