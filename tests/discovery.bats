#!/usr/bin/env bats
# discovery.bats - a registry of frontends and instances
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
#
# Most tests are the functions of discovery.py, which starts lmc itself.

load lib
load prom

raw() {
	python3 "$HERE/discovery.py" "$1"
}

registry() {
	start discovery --listen 127.0.0.1:0 "$@"
}

beat() {
	get "/heartbeat?pid=1&api_address=$1&version=1"
}

@test "what upstream's discovery service was asked is answered in its shape" {
	raw recorded
}

@test "times, start and number of versions are true ones" {
	raw true_values
}

@test "an MP server registers as with its coordinator" {
	raw coordinator
}

@test "what is no address, or no place to send anybody, is refused and changes nothing" {
	raw bad_reports
}

@test "another site's page can report nothing, and another Host name reads nothing" {
	raw other_sites
}

@test "from outside a report is for its sender's own address, or what --allow names" {
	raw sources
}

@test "with a token reports and changes need it, and SIGHUP reads it again" {
	raw token
}

@test "one source has so many entries, and the registry so many in all" {
	raw counts
}

@test "an entry is alive, late, gone, forgotten, and comes back" {
	raw states
}

@test "one that comes back again and again is held until it stays" {
	raw flaps
}

@test "an operator drains an entry, over restarts, and takes it back" {
	raw drain
}

@test "events can be read, waited for, and are known to be missed" {
	raw events
}

@test "events come as a stream, which goes on after its Last-Event-ID" {
	raw stream
}

@test "those who wait for events hold up no end" {
	raw waiting_ends
}

@test "after a restart everything is as it was, and two have no journal together" {
	raw restart
}

@test "who is killed is listed no longer than its TTL, a restart in between or not" {
	raw ttl_over_restart
}

@test "a torn tail is cut off, damage costs itself alone, another file is left alone" {
	raw torn_tail
}

@test "what the disk does not take is not acknowledged" {
	raw full_disk
}

@test "kill -9 under load loses nothing that was acknowledged" {
	raw kill9
}

@test "a restart with many entries takes less than a second" {
	raw many
}

@test "a journal that has grown is written anew while reports come" {
	raw rewrite
}

@test "a long list goes to a slow reader in pieces while others are served" {
	raw slow_reader
}

@test "the lists have the shapes of docs/schema" {
	local list

	registry
	beat http%3A%2F%2F127.0.0.1%3A8000
	beat http%3A%2F%2F%5B%3A%3A1%5D%3A8000
	get /instances -d '{"ip":"127.0.0.1","http_port":8080,"metadata":{"a":"b"}}'
	for list in lmcache_infos instances api/nodes api/entries api/events sd/prometheus; do
		get "/$list" | python3 "$HERE/schema.py" "$HERE/../docs/schema/discovery-${list##*/}.json"
	done
}

@test "/api/nodes is a list that every lmc reads" {
	registry
	beat http%3A%2F%2F127.0.0.1%3A8000
	get /instances -d '{"ip":"127.0.0.1","http_port":8080,"instance_id":"i"}'
	get /api/nodes >list
	run "$LMC" nodes --check list
	[ "$status" = 0 ]
	run "$LMC" nodes --nodes list --no-headers
	has mp_i
	has 127.0.0.1:8080
}

@test "those who read the list are not kept waiting, and a list too large for them is refused" {
	raw readers
}

# on_targets N: Prometheus has N targets, and all of them are well.
on_targets() {
	python3 "$HERE/prom.py" targets "$prom" >targets
	[ "$(grep -c ^up targets)" = "$1" ] && [ "$(wc -l <targets)" = "$1" ]
}

