/* multipart.c - multipart/form-data, read strictly and written
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>

#include "multipart.h"

static bool tchar(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool bchar(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("'()+_,-./:=? ", c));
}

static size_t blanks(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return i;
}

/* One "; name=value" at p: bytes used, 0 at the end, -1 when it is none. */
static long parameter(const char *p, size_t n, struct span *name, struct span *value)
{
	size_t i = blanks(p, n), start;

	if (i == n)
		return 0;
	if (p[i++] != ';')
		return -1;
	i += blanks(p + i, n - i);
	start = i;
	while (i < n && (tchar(p[i])))
		i++;
	*name = (struct span){ p + start, i - start };
	if (!name->n || i == n || p[i++] != '=')
		return -1;
	if (i < n && p[i] == '"') {
		start = ++i;
		while (i < n && p[i] != '"')
			i += p[i] == '\\' ? 2 : 1;
		if (i >= n)
			return -1;
		*value = (struct span){ p + start, i - start };
		return (long)i + 1;
	}
	start = i;
	while (i < n && (tchar(p[i])))
		i++;
	*value = (struct span){ p + start, i - start };
	return value->n ? (long)i : -1;
}

static bool word_is(const char *p, size_t n, const char *word)
{
	return n >= strlen(word) && !strncasecmp(p, word, strlen(word));
}

int multipart_boundary(const char *ctype, size_t n, char *out)
{
	static const char form[] = "multipart/form-data";
	struct span name, value, found = { NULL, 0 };
	size_t i, at = sizeof form - 1;
	long used;

	if (!word_is(ctype, n, form) || (at < n && !strchr("; \t", ctype[at])))
		return 0;
	while ((used = parameter(ctype + at, n - at, &name, &value)) > 0) {
		at += (size_t)used;
		if (!span_is_nocase(name, "boundary"))
			continue;
		if (found.p)
			return -1;
		found = value;
	}
	if (used < 0 || !found.n || found.n > MULTIPART_BOUNDARY ||
	    found.p[found.n - 1] == ' ')
		return -1;
	for (i = 0; i < found.n; i++)
		if (!bchar(found.p[i]))
			return -1;
	memcpy(out, found.p, found.n);
	out[found.n] = '\0';
	return (int)found.n;
}

void multipart_begin(struct multipart *m, const void *body, size_t n,
		     const char *boundary)
{
	memset(m, 0, sizeof *m);
	m->p = body;
	m->n = n;
	m->bn = strnlen(boundary, MULTIPART_BOUNDARY);
	memcpy(m->boundary, boundary, m->bn);
}

/* "--boundary" at m->at: its length, or 0. */
static size_t dashes(const struct multipart *m, size_t at)
{
	if (m->n - at < m->bn + 2 || memcmp(m->p + at, "--", 2) ||
	    memcmp(m->p + at + 2, m->boundary, m->bn))
		return 0;
	return m->bn + 2;
}

static int disposition(struct part *part, const char *p, size_t n)
{
	static const char form[] = "form-data";
	struct span name, value;
	size_t at = sizeof form - 1;
	long used;

	if (part->name.p || !word_is(p, n, form))
		return -1;
	while ((used = parameter(p + at, n - at, &name, &value)) > 0) {
		at += (size_t)used;
		if (span_is_nocase(name, "name")) {
			if (part->name.p)
				return -1;
			part->name = value;
		} else if (span_is_nocase(name, "filename")) {
			if (part->has_filename)
				return -1;
			part->filename = value;
			part->has_filename = true;
		}
	}
	return used < 0 || !part->name.p ? -1 : 0;
}

static int field(struct part *part, const char *p, size_t n)
{
	struct span name, value;
	size_t i = 0, blank;

	while (i < n && tchar(p[i]))
		i++;
	if (!i || i == n || p[i] != ':')
		return -1;
	name = (struct span){ p, i++ };
	blank = blanks(p + i, n - i);
	value = (struct span){ p + i + blank, n - i - blank };
	while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
		value.n--;
	for (i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < ' ' && value.p[i] != '\t')
			return -1;
	if (span_is_nocase(name, "content-disposition"))
		return disposition(part, value.p, value.n);
	if (span_is_nocase(name, "content-type"))
		part->type = value;
	return 0;
}

