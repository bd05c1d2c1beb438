/* url.c - percent-encoding and addresses
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "url.h"

enum {
	PATH_BYTES  = 107,	/* sun_path without its NUL */
	NAME_BYTES  = 253,	/* RFC 1035 2.3.4, without the last dot */
	LABEL_BYTES = 63
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex(char c)
{
	if (digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that p[0..2] stands for, or -1. */
static int escaped(const char *p, size_t n)
{
	if (n < 3 || hex(p[1]) < 0 || hex(p[2]) < 0)
		return -1;
	return hex(p[1]) << 4 | hex(p[2]);
}

long url_decode(const char *p, size_t n, char *out)
{
	size_t i = 0;
	long len = 0;

	while (i < n) {
		bool escape = p[i] == '%';
		int c = escape ? escaped(p + i, n - i) : (unsigned char)p[i];

		if (c <= 0)
			return -1;
		out[len++] = (char)c;
		i += escape ? 3 : 1;
	}
	return len;
}

long url_form(const char *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = p[i] == '+' ? ' ' : p[i];
	return url_decode(out, n, out);
}

long url_param(const char *query, size_t n, const char *name, char *out, size_t cap,
	       bool *bad)
{
	const char *p = query, *end = query + n, *amp;
	size_t k = strlen(name);
	long got = -1;

	for (; p < end; p = amp + 1) {
		amp = memchr(p, '&', (size_t)(end - p));
		if (!amp)
			amp = end;
		if ((size_t)(amp - p) <= k || p[k] != '=' || memcmp(p, name, k) != 0)
			continue;
		p += k + 1;
		if ((size_t)(amp - p) < cap)
			got = url_form(p, (size_t)(amp - p), out);
		*bad = got < 0;
		if (!*bad)
			out[got] = '\0';
		return got;
	}
	return -1;
}

static bool unreserved(char c)
{
	return digit(c) || letter(c) || (c && strchr("-._~", c));
}

int url_encode(struct buf *b, const char *p, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		char out[3] = { '%', digits[c >> 4], digits[c & 15] };

		if (unreserved(p[i]))
			buf_putc(b, p[i]);
		else
			buf_add(b, out, sizeof out);
	}
	return b->bad ? -1 : 0;
}

/* The functions below return NULL, or a phrase that says what is wrong. */

static const char *unix_path(struct addr *a, const char *path)
{
	size_t n, i;

	while (path[0] == '/' && path[1] == '/')
		path++;
	n = strlen(path);
	if (path[0] != '/')
		return "a socket path begins with /";
	if (n > PATH_BYTES)
		return "a socket path has at most 107 bytes";
	if (path[n - 1] == '/')
		return "a socket path does not end with /";
	for (i = 0; i < n; i++)
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return "a control character in a socket path";
	a->kind = ADDR_UNIX;
	memcpy(a->host, path, n + 1);
	return NULL;
}

/* Why c has no place in a host, or NULL. */
static const char *host_byte(char c)
{
	if (digit(c) || letter(c) || (c && strchr("-._", c)))
		return NULL;
	if (c == '@')
		return "a user name is not part of an address";
	if (c == ':')
		return "an IPv6 address is written in brackets, [::1]:PORT";
	if (c && strchr("/?#", c))
		return "a path is not part of an address";
	if (c == '%')
		return "a host has no escapes and no zone identifier";
	if ((unsigned char)c >= 0x80)
		return "a host is ASCII, write its xn-- form";
	if ((unsigned char)c <= ' ' || c == 0x7f)
		return "a blank or control character in a host";
	return "a host has letters, digits, '-', '_' and '.' only";
}

/* Would inet_aton take this as the last part of an address? */
static bool numeric(const char *p, size_t n)
{
	bool hexa = n > 1 && p[0] == '0' && (p[1] | 32) == 'x';
	size_t i;

	for (i = hexa ? 2 : 0; i < n; i++)
		if (hexa ? hex(p[i]) < 0 : !digit(p[i]))
			return false;
	return true;
}

/* Four decimal numbers, none with a leading zero. */
static bool dotted(const char *p, size_t n)
{
	size_t i = 0, from;
	int part, value;

	for (part = 0; part < 4; part++) {
		if (part && (i == n || p[i++] != '.'))
			return false;
		value = 0;
		for (from = i; i < n && digit(p[i]) && i - from < 3; i++)
			value = value * 10 + p[i] - '0';
		if (i == from || value > 255 || (p[from] == '0' && i - from > 1))
			return false;
	}
	return i == n;
}

static const char *label(const char *p, size_t n)
{
	if (n == 0)
		return "an empty label in a host name";
	if (n > LABEL_BYTES)
		return "a label of a host name has at most 63 bytes";
	if (p[0] == '-' || p[n - 1] == '-')
		return "a label of a host name neither begins nor ends with '-'";
	return NULL;
}

/* A name or an IPv4 address, in lower case. */
static const char *name_host(char *out, const char *p, size_t n)
{
	size_t i, from = 0, len = n && p[n - 1] == '.' ? n - 1 : n;
	const char *why = n ? NULL : "an empty host";

	for (i = 0; i < n && !why; i++)
		why = host_byte(p[i]);
	if (!why && len > NAME_BYTES)
		why = "a host name has at most 253 bytes";
	for (i = 0; i < len && !why; i++) {
		if (p[i] != '.')
			continue;
		why = label(p + from, i - from);
		from = i + 1;
	}
	if (!why)
		why = label(p + from, len - from);
	if (!why && numeric(p + from, len - from) && !dotted(p, n))
		why = "an IPv4 address is four decimal numbers";
	if (why)
		return why;
	for (i = 0; i < n; i++)
		out[i] = letter(p[i]) ? (char)(p[i] | 32) : p[i];
	out[n] = '\0';
	return NULL;
}

/* ::ffff:a.b.c.d or ::a.b.c.d, but neither :: nor ::1. The macros of libc do
 * not agree on the second. */
static bool holds_v4(const struct in6_addr *in)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const unsigned char compatible[15];

	if (memcmp(in->s6_addr, mapped, 12) == 0)
		return true;
	return memcmp(in->s6_addr, compatible, 12) == 0
		&& (memcmp(in->s6_addr, compatible, 15) != 0
		    || in->s6_addr[15] > 1);
}

