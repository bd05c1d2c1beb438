/* supervise_status.c - see supervise_status.h
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "child.h"
#include "json.h"
#include "kin.h"
#include "server.h"
#include "supervise.h"
#include "supervise_status.h"

struct usage { int processes; double cpu; uint64_t memory; };

static struct kin *family;
static int family_n;

static struct usage usage_of(const struct job *j)
{
	struct usage u = { 0 };
	int i;

	for (i = 0; i < family_n; i++) {
		if (family[i].job != j->id || family[i].state == 'Z')
			continue;
		u.processes++;
		u.cpu += (double)family[i].cpu_ticks / (double)sysconf(_SC_CLK_TCK);
		u.memory += family[i].rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	}
	return u;
}

static void look_at_family(void)
{
	free(family);
	family = NULL;
	family_n = kin_list(&family, true);
	if (family_n < 0)
		family_n = 0;
}

static double uptime(const struct job *j)
{
	return j->pid ? (double)(loop_now() - j->started_ms) / 1000 : 0;
}

static unsigned long restarts(const struct job *j)
{
	return j->starts ? j->starts - 1 : 0;
}

static void row(struct buf *out, const struct job *j)
{
	struct usage u = usage_of(j);

	buf_puts(out, "{\"name\": ");
	json_puts(out, j->plugin.file);
	buf_puts(out, ", \"path\": ");
	json_puts(out, j->plugin.path);
	buf_printf(out, ", \"state\": \"%s\", \"ready\": %s, \"pid\": ",
		   job_states[j->state], j->ready ? "true" : "false");
	if (j->pid)
		buf_printf(out, "%d", (int)j->pid);
	else
		buf_puts(out, "null");
	buf_printf(out, ", \"uptime\": %.3f, \"restarts\": %lu, \"last_exit\": ",
		   uptime(j), restarts(j));
	json_puts(out, j->status < 0 ? NULL : child_end(j->status));
	buf_printf(out, ", \"processes\": %d, \"cpu_seconds\": %.2f, \"memory_bytes\": %llu, "
		   "\"lines\": %llu, \"dropped_lines\": %llu}",
		   u.processes, u.cpu, (unsigned long long)u.memory,
		   j->out.taken + j->err.taken, j->out.dropped + j->err.dropped);
}

void status_json(struct buf *out)
{
	const struct job *j;

	look_at_family();
	buf_printf(out, "{\"pid\": %d, \"orphans_reaped\": %llu, \"cgroup\": ",
		   (int)getpid(), orphans_reaped);
	json_puts(out, cgroup_top());
	buf_puts(out, ", \"plugins\": [");
	for (j = jobs; j; j = j->next) {
		row(out, j);
		buf_puts(out, j->next ? ",\n" : "");
	}
	buf_puts(out, "]}\n");
}

enum figure { UP, RESTARTS, UPTIME, CPU, MEMORY, PROCESSES, LINES, DROPPED };

static double figure(const struct job *j, enum figure f)
{
	struct usage u = usage_of(j);

	switch (f) {
	case UP:        return j->state == JOB_UP;
	case RESTARTS:  return (double)restarts(j);
	case UPTIME:    return uptime(j);
	case CPU:       return u.cpu;
	case MEMORY:    return (double)u.memory;
	case PROCESSES: return u.processes;
	case LINES:     return (double)(j->out.taken + j->err.taken);
	case DROPPED:   return (double)(j->out.dropped + j->err.dropped);
	}
	return 0;
}

static void label(struct buf *out, const char *s)
{
	buf_puts(out, "{plugin=\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_putc(out, '\\');
		if (*s == '\n')
			buf_puts(out, "\\n");
		else
			buf_putc(out, *s);
	}
	buf_puts(out, "\"}");
}

void status_metrics(struct buf *out)
{
	static const struct { const char *name, *type, *help; enum figure f; } rows[] = {
		{ "lmc_plugin_up", "gauge", "1 while the plugin's first process runs.", UP },
		{ "lmc_plugin_restarts_total", "counter", "Starts after the first.", RESTARTS },
		{ "lmc_plugin_uptime_seconds", "gauge", "Since its last start.", UPTIME },
		{ "lmc_plugin_cpu_seconds", "gauge", "CPU time of its living processes.", CPU },
		{ "lmc_plugin_memory_bytes", "gauge", "Resident memory of its processes.", MEMORY },
		{ "lmc_plugin_processes", "gauge", "Its living processes.", PROCESSES },
		{ "lmc_plugin_lines_total", "counter", "Lines of output taken.", LINES },
		{ "lmc_plugin_dropped_lines_total", "counter", "Lines of output lost.", DROPPED },
	};
	const struct job *j;
	struct buf name;
	size_t i;

	look_at_family();
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help,
			   rows[i].name, rows[i].type);
		for (j = jobs; j; j = j->next) {
			name = (struct buf)BUF(4096);
			sink_escape(&name, j->plugin.file, strlen(j->plugin.file));
			buf_puts(out, rows[i].name);
			label(out, name.p ? name.p : "");
			buf_printf(out, " %.10g\n", figure(j, rows[i].f));
			buf_free(&name);
		}
	}
	buf_printf(out, "# HELP lmc_plugin_orphans_reaped_total Processes nobody waited for.\n"
		   "# TYPE lmc_plugin_orphans_reaped_total counter\n"
		   "lmc_plugin_orphans_reaped_total %llu\n", orphans_reaped);
}

static struct server server;
static struct listener listener;
static struct limits limits = LIMITS_DEFAULT;

static void answer(struct exchange *x, const char *type, void (*fill)(struct buf *))
{
	struct buf out = BUF(STATUS_MAX);

	fill(&out);
	if (out.bad)
		reply_detail(x, 500, "out of memory");
	else
		reply(x, 200, type, out.p, out.len);
	buf_free(&out);
}

/* The plugin that ?name= means, or NULL when it is answered already. */
static struct job *meant(struct exchange *x)
{
	struct span q = x->req->query;
	struct job *j = NULL;
	char *name;
	long n;

