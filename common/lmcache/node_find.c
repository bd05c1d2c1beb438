/* node_find.c - nodes from a plugin's configuration and from live sockets
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "die.h"
#include "node.h"
#include "node_make.h"

enum {
	NAME_TEXT  = 320,	/* an instance id and "_worker4095" */
	PORT_START = 6999	/* LMCache's default (protocol.md 6) */
};

#define MP_PORT  "8080"		/* of `lmcache server` (protocol.md 3.1) */
#define ANY_HOST "0.0.0.0"

static int add_local(struct nodes *out, const struct node *nd,
		     struct node_error *e)
{
	int at = nodes_local(out, e);

	return at < 0 ? -1 : proxy_append(&out->proxies[at], nd, e);
}

/* --- a plugin's configuration --- */

/* One LMCache process group, as its configuration describes it. */
struct engine {
	const struct json *j;
	struct node_error *e;
	struct field id, host, start, prefix, list;
	char   *id_text, *host_text, *prefix_text;	/* prefix NULL: TCP */
	int64_t port;
	int     workers;
	bool    listed[NODES_MAX];
};

static struct field member(const struct json *j, const char *in, jv obj,
			   const char *key)
{
	return (struct field){ in, key, json_get(j, obj, key) };
}

static bool null(const struct json *j, const struct field *f)
{
	return f->v < 0 || json_type(j, f->v) == JSON_NULL;
}

/* The field's text, or a copy of fallback where it is missing or null. number
 * as for node_text(). */
static int text_or(const struct json *j, const struct field *f,
		   const char *number, const char *fallback, char **out,
		   struct node_error *e)
{
	if (!null(j, f)) {
		*out = node_text(j, f, number, e);
		return *out ? 0 : -1;
	}
	*out = fallback ? strdup(fallback) : NULL;
	return *out || !fallback ? 0 : node_error(e, "no memory for a node");
}

/* Index 0 is the scheduler, 1 + n worker n; no list, or an empty one: all. */
static int take_index_list(struct engine *g)
{
	const struct json *j = g->j;
	struct field f = g->list;
	jv list = f.v, v;
	bool all = null(j, &f);
	int64_t i;

	if (!all && json_type(j, list) != JSON_ARRAY)
		return node_wrong(j, &f, "is not a list of numbers", NULL,
				  g->e);
	all = all || json_count(j, list) == 0;
	memset(g->listed, all, sizeof g->listed);
	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		f.v = v;
		if (json_int(j, v, &i) < 0)
			return node_wrong(j, &f, "is not a whole number", NULL,
					  g->e);
		if (i >= 0 && i < NODES_MAX)
			g->listed[i] = true;
	}
	return 0;
}

static int take_ports(struct engine *g)
{
	g->port = PORT_START;
	if (!null(g->j, &g->start)
	    && (json_int(g->j, g->start.v, &g->port) < 0
		|| g->port < 1 || g->port > 65535))
		return node_wrong(g->j, &g->start, "is not a port", NULL, g->e);
	if (g->port + g->workers > 65535)
		return node_wrong(g->j, &g->start,
				  "leaves no port for the last worker", NULL,
				  g->e);
	return 0;
}

static int take_engine(struct engine *g)
{
	const struct json *j = g->j;

	g->id = member(j, "", 0, "lmcache_instance_id");
	g->host = member(j, "", 0, "internal_api_server_host");
	g->start = member(j, "", 0, "internal_api_server_port_start");
	g->prefix = member(j, "", 0, "internal_api_server_socket_path_prefix");
	g->list = member(j, "", 0, "internal_api_server_include_index_list");
	/* Python's str(None) is what the peers' names have */
	if (text_or(j, &g->id, "is not text", "None", &g->id_text, g->e) < 0
	    || text_or(j, &g->host, NULL, ANY_HOST, &g->host_text, g->e) < 0
	    || text_or(j, &g->prefix, NULL, NULL, &g->prefix_text, g->e) < 0)
		return -1;
	if (g->prefix_text && !*g->prefix_text) {
		free(g->prefix_text);
		g->prefix_text = NULL;
	}
	return take_ports(g) < 0 ? -1 : take_index_list(g);
}

