#!/usr/bin/env bats
# etcd.bats - frontends kept in etcd and read from there: a real etcd-server
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # url, output, log, addrs are of lib.bash

bats_require_minimum_version 1.5.0
load lib

# --- a cluster -------------------------------------------------------------------

# cluster N [ARGS...]: N members; $ports (clients', then peers'), $members
# (pids), $registry (all of them, and a prefix), $ends (the same for etcdctl).
cluster() {
	local i of='' n=$1

	shift
	read -ra ports < <(python3 -c 'import socket, sys
s = [socket.socket() for _ in range(2 * int(sys.argv[1]))]
[x.bind(("127.0.0.1", 0)) for x in s]
print(*[x.getsockname()[1] for x in s])' "$n")
	scheme=${scheme:-http}
	for ((i = 0; i < n; i++)); do
		of+=,m$i=http://127.0.0.1:${ports[n + i]}
		ends+=,$scheme://localhost:${ports[i]}
		registry+=,localhost:${ports[i]}
	done
	ends=${ends#,} of=${of#,}
	registry=${scheme/http/etcd}://${registry#,}/lmc/test
	for ((i = 0; i < n; i++)); do
		start_member[i]="exec etcd --name m$i --data-dir data.$i --initial-cluster $of"
		start_member[i]+=" --listen-client-urls $scheme://127.0.0.1:${ports[i]}"
		start_member[i]+=" --advertise-client-urls $scheme://localhost:${ports[i]}"
		start_member[i]+=" --listen-peer-urls http://127.0.0.1:${ports[n + i]}"
		start_member[i]+=" --initial-advertise-peer-urls http://127.0.0.1:${ports[n + i]} $*"
		member $i
	done
	for ((i = 0; i < n; i++)); do
		wait_until 30 healthy $i
	done
}

# member I: starts it, or starts it again.
member() {
	bash -c "${start_member[$1]}" >>"etcd.$1" 2>&1 &
	members[$1]=$!
	started+=($!)
}

# healthy I: it answers, and has a leader.
healthy() {
	api "$1" kv/range '{"key":"AA=="}' >/dev/null
}

# api I PATH BODY: as anybody would ask it
api() {
	curl -sSf --max-time 10 ${ETCDCTL_CACERT:+--cacert "$ETCDCTL_CACERT"} \
		-d "$3" "$scheme://localhost:${ports[$1]}/v3/$2"
}

ctl() {
	ETCDCTL_API=3 etcdctl --endpoints "$ends" "$@"
}

# put NAME ADDRESS: a key that no heartbeat keeps
put() {
	surely put "/lmc/test/$1" "{\"api_address\":\"http://$2\"}"
}

# surely CTL ARGS...: again, until a leader has taken it
surely() {
	wait_until 20 ctl --dial-timeout 1s --command-timeout 2s "$@" >/dev/null 2>&1
}

key() {
	[ -n "$(ctl get "/lmc/test/$1")" ]
}

no_key() {
	[ -z "$(ctl get "/lmc/test/$1")" ]
}

# lease: the id of the only one, or nothing
lease() {
	ctl lease list | sed -n 2p
}

# --- who reads, who writes ---------------------------------------------------------

# beat NAME [ARGS...]: kept in etcd as NAME, by default for 6 s; $pid, $log
beat() {
	launch "$LMC" heartbeat --ready-fd 9 --url "$registry" --nodes '[]' --instance-id "$1" \
		--api-address http://127.0.0.1:1 --interval 2s --ttl 6s "${@:2}"
}

# follow: lists go to ./out; $follower
follow() {
	"$LMC" nodes --from "$registry" --follow -o jsonl >out 2>err &
	follower=$!
	started+=($!)
}

# listed NAMES...: the last list of ./out names just these
listed() {
	[ "$(tail -n 1 out | jq -r '[.nodes[].name] - ["local_proxy"] | sort | join(" ")')" = "$*" ]
}

# sourced MEMBER VALUE
sourced() {
	[ "$(tail -n 1 out | jq -r ".sources[0].$1")" = "$2" ]
}

# shows URL NAMES: what a frontend shows besides itself
shows() {
	[ "$(curl -sS --max-time 20 "$1/api/nodes" | jq -r \
		'[.nodes[].name] - ["local_proxy"] | sort | join(" ")')" = "$2" ]
}

now_ms() {
	date +%s%3N
}

# cpu PID: what it has used, ms
cpu() {
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 1000 / hz) }' "/proc/$1/stat"
}

