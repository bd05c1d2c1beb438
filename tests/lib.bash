# lib.bash - what the .bats files share: load it with `load lib`
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# The binary under test is $LMC. A test that starts something with `start` or
# `start_peer` need not stop it: teardown does, and only that.

LMC=$(realpath "${LMC:-lmc}")
export LMC
unset LMC_NODES LMCACHE_RUNTIME_PLUGIN_CONFIG LMCACHE_PLUGIN_CONFIG \
	XDG_CONFIG_HOME NOTIFY_SOCKET NO_COLOR
# shellcheck disable=SC2034 # for the tests
HERE=${BATS_TEST_DIRNAME:-$PWD/tests}

# Servers under a sanitizer on a busy machine are slow to come up.
READY_SECS=20
STOP_SECS=20
started=()

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || show_files
	stop_all
}

# What the programs of a failed test have said last.
show_files() {
	local f

	find "$BATS_TEST_TMPDIR" -maxdepth 1 -type f -size +0 -printf '%T@ %p\n' |
		sort -n | tail -n 12 | while read -r _ f; do
		echo "--- ${f##*/}"
		tail -n 12 "$f" | tail -c 2000 | LC_ALL=C cut -c1-400 | cat -v
	done
}

# no CMD...: passes when CMD fails. A bare `! CMD` fails no bats test.
no() {
	if "$@"; then
		echo "should have failed: $*"
		return 1
	fi
}

# fails_with STATUS CMD...: $output is what it said, on both streams.
fails_with() {
	local want=$1

	shift
	run "$@"
	[ "$status" = "$want" ] && return
	echo "status $status, not $want: $*"
	head -c 4000 <<<"$output"
	return 1
}

# timed SECS CMD...: CMD's status, or 99 when it took longer. A starved machine
# has three tries.
timed() {
	local status start i

	for i in 1 2 3; do
		status=0
		start=$EPOCHREALTIME
		"${@:2}" || status=$?
		awk -v a="$start" -v b="$EPOCHREALTIME" -v most="$1" 'BEGIN { exit b - a > most }' &&
			return "$status"
	done
	return 99
}

# has TEXT: $output of the last run has it; lacks TEXT: it has not.
has() {
	[[ $output == *"$1"* ]] && return
	printf 'no "%s" in:\n%s\n' "$1" "$output"
	return 1
}

lacks() {
	[[ $output != *"$1"* ]] && return
	printf '"%s" in:\n%s\n' "$1" "$output"
	return 1
}

# is TEXT: $output is exactly that.
is() {
	[ "$output" = "$1" ] && return
	printf 'expected:\n%s\ngot:\n%s\n' "$1" "$output"
	return 1
}

# idles PID SECONDS: it begins no system call within that time, but those of
# the first half second, when being traced may have woken it. The trace is not
# where the test is: what watches a directory would see it grow.
idles() {
	local trace=$BATS_FILE_TMPDIR/trace

	timeout -s INT "$2" strace -qq -ttt -p "$1" 2>"$trace" || :
	awk 'NR == 1 { first = $1 } $1 > first + 0.5 { late = 1 }
		END { exit late || !NR }' "$trace" && return
	head "$trace"
	return 1
}

# wait_until SECONDS CMD...: runs CMD until it passes.
wait_until() {
	local end=$((SECONDS + $1 + 1))

	shift
	until "$@"; do
		if [ $SECONDS -ge $end ]; then
			echo "never came true: $*"
			return 1
		fi
		sleep 0.02
	done
}

# A port that was free a moment ago. Servers take --port 0: use it for peers
# that must not be there.
free_port() {
	python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

gone() {
	# A zombie that nobody has waited for yet is gone as well.
	! kill -0 "$1" 2>/dev/null ||
		grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

# stop [PID [SIGNAL]]: ends what was started, the last one by default, and
# returns its status.
stop() {
	local p=${1:-$pid} i

	kill -s "${2:-TERM}" "$p" 2>/dev/null
	if ! wait_until "$STOP_SECS" gone "$p"; then
		echo "process $p did not end by SIG${2:-TERM}"
		kill -s KILL "$p"
		wait "$p"
		return 1
	fi
	for i in "${!started[@]}"; do
		[ "${started[i]}" != "$p" ] || unset "started[i]"
	done
	wait "$p"
}

# Last come, first gone. A status is looked at by `stop`, not here.
stop_all() {
	local p order=() failed=0

	for p in "${started[@]}"; do
		order=("$p" "${order[@]}")
	done
	for p in "${order[@]}"; do
		kill -s TERM "$p" 2>/dev/null
		kill -s CONT "$p" 2>/dev/null	# a test may have stopped it
		if ! wait_until "$STOP_SECS" gone "$p"; then
			kill -s KILL "$p"
			failed=1
		fi
		wait "$p" 2>/dev/null || :
	done
	started=()
	return $failed
}

# launch CMD...: runs CMD with fd 9 as the one to say "ready" on: a line for
# each bound address, then it is closed. Sets $pid, $log (its stderr), $out
# (its stdout), $addrs, $addr (the first), $port, $sock and $url.
launch() {
	local ready w r line n
	local end=$((SECONDS + READY_SECS))

	n=$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'ready.*' | wc -l)
	ready=$BATS_TEST_TMPDIR/ready.$n
	log=$BATS_TEST_TMPDIR/log.$n
	out=$BATS_TEST_TMPDIR/out.$n
	mkfifo "$ready"
	exec {w}<>"$ready" {r}<"$ready"
	(
		exec 9>&"$w" {w}>&- {r}<&- 3>&- 4>&-
		exec "$@" </dev/null >"$out" 2>"$log"
	) &
	pid=$!
	started+=("$pid")
	exec {w}>&-
	addrs=()
	while [ $SECONDS -lt $end ] &&
		IFS= read -r -t "$READY_SECS" -u "$r" line; do
		addrs+=("$line")
	done
	exec {r}<&-
	if [ ${#addrs[@]} = 0 ]; then
		echo "did not get ready: $*"
		cat "$log"
		return 1
	fi
	meet "${addrs[0]}"
}

# meet ADDR: sets $addr, $port, $sock and $url for an address as printed.
# shellcheck disable=SC2034 # for the tests
meet() {
	addr=$1 port='' sock=''
	case $addr in
	unix:*)
		sock=${addr#unix:}
		url=http://localhost
		;;
	*)
		port=${addr##*:}
		url=http://$addr
		url=${url/0.0.0.0:/127.0.0.1:}
		url=${url/\[::\]:/[::1]:}
		;;
	esac
}

# start APPLET ARGS...: a server of ours on a free port, unless told where.
start() {
	local a where=(--port 0)

	for a; do
		case $a in
		--listen* | --port* | --node | --node=*) where=() ;;
		esac
	done
	launch "$LMC" "$@" "${where[@]}" --ready-fd 9
}

# start_peer ARGS...: a small HTTP server that is not ours, see peer.py.
start_peer() {
	launch python3 "$HERE/peer.py" --ready-fd 9 "$@"
}

# get PATH [CURL ARGS...]: from what was started last (or met).
get() {
	local path=$1

	shift
	curl -sS --max-time 20 ${sock:+--unix-socket "$sock"} "$@" "$url$path"
}
