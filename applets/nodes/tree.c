/* tree.c - the nodes that registries name, once or for ever
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "call_token.h"
#include "die.h"
#include "tree.h"
#include "relay.h"

enum { AT_ONCE = 128 };

static volatile sig_atomic_t asked;

static void on_usr1(int signo)
{
	(void)signo;
	asked = 1;
}

/* ---- for people ---- */

static const char *const heads[] = { "FRONTEND", "NODE", "ADDRESS", "STATE", NULL };

static void row(struct table *t, const struct proxy *p, const struct node *nd)
{
	struct buf at = BUF(ADDR_HOST + 16);
	const char *state = nd && nd->state ? origin_state_names[nd->state - 1] : NULL;
	bool own = !strcmp(p->self.name, LOCAL_PROXY);
	const struct addr *a = nd ? &nd->addr : &p->self.addr;

	if (a->kind == ADDR_UNIX)
		buf_puts(&at, a->host);
	else
		addr_print(a, &at);
	table_puts(t, own ? NULL : p->self.name);
	table_puts(t, nd ? nd->name : NULL);
	table_puts(t, at.p);
	table_puts(t, p->text[PROXY_STALE] ? "stale" : state);
	buf_free(&at);
}

static void print_table(const struct nodes *ns)
{
	struct buf out = BUF(OUT_MAX);
	struct table t;

	table_init(&t, heads);
	for (int i = 0; i < ns->n; i++) {
		const struct proxy *p = &ns->proxies[i];

		for (int k = 0; k < p->n; k++)
			row(&t, p, &p->nodes[k]);
		if (!p->n && strcmp(p->self.name, LOCAL_PROXY))
			row(&t, p, NULL);
	}
	table_print(&t, !call_o.no_headers, false, &out);
	ask_put(&out);
	buf_free(&out);
	table_free(&t);
}

static void print_names(const struct nodes *ns)
{
	struct buf out = BUF(OUT_MAX);

	for (int i = 0; i < ns->n; i++)
		for (int k = 0; k < ns->proxies[i].n; k++) {
			const char *of = ns->proxies[i].self.name;

			if (strcmp(of, LOCAL_PROXY)) {
				out_text(&out, of, strlen(of), "");
				buf_putc(&out, '/');
			}
			of = ns->proxies[i].nodes[k].name;
			out_text(&out, of, strlen(of), "");
			buf_putc(&out, '\n');
		}
	ask_put(&out);
	buf_free(&out);
}

/* ---- printing ---- */

static void print(struct muster *f, const char *output)
{
	static struct buf b = BUF(MUSTER_JSON);
	struct node_error e;
	struct nodes ns;

	buf_reset(&b);
	if (muster_print(f, &b) < 0)
		die(EXIT_SYS, "the tree of nodes is too large");
	if (*output == 'j') {
		buf_putc(&b, '\n');
		ask_put(&b);
	} else if (nodes_parse(&ns, b.p, b.len, &e) < 0) {
		die(EXIT_SYS, "the tree of nodes is wrong: %s", e.what);
	} else {
		if (*output == 't')
			print_table(&ns);
		else
			print_names(&ns);
		nodes_free(&ns);
	}
	if (fflush(stdout) == EOF)
		die(EXIT_SYS, "unable to write the tree:");
}

int tree_run(const struct tree_conf *conf, bool follow, const char *output)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	struct muster_conf fc = { .interval = conf->interval, .self = conf->self };
	struct call_error e;
	const char *headers[2] = { NULL, NULL }, *why, *spec;
	struct muster *f;
	int over;

	if (call_read_token(&e) < 0)
		die(e.exit, "%s", e.what);
	headers[0] = call_token();
	fc.headers = headers;
	fc.timeout = call_o.timeout < SUPPLY_TIMEOUT ? call_o.timeout : SUPPLY_TIMEOUT;
	fc.once = !follow;
	fc.client = client_new(AT_ONCE);
	if (!fc.client)
		die(EXIT_SYS, "out of memory");
	f = muster_new(&fc);
	for (int i = 0; i < conf->from.n; i++)
		if (muster_add(f, conf->from.v[i], &why) < 0)
			die(EXIT_USAGE, "--from: %s: %s", conf->from.v[i], why);
	sigaction(SIGUSR1, &sa, NULL);
	do {
		while (!muster_turn(f))
			if (asked) {
				asked = 0;
				muster_refresh(f);
			}
		print(f, output);
	} while (follow);
	spec = muster_failed(f, &why);
	if (spec && !call_o.quiet)
		warn("%s: %s", spec, why);
	over = muster_left_out(f);
	if (over && !call_o.quiet)
		warn("%d left out: " MUSTER_LIMITS, over);
	return spec ? EXIT_REACH : over ? EXIT_NO : EXIT_OK;
}