wakes() {
	awk '/^voluntary/ { print $2 }' "/proc/$1/status"
}

# calls METHOD: how many of them the first member has answered since it started
calls() {
	curl -sS --max-time 10 "http://127.0.0.1:${ports[0]}/metrics" | awk -v m="grpc_method=\"$1\"" \
		'/^grpc_server_handled_total/ && index($0, m) { n += $2 } END { print n + 0 }'
}

more() {
	[ "$(calls "$1")" -ge "$2" ]
}

# --- registering ----------------------------------------------------------------------

@test "a frontend announces itself, is found by name, and goes at its end" {
	cluster 1
	start demo --instance here
	echo "$addr" >list
	start proxy --nodes '[]' --registry file:list --heartbeat-url "$registry" --heartbeat-interval 5s
	local front=$pid at=$port
	wait_until 10 key "frontend-127.0.0.1-$at"
	run ctl get --print-value-only "/lmc/test/frontend-127.0.0.1-$at"
	[ "$(jq -r .api_address,.pid <<<"$output" | xargs)" = "http://127.0.0.1:$at $front" ]
	# three intervals, unless told otherwise
	run ctl lease timetolive "$(lease)"
	has 'granted with TTL(15s)'
	follow
	wait_until 10 eval 'tail -n 1 out | grep -q here_worker0'
	fails_with 0 "$LMC" nodes --from "$registry" -o name
	has "frontend-127.0.0.1-$at/proxy_$(sed 's/:/_/' list)/here_worker1"
	stop "$front"
	wait_until 3 listed ''
	no_key "frontend-127.0.0.1-$at"
	[ "$(ctl lease list)" = 'found 0 leases' ]
}

@test "a heartbeat killed: its key and its node are gone within twice the TTL, for two united frontends too" {
	local t a b

	cluster 1
	start demo --instance here
	beat one --interval 1s --ttl 3s --api-address "http://$addr"
	local killed=$pid
	start proxy --nodes '[]' --registry "$registry"
	a=$url
	start proxy --nodes '[]' --registry "$registry"
	b=$url
	follow
	put other 127.0.0.1:2
	wait_until 10 listed one other
	wait_until 10 shows "$a" 'one other'
	wait_until 10 shows "$b" 'one other'
	# who reads keeps nothing: the third has the same list
	fails_with 0 "$LMC" nodes --from "$registry" -o json
	[ "$(jq -r '.sources[0].entries' <<<"$output")" = 2 ]
	kill -KILL "$killed"
	t=$(now_ms)
	wait_until 10 listed other
	wait_until 10 shows "$a" other
	wait_until 10 shows "$b" other
	t=$(($(now_ms) - t))
	echo "gone after $t ms"
	[ $t -lt 6000 ]
	no_key one
}

@test "a lease that was lost is granted again, whether revoked or slept through" {
	local had

	cluster 1
	beat one --interval 1s --ttl 3s
	follow
	wait_until 10 listed one
	had=$(lease)
	ctl lease revoke "$had"
	wait_until 5 eval '[ -n "$(lease)" ] && [ "$(lease)" != "$had" ]'
	wait_until 5 key one
	wait_until 5 listed one
	[ "$(ctl lease list | head -n 1)" = 'found 1 leases' ]
	kill -STOP "$pid"
	wait_until 8 listed ''
	kill -CONT "$pid"
	wait_until 5 listed one
	# one that is not there any more is no trouble at the end
	kill -STOP "$pid"
	ctl lease revoke "$(lease)"
	kill -TERM "$pid"
	kill -CONT "$pid"
	wait "$pid"
	[ "$(ctl lease list)" = 'found 0 leases' ]
}