@test "Prometheus scrapes who is listed by http_sd, and no longer who is gone" {
	local where last

	registry --ttl 3s
	where=$url
	for _ in 1 2; do
		start proxy --nodes '[]' --heartbeat-url "$where/heartbeat" --heartbeat-interval 1
	done
	last=$pid
	cat >prometheus.yml <<-Y
	global: { scrape_interval: 1s, scrape_timeout: 1s }
	scrape_configs:
	- job_name: lmc
	  http_sd_configs: [{ url: "$where/sd/prometheus", refresh_interval: 1s }]
	  relabel_configs: [{ source_labels: [__meta_lmc_name], target_label: frontend }]
	Y
	prometheus
	wait_until 30 on_targets 2
	query_is 1 "up{frontend=\"proxy_127.0.0.1_$port\"}"
	kill -KILL "$last"
	wait_until 30 on_targets 1
}

@test "who asks all nodes of a registry is told of a frontend that is silent" {
	local where

	registry
	where=$url
	beat http%3A%2F%2F127.0.0.1%3A9
	fails_with 3 "$LMC" version -a --nodes "$where"
	is "lmc version: no node is known: proxy_127.0.0.1_9: Connection refused"
	start demo --node "unix:$PWD/w0.sock" --role worker --worker-id 0
	start proxy --nodes "[{\"name\":\"w0\",\"host\":\"h\",\"port\":\"$PWD/w0.sock\"}]" \
		--heartbeat-url "$where/heartbeat"
	url=$where
	wait_until 10 eval 'get /lmcache_infos | grep -q "\"processCount\":2"'
	fails_with 3 "$LMC" version -a --nodes "$where" --no-headers
	has "w0 "
	has "lmc version: proxy_127.0.0.1_9: Connection refused"
	fails_with 3 "$LMC" nodes -q --nodes "$where" -o name
	is w0
	fails_with 0 "$LMC" version -n w0 --nodes "$where"
	lacks refused
}

@test "/metrics is an exposition that says how many there are of each kind and state" {
	registry
	beat http%3A%2F%2F127.0.0.1%3A8000
	beat x
	get /metrics >self
	promtool check metrics <self >lint || [ $? = 3 ]
	grep -qxF 'lmc_registry_entries{kind="frontend",state="alive"} 1' self
	grep -qxF 'lmc_registry_events_total{event="joined"} 1' self
	grep -qxF 'lmc_registry_reports_total 1' self
	grep -qxF 'lmc_registry_refused_total 1' self
}

