#!/bin/sh
# Pushes every node's metrics to a Pushgateway, again and again.
#   plugin.metrics.pushgateway  its URL (or $LMC_PUSHGATEWAY_URL)
#   plugin.metrics.interval     seconds between two pushes (30)
lmc=${LMC:-lmc}
url=$("$lmc" plugin-run --get plugin.metrics.pushgateway) || url=${LMC_PUSHGATEWAY_URL:-}
secs=$("$lmc" plugin-run --get plugin.metrics.interval) || secs=30
if [ -z "$url" ]; then
	echo "plugin.metrics.pushgateway is not set: nothing to report to"
	exit 0
fi
# One process reports: the scheduler, or the only one there is.
case $LMCACHE_RUNTIME_PLUGIN_ROLE$LMCACHE_PLUGIN_ROLE in
*[Ww][Oo][Rr][Kk][Ee][Rr]*) exit 0 ;;
esac
exec "$lmc" plugin-run --watch-pid "$PPID" -- /bin/sh -c '
	while :; do
		"$1" metrics --all --pushgateway "$2"
		sleep "$3"
	done' sh "$lmc" "$url" "$secs"
