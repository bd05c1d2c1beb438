#!/usr/bin/env bats
# metrics.bats - the nodes' metrics: merged, checked, summed up, sent on
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2034

bats_require_minimum_version 1.5.0
load lib
load house
load prom

FIXTURES=$HERE/fixtures/metrics

# metrics ARGS...: its stdout is $output, its stderr $stderr.
metrics() {
	run --separate-stderr "$LMC" metrics "$@"
}

# ends STATUS
ends() {
	[ "$status" = "$1" ] && return
	echo "status $status, not $1: $stderr"
	return 1
}

# says TEXT: on stderr
says() {
	[[ $stderr == *"$1"* ]] && return
	printf 'no "%s" in: %s\n' "$1" "$stderr"
	return 1
}

# about VALUE PERCENT WANTED
about() {
	python3 -c 'import sys
got, percent, want = map(float, sys.argv[1:])
print(got, "for", want)
sys.exit(abs(got - want) > abs(want) * percent / 100)' "$@"
}

# labelled FILE LABELS: its samples with LABELS put before their own.
labelled() {
	grep -v '^#' "$1" |
		sed -E "s/^([^ {]+)\{/\1{$2,/; t; s/^([^ {]+) /\1{$2} /"
}

# --- merging ------------------------------------------------------------------

@test "all nodes known are one exposition that promtool reads and that lost nothing" {
	house
	"$LMC" metrics >m.prom
	takes_well m.prom
	python3 "$HERE/prom.py" balance m.prom
	[ "$(grep -c '^lmc_node_up{.*} 1$' m.prom)" = 4 ]
	[ "$(grep -c '^# TYPE lmcache:num_hit_tokens_total ' m.prom)" = 1 ]
	grep -q '^lmcache:num_hit_tokens_total{node="demo_worker0",' m.prom
	grep -q '^lmcache:num_hit_tokens_total{node="demo_worker1",' m.prom
}

@test "recorded answers pass unchanged but for the labels" {
	local f

	for f in worker0 worker1 scheduler; do
		metrics --merge "x=$FIXTURES/$f.prom"
		ends 0
		diff <(grep -v '^#' <<<"$output") <(labelled "$FIXTURES/$f.prom" 'node="x"')
		diff <(grep '^#' <<<"$output") <(grep '^#' "$FIXTURES/$f.prom")
	done
}

@test "a merge of files has every sample of each, under the file's name or the given one" {
	cp "$FIXTURES/worker0.prom" a.prom
	metrics --merge a.prom "b=$FIXTURES/worker1.prom"
	ends 0
	diff <(grep -v '^#' <<<"$output" | sort) <(
		{ labelled a.prom 'node="a"'
		labelled "$FIXTURES/worker1.prom" 'node="b"'; } | sort)
	metrics --merge "$FIXTURES/worker0.prom" --name python_info
	has 'python_info{node="worker0",role="worker",'
	cp "$FIXTURES/worker0.prom" a=b.prom
	metrics --merge "./a=b.prom" --name python_info
	has 'python_info{node="a=b",'
	metrics --merge - --name python_info <"$FIXTURES/worker0.prom"
	has 'python_info{node="stdin",'
}

@test "a file that is refused is named with line and reason, the others are merged" {
	printf 'good 1\nbad{ 1\n' >broken.prom
	metrics --merge broken.prom "x=$FIXTURES/worker0.prom" missing.prom
	ends 1
	says 'broken.prom:2:6: expected'
	says 'unable to read missing.prom: No such file'
	has 'python_info{node="x",'
	lacks 'good'
}

@test "a node that is down is named, the others are printed, and the status tells" {
	house
	stop "${started[1]}"
	metrics -o raw
	ends 3
	says 'unable to reach demo_worker0'
	has 'lmc_node_up{node="demo_worker0"} 0'
	has 'lmc_node_up{node="demo_worker1"} 0'
	has 'lmc_node_up{node="demo_mp0"} 1'
	has 'lmcache:num_lookup_tokens_total{node="demo_scheduler",'
}

