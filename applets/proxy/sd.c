/* sd.c - telling Prometheus which nodes there are (http_sd and file_sd)
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every target is this frontend itself, every path that of one node behind
 * it: so a Prometheus that knows no UNIX sockets scrapes nodes on them. The
 * labels are those of the merged metrics.
 */
#include <errno.h>
#include <string.h>

#include "file.h"
#include "json.h"
#include "label.h"
#include "log.h"
#include "proxy.h"

enum { SD_MAX = 16 << 20 };

static const struct sd_conf *conf;
static char file_target[ADDR_HOST + 16];
static struct task task;

static void put(struct buf *b, const char *name, const char *value)
{
	buf_putc(b, ',');
	json_puts(b, name);
	buf_putc(b, ':');
	json_puts(b, value);
}

/* Prometheus encodes the path itself, and leaves '/' alone. */
static bool has_path(const char *name)
{
	if (!strchr(name, '/'))
		return true;
	log_event(LOG_WARN, "node not listed for discovery", "node", name,
		  "reason", "its name has a slash", NULL);
	return false;
}

/* One frontend behind another is FIRST/SECOND: one step after the other. */
static void put_path(struct buf *b, const char *frontend, const char *node)
{
	struct buf path = BUF(16 * NODE_NAME);
	size_t n;

	for (; frontend && *frontend; frontend += n + !!frontend[n]) {
		n = strcspn(frontend, "/");
		buf_printf(&path, "/proxy2/%.*s", (int)n, frontend);
	}
	buf_printf(&path, "/proxy2/%s/metrics", node);
	json_puts(b, path.p);
	buf_free(&path);
}

static void put_leaf(struct buf *b, const struct leaf *l, const char *target,
		     size_t n)
{
	const struct proxy *p = &table_nodes()->proxies[l->proxy];
	bool ours = strcmp(p->self.name, LOCAL_PROXY) == 0;
	struct buf at = BUF(2 * ADDR_HOST);

	buf_puts(b, "{\"targets\":[");
	json_put(b, target, n);
	buf_puts(b, "],\"labels\":{\"__metrics_path__\":");
	put_path(b, ours && !l->doubled ? NULL : p->self.name, l->node->name);
	put(b, conf->node_label, l->node->name);
	if (!ours)
		put(b, "frontend", p->self.name);
	if (*label_role(l->node->name))
		put(b, "__meta_lmc_role", label_role(l->node->name));
	if (l->node->addr.kind != ADDR_NONE && addr_print(&l->node->addr, &at) == 0)
		put(b, "__meta_lmc_address", at.p);
	buf_puts(b, "}}");
	buf_free(&at);
}

static void put_all(struct buf *b, const char *target, size_t n)
{
	const struct leaf *l;
	const char *sep = "";

	buf_putc(b, '[');
	for (int i = 0; (l = table_any(i)); i++) {
		const struct proxy *p = &table_nodes()->proxies[l->proxy];

		if (l->is_proxy || !has_path(l->node->name) ||
		    (!p->text[PROXY_PREFIX] && !has_path(p->self.name)))
			continue;
		buf_puts(b, sep);
		put_leaf(b, l, target, n);
		sep = ",\n";
	}
	buf_puts(b, "]\n");
}

/* Who asked for this list reaches us by the name it used. */
void sd_get(struct exchange *x)
{
	struct span host = x->req->host;
	struct buf b = BUF(SD_MAX);

	if (conf->target)
		host = (struct span){ conf->target, strlen(conf->target) };
	put_all(&b, host.p, host.n);
	reply_header(x, "Cache-Control: no-store");
	if (b.bad)
		reply_detail(x, 503, "the list is too large");
	else
		reply(x, 200, "application/json", b.p, b.len);
	buf_free(&b);
}

/* ---- the file ---- */

static int write_list(void)
{
	struct buf b = BUF(SD_MAX);
	int bad;

	put_all(&b, file_target, strlen(file_target));
	bad = b.bad ? -1 : write_file(conf->file, b.p, b.len, 0644);
	buf_free(&b);
	return bad;
}

static void write_changed(struct task *t)
{
	(void)t;
	if (write_list() < 0)
		log_event(LOG_ERROR, "discovery file not written", "file",
			  conf->file, "reason", strerror(errno), NULL);
}

static void changed(void)
{
	task_later(&task, write_changed);
}

/* A wildcard is no place to go to: who reads the file is on this machine. */
static int name_target(const struct addr *a)
{
	struct addr to = *a;
	struct buf b = BUF(sizeof file_target - 1);
	bool bad;

	if (strcmp(a->host, "0.0.0.0") == 0)
		memcpy(to.host, "127.0.0.1", sizeof "127.0.0.1");
	else if (strcmp(a->host, "::") == 0)
		memcpy(to.host, "::1", sizeof "::1");
	bad = addr_print(&to, &b) < 0;
	if (!bad)
		memcpy(file_target, b.p, b.len + 1);
	buf_free(&b);
	return bad ? -1 : 0;
}

int sd_init(const struct sd_conf *c, const struct addr *listening)
{
	conf = c;
	if (!c->file)
		return 0;
	if (c->target && strlen(c->target) < sizeof file_target) {
		memcpy(file_target, c->target, strlen(c->target) + 1);
	} else if (c->target || !listening || name_target(listening) < 0) {
		errno = EDESTADDRREQ;
		return -1;
	}
	table_on_change(changed);
	return write_list();
}
