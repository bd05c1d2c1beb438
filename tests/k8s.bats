#!/usr/bin/env bats
# k8s.bats - frontends and nodes that Kubernetes names
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154 # for eval; url, output, log, addrs are of lib.bash

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
	KUBERNETES_SERVICE_HOST=$(tr -d '[]' <<<"${addrs[0]%:*}")
	export KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT=${addrs[0]##*:}
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

@test "a Service's port: by number, by name, the only one; IPv6; a pod of two families is one" {
	cluster
	slice lmc-1 "$(at a 127.0.0.2)" '"ports":[{"name":"http","port":8080},{"name":"mp","port":8090}]'
	run names k8s:service/lmc:mp
	is 'default_a 127.0.0.2:8090'
	run names k8s:default/service/lmc:99
	is 'default_a 127.0.0.2:99'
	run names k8s:service/lmc
	is ''
	[ "$(source_of why)" = 'lmc-1: no such port, or without a name not just one' ]
	slice lmc-0 "$(at a ::1),$(at b fd00:0:0:0:0:0:0:2)" '"addressType":"IPv6"'
	run names k8s:service/lmc:http
	is 'default_a 127.0.0.2:8080
default_b fd00::2:8080'
	run names k8s:elsewhere/service/lmc
	is ''
}

@test "the API at an IPv6 address, as pods of such a cluster are told it" {
	cluster --host ::1
	slice lmc-1 "$(at a fd00::2)" '"addressType":"IPv6"'
	run names k8s:service/lmc
	is 'default_a fd00::2:8080'
	[ "$(source_of stale)" = false ]
}

@test "one bad endpoint costs only itself: names for addresses, addresses of one link" {
	cluster
	slice lmc-1 "$(at a 127.0.0.2),$(at b evil.example),$(at c 169.254.169.254),$(at d 127.1),$(at e '')"
	run names k8s:service/lmc
	is 'default_a 127.0.0.2:8080'
	[ "$(source_of bad)" = 4 ]
	[ "$(source_of stale)" = false ]
}

@test "pods: those that are Ready and stay, by a selector and a port's number or name" {
	cluster
	pod a 127.0.0.2
	pod b 127.0.0.3 False
	pod c 127.0.0.4 True '"deletionTimestamp":"2026-11-28T17:00:00Z"'
	put '{"kind":"Pod","metadata":{"name":"d","labels":{"app":"other"}},
		"status":{"podIP":"127.0.0.5","conditions":[{"type":"Ready","status":"True"}]}}'
	run names 'k8s:pods?selector=app=lmc,x/y=z&port=web'
	is 'default_a 127.0.0.2:8081'
	[ "$(seen 'labelSelector=app%3Dlmc%2Cx%2Fy%3Dz&limit')" = 1 ]
	run names 'k8s:default/pods?port=7&selector=x%2Fy%3Dz'
	is 'default_a 127.0.0.2:7'
	run names 'k8s:pods?selector=app=other&port=web'
	[ "$(source_of why)" = 'd: no such port, or without a name not just one' ]
}

@test "a list of many pages is one list" {
	local many

	cluster --page 7
	many=$(for i in {1..50}; do
		echo '{"kind":"Pod","metadata":{"name":"p'"$i"'","labels":{"app":"lmc"}},
			"status":{"podIP":"127.0.1.'"$i"'","conditions":[{"type":"Ready","status":"True"}]}}'
	done | jq -s .)
	put "$many"
	run names 'k8s:pods?selector=app=lmc&port=9'
	[ "${#lines[@]}" = 50 ]
	[ "$(seen 'continue=')" = 7 ]
}

@test "what cannot be asked for, and where there is no cluster, is said at once" {
	cluster
	for bad in '' lmc service/ service/Lmc service/lmc: service/lmc:80:80 a/b/service/lmc \
		N/service/lmc pods 'pods?selector=a=b' 'pods?port=80' 'pods?selector=%zz&port=80' \
		'service/a?b' '../service/lmc'; do
		fails_with 2 "$LMC" nodes --from "k8s:$bad"
		has 'not [NAMESPACE/]service/NAME[:PORT]'
	done
	KUBERNETES_SERVICE_PORT=x fails_with 2 "$LMC" nodes --from k8s:service/lmc
	has 'KUBERNETES_SERVICE_PORT is not a port'
	unset KUBERNETES_SERVICE_HOST
	fails_with 2 "$LMC" nodes --from k8s:service/lmc
	has 'not in a pod'
}

