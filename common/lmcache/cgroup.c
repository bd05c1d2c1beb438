/* cgroup.c - see cgroup.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cgroup.h"
#include "file.h"

enum { MAGIC = 0x63677270, TEXT_MAX = 64 << 10, TOP_MAX = PATH_MAX - 300 };

static char top[TOP_MAX];	/* "": none */
static size_t base_n;		/* bytes of top that are the group above it */
static bool fake;

const char *cgroup_top(void)
{
	return *top ? top : NULL;
}

/* FILE in the first n bytes of top and, below, in a job's group (0: none). */
static const char *path_of(size_t n, long job, const char *file)
{
	static char path[PATH_MAX];

	if (job > 0)
		snprintf(path, sizeof path, "%.*s/%ld/%s", (int)n, top, job, file);
	else
		snprintf(path, sizeof path, "%.*s/%s", (int)n, top, file);
	return path;
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | (fake ? O_CREAT : 0), 0644);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool put_number(long job, const char *file, int64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)n);
	return put(path_of(strlen(top), job, file), text);
}

static bool is_cgroup(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == MAGIC;
}

/* "0::/path" is ours; a hybrid mount has version 2 one further down. */
static int find_own(void)
{
	const char *mount = is_cgroup("/sys/fs/cgroup") ? "/sys/fs/cgroup" :
		"/sys/fs/cgroup/unified";
	char *text = read_file("/proc/self/cgroup", TEXT_MAX, &base_n), *at;
	int n = -1;

	at = text ? strstr(text, "0::/") : NULL;
	if (at && is_cgroup(mount))
		n = snprintf(top, sizeof top, "%s%.*s", mount, (int)strcspn(at + 3, "\n"), at + 3);
	free(text);
	errno = ENOENT;
	return n < 0 || n >= TOP_MAX ? -1 : 0;
}

static void leave_for_leaf(void)
{
	size_t n;
	char *text = read_file(path_of(base_n, 0, "cgroup.procs"), TEXT_MAX, &n), mine[16];

	snprintf(mine, sizeof mine, "%d\n", (int)getpid());
	if (text && strcmp(text, mine) == 0 &&
	    (mkdir(path_of(base_n, 0, "lmc"), 0755) == 0 || errno == EEXIST))
		put(path_of(base_n, 0, "lmc/cgroup.procs"), mine);
	free(text);
}

int cgroup_open(const char *dir)
{
	int n = dir ? snprintf(top, sizeof top, "%s", dir) : find_own();

	fake = getenv("LMC_FAKE_CGROUP") != NULL;
	base_n = strlen(top);
	while (base_n > 1 && top[base_n - 1] == '/')
		base_n--;
	if (n >= 0 && n < TOP_MAX - 16 && (!dir || fake || is_cgroup(dir))) {
		memcpy(top + base_n, "/lmc-XXXXXX", sizeof "/lmc-XXXXXX");
		if (mkdtemp(top) && chmod(top, 0755) == 0) {
			leave_for_leaf();
			return 0;
		}
	} else if (n >= 0) {
		errno = EINVAL;
	}
	*top = 0;
	return -1;
}

/* Only when somebody wants a limit: a group whose children have controllers
 * takes no members any more. */
static void enable(const char *what)
{
	put(path_of(base_n, 0, "cgroup.subtree_control"), what);
	put(path_of(strlen(top), 0, "cgroup.subtree_control"), what);
}

const char *cgroup_make(long job, int64_t *memory, long *procs)
{
	if (!*top)
		return NULL;
	if (*memory)
		enable("+memory");
	if (*procs)
		enable("+pids");
	if (mkdir(path_of(strlen(top), job, ""), 0755) < 0 && errno != EEXIST)
		return NULL;
	if (*memory && put_number(job, "memory.max", *memory)) {
		*memory = 0;
		/* what is over is ended, not swapped, and as a whole */
		put_number(job, "memory.swap.max", 0);
		put_number(job, "memory.oom.group", 1);
	}
	if (*procs && put_number(job, "pids.max", *procs))
		*procs = 0;
	if (fake)
		put(path_of(strlen(top), job, "cgroup.procs"), "");
	return path_of(strlen(top), job, "cgroup.procs");
}

void cgroup_kill(long job)
{
	if (*top)
		put(path_of(strlen(top), job, "cgroup.kill"), "1");
}

long cgroup_ooms(long job)
{
	size_t n;
	char *text = *top ? read_file(path_of(strlen(top), job, "memory.events"), TEXT_MAX, &n) : NULL;
	const char *at = text ? strstr(text, "oom_kill ") : NULL;
	long ooms = at ? strtol(at + sizeof "oom_kill", NULL, 10) : 0;

	free(text);
	return ooms;
}

long cgroup_job(const char *text)
{
	const char *at = *top ? strstr(text, top + base_n) : NULL;
	long job = -1;

	if (at)
		at += strlen(top + base_n);
	if (at && *at == '/')
		job = strtol(at + 1, NULL, 10);
	return job > 0 ? job : -1;
}

static void remove_below(const char *path)
{
	const struct dirent *e;
	char below[PATH_MAX];
	DIR *d = opendir(path);

	while (d && (e = readdir(d)))
		if (e->d_type == DT_DIR && e->d_name[0] != '.' &&
		    snprintf(below, sizeof below, "%s/%s", path, e->d_name) < PATH_MAX)
			remove_below(below);
	if (d)
		closedir(d);
	rmdir(path);
}

void cgroup_close(void)
{
	if (*top)
		remove_below(top);
}
