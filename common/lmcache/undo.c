/* undo.c - what was changed for a while, in files that outlive this process
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "file.h"
#include "kin.h"
#include "out.h"
#include "undo.h"

static const char prefix[] = "loglevel-";

void undo_add(struct undos *u, const struct call_node *node,
	      const char *logger, const char *level)
{
	u->v = xrealloc(u->v, (size_t)(u->n + 1) * sizeof *u->v);
	u->v[u->n++] = (struct undo){ .node = *node, .logger = xstrdup(logger),
				      .level = xstrdup(level) };
}

/* --- the place ------------------------------------------------------------------- */

static int make_parents(char *path)
{
	char *p;

	for (p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST && errno != EROFS &&
		    errno != EACCES) {
			*p = '/';
			return -1;
		}
		*p = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

/* In /tmp another user may have made the name first. */
static int is_ours(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		return 0;
	errno = EPERM;
	return -1;
}

static const char *place(void)
{
	static char dir[PATH_MAX - 64];
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && *state == '/')
		snprintf(dir, sizeof dir, "%s/lmc", state);
	else if (home && *home == '/' && home[1] && access(home, W_OK) == 0)
		snprintf(dir, sizeof dir, "%s/.local/state/lmc", home);
	else
		snprintf(dir, sizeof dir, "/tmp/lmc-%ld", (long)geteuid());
	return dir;
}

/* --- writing ------------------------------------------------------------------------ */

static void put_one(struct buf *b, const struct undo *d)
{
	struct buf url = BUF(ADDR_HOST + 64);

	if (d->node.addr.kind == ADDR_TCP)
		buf_puts(&url, d->node.addr.tls ? "https://" : "http://");
	addr_print(&d->node.addr, &url);
	js_open(b, NULL, '{');
	js_str(b, "node", d->node.name);
	js_str(b, "url", url.p);
	js_str(b, "prefix", d->node.prefix);
	js_bool(b, "via", d->node.via);
	js_str(b, "logger", d->logger);
	js_str(b, "level", d->level);
	js_close(b, '}');
	buf_free(&url);
}

int undo_write(struct undos *u)
{
	struct buf b = BUF(UNDO_FILE), path = BUF(PATH_MAX);
	int i, left = 0, rc;

	if (!u->path) {
		buf_printf(&path, "%s", place());
		u->path = path.p;
		if (make_parents(path.p) < 0 || is_ours(path.p) < 0)
			return -1;
		buf_printf(&path, "/%s%ld.json", prefix, (long)getpid());
		u->path = path.p;
	}
	js_open(&b, NULL, '{');
	js_int(&b, "pid", (long long)getpid());
	js_int(&b, "start", (long long)kin_start(getpid()));
	js_str(&b, "token_file", call_o.token_file ? realpath(call_o.token_file, NULL) : NULL);
	js_open(&b, "levels", '[');
	for (i = 0; i < u->n; i++)
		if (!u->v[i].done && ++left)
			put_one(&b, &u->v[i]);
	buf_puts(&b, "]}\n");
	if (!left)
		rc = unlink(u->path) < 0 && errno != ENOENT ? -1 : 0;
	else if (b.bad)
		rc = -1;
	else
		rc = write_file(u->path, b.p, b.len, 0600);
	buf_free(&b);
	return rc;
}

/* --- reading -------------------------------------------------------------------------- */

static int read_one(struct undos *u, const struct json *j, jv v)
{
	struct call_node n = { .gens = GEN_ALL };
	char *url = json_dup(j, json_get(j, v, "url"));
	char *logger = json_dup(j, json_get(j, v, "logger"));
	char *level = json_dup(j, json_get(j, v, "level"));
	const char *why;

	n.name = json_dup(j, json_get(j, v, "node"));
	n.prefix = json_dup(j, json_get(j, v, "prefix"));
	n.via = json_true(j, json_get(j, v, "via"));
	n.where = url;
	if (!url || !logger || !level || !n.name || !n.prefix ||
	    addr_parse(&n.addr, url, -1, &why) < 0)
		return -1;
	undo_add(u, &n, logger, level);
	return 0;
}

static int read_journal(struct undos *u)
{
	struct json_error e;
	struct json j;
	size_t n;
	char *text = read_file(u->path, UNDO_FILE, &n);
	int64_t pid, start;
	jv list, v;
	int rc = 0;

	if (!text)
		return -1;
	if (json_parse(&j, text, n, UNDO_FILE, JSON_SURROGATE, &e) < 0) {
		errno = EBADMSG;
		return -1;
	}
	list = json_get(&j, 0, "levels");
	for (v = json_first(&j, list); !rc && v >= 0; v = json_next(&j, list, v))
		rc = read_one(u, &j, v);
	if (rc || json_int(&j, json_get(&j, 0, "pid"), &pid) < 0 || pid < 1 ||
	    json_int(&j, json_get(&j, 0, "start"), &start) < 0) {
		errno = EBADMSG;
		return -1;
	}
	u->token_file = json_dup(&j, json_get(&j, 0, "token_file"));
	u->pid = (pid_t)pid;
	/* Another process may have got its number, in a container very soon. */
	u->alive = start && kin_start(u->pid) == (uint64_t)start;
	json_free(&j);
	free(text);
	return 0;
}

int undo_find(struct undos **out, const char **dir)
{
	DIR *d = opendir(*dir = place());
	struct dirent *entry;
	struct buf path;
	int n = 0, err;

	*out = NULL;
	if (!d)
		return errno == ENOENT ? 0 : -1;
	while ((entry = readdir(d)) && n < UNDO_FILES) {
		size_t len = strlen(entry->d_name);

		if (strncmp(entry->d_name, prefix, sizeof prefix - 1) || len < 6 ||
		    strcmp(entry->d_name + len - 5, ".json"))
			continue;
		*out = xrealloc(*out, (size_t)(n + 1) * sizeof **out);
		(*out)[n] = (struct undos){ 0 };
		path = (struct buf)BUF(PATH_MAX);
		buf_printf(&path, "%s/%s", *dir, entry->d_name);
		(*out)[n].path = path.p;
		if (read_journal(&(*out)[n++]) < 0) {
			err = errno;
			*dir = path.p;
			closedir(d);
			errno = err;
			return -1;
		}
	}
	closedir(d);
	return n;
}

struct undo *undo_other(const struct undos *all, int n, bool alive,
			const struct call_node *node, const char *logger)
{
	struct undo *u;
	int i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < all[i].n && all[i].pid != getpid() &&
		     (all[i].alive || !alive); k++) {
			u = &all[i].v[k];
			if (!strcmp(u->logger, logger) &&
			    !strcmp(u->node.prefix, node->prefix) &&
			    addr_equal(&u->node.addr, &node->addr))
				return u;
		}
	return NULL;
}
