/* note.c - see note.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "note.h"
#include "opt.h"

enum { VALUE_MAX = 128 };

enum restart restart_named(const char *s)
{
	return strcmp(s, "never") == 0 ? RESTART_NEVER :
		strcmp(s, "on-failure") == 0 ? RESTART_ON_FAILURE :
		strcmp(s, "always") == 0 ? RESTART_ALWAYS : RESTART_UNSET;
}

static int whole(const char *s, long min, long max, long *out, const char **why)
{
	char *end;

	*out = strtol(s, &end, 10);
	if (*s && !*end && *out >= min && *out <= max)
		return 0;
	*why = "not a number in range";
	return -1;
}

static int set_restart(struct note *n, const char *v, const char **why)
{
	*why = "not never, on-failure or always";
	n->restart = restart_named(v);
	return n->restart == RESTART_UNSET ? -1 : 0;
}

static int set_ready(struct note *n, const char *v, const char **why)
{
	*why = "only ready=fd is known";
	n->ready_fd = strcmp(v, "fd") == 0;
	return n->ready_fd ? 0 : -1;
}

static int set_memory(struct note *n, const char *v, const char **why)
{
	return opt_size(v, &n->memory, why);
}

static int set_timeout(struct note *n, const char *v, const char **why)
{
	return opt_time(v, &n->timeout_ms, why);
}

static int set_grace(struct note *n, const char *v, const char **why)
{
	return opt_time(v, &n->grace_ms, why);
}

static int set_cpu(struct note *n, const char *v, const char **why)
{
	return opt_time(v, &n->cpu_ms, why);
}

static int set_nice(struct note *n, const char *v, const char **why)
{
	long nice;

	if (whole(v, -20, 19, &nice, why) < 0)
		return -1;
	n->nice = (int)nice;
	return 0;
}

static int set_files(struct note *n, const char *v, const char **why)
{
	return whole(v, 3, 1 << 20, &n->files, why);
}

static int set_procs(struct note *n, const char *v, const char **why)
{
	return whole(v, 1, 1 << 22, &n->procs, why);
}

static int set_user(struct note *n, const char *v, const char **why)
{
	*why = "not a user's name";
	if (!*v || strlen(v) >= sizeof n->user)
		return -1;
	memcpy(n->user, v, strlen(v) + 1);
	return 0;
}

static int set_schedule(struct note *n, const char *v, const char **why)
{
	return cron_parse(&n->schedule, v, why);
}

static const struct note_key {
	const char *name;
	int (*set)(struct note *n, const char *v, const char **why);
} note_keys[] = {
	{ "restart",  set_restart },  { "ready", set_ready }, { "memory", set_memory },
	{ "nice",     set_nice },     { "user",  set_user },  { "timeout", set_timeout },
	{ "schedule", set_schedule }, { "grace", set_grace }, { "cpu", set_cpu },
	{ "files",    set_files },    { "procs", set_procs },
};

static int assign(struct note *n, const char *key, size_t key_n, const char *value,
		  char *why, size_t why_n)
{
	const char *phrase = "not a known key";
	size_t i;

	for (i = 0; i < sizeof note_keys / sizeof note_keys[0]; i++)
		if (strlen(note_keys[i].name) == key_n &&
		    memcmp(note_keys[i].name, key, key_n) == 0) {
			if (note_keys[i].set(n, value, &phrase) == 0)
				return 0;
			break;
		}
	snprintf(why, why_n, "its lmc: line: %.*s=%s: %s",
		 (int)(key_n < 40 ? key_n : 40), key, value, phrase);
	return -1;
}

/* One KEY=VALUE at *p; the value may stand in quotes. */
static int pair(struct note *n, const char **p, const char *end, char *why, size_t why_n)
{
	const char *key = *p, *at;
	char value[VALUE_MAX];
	size_t key_n, len;
	char stop = ' ';

	at = memchr(key, '=', (size_t)(end - key));
	key_n = at ? (size_t)(at - key) : 0;
	if (!key_n) {
		snprintf(why, why_n, "its lmc: line: no KEY=VALUE at \"%.*s\"",
			 (int)(end - key < 20 ? end - key : 20), key);
		return -1;
	}
	at++;
	if (at < end && (*at == '"' || *at == '\''))
		stop = *at++;
	for (len = 0; at + len < end; len++)
		if (at[len] == stop || (stop == ' ' && isblank((unsigned char)at[len])))
			break;
	if (len >= sizeof value || (stop != ' ' && at + len == end)) {
		snprintf(why, why_n, "its lmc: line: %.*s: %s", (int)(key_n < 40 ? key_n : 40),
			 key, len >= sizeof value ? "too long" : "a quote that is not closed");
		return -1;
	}
	memcpy(value, at, len);
	value[len] = 0;
	*p = at + len + (stop != ' ');
	return assign(n, key, key_n, value, why, why_n);
}

static int line(struct note *n, const char *p, const char *end, char *why, size_t why_n)
{
	for (;;) {
		while (p < end && isspace((unsigned char)*p))
			p++;
		if (p == end)
			return 0;
		if (pair(n, &p, end, why, why_n) < 0)
			return -1;
	}
}

/* The text after "# lmc:", or NULL. */
static const char *noted(const char *p, const char *end)
{
	while (p < end && isblank((unsigned char)*p))
		p++;
	if (p == end || *p != '#')
		return NULL;
	for (p++; p < end && isblank((unsigned char)*p); p++)
		;
	return end - p >= 4 && memcmp(p, "lmc:", 4) == 0 ? p + 4 : NULL;
}

int note_parse(struct note *n, const char *p, size_t len, char *why, size_t why_n)
{
	const char *end = p + (len < NOTE_BYTES ? len : NOTE_BYTES), *eol, *at;
	int lines;

	memset(n, 0, sizeof *n);
	n->grace_ms = -1;
	for (lines = 0; p < end && lines < NOTE_LINES; lines++) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			eol = end;
		at = noted(p, eol);
		if (at && line(n, at, eol, why, why_n) < 0)
			return -1;
		p = eol + (eol < end);
	}
	return 0;
}