/* An index as text: a port, or the path of a socket. */
static int process_port(struct engine *g, int i, char *out, size_t size)
{
	const char *prefix = g->prefix_text;
	const char *problem = NULL;

	if (!prefix) {
		snprintf(out, size, "%d", (int)g->port + i);
		return 0;
	}
	if (prefix[0] != '/')
		problem = "is not an absolute path";
	else if (strlen(prefix) > NODE_NAME)
		problem = "is longer than 255 bytes";
	if (problem)
		return node_wrong(g->j, &g->prefix, problem, NULL, g->e);
	snprintf(out, size, "%s_%d", prefix, (int)g->port + i);
	return 0;
}

static int make_process(struct engine *g, int i, struct node *nd)
{
	struct blame b = { .name = g->id, .host = g->host };
	char name[NAME_TEXT], port[NAME_TEXT];

	b.port = g->prefix_text ? g->prefix : g->start;
	if (strlen(g->id_text) > NODE_NAME)
		return node_wrong(g->j, &g->id, "is longer than 255 bytes",
				  NULL, g->e);
	if (i == 0)
		snprintf(name, sizeof name, "%s_scheduler", g->id_text);
	else
		snprintf(name, sizeof name, "%s_worker%d", g->id_text, i - 1);
	if (process_port(g, i, port, sizeof port) < 0
	    || node_make(nd, name, g->host_text, port, g->e) < 0)
		return -1;
	nd->port_number = !g->prefix_text;
	return node_settle(nd, g->j, &b, g->e);
}

static int engine_nodes(struct engine *g, struct nodes *out)
{
	struct node nd;
	int i;

	if (take_engine(g) < 0)
		return -1;
	for (i = 0; i <= g->workers; i++) {
		if (!g->listed[i])
			continue;
		memset(&nd, 0, sizeof nd);
		if (make_process(g, i, &nd) < 0
		    || add_local(out, &nd, g->e) < 0) {
			node_free(&nd);
			return -1;
		}
	}
	return 0;
}

/* The processes of a vLLM engine that this configuration was given to. */
static int embedded(struct nodes *out, const struct json *j, int workers,
		    struct node_error *e)
{
	struct field on = member(j, "", 0, "internal_api_server_enabled");
	struct engine *g;
	int rc;

	if (!null(j, &on) && json_type(j, on.v) != JSON_BOOL)
		return node_wrong(j, &on, "is neither true nor false", NULL, e);
	if (!json_true(j, on.v))
		return 0;
	if (workers < 0 || workers >= NODES_MAX)
		return node_error(e, "%d is not a number of workers", workers);
	g = calloc(1, sizeof *g);
	if (!g)
		return node_error(e, "no memory for a list of nodes");
	g->j = j;
	g->e = e;
	g->workers = workers;
	rc = engine_nodes(g, out);
	free(g->id_text);
	free(g->host_text);
	free(g->prefix_text);
	free(g);
	return rc;
}

/* The socket's path if there is one, else the port, as text. */
static int take_server_port(const struct json *j, const char *in, jv http,
			    struct field *f, char **port, struct node_error *e)
{
	*f = member(j, in, http, "http_socket_path");
	if (null(j, f) || json_is(j, f->v, "")) {
		*f = member(j, in, http, "http_port");
		return text_or(j, f, "is not a port", MP_PORT, port, e);
	}
	*port = node_text(j, f, NULL, e);
	if (*port && **port != '/')
		return node_wrong(j, f, "is not an absolute path", NULL, e);
	return *port ? 0 : -1;
}

/* The section of `lmcache server` about HTTP has had two names. */
static struct field http_section(const struct json *j)
{
	struct field f = member(j, "", 0, "http_frontend_config");

	return null(j, &f) ? member(j, "", 0, "http_config") : f;
}

static int server(struct nodes *out, const struct json *j, struct node_error *e)
{
	struct field http = http_section(j);
	struct blame b = { .name = http };
	char *host = NULL, *port = NULL;
	struct node nd = { 0 };
	int rc = -1;

	if (!null(j, &http) && json_type(j, http.v) != JSON_OBJECT)
		return node_wrong(j, &http, "is not an object", NULL, e);
	b.host = member(j, http.key, http.v, "http_host");
	if (text_or(j, &b.host, NULL, ANY_HOST, &host, e) == 0
	    && take_server_port(j, http.key, http.v, &b.port, &port, e) == 0
	    && node_make(&nd, "lmcache_server", host, port, e) == 0
	    && node_settle(&nd, j, &b, e) == 0
	    && add_local(out, &nd, e) == 0)
		rc = 0;
	if (rc < 0)
		node_free(&nd);
	free(host);
	free(port);
	return rc;
}

