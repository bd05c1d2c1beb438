/* report.h - what frontends and instances send to a registry, read and checked
 * SPDX-License-Identifier: Apache-2.0
 *
 * The heartbeat of lmcache_frontend (protocol.md 8.1) and the registration of
 * the MP coordinator (3.4). Which addresses may be announced by whom: T13.
 */
#ifndef REPORT_H
#define REPORT_H

#include "json.h"
#include "roster.h"

enum {
	REPORT_BODY  = 16 << 10,	/* bytes of a registration */
	REPORT_WHY   = 240,
	ALLOW_MAX    = 64
};

/* Networks, and domains whose names are taken on trust. */
struct allow {
	struct allow_row {
		const char   *domain;	/* ".svc.cluster.local", or NULL */
		unsigned char net[16];	/* IPv6 or mapped */
		int           bits;
	} row[ALLOW_MAX];
	int n;
};

/* "10.0.0.0/8", "fd00::/8", one address, ".domain". 0, or -1 with *why a
 * static phrase. text must live. */
int  allow_add(struct allow *a, const char *text, const char **why);

/* May source announce this address? Without any row: its own one; of others
 * only if trusted, and never link-local, multicast or unspecified ones. With
 * rows: what they name. NULL, or why not. */
const char *allow_refuses(const struct allow *a, const struct addr *at,
			  const unsigned char *source, bool trusted);

/* A report and the memory its texts stand in: large, not for the stack. */
struct report {
	struct roster_report b;
	struct addr at;
	char key[ROSTER_KEY];
	char why[REPORT_WHY];		/* on -1: the field and what is wrong */
	char mem[REPORT_BODY];
	size_t used;
};

/* The query of a heartbeat, undecoded. 0, or -1 with .why. */
int  report_heartbeat(struct report *r, const char *query, size_t n);
/* The body of POST /instances. An empty id is left empty: text[TEXT_KEY].n. */
int  report_instance(struct report *r, const char *body, size_t n);

#endif
