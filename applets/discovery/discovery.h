/* discovery.h - the registry's parts to each other
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef DISCOVERY_H
#define DISCOVERY_H

#include "auth.h"
#include "journal.h"
#include "opt.h"
#include "report.h"
#include "server.h"

/* ---- gate.c: who may do what, and who answers ---- */

struct gate {
	struct strs  public_hosts;
	struct auth  auth;
	struct allow allow;
	unsigned long beats, refused;	/* reports taken; turned away */
};
extern struct gate gate;

void gate_serve(struct exchange *x);	/* server's on_request */

/* ---- keep.c: the table, its journal, and answers that wait for it ---- */

extern struct roster roster;
extern struct journal journal;

/* Takes over the roster's conf. 0, or -1 with found->why. */
int  keep_open(const struct roster_conf *conf, const char *path, enum journal_sync sync,
	       struct journal_found *found);
void keep_start(void);		/* with the loop; after the listeners are there */
void keep_close(void);
/* Answers when what was changed is kept, else 503. own is freed, or NULL:
 * then text is a constant. */
void keep_answer(struct exchange *x, int status, const char *text, char *own);

/* ---- events.c: what happened, and who waits for it ---- */

void events_add(struct roster *r, enum roster_event what, const struct roster_entry *e);
void events_get(struct exchange *x);
void events_turn(void);		/* tells those who wait */
void events_end(void);		/* nobody waits any more */

/* ---- lists.c ---- */

void infos_get(struct exchange *x);
void instances_get(struct exchange *x);
void nodes_get(struct exchange *x);
void entries_get(struct exchange *x);
void targets_get(struct exchange *x);
void metrics_get(struct exchange *x);

/* Appends a form with "$x" in it filled in: see put_field(). */
void put_entry(struct buf *b, const struct roster_entry *e, const char *form);

/* A parameter of the query, decoded into out (cap bytes): false if it is not
 * there or does not fit. */
bool query_get(const struct exchange *x, const char *name, char *out, size_t cap);

#endif