@test "a node that answers with something else costs itself, and status 1" {
	mkdir peer
	echo '<html>{nonsense' >peer/metrics
	start_peer --dir peer
	metrics -n "$addr"
	ends 1
	says ":1:"
	has "lmc_node_up{node=\"$addr\"} 0"
}

@test "a label that a sample has already becomes exported_, given ones are added" {
	printf 'x{node="mine",a="1"} 5\ny 6\n' >a.prom
	metrics --merge a.prom --label site=east --label a=2
	has 'x{node="a",site="east",a="2",exported_node="mine",exported_a="1"} 5'
	has 'y{node="a",site="east",a="2"} 6'
	metrics --merge a.prom --node-label host
	has 'x{host="a",node="mine",a="1"} 5'
	metrics --merge a.prom --node-label ''
	is $'x{node="mine",a="1"} 5\ny 6'
}

@test "what is there twice is left out and told, of types that differ both stay" {
	printf '# TYPE x counter\nx 1\nx 1\n' >a.prom
	printf '# TYPE x gauge\nx 2\n' >b.prom
	metrics --merge a.prom b.prom --label l=v --node-label ''
	ends 0
	says 'a.prom: 1 samples left out'
	says 'b.prom: x is a gauge here and a counter before'
	has 'x{l="v"} 1'
	has 'x_conflict_gauge{l="v"} 2'
}

# --- choosing and writing -----------------------------------------------------

@test "names and matchers choose samples" {
	metrics --merge "$FIXTURES/worker0.prom" --name python_info
	[ "$(grep -vc '^#' <<<"$output")" = 1 ]
	metrics --merge "$FIXTURES/worker0.prom" --match '{generation=~"0|1"}'
	[ "$(grep -vc '^#' <<<"$output")" = 6 ]
	fails_with 2 "$LMC" metrics --merge "$FIXTURES/worker0.prom" --match 'a{b='
	has '--match: a{b=: column'
}

@test "--get prints bare values, the bytes that they were, and 1 if there are none" {
	metrics --merge "$FIXTURES/worker0.prom" \
		--get 'python_gc_objects_collected_total{generation=~"0|1"}'
	ends 0
	is $'874.0\n175.0'
	metrics --merge "$FIXTURES/worker0.prom" --get nothing_like_it
	ends 1
	says 'no sample is nothing_like_it'
	is ''
}

@test "--rollup adds counters of all nodes, by label if asked" {
	local want

	house
	metrics --get 'lmcache:num_hit_tokens_total' -n worker0 -n worker1
	want=$(python3 -c 'import sys; print(sum(map(float, sys.argv[1:])))' "${lines[@]}")
	metrics --get 'lmcache:num_hit_tokens_total' -n worker0 -n worker1 --rollup sum
	about "$output" 2 "$want"
	metrics --name lmcache:num_hit_tokens_total --rollup sum --by node
	[ "$(grep -c '^lmcache:num_hit_tokens_total{node="demo_worker[01]"} ' <<<"$output")" = 2 ]
}

@test "every form of JSON is of the promised shape" {
	local args

	house
	for args in '' '--name lmc_node_up' '--summary' '--summary --rate 200ms' \
		'--doctor -n worker0' '--lint -n worker0' '--reset -a'; do
		# shellcheck disable=SC2086 # words
		shape metrics $args
	done
	printf 'x{a="\\"\\\\\\n"} NaN\ny 1 1700000000000\n' >odd.prom
	shape metrics --merge odd.prom
	picks 'a[0]["labels"]["a"], a[0]["value"], a[1]["time_ms"]' \
		"('\"\\\\\\n', 'NaN', 1700000000000)"
}

@test "a table has names, values and labels" {
	metrics --merge "$FIXTURES/worker0.prom" --name python_info -o table
	[[ ${lines[0]} =~ ^NAME\ +VALUE\ +LABELS$ ]]
	[[ ${lines[1]} =~ ^python_info\ +1.0\ +node=worker0 ]]
	metrics --merge "$FIXTURES/worker0.prom" --name python_info -o table --no-headers
	[[ ${lines[0]} =~ ^python_info ]]
}

