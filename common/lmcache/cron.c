/* cron.c - see cron.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cron.h"
#include "opt.h"

enum { YEARS = 40, EVERY_MIN_MS = 1 };

static const struct field {
	int min, max;
	const char *names;	/* three letters each, from min on */
} fields[] = {
	{ 0, 59, NULL }, { 0, 23, NULL }, { 1, 31, NULL },
	{ 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec" },
	{ 0, 7,  "sunmontuewedthufrisat" },
};

static const struct { const char *name, *text; } nicknames[] = {
	{ "@hourly", "0 * * * *" }, { "@daily", "0 0 * * *" },
	{ "@midnight", "0 0 * * *" }, { "@weekly", "0 0 * * 0" },
	{ "@monthly", "0 0 1 * *" }, { "@yearly", "0 0 1 1 *" },
	{ "@annually", "0 0 1 1 *" },
};

/* A number or name at *s; -1 when there is none. */
static int value(const struct field *f, const char **s)
{
	const char *name;
	int n = 0, digits = 0;

	for (name = f->names; name && *name; name += 3)
		if (strncasecmp(*s, name, 3) == 0) {
			*s += 3;
			return f->min + (int)(name - f->names) / 3;
		}
	for (; isdigit((unsigned char)**s) && digits < 4; digits++)
		n = n * 10 + *(*s)++ - '0';
	return digits ? n : -1;
}

static int item(const struct field *f, const char **s, uint64_t *set)
{
	int lo = f->min, hi = f->max, step = 1;
	bool star = **s == '*';

	if (star) {
		(*s)++;
	} else {
		lo = hi = value(f, s);
		if (**s == '-') {
			(*s)++;
			hi = value(f, s);
		}
	}
	if (**s == '/') {
		(*s)++;
		step = value(&fields[0], s);
		if (!star && lo == hi)
			hi = f->max;
	}
	if (lo < f->min || hi > f->max || lo > hi || step < 1)
		return -1;
	for (; lo <= hi; lo += step)
		*set |= (uint64_t)1 << lo;
	return 0;
}

static int set(const struct field *f, const char **s, uint64_t *out, bool *any)
{
	while (isblank((unsigned char)**s))
		(*s)++;
	*any = **s == '*';
	*out = 0;
	do {
		if (item(f, s, out) < 0)
			return -1;
	} while (**s == ',' && (*s)++);
	return **s == 0 || isblank((unsigned char)**s) ? 0 : -1;
}

static int parse_fields(struct cron *c, const char *s, const char **why)
{
	static const char *const whys[] = {
		"a bad minute", "a bad hour", "a bad day", "a bad month", "a bad weekday"
	};
	uint64_t sets[5];
	bool any[5];
	int i;

	for (i = 0; i < 5; i++)
		if (set(&fields[i], &s, &sets[i], &any[i]) < 0) {
			*why = whys[i];
			return -1;
		}
	while (isblank((unsigned char)*s))
		s++;
	if (*s) {
		*why = "more than five fields";
		return -1;
	}
	c->kind = CRON_FIELDS;
	c->minute = sets[0];
	c->hour = (uint32_t)sets[1];
	c->day = (uint32_t)sets[2];
	c->month = (uint32_t)sets[3];
	c->weekday = (uint8_t)((sets[4] | sets[4] >> 7) & 0x7f);
	c->any_day = any[2];
	c->any_weekday = any[4];
	if (cron_next(c, 0) >= 0)
		return 0;
	*why = "there is no such day";
	return -1;
}

int cron_parse(struct cron *c, const char *s, const char **why)
{
	size_t i;

	memset(c, 0, sizeof *c);
	for (i = 0; i < sizeof nicknames / sizeof nicknames[0]; i++)
		if (strcmp(s, nicknames[i].name) == 0)
			return parse_fields(c, nicknames[i].text, why);
	if (strpbrk(s, " \t*"))
		return parse_fields(c, s, why);
	if (opt_time(s, &c->every_ms, why) < 0)
		return -1;
	if (c->every_ms < EVERY_MIN_MS) {
		*why = "must be longer than nothing";
		return -1;
	}
	c->kind = CRON_EVERY;
	return 0;
}

static bool day_due(const struct cron *c, const struct tm *tm)
{
	bool day = c->day >> tm->tm_mday & 1, weekday = c->weekday >> tm->tm_wday & 1;

	return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

/* Steps to the next month, day, hour or minute, whichever is wrong first;
 * mktime() puts the fields right again, daylight saving included. */
static bool step(const struct cron *c, struct tm *tm)
{
	if (!(c->month >> (tm->tm_mon + 1) & 1)) {
		tm->tm_mon++;
		tm->tm_mday = 1;
		tm->tm_hour = tm->tm_min = 0;
	} else if (!day_due(c, tm)) {
		tm->tm_mday++;
		tm->tm_hour = tm->tm_min = 0;
	} else if (!(c->hour >> tm->tm_hour & 1)) {
		tm->tm_hour++;
		tm->tm_min = 0;
	} else if (!(c->minute >> tm->tm_min & 1)) {
		tm->tm_min++;
	} else {
		return false;
	}
	tm->tm_isdst = -1;
	return true;
}

time_t cron_next(const struct cron *c, time_t t)
{
	time_t end = t + (time_t)YEARS * 366 * 86400, at = t, before;
	struct tm tm;

	at = t - t % 60 + 60;
	localtime_r(&at, &tm);
	while (at < end && step(c, &tm)) {
		before = at;
		at = mktime(&tm);
		if (at <= before) {	/* an hour that the clock goes through twice */
			at = before + 60;
			localtime_r(&at, &tm);
		}
	}
	return at < end ? at : -1;
}
