#!/usr/bin/env bats
# scrape.bats - the frontend's merged /metrics, and Prometheus's discovery of nodes
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034

bats_require_minimum_version 1.5.0
load lib
load prom

# nodes_json PREFIX SOCKET...: a list of nodes named PREFIX0, PREFIX1 ...
nodes_json() {
	python3 -c 'import json, sys
json.dump([{"name": f"{sys.argv[1]}{i}", "host": "h", "port": p}
           for i, p in enumerate(sys.argv[2:])], sys.stdout)' "$@"
}

# demo_nodes HOST COUNT: that many simulated workers 0, 1 ... on HOST/N.sock
demo_nodes() {
	local i args=()

	mkdir "$1"
	for ((i = 0; i < $2; i++)); do
		args+=(--node "unix:$PWD/$1/$i.sock")
	done
	start demo "${args[@]}"
}

# frontend ARGS...: on nodes.json; sets $front, its address.
frontend() {
	start proxy --config nodes.json "$@"
	front=$addr
}

# merged [CURL ARGS...]: into m.prom
merged() {
	curl -sSf --max-time 30 -o m.prom "$@" "http://$front/metrics"
}

# sample NAME{LABELS}: its value in m.prom
sample() {
	awk -v name="$1 " 'index($0, name) == 1 { print $NF }' m.prom
}

# --- the merge ----------------------------------------------------------------

