/* sim_script.c - /run_script, which runs nothing
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include <bearssl.h>

#include "multipart.h"
#include "sim.h"

/* The first line that is neither empty nor a comment; *more: others follow. */
static struct span only_line(struct span text, bool *more)
{
	struct span line = { NULL, 0 };
	size_t i = 0, n;

	*more = false;
	while (i < text.n) {
		const char *p = text.p + i, *end = memchr(p, '\n', text.n - i);

		n = end ? (size_t)(end - p) : text.n - i;
		i += n + 1;
		while (n && strchr(" \t\r", p[n - 1]))
			n--;
		if (!n || *p == '#')
			continue;
		if (line.p)
			*more = true;
		else
			line = (struct span){ p, n };
	}
	return line;
}

/* A quoted Python string without prefix: its text. 0 or -1. */
static int python_string(struct span s, struct buf *out)
{
	static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";
	size_t i;
	const char *e;

	if (s.n < 2 || (*s.p != '\'' && *s.p != '"') || s.p[s.n - 1] != *s.p)
		return -1;
	for (i = 1; i < s.n - 1; i++) {
		if (s.p[i] == *s.p || !s.p[i])
			return -1;
		if (s.p[i] == '\\') {
			e = s.p[++i] ? strchr(from, s.p[i]) : NULL;
			if (!e || i >= s.n - 1)
				return -1;
			buf_putc(out, to[e - from]);
		} else {
			buf_putc(out, s.p[i]);
		}
	}
	return 0;
}

static bool python_int(struct span s)
{
	size_t i = s.n && *s.p == '-';

	if (i == s.n || (s.p[i] == '0' && s.n > i + 1))
		return false;
	for (; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return !span_is(s, "-0");
}

/* `result = LITERAL` needs no interpreter. 0 with its str(), or -1. */
static int literal(struct span line, struct buf *out)
{
	static const char word[] = "result";
	size_t i = sizeof word - 1;
	struct span v;

	if (line.n < i || memcmp(line.p, word, i))
		return -1;
	while (i < line.n && line.p[i] == ' ')
		i++;
	if (i == line.n || line.p[i++] != '=')
		return -1;
	while (i < line.n && line.p[i] == ' ')
		i++;
	v = (struct span){ line.p + i, line.n - i };
	if (!span_is(v, "None") && !span_is(v, "True") && !span_is(v, "False") && !python_int(v))
		return python_string(v, out);
	buf_add(out, v.p, v.n);
	return 0;
}

static void run(struct ask *a, struct span script)
{
	struct buf out = BUF(BODY_MAX);
	br_sha256_context sha;
	unsigned char sum[br_sha256_SIZE];
	char hex[2 * br_sha256_SIZE + 1];
	bool more;
	struct span line = only_line(script, &more);
	size_t i;

	br_sha256_init(&sha);
	br_sha256_update(&sha, script.p, script.n);
	br_sha256_out(&sha, sum);
	for (i = 0; i < sizeof sum; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	if (!line.p)
		say_text(a, 200, "Script executed successfully");
	else if (!more && literal(line, &out) == 0)
		say_text(a, 200, "%s", out.p ? out.p : "");
	else
		say_text(a, 200, "simulated node: the script was not executed "
			 "(%zu bytes, sha256 %s)", script.n, hex);
	buf_free(&out);
}

static void run_script(struct ask *a)
{
	char boundary[MULTIPART_BOUNDARY + 1];
	const char *type = a->ctype ? a->ctype : "";
	struct span script = { NULL, 0 };
	struct multipart m;
	struct part part;
	int r = multipart_boundary(type, strlen(type), boundary);

	if (!a->sim->run_script) {
		say_text(a, 404, "The /run_script API is disabled. This simulated node was started "
			 "with --run-script off; LMCache switches it on with run_script_api_enabled.");
		return;
	}
	if (r < 0) {
		say(a, 400, COMPACT, "{\"detail\":\"Missing boundary in multipart.\"}");
		return;
	}
	if (r > 0 && a->n) {
		multipart_begin(&m, a->body, a->n, boundary);
		while ((r = multipart_next(&m, &part)) == MULTIPART_PART)
			if (span_is(part.name, "script") && part.has_filename)
				script = part.body;
		if (r == MULTIPART_CUT)
			script.p = NULL;
	}
	if (r == MULTIPART_BAD)
		say_broken(a);
	else if (!script.p)
		say_text(a, 400, "No script file provided");
	else
		run(a, script);
}

const struct route script_routes[] = {
	{ "POST", "/run_script", 0, run_script },
	{ NULL, NULL, 0, NULL }
};
