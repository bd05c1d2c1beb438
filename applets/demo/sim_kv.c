/* sim_kv.c - chunks taken out of a simulated worker and put in again
 * SPDX-License-Identifier: Apache-2.0
 *
 * Little-endian: u32 n, then n times u32 length, JSON about the chunk, u32
 * length, the tensor. Nothing found is an empty body. The tensors here are
 * TENSOR zero bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum { TENSOR = 64 };

static void put32(struct buf *b, uint32_t v)
{
	unsigned char p[4] = { (unsigned char)v, (unsigned char)(v >> 8),
			       (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

	buf_add(b, p, 4);
}

/* A list of tokens that follow each other: 0, or -1. */
static int read_tokens(const struct json *j, jv list, int64_t *from, int64_t *n)
{
	int64_t token;
	jv v;

	if (list < 0 || json_type(j, list) != JSON_ARRAY)
		return -1;
	*n = *from = 0;
	for (v = json_first(j, list); v >= 0; v = json_next(j, list, v)) {
		if (json_int(j, v, &token) < 0)
			return -1;
		if (!*n)
			*from = token;
		if (token != *from + *n)
			return 0;	/* the workload knows no such text: a prefix */
		++*n;
	}
	return 0;
}

static void put_chunk(struct buf *b, const struct sim *s, int64_t from, int64_t at)
{
	static const char zero[TENSOR];
	struct buf about = BUF(1024);

	buf_printf(&about, "{\"key\":\"simulated@%016llx\",\"start\":%lld,\"end\":%lld,"
		   "\"shape\":[%d,2,%d,2,128],\"dtype\":\"torch.bfloat16\",\"fmt\":\"KV_2LTD\"}",
		   (unsigned long long)work_hash(s->work.seed, (uint64_t)(from + at)),
		   (long long)at, (long long)at + CHUNK, LAYERS, CHUNK);
	put32(b, (uint32_t)about.len);
	buf_add(b, about.p, about.len);
	put32(b, TENSOR);
	buf_add(b, zero, TENSOR);
	buf_free(&about);
}

static void export_tokens(struct ask *a, int64_t from, int64_t n)
{
	int64_t have = stored_tokens(a->sim, from, n), at;
	struct buf b = BUF(PAGE_MAX);

	if (have)
		put32(&b, (uint32_t)(have / CHUNK));
	for (at = 0; at < have; at += CHUNK)
		put_chunk(&b, a->sim, from, at);
	reply_header(a->x, "X-Num-Chunks: %lld", (long long)(have / CHUNK));
	reply_header(a->x, "X-Num-Tokens: %lld", (long long)have);
	say_bytes(a, 200, "application/octet-stream", b.p, b.len);
	buf_free(&b);
}

static void kv_export(struct ask *a)
{
	struct json j;
	struct json_error e;
	int64_t from, n;

	if (!need_engine(a, "LMCache API"))
		return;
	if (json_parse(&j, a->body, a->n, BODY_MAX, 0, &e) < 0) {
		say_error(a, 500, "Failed to export KV cache", e.what);
		return;
	}
	if (read_tokens(&j, json_get(&j, 0, "tokens"), &from, &n) < 0)
		say_error(a, 500, "Failed to export KV cache", "tokens must be a list of integers");
	else
		export_tokens(a, from, n);
	json_free(&j);
}

static uint32_t get32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* How many whole chunks a body holds, or -1 when it is cut or too long. */
static long count_chunks(const char *p, size_t n)
{
	uint32_t chunks, len;
	uint64_t i;

	if (n < 4)
		return n ? -1 : 0;
	chunks = get32(p);
	p += 4;
	n -= 4;
	for (i = 0; i < 2 * (uint64_t)chunks; i++) {
		if (n < 4 || (len = get32(p)) > n - 4)
			return -1;
		p += 4 + len;
		n -= 4 + (size_t)len;
	}
	return n ? -1 : (long)chunks;
}

static void kv_import(struct ask *a)
{
	struct json j;
	struct json_error e;
	int64_t from = 0, n = 0;
	long chunks = count_chunks(a->body, a->n);

	if (!need_engine(a, "LMCache API"))
		return;
	if (!a->tokens || json_parse(&j, a->tokens, strlen(a->tokens), BODY_MAX, 0, &e) < 0) {
		say_error(a, 400, "Missing parameters", "X-Tokens header is required");
		return;
	}
	if (read_tokens(&j, 0, &from, &n) < 0 || chunks < 0) {
		say_error(a, 400, "Invalid body", "chunks and X-Tokens do not agree");
	} else {
		sim_catch_up(a->sim);
		if (chunks && n >= chunks * CHUNK)
			store_tokens(a->sim, from, chunks * CHUNK);
		reply_header(a->x, "X-Num-Imported: %ld", chunks);
		say_text(a, 200, "OK");
	}
	json_free(&j);
}

const struct route kv_routes[] = {
	{ "POST", "/kv/export", 0, kv_export },
	{ "POST", "/kv/import", 0, kv_import },
	{ NULL, NULL, 0, NULL }
};
