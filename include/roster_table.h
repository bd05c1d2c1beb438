/* roster_table.h - the roster's memory, for roster*.c only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ROSTER_TABLE_H
#define ROSTER_TABLE_H

#include "roster.h"

enum { RECORD_ENTRY = 1, RECORD_BEAT, RECORD_DROP, RECORD_TIME };

/* Records of one size but RECORD_ENTRY, whose texts follow. */
struct short_record {
	uint8_t  op, pad[3];
	uint32_t id;
	int64_t  at;	/* wall */
};

bool roster_unix(const unsigned char *source);

/* An entry with the report's facts, in no queue. NULL: out of memory. */
struct roster_entry *roster_new(struct roster *r, const struct roster_report *b);
struct roster_entry *roster_new_at(struct roster *r, const struct roster_report *b,
				   uint32_t id);
void roster_unlink(struct roster *r, struct roster_entry *e);	/* and frees it */
/* To the end of a queue, out of the one it is in. */
void roster_enqueue(struct roster *r, struct roster_entry *e, enum roster_state q);

/* Parts of an entry, taken from a report. 0, or -1: out of memory. */
int  roster_texts(struct roster_entry *e, const struct span text[TEXTS]);
int  roster_source(struct roster *r, struct roster_entry *e, const unsigned char *source);

#endif
