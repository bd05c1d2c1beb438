#!/usr/bin/env bats
# cache.bats - the cache of nodes
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib
load house

@test "clear takes the way of each generation, newest first" {
	local gen

	house
	fails_with 0 "$LMC" cache clear -n worker0 -n mp0 --yes
	has "num_removed"
	has "cleared.tier  l1"
	for gen in /clear-cache /api/clear-cache; do
		cat >old.py <<-E
		import http.server, os, sys
		class H(http.server.BaseHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"
		    def do(self):
		        self.rfile.read(int(self.headers.get("content-length") or 0))
		        hit = self.command == "POST" and self.path == "$gen"
		        body = b'{"status":"ok"}' if hit else b'{"detail":"Not Found"}'
		        self.send_response(200 if hit else 404)
		        self.send_header("content-length", str(len(body)))
		        self.end_headers()
		        self.wfile.write(body)
		    do_GET = do_POST = do_DELETE = do
		s = http.server.HTTPServer(("127.0.0.1", 0), H)
		os.write(9, b"127.0.0.1:%d\n" % s.server_port)
		os.close(9)
		s.serve_forever()
		E
		launch python3 old.py
		fails_with 0 "$LMC" cache clear -n "$addr" --yes -o raw
		is '{"status":"ok"}'
	done
}

@test "clear without --yes is refused where nobody can be asked" {
	house
	fails_with 2 "$LMC" cache clear -n worker0
	has "say --yes if that is meant"
	fails_with 2 "$LMC" cache clear --yes
	has "4 nodes are known"
}

@test "checksums are asked for in the way of each dialect" {
	house
	fails_with 0 "$LMC" cache checksums '0,[2,4]' --chunk-size 2 -n worker0 -n mp0
	has "demo_worker0"
	has "demo_mp0"
	has "chunk_checksums"
	shape cache checksums 0,1 --chunk-size 2 -n worker0 -n mp0
	fails_with 2 "$LMC" cache checksums '0,[2' -n worker0
	fails_with 2 "$LMC" cache checksums '0,x' -n worker0
}

@test "freeze and hot cache are switched and told" {
	house
	fails_with 0 "$LMC" cache freeze on -n worker0
	fails_with 0 "$LMC" cache freeze -n worker0
	has "freeze   true"
	fails_with 0 "$LMC" cache hot-cache off -n worker0
	fails_with 0 "$LMC" cache hot-cache -n worker0
	has "hot_cache  false"
}

@test "made-up tokens are stored and retrieved" {
	house
	fails_with 0 "$LMC" cache store 0,1000 -n worker0
	fails_with 0 "$LMC" cache retrieve 0,1000 -n worker0
	has "num_retrieved"
	fails_with 0 "$LMC" cache objects -n mp0 -o json
	has '"entries":['
}

@test "through a frontend it is the same" {
	house
	start proxy --nodes "$LMC_NODES"
	"$LMC" cache checksums 0,1 -n demo_worker0 -n demo_mp0 >direct
	"$LMC" cache checksums 0,1 -n demo_worker0 -n demo_mp0 --via "$url" >through
	diff direct through
}
