#!/usr/bin/env bats
# tls-suites.bats - which TLS lmc speaks as a client, against OpenSSL's server
# SPDX-License-Identifier: Apache-2.0

load lib

# certify NAME KEY...: NAME.pem and NAME.key for localhost, signed by itself.
certify() {
	local name=$1

	shift
	openssl req -x509 -newkey "$@" -nodes -keyout "$name.key" -out "$name.pem" \
		-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
}

# serve CERT ARGS...: openssl s_server on a free port; sets $port.
serve() {
	local cert=$1

	shift
	port=$(free_port)
	openssl s_server -accept "127.0.0.1:$port" -key "$cert.key" -cert "$cert.pem" \
		-www -quiet "$@" >server.log 2>&1 3>&- 4>&- &
	pid=$!
	started+=("$pid")
	wait_until 10 listens "$port"
	export SSL_CERT_FILE=$PWD/$cert.pem
}

listens() {
	(exec 5<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# ask: what s_server says of the connection
ask() {
	run "$LMC" call -n "https://localhost:$port" GET /
}

speaks() {
	serve "$@"
	ask
	[ "$status" = 0 ]
	has "Protocol  : TLSv1.2"
	stop || :
}

refuses() {
	serve "$@"
	ask
	[ "$status" = 3 ]
	has "TLS"
	stop || :
}

@test "every suite with forward secrecy and authenticated encryption is spoken" {
	certify rsa rsa:2048
	certify ec ec -pkeyopt ec_paramgen_curve:prime256v1
	speaks rsa -tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305
	speaks rsa -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256
	speaks rsa -tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384
	speaks ec -tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305
	speaks ec -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
	speaks ec -tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384
}

@test "keys of the curves that authorities use are verified" {
	certify p384 ec -pkeyopt ec_paramgen_curve:secp384r1 -sha384
	speaks p384 -tls1_2
	certify big rsa:4096 -sha512
	speaks big
}

@test "a server of TLS 1.3 that also speaks 1.2 is understood" {
	certify rsa rsa:2048
	speaks rsa
}

@test "old suites and old versions are refused" {
	certify rsa rsa:2048
	refuses rsa -tls1_2 -cipher AES128-GCM-SHA256
	refuses rsa -tls1_2 -cipher ECDHE-RSA-AES128-SHA256
	refuses rsa -tls1_1 -cipher ALL:@SECLEVEL=0
	refuses rsa -tls1 -cipher ALL:@SECLEVEL=0
	refuses rsa -tls1_3
}

@test "a certificate signed with SHA-1 is not trusted" {
	certify ca rsa:2048
	openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr \
		-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
	openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -sha1 -days 2 \
		-copy_extensions copy -out leaf.pem 2>/dev/null
	serve leaf -tls1_2 -cipher ALL:@SECLEVEL=0
	export SSL_CERT_FILE=$PWD/ca.pem
	ask
	[ "$status" = 3 ]
	has "certificate"
}
