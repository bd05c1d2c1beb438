#!/usr/bin/env bats
# united.bats - frontends and nodes that registries name, and frontends in a row
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # url, output, log, addrs are of lib.bash

bats_require_minimum_version 1.5.0
load lib
load prom

# fleet ARGS...: stand-ins for frontends; $registry is where they are named,
# $fronts their addresses.
fleet() {
	launch python3 "$HERE/frontends.py" --ready-fd 9 "$@"
	registry=$url
	fronts=("${addrs[@]:1}")
}

tell() {
	curl -gsSf --max-time 20 "$registry/set?$1" >/dev/null
}

# nodes [JQ]: what the frontend at $url says, by default "FRONTEND/NODE STATE".
nodes() {
	get /api/nodes | jq -r "${1:-.nodes[] | .name as \$f | .stale_since as \$s |
		.children[] | \"\(\$f)/\(.name) \(if \$s then \"stale\" else .state end)\"}"
}

leaves() {
	[ "$(nodes '[.nodes[].children[]] | length')" = "$1" ]
}

front() {
	echo "proxy_127.0.0.1_${fronts[$1]##*:}"
}

answers() {
	run get "$1"
	[ "$output" = "$2" ]
}

# --- one list ------------------------------------------------------------------

@test "nodes --from: a discovery service's frontends and their nodes, once, in every form" {
	fleet --frontends 2 --nodes 2
	fails_with 0 "$LMC" nodes --from "$registry" --no-headers
	[ "${#lines[@]}" = 4 ]
	has "$(front 1)  h1_worker0  127.0.0.1:7000  healthy"
	fails_with 0 "$LMC" nodes --from "$registry/lmcache_infos" -o name
	has "$(front 0)/h0_worker1"
	"$LMC" nodes --from "$registry" -o json >list.json
	[ "$(wc -l <list.json)" = 1 ]
	fails_with 0 "$LMC" nodes --check list.json
	# the list leads through the frontends, wherever it is read
	fails_with 0 "$LMC" version --nodes list.json -n h1_worker1 -o raw
	is '"1 h1_worker1 version"'
	fails_with 0 "$LMC" version --nodes "$registry" -n "$(front 0)/h0_worker0" -o raw
	is '"0 h0_worker0 version"'
}

@test "nodes --from: one bad entry, one bad node and one dead frontend cost only themselves" {
	fleet --frontends 3 --nodes 2
	cat >list <<-END
		# the fleet
		${fronts[0]}
		http://0x7f.1:80
		https://127.0.0.1:443
		169.254.169.254:80
		  ${fronts[1]} # behind a blank
		127.0.0.1:1
	END
	"$LMC" nodes --from file:list -o json >list.json
	run jq -r '.sources[0] | "\(.entries) \(.bad) \(.stale) \(.why)"' list.json
	has '3 3 false http://0x7f.1:80: an IPv4 address is four decimal numbers'
	run jq -r '.nodes[] | select(.name == "proxy_127.0.0.1_1") | .why' list.json
	is 'Connection refused'
	[ "$(jq '[.nodes[].children[]] | length' list.json)" = 4 ]
	tell 'n=0&body={"nodes":[{"name":"a","host":"h","port":1},{"name":"b","host":"h","port":0},{"name":"a","host":"h","port":2}]}'
	"$LMC" nodes --from "http://${fronts[0]}" -o json >list.json
	[ "$(jq -c '[.nodes[].children[].name]' list.json)" = '["a"]' ]
	run jq -r '.nodes[1].why' list.json
	has 'port: 0 is not a port'
}

@test "nodes --from: who has no /api/nodes is a node, a coordinator's instances are" {
	mkdir peer
	echo '{"instances":[{"instance_id":"i1","ip":"127.0.0.1","http_port":8080},{"ip":"x"}]}' >peer/instances
	start_peer --dir peer --type application/json
	fails_with 0 "$LMC" nodes --from "coordinator:$url" --no-headers
	is '-  mp_i1  127.0.0.1:8080  -'
	echo "$addr" >list
	fails_with 0 "$LMC" nodes --from file:list --no-headers
	is "-  $addr  $addr  -"
	echo '[{"name":"sock","host":"h","port":"/x/y.sock"},{"name":"here","host":"127.0.0.1","port":'"$port"'}]' >list
	fails_with 0 "$LMC" nodes --from file:list --no-headers
	has "-     here  $addr"
	has "sock  -     /x/y.sock"
}

