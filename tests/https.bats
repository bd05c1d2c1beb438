#!/usr/bin/env bats
# https.bats - frontends over TLS, and their tokens
# SPDX-License-Identifier: Apache-2.0

bats_require_minimum_version 1.5.0
load lib

ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" \
		-out "$1.pem" -days 2 -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE 2>/dev/null
	: >"$1.index"
}

# cert CA NAME HOST END: NAME.pem for HOST, signed by CA, from yesterday to END.
cert() {
	local begin

	begin=$(date -u -d '-2 days' +%y%m%d%H%M%SZ)
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$2.key" -out "$2.csr" \
		-subj "/CN=$3" 2>/dev/null
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s.index\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nrand_serial=yes\nunique_subject=no\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:%s\n' "$1" "$3" >"$2.cnf"
	openssl ca -batch -config "$2.cnf" -cert "$1.pem" -keyfile "$1.key" -in "$2.csr" -out "$2.pem" \
		-startdate "$begin" -enddate "$(date -u -d "$4" +%y%m%d%H%M%SZ)" 2>/dev/null
}

# serve CERT ARGS...: a frontend with one node behind it; $front is its URL.
serve() {
	local name=$1

	shift
	launch python3 "$HERE/frontend.py" --cert "$name.pem" "$name.key" "$@" "w=$PWD/w.sock"
	front=https://localhost:$port
}

node() {
	start demo --node "unix:$PWD/w.sock"
	ca mine
	ca other
	cert mine good localhost '+2 days'
	cert other stranger localhost '+2 days'
	cert mine elsewhere example.org '+2 days'
	cert mine old localhost '-1 day'
	export SSL_CERT_FILE=$PWD/mine.pem
}

@test "a certificate that is trusted: nodes behind https are as those behind http" {
	node
	serve good
	fails_with 0 "$LMC" version --via "$front" -o raw
	is '"0.3.10-simulated"'
	fails_with 0 "$LMC" nodes --nodes "$front" -o name
	is w
	fails_with 0 "$LMC" call GET /api/nodes -n "$front"
	has "w.sock"
	"$LMC" config -n "$PWD/w.sock" | sed 's/^[^ ]* *//' >direct
	"$LMC" config --via "$front" | sed 's/^[^ ]* *//' >through
	diff direct through
}

@test "untrusted, for another host, expired: 3, with the reason, and nothing is sent" {
	node
	serve stranger
	fails_with 3 "$LMC" version --via "$front"
	has "unable to reach"
	has "X.509 verification: chain could not be linked to a trust anchor"
	serve elsewhere
	fails_with 3 "$LMC" version --via "$front"
	has "X.509 verification: expected server name was not found"
	serve old
	fails_with 3 "$LMC" version --via "$front"
	has "X.509 verification: certificate is expired"
	[ ! -e tokens ]
	serve good
	SSL_CERT_FILE=$PWD/nosuch fails_with 3 "$LMC" version --via "$front"
	has "cannot be read"
	fails_with 3 "$LMC" version --via "http://localhost:$port"
}

@test "the token goes to the frontend and to nobody else" {
	node
	printf 'sesame\n' >token
	serve good --token sesame
	fails_with 4 "$LMC" version --via "$front"
	has "a token is needed (HTTP 401)"
	printf 'other\n' >wrong
	fails_with 4 "$LMC" version --via "$front" --token-file wrong
	has "(HTTP 403)"
	: >tokens
	fails_with 0 "$LMC" version --via "$front" --token-file token -o raw
	is '"0.3.10-simulated"'
	[ "$(sort -u tokens)" = "Bearer sesame" ]
	fails_with 0 "$LMC" nodes --nodes "$front" --token-file token -o name
	is w
	start_peer --log log
	fails_with 0 "$LMC" call GET / -n "$addr" --token-file token
	lacks sesame
	no grep -q sesame log
}

@test "a token is one word in a file that can be read" {
	printf 'two words\n' >two
	: >none
	printf 'a\nb\n' >lines
	for f in two none lines; do
		fails_with 2 "$LMC" version --via http://127.0.0.1:1 --token-file $f
		has "$f has no token: one word of printable characters"
	done
	fails_with 2 "$LMC" version --via http://127.0.0.1:1 --token-file nosuch
	has "unable to read the token nosuch: No such file"
}

@test "\$LMC_NODES may be a frontend as well" {
	node
	launch python3 "$HERE/frontend.py" "w=$PWD/w.sock"
	LMC_NODES=$url fails_with 0 "$LMC" version -n w -o raw
	is '"0.3.10-simulated"'
}
