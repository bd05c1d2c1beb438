/* clock.h - time in milliseconds
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_ms(void);		/* monotonic, for deadlines */
int64_t clock_us(void);		/* monotonic, for measuring */
int64_t clock_wall_ms(void);	/* since 1970-01-01T00:00:00Z */

enum { CLOCK_TEXT = 32 };
/* "2026-11-23T04:29:49.123Z" / "Mon, 23 Nov 2026 04:29:49 GMT"; both return
 * out, which holds CLOCK_TEXT bytes. */
char *clock_iso(int64_t wall_ms, char *out);
char *clock_http(int64_t wall_ms, char *out);	/* IMF-fixdate, RFC 9110 5.6.7 */

#endif
