/* sim.h - one simulated LMCache node; private to the demo
 * SPDX-License-Identifier: Apache-2.0
 *
 * A node is a workload (sim_work.c), the state that its endpoints change, and
 * a table of routes. Nothing runs between two requests: the workload catches
 * up with the clock when somebody asks.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "json.h"
#include "server.h"

enum role    { SCHEDULER = 1, WORKER = 2, BOTH = 3 };
enum dialect { EMBEDDED = 1, MP = 2, ANY = 3 };
enum fault   { FAULT_NONE, FAULT_SLOW, FAULT_HANG, FAULT_RESET, FAULT_TRUNCATE,
	       FAULT_500, FAULT_GARBAGE };

#define SIM_RELEASE "0.3.10"
#define SIM_COMMIT  "simulated"	/* /version: "0.3.10-simulated" */
#define SIM_MODEL   "Qwen/Qwen2.5-7B-Instruct"
#define SIM_SERVED  "qwen2.5-7b"

enum {
	CHUNK       = 256,		/* tokens of a chunk */
	LAYERS      = 28,
	CHUNK_BYTES = LAYERS * 2 * CHUNK * 2 * 128 * 2,	/* K and V, 2 heads of 128, bf16 */
	CPU_CHUNKS  = 731,		/* 5 GiB */
	DISK_CHUNKS = 1500,
	DOCS        = 512,		/* conversations remembered */
	POPULAR     = 128,		/* of these the newest are asked for */
	FLIGHT      = 64,		/* requests whose end is remembered */
	SLOTS       = 512,		/* slots of the simulated paged memory */
	BACKENDS    = 3,
	LOGGERS     = 1000,		/* ceiling, then reading creates no more */
	RANGES      = 64,		/* token ranges stored by /cache/store */
	QUOTAS      = 256,
	CONF_VALUE  = 64 << 10,		/* bytes of one configuration value */
	BODY_MAX    = 8 << 20,		/* bytes of a request body */
	PAGE_MAX    = 8 << 20		/* bytes of an answer */
};

/* --- the workload ------------------------------------------------------- */

enum counter {
#define COUNTER(id, roles, help) C_##id,
#define GAUGE(id, roles, help)
#define HISTOGRAM(id, roles, bounds, help)
#include "families.def"
#undef COUNTER
	/* of the MP dialect only */
	C_l1_read, C_l1_write, C_l2_stores, C_l2_stored, C_l2_loads, C_l2_loaded,
	C_l2_evicted, C_triggered, C_requests, C_stat_requests, C_stat_chunks,
	C_stat_unique,
	COUNTERS
};

enum gauge {
#define COUNTER(id, roles, help)
#undef GAUGE
#define GAUGE(id, roles, help) G_##id,
#include "families.def"
#undef GAUGE
	GAUGES
};

enum histogram {
#define GAUGE(id, roles, help)
#undef HISTOGRAM
#define HISTOGRAM(id, roles, bounds, help) H_##id,
#include "families.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	H_mp_lifetime, H_mp_store_speed, H_mp_load_speed,
	HISTOGRAMS
};

struct bounds {
	int n;
	double le[20];
};
/* tiny: 0.01 ms doubling; secs, millis, speed, share, minutes as LMCache has them */
extern const struct bounds le_tiny, le_secs, le_millis, le_speed, le_share,
	le_minutes, le_gigabytes, le_ages;
extern const struct bounds *const hist_bounds[HISTOGRAMS];

struct hist {
	uint64_t in[21];	/* per bucket, not yet summed; the last is +Inf */
	uint64_t count;
	double   sum;
};

struct doc {			/* a conversation and where its chunks are */
	uint16_t size, cpu, disk, remote;	/* chunks */
	uint16_t newer, older;	/* in the order of use, DOCS: none */
	bool     listed;
	float    born;		/* seconds since the workload's start */
};