@test "nodes --from dns: every address of a name, and a name that is none is no answer" {
	fails_with 0 "$LMC" nodes --from dns:localhost:1 -o json
	run jq -r '.nodes[].name | select(. != "local_proxy")' <<<"$output"
	has 'proxy_127.0.0.1_1'
	fails_with 3 "$LMC" nodes --from dns:no.such.name.invalid:1 --no-headers
	has 'dns:no.such.name.invalid:1: no.such.name.invalid: '
	fails_with 2 "$LMC" nodes --from dns:name
	has 'not NAME:PORT'
	fails_with 2 "$LMC" nodes --from gopher://x
	has 'not a kind of registry that is known'
	fails_with 2 "$LMC" nodes --follow
	has 'name it with --from'
}

# last N: the last line of "out" has N nodes.
last() {
	[ "$(tail -1 out | jq '[.nodes[].children[]] | length')" = "$1" ]
}

# asked N: N more lists have been asked for than at $was.
asked() {
	[ "$(curl -s "$registry/seen")" -gt $((was + $1)) ]
}

@test "nodes --follow prints a list at every change, and only then" {
	local was lines

	fleet --frontends 2 --nodes 1
	"$LMC" nodes --from "$registry" --follow -o jsonl --interval 50ms >out 2>err &
	started+=($!)
	wait_until 10 last 2
	tell 'n=0&nodes=3'
	wait_until 10 last 4
	lines=$(wc -l <out)
	# forty askings without a change are no line
	was=$(curl -s "$registry/seen")
	wait_until 10 asked 40
	[ "$(wc -l <out)" = "$lines" ]
	tell 'n=1&down=1'
	wait_until 10 eval '[ "$(wc -l <out)" = $((lines + 1)) ]'
	last 4
	[ "$(tail -1 out | jq '[.nodes[] | select(.stale_since)] | length')" = 1 ]
	# asked to, it tells although nothing is another
	kill -USR1 "${started[-1]}"
	wait_until 10 eval '[ "$(wc -l <out)" = $((lines + 2)) ]'
}

# --- the frontend ---------------------------------------------------------------

@test "a frontend shows, passes on and scrapes what a discovery service names" {
	fleet --frontends 3 --nodes 2
	start proxy --nodes '[]' --node-supplier-url "$registry/infos" --registry-interval 100ms
	wait_until 10 leaves 6
	run nodes
	has "$(front 2)/h2_worker1 healthy"
	answers /proxy2/h2_worker1/threads '"2 h2_worker1 threads"'
	answers "/proxy2/$(front 1)/proxy2/h1_worker0/version?x=1" '"1 h1_worker0 version"'
	run get /metrics
	has "lmcache:num_hit_tokens_total{node=\"h1_worker1\",role=\"worker\",frontend=\"$(front 1)\",model_name=\"m\"} 1"
	has "lmc_node_up{node=\"h2_worker0\",frontend=\"$(front 2)\"} 1"
	has "lmc_registry_stale{registry=\"$registry/infos\"} 0"
	has "lmc_frontend_stale{frontend=\"$(front 0)\"} 0"
	run get /sd/prometheus
	has "/proxy2/$(front 1)/proxy2/h1_worker0/metrics"
	fails_with 0 "$LMC" metrics --via "$url" -a
	has "lmcache:num_hit_tokens_total{node=\"h1_worker1\",role=\"worker\",frontend=\"$(front 1)\",model_name=\"m\"} 1"
	has "lmc_node_up{node=\"h2_worker0\",frontend=\"$(front 2)\"} 1"
	fails_with 0 "$LMC" version --via "$url" -n h0_worker1 -o raw
	is '"0 h0_worker1 version"'
}

@test "what is stale is kept and marked, what comes back is fresh, what is gone goes" {
	fleet --frontends 2 --nodes 2
	start proxy --nodes '[{"name":"own","host":"127.0.0.1","port":1}]' \
		--node-supplier-url "$registry" --registry-interval 50ms
	wait_until 10 leaves 5
	tell 'n=0&down=1'
	wait_until 10 eval 'nodes | grep -q "h0_worker0 stale"'
	run nodes '.nodes[] | select(.stale_since) | .why'
	has 'the connection was closed'
	tell registry=500
	wait_until 10 eval '[ "$(nodes ".sources[0].stale")" = true ]'
	run nodes '.sources[0].why'
	is '/lmcache_infos: it answers 500'
	leaves 5
	tell 'n=0&down=0&nodes=1'
	wait_until 10 leaves 4
	run nodes
	lacks stale
	tell 'registry=200'
	tell 'n=1&gone=1'
	wait_until 10 leaves 2
	run nodes
	has 'local_proxy/own'
}

