/* test_clock.c - time in milliseconds
 * SPDX-License-Identifier: Apache-2.0
 */
#include <time.h>

#include "clock.h"
#include "test.h"

TEST(iso_is_UTC_with_milliseconds)
{
	char s[CLOCK_TEXT];

	CHECK_STR(clock_iso(0, s), "1970-01-01T00:00:00.000Z");
	CHECK_STR(clock_iso(1795408189123, s), "2026-11-23T04:29:49.123Z");
	CHECK_STR(clock_iso(951782400007, s), "2000-02-29T00:00:00.007Z");
}

TEST(http_is_an_IMF_fixdate)
{
	char s[CLOCK_TEXT];

	CHECK_STR(clock_http(784111777000, s), "Sun, 06 Nov 1994 08:49:37 GMT");
	CHECK_STR(clock_http(1795408189999, s), "Mon, 23 Nov 2026 04:29:49 GMT");
}

TEST(before_1970_the_second_is_the_one_before)
{
	char s[CLOCK_TEXT];

	CHECK_STR(clock_iso(-1, s), "1969-12-31T23:59:59.999Z");
	CHECK_STR(clock_http(-1, s), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(a_year_of_more_than_four_digits_stays_a_valid_date)
{
	char s[CLOCK_TEXT];

	CHECK_STR(clock_iso(INT64_MAX, s), "9999-12-31T23:59:59.000Z");
	CHECK_STR(clock_iso(INT64_MIN, s), "0000-01-01T00:00:00.000Z");
	CHECK_STR(clock_http(INT64_MAX, s), "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(the_monotonic_clock_goes_forward_in_both_units)
{
	int64_t us = clock_us(), ms = clock_ms(), then = us;

	CHECK(ms - us / 1000 >= 0);
	CHECK(ms - us / 1000 < 1000);
	while (clock_us() == then)
		;
	CHECK(clock_us() > then);
}

TEST(the_wall_clock_is_the_one_of_time)
{
	int64_t before = (int64_t)time(NULL), ms = clock_wall_ms();

	/* time() may still be on the tick before. */
	CHECK(ms / 1000 - before >= 0);
	CHECK(ms / 1000 - before <= 1);
}