# wrong TEXT: asked once, the reason is this
wrong() {
	fails_with 3 "$LMC" nodes --from k8s:service/lmc --no-headers --timeout "${within:-10s}"
	has "k8s:service/lmc: "
	has "$1"
}

@test "401 names the token, 403 the permission; other failures are told apart" {
	cluster
	tell set?token=t2
	wrong "401 Unauthorized: the API does not know the token $PWD/account/token"
	tell 'set?token=t1&list=403'
	wrong 'a Role with the verbs list and watch on endpointslices.discovery.k8s.io in namespace default'
	tell set?list=500
	wrong 'the Kubernetes API answers 500'
	tell set?list=garbage
	wrong 'the list is not JSON'
	tell set?list=cut
	wrong 'ended after'
	tell set?list=slow
	within=1s wrong 'no answer within 1000 ms'
	tell set?list=410
	wrong 'the Kubernetes API answers 410'
	rm account/token
	wrong "unable to read the token $PWD/account/token: No such file"
	printf 'a\nb' >account/token
	wrong "unable to read the token"
}

@test "a server that another authority vouches for, or of another name, is not asked" {
	cluster
	cp "$BATS_FILE_TMPDIR/other.pem" account/ca.crt
	wrong 'trust anchor'
	rm account/ca.crt
	wrong 'the certificates to trust cannot be read'
	cp "$BATS_FILE_TMPDIR/ca.pem" account/ca.crt
	SSL_CERT_FILE=$BATS_FILE_TMPDIR/other.pem names k8s:service/lmc
	[ "$(source_of stale)" = false ]
	[ "$(seen .)" = 1 ]
	rm -r account
	cert=elsewhere cluster
	wrong 'name'
	[ "$(seen .)" = 0 ]
}

@test "a handshake is waited for, not looked at now and then" {
	cluster
	slice lmc-1 "$(at a 127.0.0.2)"
	tell set?shake=0.3
	strace -f -e trace=poll -o trace "$LMC" nodes --from k8s:service/lmc --timeout 10s >list
	grep default_a list
	no grep 'poll(NULL' trace
}

# --- watches -------------------------------------------------------------------

# follow: every list is a line of "out"
follow() {
	"$LMC" nodes --from k8s:service/lmc --follow -o jsonl --interval 20ms >out 2>err &
	started+=($!)
}

# last TEXT: the last line names exactly these, as "a b c"
last() {
	[ "$(tail -1 out | jq -r '[.nodes[] | if .name == "local_proxy" then .children[] else . end |
		.name | sub("default_"; "")] | sort | join(" ")')" = "$1" ]
}

said() {
	[ "$(tail -1 out | jq -r ".sources[0].$1")" = "$2" ]
}

watching() {
	[ "$(curl -sSf "$control/watching")" = 1 ]
}

following() {
	cluster
	slice lmc-1 "$(at a 127.0.0.2)"
	follow
	wait_until 10 last a
	wait_until 10 watching
}

# resumed N: there were more watches than N, and one is under way
resumed() {
	[ "$(seen watch=true)" -gt "$1" ] && watching
}

@test "what is added, changed and deleted is seen by one watch, however it is cut into pieces" {
	following
	slice lmc-2 "$(at b 127.0.0.3)"
	wait_until 10 last 'a b'
	slice lmc-2 "$(at b 127.0.0.3 '"ready":false'),$(at c 127.0.0.4)"
	wait_until 10 last 'a c'
	tell 'watches?do=split'
	slice lmc-3 "$(at 'd' 127.0.0.5)"
	wait_until 10 last 'a c d'
	tell delete?name=lmc-1
	wait_until 10 last 'c d'
	# no longer of this Service: the API says it as a deletion
	put '{"kind":"EndpointSlice","metadata":{"name":"lmc-2","labels":{}},"endpoints":[]}'
	wait_until 10 last d
	[ "$(seen limit=)" = 1 ]
}