# A frontend that drains sends a second one; so does systemd, to every process.
@test "told twice to end, it still takes its key away" {
	cluster 1
	beat one
	wait_until 10 key one
	kill -STOP "${members[0]}"
	kill -TERM "$pid"
	wait_until 5 grep -qE '^ShdPnd:[[:space:]]*0+$' "/proc/$pid/status"
	kill -TERM "$pid"
	kill -CONT "${members[0]}"
	wait_until 10 gone "$pid"
	no_key one
	wait "$pid"
}

@test "an interval that does not go with the TTL, and a URL that is none, are refused at the start" {
	local no

	fails_with 2 timeout 20 "$LMC" heartbeat --url etcd://h --nodes '[]' --interval 10s --ttl 15s
	has 'a registry that forgets after 15 s must be told twice in that time: every 10 s is too seldom'
	for no in etcd://u:secret@h etcd:h etcd://h,/p 'etcd://h/p?x' 'etcd://h/p?password-file=/x'; do
		fails_with 2 timeout 20 "$LMC" heartbeat --url "$no" --nodes '[]'
		fails_with 2 timeout 20 "$LMC" nodes --from "$no"
		fails_with 2 timeout 20 "$LMC" proxy --nodes '[]' --port 0 --registry "$no"
		fails_with 2 timeout 20 "$LMC" proxy --nodes '[]' --port 0 --heartbeat-url "$no"
	done
}

@test "what others wrote costs only itself, and the prefix is a whole one" {
	cluster 1
	put good 127.0.0.1:2
	ctl put /lmc/test/bare '127.0.0.1:3
'
	ctl put /lmc/test/rack/bare 127.0.0.1:4
	ctl put /lmc/test 127.0.0.1:5
	ctl put /lmc/test2/x 127.0.0.1:6
	ctl put /lmc/test0 127.0.0.1:7
	fails_with 0 "$LMC" nodes --from "$registry" -o json
	[ "$(jq -r '[.nodes[].name] | sort | join(" ")' <<<"$output")" = \
		'bare good local_proxy rack_bare' ]
	[ "$(jq .sources[0].bad <<<"$output")" = 0 ]
	api 0 kv/put "{\"key\":\"$(printf '/lmc/test/\xff\n' | base64)\",\"value\":\"AAAA\"}"
	head -c 4097 /dev/zero | tr '\0' ' ' | ctl put /lmc/test/long
	ctl put /lmc/test/near 169.254.169.254:80
	ctl put /lmc/test/none ''
	ctl put /lmc/test/socket /run/x.sock
	ctl put /lmc/test/bad '{"api_address":7}'
	fails_with 0 "$LMC" nodes --from "$registry" -o json
	[ "$(jq -r '.sources[0] | "\(.entries) \(.bad) \(.stale)"' <<<"$output")" = '3 6 false' ]
}

# --- members that die, hang, and come back ------------------------------------------

@test "three members: killed, hung and restarted ones lose no entry, and no change for longer than 12 s" {
	local t i want=()

	# A leader of etcd 3.4 that hung for a TTL revokes the lease when it goes on,
	# although there is another one by then (docs/registries.md).
	cluster 3
	beat one --ttl 30s
	wait_until 10 key one
	follow
	wait_until 10 listed one
	for i in 0 1 2; do
		kill -KILL "${members[i]}"
		put "k$i" "127.0.0.1:$((i + 2))"
		t=$(now_ms) want+=("k$i")
		wait_until 12 listed "${want[@]}" one
		echo "seen after $(($(now_ms) - t)) ms"
		member $i
		wait_until 30 healthy $i
	done
	for i in 0 1 2; do
		kill -STOP "${members[i]}"
		surely del "/lmc/test/k$i"
		t=$(now_ms) want=("${want[@]:1}")
		wait_until 12 listed "${want[@]}" one
		echo "seen after $(($(now_ms) - t)) ms"
		kill -CONT "${members[i]}"
		wait_until 30 healthy $i
	done
	key one
	# it was never gone in between, and needed no other lease
	[ "$(jq '[.nodes[].name] | index("one") != null' out | sort -u)" = true ]
	[ "$(ctl lease list | head -n 1)" = 'found 1 leases' ]
	no gone "$follower"
	no gone "$pid"
}