@test "refresh asks the frontends now, not at the next interval" {
	fleet --frontends 1 --nodes 1
	start proxy --nodes '[]' --node-supplier-url "$registry" --registry-interval 1h
	wait_until 10 leaves 1
	tell 'n=0&nodes=4'
	run get "/api/proxies/$(front 0)/refresh"
	[ "$(jq -r '.status, (.nodes | length)' <<<"$output" | xargs)" = 'success 4' ]
	run get /api/proxies/none/refresh
	is '{"detail":"Proxy not found"}'
}

@test "a name that more than one node has is refused, with those it may mean" {
	fleet --frontends 2 --nodes 1 --same
	start_peer
	start proxy --nodes '[{"name":"worker0","host":"127.0.0.1","port":'"$port"'}]' \
		--node-supplier-url "$registry" --registry-interval 100ms
	wait_until 10 leaves 3
	run get /proxy2/worker0/version -w '%{http_code}'
	has "more than one node is named 'worker0': local_proxy/worker0, "
	has "$(front 1)/worker0"
	has '409'
	run get /api/nodes/worker0 -X DELETE -w '%{http_code}'
	has '409'
	answers "/proxy2/$(front 1)/proxy2/worker0/version" '"1 worker0 version"'
	run get /proxy2/local_proxy/proxy2/worker0/version
	has 'GET /version HTTP/1.1'
	fails_with 0 "$LMC" version --via "$url" -n "$(front 1)/worker0" -o raw
	is '"1 worker0 version"'
	fails_with 1 "$LMC" version --via "$url" -n worker0
	has 'more than one node is named'
	fails_with 0 "$LMC" nodes --via "$url" -o name
	has 'local_proxy/worker0'
	run get /metrics
	has "lmc_node_up{node=\"worker0\",frontend=\"$(front 0)\"} 1"
	run get /sd/prometheus
	has '"/proxy2/local_proxy/proxy2/worker0/metrics"'
}

@test "frontends of one name are told apart by their addresses; configured ones go first" {
	fleet --frontends 3 --nodes 1
	printf '[{"name":"rack","host":"127.0.0.1","port":%d,"is_proxy":true},' "${fronts[0]##*:}" >one
	printf '{"name":"a/b","host":"127.0.0.1","port":%d,"is_proxy":true}]' "${fronts[2]##*:}" >>one
	printf '[{"name":"rack","host":"127.0.0.1","port":%d,"is_proxy":true}]' "${fronts[1]##*:}" >two
	start proxy --nodes '[]' --registry file:one --registry file:two --registry-interval 100ms
	wait_until 10 leaves 3
	[ "$(nodes '[.nodes[].name] | sort | join(" ")')" = \
		"a_b local_proxy rack@${fronts[0]} rack@${fronts[1]}" ] ||
		[ "$(nodes '[.nodes[].name] | sort | join(" ")')" = \
		"a_b local_proxy rack@${fronts[1]} rack@${fronts[0]}" ]
	answers "/proxy2/rack@${fronts[1]}/proxy2/h1_worker0/x" '"1 h1_worker0 x"'
	stop
	# configured without nodes, it has those that were learned
	start proxy --nodes "$(cat one)" --registry file:two --registry "http://${fronts[0]}" \
		--registry-interval 100ms
	wait_until 10 eval '[ "$(nodes ".nodes[] | select(.name == \"rack@'"${fronts[1]}"'\") | .children | length")" = 1 ]'
	answers /proxy2/rack@"${fronts[1]}"/proxy2/h1_worker0/x '"1 h1_worker0 x"'
}

