#!/bin/sh
# Follows log files and ships their lines, through rotation and restarts.
#   plugin.logs.files  paths, separated by blanks (or $LMC_LOG_FILES)
#   plugin.logs.to     where: tcp://HOST:514, udp://HOST:514, unix:/dev/log or
#                      http(s)://HOST:3100/loki/api/v1/push (or $LMC_LOG_TO)
#   plugin.logs.header a header for Loki, or @FILE that holds one
#   plugin.logs.state  directory that remembers what was sent
lmc=${LMC:-lmc}
files=$("$lmc" plugin-run --get plugin.logs.files) || files=${LMC_LOG_FILES:-}
to=$("$lmc" plugin-run --get plugin.logs.to) || to=${LMC_LOG_TO:-}
state=$("$lmc" plugin-run --get plugin.logs.state) || state=${LMC_LOG_STATE:-/var/tmp/lmc-logs}
if [ -z "$files" ] || [ -z "$to" ]; then
	echo "plugin.logs.files and plugin.logs.to are not both set: nothing to ship"
	exit 0
fi
# One process per machine ships; which one does not matter.
case $LMCACHE_RUNTIME_PLUGIN_ROLE$LMCACHE_PLUGIN_ROLE in
*[Ww][Oo][Rr][Kk][Ee][Rr]*) exit 0 ;;
esac
header=$("$lmc" plugin-run --get plugin.logs.header) && set -- --header "$header"
# shellcheck disable=SC2086 # several paths in one setting
exec "$lmc" plugin-run --watch-pid "$PPID" -- "$lmc" logs --state "$state" --to "$to" "$@" $files
