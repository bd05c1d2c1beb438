/* test_helper.c - this program started again by itself, its lines read
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../applets/proxy/helper.h"
#include "clock.h"
#include "log.h"
#include "test.h"

#define SAYS "TEST_HELPER_SAYS"

/* As a helper this program says what it is told to, a byte at a time or all
 * at once, and stays or goes. */
__attribute__((constructor)) static void be_helper(void)
{
	const char *says = getenv(SAYS), *p;

	if (!says)
		return;
	if (*says == '1') {
		for (p = says + 2; *p; p++)
			if (write(1, p, 1) != 1)
				_exit(3);
	} else if (write(1, says + 2, strlen(says + 2)) < 0) {
		_exit(3);
	}
	if (says[1] == 's')
		for (;;)
			pause();
	_exit(0);
}

static char got[4096];
static int began, lines;
static struct timer timer;
static char *argv[] = { (char *)"lmc", NULL };

static void line(struct helper *h, char *p, size_t n)
{
	(void)h;
	lines++;
	strncat(got, p, sizeof got - strlen(got) - 1);
	strncat(got, strlen(p) == n ? "|" : "?", sizeof got - strlen(got) - 1);
}

static void on_began(struct helper *h)
{
	(void)h;
	began++;
}

static void over(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* Until so many lines have come and so many starts were made, or time is up. */
static int want_lines, want_began;
static int64_t deadline;

static void look(struct timer *t)
{
	if ((lines >= want_lines && began >= want_began) || clock_ms() > deadline)
		loop_stop();
	else
		timer_set(t, clock_ms() + 10, look);
}

static void wait_for(int n, int starts)
{
	want_lines = n;
	want_began = starts;
	deadline = clock_ms() + 10000;
	timer_set(&timer, clock_ms() + 10, look);
	loop_run();
}

static void run(struct helper *h, const char *says, int n, int starts)
{
	static bool ready;

	if (!ready)
		loop_init(), log_level = LOG_ERROR;
	ready = true;
	setenv(SAYS, says, 1);
	got[0] = '\0';
	began = lines = 0;
	*h = (struct helper){ .name = "t", .argv = argv, .line_max = 8,
			      .line = line, .began = on_began };
	helper_start(h);
	wait_for(n, starts);
	helper_stop(h, false);
	helpers_wait(loop_stop);
	timer_set(&timer, clock_ms() + 20000, over);
	if (h->pid)
		loop_run();
	timer_stop(&timer);
	unsetenv(SAYS);
}

TEST(lines_come_whole_however_they_are_written)
{
	static struct helper a, b;

	run(&a, "0sone\ntwo\n\n12345678\n", 4, 1);
	CHECK_STR(got, "one|two||12345678|");
	CHECK_INT(a.pid, 0);
	run(&b, "1sone\ntwo\n\n12345678\n", 4, 1);
	CHECK_STR(got, "one|two||12345678|");
}

TEST(a_line_over_the_ceiling_is_left_out_and_the_next_is_whole)
{
	static struct helper a, b;

	run(&a, "0s123456789\nok\n1234567890123456789012345678901234567890\nend\n", 2, 1);
	CHECK_STR(got, "ok|end|");
	run(&b, "1s123456789\nok\n1234567890123456789012345678901234567890\nend\n", 2, 1);
	CHECK_STR(got, "ok|end|");
}

TEST(a_line_without_an_end_is_no_line)
{
	static struct helper a;

	run(&a, "0gone\nhalf", 2, 2);	/* ends, and is started again */
	CHECK_STR(got, "one|one|");
	CHECK_INT(began, 2);
}

TEST(a_started_one_that_is_ending_is_started_at_once)
{
	static struct helper a;
	int64_t at;

	run(&a, "0sone\n", 1, 1);
	setenv(SAYS, "0sone\n", 1);
	helper_start(&a);
	helper_stop(&a, false);
	at = clock_ms();
	helper_start(&a);
	wait_for(2, 3);
	CHECK(clock_ms() - at < 900);
	helper_stop(&a, true);
	helpers_wait(loop_stop);
	if (a.pid)
		loop_run();
	CHECK_INT(a.pid, 0);
}