@test "lmcache_frontend's dialect: no ids, bare names of its own nodes, flat lists" {
	fleet --frontends 2 --nodes 1 --python
	tell 'n=1&body={"nodes":[{"name":"f","host":"h","port":1},{"name":"P","host":"10.9.9.9","port":"8000","is_proxy":true,"children":[{"name":"in","host":"h","port":"7"}]}]}'
	start proxy --nodes '[]' --node-supplier-url "$registry" --registry-interval 50ms
	wait_until 10 leaves 3
	answers /proxy2/h0_worker0/version '"0 h0_worker0 version"'
	[ "$(nodes ".nodes[] | select(.name == \"$(front 1)/P\") | .prefix, .way" | xargs)" = \
		"/proxy2/P ${fronts[1]} 10.9.9.9:8000" ]
}

@test "changes through the API stay over lists of a registry, and so does the configuration" {
	fleet --frontends 2 --nodes 1
	echo '[{"name":"own","host":"127.0.0.1","port":1}]' >conf
	start proxy --config conf --state state --node-supplier-url "$registry" --registry-interval 50ms
	wait_until 10 leaves 3
	get /api/nodes -d '{"name":"added","host":"127.0.0.1","port":2}'
	get /api/nodes/h1_worker0 -X DELETE
	leaves 3
	tell 'n=0&nodes=2'
	wait_until 10 leaves 4
	run nodes
	has local_proxy/added
	lacks h1_worker0
	echo '[{"name":"other","host":"127.0.0.1","port":1}]' >conf
	kill -HUP "$pid"
	wait_until 10 eval 'nodes | grep -q local_proxy/other'
	run nodes
	has local_proxy/added
	has h0_worker1
	lacks local_proxy/own
}

@test "a bad source stops the start, a helper that is killed comes back" {
	fails_with 2 "$LMC" proxy --nodes '[]' --port 0 --registry gopher://x
	has '--registry gopher://x: not a kind of registry that is known'
	fails_with 2 "$LMC" proxy --nodes '[]' --port 0 --coordinator-url http://0x7f.1
	has '--coordinator-url http://0x7f.1: '
	fleet --frontends 1 --nodes 1
	start proxy --nodes '[]' --node-supplier-url "$registry" --registry-interval 50ms
	wait_until 10 leaves 1
	kill -KILL "$(pgrep -P "$pid")"
	tell 'n=0&nodes=2'
	leaves 1
	wait_until 10 leaves 2
	local helper
	helper=$(pgrep -P "$pid")
	stop "$pid" KILL || :
	wait_until 5 gone "$helper"
}

# --- in a row ----------------------------------------------------------------------

@test "three frontends in a row: list, passing on, metrics, applets" {
	start demo --instance deep
	echo "$addr" >list.1
	start proxy --nodes '[]' --registry file:list.1 --registry-interval 50ms
	echo "$addr" >list.2
	local middle=$port
	start proxy --nodes '[]' --registry file:list.2 --registry-interval 50ms
	wait_until 10 leaves 4
	answers /proxy2/deep_worker1/version '"0.3.10-simulated"'
	run nodes '.nodes[] | select(.children | length > 0) | .name'
	is "proxy_127.0.0.1_${middle}/proxy_$(sed 's/:/_/' list.1)"
	fails_with 0 "$LMC" health --via "$url" --all --no-headers
	[ "${#lines[@]}" = 4 ]
	fails_with 0 "$LMC" version --via "$url" -n "$(nodes '.nodes[] | select(.children | length > 0) | .name')/deep_worker0" -o raw
	is '"0.3.10-simulated"'
	# who reads for itself is no frontend in the row
	fails_with 0 "$LMC" version --nodes "$url" --all --no-headers
	[ "${#lines[@]}" = 4 ]
	run get /metrics
	has "lmc_node_up{node=\"deep_mp0\",frontend=\"proxy_127.0.0.1_${middle}/"
	# where to: every step by itself, as Prometheus leaves slashes alone
	run get /sd/prometheus
	has "\"/proxy2/proxy_127.0.0.1_${middle}/proxy2/proxy_"
	run get "$(jq -r '.[1].labels.__metrics_path__' <<<"$output")"
	has '# TYPE lmcache:'
}

@test "two that read each other: no growth, and no ghost of a node that is gone" {
	fleet --frontends 2 --nodes 2
	printf '%s\n' "${fronts[@]}" >list
	start proxy --nodes '[]' --registry file:list --registry-interval 50ms
	local a=$url
	echo "$addr" >>list
	start proxy --nodes '[]' --registry file:list --registry-interval 50ms
	local b=$url
	echo "$addr" >>list
	both() {
		for url in "$a" "$b"; do
			leaves "$1" || return 1
		done
	}
	wait_until 10 both 4
	local was
	was=$(curl -s "$registry/seen")
	wait_until 10 asked 40
	both 4
	tell 'n=1&nodes=1'
	wait_until 5 both 3
	tell 'n=0&down=1'
	wait_until 5 eval 'url=$a; nodes | grep -q stale'
	sed -i "/${fronts[0]}/d" list
	wait_until 10 both 1
	was=$(curl -s "$registry/seen")
	wait_until 10 asked 20
	both 1
	# cut off from the frontend, one still sees it through the other
	sed "/${fronts[1]}/d" list >list.b
	url=$b
	stop
	echo "${a#http://}" >list.b
	start proxy --nodes '[]' --registry file:list.b --registry-interval 50ms
	wait_until 10 leaves 1
	answers /proxy2/h1_worker0/version '"1 h1_worker0 version"'
}

@test "a loop of requests ends: 508" {
	local one
	one=$(free_port)
	printf '[{"name":"n","host":"127.0.0.1","port":%s}]' "$one" >list
	"$LMC" proxy --nodes "$(cat list)" --port "$one" --ready-fd 9 9>ready &
	started+=($!)
	wait_until 5 test -s ready
	run curl -s -w '%{http_code}' "http://127.0.0.1:$one/proxy2/n/proxy2/n/proxy2/n/proxy2/n/proxy2/n/x"
	has 508
}

# --- many ------------------------------------------------------------------------

rss() {
	local p sum=0

	for p in "$pid" $(pgrep -P "$pid"); do
		sum=$((sum + $(awk '/^VmHWM/ { print $2 }' "/proc/$p/status")))
	done
	echo "$sum"
}

# whole FILE: every family and every sample stands once, and promtool reads it.
whole() {
	[ -z "$(grep '^# TYPE' "$1" | sort | uniq -d)" ]
	[ -z "$(grep -v '^#' "$1" | sed 's/ [^ ]*$//' | sort | uniq -d)" ]
	takes_well "$1"
}

# demos N: each a frontend with ten nodes, announced to $registry.
demos() {
	local i

	start discovery --listen 127.0.0.1:0 --per-source 0 --ttl 50s
	registry=$url
	for ((i = 0; i < $1; i++)); do
		"$LMC" demo -q --port 0 --workers 8 --instance "h$i" --ready-fd 9 \
			9>"demo.$i" 3>&- 4>&- &
		started+=($!)
	done
	for ((i = 0; i < $1; i++)); do
		wait_until 60 test -s "demo.$i"
		curl -sSf --max-time 20 -o /dev/null \
			"$registry/heartbeat?api_address=http://$(<"demo.$i")&pid=$i"
	done
}

@test "100 demo frontends, 1,000 nodes: fresh within 2 s, page and metrics answer, in 32 MiB" {
	local n=100 begin took

	[[ $LMC != *check* && $LMC != *asan* ]] || n=30
	demos $n
	start proxy --nodes '[]' --node-supplier-url "$registry"
	wait_until 20 leaves $((n * 10))
	begin=${EPOCHREALTIME/./}
	curl -sSf --max-time 20 "http://$(<demo.17)/api/nodes" \
		-d '{"name":"added","host":"127.0.0.1","port":1}'
	until leaves $((n * 10 + 1)); do
		sleep 0.02
	done
	took=$(((${EPOCHREALTIME/./} - begin) / 1000))
	echo "a change was seen after $took ms"
	[ "$took" -lt 2000 ]
	answers /proxy2/h17_worker7/version '"0.3.10-simulated"'
	[ "$(get / -o /dev/null -w '%{http_code}')" = 200 ]
	get /metrics -H 'X-Prometheus-Scrape-Timeout-Seconds: 20' >metrics
	[ "$(grep -c '^lmc_node_up{.* 1$' metrics)" = $((n * 10)) ]
	grep -q '^lmc_node_up{node="added",.* 0$' metrics
	[ "$(grep -c '^lmcache:num_hit_tokens_total{' metrics)" = $((n * 8)) ]
	whole metrics
	echo "memory: $(rss) KiB at most"
	[ $n = 30 ] || [ "$(rss)" -le 32768 ]
}

@test "metrics of many nodes are merged in parts: nothing is lost, doubled or out of place" {
	fleet --frontends 30 --nodes 10
	start proxy --nodes '[]' --node-supplier-url "$registry" --registry-interval 100ms
	wait_until 10 leaves 300
	get /metrics >metrics
	whole metrics
	# nine samples of each node, one of them twice, and what is said of it
	[ "$(grep -c 'frontend="proxy.*' metrics)" = $((300 * 8 + 300 * 5 + 30)) ]
	[ "$(grep -c '^lmc_node_scrape_samples{.* 9$' metrics)" = 300 ]
	[ "$(grep -c '^lmc_node_scrape_duplicates{.* 1$' metrics)" = 300 ]
	grep -q '^lmc_metrics_duplicates 300$' metrics
	get /metrics -H 'Accept-Encoding: gzip' | gunzip >unpacked
	[ "$(grep -c '^lmcache' unpacked)" = "$(grep -c '^lmcache' metrics)" ]
	run get '/metrics?rollup=sum&name[]=lmcache:num_hit_tokens_total' -g
	has "lmcache:num_hit_tokens_total $((29 * 30 / 2 * 10))"
	get /metrics -H 'Accept: application/openmetrics-text; version=1.0.0' >text
	whole text
	# one that speaks OpenMetrics, one that sends rubbish, one whose frontend is down, one that says nothing
	tell 'n=3&metrics=a%7Bb%201%0A'
	tell 'n=4&down=1'
	tell 'n=5&metrics='
	tell 'n=6&metrics=%23%20TYPE%20om%20counter%0Aom_total%201%0A%23%20EOF%0A'
	get /metrics >metrics
	whole metrics
	[ "$(grep -c '^om_total{' metrics)" = 10 ]
	[ "$(grep -c '^lmc_node_up{.* 0$' metrics)" = 20 ]
	[ "$(grep -c '^lmcache:wait_seconds_count{' metrics)" = 260 ]
	start proxy --nodes '[]' --node-supplier-url "$registry" --underscore
	wait_until 10 leaves 290
	get /metrics >metrics
	whole metrics
	grep -q '^lmcache_wait_seconds_count{' metrics
}

@test "many nodes that say nothing are nodes without samples" {
	fleet --frontends 30 --nodes 10
	for i in {0..29}; do tell "n=$i&metrics="; done
	start proxy --nodes '[]' --node-supplier-url "$registry" --registry-interval 100ms
	wait_until 10 leaves 300
	get /metrics >metrics
	whole metrics
	[ "$(grep -c '^lmc_node_scrape_samples{.* 0$' metrics)" = 300 ]
}

@test "of many nodes, one that comes while the merge is being sent is in none of it" {
	local hold rest

	fleet --frontends 30 --nodes 10 --wide 100
	start proxy --nodes '[]' --listen "unix:$PWD/sock" --node-supplier-url "$registry" \
		--registry-interval 100ms
	wait_until 10 leaves 300
	tell 'n=7&wait=1'
	mkfifo pipe
	exec {hold}<>pipe
	get /metrics -H 'X-Prometheus-Scrape-Timeout-Seconds: 20' >late 3>&- &
	started+=($!)
	get /metrics -H 'X-Prometheus-Scrape-Timeout-Seconds: 1' >pipe 3>&- {hold}>&- &
	started+=($!)
	exec {rest}<pipe {hold}>&-
	IFS= read -r -t 20 -u "$rest" _
	tell 'n=7&wait=0'
	wait_until 20 gone "${started[-2]}"
	cat <&"$rest" >early
	for n in early late; do
		whole "$n"
	done
	[ "$(grep -c '^lmc_node_up{node="h7_.* 0$' early)" = 10 ]
	no grep '^[^l].*node="h7_' early
	no grep '^lmcache.*node="h7_' early
	[ "$(grep -c '^wide.*node="h7_' late)" = 1000 ]
}

@test "over the limits nodes are left out, and it is said" {
	fleet --frontends 5 --nodes 1000
	start proxy --nodes '[]' --node-supplier-url "$registry" --log-level warn
	wait_until 20 leaves 4000
	[ "$(nodes .left_out)" = 1000 ]
	wait_until 5 grep -q 'nodes over the limits left out nodes=1000' "$log"
}