/* An IPv6 literal without its brackets, in its shortest form. */
static const char *v6_host(char *out, const char *p, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in;

	if (memchr(p, '%', n))
		return "zone identifiers are not taken";
	if (n >= sizeof text || memchr(p, '\0', n))
		return "not an IPv6 address";
	memcpy(text, p, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, &in) != 1)
		return "not an IPv6 address";
	if (holds_v4(&in))
		return "an IPv4 address inside an IPv6 one, write it by itself";
	if (!inet_ntop(AF_INET6, &in, out, ADDR_HOST))
		return "not an IPv6 address";
	return NULL;
}

int addr_port(const char *p, size_t n)
{
	int port = 0;
	size_t i;

	if (n == 0 || n > 5 || (n > 1 && p[0] == '0'))
		return -1;
	for (i = 0; i < n; i++) {
		if (!digit(p[i]))
			return -1;
		port = port * 10 + p[i] - '0';
	}
	return port <= 65535 ? port : -1;
}

/* The host that p begins with, into out; *rest is what follows it. */
static const char *host_part(char *out, const char *p, const char *end,
			     const char **rest)
{
	const char *close;

	if (p < end && *p == '[') {
		close = memchr(p, ']', (size_t)(end - p));
		if (!close)
			return "a '[' without its ']'";
		*rest = close + 1;
		return v6_host(out, p + 1, (size_t)(close - p) - 1);
	}
	*rest = memchr(p, ':', (size_t)(end - p));
	if (!*rest)
		*rest = end;
	else if (memchr(*rest + 1, ':', (size_t)(end - *rest) - 1))
		return host_byte(':');
	return name_host(out, p, (size_t)(*rest - p));
}