/* The header lines of a part at m->at, up to and with the empty line. */
static int fields(struct multipart *m, struct part *part)
{
	size_t left = m->n - m->at;
	const char *p = m->p + m->at, *end;

	while ((end = memchr(p, '\n', left))) {
		size_t n = (size_t)(end - p);

		if (!n || p[n - 1] != '\r' || (size_t)(end - m->p) - m->at > MULTIPART_HEAD_MAX)
			return MULTIPART_BAD;
		left -= n + 1;
		if (n == 1) {
			m->at = (size_t)(end + 1 - m->p);
			return part->name.p ? MULTIPART_PART : MULTIPART_BAD;
		}
		if (field(part, p, n - 1) < 0)
			return MULTIPART_BAD;
		p = end + 1;
	}
	return left > MULTIPART_HEAD_MAX ? MULTIPART_BAD : MULTIPART_CUT;
}

/* After "--boundary": more parts, the end, or neither. */
static int after_delimiter(struct multipart *m)
{
	const char *p = m->p + m->at;
	size_t n = m->n - m->at, blank;

	if (n >= 2 && !memcmp(p, "--", 2)) {
		blank = blanks(p + 2, n - 2) + 2;
		if (blank < n && (n - blank != 2 || memcmp(p + blank, "\r\n", 2)))
			return MULTIPART_BAD;
		m->at = m->n;
		return MULTIPART_END;
	}
	blank = blanks(p, n);
	p += blank;
	n -= blank;
	if (n < 2)
		return (n == 1 && *p != '\r' && *p != '-') ? MULTIPART_BAD : MULTIPART_CUT;
	if (memcmp(p, "\r\n", 2))
		return MULTIPART_BAD;
	m->at += blank + 2;
	return MULTIPART_PART;
}

/* The part's body ends before the next CRLF "--boundary". A delimiter that
 * goes on in another way than RFC 2046 lets it is refused there, not
 * taken for content. */
static int content(struct multipart *m, struct part *part)
{
	const char *p = m->p + m->at, *hit;
	size_t left = m->n - m->at, skip;

	part->body.p = p;
	while ((hit = memchr(p, '\r', left))) {
		left -= (size_t)(hit + 1 - p);
		p = hit + 1;
		if (left < 1 || *p != '\n')
			continue;
		skip = dashes(m, (size_t)(p + 1 - m->p));
		if (!skip)
			continue;
		part->body.n = (size_t)(hit - part->body.p);
		m->at = (size_t)(p + 1 - m->p) + skip;
		return MULTIPART_PART;
	}
	return MULTIPART_CUT;
}

static int opening(struct multipart *m)
{
	size_t skip = dashes(m, 0);

	if (skip) {
		m->at = skip;
		return MULTIPART_PART;
	}
	if (m->n < m->bn + 2 && !memcmp(m->p, "--", m->n < 2 ? m->n : 2) &&
	    (m->n < 2 || !memcmp(m->p + 2, m->boundary, m->n - 2)))
		return MULTIPART_CUT;
	return MULTIPART_BAD;
}

static int step(struct multipart *m, struct part *part)
{
	int r = MULTIPART_PART;

	if (m->parts == 0)
		r = m->n ? opening(m) : MULTIPART_CUT;
	if (r == MULTIPART_PART)
		r = after_delimiter(m);
	if (r == MULTIPART_PART && m->parts++ == MULTIPART_PARTS)
		r = MULTIPART_BAD;
	if (r == MULTIPART_PART)
		r = fields(m, part);
	if (r == MULTIPART_PART)
		r = content(m, part);
	return r;
}

int multipart_next(struct multipart *m, struct part *part)
{
	int r;

	memset(part, 0, sizeof *part);
	if (m->parts < 0)
		return m->parts == -3 ? MULTIPART_END : m->parts;
	r = step(m, part);
	if (r != MULTIPART_PART)
		m->parts = r == MULTIPART_END ? -3 : r;
	return r;
}

static void put_name(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\r' || *s == '\n')
			buf_printf(b, "%%%02X", (unsigned)*s);
		else
			buf_putc(b, *s);
	}
}

int multipart_put(struct buf *b, const char *boundary, const char *name,
		  const char *filename, const char *type,
		  const void *body, size_t n)
{
	buf_printf(b, "--%s\r\nContent-Disposition: form-data; name=\"", boundary);
	put_name(b, name);
	buf_putc(b, '"');
	if (filename) {
		buf_puts(b, "; filename=\"");
		put_name(b, filename);
		buf_putc(b, '"');
	}
	if (type)
		buf_printf(b, "\r\nContent-Type: %s", type);
	buf_puts(b, "\r\n\r\n");
	buf_add(b, body, n);
	return buf_puts(b, "\r\n");
}

int multipart_close(struct buf *b, const char *boundary)
{
	return buf_printf(b, "--%s--\r\n", boundary);
}

bool multipart_clash(const void *body, size_t n, const char *boundary)
{
	return memmem(body, n, boundary, strlen(boundary)) != NULL;
}
