#!/usr/bin/env bats
# k8s.bats - frontends and nodes that Kubernetes names
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # url, output, log, addrs are of lib.bash

bats_require_minimum_version 1.5.0
load lib

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return
	authority ca
	authority other
	sign ca api DNS:kubernetes.default.svc
	sign ca elsewhere DNS:kubernetes.default.svc.example
}

authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" \
		-out "$1.pem" -days 2 -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE 2>/dev/null
}

# sign CA NAME SAN
sign() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2.key" \
		-out "$2.csr" -subj "/CN=$2" -addext "subjectAltName=$3" 2>/dev/null
	openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -days 2 \
		-copy_extensions copy -out "$2.pem" 2>/dev/null
}

# cluster [ARGS...]: the API, and what a pod has of it.
cluster() {
	local cert=${cert:-api}

	launch python3 "$HERE/k8s_api.py" --ready-fd 9 --cert "$BATS_FILE_TMPDIR/$cert.pem" \
		--key "$BATS_FILE_TMPDIR/$cert.key" "$@"
	control=http://${addrs[1]}
	export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=${addrs[0]##*:}
	export LMC_K8S_DIR=$PWD/account
	unset SSL_CERT_FILE
	mkdir account
	cp "$BATS_FILE_TMPDIR/ca.pem" account/ca.crt
	printf 't1\n' >account/token
	printf default >account/namespace
}

tell() {
	curl -gsSf --max-time 20 "$control/$1" >/dev/null
}

put() {
	curl -sSf --max-time 20 -d "$1" "$control/put" >/dev/null
}

seen() {
	curl -sSf --max-time 20 "$control/seen" | grep -c -- "$1" || :
}

# slice NAME ENDPOINTS [MEMBERS]: of the Service "lmc", one port named http.
slice() {
	put '{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"'"$1"'",
		"labels":{"kubernetes.io/service-name":"lmc"}},"addressType":"IPv4",
		"ports":[{"name":"http","protocol":"TCP","port":8080}],"endpoints":['"$2"']'"${3:+,$3}"'}'
}

# at NAME IP [CONDITIONS]: one endpoint
at() {
	echo '{"addresses":["'"$2"'"],"conditions":{'"${3-\"ready\":true,\"serving\":true,\"terminating\":false}"'},
		"targetRef":{"kind":"Pod","namespace":"default","name":"'"$1"'"}}'
}

# pod NAME IP [READY [METADATA]]
pod() {
	put '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"'"$1"'","labels":{"app":"lmc","x/y":"z"}'"${4:+,$4}"'},
		"spec":{"containers":[{"name":"c","ports":[{"name":"web","containerPort":8081}]}]},
		"status":{"podIP":"'"$2"'","conditions":[{"type":"Ready","status":"'"${3:-True}"'"}]}}'
}

# names SPEC: what is named, "NAME ADDRESS" a line
names() {
	"$LMC" nodes --from "$1" -o json --timeout 5s >list.json
	jq -r '.sources[0] as $s | .nodes[] | if .name == "local_proxy" then .children[] else . end |
		"\(.name) \(.host):\(.port)"' list.json | sort
}

# source MEMBER: what is said of the one source
source_of() {
	jq -r ".sources[0].$1" "${2:-list.json}"
}

@test "a Service: its ready endpoints, by NAMESPACE_POD, from all of its slices" {
	cluster
	slice lmc-1 "$(at a 127.0.0.2),$(at b 127.0.0.3 '"ready":false,"serving":false')"
	slice lmc-2 "$(at c 127.0.0.4 '"ready":true,"terminating":true'),$(at d 127.0.0.5 '')"
	put '{"kind":"EndpointSlice","metadata":{"name":"x","labels":{"kubernetes.io/service-name":"x"}},
		"ports":[{"port":1}],"endpoints":[{"addresses":["127.0.0.6"]}]}'
	run names k8s:service/lmc
	is 'default_a 127.0.0.2:8080
default_d 127.0.0.5:8080'
	run names k8s:service/x
	has ' 127.0.0.6:1'
	[ "$(seen 'endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dlmc&limit=100')" = 1 ]
}