	if (q.n > 5 && memcmp(q.p, "name=", 5) == 0 && (name = malloc(q.n))) {
		n = url_decode(q.p + 5, q.n - 5, name);
		if (n >= 0)
			name[n] = 0;
		j = n >= 0 ? supervise_find(name) : NULL;
		free(name);
	}
	if (!j)
		reply_detail(x, 404, "no such plugin");
	return j;
}

static void stop(struct exchange *x)
{
	struct job *j = meant(x);

	if (!j)
		return;
	job_tell(j, "is told to stop");
	j->again = false;
	if (job_at_rest(j))
		j->state = JOB_STOPPED;
	else
		job_stop(j);
	reply_detail(x, 200, "stopping");
}

static void restart(struct exchange *x)
{
	struct job *j = meant(x);

	if (!j)
		return;
	job_tell(j, "is told to start again");
	j->failures = 0;
	j->due_ms = 0;
	j->again = true;
	if (!job_at_rest(j))
		job_stop(j);
	else
		job_quiet(j);
	reply_detail(x, 200, "starting");
}

static void on_request(struct exchange *x)
{
	struct span path = x->req->path;

	if (x->method == M_GET && span_is(path, "/plugins"))
		answer(x, "application/json", status_json);
	else if (x->method == M_GET && span_is(path, "/metrics"))
		answer(x, "text/plain; version=0.0.4; charset=utf-8", status_metrics);
	else if (x->method == M_POST && span_is(path, "/stop"))
		stop(x);
	else if (x->method == M_POST && span_is(path, "/restart"))
		restart(x);
	else
		reply_detail(x, 404, "not found");
}

int status_listen(const struct addr *a)
{
	limits.connections = 64;
	server.limits = &limits;
	server.on_request = on_request;
	return server_listen(&server, &listener, a);
}

void status_close(void)
{
	server_unlisten(&listener);
}