@test "OpenMetrics is written when asked for, colons are replaced when asked for" {
	metrics --merge "$FIXTURES/worker0.prom" --openmetrics --underscore
	ends 0
	[ "${lines[-1]}" = '# EOF' ]
	lacks 'lmcache:'
	has 'lmcache_num_hit_tokens_total{node="worker0"'
}

# --- rates --------------------------------------------------------------------

# A busy machine moves the two moments of one measurement, hardly of four.
rate_is() {
	local try percent=$1 expected=$2

	shift 2
	for try in 1 2 3 4; do
		metrics -n "$addr" "$@"
		ends 0
		! about "$output" "$percent" "$expected" || return 0
	done
	echo "$try times not $expected"
	return 1
}

@test "--rate prints growth per second" {
	launch python3 "$HERE/counters.py" --ready-fd 9
	rate_is 2 3000 --rate 1s --get lmcache:num_hit_tokens_total
	metrics -n "$addr" --rate 500ms
	has '# TYPE lmcache:num_hit_tokens_total:per_second gauge'
	has 'lmcache:time_to_retrieve_bucket:per_second{le="0.001",'
	lacks 'local_cache_usage'
	rate_is 3 4000 --rate 1s --rollup sum --get lmcache:num_requested_tokens_total
}

@test "a counter that was reset between two samples counts from zero" {
	launch python3 "$HERE/counters.py" --ready-fd 9 --reset-after 1.5 --reset-shows 1
	metrics -n "$addr" --rate 2s --get lmcache:num_hit_tokens_total
	ends 0
	# not 3000, as without a reset, nor below zero
	about "$output" 25 1500
}

three_times() {
	[ "$(grep -c lmc_node_up lmc.log)" -ge 3 ]
}

@test "--watch does it again and again until it is ended" {
	start demo --node "unix:$PWD/w.sock"
	background "$LMC" metrics -n "$PWD/w.sock" --watch 50ms -o jsonl --name lmc_node_up
	wait_until 10 three_times
	kill -0 "$pid"
}

# --- lint ---------------------------------------------------------------------

@test "--lint finds what promtool finds, with line numbers, and ends with 1" {
	local f

	for f in worker0 scheduler; do
		promtool check metrics <"$FIXTURES/$f.prom" >theirs 2>&1 || :
		metrics --lint "$FIXTURES/$f.prom"
		ends 1
		# shellcheck disable=SC2001
		diff <(sort -u theirs) <(sed 's/^[^ ]*:[0-9]*: //' <<<"$output" | sort -u)
	done
	[[ ${lines[0]} =~ ^/.*/scheduler.prom:[0-9]+:\  ]]
}

@test "--lint reads standard input, files and nodes, and is content with good text" {
	printf '# HELP a_total All.\n# TYPE a_total counter\na_total 1\n' >good.prom
	metrics --lint <good.prom
	ends 0
	is ''
	metrics --lint good.prom - <<<'b{ 1'
	ends 1
	has 'stdin:1: error: '
	start demo --node "unix:$PWD/w.sock"
	metrics --lint -n "$PWD/w.sock"
	ends 1
	has 'num_hit_tokens_total metric names should not contain'
	metrics --lint nowhere.prom
	ends 1
	says 'unable to read nowhere.prom'
}

# --- reset --------------------------------------------------------------------

@test "--reset sets to zero, and more than one node only when told so" {
	house
	metrics --reset
	ends 2
	metrics --get 'lmcache:num_requested_tokens_total' -n worker0
	python3 -c 'import sys; sys.exit(float(sys.argv[1]) < 1e5)' "$output"
	metrics --reset -n worker0
	ends 0
	metrics --get 'lmcache:num_requested_tokens_total' -n worker0
	python3 -c 'import sys; sys.exit(float(sys.argv[1]) > 1e5)' "$output"
	metrics --get 'lmcache:num_requested_tokens_total' -n worker1
	python3 -c 'import sys; sys.exit(float(sys.argv[1]) < 1e5)' "$output"
}

