/* test_sim.c - the demo's workload and its way of writing numbers
 * SPDX-License-Identifier: Apache-2.0
 */
#include <math.h>
#include <stdlib.h>

#include "../../applets/demo/sim.h"
#include "test.h"

static const struct rules worker = { .worker = true, .cpu = true, .disk = true, .remote = true };
static const struct rules scheduler = { .scheduler = true, .cpu = true, .disk = true, .remote = true };

enum { START = 1000000 };

static struct work *run(const struct rules *r, uint64_t seed, double seconds)
{
	struct work *w = malloc(sizeof *w);

	work_init(w, seed, 7, START);
	work_until(w, r, START + seconds);
	return w;
}

TEST(the_same_seed_gives_the_same_numbers_in_however_many_steps)
{
	struct work *once = run(&worker, 1, 900), *often = run(&worker, 1, 0.5), *other = run(&worker, 2, 900);
	int i;

	for (i = 1; i <= 1800; i++)
		work_until(often, &worker, START + i * 0.5);
	CHECK(!memcmp(once->count, often->count, sizeof once->count));
	CHECK(!memcmp(once->hist, often->hist, sizeof once->hist));
	CHECK(memcmp(once->count, other->count, sizeof once->count));
}

TEST(counters_only_rise)
{
	struct work *w = run(&worker, 3, 0);
	uint64_t before[COUNTERS];
	int i, k;

	for (i = 1; i < 600; i++) {
		memcpy(before, w->count, sizeof before);
		work_until(w, &worker, START + i);
		for (k = 0; k < COUNTERS; k++)
			CHECK(w->count[k] >= before[k]);
	}
	CHECK(w->count[C_num_hit_tokens] > 0);
}

TEST(what_is_held_is_the_sum_of_all_conversations_and_fits)
{
	struct work *w = run(&worker, 4, 0);
	uint32_t cpu, disk, remote;
	int i, d;

	for (i = 1; i < 400; i++) {
		work_until(w, &worker, START + i * 7);
		cpu = disk = remote = 0;
		for (d = 0; d < DOCS; d++) {
			cpu += w->doc[d].cpu;
			disk += w->doc[d].disk;
			remote += w->doc[d].remote;
		}
		CHECK_INT(w->cpu, cpu);
		CHECK_INT(w->disk, disk);
		CHECK_INT(w->remote, remote);
		CHECK(cpu <= CPU_CHUNKS);
		CHECK(disk <= DISK_CHUNKS);
	}
	CHECK(w->count[C_local_cpu_evict_keys_count] > 0);
}

TEST(a_scheduler_finds_what_its_workers_hold)
{
	struct work *s = run(&scheduler, 5, 1200), *w = run(&worker, 5, 1200);

	CHECK_INT(s->count[C_requests], w->count[C_requests]);
	CHECK_INT(s->count[C_num_lookup_requests], w->count[C_num_retrieve_requests]);
	CHECK_INT(s->count[C_num_lookup_tokens] - s->count[C_num_vllm_hit_tokens],
		  w->count[C_num_requested_tokens]);
	CHECK(s->count[C_num_lookup_hits] >= w->count[C_num_hit_tokens]);
	CHECK(s->count[C_num_lookup_hits] <= w->count[C_num_hit_tokens] + s->count[C_num_vllm_hit_tokens]);
	CHECK_INT(s->count[C_num_stored_tokens], w->count[C_num_stored_tokens]);
}

TEST(a_histogram_counts_every_value_once)
{
	struct work *w = run(&worker, 6, 900);
	uint64_t sum;
	int h, i;

	for (h = 0; h < HISTOGRAMS; h++) {
		for (sum = 0, i = 0; i <= hist_bounds[h]->n; i++)
			sum += w->hist[h].in[i];
		CHECK_INT(sum, w->hist[h].count);
	}
	CHECK_INT(w->hist[H_time_to_store].count, w->count[C_num_store_requests]);
	CHECK_INT(w->hist[H_retrieve_speed].count, w->hist[H_time_to_retrieve].count);
}

TEST(a_value_on_a_bound_belongs_below_it)
{
	struct work *w = run(&worker, 1, 0);

	memset(w->hist, 0, sizeof w->hist);
	work_see(w, H_request_cache_hit_rate, 0.1, 1);
	work_see(w, H_request_cache_hit_rate, 1, 2);
	work_see(w, H_request_cache_hit_rate, 1.5, 1);
	CHECK_INT(w->hist[H_request_cache_hit_rate].in[0], 1);
	CHECK_INT(w->hist[H_request_cache_hit_rate].in[9], 2);
	CHECK_INT(w->hist[H_request_cache_hit_rate].in[10], 1);
}

TEST(nothing_is_stored_while_frozen)
{
	struct rules frozen = worker;
	struct work *w = run(&worker, 8, 600);
	uint64_t stored = w->count[C_num_stored_tokens], asked = w->count[C_num_requested_tokens];

	frozen.freeze = true;
	work_until(w, &frozen, START + 700);
	CHECK_INT(w->count[C_num_stored_tokens], stored);
	CHECK(w->count[C_num_requested_tokens] > asked);
	work_until(w, &worker, START + 800);
	CHECK(w->count[C_num_stored_tokens] > stored);
}

TEST(a_cleared_cache_is_empty_and_fills_again)
{
	struct work *w = run(&worker, 9, 600);
	long held = (long)(w->cpu + w->disk + w->remote);
	uint64_t hits = w->count[C_num_hit_tokens];

	CHECK(held > 0);
	CHECK_INT(work_clear(w, true, true, true), held);
	CHECK_INT(w->cpu + w->disk + w->remote, 0);
	CHECK_INT(work_clear(w, true, true, true), 0);
	work_until(w, &worker, START + 660);
	CHECK(w->cpu > 0);
	CHECK(w->count[C_num_hit_tokens] > hits);
}

