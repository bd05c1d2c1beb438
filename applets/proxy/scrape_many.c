/* scrape_many.c - a scrape of more nodes than can be held at once
 * SPDX-License-Identifier: Apache-2.0
 *
 * A thousand nodes say 70 MB, and a family's samples stand together only when
 * the last node has spoken. So answers are checked when they come, kept
 * compressed in parts, by family, and merged part after part. What the first
 * one said of a family is what the others' are compressed by.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gunzip.h"
#include "log.h"
#include "scrape.h"

enum {
	TURN_BYTES = 1 << 20,	/* unpacked before others have their turn */
	PIECE      = 16 << 10,
	ABSENT     = INT_MAX,	/* instead of duplicates: too late for this merge */
	SCRATCH_MAX = 256 << 10	/* of each buffer kept for the next answer */
};

/* What is no exposition must be known before the first pass. */
static bool check(struct said *s)
{
	struct expo_opts o = { .max = { .samples = NODE_SAMPLES, .bytes = NODE_BYTES } };
	struct expo *m = expo_new(&o);
	struct expo_error e;
	char at[48];
	int rc = m ? expo_add(m, s->body.p, s->body.len, s->format, NULL, 0, &e) : -1;

	if (rc == 0) {
		s->whole_samples = expo_input_samples(m, 0);
	} else if (m) {
		snprintf(at, sizeof at, "%zu:%zu", e.line, e.column);
		log_event(LOG_WARN, "metrics not read", "node", s->node, "at", at,
			  "reason", e.what, NULL);
	}
	expo_free(m);
	return rc == 0;
}

/* A family's samples have its name, and one of these behind it. */
static size_t stem(const char *p, size_t n)
{
	static const char *const ends[] = {
		"_bucket", "_sum", "_count", "_total", "_created", "_info", "_gsum", "_gcount"
	};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t k = strlen(ends[i]);

		if (n > k && !memcmp(p + n - k, ends[i], k)) {
			n -= k;
			i = (size_t)-1;	/* once more from the first */
		}
	}
	return n;
}

/* Names that ':' and '_' tell apart may become one. A new name goes where there
 * is least, so that no part is much larger than the others. */
static unsigned part_of(struct said *s, const char *p, size_t n, bool *first)
{
	struct fanout *f = s->of;
	uint32_t h = 2166136261u, at;
	unsigned part = 0;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)(p[i] == ':' ? '_' : p[i])) * 16777619u;
	h |= 1;
	for (at = h >> 8 & (STEMS - 1); f->stem[at].hash; at = (at + 1) & (STEMS - 1))
		if (f->stem[at].hash == h) {
			*first = f->stem[at].first == s;
			return f->stem[at].part;
		}
	*first = f->stems_n <= STEMS / 2;
	if (!*first)
		return h % PARTS;
	for (unsigned i = 1; i < PARTS; i++)
		if (f->weight[i] < f->weight[part])
			part = i;
	f->stem[at].hash = h;
	f->stem[at].first = s;
	f->stem[at].part = (uint8_t)part;
	f->stems_n++;
	return part;
}

/* The name that a line is about, or none. */
static size_t name_in(const char **p, const char *end)
{
	const char *at = *p;

	if (at < end && *at == '#') {
		if (end - at < 7 || (memcmp(at, "# HELP ", 7) && memcmp(at, "# TYPE ", 7) &&
				     memcmp(at, "# UNIT ", 7)))
			return 0;
		at += 7;
	}
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	*p = at;
	while (at < end && *at != ' ' && *at != '\t' && *at != '{' && *at != '\n')
		at++;
	return (size_t)(at - *p);
}

static struct buf parts[PARTS];

static void split(struct said *s)
{
	const char *at = s->body.p ? s->body.p : "", *end = at + s->body.len, *next;
	const char *last = NULL, *p;
	struct fanout *f = s->of;
	size_t last_n = 0, n;
	unsigned part = 0;
	bool first = false;

	for (; at < end; at = next) {
		next = memchr(at, '\n', (size_t)(end - at));
		next = next ? next + 1 : end;
		p = at;
		n = name_in(&p, next);
		/* samples of one name stand together */
		if (n && (n != last_n || memcmp(p, last, n)))
			part = part_of(s, p, stem(p, n), &first);
		if (n) {
			buf_add(&parts[part], at, (size_t)(next - at));
			f->weight[part] += (size_t)(next - at);
			if (first)
				buf_add(&f->like[part], at, (size_t)(next - at));
		}
		last = p;
		last_n = n;
	}
	for (unsigned i = 0; i < PARTS && s->format == EXPO_OPENMETRICS; i++)
		buf_puts(&parts[i], "# EOF\n");
}

static struct gzip *packer;	/* its 260 kB are for all of a scrape */

void many_rest(void)
{
	gzip_free(packer);
	packer = NULL;
	for (unsigned i = 0; i < PARTS; i++)
		buf_free(&parts[i]);
}

/* In front of what is packed. */
struct as {
	uint32_t len, like;
};

