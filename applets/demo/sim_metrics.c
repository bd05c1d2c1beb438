/* sim_metrics.c - the exposition of a simulated node
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

enum kind { COUNTER_ROW, GAUGE_ROW, HISTOGRAM_ROW };

static const struct family {
	enum kind   kind;
	int         id;
	const char *name;
	enum role   roles;
	const char *help;
} families[] = {
#define COUNTER(id, roles, help) { COUNTER_ROW, C_##id, "lmcache:" #id, roles, help },
#define GAUGE(id, roles, help) { GAUGE_ROW, G_##id, "lmcache:" #id, roles, help },
#define HISTOGRAM(id, roles, bounds, help) { HISTOGRAM_ROW, H_##id, "lmcache:" #id, roles, help },
#include "families.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

void metrics_labels(struct sim *s)
{
	static const char *const roles[] = {
		[SCHEDULER] = "scheduler", [WORKER] = "worker", [BOTH] = "mp"
	};
	struct buf b = BUF(4096);

	buf_printf(&b, "model_name=\"%s\",role=\"%s\",served_model_name=\"%s\",worker_id=\"%d\"",
		   SIM_MODEL, roles[s->role], SIM_SERVED,
		   s->worker_id < 0 ? 0 : s->worker_id);
	s->labels = b.p;
}

static void head(struct buf *b, const char *name, const char *suffix,
		 const char *type, const char *help)
{
	buf_printf(b, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix, type);
}

static void sample(struct buf *b, const char *name, const char *suffix,
		   const char *labels, double v)
{
	buf_puts(b, name);
	buf_puts(b, suffix);
	if (labels && *labels) {
		buf_putc(b, '{');
		buf_puts(b, labels);
		buf_putc(b, '}');
	}
	buf_putc(b, ' ');
	prom_put_float(b, v);
	buf_putc(b, '\n');
}

static void created(struct buf *b, const char *name, const char *help,
		    const char *labels, double at)
{
	head(b, name, "_created", "gauge", help);
	sample(b, name, "_created", labels, at);
}

/* le is the first label, as prometheus_client sorts them. */
static void buckets(struct buf *b, const char *name, const char *labels,
		    const struct hist *h, const struct bounds *bounds)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i <= bounds->n; i++) {
		sum += h->in[i];
		buf_printf(b, "%s_bucket{le=\"", name);
		if (i < bounds->n)
			prom_put_float(b, bounds->le[i]);
		else
			buf_puts(b, "+Inf");
		buf_printf(b, "\"%s%s} ", *labels ? "," : "", labels);
		prom_put_float(b, (double)sum);
		buf_putc(b, '\n');
	}
	sample(b, name, "_count", labels, (double)h->count);
	sample(b, name, "_sum", labels, h->sum);
}

static void print_family(const struct sim *s, struct buf *b, const struct family *f,
			 const double *gauges)
{
	const struct work *w = &s->work;
	bool shown = f->roles & s->role;

	if (f->kind == COUNTER_ROW) {
		head(b, f->name, "_total", "counter", f->help);
		if (!shown)
			return;
		sample(b, f->name, "_total", s->labels, (double)w->count[f->id]);
		created(b, f->name, f->help, s->labels, w->created);
	} else if (f->kind == GAUGE_ROW) {
		head(b, f->name, "", "gauge", f->help);
		if (shown)
			sample(b, f->name, "", s->labels, gauges[f->id]);
	} else {
		head(b, f->name, "", "histogram", f->help);
		if (!shown || !w->hist[f->id].count)
			return;
		buckets(b, f->name, s->labels, &w->hist[f->id], hist_bounds[f->id]);
		created(b, f->name, f->help, s->labels, w->created);
	}
}

/* --- gauges --------------------------------------------------------------------- */

static void count_periodics(double *g)
{
	static const struct { const char *level; int total; } rows[] = {
		{ "critical", G_periodic_threads_critical_total },
		{ "high",     G_periodic_threads_high_total },
		{ "medium",   G_periodic_threads_medium_total },
		{ "low",      G_periodic_threads_low_total },
	};
	const struct periodic *p;
	size_t i;

	for (p = periodics; p->name; p++) {
		g[G_periodic_threads_total_count]++;
		g[G_periodic_threads_running_count] += p->runs;
		g[G_periodic_threads_active_count] += p->runs;
		for (i = 0; i < sizeof rows / sizeof *rows; i++) {
			if (strcmp(rows[i].level, p->level))
				continue;
			/* total, running, active stand in this order */
			g[rows[i].total]++;
			g[rows[i].total + 1] += p->runs;
			g[rows[i].total + 2] += p->runs;
		}
	}
}

