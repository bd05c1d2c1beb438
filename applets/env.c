/* env.c - the environment variables of nodes, secrets masked
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "ask.h"
#include "die.h"

static struct {
	bool show;
} o;

static const struct opt opts[] = {
	FLAG(0, "show-secrets", &o.show, "do not mask what looks like a secret"),
	MORE(call_opts),
	{ 0 }
};

static const struct way ways[] = { { GEN_ALL, "GET", "/env", WAY_ANY }, { 0 } };
static const char *const heads[] = { "NODE", "NAME", "VALUE", NULL };
static const char masked[] = "********";

static char **wanted;
static int    wanted_n;

static bool secret_name(const char *name)
{
	static const char *const words[] = {
		"TOKEN", "SECRET", "PASS", "_PWD", "KEY", "CREDENTIAL", "AUTH",
		"COOKIE", "PRIVATE", "SIGNATURE", "DSN",
	};
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

/* Known beginnings, a "password=", "--api-key " or "token": somewhere, and what
 * stands before the @ of a URL. */
static bool secret_value(const char *v)
{
	static const char *const starts[] = {
		"hf_", "sk-", "ghp_", "gho_", "github_pat_", "glpat-", "xox",
		"eyJ", "AKIA", "ASIA", "-----BEGIN", "Bearer ", "Basic ",
	};
	const char *url = strstr(v, "://"), *at;
	size_t i;

	for (i = 0; i < sizeof starts / sizeof *starts; i++)
		if (!strncmp(v, starts[i], strlen(starts[i])))
			return true;
	if ((strpbrk(v, "= ") || strstr(v, "\":")) && secret_name(v))
		return true;
	for (; url; url = strstr(url + 3, "://")) {
		at = url + 3 + strcspn(url + 3, "/ @");
		if (*at == '@')
			return true;
	}
	return false;
}

static bool is_wanted(const char *name)
{
	int i;

	for (i = 0; i < wanted_n; i++)
		if (!strcmp(wanted[i], name))
			return true;
	return !wanted_n;
}

/* The value as it may be shown: decoded, or the mask. */
static void value(const struct json *j, jv v, const char *name, struct buf *out)
{
	json_str(j, v, out);
	buf_puts(out, "");
	if (!o.show && out->len && (secret_name(name) || secret_value(out->p))) {
		buf_reset(out);
		buf_puts(out, masked);
	}
}

static void each(struct call *c, struct table *t, struct buf *b)
{
	struct buf name = BUF(CALL_ANSWER), text = BUF(CALL_ANSWER);
	const struct json *j = &c->json;
	jv v;

	for (v = json_first(j, 0); v >= 0; v = json_next(j, 0, v)) {
		buf_reset(&name);
		buf_reset(&text);
		json_str(j, json_key(j, v), &name);
		buf_puts(&name, "");
		if (!is_wanted(name.p))
			continue;
		value(j, v, name.p, &text);
		if (b) {
			js_strn(b, name.p, text.p, text.len);
			continue;
		}
		table_puts(t, c->node->name);
		table_add(t, name.p, name.len);
		table_add(t, text.p, text.len);
	}
	buf_free(&name);
	buf_free(&text);
}

static void rows(struct table *t, struct call *c)
{
	each(c, t, NULL);
}

static void json(struct buf *b, struct call *c)
{
	js_open(b, "env", '{');
	each(c, NULL, b);
	js_close(b, '}');
}

static int env_run(int argc, char **argv)
{
	struct ask a = { .proto = { .ways = ways, .flags = CALL_OBJECT | CALL_TEXT },
			 .heads = heads, .rows = rows, .json = json };

	if (!strcmp(call_o.output, "raw") && !o.show)
		die(EXIT_USAGE, "-o raw has all secrets: say --show-secrets if "
		    "that is meant");
	wanted = argv;
	wanted_n = argc;
	return ask(&a);
}

const struct applet env_applet = {
	.name  = "env",
	.brief = "show the environment variables of nodes, secrets masked",
	.about =
		"Shows all variables, or those named. What has a secret's name (TOKEN, "
		"KEY, PASSWORD ...) or looks like one (hf_..., password=..., a URL with a "
		"password) is shown as ********; a secret under a plain name is not "
		"recognised.",
	.args  = "[NAME]...",
	.examples = "lmc env PYTHONHASHSEED\n  is it the same everywhere?\n",
	.opts  = opts,
	.run   = env_run,
};
