/* sim_backends.c - storage backends of a simulated worker, and its switches
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* --- backends ------------------------------------------------------------------------------ */

static void put_backends(struct buf *b, const struct sim *s)
{
	int i;

	buf_putc(b, '{');
	for (i = 0; i < s->nbackends; i++)
		buf_printf(b, "%s\"%s\":\"%s\"", i ? "," : "", backend_names[s->backend[i]],
			   backend_names[s->backend[i]]);
	buf_putc(b, '}');
}

/* This 503 is compact, unlike the others. */
static bool backends_engine(struct ask *a)
{
	if (a->sim->role & WORKER)
		return true;
	say(a, 503, COMPACT, "{\"error\":\"/backends API is unavailable\",\"message\":\"%s\"}", no_engine);
	return false;
}

static int backend_at(const struct sim *s, const char *name)
{
	int i;

	for (i = 0; i < s->nbackends; i++)
		if (!strcmp(backend_names[s->backend[i]], name))
			return i;
	return -1;
}

static void get_backends(struct ask *a)
{
	struct buf b = BUF(4096);

	if (!backends_engine(a))
		return;
	put_backends(&b, a->sim);
	say_json(a, 200, COMPACT, &b);
}

static void close_backend(struct ask *a)
{
	struct buf b = BUF(PAGE_MAX), message = BUF(PAGE_MAX);
	struct sim *s = a->sim;
	int at;

	if (!backends_engine(a))
		return;
	sim_catch_up(s);
	at = backend_at(s, a->arg[0]);
	if (at >= 0) {
		work_clear(&s->work, s->backend[at] == LOCAL_CPU, false, false);
		memmove(s->backend + at, s->backend + at + 1,
			sizeof s->backend[0] * (size_t)(--s->nbackends - at));
	}
	buf_printf(&message, "Backend %s %s", a->arg[0], at < 0 ? "not found" : "closed");
	buf_printf(&b, "{\"status\":\"%s\",\"message\":", at < 0 ? "not_found" : "success");
	json_puts(&b, message.p);
	buf_puts(&b, ",\"backends\":");
	put_backends(&b, s);
	buf_putc(&b, '}');
	say_json(a, at < 0 ? 404 : 200, COMPACT, &b);
	buf_free(&message);
}

static bool configured(const struct sim *s, int which)
{
	const char *value = conf_text(s, which == LOCAL_DISK ? "local_disk" :
				      which == REMOTE ? "remote_url" : "local_cpu");

	return strcmp(value, "null") && strcmp(value, "false");
}

static void create_backends(struct ask *a)
{
	struct buf b = BUF(4096);
	struct sim *s = a->sim;
	bool comma = false;
	int i;

	if (!backends_engine(a))
		return;
	sim_catch_up(s);
	buf_puts(&b, "{\"status\":\"success\",\"created\":{");
	for (i = 0; i < BACKENDS; i++) {
		if (backend_at(s, backend_names[i]) >= 0 || !configured(s, i))
			continue;
		s->backend[s->nbackends++] = i;
		buf_printf(&b, "%s\"%s\":\"%s\"", comma ? "," : "", backend_names[i], backend_names[i]);
		comma = true;
	}
	buf_puts(&b, "},\"backends\":");
	put_backends(&b, s);
	buf_putc(&b, '}');
	say_json(a, 200, COMPACT, &b);
}

static void put_bypassed(struct buf *b, const struct sim *s)
{
	bool comma = false;
	int i;

	buf_puts(b, "\"bypassed_backends\":[");
	for (i = 0; i < BACKENDS; i++) {
		if (!s->bypass[i])
			continue;
		buf_printf(b, "%s\"%s\"", comma ? "," : "", backend_names[i]);
		comma = true;
	}
	buf_putc(b, ']');
}

static void list_bypassed(struct ask *a)
{
	struct buf b = BUF(4096);
	const struct sim *s = a->sim;
	int i;

	if (!need_engine(a, "Bypass API"))
		return;
	buf_puts(&b, "{\"status\":\"success\",");
	put_bypassed(&b, s);
	buf_puts(&b, ",\"all_backends\":[");
	for (i = 0; i < s->nbackends; i++)
		buf_printf(&b, "%s\"%s\"", i ? "," : "", backend_names[s->backend[i]]);
	buf_puts(&b, "]}");
	say_json(a, 200, INDENT, &b);
}

