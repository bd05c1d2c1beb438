#!/usr/bin/env bats
# plugin-dropin.bats - lmc as a plugin of LMCache: docs/plugins, --new, --get
# SPDX-License-Identifier: Apache-2.0

load lib

# A lmc that says how it is called; plugin-run is the real one.
fake_lmc() {
	mkdir -p bin
	cat >bin/lmc <<-E
	#!/bin/sh
	[ "\$1" = plugin-run ] && exec "$LMC" "\$@"
	echo "called: \$*"
	exec sleep 1000
	E
	chmod 755 bin/lmc
	PATH=$PWD/bin:$PATH
}

# launch_plugins ARGS...: the launcher in the background; $pid, $log.
launch_plugins() {
	log=launcher.log
	LMC=${use:-} TAG=$BATS_TEST_TMPDIR python3 "$HERE/launcher.py" "$@" >"$log" 2>&1 &
	pid=$!
	started+=("$pid")
}

tagged() {
	grep -lszxF "TAG=$BATS_TEST_TMPDIR" /proc/[0-9]*/environ | wc -l
}

nobody_left() {
	[ "$(tagged)" = 0 ]
}

log_has() {
	grep -qF -- "$1" "$log"
}

conf='{"runtime_plugin_locations": ["/"], "extra_config": {
	"plugin.metrics.pushgateway": "http://127.0.0.1:9/", "plugin.metrics.interval": 7,
	"plugin.logs.files": "/a /b", "plugin.logs.to": "udp://127.0.0.1", "plugin.logs.state": "/s",
	"plugin.frontend.heartbeat-url": "http://127.0.0.1:9/h", "plugin.health.interval": 9}}'

