/* plugin_print.c - a decided row for people and for programs
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "die.h"
#include "json.h"
#include "plugin_env.h"

static int put_vars(struct buf *out, const struct plugin_rules *r,
		    const struct plugin_conf *c)
{
	char *vars[CONF_ENV_VARS];
	int n = plugin_vars(vars, r, c), i;
	size_t name;

	if (n < 0)
		return -1;
	buf_putc(out, '{');
	for (i = 0; i < n; i++) {
		name = strcspn(vars[i], "=");
		buf_puts(out, i ? ", " : "");
		json_put(out, vars[i], name);
		buf_puts(out, ": ");
		json_puts(out, vars[i] + name + 1);
	}
	plugin_vars_free(vars, n);
	return buf_putc(out, '}');
}

int plugin_json(struct buf *out, const struct plugin *p, const struct plugin_rules *r,
		const struct plugin_conf *c, bool who)
{
	static const char *const roles[] = { "none", "scheduler", "worker" };
	int i;

	buf_puts(out, "{\"file\": ");
	json_puts(out, p->file);
	if (who)
		buf_printf(out, ", \"role\": \"%s\", \"worker_id\": %ld",
			   roles[r->role], r->worker_id);
	buf_printf(out, ", \"runs\": %s, \"decision\": \"%s\", \"reason\": ",
		   p->decision == PLUGIN_RAN ? "true" : "false",
		   plugin_decisions[p->decision]);
	json_puts(out, p->reason);
	if (p->argc) {
		buf_puts(out, ", \"argv\": [");
		for (i = 0; i < p->argc; i++) {
			buf_puts(out, i ? ", " : "");
			json_put(out, p->argv[i].p, p->argv[i].n);
		}
		buf_putc(out, ']');
	} else {
		buf_puts(out, ", \"argv\": null");
	}
	buf_puts(out, ", \"env\": ");
	if (p->decision != PLUGIN_RAN)
		buf_puts(out, "null");
	else if (put_vars(out, r, c) < 0)
		return -1;
	return buf_putc(out, '}');
}

int plugin_text(struct buf *out, const struct plugin *p, int width)
{
	int i;

	buf_printf(out, "%-9s  %-*s  ", plugin_decisions[p->decision], width,
		   safe(p->file, strlen(p->file)));
	if (p->decision == PLUGIN_RAN)
		for (i = 0; i < p->argc; i++)
			buf_printf(out, i ? " %s" : "%s", safe(p->argv[i].p, p->argv[i].n));
	if (p->reason)
		buf_printf(out, p->decision == PLUGIN_RAN ? "  (%s)" : "%s",
			   safe(p->reason, strlen(p->reason)));
	return buf_putc(out, '\n');
}
