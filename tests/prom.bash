# prom.bash - the real programs of Prometheus for tests: load it after lib
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# Services of the machine are not touched: everything runs here, on free ports.

# background CMD...: sets $pid; its output is in $PWD/NAME.log.
background() {
	"$@" </dev/null >"${1##*/}.log" 2>&1 3>&- 4>&- &
	pid=$!
	started+=("$pid")
}

answers() {
	curl -sf -o /dev/null --max-time 2 "$1"
}

# prometheus: with ./prometheus.yml; sets $prom, its port.
prometheus() {
	prom=$(free_port)
	background "$(type -P prometheus)" --config.file=prometheus.yml \
		--storage.tsdb.path=data --web.listen-address="127.0.0.1:$prom" \
		--log.level=warn
	wait_until 30 answers "http://127.0.0.1:$prom/-/ready"
}

# query QUERY: its one value, or "none".
query() {
	python3 "$HERE/prom.py" value "$prom" "$1"
}

# query_is VALUE QUERY
query_is() {
	[ "$(query "$2")" = "$1" ]
}

# takes_well FILE: promtool may have findings about names, but reads it all.
takes_well() {
	local rc=0

	promtool check metrics <"$1" >promtool.out 2>&1 || rc=$?
	[ $rc = 0 ] || [ $rc = 3 ] && return
	echo "promtool: status $rc"
	grep -v 'should not contain' promtool.out | head
	return 1
}
