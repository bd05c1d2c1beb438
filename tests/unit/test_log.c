/* test_log.c - one line per event, escaped, and never waited for
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "test.h"

static int pipe_fds[2];
static int real_stderr = -1;

/* From here on stderr is a pipe that the test reads. */
static void divert(void)
{
	if (real_stderr < 0)
		real_stderr = dup(2);
	if (pipe(pipe_fds) < 0 || dup2(pipe_fds[1], 2) < 0)
		abort();
	close(pipe_fds[1]);
	fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
	log_json = false;
	log_level = LOG_INFO;
	log_dropped = 0;
}

static void restore(void)
{
	dup2(real_stderr, 2);
	close(pipe_fds[0]);
}

/* What came since the last call, without the time at the start of its lines. */
static const char *said(void)
{
	static char all[1 << 20], out[1 << 20];
	ssize_t n = 0, got;
	char *line, *end;
	size_t at = 0;

	while ((got = read(pipe_fds[0], all + n, sizeof all - 1 - (size_t)n)) > 0)
		n += got;
	all[n] = '\0';
	for (line = all; *line; line = end) {
		size_t skip = *line == '{' ? 34 : 25;

		end = strchr(line, '\n');
		end = end ? end + 1 : line + strlen(line);
		if ((size_t)(end - line) < skip)
			skip = 0;
		memcpy(out + at, line + skip, (size_t)(end - line) - skip);
		at += (size_t)(end - line) - skip;
	}
	out[at] = '\0';
	return out;
}

TEST(text_is_time_level_event_and_pairs)
{
	char line[200];
	ssize_t n;

	divert();
	log_event(LOG_INFO, "listening", "addr", "127.0.0.1:8000", NULL);
	n = read(pipe_fds[0], line, sizeof line - 1);
	restore();
	CHECK(n > 25);
	line[n] = '\0';
	CHECK(line[4] == '-' && line[10] == 'T' && line[19] == '.');
	CHECK_STR(line + 23, "Z info listening addr=127.0.0.1:8000\n");
}

TEST(json_is_one_object_a_line)
{
	const char *s;

	divert();
	log_json = true;
	log_event(LOG_WARN, "slow", "node", "w1", "path", "/a\"b\\", NULL);
	s = said();
	restore();
	CHECK_STR(s, ",\"level\":\"warn\",\"event\":\"slow\","
		  "\"node\":\"w1\",\"path\":\"/a\\\"b\\\\\"}\n");
}

TEST(values_are_escaped_so_that_a_peer_cannot_write_a_line)
{
	const char *s;

	divert();
	log_event(LOG_INFO, "e", "a", "x y", "b", "", "c", "1\n2=3", "d",
		  "\033[0m", "f", "\377gr\303\274n", "g", NULL, NULL);
	s = said();
	restore();
	CHECK_STR(s, "info e a=\"x y\" b=\"\" c=\"1\\n2=3\" d=\"\\x1b[0m\" "
		  "f=\"\\xffgr\303\274n\" g=\"\"\n");
}

TEST(json_values_are_valid_whatever_they_hold)
{
	const char *s;

	divert();
	log_json = true;
	log_event(LOG_INFO, "e", "a", "\033\n\001\177", "b",
		  "\377\303\274\355\240\200", NULL);
	s = said();
	restore();
	CHECK_STR(s, ",\"level\":\"info\",\"event\":\"e\","
		  "\"a\":\"\\u001b\\n\\u0001\\u007f\","
		  "\"b\":\"\\ufffd\303\274\\ufffd\\ufffd\\ufffd\"}\n");
}

TEST(lines_above_the_level_are_not_written)
{
	const char *s;

	divert();
	log_event(LOG_DEBUG, "no", NULL);
	CHECK_INT(log_level_named("DEBUG"), 0);
	log_event(LOG_DEBUG, "yes", NULL);
	CHECK_INT(log_level_named("critical"), 0);
	log_event(LOG_WARN, "no", NULL);
	s = said();
	restore();
	CHECK_STR(s, "debug yes\n");
	CHECK_INT(log_level_named("loud"), -1);
}