struct work {
	uint64_t seed, salt;	/* what is asked; what differs per process */
	uint64_t i;		/* requests so far */
	double   rate;		/* per second, on average */
	double   start;		/* since 1970 */
	double   created;	/* of the counters, since 1970 */
	double   next, logged;	/* since the start: next request, last statistics */
	double   evicted;	/* since the start: last second with an eviction */
	uint32_t head, disk_tail;	/* newest conversation; oldest on disk */
	struct doc doc[DOCS];
	uint16_t newest, oldest;
	uint32_t cpu, disk, remote;	/* chunks held */
	double   ends[FLIGHT];
	uint64_t since[4];	/* since the last statistics: asked, hit, looked up, found */
	double   retrieve_rate, lookup_rate, ping_ms;
	uint64_t count[COUNTERS];
	struct hist hist[HISTOGRAMS];
};

/* What the node's switches let the workload do. */
struct rules {
	bool scheduler, worker;
	bool cpu, disk, remote;	/* backends in use */
	bool freeze, statistics;
	uint32_t min_tokens;	/* min_retrieve_tokens */
};

void work_init(struct work *w, uint64_t seed, uint64_t salt, double start);
void work_until(struct work *w, const struct rules *r, double wall);
void work_reset(struct work *w, double wall);		/* metrics to zero */
long work_clear(struct work *w, bool cpu, bool disk, bool remote);	/* chunks removed */
int  work_in_flight(const struct work *w, double wall);
void work_see(struct work *w, enum histogram h, double value, uint64_t times);
/* Numbers without memory: the same for the same arguments, 0 <= it < 1. */
double work_dice(uint64_t seed, uint64_t i, uint64_t k);
uint64_t work_hash(uint64_t a, uint64_t b);

/* --- the node ----------------------------------------------------------- */

struct conf_item {
	char *value;		/* JSON text, UTF-8, compact */
};

struct logger {
	char *name;
	int   level;
};

struct quota {
	char  *salt;
	double limit;
};

struct sim {
	struct listener  listener;
	const char      *name;		/* as the frontend lists it */
	const char      *instance;
	enum role        role;
	enum dialect     dialect;
	int              worker_id, world;
	enum fault       fault;
	int64_t          fault_delay;	/* ms, for slow */
	long             fault_after;	/* requests answered well before it */
	bool             run_script;
	long             asked;
	struct work      work;
	char            *labels;	/* of every lmcache: sample, without braces */
	struct conf_item *conf;
	struct logger   *loggers;
	int              nloggers, root_level;
	bool             freeze, hot, slot_log, statistics, lookup_open;
	char            *lookup;	/* class of the lookup client or server */
	int              backend[BACKENDS], nbackends;	/* in order of creation */
	bool             bypass[BACKENDS];
	struct { int64_t from, n; } stored[RANGES];
	int              nstored;
	struct quota     quota[QUOTAS];
	int              nquota;
	uint64_t         prefetches, prefetch_done;	/* MP: given out, polled to the end */
};

struct sim_options {
	const char *name, *instance;
	enum role role;
	enum dialect dialect;
	int worker_id, world;
	uint64_t seed;
	int64_t age;		/* ms the workload has run at the start */
	double  rate;
	enum fault fault;
	int64_t fault_delay;
	long fault_after;
	bool run_script;
};

/* All nodes of a process share one server; its on_request is set here. */
void sim_server(struct server *server);
struct sim *sim_new(const struct sim_options *o);	/* dies without memory */
int  sim_listen(struct sim *s, struct server *server, const struct addr *a);	/* 0 or -1 with errno */
void sim_unlisten(struct sim *s);	/* a UNIX path is unlinked */
int  sim_fault(const char *name);	/* enum fault, or -1 */

/* The node's state at this moment, workload caught up. */
double sim_catch_up(struct sim *s);	/* returns the time, since 1970 */

/* --- one question ------------------------------------------------------- */

struct param { char *name, *value; };

enum { PARAMS = 64 };

