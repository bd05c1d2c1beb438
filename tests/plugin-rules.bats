#!/usr/bin/env bats
# plugin-rules.bats - which plugins run where: lmc plugin-run --list, --explain
# SPDX-License-Identifier: Apache-2.0

load lib

# list ARGS...: --list as JSON into $output.
list() {
	run "$LMC" plugin-run --list -o json "$@"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
}

# row FILE EXPR: a Python expression over that file's row of $output, as r.
row() {
	python3 -c '
import json, sys
rows = [r for r in json.loads(sys.argv[1]) if r["file"] == sys.argv[2]]
assert len(rows) == 1, "%d rows for %s" % (len(rows), sys.argv[2])
r = rows[0]
assert eval(sys.argv[3]), "%s is not true of %s" % (sys.argv[3], json.dumps(r))
' "$output" "$1" "$2"
}

files() {
	python3 -c '
import json, sys
print(" ".join(r["file"] for r in json.loads(sys.argv[1])))' "$output"
}

plugin() {
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "${@:2}" >"$1"
}

@test "every recorded decision of three launcher generations is taken again" {
	run python3 "$HERE/plugin_decisions.py" "$LMC" "$HERE/fixtures" "$PWD"
	[ "$status" != 77 ] || skip "$output"
	echo "$output"
	[ "$status" = 0 ]
	has "runtime_str: 654 rows equal"
	has "runtime_enum: 522 rows equal"
	has "plugin_enum: 526 rows equal"
	has "1702 of 1702 rows equal"
	echo "# $(tail -n 1 <<<"$output")" >&3
}

@test "files are listed in sorted order, not as the directory has them" {
	for f in c_x b_x all_b worker_a; do plugin "p/$f.sh" :; done
	plugin p/all_a.py ''
	list p
	[ "$(files)" = "all_a.py all_b.sh b_x.sh c_x.sh worker_a.sh" ]
}

@test "a shebang keeps its interpreter and its arguments" {
	plugin p/env.py '#!/usr/bin/env python3'
	plugin p/args.sh '#!/bin/bash -e -u'
	plugin p/crlf.sh $'#!/bin/sh\r'
	list p
	row env.py 'r["argv"] == ["/usr/bin/env", "python3", "p/env.py"]'
	row args.sh 'r["argv"] == ["/bin/bash", "-e", "-u", "p/args.sh"]'
	row crlf.sh 'r["argv"] == ["/bin/sh", "p/crlf.sh"]'
}

@test "an interpreter that is not there gives way to the suffix's own" {
	plugin p/x.sh '#!/no/such/thing -x'
	list p
	row x.sh 'r["argv"][0].endswith("/bash") and r["runs"]'
}

@test "a program with its execute bit is a plugin, marked as an extension" {
	mkdir p
	cp /bin/true p/worker_1_tool
	cp /bin/true p/worker_1_plain
	chmod 644 p/worker_1_plain
	cp /bin/true p/tool.bak
	plugin p/worker_perl '#!/usr/bin/perl'
	chmod 755 p/worker_perl
	list --role worker --worker-id 1 p
	row worker_1_tool 'r["runs"] and r["argv"] == ["p/worker_1_tool"]'
	row worker_1_tool '"lmc extension" in r["reason"]'
	row worker_1_plain 'r["decision"] == "not found"'
	row tool.bak 'r["decision"] == "not found"'
	row worker_perl 'r["runs"] and "lmc extension" in r["reason"]'
	list --role worker --worker-id 0 p
	row worker_1_tool 'r["decision"] == "skipped"'
}