TEST(a_pair_that_does_not_fit_is_left_out_and_the_line_stays_whole)
{
	static char big[5000];
	const char *s;

	memset(big, 'x', sizeof big - 1);
	divert();
	log_event(LOG_INFO, "e", "a", "1", "big", big, "z", "2", NULL);
	s = said();
	restore();
	CHECK_STR(s, "info e a=1 z=2 cut=true\n");
	divert();
	log_json = true;
	log_event(LOG_INFO, "e", "a", "1", "big", big, NULL);
	s = said();
	restore();
	CHECK_STR(s, ",\"level\":\"info\",\"event\":\"e\",\"a\":\"1\","
		  "\"cut\":true}\n");
}

TEST(a_full_pipe_loses_lines_is_counted_and_is_not_waited_for)
{
	int64_t start = clock_ms();
	const char *s;
	size_t len;
	int i;

	divert();
	for (i = 0; i < 20000; i++)
		log_event(LOG_INFO, "flood", "n", "0123456789", NULL);
	CHECK(log_dropped > 0);
	CHECK(log_dropped < 20000);
	CHECK(clock_ms() - start < 20000);
	s = said();
	len = strlen(s);
	CHECK_INT(len / strlen("info flood n=0123456789\n"),
		  20000 - log_dropped);
	CHECK_INT(len % strlen("info flood n=0123456789\n"), 0);
	log_event(LOG_INFO, "after", NULL);
	s = said();
	restore();
	CHECK_STR(s, "info after\n");
}

/* What a terminal shows until nothing more comes: it hands bytes on in the
 * background. */
static void drain(int pty, char *out, size_t max)
{
	struct pollfd readable = { .fd = pty, .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	while (n < max && poll(&readable, 1, 500) == 1 &&
	       (got = read(pty, out + n, max - n)) > 0)
		n += (size_t)got;
	out[n < max ? n : max - 1] = '\0';
}

TEST(a_terminal_that_nobody_reads_is_not_waited_for_and_a_torn_line_is_ended)
{
	static char big[3000], out[1 << 20];
	int pty = posix_openpt(O_RDWR | O_NOCTTY), tty, i;
	const char *p;

	CHECK(pty >= 0);
	CHECK_INT(grantpt(pty), 0);
	CHECK_INT(unlockpt(pty), 0);
	tty = open(ptsname(pty), O_RDWR | O_NOCTTY);
	CHECK(tty >= 0);
	fcntl(pty, F_SETFL, O_NONBLOCK);
	memset(big, 'x', sizeof big - 1);
	divert();
	dup2(tty, 2);
	alarm(30);	/* a write that waits would wait for ever */
	for (i = 0; i < 100; i++)
		log_event(LOG_INFO, "flood", "x", big, NULL);
	alarm(0);
	drain(pty, out, sizeof out);
	log_event(LOG_INFO, "after", NULL);
	drain(pty, out, sizeof out);
	restore();
	close(tty);
	close(pty);
	CHECK(log_dropped > 0);
	CHECK(log_dropped < 100);
	p = strstr(out, "info after\r\n");
	CHECK(p);
	CHECK(p - out >= 27 && p[-26] == '\n');	/* before the time */
}

TEST(others_on_the_same_pipe_stay_blocking)
{
	int flags;

	divert();
	log_event(LOG_INFO, "e", NULL);
	flags = fcntl(2, F_GETFL);
	restore();
	CHECK(!(flags & O_NONBLOCK));
}

TEST(errno_survives_a_line)
{
	divert();
	errno = ENOENT;
	log_event(LOG_INFO, "e", NULL);
	CHECK_INT(errno, ENOENT);
	restore();
}