static int pack(struct buf *out, const struct buf *in, const struct buf *like)
{
	struct as as = { (uint32_t)in->len, (uint32_t)like->len };
	size_t n;

	if (in->bad || (!packer && !(packer = gzip_new(false))))
		return -1;
	if (!in->len)
		return 0;
	buf_add(out, (char *)&as, sizeof as);
	gzip_again(packer, like->p, like->len);
	gzip_feed(packer, in->p, in->len, true);
	while (buf_room(out, PIECE) == 0 && (n = gzip_read(packer, out->p + out->len, PIECE)))
		out->len += n;
	return out->bad ? -1 : 0;
}

void many_keep(struct said *s)
{
	static struct buf packed;
	bool good;

	packed.max = 2 * NODE_BYTES;
	buf_reset(&packed);
	s->raw = s->body.len;
	s->format = expo_sniff(s->body.p, s->body.len);
	good = check(s);
	for (unsigned i = 0; i < PARTS && good; i++) {
		parts[i].max = NODE_BYTES;
		buf_reset(&parts[i]);
	}
	if (good)
		split(s);
	for (unsigned i = 0; i < PARTS && good; i++) {
		s->part[i] = (uint32_t)packed.len;
		good = pack(&packed, &parts[i], &s->of->like[i]) == 0;
	}
	s->part[PARTS] = (uint32_t)packed.len;
	s->packed = good ? malloc(packed.len + 1) : NULL;
	if (s->packed && packed.len)
		memcpy(s->packed, packed.p, packed.len);
	s->packed_n = s->packed ? packed.len : 0;
	s->answered = s->packed != NULL;
	buf_reset(&s->body);
	if (packed.cap > SCRATCH_MAX)
		buf_free(&packed);
}

/* ---- passes ---- */

static void free_pass(struct waiter *w)
{
	expo_free(w->merge);
	w->merge = NULL;
	while (w->texts_n)
		free(w->text[--w->texts_n]);
}

void many_free(struct waiter *w)
{
	free_pass(w);
	free(w->text);
	free(w->duplicates);
}

static int begin_pass(struct waiter *w)
{
	w->at = w->inputs = 0;
	w->ready = false;
	w->merge = expo_new(&w->opts);
	return w->merge ? 0 : -1;
}

int many_begin(struct waiter *w)
{
	size_t n = (size_t)w->of->n + 1;

	/* ratios are of two families */
	w->passes = w->rolled ? 1 : PARTS;
	w->opts.out = w->out = EXPO_TEXT;	/* one end, after the last pass */
	w->text = calloc(n, sizeof *w->text);
	w->duplicates = calloc(n, sizeof *w->duplicates);
	if (!w->text || !w->duplicates)
		return -1;
	for (int i = 0; i < w->of->n; i++)
		if (!w->of->said[i].packed)
			w->duplicates[i] = ABSENT;
	return begin_pass(w);
}

bool many_more(struct waiter *w)
{
	struct expo_stats st;

	if (w->pass + 1 >= w->passes)
		return false;
	expo_stats(w->merge, &st);
	w->sum.duplicates += st.duplicates;
	w->sum.type_conflicts += st.type_conflicts;
	w->sum.help_conflicts += st.help_conflicts;
	free_pass(w);
	w->pass++;
	return begin_pass(w) == 0;
}

static struct as head_of(const struct said *s, unsigned part)
{
	struct as as = { 0 };

	if (s->part[part] < s->part[part + 1])
		memcpy(&as, s->packed + s->part[part], sizeof as);
	return as;
}

/* All parts where there is one pass for all of them. */
static int add(struct waiter *w, struct said *s)
{
	unsigned most = w->passes == 1 ? PARTS : w->pass + 1;
	size_t len = 0, at = 0;
	char *text;

	for (unsigned i = w->pass; i < most; i++)
		len += head_of(s, i).len;
	if (!len)
		return 0;
	/* no larger than it is: there are as many as nodes */
	text = w->text[w->texts_n++] = malloc(len);
	for (unsigned i = w->pass; i < most; i++) {
		struct as as = head_of(s, i);
		uint32_t from = s->part[i] + sizeof as;

		if (!text || (as.len && gunzip_like(s->packed + from, s->part[i + 1] - from,
						    s->of->like[i].p, as.like,
						    text + at, as.len) < 0))
			return -1;
		at += as.len;
	}
	return merge_add(w, s, text, len, s->format);
}

static void tell_nodes(struct waiter *w)
{
	for (int i = 0; i < w->of->n; i++) {
		struct said *s = &w->of->said[i];

		s->up = w->duplicates[i] != ABSENT;
		s->samples = s->up ? s->whole_samples : 0;
		s->duplicates = s->up ? w->duplicates[i] : 0;
	}
}

int many_fill(struct waiter *w)
{
	size_t done = 0;

	for (; w->at < w->of->n; w->at++) {
		struct said *s = &w->of->said[w->at];

		if (done > TURN_BYTES)
			return 0;
		if (w->duplicates[w->at] == ABSENT)
			continue;
		if (add(w, s) < 0)
			return -1;
		done += s->raw / w->passes;
	}
	if (expo_seal(w->merge) < 0)
		return -1;
	w->ready = true;
	if (w->pass + 1 < w->passes)
		return 0;
	tell_nodes(w);
	return merge_own(w);
}
