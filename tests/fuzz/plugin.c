/* plugin.c - whatever a plugin's name, first lines or configuration may be
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses what the rest is taken for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cron.h"
#include "json.h"
#include "note.h"
#include "plugin.h"
#include "pytext.h"
#include "sink.h"
#include "yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void name(const char *p, size_t n)
{
	struct plugin_name nm;

	if (n == 0 || n > 255 || memchr(p, 0, n) || memchr(p, '/', n))
		return;
	plugin_name(&nm, p, n);
	must(nm.stem.n + nm.suffix.n == n);
	must(!nm.anywhere || (!nm.for_id && !*nm.role));
	must(strlen(nm.role) <= PLUGIN_WORD && strspn(nm.id, "0123456789") == strlen(nm.id));
	must(nm.id[0] != '0' || nm.id[1] == 0);
}

/* As the launcher reads it, and as we do: never more than there is. */
static void first_line(const char *p, size_t n)
{
	static char text[PLUGIN_LINE];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	long old, ours;

	must(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	old = plugin_line(fd, GEN_RUNTIME_STR, text);
	ours = plugin_line(fd, GEN_LMC, text);
	must(ours >= 0 && (size_t)ours <= n);
	must(old == -1 || old == ours);
	must(ours == 0 || memcmp(text, p, (size_t)ours) == 0);
	close(fd);
}

static void note(const char *p, size_t n)
{
	struct note nt;
	char why[100];

	if (note_parse(&nt, p, n, why, sizeof why) < 0)
		must(memchr(why, 0, sizeof why) && *why);
}

static void schedule(const char *p, size_t n)
{
	char text[100];
	const char *why;
	struct cron c;

	if (n >= sizeof text)
		return;
	memcpy(text, p, n);
	text[n] = 0;
	if (cron_parse(&c, text, &why) == 0 && c.kind == CRON_FIELDS)
		must(cron_next(&c, 1000000000) > 1000000000);
}

/* What comes out is JSON, whatever went in. */
static void yaml(const char *p, size_t n)
{
	struct buf out = BUF(1 << 20);
	struct yaml_error e;
	struct json_error je;
	struct json j;

	if (yaml_json(p, n, &out, &e) == 0 && py_utf8(p, n)) {
		must(json_parse(&j, out.p, out.len, 1 << 20, JSON_INF, &je) == 0);
		must(json_type(&j, 0) == JSON_OBJECT);
		json_free(&j);
	}
	buf_free(&out);
}

/* Escaped text is UTF-8 without a control character. */
static void escape(const char *p, size_t n)
{
	struct buf out = BUF(1 << 20);
	size_t i;

	sink_escape(&out, p, n);
	must(py_utf8(out.p ? out.p : "", out.len));
	for (i = 0; i < out.len; i++)
		must((unsigned char)out.p[i] >= 0x20 || out.p[i] == '\t');
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const what[])(const char *, size_t) = {
		name, first_line, note, schedule, yaml, escape
	};

	if (size == 0 || size > 20000)
		return 0;
	what[data[0] % 6]((const char *)data + 1, size - 1);
	return 0;
}
