/* plugin_line.c - a plugin's first line, and which() (protocol.md 1.4)
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"
#include "pytext.h"

enum { CHUNK = 8192 };	/* what CPython's text reader decodes at once */

/* Python's universal newlines: CR, LF and CRLF all end a line. */
static long line_end(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] == '\n' || p[i] == '\r')
			return (long)i;
	return -1;
}

/* A character cut off at the end of a chunk is no error yet. */
static bool decodes(const char *p, size_t n, bool at_end)
{
	size_t back;

	if (py_utf8(p, n))
		return true;
	for (back = 1; !at_end && back < 4 && back <= n; back++)
		if ((p[n - back] & 0xc0) == 0xc0)
			return py_utf8(p, n - back);
	return false;
}

long plugin_line(int fd, enum plugin_gen gen, char *text)
{
	size_t n = 0, whole;
	ssize_t got;
	long end;

	for (;;) {
		size_t want = PLUGIN_LINE - n < CHUNK ? PLUGIN_LINE - n : CHUNK;

		got = pread(fd, text + n, want, (off_t)n);
		if (got < 0)
			return -1;
		whole = n + (size_t)got;
		if (gen != GEN_LMC && !decodes(text, whole, got == 0))
			return -1;
		end = line_end(text + n, (size_t)got);
		if (end >= 0)
			return (long)n + end;
		n = whole;
		if (got == 0 || n == PLUGIN_LINE)
			return (long)n;
	}
}

static bool runnable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode) && access(path, X_OK) == 0;
}

bool plugin_which(struct span name, const char *path, char *out, size_t n)
{
	const char *end;

	if (!name.n || memchr(name.p, 0, name.n) || name.n >= n)
		return false;
	if (memchr(name.p, '/', name.n)) {
		snprintf(out, n, "%.*s", (int)name.n, name.p);
		return runnable(out);
	}
	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(out, n, "%.*s%s%.*s", (int)(end - path), path,
			 end == path || end[-1] == '/' ? "" : "/", (int)name.n, name.p);
		if (runnable(out))
			return true;
	}
	return false;
}

/* What execve() of an interpreter would answer, without trying. */
static int exec_errno(const char *path)
{
	unsigned char head[4] = { 0 };
	struct stat st;
	FILE *f;
	size_t n;

	if (stat(path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return EACCES;
	f = fopen(path, "re");
	if (!f)
		return 0;	/* executable but not readable: the kernel may */
	n = fread(head, 1, sizeof head, f);
	fclose(f);
	if (n >= 2 && memcmp(head, "#!", 2) == 0)
		return 0;
	return n == 4 && memcmp(head, "\177ELF", 4) == 0 ? 0 : ENOEXEC;
}

/* Popen's look-up along PATH: the last answer that is not "not there" wins. */
int plugin_exec_errno(struct span name, const char *path)
{
	char full[PATH_MAX];
	const char *end;
	int err, kept = 0;

	if (memchr(name.p, '/', name.n)) {
		snprintf(full, sizeof full, "%.*s", (int)name.n, name.p);
		return name.n >= sizeof full ? ENAMETOOLONG : exec_errno(full);
	}
	for (; path && *path; path = *end ? end + 1 : end) {
		end = strchrnul(path, ':');
		snprintf(full, sizeof full, "%.*s/%.*s", (int)(end - path), path,
			 (int)name.n, name.p);
		err = exec_errno(full);
		if (!err)
			return 0;
		if (err != ENOENT && err != ENOTDIR)
			kept = err;
	}
	return kept ? kept : ENOENT;
}
