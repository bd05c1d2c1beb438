/* cron.h - when something is due again
 * SPDX-License-Identifier: Apache-2.0
 *
 * "5m": every five minutes, the first time at once. "MIN HOUR DAY MONTH
 * WEEKDAY" as cron(8) reads it, in local time: "*", numbers, names of months
 * and days, ranges, steps, lists; day and weekday are either-or when both are
 * given. Also @hourly @daily @midnight @weekly @monthly @yearly @annually.
 */
#ifndef CRON_H
#define CRON_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct cron {
	enum cron_kind { CRON_NONE, CRON_EVERY, CRON_FIELDS } kind;
	int64_t  every_ms;
	uint64_t minute;		/* bit n: n is in the set */
	uint32_t hour, day, month;
	uint8_t  weekday;
	bool     any_day, any_weekday;	/* the field began with "*" */
};

/* 0, or -1 with *why a static phrase. */
int cron_parse(struct cron *c, const char *s, const char **why);

/* CRON_FIELDS: the first minute after t that is due; -1: none in 40 years, so none
 * (29 February on one day of the week has gaps of 40 around 2100). */
time_t cron_next(const struct cron *c, time_t t);

#endif
