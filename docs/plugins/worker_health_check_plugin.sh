#!/bin/sh
# Looks at this machine's nodes now and then and says when one is not well.
#   plugin.health.interval  seconds between two looks (60)
lmc=${LMC:-lmc}
secs=$("$lmc" plugin-run --get plugin.health.interval) || secs=60
exec "$lmc" plugin-run --watch-pid "$PPID" -- /bin/sh -c '
	while :; do
		"$1" health --all || echo "health: exit $?"
		sleep "$2"
	done' sh "$lmc" "$secs"
