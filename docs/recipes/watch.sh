#!/bin/sh
# watch.sh - hit rate, stuck threads and a forgotten log level, for cron
# SPDX-License-Identifier: Apache-2.0
#
#   */5 * * * *  LMC_NODES=/etc/lmc/nodes.json /usr/local/bin/watch.sh
#
# Says nothing and returns 0 while all is well; what is wrong is one line each
# and status 1, so that cron sends a mail. The log level of LOGGER goes back to
# LEVEL wherever somebody left it lower.
set -u
: "${LMC:=lmc}" "${LEAST:=0.2}" "${STUCK:=3s}" "${LOGGER:=lmcache}" "${LEVEL:=INFO}"
# Frames in which a thread may well stay: it waits for work there.
: "${IDLE:=wait|select|acquire|poll|accept|recv|sleep|_bootstrap|get|worker|dequeue|_loop|get_threads}"
bad=0

say() {
	echo "watch: $*"
	bad=1
}

"$LMC" health -q >/dev/null || say "not all nodes are healthy (status $?)"

# Hit rate since the start: hits of all nodes over tokens they were asked for.
rate=$("$LMC" call GET /metrics --no-headers 2>/dev/null | awk '
	/^lmcache:num_(hit_tokens|lookup_hits)_total[{ ]/ { hit += $NF }
	/^lmcache:num_(requested_tokens|lookup_tokens)_total[{ ]/ { all += $NF }
	/^lmcache_mp_lookup_hit_tokens_total[{ ]/ { hit += $NF }
	/^lmcache_mp_lookup_requested_tokens_total[{ ]/ { all += $NF }
	END { if (all > 0) printf "%.3f", hit / all }')
if [ -n "$rate" ] && awk "BEGIN { exit !($rate < $LEAST) }"; then
	say "hit rate $rate is under $LEAST"
fi

stuck=$("$LMC" threads --diff "$STUCK" --no-headers -q | grep ' stuck for ' |
	grep -Ev " in  +[^ ]*($IDLE)[^ ]* \(")
[ -z "$stuck" ] || say "threads that did not move:
$stuck"

# NODE LOGGER LEVEL BEFORE: a row for each node whose level is too low.
back=$("$LMC" loglevel "$LOGGER" --no-headers -q | while read -r node _ level _; do
	[ "$level" = DEBUG ] || continue
	"$LMC" loglevel "$LOGGER" "$LEVEL" -n "$node" -q >/dev/null &&
		printf ' %s' "$node"
done)
[ -z "$back" ] || say "log level of $LOGGER set back to $LEVEL on:$back"
exit $bad
