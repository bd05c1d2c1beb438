/* expo.c - measures the exposition engine: parse, relabel, merge, write
 * SPDX-License-Identifier: Apache-2.0
 *
 *	expo make DIR NODES WORKERS	DIR/n0.prom ...: what so many nodes say
 *	expo run [one] FILE...		CPU time of merging them, to /dev/null
 *	expo print FILE...		the merge itself
 *
 * 64 nodes of 25 workers are 700,800 samples in 64 MiB. `one` adds no labels,
 * so that all inputs share one scope for duplicates: the worst case.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "expo.h"

enum { COUNTERS = 30, GAUGES = 68, HISTOGRAMS = 20, ROUNDS = 9 };

static const char *const le[] = { "0.001", "0.005", "0.01", "0.025", "0.05",
	"0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0",
	"+Inf" };

static unsigned long dice;

static unsigned long roll(unsigned long sides)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (dice >> 33) % sides;
}

static void fatal(const char *what)
{
	perror(what);
	exit(1);
}

/* --- make --------------------------------------------------------------- */

static void labels(FILE *f, unsigned w)
{
	fprintf(f, "model_name=\"Qwen/Qwen2.5-7B\",worker_id=\"%u\"", w);
}

static void scalar(FILE *f, const char *type, const char *end, unsigned i,
		unsigned workers)
{
	unsigned w;

	fprintf(f, "# HELP lmcache:%s_of_requests_%02u%s Total %s number %u\n"
		"# TYPE lmcache:%s_of_requests_%02u%s %s\n", type, i, end, type,
		i, type, i, end, type);
	for (w = 0; w < workers; w++) {
		fprintf(f, "lmcache:%s_of_requests_%02u%s{", type, i, end);
		labels(f, w);
		fprintf(f, "} %lu.0\n", roll(1000000));
	}
}

static void histogram(FILE *f, unsigned i, unsigned workers)
{
	unsigned w, b;

	fprintf(f, "# HELP lmcache:time_to_retrieve_%02u Time of %u\n"
		"# TYPE lmcache:time_to_retrieve_%02u histogram\n", i, i, i);
	for (w = 0; w < workers; w++) {
		for (b = 0; b < sizeof le / sizeof *le; b++) {
			fprintf(f, "lmcache:time_to_retrieve_%02u_bucket"
				"{le=\"%s\",", i, le[b]);
			labels(f, w);
			fprintf(f, "} %lu.0\n", 1000 * b + roll(1000));
		}
		fprintf(f, "lmcache:time_to_retrieve_%02u_count{", i);
		labels(f, w);
		fprintf(f, "} %lu.0\nlmcache:time_to_retrieve_%02u_sum{",
				roll(100000), i);
		labels(f, w);
		fprintf(f, "} %lu.%09lu\n", roll(1000), roll(1000000000));
	}
}

static void make(const char *dir, unsigned nodes, unsigned workers)
{
	char path[512];
	unsigned n, i;
	FILE *f;

	for (n = 0; n < nodes; n++) {
		snprintf(path, sizeof path, "%s/n%u.prom", dir, n);
		f = fopen(path, "w");
		if (!f)
			fatal(path);
		for (i = 0; i < COUNTERS; i++)
			scalar(f, "counter", "_total", i, workers);
		for (i = 0; i < GAUGES; i++)
			scalar(f, "gauge", "", i, workers);
		for (i = 0; i < HISTOGRAMS; i++)
			histogram(f, i, workers);
		if (fclose(f))
			fatal(path);
	}
}

/* --- run ---------------------------------------------------------------- */

struct text {
	char  *p;
	size_t n;
	char   name[32];
};

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct text slurp(const char *path, unsigned i)
{
	struct text t;
	struct stat st;
	ssize_t got;
	size_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		fatal(path);
	t.n = (size_t)st.st_size;
	t.p = malloc(t.n + 1);
	if (!t.p)
		fatal(path);
	while (n < t.n && (got = read(fd, t.p + n, t.n - n)) > 0)
		n += (size_t)got;
	t.n = n;
	close(fd);
	snprintf(t.name, sizeof t.name, "n%u", i);
	return t;
}

static int sink(void *ctx, const char *p, size_t n)
{
	return write(*(int *)ctx, p, n) != (ssize_t)n;
}

static double merge(const struct text *t, unsigned n, bool one, int fd,
		struct expo_stats *s)
{
	struct expo_opts o = { .out = EXPO_TEXT };
	struct expo_extra extra[2] = { { "node", NULL, false },
		{ "role", "worker", true } };
	struct expo_error e;
	double from = cpu_ms(), added, sealed, done;
	struct expo *m = expo_new(&o);
	unsigned i;

	for (i = 0; i < n; i++) {
		extra[0].value = t[i].name;
		if (expo_add(m, t[i].p, t[i].n, EXPO_TEXT, extra, one ? 0 : 2,
				&e) < 0) {
			fprintf(stderr, "%u:%zu:%zu: %s\n", i, e.line,
					e.column, e.what);
			exit(1);
		}
	}
	added = cpu_ms();
	if (expo_seal(m) < 0)
		fatal("seal");
	sealed = cpu_ms();
	if (expo_write(m, sink, &fd) < 0)
		fatal("write");
	done = cpu_ms();
	expo_stats(m, s);
	expo_free(m);
	fprintf(fd == STDOUT_FILENO ? stderr : stdout,
		"  parse %.1f ms, duplicates %.1f ms, write %.1f ms\n", added - from, sealed - added, done - sealed);
	return done - from;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(char **path, int n)
{
	struct text *t = calloc((size_t)n, sizeof *t);
	struct expo_stats s;
	int i;

	for (i = 0; i < n; i++)
		t[i] = slurp(path[i], (unsigned)i);
	merge(t, (unsigned)n, false, STDOUT_FILENO, &s);
}

static void run(char **path, int n, bool one)
{
	struct text *t = calloc((size_t)n, sizeof *t);
	double from = cpu_ms(), ms[ROUNDS];
	struct expo_stats s = { 0 };
	struct rusage u;
	size_t bytes = 0;
	int i, fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (i = 0; i < n; i++) {
		t[i] = slurp(path[i], (unsigned)i);
		bytes += t[i].n;
	}
	printf("read: %zu bytes in %.1f ms\n", bytes, cpu_ms() - from);
	for (i = 0; i < ROUNDS; i++)
		ms[i] = merge(t, (unsigned)n, one, fd, &s);
	qsort(ms, ROUNDS, sizeof *ms, by_size);
	getrusage(RUSAGE_SELF, &u);
	printf("merge: %zu samples in, %zu out, %zu duplicates; CPU median "
		"%.1f ms (%.1f to %.1f); %zu bytes held beside the input, "
		"peak %ld KiB\n", s.samples, s.written, s.duplicates,
		ms[ROUNDS / 2], ms[0], ms[ROUNDS - 1], s.memory, u.ru_maxrss);
}

int main(int argc, char **argv)
{
	bool one = argc > 3 && !strcmp(argv[2], "one");

	if (argc == 5 && !strcmp(argv[1], "make"))
		make(argv[2], (unsigned)atol(argv[3]), (unsigned)atol(argv[4]));
	else if (argc > 2 && !strcmp(argv[1], "run"))
		run(argv + 2 + one, argc - 2 - one, one);
	else if (argc > 2 && !strcmp(argv[1], "print"))
		print(argv + 2, argc - 2);
	else
		return 2;
	return 0;
}