/* HOST[:PORT]; a negative port means that the text must have one. */
static const char *host_port(struct addr *a, const char *p, size_t n, int port)
{
	const char *end = p + n, *rest, *c, *why;

	for (c = "@/?#"; *c; c++)
		if (memchr(p, *c, n))
			return host_byte(*c);
	why = host_part(a->host, p, end, &rest);
	if (why)
		return why;
	if (rest == end && port < 0)
		return "no port";
	if (rest < end && *rest != ':')
		return "expected ':' after ']'";
	if (rest < end)
		port = addr_port(rest + 1, (size_t)(end - rest) - 1);
	if (port < 0)
		return "a port is a number from 0 to 65535";
	a->kind = ADDR_TCP;
	a->port = port;
	return NULL;
}

static const char *url(struct addr *a, const char *s, bool tls)
{
	size_t n = strlen(s);

	a->tls = tls;
	if (n && s[n - 1] == '/')
		n--;
	return host_port(a, s, n, tls ? 443 : 80);
}

static const char *unix_url(struct addr *a, const char *s)
{
	if (strncmp(s, "//", 2) != 0)
		return unix_path(a, s);
	return s[2] == '/' ? unix_path(a, s + 2)
			   : "a socket address is unix:/PATH";
}

static const char *any(struct addr *a, const char *s, int port)
{
	if (s[0] == '/')
		return unix_path(a, s);
	/* a host may be called unix: then a port follows */
	if (strncasecmp(s, "unix:", 5) == 0
	    && addr_port(s + 5, strlen(s + 5)) < 0)
		return unix_url(a, s + 5);
	if (strncasecmp(s, "http://", 7) == 0)
		return url(a, s + 7, false);
	if (strncasecmp(s, "https://", 8) == 0)
		return url(a, s + 8, true);
	if (strstr(s, "://"))
		return "the scheme is not http, https or unix";
	if (s[0] == ':' && s[1] != ':') {
		memcpy(a->host, "127.0.0.1", sizeof "127.0.0.1");
		a->kind = ADDR_TCP;
		a->port = addr_port(s + 1, strlen(s + 1));
		return a->port < 0 ? "a port is a number from 0 to 65535" : NULL;
	}
	return host_port(a, s, strlen(s), port);
}

static int settle(struct addr *a, const char *wrong, const char **why)
{
	if (!wrong)
		return 0;
	memset(a, 0, sizeof *a);
	*why = wrong;
	return -1;
}

int addr_parse(struct addr *a, const char *s, int default_port,
	       const char **why)
{
	memset(a, 0, sizeof *a);
	return settle(a, any(a, s, default_port), why);
}

int addr_tcp(struct addr *a, const char *host, int port, const char **why)
{
	size_t n = strlen(host);
	const char *wrong;

	memset(a, 0, sizeof *a);
	a->kind = ADDR_TCP;
	a->port = port;
	if (port < 0 || port > 65535)
		return settle(a, "a port is a number from 0 to 65535", why);
	if (n > 1 && host[0] == '[' && host[n - 1] == ']')
		wrong = v6_host(a->host, host + 1, n - 2);
	else if (strchr(host, ':'))
		wrong = v6_host(a->host, host, n);
	else
		wrong = name_host(a->host, host, n);
	return settle(a, wrong, why);
}

int addr_print(const struct addr *a, struct buf *out)
{
	if (a->kind == ADDR_UNIX)
		return buf_printf(out, "unix:%s", a->host);
	if (a->kind != ADDR_TCP)
		return -1;
	return buf_printf(out, strchr(a->host, ':') ? "[%s]:%d" : "%s:%d",
			  a->host, a->port);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->kind == b->kind && a->tls == b->tls && a->port == b->port
		&& strcmp(a->host, b->host) == 0;
}

bool addr_loopback(const struct addr *a)
{
	if (a->kind != ADDR_TCP)
		return a->kind == ADDR_UNIX;
	if (strcmp(a->host, "localhost") == 0 || strcmp(a->host, "::1") == 0)
		return true;
	return dotted(a->host, strlen(a->host))
		&& strncmp(a->host, "127.", 4) == 0;
}