@test "a watch is taken up again from its last version, that of a bookmark too" {
	following
	local was version

	tell compact
	tell bookmark
	version=1002
	was=$(seen watch=true)
	# it ends by itself after its timeoutSeconds, two here
	wait_until 10 resumed "$was"
	[ "$(seen "resourceVersion=$version")" -ge 1 ]
	slice lmc-2 "$(at b 127.0.0.3)"
	wait_until 10 last 'a b'
	[ "$(seen limit=)" = 1 ]
	said stale false
}

@test "410 Gone as an event and as a status: a new list, which is never called stale" {
	following
	tell 'watches?do=gone'
	wait_until 10 eval '[ "$(seen limit=)" = 2 ]'
	wait_until 10 watching
	no grep '"stale":true' out
	# what happens while nobody watches is forgotten
	tell set?watch=410
	tell 'watches?do=cut'
	tell delete?name=lmc-1
	slice lmc-2 "$(at b 127.0.0.3)"
	tell compact
	wait_until 10 last b
	tell set?watch=
	wait_until 10 watching
	slice lmc-3 "$(at c 127.0.0.4)"
	wait_until 10 last 'b c'
	[ "$(seen limit=)" -ge 3 ]
}

@test "410 Gone for the next page begins the list anew" {
	cluster --page 1
	slice lmc-1 "$(at a 127.0.0.2)"
	slice lmc-2 "$(at b 127.0.0.3)"
	tell set?list=endless
	follow
	wait_until 10 eval '[ "$(seen continue=)" -gt 3 ]'
	tell compact
	wait_until 10 eval '[ "$(seen limit=100$)" -gt 1 ]'
	no grep '"stale":true' out
	tell set?list=
	tell compact
	wait_until 10 last 'a b'
	wait_until 10 said stale false
}

@test "a stream that is cut in mid-object goes on; one that always is makes the list stale" {
	following
	tell 'watches?do=cut'
	wait_until 10 resumed 1
	slice lmc-2 "$(at b 127.0.0.3)"
	wait_until 10 last 'a b'
	[ "$(seen limit=)" = 1 ]
	tell set?watch=cut
	tell 'watches?do=cut'
	wait_until 10 eval 'said stale true'
	last 'a b'
	tell set?watch=
	wait_until 10 eval 'said stale false'
	wait_until 10 watching
	slice lmc-3 "$(at c 127.0.0.4)"
	wait_until 10 last 'a b c'
}

@test "garbage and errors in a watch make the list stale, and a new one makes it fresh" {
	following
	for what in garbage error; do
		tell "watches?do=$what"
		wait_until 10 eval 'grep -q "the watch .*\(not a stream\|error 500\)" out'
		wait_until 10 eval 'said stale false'
		wait_until 10 watching
		last a
	done
	[ "$(jq -r '.sources[0].why | select(. != null and . != "")' out | sort -u | wc -l)" = 2 ]
	[ "$(seen limit=)" = 3 ]
}

@test "no API, no permission, an old token: stale with the reason, then fresh again" {
	following
	tell set?token=t2
	tell 'watches?do=cut'
	wait_until 10 eval 'grep -q "401 Unauthorized" out'
	last a
	# as the kubelet does: another token in the same place
	printf t2 >account/new
	mv account/new account/token
	wait_until 20 eval 'said stale false'
	tell 'set?list=403&watch=403'
	tell 'watches?do=cut'
	wait_until 10 eval 'grep -q "403 Forbidden" out'
	tell 'set?list=&watch='
	wait_until 20 eval 'said stale false'
	wait_until 10 watching
	stop "${started[0]}" || :
	wait_until 20 said why 'Connection refused'
	said stale true
	last a
}