@test "a file that is reached twice is launched once" {
	plugin p/x.sh :
	ln -s x.sh p/y.sh
	list p p/x.sh
	[ "$(python3 -c 'import json,sys
print([r["runs"] for r in json.loads(sys.argv[1])])' "$output")" = "[True, False, False]" ]
	has "the same file as p/x.sh"
}

@test "--explain shows one file for every role" {
	plugin p/worker_1_x.sh :
	run "$LMC" plugin-run --explain p/worker_1_x.sh --worker-count 3 -o json
	[ "$status" = 0 ]
	[ "$(python3 -c 'import json,sys
print([(r["role"], r["worker_id"], r["runs"]) for r in json.loads(sys.argv[1])])' "$output")" = \
"[('none', 0, False), ('scheduler', -1, False), ('worker', 0, False), ('worker', 1, True), ('worker', 2, False)]" ]
	run "$LMC" plugin-run --explain p/worker_1_x.sh --worker-count 2
	has "worker 1"
	has "requires role WORKER"
}

@test "hostile files are listed, each with its reason, and nothing hangs" {
	mkdir p p/dir.sh
	mkfifo p/fifo.sh
	python3 -c 'import socket
socket.socket(socket.AF_UNIX).bind("p/socket.sh")'
	ln -s /dev/zero p/zero.sh
	ln -s nowhere p/dangling.sh
	ln -s loop.sh p/loop.sh
	plugin p/$'new\nline.sh' :
	: >p/empty.sh
	python3 -c 'print("#!/bin/sh" + " " * 20000000)' >p/huge.sh
	plugin p/writable.sh :
	chmod 666 p/writable.sh
	plugin p/group.sh :
	chmod 664 p/group.sh
	plugin p/"$(printf 'n%.0s' {1..250})".sh :
	run timeout 20 "$LMC" plugin-run --list -o json p
	[ "$status" = 0 ]
	row dir.sh 'r["reason"] == "a directory, not a file"'
	row fifo.sh 'r["reason"] == "a fifo, not a file"'
	row socket.sh 'r["reason"] == "a socket, not a file"'
	row zero.sh 'r["reason"] == "a character device, not a file"'
	row dangling.sh 'r["reason"] == "a link to nothing"'
	row loop.sh 'r["reason"] == "a link to itself"'
	row $'new\nline.sh' 'r["runs"]'
	row empty.sh 'r["runs"] and r["argv"][0].endswith("/bash")'
	row huge.sh 'r["runs"] and r["argv"] == ["/bin/sh", "p/huge.sh"]'
	row writable.sh 'r["decision"] == "failed" and "others can write" in r["reason"]'
	row group.sh 'r["decision"] == "failed" and "others can write" in r["reason"]'
	row "$(printf 'n%.0s' {1..250}).sh" 'r["runs"]'
	for f in dir fifo socket zero dangling loop writable group; do
		row $f.sh 'not r["runs"] and r["decision"] == "failed"'
	done
}

@test "a file that cannot be read is listed with its reason" {
	local as=()

	open=$(mktemp -d)
	plugin "$open/unreadable.sh" :
	chmod 000 "$open/unreadable.sh"
	chmod 755 "$open"
	if [ "$(id -u)" = 0 ]; then
		cp "$LMC" "$open/lmc"
		as=(setpriv --reuid 65534 --clear-groups)
		LMC=$open/lmc
	fi
	cd /
	run "${as[@]}" "$LMC" plugin-run --list -o json "$open"
	rm -rf "$open"
	row unreadable.sh '"Permission denied" in r["reason"] and not r["runs"]'
}

@test "a path longer than 4096 bytes is listed with its reason" {
	python3 - <<-'E'
	import os
	os.mkdir("p")
	fd = os.open("p", os.O_RDONLY)
	for i in range(20):
	    os.mkdir("d" * 250, dir_fd=fd)
	    fd = os.open("d" * 250, os.O_RDONLY, dir_fd=fd)
	os.close(os.open("deep.sh", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
	E
	list p
	row "$(python3 -c 'print(("d" * 250 + "/") * 20 + "deep.sh")')" \
		'r["decision"] == "failed" and "ame too long" in r["reason"]'
	python3 -c 'import shutil; shutil.rmtree("p")'
}

@test "a file or directory of somebody else is refused unless --insecure" {
	[ "$(id -u)" = 0 ] || skip "needs root to give files away"
	plugin p/theirs.sh :
	chown 12345 p/theirs.sh
	plugin q/in_theirs.sh :
	chown 12345 q
	plugin w/in_writable.sh :
	chmod 777 w
	list p q w
	row theirs.sh '"owned by uid 12345" in r["reason"] and not r["runs"]'
	row in_theirs.sh '"owned by uid 12345" in r["reason"] and not r["runs"]'
	row in_writable.sh '"others can write" in r["reason"] and not r["runs"]'
	list --insecure p q w
	row theirs.sh 'r["runs"]'
	row in_theirs.sh 'r["runs"]'
	row in_writable.sh 'r["runs"]'
}

@test "a trusted link to a file in an untrusted directory is refused" {
	plugin w/x.sh :
	chmod 777 w
	mkdir p
	ln -s ../w/x.sh p/x.sh
	list p
	row x.sh '"others can write" in r["reason"]'
}

@test "odd locations are taken as the launchers were seen to take them" {
	plugin one.sh :
	plugin sub/two.sh :
	ln -s sub link
	ln -s nowhere dangling
	strict() { list --strict-upstream runtime_str --role worker "$@"; }
	strict /no/such/dir
	row /no/such/dir 'r["reason"] == "Runtime plugin location /no/such/dir does not exist"'
	strict ""
	row one.sh 'r["runs"]'
	row sub/two.sh 'r["runs"]'
	strict one.sh one.sh
	[ "$(files)" = "one.sh one.sh" ]
	[ "$(grep -c '"runs": true' <<<"$output")" = 2 ]
	strict link
	row two.sh 'r["runs"] and r["argv"][1].endswith("link/two.sh")'
	strict dangling
	row dangling 'r["decision"] == "not found" and "does not exist" in r["reason"]'
	strict /dev/null
	row /dev/null 'r["decision"] == "not found" and r["argv"] is None'
	# ours
	list ""
	row "" 'r["decision"] == "not found"'
	list /dev/null
	row null 'r["decision"] == "failed" and "device" in r["reason"]'
}

@test "the JSON of --list and --explain is of the promised shape" {
	plugin p/all_x.sh :
	plugin p/worker_1_x.sh :
	plugin p/note.txt :
	list p /no/such/place
	python3 "$HERE/schema.py" "$HERE/../docs/schema/plugin-run.json" <<<"$output"
	run "$LMC" plugin-run --explain p/worker_1_x.sh --worker-count 2 -o json
	python3 "$HERE/schema.py" "$HERE/../docs/schema/plugin-run.json" <<<"$output"
}

@test "a missing location is listed as not found" {
	list /no/such/place
	row /no/such/place 'r["decision"] == "not found" and "does not exist" in r["reason"]'
}

@test "locations come from the configuration when no operand names one" {
	plugin p/a.sh :
	plugin q/b.sh :
	plugin conf.yaml '# LMCache' 'chunk_size: 256' 'runtime_plugin_locations:' \
		'- p' '- "q"' 'extra_config:' '  plugin.frontend.port: 8080'
	list --config conf.yaml
	[ "$(files)" = "a.sh b.sh" ]
	list --config conf.yaml q
	[ "$(files)" = "b.sh" ]
	plugin conf.yaml 'plugin_locations: p'
	LMCACHE_CONFIG_FILE=conf.yaml list
	[ "$(files)" = "a.sh" ]
	plugin conf.json '{"mp_config": {"runtime_plugin_locations": ["q"]}}'
	list --config conf.json
	[ "$(files)" = "b.sh" ]
}

@test "the environment wins over the file and is one path, the old name last" {
	plugin p/a.sh :
	plugin q/b.sh :
	plugin 'p,q/c.sh' :
	plugin conf.yaml 'runtime_plugin_locations: [p]'
	LMCACHE_RUNTIME_PLUGIN_LOCATIONS=" 'q' " list --config conf.yaml
	[ "$(files)" = "b.sh" ]
	LMCACHE_RUNTIME_PLUGIN_LOCATIONS=p,q list --config conf.yaml
	[ "$(files)" = "c.sh" ]
	LMCACHE_RUNTIME_PLUGIN_LOCATIONS=p LMCACHE_PLUGIN_LOCATIONS=q list --config conf.yaml
	[ "$(files)" = "b.sh" ]
}

@test "the configuration reaches the plugin as JSON with the environment's values in it" {
	plugin p/a.sh :
	plugin conf.yaml 'chunk_size: 0x100' 'local_cpu: yes' 'max_local_cpu_size: 5.' \
		'remote_url: ~' 'pd_allocation_timeout_sec: .inf' "note: 'it''s'" \
		'internal_api_server_enabled: true' 'extra_config: {a.b: [1, "x"]}'
	LMCACHE_INTERNAL_API_SERVER_ENABLED=yes LMCACHE_INTERNAL_API_SERVER_PORT_START=7100 \
		LMCACHE_INTERNAL_API_SERVER_INCLUDE_INDEX_LIST=0,1 \
		list --config conf.yaml p
	row a.sh 'json.loads(r["env"]["LMCACHE_RUNTIME_PLUGIN_CONFIG"]) == {
		"chunk_size": 256, "local_cpu": True, "max_local_cpu_size": 5.0,
		"remote_url": None, "pd_allocation_timeout_sec": float("inf"),
		"note": "it'"'"'s", "extra_config": {"a.b": [1, "x"]},
		"internal_api_server_enabled": False, "internal_api_server_port_start": 7100,
		"internal_api_server_include_index_list": [0, 1]}'
	row a.sh 'json.loads(r["env"]["LMCACHE_RUNTIME_PLUGIN_EXTRA_CONFIG"]) == {"a.b": [1, "x"]}'
	row a.sh 'r["env"]["LMCACHE_RUNTIME_PLUGIN_CONFIG"] == r["env"]["LMCACHE_PLUGIN_CONFIG"]'
}

@test "what YAML there cannot mean is refused with its line" {
	local bad

	plugin p/a.sh :
	for bad in $'a: 1\n  b: 2' $'a: 1\na: 2' $'a: &x 1' $'a: |\n  text' $'a: [1, 2' \
		$'a: 2026-11-23' $'a: 1:30' $'x: 1\n\tb: 2' $'a: "x' $'- a' $'a: {b: 1' \
		$'a: b: c' $'x: *y' $'just text' $'a:\n  - 1\n  b: 2'; do
		printf '%s\n' "$bad" >conf.yaml
		fails_with 2 "$LMC" plugin-run --list --config conf.yaml p
		has "conf.yaml:"
	done
	printf 'a: 1\nb: 2\nc: [\n' >conf.yaml
	fails_with 2 "$LMC" plugin-run --list --config conf.yaml p
	has "conf.yaml:3: a bracket that is not closed on its line"
}

@test "YAML means what PyYAML makes of it" {
	python3 -c 'import yaml' 2>/dev/null || skip "no PyYAML here"
	plugin p/a.sh :
	cat >conf.yaml <<-'E'
	---
	a: 0o17
	b: 017
	c: 1_000
	d: +5
	e: -0x1F
	f: 1e5
	g: 1.5e+3
	h: .5
	i: "tab\there \u00e9 \x41"
	j: Off
	k: plain text # comment
	l: a#b
	m: http://host:80/x
	n: [a b, 'c, d', {e: f}, [], ~]
	o: {}
	p:
	q:
	  - one
	  - 2
	r:
	  s:
	    t: deep
	u: ''
	"quoted key": 1
	w: 0b101
	x: 1.
	y: ?x
	z: 12345678901234567890
	E
	list --config conf.yaml p
	row a.sh 'json.loads(r["env"]["LMCACHE_PLUGIN_CONFIG"]) == __import__("yaml").safe_load(open("conf.yaml"))'
}