# --- figures ------------------------------------------------------------------

# all_seen: Prometheus has rates over 5 seconds of both nodes.
all_seen() {
	[ "$(query 'count(rate(lmcache:num_hit_tokens_total[5s]))')" = 2 ] &&
		[ "$(query 'min(count_over_time(lmcache:num_hit_tokens_total[6s]))')" -ge 5 ]
}

@test "--summary says what Prometheus answers to its formulas, within one per cent" {
	local a b

	launch python3 "$HERE/counters.py" --ready-fd 9
	a=$addr
	launch python3 "$HERE/counters.py" --ready-fd 9 --worker 1
	b=$addr
	cat >prometheus.yml <<-Y
	global: { scrape_interval: 1s, scrape_timeout: 1s }
	scrape_configs: [{ job_name: n, static_configs: [{ targets: ["$a", "$b"] }] }]
	Y
	prometheus
	wait_until 60 all_seen
	# a busy machine moves the moments at which the two look; a wrong
	# formula is wrong every time
	for _ in 1 2 3 4; do
		"$LMC" metrics --summary --rate 5s -o json -n "$a" -n "$b" >summary.json
		! python3 "$HERE/prom.py" agree "$prom" summary.json || return 0
	done
	false
}

@test "--summary has both dialects, the formula and what went into it" {
	house
	metrics --summary
	ends 0
	has 'sum(lmcache:num_hit_tokens_total) / sum(lmcache:num_requested_tokens_total) = '
	has 'histogram_quantile(0.99, sum by (le) (lmcache:time_to_retrieve_bucket))'
	has 'MP: lookup hit rate'
	lacks 'missing'
	lacks 'LAST'
	metrics --summary --rate 300ms
	has 'LAST 0.3s'
}

@test "--summary names the missing families and why" {
	house
	metrics --summary -n worker0
	ends 0
	has 'lmcache:time_to_lookup is missing: the scheduler counts it, and no scheduler was among the nodes asked'
	echo 'unrelated 1' >a.prom
	metrics --summary --merge a.prom
	ends 1
	says 'no metric of LMCache is there'
}

@test "--doctor finds nodes that are down, have nothing to say, or contradict themselves" {
	house
	metrics --doctor
	ends 0
	is 'nothing is wrong, and nothing is missing'
	stop "${started[0]}"
	metrics --doctor
	ends 3
	has 'demo_scheduler'
	has 'its metrics were not read'
	cat >odd.prom <<-E
	lmcache:num_requested_tokens_total 10
	lmcache:num_hit_tokens_total 11
	lmcache:lmcache_is_healthy{node="w3"} 0
	E
	echo 'python_info 1' >empty.prom
	metrics --doctor --merge odd.prom empty.prom
	ends 1
	has 'lmcache:num_hit_tokens_total is 11, more than lmcache:num_requested_tokens_total with 10'
	has 'odd says that it is not healthy'
	has 'empty.prom: answers, but has no metric of LMCache'
}

# --- sending ------------------------------------------------------------------

node_exporter() {
	mkdir -p tf
	exporter=$(free_port)
	background "$(type -P prometheus-node-exporter)" \
		--web.listen-address="127.0.0.1:$exporter" --collector.disable-defaults \
		--collector.textfile --collector.textfile.directory="$PWD/tf"
	wait_until 20 answers "http://127.0.0.1:$exporter/"
}

