#!/usr/bin/env bats
# recipes.bats - the scripts of docs/recipes do what they say
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

watch() {
	# The simulated disk threads take their time.
	LMC=$LMC STUCK=200ms IDLE='wait|select|_loop|async_|result|recv|_worker|get_threads' "$HERE/../docs/recipes/watch.sh"
}

@test "watch says nothing while all is well" {
	house
	fails_with 0 watch
	is ""
}

@test "watch sets a forgotten log level back and says where" {
	house
	"$LMC" loglevel lmcache DEBUG -n worker1
	fails_with 1 watch
	is "watch: log level of lmcache set back to INFO on: demo_worker1"
	fails_with 0 watch
}

@test "watch tells of a low hit rate, an unhealthy node and a stuck thread" {
	export LEAST=0.99
	house
	fails_with 1 watch
	has "is under 0.99"
	mkdir peer
	cat >peer/threads <<-'E'
	Thread: <Thread(writer, started daemon 1)>
	Stack trace:
	  File "/a/disk.py", line 7, in write_chunk
	    f.write(x)


	=== Thread Summary ===
	Total threads: 1
	E
	start_peer --dir peer
	export LMC_NODES="[{\"name\":\"p\",\"host\":\"127.0.0.1\",\"port\":$port}]"
	fails_with 1 watch
	has "not all nodes are healthy"
	has "writer"
	has "write_chunk (disk.py:7)"
}
