#!/bin/sh
# The frontend beside the scheduler. It reads plugin.frontend.* from LMCache's
# extra configuration, as the Python plugin does: plugin.frontend.port,
# plugin.frontend.heartbeat-url, any other option of `lmc proxy`.
exec "${LMC:-lmc}" plugin-run --watch-pid "$PPID" --frontend
