/* beat_registry.c - the heartbeat that lmcache_frontend sends (protocol.md 8.1)
 * SPDX-License-Identifier: Apache-2.0
 *
 * Byte for byte what its HTTP library makes of it: a GET, blanks as "+", the
 * parameters behind those that the URL has already. The protocol knows no
 * taking away.
 */
#include <string.h>

#include "beat.h"
#include "die.h"
#include "json.h"

static int registry_open(struct beat *b)
{
	const char *rest;

	return beat_place(b, 80, &rest);
}

static void put(struct buf *b, const char *key, const char *value)
{
	size_t n;

	buf_printf(b, "%s=", key);
	for (;; value += n + 1) {
		n = strcspn(value, " ");
		url_encode(b, value, n);
		if (!value[n])
			break;
		buf_putc(b, '+');
	}
}

static void put_all(struct buf *b, const struct beat_facts *f)
{
	struct buf info = BUF(BEAT_TARGET);

	buf_puts(&info, "{\"startup_time\": ");
	json_puts(&info, f->startup_time);
	buf_printf(&info, ", \"nodes_count\": %d}", f->nodes_count);
	buf_printf(b, "pid=%ld&", f->pid);
	put(b, "api_address", f->api);
	put(b, "&version", f->version);
	put(b, "&other_info", info.p);
	buf_free(&info);
}

static void answered(struct beat *b)
{
	b->listed = beat_taken(b);
	beat_done(b);
}

static void registry_beat(struct beat *b)
{
	const char *rest = strstr(b->spec, "://") + 3;

	rest += strcspn(rest, "/?#");
	buf_reset(&b->target);
	if (*rest != '/')
		buf_putc(&b->target, '/');
	buf_add(&b->target, rest, strcspn(rest, "#"));
	buf_putc(&b->target, strchr(b->target.p, '?') ? '&' : '?');
	put_all(&b->target, b->facts);
	beat_ask(b, "GET", answered);
}

const struct beat_kind beat_registry = {
	.name = "registry", .scheme = "http://", .interval = 30000,
	.open = registry_open, .beat = registry_beat,
};
