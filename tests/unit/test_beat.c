/* test_beat.c - when a registry is told again, and which URLs are registries
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "beat.h"
#include "test.h"

TEST(after_a_success_it_is_the_interval_or_a_little_less)
{
	struct beat_pace p = { .interval = 30000, .jitter = 10 };

	CHECK_INT(beat_delay(&p, 0, 0), 30000);
	CHECK_INT(beat_delay(&p, 0, 1023), 27000);
	for (uint32_t dice = 0; dice < 5000; dice += 7) {
		CHECK(beat_delay(&p, 0, dice) <= 30000);
		CHECK(beat_delay(&p, 0, dice) >= 27000);
	}
	p.jitter = 0;
	CHECK_INT(beat_delay(&p, 0, 1023), 30000);
}

TEST(failures_double_the_pause_up_to_twice_the_interval)
{
	static const int want[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct beat_pace p = { .interval = 30000, .jitter = 10 };

	for (int i = 0; i < 8; i++)
		CHECK_INT(beat_delay(&p, i + 1, 0), want[i]);
	CHECK_INT(beat_delay(&p, 1 << 30, 0), 60000);
	CHECK_INT(beat_delay(&p, 1, 1023), 750);
}

TEST(where_a_ttl_must_be_kept_a_pause_is_never_longer_than_the_interval)
{
	struct beat_pace p = { .interval = 5000, .ttl = 30000 };

	for (int i = 1; i < 100; i++)
		CHECK(beat_delay(&p, i, 0) <= 5000);
	p = (struct beat_pace){ .interval = 100, .ttl = 200 };
	for (int i = 1; i < 100; i++)
		CHECK(beat_delay(&p, i, 0) <= 100);
}

TEST(less_than_two_beats_in_a_ttl_contradict_it)
{
	CHECK(!beat_contradicts(30000, 0));
	CHECK(!beat_contradicts(30000, 60000));
	CHECK_STR(beat_contradicts(30000, 59999), "a registry that forgets after 59.999 s "
		  "must be told twice in that time: every 30 s is too seldom");
	CHECK(beat_contradicts(30000, 30000));
}

/* A silent answer, and the first try after it, must come before the end. */
TEST(a_timeout_leaves_room_for_another_try)
{
	struct beat b = { .pace = { .interval = 5000, .ttl = 12000, .timeout = 10000 } };

	CHECK_INT(beat_open(&b, NULL, "http://h/x"), 0);
	CHECK_INT(b.pace.timeout, 3500);
	CHECK(b.pace.interval + b.pace.timeout + beat_delay(&b.pace, 1, 0) < b.pace.ttl);
	beat_close(&b);
	b = (struct beat){ .pace = { .timeout = 10000 } };
	CHECK_INT(beat_open(&b, "coordinator", "http://h"), 0);
	CHECK_INT(b.pace.interval, 5000);
	CHECK_INT(b.pace.ttl, 30000);
	beat_close(&b);
	b = (struct beat){ .pace = { .ttl = 9000 } };
	CHECK_INT(beat_open(&b, NULL, "http://h/x"), 0);
	CHECK_INT(b.pace.interval, 3000);
	beat_close(&b);
}

static bool opens(const char *kind, const char *url, const char *host, int port, bool tls)
{
	struct beat b = { .pace = { .interval = 1000 } };
	bool good = beat_open(&b, kind, url) == 0;

	if (good)
		good = host && !strcmp(b.addr.host, host) && b.addr.port == port && b.addr.tls == tls;
	else
		good = !host && b.why[0];
	beat_close(&b);
	return good;
}

TEST(urls_of_registries)
{
	CHECK(opens(NULL, "http://h", "h", 80, false));
	CHECK(opens(NULL, "http://h?x", "h", 80, false));
	CHECK(opens(NULL, "http://H:5000/a/b?c=d#e", "h", 5000, false));
	CHECK(opens(NULL, "https://h/a", "h", 443, true));
	CHECK(opens(NULL, "http://[2001:DB8::0]:1/", "2001:db8::", 1, false));
	CHECK(opens("coordinator", "http://h:9/x", "h", 9, false));
	CHECK(opens("coordinator", "h", "h", 9300, false));
	CHECK(opens(NULL, "h:5000", NULL, 0, false));
	CHECK(opens(NULL, "", NULL, 0, false));
	CHECK(opens("coordinator", "/tmp/sock", NULL, 0, false));
	CHECK(opens(NULL, "http:", NULL, 0, false));
	CHECK(opens(NULL, "http:80", NULL, 0, false));
	CHECK(opens(NULL, "http://", NULL, 0, false));
	CHECK(opens(NULL, "http:///x", NULL, 0, false));
	CHECK(opens(NULL, "http://user@h/", "h", 80, false));
	CHECK(opens(NULL, "http://user:%zz@h/", NULL, 0, false));
	CHECK(opens(NULL, "http://h:0x50/", NULL, 0, false));
	CHECK(opens(NULL, "http://h/\r\nX: y", NULL, 0, false));
	CHECK(opens(NULL, "file:///etc/passwd", NULL, 0, false));
	CHECK(opens("coordinator", "ftp://h", NULL, 0, false));
}

TEST(a_user_in_a_URL_is_a_login_and_in_no_message)
{
	struct beat b = { .pace = { .interval = 1000 } };

	CHECK_INT(beat_open(&b, NULL, "http://u%40v:p%3A@h:1/x"), 0);
	CHECK_STR(b.spec, "http://h:1/x");
	CHECK_STR(b.token, "Authorization: Basic dUB2OnA6");
	beat_close(&b);
	b = (struct beat){ .pace = { .interval = 1000 }, .token = "X: y" };
	CHECK_INT(beat_open(&b, NULL, "http://u@h/"), 0);
	CHECK_STR(b.token, "X: y");
	beat_close(&b);
}
