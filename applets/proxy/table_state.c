/* table_state.c - what the API changed, kept in a file and laid over a list
 * SPDX-License-Identifier: Apache-2.0
 *
 * The state file holds only what was changed through the API, as a list of
 * what to put and what to remove, laid over the configured list at start: a
 * changed configuration still counts, and so do the changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "table.h"

static bool same(const struct node *a, const struct node *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0 &&
	       a->port_number == b->port_number;
}

static void row(struct buf *b, bool *first)
{
	buf_puts(b, *first ? "\n  " : ",\n  ");
	*first = false;
}

static void put_removed(struct buf *b, const char *proxy, const char *node,
			bool *first)
{
	row(b, first);
	buf_puts(b, "{\"proxy\": ");
	json_puts(b, proxy);
	buf_puts(b, ", \"name\": ");
	json_puts(b, node);
	buf_puts(b, "}");
}

static void put_put(struct buf *b, const char *proxy, const struct node *nd,
		    bool *first)
{
	row(b, first);
	buf_puts(b, "{\"proxy\": ");
	json_puts(b, proxy);
	buf_puts(b, ", \"node\": ");
	node_print(nd, b);
	buf_puts(b, "}");
}

static void print_puts(struct buf *b, const struct nodes *base,
		       const struct nodes *now)
{
	bool first = true;

	for (int i = 0; i < now->n; i++) {
		const struct proxy *p = &now->proxies[i];
		int was = nodes_find(base, p->self.name);

		if (was < 0 || !same(&p->self, &base->proxies[was].self))
			put_put(b, NULL, &p->self, &first);
		for (int k = 0; k < p->n; k++) {
			int old = was < 0 ? -1 : list_node(&base->proxies[was],
							   p->nodes[k].name);

			if (old < 0 || !same(&p->nodes[k],
					     &base->proxies[was].nodes[old]))
				put_put(b, p->self.name, &p->nodes[k], &first);
		}
	}
}

static void print_removed(struct buf *b, const struct nodes *base,
			  const struct nodes *now)
{
	bool first = true;

	for (int i = 0; i < base->n; i++) {
		const struct proxy *p = &base->proxies[i];
		int is_now = nodes_find(now, p->self.name);

		if (is_now < 0) {
			put_removed(b, NULL, p->self.name, &first);
			continue;
		}
		for (int k = 0; k < p->n; k++)
			if (list_node(&now->proxies[is_now], p->nodes[k].name) < 0)
				put_removed(b, p->self.name, p->nodes[k].name,
					    &first);
	}
}

void state_print(struct buf *b, const struct nodes *base, const struct nodes *now)
{
	buf_puts(b, "{\"lmc_state\": 1, \"put\": [");
	print_puts(b, base, now);
	buf_puts(b, "\n], \"removed\": [");
	print_removed(b, base, now);
	buf_puts(b, "\n]}\n");
}

int state_save(const char *file, const struct nodes *base, const struct nodes *now)
{
	struct buf b = BUF(TABLE_STATE);
	int rc;

	if (!file)
		return 0;
	state_print(&b, base, now);
	rc = b.bad ? -1 : write_file(file, b.p, b.len, 0600);
	if (rc < 0)
		log_event(LOG_ERROR, "state not saved", "file", file,
			  "reason", strerror(errno), NULL);
	buf_free(&b);
	return rc;
}

static int upsert(struct nodes *ns, const char *proxy, const struct node *nd)
{
	struct proxy made = { .self = *nd };
	struct proxy *p;
	int at, old;

	at = nodes_find(ns, proxy ? proxy : nd->name);
	if (!proxy) {
		if (at < 0)
			return list_add_proxy(ns, &made);
		node_free(&ns->proxies[at].self);
		ns->proxies[at].self = *nd;
		return 0;
	}
	if (at < 0)
		return -1;
	p = &ns->proxies[at];
	old = list_node(p, nd->name);
	if (old < 0)
		return list_add(p, nd);
	node_free(&p->nodes[old]);
	p->nodes[old] = *nd;
	return 0;
}

static int lay_put(struct nodes *ns, const struct json *j, jv v,
		   struct node_error *e)
{
	jv of = json_get(j, v, "proxy"), what = json_get(j, v, "node");
	char *proxy = json_dup(j, of);
	struct proxy p = { 0 };
	int rc;

	if (what < 0) {
		free(proxy);
		return -1;
	}
	rc = proxy ? node_parse(&p.self, j, what, e) : proxy_parse(&p, j, what, e);
	if (rc == 0 && proxy && nodes_find(ns, proxy) < 0) {
		/* the configuration of today has no such frontend */
		log_event(LOG_WARN, "node not kept, its frontend is gone",
			  "node", p.self.name, "frontend", proxy, NULL);
		node_free(&p.self);
	} else if (rc == 0 && upsert(ns, proxy, &p.self) < 0) {
		node_free(&p.self);
		rc = -1;
	}
	free(proxy);
	return rc;
}