@test "64 nodes whose labels clash lose nothing: promtool reads it, Prometheus stores it all" {
	demo_nodes a 32
	demo_nodes b 32
	# shellcheck disable=SC2046,SC2012 # one word each
	nodes_json node $(ls -d "$PWD"/[ab]/*.sock | sort -V) >nodes.json
	frontend
	merged
	takes_well m.prom
	python3 "$HERE/prom.py" balance m.prom
	[ "$(grep -c '^lmc_node_up{.*} 1$' m.prom)" = 64 ]
	# worker 3 of both hosts has the same labels of its own: both are there
	[ "$(grep -c '^lmcache:num_hit_tokens_total{.*worker_id="3"' m.prom)" = 2 ]
	[ "$(sample lmc_metrics_duplicates)" = 0 ]
	cat >prometheus.yml <<-Y
	global: { scrape_interval: 3s, scrape_timeout: 3s }
	scrape_configs: [{ job_name: lmc, static_configs: [{ targets: ["$front"] }] }]
	Y
	prometheus
	wait_until 40 stored_all
	[ "$(query 'sum(increase(prometheus_target_scrapes_sample_duplicate_timestamp_total[1m])) or vector(0)')" = 0 ]
	curl -sf "http://127.0.0.1:$prom/metrics" >self
	grep -qx 'prometheus_target_scrapes_sample_duplicate_timestamp_total 0' self
	grep -qx 'prometheus_target_scrapes_sample_out_of_order_total 0' self
	grep -qx 'prometheus_target_scrapes_exceeded_sample_limit_total 0' self
}

# What one scrape had is what is stored for its time: Prometheus's own five
# series (up, scrape_...) are not of the scrape.
stored_all() {
	local scraped stored

	scraped=$(query 'scrape_samples_scraped{job="lmc"}')
	[ "$scraped" != none ] || return
	[ "$scraped" -gt 10000 ] || return
	[ "$(query 'scrape_samples_post_metric_relabeling{job="lmc"}')" = "$scraped" ] || return
	stored=$(query "count({job=\"lmc\",__name__!~\"up|scrape_.*\"})")
	echo "scraped $scraped, stored $stored"
	[ "$stored" = "$scraped" ]
}

@test "a node that hangs costs one 0, and not the scrape's deadline" {
	mkdir many
	launch python3 "$HERE/many.py" --ready-fd 9 --count 4 --hang 1 "$PWD/many"
	cp many/nodes.json .
	frontend
	timed 1 merged -H 'X-Prometheus-Scrape-Timeout-Seconds: 1'
	[ "$(sample 'lmc_node_up{node="n0000"}')" = 0 ]
	[ "$(sample 'lmc_node_up{node="n0003"}')" = 1 ]
	[ "$(sample 'lmc_node_scrape_samples{node="n0000"}')" = 0 ]
	python3 -c 'import sys; sys.exit(not 0.8 < float(sys.argv[1]) < 1)' \
		"$(sample 'lmc_node_scrape_duration_seconds{node="n0000"}')"
	python3 "$HERE/prom.py" balance m.prom
}

@test "nodes that are down, refuse, send garbage or break off cost one 0 each" {
	mkdir good garbage
	printf 'a 1\nb{x="y"} 2\n' >good/metrics
	echo 'a{1' >garbage/metrics
	start_peer --unix "$PWD/g.sock" --dir good
	start_peer --unix "$PWD/b.sock" --dir garbage
	start demo --node "unix:$PWD/t.sock" --fault truncate
	start demo --node "unix:$PWD/5.sock" --fault 500
	cat >nodes.json <<-E
	[{"name":"good","host":"h","port":"$PWD/g.sock"},
	 {"name":"garbage","host":"h","port":"$PWD/b.sock"},
	 {"name":"truncated","host":"h","port":"$PWD/t.sock"},
	 {"name":"failing","host":"h","port":"$PWD/5.sock"},
	 {"name":"down","host":"h","port":"$PWD/none.sock"},
	 {"name":"port","host":"127.0.0.1","port":$(free_port)}]
	E
	frontend
	merged
	takes_well m.prom
	python3 "$HERE/prom.py" balance m.prom
	for n in garbage truncated failing down port; do
		[ "$(sample "lmc_node_up{node=\"$n\"}")" = 0 ]
	done
	[ "$(sample 'lmc_node_up{node="good"}')" = 1 ]
	[ "$(sample 'lmc_node_scrape_samples{node="good"}')" = 2 ]
	[ "$(sample 'b{node="good",x="y"}')" = 2 ]
}

@test "integer ports, IPv6 and sockets are all scraped" {
	local a b

	start demo --node 127.0.0.1:0
	a=$port
	start demo --node '[::1]:0'
	b=$port
	start demo --node "unix:$PWD/c.sock"
	cat >nodes.json <<-E
	[{"name":"i","host":"127.0.0.1","port":$a},{"name":"six","host":"::1","port":"$b"},
	 {"name":"s","host":"h","port":"$PWD/c.sock"}]
	E
	frontend
	merged
	[ "$(grep -c '^lmc_node_up{.*} 1$' m.prom)" = 3 ]
}

@test "what nodes disagree on is kept apart, named and counted" {
	mkdir a b
	printf '# HELP x One.\n# TYPE x counter\nx 1\ny 1\ny 1\n' >a/metrics
	printf '# HELP x Two.\n# TYPE x gauge\nx 2\n' >b/metrics
	start_peer --unix "$PWD/a.sock" --dir a
	start_peer --unix "$PWD/b.sock" --dir b
	nodes_json n "$PWD/a.sock" "$PWD/b.sock" >nodes.json
	frontend
	merged
	python3 "$HERE/prom.py" balance m.prom
	[ "$(sample 'x{node="n0"}')" = 1 ]
	[ "$(sample 'x_conflict_gauge{node="n1"}')" = 2 ]
	[ "$(sample lmc_metrics_type_conflicts)" = 1 ]
	[ "$(sample 'lmc_metrics_type_conflict{node="n1",family="x",first="counter",second="gauge"}')" = 1 ]
	[ "$(sample lmc_metrics_duplicates)" = 1 ]
	[ "$(sample 'lmc_node_scrape_duplicates{node="n0"}')" = 1 ]
}

@test "nodes of other frontends are in it, and say whose they are" {
	local inner

	demo_nodes a 2
	nodes_json worker "$PWD"/a/*.sock >nodes.json
	frontend
	inner=$front
	cat >nodes.json <<-E
	[{"name":"local_proxy","host":"127.0.0.1","port":0,"is_proxy":true,"children":
	  [{"name":"worker0","host":"h","port":"$PWD/a/1.sock"}]},
	 {"name":"far","host":"127.0.0.1","port":${inner##*:},"is_proxy":true,"children":
	  [{"name":"worker0","host":"h","port":"$PWD/a/0.sock"},
	   {"name":"worker1","host":"h","port":"$PWD/a/1.sock"}]}]
	E
	frontend
	merged
	takes_well m.prom
	python3 "$HERE/prom.py" balance m.prom
	[ "$(sample 'lmc_node_up{node="worker0"}')" = 1 ]
	[ "$(sample 'lmc_node_up{node="worker0",frontend="far"}')" = 1 ]
	[ "$(sample 'lmc_node_up{node="worker1",frontend="far"}')" = 1 ]
	[ "$(grep -c '^lmcache:num_hit_tokens_total{' m.prom)" = 3 ]
	[ "$(grep -c '^lmcache:num_hit_tokens_total{.*frontend="far"' m.prom)" = 2 ]
	[ "$(sample 'lmc_node_healthy{node="worker0",frontend="far"}')" = 1 ]
	[ "$(sample 'lmc_node_healthy{node="worker0"}')" = 1 ]
	curl -sSf "http://$front/metrics/self" >self.prom
	takes_well self.prom
	[ -z "$(grep -v '^#' self.prom | sed 's/ [^ ]*$//' | sort | uniq -d)" ]
}

@test "labels can be named otherwise, and names be written without colons" {
	demo_nodes a 1
	nodes_json worker "$PWD/a/0.sock" >nodes.json
	frontend --node-label host --underscore
	merged
	grep -q '^lmcache_num_hit_tokens_total{host="worker0",' m.prom
	no grep -q '^lmcache:' m.prom
	run -2 "$LMC" proxy --config nodes.json --port 0 --node-label a-b
	has '--node-label: a-b is not a label name'
}

# --- what is asked for ----------------------------------------------------------

@test "gzip is sent when asked for, and holds the same" {
	mkdir many
	launch python3 "$HERE/many.py" --ready-fd 9 --count 64 "$PWD/many"
	cp many/nodes.json .
	frontend
	merged
	curl -sSf -H 'Accept-Encoding: gzip' -D head -o m.gz "http://$front/metrics"
	grep -qi '^content-encoding: gzip' head
	gzip -dc m.gz >unpacked.prom
	diff <(grep '^lmcache' m.prom) <(grep '^lmcache' unpacked.prom)
	[ "$(stat -c %s m.gz)" -lt $(($(stat -c %s unpacked.prom) / 5)) ]
	merged -D head -H 'Accept-Encoding: gzip;q=0'
	no grep -qi '^content-encoding' head
}

@test "OpenMetrics is sent to who prefers it" {
	demo_nodes a 1
	nodes_json worker "$PWD/a/0.sock" >nodes.json
	frontend
	merged -D head -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5'
	grep -qi '^content-type: application/openmetrics-text' head
	[ "$(tail -n 1 m.prom)" = '# EOF' ]
}

@test "names, nodes and matchers choose what is sent" {
	demo_nodes a 3
	nodes_json worker "$PWD"/a/*.sock >nodes.json
	frontend
	merged -G -d 'name[]=lmcache:num_hit_tokens_total' -d 'name[]=lmc_node_up'
	[ "$(grep -vc '^#' m.prom)" = 6 ]
	merged -G -d node=worker1
	[ "$(grep -c '^lmcache:num_hit_tokens_total' m.prom)" = 1 ]
	[ "$(grep -c '^lmc_node_up' m.prom)" = 1 ]
	merged -G --data-urlencode 'match[]={__name__="lmcache:num_hit_tokens_total",node=~"worker[12]"}'
	[ "$(grep -vc '^#' m.prom)" = 2 ]
	for q in 'match[]=a{' 'nope=1' 'rollup=some' 'by=node'; do
		run curl -s -o /dev/null -w '%{http_code}' -G --data-urlencode "$q" "http://$front/metrics"
		is 400
	done
}

@test "a roll-up has one sample for each group" {
	demo_nodes a 3
	nodes_json worker "$PWD"/a/*.sock >nodes.json
	frontend
	merged -G -d rollup=auto -d 'name[]=lmcache:num_hit_tokens_total' -d 'name[]=lmc_node_up'
	takes_well m.prom
	[ "$(grep -c '^lmcache:num_hit_tokens_total ' m.prom)" = 1 ]
	[ "$(sample lmc_node_up)" = 3 ]
	merged -G -d rollup=max -d by=node -d 'name[]=lmcache:num_hit_tokens_total'
	[ "$(grep -c '^lmcache:num_hit_tokens_total{node="worker' m.prom)" = 3 ]
}

@test "who asks at the same time shares one question to each node" {
	local i pids=()

	mkdir many
	launch python3 "$HERE/many.py" --ready-fd 9 --count 1 --delay 0.4 "$PWD/many"
	cp many/nodes.json .
	frontend --probe 0
	for i in {1..20}; do
		curl -sSf --max-time 10 -o "m.$i" "http://$front/metrics" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in {1..20}; do
		grep -q '^lmcache:filler{node="n0000"' "m.$i"
	done
	[ "$(stat -c %s many/requests)" -le 2 ]
}

@test "who is in more of a hurry is answered first, without the slow node" {
	local slow began

	mkdir many
	launch python3 "$HERE/many.py" --ready-fd 9 --count 2 --hang 1 "$PWD/many"
	cp many/nodes.json .
	frontend
	curl -sSf -o slow.prom -H 'X-Prometheus-Scrape-Timeout-Seconds: 3' \
		"http://$front/metrics" &
	slow=$!
	wait_until 5 test -s many/requests
	began=${EPOCHREALTIME/./}
	merged -H 'X-Prometheus-Scrape-Timeout-Seconds: 0.5'
	[ $((${EPOCHREALTIME/./} - began)) -lt 900000 ]
	grep -q '^lmcache:filler{node="n0001"' m.prom
	[ "$(sample 'lmc_node_up{node="n0000"}')" = 0 ]
	kill -0 "$slow"
	wait "$slow"
	grep -q '^lmcache:filler{node="n0001"' slow.prom
}

@test "1000 nodes of which 100 hang are scraped by the deadline, in bounded memory" {
	mkdir many
	launch python3 "$HERE/many.py" --ready-fd 9 --count 1000 --hang 100 "$PWD/many"
	cp many/nodes.json .
	frontend --probe 0
	# whole, and before the scraper gives up; a sanitizer may be late
	timed 10 merged -H 'X-Prometheus-Scrape-Timeout-Seconds: 10' || [[ $LMC == */check/* ]]
	grep VmHWM "/proc/$pid/status"
	[ "$(grep -c '^lmc_node_up{.*} 1$' m.prom)" = 900 ]
	[ "$(grep -c '^lmc_node_up{.*} 0$' m.prom)" = 100 ]
	python3 "$HERE/prom.py" balance m.prom
	[[ $LMC == */check/* ]] ||
		[ "$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")" -lt 60000 ]
}

@test "a scraper that goes away, or reads slowly, does no harm" {
	local i

	mkdir many
	launch python3 "$HERE/many.py" --ready-fd 9 --count 1000 "$PWD/many"
	cp many/nodes.json .
	frontend
	for i in {1..10}; do
		curl -s --max-time 0.02 -o /dev/null "http://$front/metrics" || :
	done
	python3 - "$front" <<-'P'
	import socket, sys, time
	host, port = sys.argv[1].split(":")
	s = socket.socket()
	s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
	s.connect((host, int(port)))
	s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	n = 0
	while True:
	    part = s.recv(50000)
	    if not part:
	        break
	    n += len(part)
	    tail = part[-5:]
	    time.sleep(0.001)
	# more than one connection may hold: what waits was sent piece by piece
	assert n > 17 << 20 and tail.endswith(b"0\r\n\r\n"), (n, tail)
	P
	merged
	python3 "$HERE/prom.py" balance m.prom
}

# --- discovery ------------------------------------------------------------------

# on_targets N: Prometheus scrapes exactly N nodes, and all of them well.
on_targets() {
	python3 "$HERE/prom.py" targets "$prom" >list
	[ "$(grep -c '^up /proxy2/' list)" = "$1" ] && [ "$(wc -l <list)" = "$1" ]
}

@test "Prometheus finds UNIX-socket nodes by http_sd alone, new ones too, and gone ones go" {
	demo_nodes a 33
	# shellcheck disable=SC2046,SC2012 # one word each
	nodes_json worker $(ls "$PWD"/a/*.sock | sort -V | head -n 32) >nodes.json
	frontend
	cat >prometheus.yml <<-Y
	global: { scrape_interval: 2s, scrape_timeout: 2s }
	scrape_configs:
	- job_name: lmc
	  http_sd_configs: [{ url: "http://$front/sd/prometheus", refresh_interval: 1s }]
	  relabel_configs: [{ source_labels: [__meta_lmc_role], target_label: lmc_role }]
	Y
	prometheus
	wait_until 40 on_targets 32
	query_is 32 'count(lmcache:num_hit_tokens_total{node=~"worker.*",lmc_role="worker"})'
	curl -sSf -X POST -H 'Content-Type: application/json' \
		-d "{\"name\":\"late\",\"host\":\"h\",\"port\":\"$PWD/a/32.sock\"}" \
		"http://$front/api/proxies/local_proxy/nodes" >/dev/null
	wait_until 30 on_targets 33
	grep -qx 'up /proxy2/late/metrics late' list
	curl -sSf -X DELETE "http://$front/api/nodes/worker7" >/dev/null
	wait_until 30 on_targets 32
	no grep -q 'worker7$' list
	wait_until 30 query_is none 'lmcache:num_hit_tokens_total{node="worker7"}'
}

@test "the list of targets is JSON, and the labels are those of the merge" {
	cat >nodes.json <<-'E'
	[{"name":"I_worker3","host":"h","port":"/tmp/x\"y.sock"},
	 {"name":"far","host":"127.0.0.1","port":9,"is_proxy":true,"children":
	  [{"name":"a b","host":"127.0.0.1","port":7000}]}]
	E
	frontend
	run curl -sSf -D head "http://$front/sd/prometheus"
	grep -qi '^content-type: application/json' head
	python3 - "$output" "$front" <<-'P'
	import json, sys
	got, front = json.loads(sys.argv[1]), sys.argv[2]
	assert got == [
	    {"targets": [front], "labels": {
	        "__metrics_path__": "/proxy2/I_worker3/metrics", "node": "I_worker3",
	        "__meta_lmc_role": "worker", "__meta_lmc_address": 'unix:/tmp/x"y.sock'}},
	    {"targets": [front], "labels": {
	        "__metrics_path__": "/proxy2/far/proxy2/a b/metrics", "node": "a b",
	        "frontend": "far", "__meta_lmc_address": "127.0.0.1:7000"}},
	], got
	P
	echo '[]' >nodes.json
	frontend --sd-target lmc.example:80
	run curl -sSf "http://$front/sd/prometheus"
	is '[]'
}

# listed FILE NAME
listed() {
	python3 -c 'import json, sys
sys.exit(sys.argv[2] not in [t["labels"]["node"] for t in json.load(open(sys.argv[1]))])' "$@"
}

@test "--file-sd keeps the same in a file, from the start and after every change" {
	nodes_json worker /tmp/x.sock >nodes.json
	frontend --file-sd "$PWD/sd.json"
	diff sd.json <(curl -sSf "http://$front/sd/prometheus")
	curl -sSf -X POST -H 'Content-Type: application/json' \
		-d '{"name":"late","host":"h","port":"/tmp/y.sock"}' \
		"http://$front/api/proxies/local_proxy/nodes" >/dev/null
	wait_until 5 listed sd.json late
	diff sd.json <(curl -sSf "http://$front/sd/prometheus")
	nodes_json other /tmp/z.sock >nodes.json
	kill -HUP "$pid"
	wait_until 5 listed sd.json other0
	listed sd.json late
	no listed sd.json worker0
	curl -sSf -X DELETE "http://$front/api/nodes/late" >/dev/null
	wait_until 5 no listed sd.json late
	[ "$(find . -maxdepth 1 -name 'sd.json*' | wc -l)" = 1 ]
	run -2 "$LMC" proxy --config nodes.json --listen "unix:$PWD/f.sock" --file-sd x.json
	has '--sd-target'
	run -111 "$LMC" proxy --config nodes.json --port 0 --file-sd "$PWD/nowhere/x.json"
	has "unable to write"
}