struct ask {
	struct sim      *sim;
	struct exchange *x;
	const struct route *route;
	char  *path, *query;	/* path decoded; query as it came or NULL */
	char  *arg[2];		/* what each {} of the route stood for */
	char  *host, *ctype, *tokens;	/* header values or NULL */
	char  *words;		/* memory of the parameters */
	char   method[16];
	struct param param[PARAMS];
	int    params;
	const char *body;	/* owned by the server, or by copy */
	char  *copy;
	size_t n;
	struct timer timer;
};


enum { HIDDEN = 1 };	/* not in /openapi.json */

struct route {
	const char *method, *path;	/* {} stands for one segment */
	int flags;
	void (*serve)(struct ask *a);
};

/* A node's tables, NULL at the end; the first row that fits serves. */
const struct route *const *sim_tables(const struct sim *s);
extern const struct route common_routes[], engine_routes[], cache_routes[],
	backend_routes[], kv_routes[], script_routes[], thread_routes[], mp_routes[];

struct ask *ask_new(struct sim *s, struct exchange *x);
void ask_free(struct ask *a);
/* The last value of a query parameter, or NULL. */
const char *ask_param(const struct ask *a, const char *name);
/* Typed ones, as FastAPI converts them: 1 there, 0 absent (*out untouched),
 * -1 refused: the 422 is already sent. */
int ask_int(struct ask *a, const char *name, int64_t *out);
int ask_bool(struct ask *a, const char *name, bool *out);

enum style { COMPACT, INDENT, INDENT_TEXT };	/* INDENT_TEXT: as text/plain */
/* Sends b (compact JSON) in one of LMCache's styles and frees it. */
void say_json(struct ask *a, int status, enum style style, struct buf *b);
void say(struct ask *a, int status, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));	/* the same, from a format */
void say_text(struct ask *a, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void say_bytes(struct ask *a, int status, const char *type, const char *p, size_t n);
void say_error(struct ask *a, int status, const char *error, const char *message);
void say_broken(struct ask *a);		/* 500, as for an exception nobody caught */
void say_field(struct ask *a, const char *where, const char *name,
	       const char *msg, const char *type);	/* 422 */

/* A scheduler has no engine: 503, and what was asked of it is named. */
bool need_engine(struct ask *a, const char *what);
extern const char no_engine[];
/* Token ranges that /cache/store and /kv/import put there: whole chunks of
 * from..from+n that are stored from its start on, in tokens. */
int64_t stored_tokens(const struct sim *s, int64_t from, int64_t n);
void store_tokens(struct sim *s, int64_t from, int64_t n);

/* --- Python's way of writing -------------------------------------------- */

void py_put_float(struct buf *b, double v);		/* repr: 0.1 1e-05 inf */
void py_put_json_float(struct buf *b, double v);	/* Infinity, NaN */
void prom_put_float(struct buf *b, double v);	/* prometheus_client: 1.5e+09 */
/* Appends compact JSON in json.dumps(indent=2) form, all ASCII. */
void py_put_indented(struct buf *b, const char *p, size_t n);
/* One value of a parsed document, compact and with plain UTF-8. Returns false
 * when FastAPI's JSONResponse could not write it (NaN, a lone surrogate). */
bool py_put_value(struct buf *b, const struct json *j, jv v);
void py_put_utf8(struct buf *b, uint32_t c);

/* --- configuration ------------------------------------------------------ */

void conf_init(struct sim *s, const char *socket);
void conf_get(struct ask *a);
void conf_post(struct ask *a);
const char *conf_text(const struct sim *s, const char *key);	/* its JSON, or NULL */

/* --- metrics ------------------------------------------------------------ */

void metrics_labels(struct sim *s);
void metrics_print(struct sim *s, struct buf *b, double now);

/* Rows of the periodic threads; numbers at this moment. */
struct periodic {
	const char *name, *level;
	double interval, wait;
	bool runs;
	const char *message, *extra;	/* of the last summary; extra: JSON members */
};
extern const struct periodic periodics[];

/* Filled: backends that exist and are not bypassed. */
bool backend_there(const struct sim *s, int which);
extern const char *const backend_names[BACKENDS];
enum { LOCAL_CPU, LOCAL_DISK, REMOTE };

#endif
