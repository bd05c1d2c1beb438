#!/usr/bin/env bats
# logs.bats - lines shipped once, whatever happens on the way: lmc logs
# SPDX-License-Identifier: Apache-2.0

load lib

# receive KIND WHERE OUT: receiver.py; sets $port.
receive() {
	launch python3 "$HERE/receiver.py" "$@"
}

logs() {
	launch "$LMC" logs --ready-fd 9 --state state "$@"
}

# certificate: cert.pem for localhost, which lmc trusts from here on.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout cert.key \
		-out cert.pem -subj /CN=loki -addext subjectAltName=DNS:localhost 2>/dev/null
	export SSL_CERT_FILE=$PWD/cert.pem
}

lines() {
	[ -e "$1" ] && wc -l <"$1" || echo 0
}

lines_is() {
	[ "$(lines "$1")" = "$2" ]
}

# once N FILE: the lines "line 1" to "line N", each once and in order.
once() {
	wait_until 30 lines_is "$2" "$1"
	seq -f 'line %.0f' "$1" | cmp - "$2"
}

to_of() {
	case $1 in
	tcp | udp) echo "$1://127.0.0.1:$port" ;;
	unix) echo "unix:$PWD/socket" ;;
	lokis) echo "https://localhost:$port/loki/api/v1/push" ;;
	loki) echo "http://127.0.0.1:$port/loki/api/v1/push" ;;
	esac
}

@test "every line of stdin arrives once, in order, over UDP, TCP, UNIX socket and Loki" {
	local kind where

	certificate
	for kind in tcp udp unix loki lokis; do
		where=0
		[ "$kind" != unix ] || where=$PWD/socket
		receive $kind "$where" "got.$kind"
		seq -f 'line %.0f' 2000 | timeout 60 "$LMC" logs --state "state.$kind" --to "$(to_of $kind)"
		once 2000 "got.$kind"
	done
}

@test "a file is followed as it grows, and again after a restart" {
	receive tcp 0 got
	to=$(to_of tcp)
	seq -f 'line %.0f' 3 >x.log
	logs --to "$to" x.log
	once 3 got
	seq -f 'line %.0f' 4 6 >>x.log
	once 6 got
	printf 'line ' >>x.log
	stop "$pid"
	echo 7 >>x.log
	echo 'line 8' >>x.log
	logs --to "$to" x.log
	once 8 got
}

@test "rotation loses nothing: by rename, by truncation, and while nobody looked" {
	receive tcp 0 got
	to=$(to_of tcp)
	echo 'line 1' >x.log
	logs --to "$to" x.log
	once 1 got
	echo 'line 2' >>x.log
	mv x.log x.log.1
	echo 'line 3' >>x.log.1
	echo 'line 4' >x.log
	once 4 got
	: >x.log
	wait_until 5 test ! -s x.log
	sleep 0.3
	echo 'line 5' >>x.log
	once 5 got
	stop "$pid"
	echo 'line 6' >>x.log
	rm x.log.1
	mv x.log x.log.2
	echo 'line 7' >x.log
	touch -d '+1 second' x.log
	mv x.log x.log.1
	gzip -c x.log.1 >x.log.0.gz
	echo 'line 8' >x.log
	logs --to "$to" x.log
	once 8 got
}

# away KIND: the receiver is away for a while, and lmc is killed meanwhile.
away() {
	local kind=$1 where to receiver n=0 i

	where=$(free_port)
	[ "$kind" != unix ] || where=$PWD/socket
	receive "$kind" "$where" "got.$kind"
	receiver=$pid
	to=$(to_of "$kind")
	logs --to "$to" x.log
	for ((i = 0; i < 100; i++)); do echo "line $((++n))" >>x.log; done
	once $n "got.$kind"
	stop "$receiver" || :
	rm -f socket
	for ((i = 0; i < 5; i++)); do
		echo "line $((++n))" >>x.log
		logs_killed
		echo "line $((++n))" >>x.log
		mv x.log "x.log.$i"
		echo "line $((++n))" >>x.log
		logs --to "$to" x.log
	done
	receive "$kind" "$where" "got.$kind"
	once $n "got.$kind"
	echo "line $((++n))" >>x.log
	once $n "got.$kind"
}

# Kills the lmc logs that was started last.
logs_killed() {
	kill -KILL "$pid"
	wait_until 5 gone "$pid"
}

@test "TCP receiver away, lmc killed and restarted: every line arrives once" {
	: >x.log
	away tcp
}

@test "UDP receiver away, lmc killed and restarted: every line arrives once" {
	: >x.log
	away udp
}

@test "UNIX socket receiver away, lmc killed and restarted: every line arrives once" {
	: >x.log
	away unix
}

