/* supervise_status.h - what runs, asked and told over a socket
 * SPDX-License-Identifier: Apache-2.0
 *
 *	GET  /plugins			a JSON object, "plugins" an array
 *	GET  /metrics			exposition
 *	POST /stop?name=NAME		stays stopped until started again
 *	POST /restart?name=NAME		stops it if it runs, starts it
 */
#ifndef SUPERVISE_STATUS_H
#define SUPERVISE_STATUS_H

#include "buf.h"
#include "url.h"

enum { STATUS_MAX = 8 << 20 };

/* Listens; 0, or -1 with errno. Only UNIX sockets: there is no other check of
 * who may stop things than the socket's mode. */
int  status_listen(const struct addr *a);
void status_close(void);

void status_json(struct buf *out);
void status_metrics(struct buf *out);

/* A request to such a socket: the HTTP status, with the body in out, or -1
 * with errno. */
int  status_ask(const struct addr *a, const char *method, const char *target,
		struct buf *out);

#endif
