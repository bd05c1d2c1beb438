/* lists.c - what the registry knows, in the forms that its readers want
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "about.h"
#include "clock.h"
#include "discovery.h"
#include "log.h"

enum {
	LIST_MAX = 256 << 20,	/* bytes of a list */
	HELD_MAX = 64 << 20,	/* of all lists together, but one is always sent */
	PIECE    = 256 << 10	/* bytes of it handed to a client at once */
};

static size_t held;		/* bytes of lists that slow clients have yet to read */

/* ---- sending what may be large ---- */

struct sending {
	struct buf b;
	size_t     at;
};

static void sent(struct exchange *x)
{
	struct sending *s = x->data;

	x->on_abort = NULL;
	held -= s->b.len;
	buf_free(&s->b);
	free(s);
}

static void send_more(struct exchange *x)
{
	struct sending *s = x->data;
	size_t n;
	long waits;

	do {
		n = s->b.len - s->at;
		if (n == 0) {
			sent(x);
			reply_end(x);
			return;
		}
		if (n > PIECE)
			n = PIECE;
		s->at += n;
		waits = reply_write(x, s->b.p + s->at - n, n);
	} while (waits == 0);
	if (waits > 0)
		reply_room(x, send_more);
}

static const char JSON_TYPE[] = "application/json";

static void send_list(struct exchange *x, struct buf *b)
{
	bool full = b->len > PIECE && held && held + b->len > HELD_MAX;
	struct sending *s = b->bad || full || b->len <= PIECE ? NULL : calloc(1, sizeof *s);

	reply_header(x, "Cache-Control: no-store");
	if (b->bad || full)
		reply_detail(x, 503, full ? "too many slow clients read lists" :
			     "the list is too large");
	else if (!s)
		reply(x, 200, JSON_TYPE, b->p, b->len);
	if (!s) {
		buf_free(b);
		return;
	}
	s->b = *b;
	held += b->len;
	x->data = s;
	x->on_abort = sent;
	reply_start(x, 200, JSON_TYPE, (int64_t)b->len);
	if (x->on_abort)
		send_more(x);
}

/* ---- parameters ---- */

bool query_get(const struct exchange *x, const char *name, char *out, size_t cap)
{
	struct span q = x->req->query;
	bool bad;

	return q.n && url_param(q.p, q.n, name, out, cap, &bad) >= 0;
}

/* ?hour=N or ?minute=N, as upstream: hour wins, what is no number is not
 * there. The age that a report may have, ms; -1: any. */
static int64_t max_age(const struct exchange *x)
{
	static const struct { const char *name; int64_t ms; } units[] = {
		{ "hour", 3600000 }, { "minute", 60000 }
	};
	char text[16], *end;

	for (int i = 0; i < 2; i++) {
		long n;

		if (!query_get(x, units[i].name, text, sizeof text))
			continue;
		n = strtol(text, &end, 10);
		if (end != text && !*end && n >= 0 && n < 1000000)
			return n * units[i].ms;
	}
	return -1;
}

/* ---- times as Python writes them ---- */

static void two(char *to, int n)
{
	to[0] = (char)('0' + n / 10);
	to[1] = (char)('0' + n % 10);
}

/* "YYYY-MM-DD HH:MM:SS", the machine's time; most are of the same minute. */
static void put_local(struct buf *b, int64_t wall_ms)
{
	static char text[] = "0000-00-00 00:00:00";
	static time_t minute = -1;
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (s / 60 != minute) {
		minute = s / 60;
		localtime_r(&s, &tm);
		two(text, (tm.tm_year + 1900) / 100 % 100);
		two(text + 2, (tm.tm_year + 1900) % 100);
		two(text + 5, tm.tm_mon + 1);
		two(text + 8, tm.tm_mday);
		two(text + 11, tm.tm_hour);
		two(text + 14, tm.tm_min);
	}
	two(text + 17, (int)(s % 60));
	buf_putc(b, '"');
	buf_add(b, text, sizeof text - 1);
	buf_putc(b, '"');
}

/* ---- an entry in words ----
 * In a form, $ and a letter stand for what is known of an entry. */

static void put_text(struct buf *b, const struct roster_entry *e, enum roster_text t)
{
	json_put(b, roster_text(e, t), e->n[t]);
}

static void put_bool(struct buf *b, bool v)
{
	buf_puts(b, v ? "true" : "false");
}

static void put_number(struct buf *b, int64_t v)
{
	char text[24], *p = text + sizeof text;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(text + sizeof text - p));
}

static void put_iso(struct buf *b, int64_t wall)
{
	char when[CLOCK_TEXT];

	json_puts(b, clock_iso(wall, when));
}

/* Those who read a coordinator's list call "http://IP:PORT". */
static void put_ip(struct buf *b, const char *host)
{
	buf_printf(b, strchr(host, ':') ? "\"[%s]\"" : "\"%s\"", host);
}