@test "Loki away, lmc killed and restarted: every line arrives once" {
	: >x.log
	away loki
}

@test "Loki over TLS away, lmc killed and restarted: every line arrives once" {
	certificate
	: >x.log
	away lokis
}

@test "a certificate that nobody vouches for is told, and no line goes there" {
	certificate
	receive lokis 0 got
	SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
	seq -f 'line %.0f' 3 >x.log
	logs --to "$(to_of lokis)" x.log
	wait_until 10 grep -q 'not_sent.*trust anchor' "$log"
	stop "$pid"
	no test -s got
}

@test "headers for Loki are sent, a secret one from its file" {
	receive loki 0 got
	printf 'Authorization: Basic c2VjcmV0\n' >secret
	echo 'line 1' | timeout 60 "$LMC" logs --state state --to "$(to_of loki)" \
		--header 'X-Scope-OrgID: team' --header @secret
	once 1 got
	grep -qx 'X-Scope-OrgID: team' got.head
	grep -qx 'Authorization: Basic c2VjcmV0' got.head
	grep -qx 'Content-Type: application/json' got.head
	fails_with 2 "$LMC" logs --state state --to "$(to_of loki)" --header nothing
	has "--header nothing: must be NAME: VALUE"
	fails_with 111 "$LMC" logs --state state --to "$(to_of loki)" --header @nothing
}

@test "an answer that means later is tried again, one that means never is told" {
	receive loki 0 got 500 429
	seq -f 'line %.0f' 3 | timeout 60 "$LMC" logs --state state --to "$(to_of loki)" 2>err
	once 3 got
	grep -q 'not_sent.*HTTP status 500' err
	receive loki 0 got2 400
	echo bad | timeout 60 "$LMC" logs --state state2 --to "$(to_of loki)" 2>err
	grep -q 'HTTP status 400' err
	lines_is got2 0
}

@test "a spool cut short by a crash is read up to the cut" {
	receive tcp 0 got
	to=$(to_of tcp)
	stop "$pid" || :
	seq -f 'line %.0f' 5 >x.log
	logs --to "$to" x.log
	wait_until 10 test -s state/spool.1
	sleep 0.3
	kill -KILL "$pid"
	wait_until 5 gone "$pid"
	truncate -s -3 state/spool.1
	receive tcp "${to##*:}" got
	logs --to "$to" x.log
	once 5 got
}

@test "control characters and bytes that are not UTF-8 arrive escaped" {
	receive tcp 0 got
	printf 'a\033[2Jb\377c\n' | timeout 60 "$LMC" logs --state state --to "$(to_of tcp)"
	wait_until 5 lines_is got 1
	[ "$(cat got)" = 'a\x1b[2Jb\xffc' ]
}

@test "two at one state directory are refused, and so is what cannot be an address" {
	receive tcp 0 got
	: >x.log
	to=$(to_of tcp)
	logs --to "$to" x.log
	fails_with 111 "$LMC" logs --state state --to "$to" x.log
	has "used by another lmc logs"
	fails_with 2 "$LMC" logs --state s2 --to https://0x7f.1/ x.log
	fails_with 2 "$LMC" logs --state s2 --to ftp://x/ x.log
	fails_with 2 "$LMC" logs --state s2 x.log
}

# flow N: writes lines for N tenths of a second, and how many to "total".
flow() {
	python3 -c '
import sys, time
n, end = 0, time.monotonic() + int(sys.argv[1]) / 10
f = open("x.log", "a", 1)
while time.monotonic() < end:
    for n in range(n + 1, n + 21):
        f.write("line %d\n" % n)
    time.sleep(0.005)
open("total", "w").write(str(n))' "$1" 3>&- 4>&- &
}

@test "killed again and again while lines flow it loses none, and sends none twice" {
	local i runs=20

	[ -z "${LMC_FULL:-}" ] || runs=200
	receive tcp 0 got
	to=$(to_of tcp)
	: >x.log
	flow $((runs + 5))
	writer=$!
	(
		for ((i = 0; i < runs; i++)); do
			"$LMC" logs --state state --to "$to" x.log 3>&- 4>&- &
			sleep 0.0$((RANDOM % 50 + 20))
			kill -KILL "$!"
		done
	) 2>/dev/null
	wait "$writer"
	timeout 60 "$LMC" logs --until-sent --state state --to "$to" x.log || cat "$log"
	wait_until 10 all_there
	twice=$(($(lines got) - $(cat total)))
	echo "# $runs kills, $(cat total) lines, $twice of them twice" >&3
	[ "$twice" = 0 ]
}

# killed_at N TO: lmc logs is killed as it begins to note something the Nth time.
killed_at() {
	timeout 30 strace -fqq -o trace -e trace=pwrite64 -e inject=pwrite64:signal=KILL:when="$1" \
		"$LMC" logs --state state --to "$2" x.log || :
	grep -q 'killed by SIGKILL' trace
}

