/* pend.c - bytes that wait for a socket
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"

enum {
	BLOCKS_KEPT = 16,
	ADOPT_MIN   = 4096	/* a shorter rest is copied, bytes */
};

static char *blocks[BLOCKS_KEPT];
static int blocks_n;

char *block_get(void)
{
	return blocks_n ? blocks[--blocks_n] : malloc(SCRATCH);
}

void block_put(char *block)
{
	if (blocks_n < BLOCKS_KEPT)
		blocks[blocks_n++] = block;
	else
		free(block);
}

int pend_add(struct pend *q, const void *p, size_t n)
{
	size_t have = pend_n(q), cap = q->cap ? q->cap : 512;
	char *more;

	if (n == 0)
		return 0;
	if (have + n > PEND_MAX) {
		errno = EFBIG;
		return -1;
	}
	if (q->off && q->len + n > q->cap) {
		memmove(q->p, q->p + q->off, have);
		q->off = 0;
		q->len = (uint32_t)have;
	}
	while (cap < have + n)
		cap *= 2;
	if (cap > q->cap) {
		more = realloc(q->p, cap);
		if (!more)
			return -1;
		q->p = more;
		q->cap = (uint32_t)cap;
	}
	memcpy(q->p + q->len, p, n);
	q->len += (uint32_t)n;
	return 0;
}

void pend_drop(struct pend *q, size_t n)
{
	q->off += (uint32_t)n;
	if (q->off < q->len)
		return;
	if (q->cap == SCRATCH)
		block_put(q->p);
	else
		free(q->p);
	*q = (struct pend){ 0 };
}

static void full(struct watch *w, bool *wr)
{
	*wr = false;
	watch_out(w, true);
}

int pend_flush(struct pend *q, struct watch *w, bool *wr)
{
	while (pend_n(q) && *wr) {
		ssize_t n = write(w->fd, q->p + q->off, pend_n(q));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -1;
		if (n < 0)
			full(w, wr);
		else
			pend_drop(q, (size_t)n);
	}
	if (!pend_n(q))
		watch_out(w, false);
	return 0;
}

/* True when q has taken the block over. */
static bool adopt(struct pend *q, char **block, char *p, size_t n)
{
	char *other;

	if (!block || q->p || n < ADOPT_MIN || p < *block || p >= *block + SCRATCH)
		return false;
	other = block_get();
	if (!other)
		return false;
	q->p = *block;
	q->off = (uint32_t)(p - *block);
	q->len = q->off + (uint32_t)n;
	q->cap = SCRATCH;
	*block = other;
	return true;
}

int pend_writev(struct pend *q, struct watch *w, bool *wr,
		struct iovec *iov, int n, char **block)
{
	ssize_t put = 0;

	if (*wr && !pend_n(q)) {
		do
			put = writev(w->fd, iov, n);
		while (put < 0 && errno == EINTR);
		if (put < 0 && errno != EAGAIN)
			return -1;
		if (put < 0)
			put = 0;
	}
	for (int i = 0; i < n; i++) {
		size_t skip = (size_t)put < iov[i].iov_len ? (size_t)put
							    : iov[i].iov_len;

		put -= (ssize_t)skip;
		if (skip == iov[i].iov_len ||
		    adopt(q, block, (char *)iov[i].iov_base + skip,
			  iov[i].iov_len - skip))
			continue;
		if (pend_add(q, (char *)iov[i].iov_base + skip,
			     iov[i].iov_len - skip) < 0)
			return -1;
	}
	if (pend_n(q))
		full(w, wr);
	return 0;
}
