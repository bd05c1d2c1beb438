#!/usr/bin/env bats
# proxy.bats - the frontend: its API, its state, its front door, and real servers as nodes
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
#
# The tests are the functions of proxy_api.py; it speaks through raw sockets and starts
# lmc itself.

load lib

raw() {
	python3 "$HERE/proxy_api.py" "$1"
}

@test "the API answers in the shapes of lmcache_frontend" {
	raw shapes
}

@test "a client's mistake is 4xx, says what it is, and changes nothing" {
	raw mistakes
}

@test "names that need escaping are written and found again" {
	raw odd_names
}

@test "4,096 nodes, and not one more" {
	raw many_nodes
}

@test "a change that is refused leaves nothing behind" {
	raw refused_changes_leave_nothing
}

@test "changes survive a restart, over the configuration of the day" {
	raw state
}

@test "the state file is replaced, never written to" {
	raw state_is_replaced
}

@test "a frontend on a UNIX socket keeps its state" {
	raw state_over_a_socket
}

@test "a state outlives a frontend that left the configuration" {
	raw state_of_a_frontend_that_is_gone
}

@test "a damaged state file is set aside, and said" {
	raw damaged_state
}

@test "a state file cannot remove the frontend itself" {
	echo '{"lmc_state":1,"removed":[{"proxy":null,"name":"local_proxy"}],"put":[]}' >state
	start proxy --nodes '[]' --state "$PWD/state"
	run get /api/nodes
	has '"name":"local_proxy"'
}

@test "a state file that cannot be read is left alone" {
	raw state_that_cannot_be_read
}

@test "a change that could not be kept says so" {
	raw state_that_cannot_be_written
}

@test "kill -9 at any moment leaves a readable state" {
	raw kill_at_any_moment
}

@test "a wider bind serves viewers only, however a path is written" {
	raw roles
}

@test "an unknown Host is 421" {
	raw hosts
}

@test "a page of another site changes nothing and sees no secret" {
	raw other_sites
}

@test "nodes behind another frontend are reached through it" {
	raw two_frontends
}

@test "the page comes with its policy, and nothing but the page" {
	raw ready_and_page
}

# ---- servers that are not ours as nodes ----

# web_root: a directory with a small and a large file in it.
web_root() {
	mkdir -p root/sub
	echo 'hello' >root/hello.txt
	head -c 3000000 /dev/urandom >root/large
	echo 'below' >'root/sub/with space'
}

# same_files NAME: node NAME serves the web root, through the frontend.
same_files() {
	get "/proxy2/$1/hello.txt" -o got
	cmp got root/hello.txt
	get "/proxy2/$1/large" -o got
	cmp got root/large
	run get "/proxy2/$1/none" -o /dev/null -w '%{http_code}'
	is 404
	run get "/proxy2/$1/large" -I
	has 'Content-Length: 3000000'
	# three on one connection; the last is the first named
	get "/proxy2/$1/large" -o a "$url/proxy2/$1/hello.txt" -o b "$url/proxy2/$1/large" -o c
	cmp a root/hello.txt
	cmp b root/large
	cmp c root/large
}

nginx_on() {
	cat >nginx.conf <<-EOF
		daemon off;
		master_process off;
		pid $PWD/nginx.pid;
		error_log $PWD/nginx.log;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $PWD/tmp1;
			proxy_temp_path $PWD/tmp2;
			fastcgi_temp_path $PWD/tmp3;
			uwsgi_temp_path $PWD/tmp4;
			scgi_temp_path $PWD/tmp5;
			server {
				$(printf 'listen %s;\n' "$@")
				root $PWD/root;
			}
		}
	EOF
	nginx -c "$PWD/nginx.conf" -p "$PWD" 2>nginx.err &
	started+=("$!")
}

@test "nginx is a node on TCP, on ::1 and on a UNIX socket" {
	local port4 port6

	web_root
	port4=$(free_port)
	port6=$(free_port)
	nginx_on "127.0.0.1:$port4" "[::1]:$port6" "unix:$PWD/nginx.sock"
	wait_until 10 test -S nginx.sock
	start proxy --nodes "[
		{\"name\":\"four\",\"host\":\"127.0.0.1\",\"port\":$port4},
		{\"name\":\"six\",\"host\":\"::1\",\"port\":$port6},
		{\"name\":\"sock\",\"host\":\"localhost\",\"port\":\"$PWD/nginx.sock\"}]"
	wait_until 10 get /proxy2/six/hello.txt -f -o /dev/null
	same_files four
	same_files six
	same_files sock
	get '/proxy2/four/sub/with%20space' -o got
	cmp got 'root/sub/with space'
}

@test "python's http.server is a node on TCP, on ::1 and on a UNIX socket" {
	web_root
	start_peer --dir root
	four=$addr
	start_peer --v6 --dir root
	six=$addr
	start_peer --unix "$PWD/peer.sock" --dir root
	start proxy --nodes "[
		{\"name\":\"four\",\"host\":\"127.0.0.1\",\"port\":${four##*:}},
		{\"name\":\"six\",\"host\":\"::1\",\"port\":${six##*:}},
		{\"name\":\"sock\",\"host\":\"localhost\",\"port\":\"$PWD/peer.sock\"}]"
	same_files four
	same_files six
	same_files sock
}

@test "a wrong option or list ends it with 2 before anything starts" {
	fails_with 2 "$LMC" proxy --nodes '[{"name":"a"}]'
	has 'nodes'
	fails_with 2 "$LMC" proxy --nodes '[{"name":"a","host":"h","port":70000}]'
	has '70000'
	echo '[{"name":"a","host":"h","port":1},' >bad.json
	fails_with 2 "$LMC" proxy --config bad.json
	has 'bad.json'
	fails_with 2 "$LMC" proxy --config none.json
	has 'none.json'
	fails_with 2 "$LMC" proxy --port 65536
	fails_with 2 "$LMC" proxy --listen 'http://x/y'
	fails_with 2 "$LMC" proxy operand
	fails_with 2 "$LMC" proxy --head-timeout 0
	has 'head-timeout'
}

@test "an address in use ends it with 111" {
	start proxy --nodes '[]'
	fails_with 111 "$LMC" proxy --nodes '[]' --port "$port"
	has "unable to listen on 127.0.0.1:$port"
	start proxy --nodes '[]' --listen "unix:$PWD/in.sock"
	fails_with 111 "$LMC" proxy --nodes '[]' --listen "unix:$PWD/in.sock"
	echo data >file
	fails_with 111 "$LMC" proxy --nodes '[]' --listen "unix:$PWD/file"
	[ "$(cat file)" = data ]
}

@test "a UNIX socket is its owner's alone, and gone afterwards" {
	start proxy --nodes '[]' --listen "unix:$PWD/in.sock"
	[ "$(stat -c %a in.sock)" = 600 ]
	run get /livez
	is ok
	stop
	no test -e in.sock
	# one that a killed frontend left behind is in nobody's way
	start proxy --nodes '[]' --listen "unix:$PWD/in.sock"
	no stop "$pid" KILL
	[ -S in.sock ]
	start proxy --nodes '[]' --listen "unix:$PWD/in.sock"
	run get /livez
	is ok
}