@test "every drop-in runs under every launcher generation and ends with it, SIGKILL included" {
	local generation

	fake_lmc
	mkdir plugins
	cp "$HERE"/../docs/plugins/*.sh plugins/
	rm plugins/scheduler_lmc_frontend_plugin.sh
	for generation in runtime plugin; do
		launch_plugins --generation $generation --config "$conf" plugins
		wait_until 20 log_has "called: metrics --all --pushgateway http://127.0.0.1:9/"
		wait_until 20 log_has "called: logs --state /s --to udp://127.0.0.1 /a /b"
		wait_until 20 log_has "called: heartbeat --url http://127.0.0.1:9/h --interval 30"
		wait_until 20 log_has "called: health --all"
		kill -KILL "$pid"
		wait_until 10 nobody_left
		launch_plugins --generation $generation --config "$conf" plugins
		wait_until 20 log_has "called: health --all"
		wait_until 20 log_has "called: metrics"
		kill -TERM "$pid"
		wait_until 10 nobody_left
	done
}

@test "a drop-in that is not configured says so and ends" {
	fake_lmc
	mkdir plugins
	cp "$HERE"/../docs/plugins/all_*.sh plugins/
	launch_plugins plugins
	wait_until 10 log_has "all_metrics_report_plugin.sh exited with code 0"
	wait_until 10 log_has "all_log_collection_plugin.sh exited with code 0"
	wait_until 10 log_has "all_service_discovery_plugin.sh exited with code 0"
	log_has "plugin.logs.files and plugin.logs.to are not both set"
}

@test "what must run once does not run in the workers" {
	fake_lmc
	mkdir plugins
	cp "$HERE"/../docs/plugins/all_metrics_report_plugin.sh plugins/
	launch_plugins --role worker --config "$conf" plugins
	wait_until 10 log_has "exited with code 0"
	no log_has called
}

@test "the discovery drop-in announces its own process, at its own port" {
	local role id

	launch python3 "$HERE/registry.py" --ready-fd 9
	reg=$url
	mkdir plugins
	cp "$HERE/../docs/plugins/all_service_discovery_plugin.sh" plugins/
	use=$LMC
	for role in scheduler:-1:7100 worker:0:7101 worker:2:7103; do
		IFS=: read -r role id port <<<"$role"
		launch_plugins --role $role --worker-id "$id" --worker-count 3 plugins --config '{
			"lmcache_instance_id": "i", "internal_api_server_enabled": true,
			"internal_api_server_host": "0.0.0.0", "internal_api_server_port_start": 7100,
			"extra_config": {"plugin.frontend.heartbeat-url": "'"$reg"'/h",
				"plugin.frontend.report-host": "192.0.2.5"}}'
		wait_until 20 grep -qF "api_address=http%3A%2F%2F192.0.2.5%3A$port&" told
		stop "$pid"
		wait_until 10 nobody_left
	done
}

@test "the frontend's options come from plugin.frontend.*" {
	export LMCACHE_PLUGIN_CONFIG='{"extra_config": {"plugin.frontend.port": 8123,
		"plugin.frontend.heartbeat-url": "http://h/", "plugin.frontend.log_level": "debug",
		"plugin.other": 1, "plugin.frontend.absent": null}}'
	run "$LMC" plugin-run --frontend --list
	is "$(printf '%s\n' /proc/self/exe proxy --host=0.0.0.0 --port=8000 --port=8123 \
		--heartbeat-url=http://h/ --log-level=debug)"
	LMCACHE_PLUGIN_CONFIG='{"mp_config": {}, "runtime_plugin_extra_config": {"plugin.frontend.report-host": "x"}}'
	LMCACHE_FRONTEND_PORT=8055 run "$LMC" plugin-run --frontend --list
	is "$(printf '%s\n' /proc/self/exe proxy --host=0.0.0.0 --port=8055 --report-host=x)"
	LMCACHE_PLUGIN_CONFIG='{"extra_config": null}'
	run "$LMC" plugin-run --frontend --list
	is "$(printf '%s\n' /proc/self/exe proxy --host=0.0.0.0 --port=8000)"
}

@test "the frontend drop-in runs lmc proxy and ends with its launcher" {
	"$LMC" --list | grep -qx proxy || skip "this lmc has no proxy"
	launch python3 "$HERE/registry.py" --ready-fd 9
	mkdir plugins
	cp "$HERE/../docs/plugins/scheduler_lmc_frontend_plugin.sh" plugins/
	port=$(free_port)
	use=$LMC
	launch_plugins --role scheduler --worker-id -1 plugins --config \
		"{\"extra_config\": {\"plugin.frontend.port\": $port, \"plugin.frontend.host\": \"127.0.0.1\",
		\"plugin.frontend.heartbeat-url\": \"$url/h\", \"plugin.frontend.heartbeat-interval\": 30,
		\"plugin.frontend.report-host\": \"192.0.2.6\"}}"
	wait_until 20 curl -sf -o health "http://127.0.0.1:$port/health"
	wait_until 20 grep -qF "api_address=http%3A%2F%2F192.0.2.6%3A$port&" told
	kill -KILL "$pid"
	wait_until 10 nobody_left
}

@test "the log drop-in ships what is written and ends with its launcher" {
	mkdir plugins
	cp "$HERE/../docs/plugins/all_log_collection_plugin.sh" plugins/
	launch python3 "$HERE/receiver.py" tcp 0 got
	use=$LMC
	launch_plugins plugins --config "{\"extra_config\": {
		\"plugin.logs.files\": \"$PWD/a.log $PWD/b.log\",
		\"plugin.logs.to\": \"tcp://127.0.0.1:$port\", \"plugin.logs.state\": \"$PWD/state\"}}"
	wait_until 10 test -e state/spool.1
	echo 'line 1' >a.log
	wait_until 10 grep -qx 'line 1' got
	echo 'line 2' >b.log
	wait_until 10 grep -qx 'line 2' got
	kill -KILL "$pid"
	wait_until 10 nobody_left
	[ "$(wc -l <got)" = 2 ]
}

@test "--get reads one key, and has status 1 without it" {
	export LMCACHE_RUNTIME_PLUGIN_CONFIG='{"extra_config": {"a.b": "text", "n": 5, "t": Infinity, "z": null}}'
	run "$LMC" plugin-run --get a.b
	is text
	run "$LMC" plugin-run --get n
	is 5
	fails_with 1 "$LMC" plugin-run --get nothing
	fails_with 1 "$LMC" plugin-run --get z
}

@test "as a plugin it does not run the launcher's plugins a second time" {
	mkdir p
	echo 'echo again' >p/x.sh
	export LMCACHE_PLUGIN_CONFIG='{"runtime_plugin_locations": ["p"]}'
	fails_with 2 "$LMC" plugin-run --until-done
	has "nothing to run"
	run "$LMC" plugin-run -- true
	[ "$status" = 0 ]
	lacks again
}

@test "started as a plugin it takes role, id and count from the launcher" {
	mkdir p
	echo : >p/worker_3_x.sh
	LMCACHE_PLUGIN_ROLE=KVConnectorRole.WORKER LMCACHE_PLUGIN_WORKER_ID=3 \
		LMCACHE_PLUGIN_WORKER_COUNT=8 run "$LMC" plugin-run --list -o json p
	has '"runs": true'
	has '"LMCACHE_PLUGIN_WORKER_COUNT": "8"'
	LMCACHE_PLUGIN_ROLE=KVConnectorRole.SCHEDULER run "$LMC" plugin-run --list -o json p
	has '"runs": false'
}

@test "--new makes a plugin that runs where its name says" {
	run "$LMC" plugin-run --new worker_1 report
	is worker_1_report.sh
	run "$LMC" plugin-run --explain worker_1_report.sh --worker-count 2 -o json
	has '"role": "worker", "worker_id": 1, "runs": true'
	has '"role": "worker", "worker_id": 0, "runs": false'
	fails_with 111 "$LMC" plugin-run --new worker_1 report
	fails_with 2 "$LMC" plugin-run --new boss report
	fails_with 2 "$LMC" plugin-run --new worker ../report
	"$LMC" plugin-run --role worker --worker-id 1 worker_1_report.sh 2>log &
	pid=$! log=log
	started+=("$pid")
	wait_until 10 log_has "started: role worker, worker 1"
	stop "$pid"
	log_has "exited with code 0"
}
