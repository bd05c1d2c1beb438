/* sim_work.c - the workload that a simulated node pretends to serve
 * SPDX-License-Identifier: Apache-2.0
 *
 * People talk with a model. A request either opens a conversation or goes on
 * with one; its prompt is all that was said before, so its leading chunks may
 * be cached. All numbers of the node follow from this one stream. What is
 * asked depends only on the seed and the request's number, never on the
 * node's state: two workers of one instance see the same requests.
 */
#include <math.h>
#include <string.h>

#include "sim.h"

enum {
	NOBODY    = DOCS,
	LONGEST   = 40,		/* chunks of a conversation */
	CATCH_UP  = 50000,	/* requests replayed one by one at most */
	LOG_EVERY = 10		/* seconds between two statistics */
};

const struct bounds
le_tiny = { 20, { 1e-05, 2e-05, 4e-05, 8e-05, 0.00016, 0.00032, 0.00064, 0.00128,
	0.00256, 0.00512, 0.01024, 0.02048, 0.04096, 0.08192, 0.16384, 0.32768,
	0.65536, 1.31072, 2.62144, 5.24288 } },
le_secs = { 16, { 0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
	1, 2.5, 5, 7.5, 10 } },
le_millis = { 16, { 1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000,
	7500, 10000 } },
le_speed = { 15, { 1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384,
	32768, 65536 } },
le_share = { 10, { 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1 } },
le_minutes = { 15, { 0, 1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500,
	5000 } },
le_gigabytes = { 10, { 0.5, 1, 2, 4, 8, 12, 16, 24, 32, 64 } },
le_ages = { 10, { 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600 } };

const struct bounds *const hist_bounds[HISTOGRAMS] = {
#define COUNTER(id, roles, help)
#define GAUGE(id, roles, help)
#define HISTOGRAM(id, roles, bounds, help) [H_##id] = &le_##bounds,
#include "families.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	[H_mp_lifetime]    = &le_ages,
	[H_mp_store_speed] = &le_gigabytes,
	[H_mp_load_speed]  = &le_gigabytes,
};