static void scheduler_gauges(const struct sim *s, double *g, int flight)
{
	const struct work *w = &s->work;

	g[G_scheduler_unfinished_requests_count] = flight;
	g[G_connector_request_trackers_count] = flight;
	g[G_connector_requests_priority_count] = flight;
	g[G_connector_load_specs_count] = flight / 3;
	g[G_chunk_statistics_enabled] = s->statistics;
	g[G_chunk_statistics_total_requests] = (double)w->count[C_stat_requests];
	g[G_chunk_statistics_total_chunks] = (double)w->count[C_stat_chunks];
	g[G_chunk_statistics_unique_chunks] = (double)w->count[C_stat_unique];
	if (w->count[C_stat_chunks])
		g[G_chunk_statistics_reuse_rate] = 1 - (double)w->count[C_stat_unique] /
			(double)w->count[C_stat_chunks];
}

static void worker_gauges(const struct sim *s, double *g, int flight)
{
	const struct work *w = &s->work;

	g[G_retrieve_hit_rate] = w->retrieve_rate;
	g[G_local_cache_usage] = (double)w->cpu * CHUNK_BYTES;
	g[G_local_storage_usage] = (double)w->disk * CHUNK_BYTES;
	g[G_remote_cache_usage] = (double)w->remote * CHUNK_BYTES;
	g[G_active_memory_objs_count] = w->cpu;
	g[G_pinned_memory_objs_count] = flight / 2;
	g[G_pin_monitor_pinned_objects_count] = flight / 2;
	g[G_local_cpu_hot_cache_count] = s->hot ? w->cpu : 0;
	g[G_local_cpu_keys_in_request_count] = flight;
	g[G_connector_kv_caches_count] = LAYERS;
	g[G_remote_put_task_num] = s->freeze ? 0 : flight / 4;
	g[G_storage_events_done_count] = (double)w->count[C_num_retrieve_requests];
	g[G_remote_ping_latency] = w->ping_ms;
}

static void fill_gauges(const struct sim *s, double *g, double now)
{
	int flight = work_in_flight(&s->work, now);

	memset(g, 0, sizeof(double) * GAUGES);
	g[G_lmcache_is_healthy] = 1;
	g[G_lookup_hit_rate] = s->work.lookup_rate;
	count_periodics(g);
	if (s->role & SCHEDULER)
		scheduler_gauges(s, g, flight);
	if (s->role & WORKER)
		worker_gauges(s, g, flight);
}

/* --- the interpreter that is not there -------------------------------------------- */

static void print_python(struct buf *b, const struct work *w, double now)
{
	static const struct { const char *name, *help; double per_second[3]; } gc[] = {
		{ "python_gc_objects_collected_total", "Objects collected during gc", { 2, 0.4, 0.1 } },
		{ "python_gc_objects_uncollectable_total", "Uncollectable object found during GC", { 0, 0, 0 } },
		{ "python_gc_collections_total", "Number of times this generation was collected", { 0.6, 0.05, 0.004 } },
	};
	double up = now - w->start;
	char label[32];
	size_t i;
	int k;

	for (i = 0; i < sizeof gc / sizeof *gc; i++) {
		head(b, gc[i].name, "", "counter", gc[i].help);
		for (k = 0; k < 3; k++) {
			snprintf(label, sizeof label, "generation=\"%d\"", k);
			sample(b, gc[i].name, "", label, (double)(long)(gc[i].per_second[k] * up));
		}
	}
	head(b, "python_info", "", "gauge", "Python platform information");
	sample(b, "python_info", "", "implementation=\"CPython\",major=\"3\",minor=\"11\","
	       "patchlevel=\"2\",version=\"3.11.2\"", 1);
}

