/* table.h - the table's parts to each other
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TABLE_H
#define TABLE_H

#include "node.h"

enum { TABLE_STATE = 8 << 20 };	/* bytes of what the API changed */

/* ---- table_list.c: lists. 0 or -1: out of memory ---- */

int  nodes_copy(struct nodes *to, const struct nodes *from);
int  list_add(struct proxy *p, const struct node *nd);		/* takes over *nd */
int  list_add_proxy(struct nodes *ns, const struct proxy *p);
int  list_node(const struct proxy *p, const char *name);	/* index or -1 */
void list_remove(struct proxy *p, int at);
void list_remove_proxy(struct nodes *ns, int at);

/* ---- table_state.c ---- */

/* What makes now out of base, as JSON; laid over another base; in a file. */
void state_print(struct buf *b, const struct nodes *base, const struct nodes *now);
int  state_lay(struct nodes *ns, const char *text, size_t n, struct node_error *e);
int  state_save(const char *file, const struct nodes *base, const struct nodes *now);
/* Lays it over *now. 0, or -1 with *why: a file that cannot be read is not
 * ours to move; a damaged one is set aside. No file: 0. */
int  state_load(const char *file, struct nodes *now, struct node_error *why);

#endif
