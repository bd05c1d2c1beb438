/* stack.c - the threads and stacks in an answer of /threads
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "die.h"
#include "json.h"
#include "stack.h"

static const char mark[] = "Thread: <", title[] = "=== Thread Summary ===";

static struct thread *add(struct threads *t)
{
	/* Twice the room whenever it is full: at powers of two. */
	if (!(t->n & (t->n - 1)))
		t->v = xrealloc(t->v, (size_t)(t->n ? 2 * t->n : 1) * sizeof *t->v);
	t->v[t->n] = (struct thread){ 0 };
	return &t->v[t->n++];
}

static const char *find(const char *p, const char *end, const char *what)
{
	return memmem(p, (size_t)(end - p), what, strlen(what));
}

/* --- "<Thread(NAME, started daemon 140)>", without its brackets -------------------- */

static void read_state(struct thread *t, const char *p, const char *end)
{
	const char *digits = end;
	char number[24];
	size_t n;

	while (digits > p && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	n = (size_t)(end - digits);
	if (n && n < 20) {
		memcpy(number, digits, n);
		number[n] = '\0';
		t->id = (int64_t)strtoull(number, NULL, 10);
		end = digits;
	}
	while (end > p && end[-1] == ' ')
		end--;
	t->state = xstrndup(p, (size_t)(end - p));
}

/* A name may hold commas and brackets: the state is behind the last comma. */
static void read_repr(struct thread *t, const char *p, const char *end)
{
	const char *open = memchr(p, '(', (size_t)(end - p)), *comma;

	if (!open || end[-1] != ')') {
		t->kind = xstrdup("");
		t->name = xstrndup(p, (size_t)(end - p));
		t->state = xstrdup("");
		return;
	}
	t->kind = xstrndup(p, (size_t)(open - p));
	p = open + 1;
	end--;
	for (comma = end; comma > p && !(comma[0] == ',' && comma[1] == ' '); comma--)
		;
	if (comma == p)
		comma = end;
	t->name = xstrndup(p, (size_t)(comma - p));
	if (comma < end)
		read_state(t, comma + 2, end);
	else
		t->state = xstrdup("");
}

/* --- '  File "x.py", line 12, in run' and the code below --------------------------- */

static int number_at(const char *p, const char *end)
{
	int v = 0;

	for (; p < end && *p >= '0' && *p <= '9' && v < 100000000; p++)
		v = v * 10 + (*p - '0');
	return v;
}

static bool read_frame(struct thread *t, const char *p, const char *end)
{
	static const char file[] = "  File \"", line[] = "\", line ", in[] = ", in ";
	const char *l, *f;
	struct frame *fr;

	if ((size_t)(end - p) < sizeof file || memcmp(p, file, sizeof file - 1) ||
	    t->frames == STACK_FRAMES)
		return false;
	p += sizeof file - 1;
	l = find(p, end, line);
	if (!l)
		return false;
	f = find(l + sizeof line - 1, end, in);
	if (!(t->frames & (t->frames - 1)))
		t->frame = xrealloc(t->frame, (size_t)(t->frames ? 2 * t->frames : 1) *
				    sizeof *t->frame);
	fr = &t->frame[t->frames++];
	fr->file = xstrndup(p, (size_t)(l - p));
	fr->line = number_at(l + sizeof line - 1, end);
	fr->func = f ? xstrndup(f + sizeof in - 1, (size_t)(end - f) - (sizeof in - 1))
		: xstrdup("?");
	fr->code = xstrdup("");
	return true;
}

static void read_code(struct thread *t, const char *p, const char *end)
{
	struct frame *fr;

	if (!t->frames || end - p < 4 || memcmp(p, "    ", 4))
		return;
	fr = &t->frame[t->frames - 1];
	if (!*fr->code) {
		free(fr->code);
		fr->code = xstrndup(p + 4, (size_t)(end - p) - 4);
	}
}

static void read_stack(struct thread *t, const char *p, const char *end)
{
	const char *eol;

	for (; p < end; p = eol + 1) {
		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		if (!read_frame(t, p, eol))
			read_code(t, p, eol);
	}
}

/* --- the two forms ----------------------------------------------------------------- */

/* The next line that begins a thread or the summary. */
static const char *next_part(const char *p, const char *end)
{
	for (; p < end; p++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (!p)
			break;
		if (((size_t)(end - p) > sizeof mark &&
		     !memcmp(p + 1, mark, sizeof mark - 1)) ||
		    ((size_t)(end - p) >= sizeof title &&
		     !memcmp(p + 1, title, sizeof title - 1)))
			return p + 1;
	}
	return end;
}

static int parse_text(struct threads *out, const char *p, const char *end,
		      const char **why)
{
	const char *part, *repr;

	if (!find(p, end, mark) && !find(p, end, title)) {
		*why = "no thread and no summary in it";
		return -1;
	}
	if (memcmp(p, mark, sizeof mark - 1))
		p = next_part(p, end);
	for (; p < end && !memcmp(p, mark, sizeof mark - 1); p = part) {
		if (out->n == STACK_THREADS) {
			*why = "more threads than can be";
			return -1;
		}
		part = next_part(p, end);
		p += sizeof mark - 1;
		repr = find(p, part, ">\n");
		repr = repr ? repr : part;
		if (repr > p) {
			struct thread *t = add(out);

			read_repr(t, p, repr);
			read_stack(t, repr, part);
		}
	}
	return 0;
}

static char *text_of(const struct json *j, jv v, const char *key)
{
	char *s = json_dup(j, json_get(j, v, key));

	return s ? s : xstrdup("");
}

/* "API Server" is what that form invents when no thread matches. */
static int parse_json(struct threads *out, const char *p, size_t n, const char **why)
{
	struct json_error e;
	struct thread *t;
	struct json j;
	int64_t id;
	jv v;

	*why = "not the list of threads";
	if (json_parse(&j, p, n, n, JSON_INF | JSON_SURROGATE, &e) < 0)
		return -1;
	for (v = json_first(&j, 0); v >= 0 && out->n < STACK_THREADS;
	     v = json_next(&j, 0, v)) {
		if (json_type(&j, v) != JSON_OBJECT) {
			json_free(&j);
			return -1;
		}
		id = 0;
		json_int(&j, json_get(&j, v, "thread_id"), &id);
		if (id == 1 && json_is(&j, json_get(&j, v, "function_name"), "API Server"))
			continue;
		t = add(out);
		t->id = id;
		t->name = text_of(&j, v, "name");
		t->state = text_of(&j, v, "state");
		t->kind = xstrdup("");
	}
	json_free(&j);
	return 0;
}

int threads_parse(struct threads *out, const char *p, size_t n, const char **why)
{
	size_t blank = p ? strspn(p, " \t\r\n") : 0;
	int rc;

	/* Never NULL, so that v + n is a pointer also for no thread. */
	*out = (struct threads){ .v = xcalloc(1, sizeof *out->v) };
	*why = "empty";
	if (!n) {
		threads_free(out);
		return -1;
	}
	rc = p[blank] == '[' ? parse_json(out, p, n, why) :
		n < sizeof title ? -1 : parse_text(out, p, p + n, why);
	if (rc < 0)
		threads_free(out);
	return rc;
}

void threads_free(struct threads *t)
{
	int i, k;

	for (i = 0; i < t->n; i++) {
		for (k = 0; k < t->v[i].frames; k++) {
			free(t->v[i].frame[k].file);
			free(t->v[i].frame[k].func);
			free(t->v[i].frame[k].code);
		}
		free(t->v[i].frame);
		free(t->v[i].name);
		free(t->v[i].kind);
		free(t->v[i].state);
	}
	free(t->v);
	*t = (struct threads){ 0 };
}

/* --- looking at them ------------------------------------------------------------------ */

bool thread_same_stack(const struct thread *a, const struct thread *b)
{
	int i;

	if (a->frames != b->frames)
		return false;
	for (i = a->frames - 1; i >= 0; i--)
		if (a->frame[i].line != b->frame[i].line ||
		    strcmp(a->frame[i].func, b->frame[i].func) ||
		    strcmp(a->frame[i].file, b->frame[i].file))
			return false;
	return true;
}

const char *frame_base(const struct frame *f)
{
	const char *slash = strrchr(f->file, '/');

	return slash ? slash + 1 : f->file;
}

const char *thread_at(const struct thread *t)
{
	static char text[2][256];
	static int which;
	const struct frame *f;

	if (!t->frames)
		return "-";
	which = !which;
	f = &t->frame[t->frames - 1];
	snprintf(text[which], sizeof text[which], "%s (%s:%d)", f->func,
		 frame_base(f), f->line);
	return text[which];
}
