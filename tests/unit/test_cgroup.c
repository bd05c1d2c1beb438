/* test_cgroup.c - groups in a made-up directory, and lines of /proc/PID/cgroup
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "file.h"
#include "test.h"

static char dir[] = "/tmp/test_cgroup.XXXXXX";

static void clean(void)
{
	if (fork() == 0)
		execlp("rm", "rm", "-r", dir, (char *)NULL);
	wait(NULL);
}

__attribute__((constructor)) static void go_there(void)
{
	if (!mkdtemp(dir))
		_exit(1);
	atexit(clean);
}

static const char *text_of(const char *file)
{
	static char *text;
	char path[PATH_MAX];
	size_t n;

	snprintf(path, sizeof path, "%s/%s", cgroup_top(), file);
	free(text);
	text = read_file(path, 1000, &n);
	return text;
}

TEST(without_a_group_nothing_is_done)
{
	int64_t memory = 5;
	long procs = 6;

	CHECK(!cgroup_top());
	CHECK(!cgroup_make(1, &memory, &procs));
	CHECK_INT(memory, 5);
	CHECK_INT(procs, 6);
	CHECK_INT(cgroup_job("0::/lmc-abcdef/1\n"), -1);
	cgroup_kill(CGROUP_ALL);
	cgroup_close();
}

TEST(a_directory_that_is_no_cgroup_is_refused)
{
	unsetenv("LMC_FAKE_CGROUP");
	CHECK_INT(cgroup_open(dir), -1);
	CHECK(!cgroup_top());
}

TEST(limits_are_written_and_taken_from_the_caller)
{
	int64_t memory = 1 << 20;
	long procs = 7;
	char events[PATH_MAX];
	const char *path;

	setenv("LMC_FAKE_CGROUP", "1", 1);
	CHECK_INT(cgroup_open(dir), 0);
	path = cgroup_make(3, &memory, &procs);
	CHECK(path && strncmp(path, dir, strlen(dir)) == 0);
	CHECK(strstr(path, "/3/cgroup.procs"));
	CHECK_INT(memory, 0);
	CHECK_INT(procs, 0);
	CHECK_STR(text_of("3/memory.max"), "1048576");
	CHECK_STR(text_of("3/pids.max"), "7");
	CHECK(cgroup_make(4, &memory, &procs));
	CHECK(!text_of("4/memory.max"));
	cgroup_kill(4);
	CHECK_STR(text_of("4/cgroup.kill"), "1");
	CHECK(!text_of("3/cgroup.kill"));
	cgroup_kill(CGROUP_ALL);
	CHECK_STR(text_of("cgroup.kill"), "1");
	CHECK_INT(cgroup_ooms(3), 0);
	snprintf(events, sizeof events, "%s/3/memory.events", cgroup_top());
	CHECK_INT(write_file(events, "max 9\noom 2\noom_kill 3\noom_group_kill 1\n", 41, 0600), 0);
	CHECK_INT(cgroup_ooms(3), 3);
}

TEST(a_line_names_the_job_whatever_stands_around_it_and_wherever_it_is_cut)
{
	char line[PATH_MAX];
	size_t n, whole;

	snprintf(line, sizeof line, "9:x:/y\n0::/a/b%s/12/below\n", strrchr(cgroup_top(), '/'));
	CHECK_INT(cgroup_job(line), 12);
	whole = (size_t)(strstr(line, "/12") - line) + 2;
	for (n = strlen(line); n; n--) {
		line[n] = 0;
		CHECK_INT(cgroup_job(line), n > whole ? 12 : n == whole ? 1 : -1);
	}
	snprintf(line, sizeof line, "0::%s/x\n", strrchr(cgroup_top(), '/'));
	CHECK_INT(cgroup_job(line), -1);
	snprintf(line, sizeof line, "0::%s", strrchr(cgroup_top(), '/'));
	CHECK_INT(cgroup_job(line), -1);
}