@test "a watch that is closed at once again and again is no busy loop" {
	following
	local from was

	was=$(seen watch=true) from=${EPOCHREALTIME/./}
	tell set?watch=close
	tell 'watches?do=cut'
	# 20 ms, doubled each time: the eighth comes after 5100
	wait_until 20 eval '[ "$(seen watch=true)" -ge $((was + 8)) ]'
	echo "$((${EPOCHREALTIME/./} - from)) us"
	[ $((${EPOCHREALTIME/./} - from)) -ge 5000000 ]
	said stale false
}

@test "a united frontend shows the pods of a Service" {
	cluster
	start_peer --dir . --type application/json
	slice lmc-1 "$(at a 127.0.0.1)" '"ports":[{"port":'"$port"'}]'
	start proxy --nodes '[]' --registry k8s:service/lmc --registry-interval 50ms
	wait_until 10 eval 'get /api/nodes | grep -q "default_a"'
	fails_with 2 "$LMC" proxy --nodes '[]' --registry k8s:lmc --port 0
	has '--registry k8s:lmc: not [NAMESPACE/]service'
}

# --- docs/deploy/kubernetes.yaml -------------------------------------------------

# That of Debian's package.
yaml() {
	PATH=/usr/bin:$PATH python3 -c "import json, sys, yaml
o = list(yaml.safe_load_all(open('$HERE/../docs/deploy/kubernetes.yaml')))
$1"
}

# of FILTER: of the manifest, as one list of objects in m.json
of() {
	echo "$1"
	jq -e "$1" m.json >/dev/null
}

@test "the manifest is one that fits together, with no right but those that are used" {
	yaml 'print(json.dumps(o))' >m.json
	run jq -r '.[] | "\(.apiVersion) \(.kind) \(.metadata.namespace)/\(.metadata.name)"' m.json
	is 'v1 Service default/lmc
v1 ServiceAccount default/lmc-united
rbac.authorization.k8s.io/v1 Role default/lmc-united
rbac.authorization.k8s.io/v1 RoleBinding default/lmc-united
apps/v1 Deployment default/lmc-united
v1 Service default/lmc-united'
	of '.[2].rules == [{apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"]}]'
	of '.[3] | .roleRef == {apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "lmc-united"}'
	of '.[3].subjects == [.[1] | {kind, name: .metadata.name, namespace: .metadata.namespace}]'
	of '.[4].spec | .selector.matchLabels == .template.metadata.labels'
	of '.[5].spec.selector == .[4].spec.template.metadata.labels'
	of '.[4].spec.template.spec.serviceAccountName == .[1].metadata.name'
	of '[.[4].spec.template.spec.containers[0] | .livenessProbe, .readinessProbe | .httpGet.port] == ["http", "http"]'
	of '.[4].spec.template.spec.containers[0] | .ports == [{name: "http", containerPort: 8000}]'
	of '.[5].spec.ports == [{name: "http", port: 80, targetPort: "http"}]'
	of '.[0].spec | .clusterIP == "None" and .ports[0].name == "http"'
}

@test "what the manifest starts asks for that Service, answers the probes, and to its name" {
	local args

	yaml 'c = o[4]["spec"]["template"]["spec"]["containers"][0]
print("\n".join(c["command"][1:] + c["args"]))
print(c["livenessProbe"]["httpGet"]["path"], c["readinessProbe"]["httpGet"]["path"], file=sys.stderr)' \
		>args 2>probes
	cluster
	slice lmc-1 "$(at a 127.0.0.2)"
	mapfile -t args < <(sed 's/^--listen=.*/--listen=127.0.0.1:0/' args)
	start "${args[@]}"
	wait_until 10 eval 'get /api/nodes | grep -q default_a'
	for p in $(<probes); do
		get "$p" -f >/dev/null
	done
	get / -fo page -H 'Host: lmc-united'
	get / -fo page -H 'Host: lmc-united.default.svc:80'
	[ "$(seen /)" -ge 2 ]
	[ "$(seen /apis/discovery.k8s.io/v1/namespaces/default/endpointslices?)" = "$(seen /)" ]
}