@test "node_exporter exposes what --textfile wrote, all of it" {
	house
	node_exporter
	metrics --textfile "$PWD/tf/lmc.prom"
	ends 0
	is ''
	curl -sf "http://127.0.0.1:$exporter/metrics" >exposed
	grep -qx 'node_textfile_scrape_error 0' exposed
	grep -q 'node_textfile_mtime_seconds{file=".*lmc.prom"}' exposed
	# its Go writes numbers in its own way and sorts labels: count series
	[ "$(grep -c '^lmcache' exposed)" = "$(grep -c '^lmcache' tf/lmc.prom)" ]
	[ "$(grep -c '^lmcache' exposed)" -gt 1000 ]
	[ "$(stat -c %a tf/lmc.prom)" = 644 ]
}

@test "a kill at any moment leaves a whole textfile, old or new" {
	local n=200

	mkdir tf
	for i in 1 2; do
		python3 -c '
for i in range(20000):
    print(f"lmcache:x_total{{i=\"{i}\"}} '$i'")' >$i.prom
	done
	python3 "$HERE/kill9.py" $n "$PWD/tf/lmc.prom" "$LMC" 1.prom 2.prom
}

@test "a textfile that cannot be written is an error, and the old one stays" {
	mkdir tf
	echo old >tf/lmc.prom
	metrics --merge "$FIXTURES/worker0.prom" --textfile "$PWD/nowhere/lmc.prom"
	ends 111
	says 'unable to write'
	[ "$(cat tf/lmc.prom)" = old ]
}

pushgateway() {
	gateway=$(free_port)
	background "$(type -P prometheus-pushgateway)" \
		--web.listen-address="127.0.0.1:$gateway" --persistence.file=
	wait_until 20 answers "http://127.0.0.1:$gateway/-/ready"
}

pushed() {
	curl -sf "http://127.0.0.1:$gateway/metrics" | grep "^$1"
}

@test "a Pushgateway has what --pushgateway sent, and nothing that it had before" {
	pushgateway
	metrics --merge "x=$FIXTURES/worker0.prom" --pushgateway "http://127.0.0.1:$gateway" \
		--job lm/c --grouping site=east --grouping 'path=/a b'
	ends 0
	[ "$(pushed lmcache | wc -l)" = "$(grep -c ^lmcache "$FIXTURES/worker0.prom")" ]
	run pushed 'lmcache:num_hit_tokens_total'
	has 'job="lm/c"'
	has 'path="/a b"'
	has 'site="east"'
	has 'node="x"'
	echo 'lmcache:only 1' >a.prom
	metrics --merge a.prom --pushgateway "http://127.0.0.1:$gateway/" \
		--job lm/c --grouping site=east --grouping 'path=/a b'
	ends 0
	[ "$(pushed lmcache | wc -l)" = 1 ]
	metrics --merge a.prom --pushgateway "http://127.0.0.1:$gateway"
	ends 0
	[ "$(pushed lmcache | wc -l)" = 2 ]
}

@test "a Pushgateway that refuses or is not there is told, with its words" {
	pushgateway
	echo 'x 1 1700000000000' >stamped.prom
	metrics --merge stamped.prom --pushgateway "http://127.0.0.1:$gateway"
	ends 1
	says 'HTTP 400'
	says 'timestamp'
	metrics --merge stamped.prom --pushgateway "http://127.0.0.1:$(free_port)"
	ends 3
	says 'unable to reach http://127.0.0.1:'
	metrics --merge stamped.prom --pushgateway 'http://bad host/'
	ends 2
}

@test "a lock that another one holds ends it with 1, and is free after that" {
	touch l
	exec 8<l
	flock 8
	metrics --merge "$FIXTURES/worker0.prom" --lock l
	ends 1
	says 'l is locked'
	is ''
	exec 8<&-
	metrics --merge "$FIXTURES/worker0.prom" --lock l --jitter 10ms
	ends 0
}

@test "what does not go together is refused" {
	local args

	for args in '--get a --summary' 'a.prom' '--merge' '--merge a --rate 1s' \
		'--by node' '--label 1x=y' '--label x' '--node-label a-b' \
		'--openmetrics --textfile x' '--grouping =v' '--lint --rate 1s'; do
		# shellcheck disable=SC2086 # words
		metrics $args
		ends 2
	done
}