TEST(without_backends_there_are_no_hits)
{
	static const struct rules none = { .worker = true };
	struct work *w = run(&none, 10, 300);

	CHECK(w->count[C_num_requested_tokens] > 0);
	CHECK_INT(w->count[C_num_hit_tokens], 0);
	CHECK_INT(w->count[C_num_stored_tokens], 0);
}

TEST(a_node_left_alone_for_a_month_catches_up_at_once)
{
	struct work *w = run(&worker, 11, 0);
	double expected = 4 * 30 * 86400.0;

	work_until(w, &worker, START + 30 * 86400);
	CHECK(w->i < 200000);
	CHECK((double)w->count[C_requests] > 0.8 * expected);
	CHECK((double)w->count[C_requests] < 1.3 * expected);
	CHECK_INT(w->hist[H_time_to_store].count, w->count[C_num_store_requests]);
}

TEST(requests_in_flight_begin_and_end)
{
	struct work *w = run(&worker, 12, 600);
	int now = work_in_flight(w, START + 600);

	CHECK(now > 0 && now < FLIGHT);
	CHECK_INT(work_in_flight(w, START + 700), 0);
}

/* --- numbers and JSON ------------------------------------------------------ */

static const char *written(void (*put)(struct buf *, double), double v)
{
	static struct buf b = BUF(1024);

	buf_reset(&b);
	put(&b, v);
	return b.p;
}

TEST(floats_are_written_as_python_does)
{
	CHECK_STR(written(py_put_float, 0.1), "0.1");
	CHECK_STR(written(py_put_float, 1), "1.0");
	CHECK_STR(written(py_put_float, 0), "0.0");
	CHECK_STR(written(py_put_float, -0.0), "-0.0");
	CHECK_STR(written(py_put_float, 1e-05), "1e-05");
	CHECK_STR(written(py_put_float, 0.0001), "0.0001");
	CHECK_STR(written(py_put_float, 1e16), "1e+16");
	CHECK_STR(written(py_put_float, 1.5e300), "1.5e+300");
	CHECK_STR(written(py_put_float, 123456789012345680), "1.2345678901234568e+17");
	CHECK_STR(written(py_put_float, 1234567890123456), "1234567890123456.0");
	CHECK_STR(written(py_put_float, 1.0 / 3), "0.3333333333333333");
	CHECK_STR(written(py_put_float, 0.1 + 0.2), "0.30000000000000004");
	CHECK_STR(written(py_put_float, -INFINITY), "-inf");
	CHECK_STR(written(py_put_json_float, INFINITY), "Infinity");
	CHECK_STR(written(py_put_json_float, NAN), "NaN");
}

TEST(samples_are_written_as_prometheus_client_does)
{
	CHECK_STR(written(prom_put_float, 389), "389.0");
	CHECK_STR(written(prom_put_float, 999999), "999999.0");
	CHECK_STR(written(prom_put_float, 1000000), "1e+06");
	CHECK_STR(written(prom_put_float, 1610612736), "1.610612736e+09");
	CHECK_STR(written(prom_put_float, 1795408188.8769283), "1.7954081888769283e+09");
	CHECK_STR(written(prom_put_float, 43298848768), "4.3298848768e+010");
	CHECK_STR(written(prom_put_float, 0.8125), "0.8125");
	CHECK_STR(written(prom_put_float, 1e-05), "1e-05");
	CHECK_STR(written(prom_put_float, INFINITY), "+Inf");
}

static const char *indented(const char *json)
{
	static struct buf b = BUF(4096);

	buf_reset(&b);
	py_put_indented(&b, json, strlen(json));
	return b.p;
}

TEST(json_is_indented_as_python_does)
{
	CHECK_STR(indented("{}"), "{}");
	CHECK_STR(indented("{\"a\":[],\"b\":{}}"), "{\n  \"a\": [],\n  \"b\": {}\n}");
	CHECK_STR(indented("{\"a\":[1,{\"b\":null}]}"),
		  "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ]\n}");
	CHECK_STR(indented("\"a,b:{\\\"}\""), "\"a,b:{\\\"}\"");
	CHECK_STR(indented("\"gr\xc3\xbc\xc3\x9f" "e \xf0\x9f\x9a\x80\""), "\"gr\\u00fc\\u00dfe \\ud83d\\ude80\"");
}

static const char *value(const char *text, bool *good)
{
	static struct buf b = BUF(4096);
	static struct json_error e;
	struct json j;

	if (json_parse(&j, text, strlen(text), JSON_MAX, JSON_INF | JSON_SURROGATE, &e) < 0)
		return e.what;
	buf_reset(&b);
	*good = py_put_value(&b, &j, 0);
	json_free(&j);
	return b.p;
}

TEST(values_lose_what_python_forgets)
{
	bool good;

	CHECK_STR(value(" { \"a\" : [ 1.50 , 1E5, -0, 12345678901234567890 ] } ", &good),
		  "{\"a\":[1.5,100000.0,0,12345678901234567890]}");
	CHECK(good);
	CHECK_STR(value("\"\\u0041\\/\\u00fc\\ud83d\\ude80\\u0001\\n\\\"\"", &good),
		  "\"A/\xc3\xbc\xf0\x9f\x9a\x80\\u0001\\n\\\"\"");
	CHECK(good);
	CHECK_STR(value("[NaN]", &good), "[NaN]");
	CHECK(!good);
	CHECK_STR(value("-Infinity", &good), "-Infinity");
	CHECK(!good);
	CHECK_STR(value("\"\\ud800\"", &good), "\"\\ud800\"");
	CHECK(!good);
}