/* The backend that is named, or -1: the answer is sent. */
static int asked_backend(struct ask *a)
{
	const char *name = ask_param(a, "backend_name");
	struct buf message = BUF(PAGE_MAX);
	int i, at;

	if (!need_engine(a, "Bypass API"))
		return -1;
	if (!name || !*name) {
		say_error(a, 400, "Missing parameter", "backend_name is required");
		return -1;
	}
	at = backend_at(a->sim, name);
	if (at >= 0)
		return a->sim->backend[at];
	buf_printf(&message, "Backend '%s' not found. Available: [", name);
	for (i = 0; i < a->sim->nbackends; i++)
		buf_printf(&message, "%s'%s'", i ? ", " : "", backend_names[a->sim->backend[i]]);
	buf_putc(&message, ']');
	say_error(a, 400, "Unknown backend", message.p);
	buf_free(&message);
	return -1;
}

static void bypass(struct ask *a, bool on)
{
	struct buf b = BUF(4096);
	struct sim *s = a->sim;
	int which = asked_backend(a);

	if (which < 0)
		return;
	sim_catch_up(s);
	buf_printf(&b, "{\"status\":\"success\",\"backend_name\":\"%s\",\"bypassed\":%s,\"%s\":%s,",
		   backend_names[which], on ? "true" : "false",
		   on ? "was_already_bypassed" : "was_bypassed", s->bypass[which] ? "true" : "false");
	s->bypass[which] = on;
	put_bypassed(&b, s);
	buf_putc(&b, '}');
	say_json(a, 200, INDENT, &b);
}

static void bypass_add(struct ask *a)
{
	bypass(a, true);
}

static void bypass_remove(struct ask *a)
{
	bypass(a, false);
}

/* --- switches ---------------------------------------------------------------------------------- */

static void say_switch(struct ask *a, const char *key, const char *label, bool on, bool changed)
{
	say(a, 200, INDENT, "{\"status\":\"success\",\"%s\":%s,\"message\":\"%s %s%s%s\"}",
	    key, on ? "true" : "false", label, changed ? "" : "is ",
	    on ? "enabled" : "disabled", changed ? " successfully" : "");
}

static void switch_to(struct ask *a, bool *what, const char *key, const char *label, const bool *to)
{
	char api[64];

	snprintf(api, sizeof api, "%s API", a->route->path);
	if (!need_engine(a, api))
		return;
	sim_catch_up(a->sim);
	if (to)
		*what = *to;
	say_switch(a, key, label, *what, to != NULL);
}

static const bool yes = true, no = false;

static void freeze_on(struct ask *a) { switch_to(a, &a->sim->freeze, "freeze", "Freeze mode", &yes); }
static void freeze_off(struct ask *a) { switch_to(a, &a->sim->freeze, "freeze", "Freeze mode", &no); }
static void freeze_is(struct ask *a) { switch_to(a, &a->sim->freeze, "freeze", "Freeze mode", NULL); }
static void hot_on(struct ask *a) { switch_to(a, &a->sim->hot, "hot_cache", "Hot cache", &yes); }
static void hot_is(struct ask *a) { switch_to(a, &a->sim->hot, "hot_cache", "Hot cache", NULL); }

static void hot_off(struct ask *a)
{
	switch_to(a, &a->sim->hot, "hot_cache", "Hot cache", &no);
	if (!a->sim->hot)
		work_clear(&a->sim->work, true, false, false);
}

const struct route backend_routes[] = {
	{ "GET",    "/backends",          0, get_backends },
	{ "POST",   "/backends",          0, create_backends },
	{ "DELETE", "/backends/{}",       0, close_backend },
	{ "GET",    "/bypass/list",       0, list_bypassed },
	{ "PUT",    "/bypass/add",        0, bypass_add },
	{ "PUT",    "/bypass/remove",     0, bypass_remove },
	{ "PUT",    "/freeze/enable",     0, freeze_on },
	{ "PUT",    "/freeze/disable",    0, freeze_off },
	{ "GET",    "/freeze/status",     0, freeze_is },
	{ "PUT",    "/hot_cache/enable",  0, hot_on },
	{ "PUT",    "/hot_cache/disable", 0, hot_off },
	{ "GET",    "/hot_cache/status",  0, hot_is },
	{ NULL, NULL, 0, NULL }
};
