/* test_loop.c - timers, tasks, descriptors and signals of the event loop
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "loop.h"
#include "test.h"

/* What happened, a letter each. */
static char story[4096];
static size_t said;

static void say(char c)
{
	if (said < sizeof story - 1)
		story[said++] = c;
	story[said] = '\0';
}

static void begin(void)
{
	said = 0;
	story[0] = '\0';
	loop_init();
	loop_each_turn(NULL);
}

static void end_of_test(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* Runs the loop for so many milliseconds. */
static void run(int ms)
{
	static struct timer stop;

	timer_set(&stop, clock_ms() + ms, end_of_test);
	loop_run();
	timer_stop(&stop);
}

/* ---- timers ---- */

struct lettered {
	struct timer timer;	/* first */
	char         letter;
	struct lettered *other;
};

static void on_letter(struct timer *t)
{
	say(((struct lettered *)t)->letter);
}

TEST(timers_run_in_the_order_of_their_time)
{
	struct lettered l[5] = { { .letter = 0 } };
	static const int after[] = { 30, 10, 20, 5, 15 };

	begin();
	for (int i = 0; i < 5; i++) {
		l[i].letter = (char)('a' + i);
		timer_set(&l[i].timer, loop_now() + after[i], on_letter);
	}
	run(60);
	CHECK_STR(story, "dbeca");
}

TEST(a_timer_that_is_set_again_moves)
{
	struct lettered a = { .letter = 'a' }, b = { .letter = 'b' };

	begin();
	timer_set(&a.timer, loop_now() + 5, on_letter);
	timer_set(&b.timer, loop_now() + 10, on_letter);
	timer_set(&a.timer, loop_now() + 20, on_letter);	/* later */
	run(40);
	CHECK_STR(story, "ba");

	begin();
	timer_set(&a.timer, loop_now() + 30, on_letter);
	timer_set(&b.timer, loop_now() + 20, on_letter);
	timer_set(&a.timer, loop_now() + 5, on_letter);		/* sooner */
	run(50);
	CHECK_STR(story, "ab");
}

TEST(a_stopped_timer_does_not_run)
{
	struct lettered a = { .letter = 'a' }, b = { .letter = 'b' };

	begin();
	timer_set(&a.timer, loop_now() + 5, on_letter);
	timer_set(&b.timer, loop_now() + 5, on_letter);
	timer_stop(&a.timer);
	timer_stop(&a.timer);
	CHECK_INT(a.timer.due, 0);
	run(20);
	CHECK_STR(story, "b");
	CHECK_INT(b.timer.due, 0);
}

static void stop_other(struct timer *t)
{
	struct lettered *l = (struct lettered *)t;

	say(l->letter);
	timer_stop(&l->other->timer);
}

TEST(a_timer_may_stop_another_that_is_due)
{
	struct lettered a = { .letter = 'a' }, b = { .letter = 'b' };

	a.other = &b;
	b.other = &a;
	begin();
	timer_set(&a.timer, loop_now() + 5, stop_other);
	timer_set(&b.timer, loop_now() + 6, stop_other);
	while (clock_ms() < loop_now() + 8)
		;	/* both are due before the loop looks */
	run(20);
	CHECK_STR(story, "a");
}

static void once_more(struct timer *t)
{
	struct lettered *l = (struct lettered *)t;

	say(l->letter);
	if (said < 3)
		timer_set(t, loop_now() + 2, once_more);
}

TEST(a_timer_may_set_itself_again)
{
	struct lettered a = { .letter = 'a' };

	begin();
	timer_set(&a.timer, loop_now(), once_more);
	run(60);
	CHECK_STR(story, "aaa");
}

static int early, late, ran;

static void in_time(struct timer *t)
{
	int64_t due = (int64_t)(intptr_t)((struct lettered *)t)->other;

	early += due > loop_now();
	late += due + 1000 < loop_now();	/* a busy machine */
	ran++;
}

TEST(thousands_of_timers_keep_their_time_while_they_move)
{
	enum { N = 3000 };
	static struct lettered l[N];
	int stopped = 0;
	unsigned seed = 7;

	begin();
	early = late = ran = 0;
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < N; i++) {
			int64_t due = loop_now() + 1 + (int64_t)(rand_r(&seed) % 100u);

			l[i].other = (void *)(intptr_t)due;
			timer_set(&l[i].timer, due, in_time);
		}
	for (int i = 0; i < N; i += 3, stopped++)
		timer_stop(&l[i].timer);
	run(200);
	CHECK_INT(ran, N - stopped);
	CHECK_INT(early, 0);
	CHECK_INT(late, 0);
}

/* ---- tasks ---- */

static struct task t1, t2, t3;

static void say_1(struct task *t)
{
	(void)t;
	say('1');
}

static void say_2_then_3(struct task *t)
{
	(void)t;
	say('2');
	task_later(&t3, say_1);
	task_cancel(&t1);
}

static void turn_over(void)
{
	say('.');
}

TEST(a_task_runs_once_and_what_it_queues_a_turn_later)
{
	begin();
	task_later(&t2, say_2_then_3);
	task_later(&t2, say_2_then_3);
	task_later(&t1, say_1);
	loop_each_turn(turn_over);
	run(10);
	loop_each_turn(NULL);
	CHECK(strncmp(story, "2.1.", 4) == 0);
	CHECK(!strchr(story + 3, '2'));
}

