#!/bin/sh
# Tells a registry that this process is there, at the address of its own API
# (a port; an API on a socket is announced by a frontend, lmc proxy).
#   plugin.frontend.heartbeat-url       the registry (or $LMC_HEARTBEAT_URL)
#   plugin.frontend.heartbeat-interval  seconds (30)
#   plugin.frontend.report-host         this machine's address, else guessed
lmc=${LMC:-lmc}
url=$("$lmc" plugin-run --get plugin.frontend.heartbeat-url) || url=${LMC_HEARTBEAT_URL:-}
secs=$("$lmc" plugin-run --get plugin.frontend.heartbeat-interval) || secs=30
host=$("$lmc" plugin-run --get plugin.frontend.report-host) || host=
if [ -z "$url" ]; then
	echo "plugin.frontend.heartbeat-url is not set: nobody to tell"
	exit 0
fi
# In MP mode there is no role, and one node.
case ${LMCACHE_RUNTIME_PLUGIN_ROLE:-$LMCACHE_PLUGIN_ROLE} in
*[Ww][Oo][Rr][Kk][Ee][Rr]*) node=worker${LMCACHE_RUNTIME_PLUGIN_WORKER_ID:-$LMCACHE_PLUGIN_WORKER_ID} ;;
"") node= ;;
*) node=scheduler ;;
esac
exec "$lmc" plugin-run --watch-pid "$PPID" -- "$lmc" heartbeat --url "$url" \
	--interval "$secs" ${host:+--report-host "$host"} --node-address ${node:+-n "$node"}