static void put_field(struct buf *b, const struct roster_entry *e, char field)
{
	bool frontend = e->f.kind == ROSTER_FRONTEND;
	struct buf name = BUF(2 * ROSTER_KEY);

	switch (field) {
	case 'k': put_text(b, e, TEXT_KEY); break;
	case 'h': put_text(b, e, TEXT_HOST); break;
	case 'y': put_ip(b, roster_text(e, TEXT_HOST)); break;
	case 'v': put_text(b, e, TEXT_VERSION); break;
	case 'i': put_text(b, e, TEXT_INFO); break;
	case 'I': buf_add(b, roster_text(e, TEXT_INFO), e->n[TEXT_INFO]); break;
	case 'u': put_text(b, e, TEXT_URL); break;
	case 'L': put_local(b, e->last); break;
	case 'B': put_local(b, e->since); break;
	case 'l': put_iso(b, e->last); break;
	case 'b': put_iso(b, e->since); break;
	case 'f': put_iso(b, e->first); break;
	case 'r': buf_printf(b, "%.3f", (double)e->since / 1000); break;
	case 'P': put_number(b, e->f.port); break;
	case 'm': put_number(b, e->f.mq_port); break;
	case 'H': put_number(b, e->held > loop_now() ? e->held - loop_now() : 0); break;
	case 'F': put_bool(b, frontend); break;
	case 'd': put_bool(b, e->drained); break;
	case 't': put_bool(b, e->f.tls); break;
	case 'o': json_puts(b, source_text(e->f.source)); break;
	case 'S': buf_puts(b, e->f.tls ? "\"https\"" : "\"http\""); break;
	case 's': json_puts(b, roster_states[roster_state(e)]); break;
	case 'K': json_puts(b, frontend ? "frontend" : "instance"); break;
	case 'p':
		if (e->f.has_pid)
			put_number(b, e->f.pid);
		else
			json_puts(b, NULL);
		break;
	case 'n':
	case 'a':
		(field == 'n' ? roster_name : roster_at)(e, &name);
		json_put(b, name.p ? name.p : "", name.len);
		buf_free(&name);
		break;
	}
}

void put_entry(struct buf *b, const struct roster_entry *e, const char *form)
{
	size_t n;

	for (; *form; form += 2) {
		n = strcspn(form, "$");
		buf_add(b, form, n);
		form += n;
		if (!*form)
			return;
		put_field(b, e, form[1]);
	}
}

/* ---- lists ---- */

/* Entries of this kind (-1: any) that are listed, or all. */
static void send_each(struct exchange *x, const char *before, const char *form,
		      const char *after, int kind, bool all)
{
	struct roster_entry **list = roster_sorted(&roster);
	struct buf b = BUF(LIST_MAX);
	const char *comma = "";

	b.bad = !list && roster.n;
	buf_puts(&b, before);
	for (uint32_t i = 0; list && i < roster.n; i++) {
		if ((kind >= 0 && list[i]->f.kind != kind) || (!all && !roster_listed(list[i])))
			continue;
		buf_puts(&b, comma);
		put_entry(&b, list[i], form);
		comma = ",";
	}
	buf_puts(&b, after);
	send_list(x, &b);
}

void instances_get(struct exchange *x)
{
	send_each(x, "{\"instances\":[", "{\"instance_id\":$k,\"ip\":$y,\"http_port\":$P,"
		  "\"registration_time\":$r,\"metadata\":$I,\"p2p_advertised_url\":$u,"
		  "\"mq_port\":$m}", "]}", ROSTER_INSTANCE, false);
}

/* What nodes_parse reads, and the state. */
void nodes_get(struct exchange *x)
{
	send_each(x, "{\"nodes\":[", "{\"name\":$n,\"host\":$h,\"port\":$P,\"is_proxy\":$F,"
		  "\"tls\":$t,\"state\":$s,\"version\":$v,\"last_report\":$l}", "]}", -1, false);
}

void entries_get(struct exchange *x)
{
	send_each(x, "{\"entries\":[", "{\"entry\":$k,\"name\":$n,\"kind\":$K,\"state\":$s,"
		  "\"drained\":$d,\"host\":$h,\"port\":$P,\"tls\":$t,\"pid\":$p,\"version\":$v,"
		  "\"info\":$i,\"first_report\":$f,\"start\":$b,\"last_report\":$l,"
		  "\"held_ms\":$H,\"source\":$o}", "]}", -1, true);
}

void targets_get(struct exchange *x)
{
	send_each(x, "[", "{\"targets\":[$a],\"labels\":{\"__scheme__\":$S,\"__meta_lmc_name\":$n,"
		  "\"__meta_lmc_kind\":$K,\"__meta_lmc_state\":$s,\"__meta_lmc_version\":$v}}",
		  "]\n", -1, false);
}

