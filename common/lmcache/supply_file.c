/* supply_file.c - a registry that is a file, read again when it is another one
 * SPDX-License-Identifier: Apache-2.0
 *
 * "file:PATH": a node list in JSON, or an address a line with "#" before
 * comments. Who renames a new file into place is never caught half way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "die.h"
#include "file.h"
#include "supply.h"

enum { LOOK_MS = 250 };

struct seen {
	struct timespec mtime;
	ino_t ino;
	off_t size;
};

static int open_file(struct supply *s)
{
	if (!s->spec[5])
		return WRONG(s, "no file is named");
	s->state = xcalloc(1, sizeof(struct seen));
	s->due = 1;
	return 0;
}

static void read_lines(struct supply *s, char *text)
{
	char *next, *end;

	for (; *text; text = next) {
		next = text + strcspn(text, "\n");
		if (*next)
			*next++ = '\0';
		text[strcspn(text, "#\r")] = '\0';
		text += strspn(text, " \t");
		for (end = text + strlen(text); end > text && strchr(" \t", end[-1]); )
			*--end = '\0';
		if (*text)
			supply_address(s, NULL, text, SUPPLY_ANY, true);
	}
}

/* "[2001:db8::1]:80" begins a list of lines. */
static bool is_json(const char *p)
{
	p += strspn(p, " \t\r\n");
	return *p == '{' || (*p == '[' && !strspn(p + 1, "0123456789abcdefABCDEF:"));
}

static void read_all(struct supply *s)
{
	const char *why = "";
	size_t n;
	char *text = read_file(s->spec + 5, SUPPLY_TEXT, &n);

	if (!text) {
		supply_fail(s, "%s", strerror(errno));
		return;
	}
	supply_begin(s);
	if (!is_json(text)) {
		read_lines(s, text);
	} else if (supply_read(s, text, n, true, &why) < 0) {
		supply_fail(s, "%s", why);
		free(text);
		return;
	}
	free(text);
	supply_end(s);
}

static void tick(struct supply *s)
{
	struct seen *old = s->state, now = { 0 };
	struct stat st;

	s->due = clock_ms() + (s->interval < LOOK_MS ? s->interval : LOOK_MS);
	if (stat(s->spec + 5, &st) == 0)
		now = (struct seen){ st.st_mtim, st.st_ino, st.st_size };
	if (s->told && !s->stale && now.ino == old->ino && now.size == old->size &&
	    now.mtime.tv_sec == old->mtime.tv_sec &&
	    now.mtime.tv_nsec == old->mtime.tv_nsec)
		return;
	*old = now;
	read_all(s);
}

static void close_file(struct supply *s)
{
	free(s->state);
}

const struct supply_kind supply_file = { "file:", open_file, tick, close_file };
