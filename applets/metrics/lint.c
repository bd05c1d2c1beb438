/* lint.c - what promtool would say about an exposition, with line numbers
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "die.h"
#include "metrics.h"

enum { TAIL = 8, STEP = 64 << 10 };

static struct items items;
static size_t findings;

static void as_item(const char *name, const struct expo_finding *x)
{
	struct buf *b = &items.b;

	js_open(b, NULL, '{');
	js_str(b, "source", name);
	js_int(b, "line", (long long)x->line);
	js_strn(b, "family", x->family.p ? x->family.p : "", x->family.n);
	js_str(b, "text", x->text);
	js_bool(b, "error", x->error);
	js_close(b, '}');
	items_next(&items);
}

static void found(void *ctx, const struct expo_finding *x)
{
	const char *name = ctx;

	findings++;
	if (items.form == OUT_JSON || items.form == OUT_JSONL)
		as_item(name, x);
	else
		printf("%s:%zu: %s%s%s%s\n", name, x->line,
		       x->error ? "error: " : "",
		       x->family.n ? safe(x->family.p, x->family.n) : "",
		       x->family.n ? " " : "", x->text);
}

void lint_begin(enum out_form form)
{
	items_begin(&items, form);
}

size_t lint_end(void)
{
	items_end(&items);
	return findings;
}

static struct expo_lint *linter(const char *name, enum expo_format f)
{
	struct expo_lint *lint;
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
		seed = 1;
	lint = expo_lint_new(f, seed, found, (void *)(uintptr_t)name);
	if (!lint)
		die(EXIT_SYS, "out of memory");
	return lint;
}

void lint_text(const char *name, const char *p, size_t n)
{
	struct expo_lint *lint = linter(name, expo_sniff(p, n));

	expo_lint_feed(lint, p, n);
	expo_lint_end(lint);
}

/* The format shows at the end only; a file is asked there, a pipe is text. */
static enum expo_format format_of(int fd)
{
	char tail[TAIL];
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t n = end < TAIL ? -1 : pread(fd, tail, TAIL, end - TAIL);

	if (end >= 0 && lseek(fd, 0, SEEK_SET) < 0)
		return EXPO_TEXT;
	return n == TAIL ? expo_sniff(tail, TAIL) : EXPO_TEXT;
}

int lint_fd(const char *name, int fd)
{
	struct expo_lint *lint = linter(name, format_of(fd));
	char *step = xmalloc(STEP);
	ssize_t n;
	int err;

	for (;;) {
		n = read(fd, step, STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		expo_lint_feed(lint, step, (size_t)n);
	}
	err = errno;
	free(step);
	expo_lint_end(lint);
	errno = err;
	return n < 0 ? -1 : 0;
}
