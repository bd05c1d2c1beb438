/* clock.c - time in milliseconds
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

int64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Years of four digits only: what lies outside becomes the nearest second
 * that has them, so that the text always fits and parses. */
static int split(int64_t wall_ms, struct tm *tm)
{
	static const int64_t first = -62167219200, last = 253402300799;
	int64_t s = wall_ms / 1000 - (wall_ms % 1000 < 0);
	int ms = (int)((wall_ms % 1000 + 1000) % 1000);
	time_t t;

	if (s < first || s > last)
		ms = 0;
	t = (time_t)(s < first ? first : s > last ? last : s);
	gmtime_r(&t, tm);
	return ms;
}

char *clock_iso(int64_t wall_ms, char *out)
{
	struct tm tm;
	unsigned ms = (unsigned)split(wall_ms, &tm) % 1000;
	size_t n;

	n = (size_t)snprintf(out, CLOCK_TEXT - 6, "%04d",
			     (tm.tm_year + 1900) % 10000);
	n += strftime(out + n, CLOCK_TEXT - 6 - n, "-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, 6, ".%03uZ", ms);
	return out;
}

/* Not %a and %b: the names are the RFC's in every locale. */
char *clock_http(int64_t wall_ms, char *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	split(wall_ms, &tm);
	snprintf(out, CLOCK_TEXT, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		 days + tm.tm_wday * 3, (unsigned)tm.tm_mday % 100,
		 months + tm.tm_mon * 3, (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100);
	return out;
}
