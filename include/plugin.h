/* plugin.h - which plugin files run in which process, and with what
 * SPDX-License-Identifier: Apache-2.0
 *
 * The rules of LMCache's plugin launcher (protocol.md 1.2-1.5). GEN_LMC is
 * the newest generation with its defects mended: sorted order, shebang
 * arguments kept, a file reached twice launched once, nothing launched that
 * is no regular file, programs allowed, hostile files refused. The other
 * generations decide exactly as the real launcher of that age did.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "buf.h"
#include "http.h"	/* struct span */

enum {
	PLUGIN_ARGS   = 12,		/* interpreter, its arguments, the path */
	PLUGIN_WORD   = 768,		/* bytes of a role or id: NAME_MAX, upper-cased */
	PLUGIN_LINE   = 64 << 10,	/* bytes of a first line that are looked at */
	PLUGIN_DEPTH  = 64,		/* directories inside one another */
	PLUGINS_MAX   = 16384,		/* files and directories listed in all */
	PLUGIN_VAR    = 128 << 10	/* the kernel's limit for one variable */
};

enum plugin_gen { GEN_LMC, GEN_RUNTIME_STR, GEN_RUNTIME_ENUM, GEN_PLUGIN_ENUM };
enum plugin_role { ROLE_MP, ROLE_SCHEDULER, ROLE_WORKER };
enum plugin_decision { PLUGIN_RAN, PLUGIN_SKIPPED, PLUGIN_FAILED, PLUGIN_NOT_FOUND };

extern const char *const plugin_decisions[];	/* "ran" "skipped" ... */

struct plugin_rules {
	enum plugin_gen  gen;
	enum plugin_role role;
	long        worker_id;		/* -1: a scheduler without engine */
	long        worker_count;
	const char *path;		/* PATH, where interpreters are looked up */
	bool        insecure;		/* no check of owners and modes */
	size_t      config_len;		/* bytes of the configuration's JSON */
};

/* What a file name says. Spans and texts hold what Python would make of it:
 * role is upper(lower(first word)), id the int without leading zeros. */
struct plugin_name {
	bool anywhere;			/* no "_": every role, every worker */
	bool for_id;			/* id counts */
	bool odd_id;			/* isdigit() but not int(): a failure */
	char role[PLUGIN_WORD + 1];
	char id[PLUGIN_WORD + 1];
	struct span stem, suffix, digits;	/* suffix with its dot, or empty */
};
void plugin_name(struct plugin_name *out, const char *base, size_t n);

struct plugin {
	char *file;			/* relative to its location */
	char *path;			/* as run */
	enum plugin_decision decision;
	char *reason;			/* NULL: nothing to say */
	struct span argv[PLUGIN_ARGS];	/* argv[argc - 1] is path */
	int   argc;
	bool  program;			/* run by itself: an lmc extension */
	bool  named;			/* given as a location, not found in one */
	bool  dir;			/* a directory */
	char *words;			/* what argv's spans point into */
	struct stat st;			/* of the file opened; st_mode 0: none */
};

struct plugins {
	struct plugin *v;
	int n, max;
};

/* Lists everything below a location, decided. Order: as launched. A missing
 * location is one row "not found". 0, or -1 with errno (memory, too many). */
int  plugins_find(struct plugins *ps, const struct plugin_rules *r, const char *location);
void plugins_free(struct plugins *ps);

/* Decides one row whose file, path and named are set. GEN_LMC: when it runs
 * and fd is given, *fd is the file, open and checked, close-on-exec; -1
 * otherwise. 0, or -1 with errno ENOMEM. */
int  plugin_decide(struct plugin *p, const struct plugin_rules *r, int *fd);
void plugin_free(struct plugin *p);

/* Opens a file that may be run: regular, and unless insecure owned by root
 * or the caller, with every directory on its way, and not writable by
 * others. Never blocks. -1 with *why a phrase in a static buffer. */
int  plugin_open(const char *path, bool insecure, struct stat *st, const char **why);

/* The first line of an open file, without its end; n is 0 when there is
 * none. text must hold PLUGIN_LINE bytes. GEN_LMC takes bytes as they are;
 * the others answer -1 where Python's decoder would have failed. */
long plugin_line(int fd, enum plugin_gen gen, char *text);

/* Python's shutil.which(): a path in out (n bytes), or false. */
bool plugin_which(struct span name, const char *path, char *out, size_t n);

/* What Python's Popen would answer for an interpreter, without trying: 0 or
 * an errno. */
int  plugin_exec_errno(struct span name, const char *path);

#endif