int nodes_from_plugin(struct nodes *out, const char *config, size_t n,
		      int worker_count, struct node_error *e)
{
	struct json j;
	int rc;

	memset(out, 0, sizeof *out);
	if (node_json(&j, config, n, JSON_INF | JSON_SURROGATE, e) < 0)
		return -1;
	if (json_type(&j, 0) != JSON_OBJECT)
		rc = node_wrong(&j, &(struct field){ "configuration", "", 0 },
				"is not an object", NULL, e);
	else if (json_get(&j, 0, "mp_config") >= 0)
		rc = server(out, &j, e);
	else
		rc = embedded(out, &j, worker_count, e);
	if (rc < 0)
		nodes_free(out);
	json_free(&j);
	return rc;
}

/* --- live sockets --- */

/* Somebody listens there, or may: without permission we cannot know. */
static bool live(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;
	bool answer;
	int fd;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	memcpy(un.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* EAGAIN: its queue of connections is full */
	answer = connect(fd, (struct sockaddr *)&un, sizeof un) == 0
		|| errno == EAGAIN || errno == EACCES;
	close(fd);
	return answer;
}

static int add_socket(struct nodes *out, const char *path, const char *name,
		      struct node_error *e)
{
	static const struct field none = { "", "", -1 };
	struct blame b = { none, none, none, false };
	struct node nd;

	if (node_make(&nd, name, "localhost", path, e) < 0)
		return -1;
	/* names come from a directory where others may write: one that cannot
	 * be a node's does not spoil the list */
	if (node_settle(&nd, NULL, &b, e) < 0 || !live(path)) {
		node_free(&nd);
		return 0;
	}
	if (out->n && out->proxies[0].n == NODES_MAX)
		node_error(e, "more than %d sockets", NODES_MAX);
	else if (add_local(out, &nd, e) == 0)
		return 0;
	node_free(&nd);
	return -1;
}

static int by_number(const void *a, const void *b)
{
	return strverscmp(((const struct node *)a)->name,
			  ((const struct node *)b)->name);
}

static int scan(struct nodes *out, DIR *dir, const char *folder,
		const char *begins, struct node_error *e)
{
	char path[sizeof ((struct sockaddr_un *)0)->sun_path];
	struct dirent *d;
	int n;

	while ((errno = 0, d = readdir(dir))) {
		if (strncmp(d->d_name, begins, strlen(begins)) != 0)
			continue;
		n = snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		if (n > 0 && (size_t)n < sizeof path
		    && add_socket(out, path, d->d_name, e) < 0)
			return -1;
	}
	if (errno == 0)
		return 0;
	return node_error(e, "unable to read %s: %s",
			  safe(folder, strlen(folder)), strerror(errno));
}

int nodes_from_sockets(struct nodes *out, const char *prefix,
		       struct node_error *e)
{
	const char *slash = strrchr(prefix, '/');
	char *folder;
	DIR *dir;
	int rc = 0;

	memset(out, 0, sizeof *out);
	if (prefix[0] != '/')
		return node_error(e, "%s: a prefix of sockets begins with /",
				  safe(prefix, strlen(prefix)));
	folder = strndup(prefix, (size_t)(slash - prefix));
	if (!folder)
		return node_error(e, "no memory for a list of nodes");
	dir = opendir(*folder ? folder : "/");
	if (dir) {
		rc = scan(out, dir, folder, slash + 1, e);
		closedir(dir);
	} else if (errno != ENOENT && errno != ENOTDIR) {
		rc = node_error(e, "unable to read %s: %s",
				safe(folder, strlen(folder)), strerror(errno));
	}
	free(folder);
	if (rc < 0)
		nodes_free(out);
	else if (out->n)
		qsort(out->proxies[0].nodes, (size_t)out->proxies[0].n,
		      sizeof *out->proxies[0].nodes, by_number);
	return rc;
}