@test "it listens where it is told to, says that it does, and ends by SIGTERM" {
	start discovery --listen "unix:$PWD/r.sock" --listen 127.0.0.1:0 --log-level info
	[ ${#addrs[@]} = 2 ]
	run get /livez
	is '{"status":"healthy"}'
	run get /readyz
	is ok
	stop
	no test -e r.sock
	grep -q ending "$log"
}

@test "NOTIFY_SOCKET is told when it serves and when it ends" {
	python3 - "$PWD/notify" >told <<-'E' &
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	s.settimeout(20)
	for _ in range(2):
	    print(s.recv(100).decode(), flush=True)
	E
	started+=("$!")
	wait_until 10 test -S notify
	NOTIFY_SOCKET=$PWD/notify registry
	wait_until 10 grep -q READY=1 told
	stop
	wait_until 10 grep -q STOPPING=1 told
}

@test "events are lines of the log, as text or JSON" {
	registry --log-level info --log json --ttl 300ms
	beat http%3A%2F%2F127.0.0.1%3A8000
	wait_until 10 grep -q gone "$log"
	python3 - "$log" <<-'E'
	import json, sys
	rows = [json.loads(line) for line in open(sys.argv[1])]
	assert [r["event"] for r in rows] == ["listening", "joined", "late", "gone"], rows
	assert rows[1]["entry"] == "http://127.0.0.1:8000", rows
	E
}

@test "options that contradict each other are refused at the start" {
	fails_with 2 "$LMC" discovery --ttl 10s --late 10s
	has 'nobody would be late'
	fails_with 2 "$LMC" discovery --ttl 2h
	has 'nobody would be gone'
	fails_with 2 "$LMC" discovery --allow 10.0.0.0/33
	has '10.0.0.0/33: more bits than an address has'
	fails_with 2 "$LMC" discovery --allow localnet
	has 'localnet: a network is ADDRESS/BITS'
	fails_with 2 "$LMC" discovery --listen nowhere
	has 'nowhere: no port'
}

@test "a token that others may read, or that is short, is refused" {
	printf 0123456789abcdef >token
	chmod 644 token
	fails_with 2 "$LMC" discovery --token-file token
	has 'others than its owner'
	chmod 600 token
	printf short >token
	fails_with 2 "$LMC" discovery --token-file token
	has '16 characters'
	printf '0123456789abcdef x' >token
	fails_with 2 "$LMC" discovery --token-file token
	has 'one word'
	fails_with 2 "$LMC" discovery --token-file nosuch
	has 'No such file'
}

@test "a journal that cannot be used is told and nothing starts" {
	fails_with 111 "$LMC" discovery --listen 127.0.0.1:0 --journal "$PWD"
	fails_with 111 "$LMC" discovery --listen 127.0.0.1:0 --journal nosuch/j
	has 'No such file'
	mkfifo pipe
	fails_with 111 "$LMC" discovery --listen 127.0.0.1:0 --journal pipe
	has 'not a regular file'
}

@test "connections are limited in all and for each address" {
	registry --connections 2 --idle-timeout 1s
	exec 6<>"/dev/tcp/127.0.0.1/$port" 7<>"/dev/tcp/127.0.0.1/$port"
	wait_until 5 eval 'get /livez -o /dev/null -w "%{http_code}" | grep -q 503'
	wait_until 10 eval 'get /livez | grep -q healthy'
	stop
	exec 6>&- 7>&-
	registry --per-address 1 --grace 1s
	exec 6<>"/dev/tcp/127.0.0.1/$port"
	wait_until 5 eval 'get /livez -o /dev/null -w "%{http_code}" | grep -q 429'
	exec 6>&-
}

@test "lmc heartbeat reports to it by both protocols, with its token, and leaves" {
	local where

	printf 'a-token-of-24-characters' >token
	chmod 600 token
	registry --token-file token
	where=$url
	run "$LMC" heartbeat --once -q --url "$where/heartbeat" --api-address http://10.0.0.1:8000
	[ "$status" = 4 ]
	"$LMC" heartbeat --once -q --registry-token token --version-text 9.9 \
		--url "$where/heartbeat" --api-address http://10.0.0.1:8000
	run get /lmcache_infos
	has '"apiAddress":"http://10.0.0.1:8000"'
	has '"version":"9.9"'
	has 'nodes_count'
	launch "$LMC" heartbeat --registry-token token --version-text 9.9 --ready-fd 9 \
		--coordinator-url "$where" --api-address http://10.0.0.2:8080 --interval 1s
	url=$where port=
	wait_until 10 eval 'get /instances | grep -q "\"ip\":\"10.0.0.2\",\"http_port\":8080"'
	stop
	run get /instances
	is '{"instances":[]}'
}

@test "a frontend that is killed is late, gone after its TTL, and comes back" {
	local where front

	front() {
		start proxy --nodes '[]' --port "$1" --heartbeat-url "$where/heartbeat" \
			--heartbeat-interval 1 --report-host 127.0.0.1
		url=$where
	}
	registry --ttl 4s --late 2s
	where=$url
	front 0
	front=$port
	wait_until 10 eval 'get /api/entries | grep -q "\"entry\":\"http://127.0.0.1:$front\".*\"state\":\"alive\""'
	kill -KILL "$pid"
	wait_until 10 eval 'get /api/entries | grep -q "\"state\":\"late\""'
	wait_until 10 eval 'get /api/entries | grep -q "\"state\":\"gone\""'
	run get /lmcache_infos
	has '"processCount":0'
	front "$front"
	wait_until 10 eval 'get /lmcache_infos | grep -q "\"processCount\":1"'
}