TEST(a_task_that_was_taken_back_does_not_run)
{
	begin();
	task_later(&t1, say_1);
	task_later(&t2, say_1);
	task_later(&t3, say_1);
	task_cancel(&t3);
	task_cancel(&t1);
	task_cancel(&t1);
	task_later(&t1, say_1);
	run(10);
	CHECK_STR(story, "11");
}

/* ---- descriptors ---- */

struct end {
	struct watch watch;	/* first */
	char         letter;
	unsigned     ready;
	struct end  *other;
};

static void on_end(struct watch *w, unsigned ready)
{
	struct end *e = (struct end *)w;

	say(e->letter);
	e->ready |= ready;
}

static int sockets(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd);
}

static void shut(struct end *e)
{
	int fd = e->watch.fd;

	watch_del(&e->watch);
	if (fd >= 0)
		close(fd);
}

TEST(bytes_are_told_once_until_there_are_more)
{
	struct end e = { .letter = 'e' };
	int fd[2];

	begin();
	CHECK(sockets(fd) == 0);
	CHECK(watch_add_quiet(&e.watch, fd[0], on_end) == 0);
	CHECK(write(fd[1], "x", 1) == 1);
	run(15);
	CHECK_STR(story, "e");
	CHECK_INT(e.ready, READY_IN);
	CHECK(write(fd[1], "y", 1) == 1);
	run(15);
	CHECK_STR(story, "ee");
	shut(&e);
	close(fd[1]);
}

TEST(a_listener_is_told_until_it_reads)
{
	struct end e = { .letter = 'e' };
	int fd[2];

	begin();
	CHECK(sockets(fd) == 0);
	CHECK(watch_add_level(&e.watch, fd[0], on_end) == 0);
	CHECK(write(fd[1], "x", 1) == 1);
	run(5);
	CHECK(strlen(story) > 2);
	shut(&e);
	close(fd[1]);
}

TEST(room_is_told_only_to_those_who_ask)
{
	struct end e = { .letter = 'e' };
	int fd[2];

	begin();
	CHECK(sockets(fd) == 0);
	CHECK(watch_add_quiet(&e.watch, fd[0], on_end) == 0);
	run(10);
	CHECK_STR(story, "");
	watch_out(&e.watch, true);
	run(10);
	CHECK_STR(story, "e");
	CHECK_INT(e.ready, READY_OUT);
	watch_out(&e.watch, false);
	run(10);
	CHECK_STR(story, "e");
	shut(&e);
	close(fd[1]);
}

TEST(an_end_is_told_and_so_is_a_whole_end)
{
	struct end e = { .letter = 'e' };
	int fd[2];

	begin();
	CHECK(sockets(fd) == 0);
	CHECK(watch_add_quiet(&e.watch, fd[0], on_end) == 0);
	shutdown(fd[1], SHUT_WR);
	run(10);
	CHECK_INT(e.ready & (READY_END | READY_IN | READY_GONE), READY_END | READY_IN);
	close(fd[1]);
	run(10);
	CHECK(e.ready & READY_GONE);
	shut(&e);
}

/* The first of the two that is called ends the other. */
static void end_other(struct watch *w, unsigned ready)
{
	struct end *e = (struct end *)w;

	(void)ready;
	say(e->letter);
	shut(e->other);
	shut(e);
}

TEST(an_event_of_a_watch_that_is_gone_is_not_delivered)
{
	struct end a = { .letter = 'x' }, b = { .letter = 'x' };
	int fd[2], other[2];

	begin();
	CHECK(sockets(fd) == 0);
	CHECK(sockets(other) == 0);
	a.other = &b;
	b.other = &a;
	CHECK(watch_add(&a.watch, fd[0], end_other) == 0);
	CHECK(watch_add(&b.watch, other[0], end_other) == 0);
	CHECK(write(fd[1], "x", 1) == 1);
	CHECK(write(other[1], "x", 1) == 1);
	run(15);
	CHECK_STR(story, "x");
	CHECK_INT(a.watch.fd, -1);
	CHECK_INT(b.watch.fd, -1);
	close(fd[1]);
	close(other[1]);
}

TEST(a_bad_descriptor_is_refused)
{
	struct end e = { .letter = 'e' };

	begin();
	CHECK_INT(watch_add(&e.watch, 9999, on_end), -1);
	CHECK_INT(e.watch.fd, -1);
	watch_del(&e.watch);
	watch_out(&e.watch, true);
}

/* ---- signals ---- */

static void on_signal(int signo)
{
	say(signo == SIGUSR1 ? 'u' : 'h');
}

TEST(signals_are_called_in_the_loop)
{
	begin();
	CHECK(loop_signal(SIGUSR1, on_signal) == 0);
	CHECK(loop_signal(SIGHUP, on_signal) == 0);
	kill(getpid(), SIGUSR1);
	CHECK_STR(story, "");
	run(10);
	CHECK_STR(story, "u");
	kill(getpid(), SIGHUP);
	run(10);
	CHECK_STR(story, "uh");
}