@test "killed after the kernel took a batch and before it was acknowledged: not sent again" {
	local kind

	for kind in tcp unix; do
		rm -rf state
		receive $kind "$([ $kind = tcp ] && echo 0 || echo "$PWD/socket")" "got.$kind"
		to=$(to_of $kind)
		seq -f 'line %.0f' 5 >x.log
		# a stream is noted as a whole, datagrams are one by one
		killed_at "$([ $kind = tcp ] && echo 2 || echo 6)" "$to"
		logs --to "$to" x.log
		echo 'line 6' >>x.log
		once 6 "got.$kind"
		stop "$pid"
	done
	# but when the receiver is not there any more they are
	echo 'line 7' >>x.log
	receive tcp 0 got
	to=$(to_of tcp)
	rm -rf state
	killed_at 2 "$to"
	once 7 got
	stop "$pid" || :
	logs --to "$to" x.log
	wait_until 10 grep -q not_sent "$log"
	receive tcp "${to##*:}" again
	once 7 again
}

@test "killed between the kernel's taking a batch and the note it ends that, and sends none twice" {
	receive tcp 0 got
	to=$(to_of tcp)
	seq -f 'line %.0f' 5 >x.log
	strace -fqq -o trace -e trace=pwrite64 -e inject=pwrite64:delay_enter=500000 \
		"$LMC" logs --state state --to "$to" x.log 2>/dev/null 3>&- 4>&- &
	tracer=$!
	once 5 got
	# received, and not noted yet
	kill -KILL "$(pgrep -P "$tracer")"
	wait_until 10 gone "$tracer"
	logs --to "$to" x.log
	echo 'line 6' >>x.log
	once 6 got
}

all_there() {
	[ "$(sort -u got | wc -l)" = "$(cat total)" ]
}

@test "the lock of one that is ending is waited for" {
	receive tcp 0 got
	mkdir state
	(
		exec 8>state/sent
		flock 8
		sleep 0.5
	) 3>&- 4>&- &
	wait_until 5 no flock -n state/sent true
	echo 'line 1' | timeout 60 "$LMC" logs --state state --to "$(to_of tcp)"
	once 1 got
}

@test "idle it makes no system call" {
	receive tcp 0 got
	echo 'line 1' >x.log
	logs --to "$(to_of tcp)" x.log
	once 1 got
	sleep 0.3
	for p in "$pid" "$(pgrep -P "$pid")"; do
		idles "$p" 3
	done
}

@test "rsyslog receives the lines over UDP and TCP" {
	command -v rsyslogd >/dev/null || skip "no rsyslogd here"
	local tcp udp

	tcp=$(free_port)
	udp=$(free_port)
	cat >rsyslog.conf <<-E
	module(load="imtcp") module(load="imudp")
	template(name="msg" type="string" string="%msg%\n")
	input(type="imtcp" port="$tcp" address="127.0.0.1" ruleset="tcp")
	input(type="imudp" port="$udp" address="127.0.0.1" ruleset="udp")
	ruleset(name="tcp") { action(type="omfile" file="$PWD/got.tcp" template="msg") }
	ruleset(name="udp") { action(type="omfile" file="$PWD/got.udp" template="msg") }
	E
	rsyslogd -n -f "$PWD/rsyslog.conf" -i "$PWD/pid" 2>rsyslog.err &
	rsyslog=$!
	started+=("$rsyslog")
	: >x.log
	both() {
		launch "$LMC" logs --ready-fd 9 --state st --to "tcp://127.0.0.1:$tcp" x.log
		pids=$pid
		launch "$LMC" logs --ready-fd 9 --state su --to "udp://127.0.0.1:$udp" x.log
		pids+=" $pid"
	}
	both
	seq -f 'line %.0f' 500 >>x.log
	wait_until 20 lines_is got.tcp 500
	wait_until 20 lines_is got.udp 500
	# away for a while, both killed and started again meanwhile
	stop "$rsyslog" || :
	seq -f 'line %.0f' 501 600 >>x.log
	# shellcheck disable=SC2086 # two
	kill -KILL $pids
	both
	seq -f 'line %.0f' 601 700 >>x.log
	rm -f pid
	rsyslogd -n -f "$PWD/rsyslog.conf" -i "$PWD/pid" 2>rsyslog.err &
	started+=("$!")
	wait_until 30 lines_is got.tcp 700
	wait_until 30 lines_is got.udp 700
	seq -f 'line %.0f' 700 >want
	sed 's/^ //' got.tcp | cmp - want
	sed 's/^ //' got.udp | cmp - want
}