@test "no member left: the list is kept and marked, nobody spins, and all is well again afterwards" {
	local t used woken

	cluster 3
	beat one
	local beating=$pid
	start proxy --nodes '[]' --registry "$registry"
	follow
	put k 127.0.0.1:2
	wait_until 10 listed k one
	wait_until 10 shows "$url" 'k one'
	t=$(now_ms) used=$(($(cpu "$follower") + $(cpu "$beating"))) woken=$(wakes "$follower")
	kill -KILL "${members[1]}" "${members[2]}"
	wait_until 20 sourced stale true
	listed k one
	kill -KILL "${members[0]}"
	wait_until 20 grep -q 'Connection refused' out
	wait_until 20 eval 'sourced why "localhost:${ports[0]}: Connection refused" ||
		sourced why "localhost:${ports[1]}: Connection refused" ||
		sourced why "localhost:${ports[2]}: Connection refused"'
	wait_until 20 eval '[ "$(get /api/nodes | jq .sources[0].stale)" = true ]'
	shows "$url" 'k one'
	for i in 0 1 2; do
		member $i
	done
	for i in 0 1 2; do
		wait_until 30 healthy $i
	done
	wait_until 12 sourced stale false
	listed k one
	put l 127.0.0.1:3
	wait_until 12 listed k l one
	wait_until 12 shows "$url" 'k l one'
	t=$(($(now_ms) - t)) used=$(($(cpu "$follower") + $(cpu "$beating") - used))
	woken=$(($(wakes "$follower") - woken))
	echo "$used ms of CPU and $woken wakes in $t ms"
	[ $((used * 20)) -lt $((t + 2000)) ]
	[ $((woken * 20)) -lt $((t + 2000)) ]
	# the heartbeat told of it once, not at every beat
	[ "$(grep -c 'not told' log.0)" -lt 6 ]
	key one
}

@test "etcd that comes later, and a list that is not complained of twice" {
	local no

	no=$(free_port)
	fails_with 3 "$LMC" nodes --from "etcd://127.0.0.1:$no/p" --no-headers
	has "127.0.0.1:$no: Connection refused"
	fails_with 3 "$LMC" heartbeat --once --url "etcd://127.0.0.1:$no/p" --nodes '[]'
	has 'Connection refused'
	cluster 1
	kill -KILL "${members[0]}"
	beat one
	follow
	wait_until 10 sourced stale true
	member 0
	wait_until 15 listed one
	sourced stale false
}

# asked PATH: how often that was asked of the stand-in
asked() {
	cat asked 2>/dev/null | grep -c "^POST $1 " || :
}

# stand_in WATCH: one key is known, and every watch ends with that text
stand_in() {
	mkdir -p peer/v3/kv
	printf '{"header":{"revision":"5"},"kvs":[{"key":"%s","mod_revision":"5","value":"%s"}],"count":"1"}' \
		"$(printf /p/k | base64)" "$(printf 127.0.0.1:2 | base64)" >peer/v3/kv/range
	echo "$1" >peer/v3/watch
	start_peer --log asked --dir peer --type application/json
	registry=etcd://$addr/p
}

# thrice PATH: that is asked three times, but not at once.
thrice() {
	local t

	t=$(now_ms)
	wait_until 20 eval "[ \"\$(asked $1)\" -ge 3 ]"
	t=$(($(now_ms) - t))
	echo "three times $1 in $t ms"
	[ $t -gt 2500 ]
}

@test "who answers nonsense, or ends every watch at once, is asked ever more seldom" {
	start_peer --log asked
	registry=etcd://$addr/p
	follow
	thrice /v3/kv/range
	sourced why "$addr: it does not answer as etcd does"
	kill "$follower"
	rm asked
	stand_in '{"result":{"created":true,"canceled":true,"cancel_reason":"permission denied"}}'
	follow
	thrice /v3/watch
	[ "$(asked /v3/kv/range)" -le 4 ]
	listed k
}

@test "a lease without a number is none, and no key is put for good" {
	mkdir -p peer/v3/lease
	echo '{"header":{},"TTL":"30"}' >peer/v3/lease/grant
	stand_in '{}'
	fails_with 1 "$LMC" heartbeat --url "$registry" --once --api-address http://127.0.0.1:1
	has 'it does not answer as etcd does'
	[ "$(asked /v3/lease/grant)" -ge 1 ]
	[ "$(asked /v3/kv/put)" = 0 ]
}

