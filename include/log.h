/* log.h - one line per event of a server, on stderr
 * SPDX-License-Identifier: Apache-2.0
 *
 * Text: "2026-11-23T04:29:49.123Z info listening addr=127.0.0.1:8000".
 * JSON: {"time":"…","level":"info","event":"listening","addr":"…"}.
 * Keys and values come in pairs and end with NULL; values are escaped. A
 * writer that cannot take a line at once loses it and log_dropped counts it:
 * a server never waits for its log.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;	/* lines above it are not written */
extern bool           log_json;
extern unsigned long  log_dropped;

/* critical error warning warn info debug trace, as lmcache_frontend takes
 * them; 0 or -1 */
int  log_level_named(const char *name);

void log_event(enum log_level level, const char *event, ...)
	__attribute__((sentinel));

#endif