static void print_process(struct buf *b, const struct work *w, double now)
{
	const struct { const char *name, *help, *type; double v; } rows[] = {
		{ "process_virtual_memory_bytes", "Virtual memory size in bytes.", "gauge", 3.2e10 },
		{ "process_resident_memory_bytes", "Resident memory size in bytes.", "gauge",
		  2.1e9 + (double)w->cpu * CHUNK_BYTES },
		{ "process_start_time_seconds",
		  "Start time of the process since unix epoch in seconds.", "gauge", w->start },
		{ "process_cpu_seconds_total",
		  "Total user and system CPU time spent in seconds.", "counter",
		  (double)(long)(0.31 * (now - w->start) * 100) / 100 },
		{ "process_open_fds", "Number of open file descriptors.", "gauge",
		  40 + work_in_flight(w, now) },
		{ "process_max_fds", "Maximum number of open file descriptors.", "gauge", 1048576 },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		head(b, rows[i].name, "", rows[i].type, rows[i].help);
		sample(b, rows[i].name, "", NULL, rows[i].v);
	}
}

/* --- MP dialect --------------------------------------------------------------------- */

#define TENANT "cache_salt=\"_default\""
#define ASKED  "cache_salt=\"_default\",model_name=\"" SIM_MODEL "\""
#define FS     "l2_name=\"fs\""
#define FS0    "adapter_index=\"0\",l2_name=\"fs\""
#define ENGINE "device=\"cuda:0\",engine_id=\"0\",model_name=\"" SIM_MODEL "\""

/* A counter's unit and _total are part of the name, as the exporter builds it. */
static const struct mp_family {
	const char *name, *labels;
	enum counter id;
	const char *help;
} mp_counters[] = {
	{ "lookup_requested_tokens_total", ASKED, C_num_lookup_tokens, "Tokens requested by lookups" },
	{ "lookup_hit_tokens_total", ASKED, C_num_lookup_hits, "Tokens that lookups found in L1 or L2" },
	{ "l1_read_chunks_total", TENANT, C_l1_read, "Chunks read from L1" },
	{ "l1_write_chunks_total", TENANT, C_l1_write, "Chunks written to L1" },
	{ "l1_evicted_chunks_total", TENANT, C_local_cpu_evict_keys_count, "Chunks evicted from L1" },
	{ "l1_eviction_loop_triggered_total", "", C_triggered, "Eviction-loop iterations that evicted" },
	{ "l1_allocation_failure_chunks_total", "during=\"l1_store\",model_name=\"" SIM_MODEL "\"",
	  C_local_cpu_evict_failed_count, "Chunks that found no room in L1" },
	{ "l1_read_failure_chunks_total", "during=\"l1_retrieve\",model_name=\"" SIM_MODEL "\",reason=\"not_found\"",
	  C_forced_unpin_count, "Chunks that were gone when L1 was read" },
	{ "l2_store_submitted_requests_total", "", C_l2_stores, "Stores handed to L2" },
	{ "l2_store_submitted_objects_chunks_total", TENANT, C_l2_stored, "Chunks handed to L2" },
	{ "l2_store_completed_requests_total", FS, C_l2_stores, "Stores that L2 completed" },
	{ "l2_store_completed_objects_chunks_total", TENANT, C_l2_stored, "Chunks that L2 stored" },
	{ "l2_prefetch_lookup_requests_total", "", C_num_lookup_requests, "Lookups in L2" },
	{ "l2_prefetch_hit_chunks_total", "", C_l2_loaded, "Chunks that lookups found in L2" },
	{ "l2_prefetch_load_submitted_requests_total", "", C_l2_loads, "Loads asked of L2" },
	{ "l2_prefetch_load_submitted_objects_chunks_total", TENANT, C_l2_loaded, "Chunks asked of L2" },
	{ "l2_prefetch_load_completed_chunks_total", TENANT, C_l2_loaded, "Chunks loaded from L2" },
	{ "l2_load_completed_requests_total", FS, C_l2_loads, "Loads that L2 completed" },
	{ "l2_prefetch_failure_chunks_total", "model_name=\"" SIM_MODEL "\",reason=\"l1_oom\"",
	  C_local_cpu_evict_failed_count, "Chunks that L2 had and that did not arrive" },
	{ "l2_evicted_chunks_total", TENANT, C_l2_evicted, "Chunks evicted from L2" },
	{ "num_chunks_loaded_total", ASKED ",worker_id=\"0\"", C_l1_read, "Chunks loaded into an engine" },
	{ "num_submitted_stores_total", "device=\"cuda:0\"", C_num_store_requests, "Stores enqueued on a device" },
	{ "num_finished_stores_total", "device=\"cuda:0\"", C_num_store_requests, "Stores a device completed" },
	{ "num_submitted_retrieves_total", "device=\"cuda:0\"", C_num_retrieve_requests, "Retrieves enqueued on a device" },
	{ "num_finished_retrieves_total", "device=\"cuda:0\"", C_num_retrieve_requests, "Retrieves a device completed" },
	{ NULL, NULL, 0, NULL }
};