static void lay_removed(struct nodes *ns, const struct json *j, jv v)
{
	char *proxy = json_dup(j, json_get(j, v, "proxy"));
	char *name = json_dup(j, json_get(j, v, "name"));
	int at = name ? nodes_find(ns, proxy ? proxy : name) : -1, k;

	if (at >= 0 && !proxy) {
		/* that is us */
		if (strcmp(name, LOCAL_PROXY) != 0)
			list_remove_proxy(ns, at);
	} else if (at >= 0) {
		k = list_node(&ns->proxies[at], name);
		if (k >= 0)
			list_remove(&ns->proxies[at], k);
	}
	free(proxy);
	free(name);
}

int state_lay(struct nodes *ns, const char *text, size_t n, struct node_error *e)
{
	struct json_error je;
	struct json j;
	jv list, v;
	int rc = 0;

	if (json_parse(&j, text, n, TABLE_STATE, 0, &je) < 0) {
		e->line = je.line;
		e->column = je.column;
		snprintf(e->what, sizeof e->what, "%s", je.what);
		return -1;
	}
	if (json_get(&j, 0, "lmc_state") < 0) {
		snprintf(e->what, sizeof e->what, "not a state file of lmc proxy");
		rc = -1;
	}
	list = rc < 0 ? -1 : json_get(&j, 0, "removed");
	for (v = json_first(&j, list); v >= 0; v = json_next(&j, list, v))
		lay_removed(ns, &j, v);
	list = rc < 0 ? -1 : json_get(&j, 0, "put");
	for (v = json_first(&j, list); rc == 0 && v >= 0; v = json_next(&j, list, v))
		rc = lay_put(ns, &j, v, e);
	json_free(&j);
	return rc;
}

/* A damaged state file is kept under another name, and said. */
static void set_aside(const char *file, const struct node_error *e)
{
	char to[4096], where[64];

	snprintf(to, sizeof to, "%s.damaged-%lld", file,
		 (long long)(clock_wall_ms() / 1000));
	snprintf(where, sizeof where, "%d:%d", e->line, e->column);
	if (rename(file, to) < 0)
		snprintf(to, sizeof to, "(%s)", strerror(errno));
	log_event(LOG_ERROR, "state file damaged, set aside", "file", file,
		  "kept", to, "at", where, "reason", e->what, NULL);
}

/* An empty device is no damaged file, and a pipe would be waited for. */
static char *read_state(const char *file, size_t *n)
{
	struct stat st;

	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : ENODEV;
		return NULL;
	}
	return read_file(file, TABLE_STATE, n);
}

int state_load(const char *file, struct nodes *now, struct node_error *why)
{
	struct node_error e = { 0 };
	struct nodes laid;
	size_t n;
	char *text;

	if (!file)
		return 0;
	text = read_state(file, &n);
	if (!text && errno == ENOENT)
		return 0;
	if (!text && errno != EFBIG) {
		snprintf(why->what, sizeof why->what,
			 "unable to read the state file %s: %s", file,
			 strerror(errno));
		return -1;
	}
	if (!text) {
		snprintf(e.what, sizeof e.what, "%s", strerror(errno));
		set_aside(file, &e);
		return 0;
	}
	if (nodes_copy(&laid, now) < 0) {
		free(text);
		return -1;
	}
	if (state_lay(&laid, text, n, &e) < 0) {
		nodes_free(&laid);
		set_aside(file, &e);
	} else {
		nodes_free(now);
		*now = laid;
	}
	free(text);
	return 0;
}