# --- compaction ---------------------------------------------------------------------------

compact() {
	ctl compact "$(ctl get none -w json | jq .header.revision)"
}

# much: more changes than etcd holds for one watch, none of them of what is listed
much() {
	python3 - "${ports[0]}" <<-'E'
	import base64, http.client, json, sys
	b = lambda t: base64.b64encode(t).decode()
	c = http.client.HTTPConnection("localhost", int(sys.argv[1]), timeout=20)
	def change(n, value):
	    c.request("POST", "/v3/kv/txn", json.dumps({"success": [{"requestPut": {
	        "key": b(b"/lmc/test/k%d" % i), "value": b(value)}} for i in range(n)]}))
	    assert c.getresponse().read().find(b"succeeded") > 0
	for i in range(40):
	    change(100, b" " * 4000)
	for i in range(400):
	    change(1, b"x")
	E
	ctl del --prefix /lmc/test/k
}

@test "a watch whose changes were compacted leads to a new read, not to a look" {
	stand_in '{"result":{"created":true,"canceled":true,"compact_revision":"9"}}'
	follow
	wait_until 20 eval '[ "$(asked /v3/watch)" -ge 2 ]'
	[ "$(asked /v3/kv/range)" -ge 2 ]
	no grep sort_order asked
	listed k
}

@test "compaction while the watch is open, down and behind: the list is right" {
	cluster 1
	follow
	put a 127.0.0.1:2
	wait_until 10 listed a
	compact
	put b 127.0.0.1:3
	wait_until 10 listed a b
	# down: what it missed was compacted before it asks again
	kill -STOP "$follower"
	kill -KILL "${members[0]}"
	member 0
	wait_until 30 healthy 0
	ctl del /lmc/test/a
	put c 127.0.0.1:4
	compact
	kill -CONT "$follower"
	wait_until 12 listed b c
	put d 127.0.0.1:5
	wait_until 10 listed b c d
	# behind: etcd ends such a watch with compact_revision
	kill -STOP "$follower"
	much
	curl -sS "http://localhost:${ports[0]}/metrics" | grep '^etcd_debugging_mvcc_slow_watcher_total 1'
	ctl del /lmc/test/b
	compact
	kill -CONT "$follower"
	wait_until 20 listed c d
	put e 127.0.0.1:6
	wait_until 12 listed c d e
	no gone "$follower"
}

# --- who may ---------------------------------------------------------------------------------

# guarded: users root and lmc, who may have what is below the prefix
guarded() {
	ctl user add root:r
	ctl user grant-role root root
	ctl role add nodes
	ctl role grant-permission nodes readwrite --prefix=true /lmc/test/
	ctl user add lmc:secret
	ctl user grant-role lmc nodes
	ctl auth enable
	export ETCDCTL_USER=root:r
} >/dev/null