/* splitmix64's finisher: every bit of the result depends on every bit given */
uint64_t work_hash(uint64_t a, uint64_t b)
{
	uint64_t z = a + 0x9e3779b97f4a7c15u * (b + 1);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

double work_dice(uint64_t seed, uint64_t i, uint64_t k)
{
	return (double)(work_hash(work_hash(seed, i), k) >> 11) * 0x1p-53;
}

void work_see(struct work *w, enum histogram h, double value, uint64_t times)
{
	const struct bounds *b = hist_bounds[h];
	int i = 0;

	while (i < b->n && value > b->le[i])
		i++;
	w->hist[h].in[i] += times;
	w->hist[h].count += times;
	w->hist[h].sum += value * (double)times;
}

void work_init(struct work *w, uint64_t seed, uint64_t salt, double start)
{
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->salt = work_hash(seed, salt);
	w->rate = 4;
	w->start = w->created = start;
	w->head = POPULAR;
	w->disk_tail = 1;
	w->newest = w->oldest = NOBODY;
	w->ping_ms = 0.7;
}

void work_reset(struct work *w, double wall)
{
	memset(w->count, 0, sizeof w->count);
	memset(w->hist, 0, sizeof w->hist);
	w->created = wall;
}

/* --- where chunks are ---------------------------------------------------- */

static void unlist(struct work *w, uint16_t d)
{
	struct doc *doc = &w->doc[d];

	if (!doc->listed)
		return;
	*(doc->newer == NOBODY ? &w->newest : &w->doc[doc->newer].older) = doc->older;
	*(doc->older == NOBODY ? &w->oldest : &w->doc[doc->older].newer) = doc->newer;
	doc->listed = false;
}

static void list_first(struct work *w, uint16_t d)
{
	struct doc *doc = &w->doc[d];

	unlist(w, d);
	doc->newer = NOBODY;
	doc->older = w->newest;
	*(w->newest == NOBODY ? &w->oldest : &w->doc[w->newest].newer) = d;
	w->newest = d;
	doc->listed = true;
}

static void evict(struct work *w, uint16_t d, uint64_t times)
{
	struct doc *doc = &w->doc[d];
	double age = w->next - (double)doc->born;

	unlist(w, d);
	if (!doc->cpu)
		return;
	w->count[C_local_cpu_evict_count] += times;
	w->count[C_local_cpu_evict_keys_count] += doc->cpu * times;
	if (w->next - w->evicted >= 1) {	/* the loop turns once a second */
		w->evicted = w->next;
		w->count[C_triggered]++;
	}
	work_see(w, H_request_cache_lifespan, age / 60, times);
	work_see(w, H_mp_lifetime, age, times);
	w->cpu -= doc->cpu;
	doc->cpu = 0;
}

static void keep_in_cpu(struct work *w, uint16_t d, uint16_t chunks, uint64_t times)
{
	struct doc *doc = &w->doc[d];

	if (chunks > doc->cpu) {
		w->cpu += (uint32_t)(chunks - doc->cpu);
		doc->cpu = chunks;
	}
	list_first(w, d);
	while (w->cpu > CPU_CHUNKS && w->oldest != d && w->oldest != NOBODY)
		evict(w, w->oldest, times);
}

/* The disk keeps the newest conversations; one that was dropped and is told
 * again is among the first to go. */
static void keep_on_disk(struct work *w, uint16_t d, uint16_t chunks, uint64_t times)
{
	uint32_t number = w->head - (w->head - d) % DOCS;
	struct doc *old;

	if (number < w->disk_tail)
		w->disk_tail = number;
	if (chunks > w->doc[d].disk) {
		w->disk += (uint32_t)(chunks - w->doc[d].disk);
		w->doc[d].disk = chunks;
	}
	while (w->disk > DISK_CHUNKS && w->disk_tail < w->head) {
		old = &w->doc[w->disk_tail++ % DOCS];
		w->disk -= old->disk;
		w->count[C_l2_evicted] += old->disk * times;
		old->disk = 0;
	}
}

static void keep_remote(struct work *w, uint16_t d, uint16_t chunks)
{
	if (chunks > w->doc[d].remote) {
		w->remote += (uint32_t)(chunks - w->doc[d].remote);
		w->doc[d].remote = chunks;
	}
}

static void open_conversation(struct work *w, uint64_t times)
{
	uint16_t d = (uint16_t)(++w->head % DOCS);
	struct doc *doc = &w->doc[d];

	evict(w, d, times);
	w->disk -= doc->disk;
	w->remote -= doc->remote;
	memset(doc, 0, sizeof *doc);
	doc->born = (float)w->next;
	if (w->head - w->disk_tail >= DOCS)
		w->disk_tail = w->head - DOCS + 1;
}

long work_clear(struct work *w, bool cpu, bool disk, bool remote)
{
	long n = 0;
	int i;

	for (i = 0; i < DOCS; i++) {
		struct doc *doc = &w->doc[i];

		n += (cpu ? doc->cpu : 0) + (disk ? doc->disk : 0) + (remote ? doc->remote : 0);
		if (cpu)
			doc->cpu = 0;
		if (disk)
			doc->disk = 0;
		if (remote)
			doc->remote = 0;
		if (cpu)
			unlist(w, (uint16_t)i);
	}
	w->cpu = cpu ? 0 : w->cpu;
	w->disk = disk ? 0 : w->disk;
	w->remote = remote ? 0 : w->remote;
	return n;
}

/* --- one request ---------------------------------------------------------- */

struct request {
	uint16_t d;
	uint16_t size;		/* whole chunks of the prompt */
	uint32_t prompt, vllm;	/* tokens; of these vLLM itself has */
	uint16_t cpu, disk, remote;	/* chunks found, and there only */
	uint64_t times;
};

static uint16_t over(uint16_t a, uint16_t b)
{
	return a > b ? (uint16_t)(a - b) : 0;
}

static uint16_t found(const struct request *q)
{
	return (uint16_t)(q->cpu + q->disk + q->remote);
}

static void draw(struct work *w, struct request *q)
{
	double dice[6];
	struct doc *doc;
	uint32_t rank;
	int k;

	for (k = 0; k < 6; k++)
		dice[k] = work_dice(w->seed, w->i, (uint64_t)k);
	if (dice[0] < 0.15)
		open_conversation(w, q->times);
	rank = (uint32_t)(POPULAR * dice[1] * dice[1] * sqrt(sqrt(dice[1])));
	q->d = (uint16_t)((w->head - rank) % DOCS);
	doc = &w->doc[q->d];
	q->size = (uint16_t)(doc->size ? doc->size + dice[2] * 4 : 1 + dice[2] * 12);
	if (q->size > LONGEST)
		q->size = LONGEST;
	q->prompt = (uint32_t)(q->size * CHUNK + 1 + dice[3] * (CHUNK - 1));
	q->vllm = rank < 3 && dice[4] < 0.5 ?
		(uint32_t)(doc->size * dice[5]) * CHUNK : 0;
}

static void find(const struct work *w, const struct rules *r, struct request *q)
{
	const struct doc *doc = &w->doc[q->d];

	q->cpu = r->cpu ? doc->cpu : 0;
	q->disk = r->disk ? over(doc->disk, q->cpu) : 0;
	q->remote = r->remote ? over(doc->remote, (uint16_t)(q->cpu + q->disk)) : 0;
}

static double wobble(const struct work *w, int k)
{
	return 0.7 + 0.6 * work_dice(w->salt, w->i, (uint64_t)k);
}

static void look_up(struct work *w, const struct rules *r, const struct request *q)
{
	uint64_t hit = (uint64_t)found(q) * CHUNK;

	w->since[2] += q->prompt * q->times;
	w->since[3] += hit * q->times;
	w->count[C_num_lookup_requests] += q->times;
	w->count[C_num_lookup_tokens] += q->prompt * q->times;
	w->count[C_num_lookup_hits] += hit * q->times;
	w->count[C_num_prompt_tokens] += q->prompt * q->times;
	w->count[C_num_vllm_hit_tokens] += q->vllm * q->times;
	if (!hit)
		w->count[C_lookup_0_hit_requests] += q->times;
	work_see(w, H_time_to_lookup, (0.0002 + q->size * 0.00002) * wobble(w, 10), q->times);
	work_see(w, H_request_cache_hit_rate, (double)hit / q->prompt, q->times);
	if (r->statistics) {
		w->count[C_stat_requests] += q->times;
		w->count[C_stat_chunks] += q->size * q->times;
		w->count[C_stat_unique] += over(q->size, w->doc[q->d].size) * q->times;
	}
}

static void read_remote(struct work *w, const struct request *q)
{
	double s = q->remote * 0.004 * wobble(w, 20);

	if (!q->remote)
		return;
	w->count[C_num_remote_read_requests] += q->times;
	w->count[C_num_remote_read_bytes] += q->times * q->remote * (uint64_t)CHUNK_BYTES;
	work_see(w, H_remote_time_to_get, s * 1000, q->times);
	work_see(w, H_remote_time_to_get_sync, s * 1010, q->times);
	work_see(w, H_remote_backend_batched_get_blocking_time, s * 1.02, q->times);
	work_see(w, H_instrumented_connector_batched_get_time, s * 0.97, q->times);
}

static void retrieve(struct work *w, const struct rules *r, const struct request *q)
{
	uint32_t hit = (uint32_t)found(q) * CHUNK, got;
	double s;

	got = hit > q->vllm ? hit - q->vllm : 0;
	if (got && got < r->min_tokens)
		return;
	w->since[0] += (q->prompt - q->vllm) * q->times;
	w->since[1] += got * q->times;
	w->count[C_num_requested_tokens] += (q->prompt - q->vllm) * q->times;
	w->count[C_num_hit_tokens] += got * q->times;
	w->count[C_num_retrieve_requests] += q->times;
	if (!got)
		return;
	s = (0.001 + q->cpu * 0.0035 + q->disk * 0.009 + q->remote * 0.02) * wobble(w, 21);
	work_see(w, H_time_to_retrieve, s, q->times);
	work_see(w, H_retrieve_speed, got / s, q->times);
	work_see(w, H_retrieve_process_tokens_time, s * 0.08, q->times);
	work_see(w, H_retrieve_broadcast_time, s * 0.02, q->times);
	work_see(w, H_retrieve_to_gpu_time, s * 0.55, q->times);
	work_see(w, H_mp_load_speed, (double)got / CHUNK * CHUNK_BYTES / (s * 0.1) / 1e9, q->times);
	w->count[C_num_slow_retrieval_by_time] += s > 0.5 ? q->times : 0;
	w->count[C_num_slow_retrieval_by_speed] += got / s < 11000 ? q->times : 0;
	w->count[C_l1_read] += q->times * got / CHUNK;
	w->count[C_l2_loads] += q->disk ? q->times : 0;
	w->count[C_l2_loaded] += q->disk * q->times;
	read_remote(w, q);
	if (r->cpu && !r->freeze)
		keep_in_cpu(w, q->d, found(q), q->times);
}

static void store_remote(struct work *w, const struct request *q, uint16_t fresh)
{
	keep_remote(w, q->d, q->size);
	w->count[C_num_remote_write_requests] += q->times;
	w->count[C_num_remote_write_bytes] += q->times * fresh * (uint64_t)CHUNK_BYTES;
	work_see(w, H_remote_time_to_put, fresh * 5.5 * wobble(w, 31), q->times);
}

static void store(struct work *w, const struct rules *r, const struct request *q)
{
	uint16_t fresh = over(q->size, found(q));
	double tokens = (double)fresh * CHUNK, s;

	if (!fresh || r->freeze || (!r->cpu && !r->disk && !r->remote))
		return;
	s = (0.002 + fresh * 0.006) * wobble(w, 30);
	w->count[C_num_store_requests] += q->times;
	w->count[C_num_stored_tokens] += q->times * fresh * CHUNK;
	work_see(w, H_time_to_store, s, q->times);
	work_see(w, H_store_speed, tokens / s, q->times);
	work_see(w, H_store_process_tokens_time, s * 0.1, q->times);
	work_see(w, H_store_from_gpu_time, s * 0.55, q->times);
	work_see(w, H_store_put_time, s * 0.3, q->times);
	work_see(w, H_mp_store_speed, (double)fresh * CHUNK_BYTES / (s * 0.1) / 1e9, q->times);
	if (r->remote)
		store_remote(w, q, fresh);
	if (r->cpu) {
		w->count[C_l1_write] += q->times * fresh;
		keep_in_cpu(w, q->d, q->size, q->times);
	}
	if (r->disk) {
		w->count[C_l2_stores] += q->times;
		w->count[C_l2_stored] += q->times * fresh;
		keep_on_disk(w, q->d, q->size, q->times);
	}
}

static void serve(struct work *w, const struct rules *r, uint64_t times)
{
	struct request q = { .times = times };

	draw(w, &q);
	find(w, r, &q);
	w->count[C_requests] += times;
	w->ends[w->i % FLIGHT] = w->next + 0.4 + q.prompt / 9000.0 +
		4 * work_dice(w->seed, w->i, 7);
	if (r->scheduler)
		look_up(w, r, &q);
	if (r->worker)
		retrieve(w, r, &q);
	/* the scheduler keeps the same books, to know what its workers hold */
	if (r->worker || r->scheduler)
		store(w, r, &q);
	w->doc[q.d].size = q.size;
	w->i++;
}

static void write_statistics(struct work *w, const struct rules *r)
{
	bool lost = work_dice(w->salt, (uint64_t)w->logged, 40) < 0.004;

	if (w->since[0])
		w->retrieve_rate = (double)w->since[1] / (double)w->since[0];
	if (w->since[2])
		w->lookup_rate = (double)w->since[3] / (double)w->since[2];
	memset(w->since, 0, sizeof w->since);
	w->ping_ms = 0.5 + 0.5 * work_dice(w->salt, (uint64_t)w->logged, 41);
	if (r->remote)
		w->count[lost ? C_remote_ping_errors : C_remote_ping_successes]++;
}

/* sin(2 pi turns) and log(x), 0 < x <= 1, to twelve digits: libm's are exact
 * to the last, and 20 kB with their tables. */
static double wave(double turns)
{
	double x = 2 * M_PI * (turns - floor(turns + 0.5)), term = x, sum = x;
	int k;

	for (k = 1; k <= 12; k++)
		sum += term *= -x * x / (2 * k * (2 * k + 1));
	return sum;
}

static double ln(double x)
{
	int e, k;
	double m = frexp(x, &e), y = (m - 1) / (m + 1), power = y, sum = 0;

	for (k = 1; k < 26; k += 2, power *= y * y)
		sum += power / k;
	return 2 * sum + e * M_LN2;
}

/* Slow waves, so that a chart of ten minutes has a shape. */
static double rate_at(const struct work *w, double t)
{
	return w->rate * (1 + 0.5 * wave(t / 600) + 0.2 * wave(t / 97));
}

void work_until(struct work *w, const struct rules *r, double wall)
{
	double now = wall - w->start, gap;
	uint64_t times = 1;

	if (w->next + CATCH_UP / w->rate < now)
		times += (uint64_t)((now - w->next) * w->rate / CATCH_UP);
	while (w->next <= now) {
		while (w->logged + LOG_EVERY <= w->next) {
			w->logged += LOG_EVERY * (double)times;
			write_statistics(w, r);
		}
		serve(w, r, times);
		gap = -ln(1 - work_dice(w->seed, w->i, 8)) / rate_at(w, w->next);
		w->next += gap * (double)times;
	}
}

int work_in_flight(const struct work *w, double wall)
{
	int i, n = 0;

	for (i = 0; i < FLIGHT; i++)
		n += w->ends[i] > wall - w->start;
	return n;
}