static void print_mp_gauges(const struct sim *s, struct buf *b, double now)
{
	const struct work *w = &s->work;
	int flight = work_in_flight(w, now), loads = flight / 3;
	const struct { const char *name, *labels, *type; double v; const char *help; } rows[] = {
		{ "l1_eviction_loop_ticks_total", "", "counter", (double)(long)(now - w->created),
		  "Eviction-loop iterations" },
		{ "l1_memory_usage_bytes", "", "gauge", (double)w->cpu * CHUNK_BYTES, "Bytes held in L1" },
		{ "l1_usage_ratio", "", "gauge", (double)w->cpu / CPU_CHUNKS, "Share of L1 in use" },
		{ "l2_usage_bytes", FS, "gauge", (double)w->disk * CHUNK_BYTES, "Bytes held in L2" },
		{ "active_prefetch_jobs", "", "gauge", loads, "Prefetch jobs under way" },
		{ "num_inflight_l2_stores", FS0, "gauge", flight / 4, "L2 stores under way" },
		{ "num_inflight_l2_loads", FS0, "gauge", loads, "L2 loads under way" },
		{ "inflight_load_memory_usage_bytes", FS0, "gauge", (double)loads * 6 * CHUNK_BYTES,
		  "L1 bytes reserved by loads under way" },
		{ "event_bus_queue_depth", "", "gauge", flight, "Events that wait in the bus" },
		{ "event_bus_drain_lag_seconds", "", "gauge", flight * 0.0001, "Age of the oldest waiting event" },
		{ "event_bus_dropped_events_total", "", "counter", 0, "Events dropped by the bus" },
	};
	char name[96];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(name, sizeof name, "lmcache_mp_%s", rows[i].name);
		head(b, name, "", rows[i].type, rows[i].help);
		sample(b, name, "", rows[i].labels, rows[i].v);
	}
}

static void print_mp(const struct sim *s, struct buf *b, double now)
{
	static const struct { const char *name, *labels; enum histogram id; const char *help; } hists[] = {
		{ "lmcache_mp_l1_chunk_lifetime_seconds", "", H_mp_lifetime, "Time from allocation to eviction" },
		{ "lmcache_mp_l0_l1_store_throughput_GB_per_second", ENGINE, H_mp_store_speed,
		  "Speed of copies from the device" },
		{ "lmcache_mp_l0_l1_load_throughput_GB_per_second", ENGINE, H_mp_load_speed,
		  "Speed of copies to the device" },
	};
	const struct mp_family *f;
	char name[96], labels[160];
	size_t i;

	head(b, "target_info", "", "gauge", "Target metadata");
	snprintf(labels, sizeof labels, "service_instance_id=\"%.64s\",service_name=\"lmcache\"", s->instance);
	sample(b, "target_info", "", labels, 1);
	for (f = mp_counters; f->name; f++) {
		snprintf(name, sizeof name, "lmcache_mp_%s", f->name);
		head(b, name, "", "counter", f->help);
		sample(b, name, "", f->labels, (double)s->work.count[f->id]);
	}
	print_mp_gauges(s, b, now);
	for (i = 0; i < sizeof hists / sizeof *hists; i++) {
		const struct hist *h = &s->work.hist[hists[i].id];

		head(b, hists[i].name, "", "histogram", hists[i].help);
		if (h->count)
			buckets(b, hists[i].name, hists[i].labels, h, hist_bounds[hists[i].id]);
	}
}

void metrics_print(struct sim *s, struct buf *b, double now)
{
	double gauges[GAUGES];
	size_t i;

	print_python(b, &s->work, now);
	print_process(b, &s->work, now);
	if (s->dialect == MP) {
		print_mp(s, b, now);
		return;
	}
	fill_gauges(s, gauges, now);
	for (i = 0; i < sizeof families / sizeof *families; i++)
		print_family(s, b, &families[i], gauges);
}