@test "a user and a password: wrong, missing, open to others, and not allowed are told apart" {
	local open=$registry as

	cluster 1 --bcrypt-cost 4
	guarded
	open=$registry as=${registry/:\/\//://lmc@}
	fails_with 3 "$LMC" nodes --from "$open" --no-headers
	has 'user name is empty'
	fails_with 4 "$LMC" heartbeat --once --url "$open" --nodes '[]'
	has 'user name is empty'
	fails_with 4 "$LMC" heartbeat --once --url "$as" --nodes '[]'
	has 'etcd wants a password: ?password-file=PATH or LMC_ETCD_PASSWORD'
	LMC_ETCD_PASSWORD=wrong fails_with 4 "$LMC" heartbeat --once --url "$as" --nodes '[]'
	has 'authentication failed, invalid user ID or password'
	LMC_ETCD_PASSWORD=wrong fails_with 3 "$LMC" nodes --from "$as" --no-headers
	has 'authentication failed, invalid user ID or password'
	echo secret >word
	chmod 640 word
	fails_with 4 "$LMC" heartbeat --once --url "$as?password-file=word" --nodes '[]'
	has 'word: no file, or others than its owner may open it; chmod 600 it'
	chmod 600 word
	fails_with 0 "$LMC" heartbeat --once --url "$as?password-file=word" --nodes '[]' --api-address http://127.0.0.1:2
	LMC_ETCD_PASSWORD=secret fails_with 0 "$LMC" nodes --from "$as" --no-headers
	has 'frontend-127.0.0.1-2'
	fails_with 4 "$LMC" heartbeat --once --url "${as/test/other}?password-file=word" --nodes '[]'
	has 'permission denied'
	LMC_ETCD_PASSWORD=secret fails_with 3 "$LMC" nodes --from "${as/test/other}" --no-headers
	has 'permission denied'
}

@test "tokens that expire, and a password that is another one, are nothing one has to restart for" {
	local n

	cluster 1 --bcrypt-cost 4 --auth-token-ttl 2
	guarded
	echo secret >word
	chmod 600 word
	registry="${registry/:\/\//://lmc@}?password-file=word"
	beat one --interval 4s --ttl 9s
	wait_until 10 key one
	follow
	wait_until 10 listed one
	n=$(calls Authenticate)
	wait_until 60 more Authenticate $((n + 6))
	put k 127.0.0.1:2
	wait_until 10 listed k one
	[ "$(jq '[.nodes[].name] | index("one") != null' out | sort -u)" = true ]
	[ "$(jq '.sources[0].stale' out | sort -u)" = false ]
	no grep 'not told' log.0
	# tokens are a member's memory
	ctl user passwd lmc --interactive=false <<<new
	kill -KILL "${members[0]}"
	member 0
	wait_until 30 eval 'ctl get x >/dev/null'
	# to keep a lease alive takes no password, to put its key again does
	ctl lease revoke "$(lease)"
	wait_until 20 grep -q 'not told.*invalid user ID or password' log.0
	wait_until 20 sourced stale true
	listed k one
	no_key one
	echo new >word
	wait_until 20 key one
	wait_until 20 sourced stale false
	put l 127.0.0.1:3
	wait_until 12 listed k l one
}

@test "authentication switched on under who has no user: the list is kept and the reason told" {
	cluster 1 --bcrypt-cost 4
	follow
	put k 127.0.0.1:2
	wait_until 10 listed k
	guarded
	wait_until 12 sourced stale true
	[[ $(tail -n 1 out | jq -r .sources[0].why) == *'user name is empty' ]]
	listed k
	ctl auth disable
	unset ETCDCTL_USER
	wait_until 12 sourced stale false
	listed k
}

@test "etcds: the certificate is verified, reading and writing and watching are the same" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
		-days 2 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out csr.pem \
		-subj /CN=etcd -addext subjectAltName=DNS:localhost 2>/dev/null
	openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -days 2 -copy_extensions copy \
		-out cert.pem 2>/dev/null
	scheme=https
	export ETCDCTL_CACERT=$PWD/ca.pem
	cluster 1 --cert-file cert.pem --key-file key.pem
	SSL_CERT_FILE=/dev/null fails_with 3 "$LMC" nodes --from "$registry" --no-headers
	echo "$output"
	export SSL_CERT_FILE=$PWD/ca.pem
	fails_with 3 "$LMC" nodes --from "${registry/etcds/etcd}" --no-headers
	beat one
	follow
	wait_until 10 listed one
	put k 127.0.0.1:2
	wait_until 10 listed k one
	stop
	wait_until 3 listed k
}

# --- at rest --------------------------------------------------------------------------------

@test "at rest a reader looks every five seconds, a heartbeat does one call a beat" {
	local t n used

	cluster 1
	beat one --interval 1s --ttl 10s
	local beating=$pid
	follow
	wait_until 10 listed one
	t=$(now_ms) n=$(calls Range) used=$(($(cpu "$follower") + $(cpu "$beating")))
	wait_until 30 more Range $((n + 2))
	t=$(($(now_ms) - t)) used=$(($(cpu "$follower") + $(cpu "$beating") - used))
	echo "two looks in $t ms, $used ms of CPU"
	[ $t -gt 4500 ]
	[ $used -lt 300 ]
	[ "$(calls LeaseKeepAlive)" -le $((t / 1000 * 2 + 3)) ]
	[ "$(calls LeaseGrant)" = 1 ]
	[ "$(calls Put)" = 1 ]
}
