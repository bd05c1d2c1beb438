#!/bin/sh
# Tells a registry that this process is there.
#   plugin.frontend.heartbeat-url       the registry (or $LMC_HEARTBEAT_URL)
#   plugin.frontend.heartbeat-interval  seconds (30)
lmc=${LMC:-lmc}
url=$("$lmc" plugin-run --get plugin.frontend.heartbeat-url) || url=${LMC_HEARTBEAT_URL:-}
secs=$("$lmc" plugin-run --get plugin.frontend.heartbeat-interval) || secs=30
if [ -z "$url" ]; then
	echo "plugin.frontend.heartbeat-url is not set: nobody to tell"
	exit 0
fi
exec "$lmc" plugin-run --watch-pid "$PPID" -- "$lmc" heartbeat --url "$url" --interval "$secs"