/* ---- /lmcache_infos ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static unsigned versions(const char **v, unsigned n)
{
	unsigned different = 0;

	if (n)
		qsort(v, n, sizeof *v, by_text);
	for (unsigned i = 0; i < n; i++)
		different += i == 0 || strcmp(v[i], v[i - 1]) != 0;
	return different;
}

void infos_get(struct exchange *x)
{
	struct roster_entry **list = roster_sorted(&roster), *e;
	int64_t age = max_age(x), wall = clock_wall_ms();
	const char **v = malloc((roster.n + 1) * sizeof *v);
	struct buf b = BUF(LIST_MAX), infos = BUF(LIST_MAX);
	uint32_t n = 0;

	for (uint32_t i = 0; list && v && i < roster.n; i++) {
		e = list[i];
		if (e->f.kind != ROSTER_FRONTEND || !roster_listed(e) ||
		    (age >= 0 && wall - e->last > age))
			continue;
		if (n)
			buf_putc(&infos, ',');
		v[n++] = roster_text(e, TEXT_VERSION);
		put_entry(&infos, e, "$k:{\"count\":1,\"lmCacheInfoEntities\":[{"
			  "\"apiAddress\":$k,\"ipAddress\":null,\"lastReportTime\":$L,"
			  "\"otherInfo\":$i,\"pid\":$p,\"startTime\":$B,\"version\":$v}]}");
	}
	buf_printf(&b, "{\"processCount\":%u,\"processInfos\":{", n);
	buf_add(&b, infos.p, infos.len);
	buf_printf(&b, "},\"versionCount\":%u,\"versions\":null}\n", v ? versions(v, n) : 0);
	b.bad = b.bad || infos.bad || !v || (!list && roster.n);
	buf_free(&infos);
	free(v);
	send_list(x, &b);
}

/* ---- /metrics ---- */

/* "NAME TYPE HELP" */
static void put_head(struct buf *b, const char *about)
{
	int name = (int)strcspn(about, " ");
	int type = (int)strcspn(about + name + 1, " ");

	buf_printf(b, "# HELP lmc_%.*s %s\n# TYPE lmc_%.*s\n", name, about,
		   about + name + type + 2, name + 1 + type, about);
}

static void put_value(struct buf *b, const char *about, unsigned long long v)
{
	put_head(b, about);
	buf_printf(b, "lmc_%.*s %llu\n", (int)strcspn(about, " "), about, v);
}

static void put_entries(struct buf *b)
{
	unsigned long n[2][ROSTER_STATES] = { { 0 } };

	for (uint32_t i = 0; i < roster.slots; i++)
		if (roster.slot[i])
			n[roster.slot[i]->f.kind][roster_state(roster.slot[i])]++;
	put_head(b, "registry_entries gauge Frontends and instances known.");
	for (int s = 0; s < 2 * ROSTER_STATES; s++)
		buf_printf(b, "lmc_registry_entries{kind=\"%s\",state=\"%s\"} %lu\n",
			   s < ROSTER_STATES ? "frontend" : "instance",
			   roster_states[s % ROSTER_STATES],
			   n[s / ROSTER_STATES][s % ROSTER_STATES]);
	put_head(b, "registry_events_total counter What happened to entries.");
	for (int i = 0; i <= ROSTER_LEFT; i++)
		buf_printf(b, "lmc_registry_events_total{event=\"%s\"} %lu\n",
			   roster_events[i], roster.events[i]);
}

void metrics_get(struct exchange *x)
{
	const struct server *s = x->server;
	struct buf b = BUF(1 << 20);

	put_head(&b, "build_info gauge 1, with what this binary is made of.");
	buf_printf(&b, "lmc_build_info{version=\"%s\",commit=\"%s\"} 1\n",
		   about_version, about_commit);
	put_entries(&b);
	put_value(&b, "registry_reports_total counter Reports taken.", gate.beats);
	put_value(&b, "registry_refused_total counter Requests refused.", gate.refused);
	put_value(&b, "connections gauge Client connections open now.", (unsigned long)s->open);
	put_value(&b, "connections_accepted_total counter Client connections accepted.", s->accepted);
	put_value(&b, "connections_refused_total counter Client connections refused: "
		  "a limit was reached.", s->refused);
	put_value(&b, "requests_total counter Requests received.", s->requests);
	put_value(&b, "log_lines_dropped_total counter Log lines lost to a slow reader.", log_dropped);
	put_value(&b, "journal_bytes gauge Size of the journal.", journal.size);
	put_value(&b, "journal_records_total counter Records written.", journal.records);
	put_value(&b, "journal_rewrites_total counter Times it was written anew.", journal.rewrites);
	put_value(&b, "journal_failures_total counter Writes and syncs that failed.", journal.failures);
	reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", b.p, b.len);
	buf_free(&b);
}
