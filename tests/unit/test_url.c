/* test_url.c - percent-encoding and addresses
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "url.h"

/* One decoding each: what is encoded twice stays encoded once. */
static const struct decoding {
	const char *in;
	long        n;		/* -1: refused */
	const char *out;
} decodings[] = {
	{ "", 0, "" },
	{ "metrics", 7, "metrics" },
	{ "%6Detrics", 7, "metrics" },
	{ "%6detrics", 7, "metrics" },
	{ "a+b", 3, "a+b" },
	{ "odd%20name", 8, "odd name" },
	/* a socket in a path segment, encoded once and twice */
	{ "%2Ftmp%2Fx%2Fsocket_6999", 18, "/tmp/x/socket_6999" },
	{ "%252Ftmp%252Fx", 10, "%2Ftmp%2Fx" },
	{ "%25252F", 5, "%252F" },
	/* slashes in names stay in their segment until they are decoded */
	{ "a%2Fb", 3, "a/b" },
	{ "a%2fb", 3, "a/b" },
	{ "a%5Cb", 3, "a\\b" },
	/* dots and empty segments are nobody's business here */
	{ "..", 2, ".." },
	{ "%2e%2e", 2, ".." },
	{ "%2E.", 2, ".." },
	{ "%252e%252e", 6, "%2e%2e" },
	{ "a//b", 4, "a//b" },
	{ "%2F%2F", 2, "//" },
	{ "%3Fx%23y%40z%3Bp", 8, "?x#y@z;p" },
	{ "%0d%0a", 2, "\r\n" },
	/* bytes over ASCII, decoded or not, UTF-8 or not */
	{ "caf%C3%A9", 5, "caf\xc3\xa9" },
	{ "caf\xc3\xa9", 5, "caf\xc3\xa9" },
	{ "caf%E9", 4, "caf\xe9" },
	{ "%F0%9F%98%80", 4, "\xf0\x9f\x98\x80" },
	{ "%ff", 1, "\xff" },
	/* refused */
	{ "%00", -1, NULL },
	{ "a%00b", -1, NULL },
	{ "%", -1, NULL },
	{ "%2", -1, NULL },
	{ "a%2", -1, NULL },
	{ "%zz", -1, NULL },
	{ "%2g", -1, NULL },
	{ "%g2", -1, NULL },
	{ "%%", -1, NULL },
	{ "%%20", -1, NULL },
	{ "%u0041", -1, NULL },
	{ "% 41", -1, NULL },
	{ "%+1", -1, NULL },
	{ "%-1", -1, NULL },
	{ "%0x41", -1, NULL },
	{ "100%", -1, NULL },
	{ "%\xc3\xa9", -1, NULL },
};

TEST(percent_encoding_is_decoded_once_and_strictly)
{
	char out[64], place[64];
	size_t i, wrong = 0;

	for (i = 0; i < sizeof decodings / sizeof *decodings; i++) {
		const struct decoding *d = &decodings[i];
		size_t n = strlen(d->in);
		long got = url_decode(d->in, n, out);
		long in_place;

		memcpy(place, d->in, n);
		in_place = url_decode(place, n, place);
		if (got == d->n && in_place == got
		    && (got < 1 || (memcmp(out, d->out, (size_t)got) == 0
				    && memcmp(place, d->out, (size_t)got) == 0)))
			continue;
		printf("# %s: %ld\n", d->in, got);
		wrong++;
	}
	CHECK(wrong == 0);
}

TEST(a_nul_byte_is_refused_as_its_escape_is)
{
	char out[4];

	CHECK(url_decode("a\0b", 3, out) == -1);
}

TEST(encoding_leaves_unreserved_bytes_alone_and_no_others)
{
	struct buf b = BUF(1024);
	char all[256], back[256];
	int i;

	CHECK(url_encode(&b, "AZaz09-._~", 10) == 0);
	CHECK(strcmp(b.p, "AZaz09-._~") == 0);
	buf_reset(&b);
	CHECK(url_encode(&b, "/tmp/a b%\xc3\xa9+&", 13) == 0);
	CHECK(strcmp(b.p, "%2Ftmp%2Fa%20b%25%C3%A9%2B%26") == 0);
	buf_reset(&b);
	for (i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	CHECK(url_encode(&b, all, 255) == 0);
	CHECK(b.len == 66 + 3 * (255 - 66));
	CHECK(url_decode(b.p, b.len, b.p) == 255);
	memcpy(back, b.p, 255);
	CHECK(memcmp(back, all, 255) == 0);
	buf_free(&b);
}

TEST(encoding_over_the_ceiling_fails)
{
	struct buf b = BUF(4);

	CHECK(url_encode(&b, "a/b/", 4) == -1);
	buf_free(&b);
}

#define P26 "/aaaaaaaaaaaaaaaaaaaaaaaaa"
#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct good {
	const char *in;
	int         port;	/* the default given, -1: none */
	const char *out;	/* as addr_print writes it */
	bool        tls;
} goods[] = {
	{ "/tmp/x.sock", -1, "unix:/tmp/x.sock", false },
	{ "/s", 80, "unix:/s", false },
	{ "//tmp/x", -1, "unix:/tmp/x", false },
	{ "unix:/tmp/x.sock", -1, "unix:/tmp/x.sock", false },
	{ "unix:////tmp/x", -1, "unix:/tmp/x", false },
	{ "unix:///tmp/x.sock", -1, "unix:/tmp/x.sock", false },
	{ "UNIX:/tmp/x", -1, "unix:/tmp/x", false },
	{ "/tmp/a b:80%@[caf\xc3\xa9]", -1, "unix:/tmp/a b:80%@[caf\xc3\xa9]", false },
	{ P26 P26 P26 P26 "/aa", -1, "unix:" P26 P26 P26 P26 "/aa", false },
	{ "127.0.0.1:8000", -1, "127.0.0.1:8000", false },
	{ "0.0.0.0:0", -1, "0.0.0.0:0", false },
	{ "255.255.255.255:65535", -1, "255.255.255.255:65535", false },
	{ "localhost:1", -1, "localhost:1", false },
	{ "LocalHost:80", -1, "localhost:80", false },
	{ "node-1.example.com:6999", -1, "node-1.example.com:6999", false },
	{ "svc.cluster.local.:80", -1, "svc.cluster.local.:80", false },
	{ "lm_cache:80", -1, "lm_cache:80", false },
	{ "1.2.3.4.example:80", -1, "1.2.3.4.example:80", false },
	{ "0xcafe.example:80", -1, "0xcafe.example:80", false },
	{ "7f:80", -1, "7f:80", false },
	{ "0xg:80", -1, "0xg:80", false },
	{ "xn--caf-dma.example:80", -1, "xn--caf-dma.example:80", false },
	{ L63 ":80", -1, L63 ":80", false },
	{ "a", 8000, "a:8000", false },
	{ "127.0.0.1", 0, "127.0.0.1:0", false },
	{ "a:1", 8000, "a:1", false },
	{ "unix", 80, "unix:80", false },
	{ "unix:80", -1, "unix:80", false },
	{ "http:80", -1, "http:80", false },
	{ ":8000", -1, "127.0.0.1:8000", false },
	{ ":0", -1, "127.0.0.1:0", false },
	{ "[::1]:80", -1, "[::1]:80", false },
	{ "[::]:80", -1, "[::]:80", false },
	{ "[::1]", 80, "[::1]:80", false },
	{ "[::1:0:0:1]:80", -1, "[::1:0:0:1]:80", false },
	{ "[::ffff:1:0:0]:80", -1, "[::ffff:1:0:0]:80", false },
	{ "[0:0:0:0:0:0:0:1]:80", -1, "[::1]:80", false },
	{ "[2001:DB8::00A]:80", -1, "[2001:db8::a]:80", false },
	{ "http://a", -1, "a:80", false },
	{ "http://a/", 9, "a:80", false },
	{ "http://a:8080/", -1, "a:8080", false },
	{ "HTTP://A:1", -1, "a:1", false },
	{ "https://a", -1, "a:443", true },
	{ "https://[::1]:8443/", -1, "[::1]:8443", true },
	{ "http://[::1]/", -1, "[::1]:80", false },
};

TEST(an_address_in_any_of_its_forms_is_read_and_printed_in_one)
{
	struct buf b = BUF(300);
	struct addr a, again;
	const char *why = "";
	size_t i, wrong = 0;

	for (i = 0; i < sizeof goods / sizeof *goods; i++) {
		const struct good *g = &goods[i];
		int rc = addr_parse(&a, g->in, g->port, &why);

		buf_reset(&b);
		if (rc == 0 && a.tls == g->tls && addr_print(&a, &b) == 0
		    && strcmp(b.p, g->out) == 0
		    && addr_parse(&again, b.p, -1, &why) == 0
		    && (again.tls = a.tls, addr_equal(&a, &again)))
			continue;
		printf("# %s: %s\n", g->in, rc < 0 ? why : b.p);
		wrong++;
	}
	buf_free(&b);
	CHECK(wrong == 0);
}

static const struct { const char *in, *why; } bads[] = {
	{ "", "an empty host" },
	{ "a", "no port" },
	{ "127.0.0.1", "no port" },
	{ "[::1]", "no port" },
	{ "a:", "a port is a number from 0 to 65535" },
	{ "a:65536", "a port is a number from 0 to 65535" },
	{ "a:99999", "a port is a number from 0 to 65535" },
	{ "a:100000", "a port is a number from 0 to 65535" },
	{ "a:18446744073709551696", "a port is a number from 0 to 65535" },
	{ "a:-1", "a port is a number from 0 to 65535" },
	{ "a:+80", "a port is a number from 0 to 65535" },
	{ "a: 80", "a port is a number from 0 to 65535" },
	{ "a:80 ", "a port is a number from 0 to 65535" },
	{ "a:080", "a port is a number from 0 to 65535" },
	{ "a:00", "a port is a number from 0 to 65535" },
	{ "a:0x50", "a port is a number from 0 to 65535" },
	{ "a:80a", "a port is a number from 0 to 65535" },
	{ "a:http", "a port is a number from 0 to 65535" },
	{ "a:80\n", "a port is a number from 0 to 65535" },
	{ "a:8.0", "a port is a number from 0 to 65535" },
	{ ":", "a port is a number from 0 to 65535" },
	{ ":80 ", "a port is a number from 0 to 65535" },
	{ ":65536", "a port is a number from 0 to 65535" },
	{ "http://a:", "a port is a number from 0 to 65535" },
	{ "http://a:/", "a port is a number from 0 to 65535" },
	{ "http://", "an empty host" },
	{ "http:///", "an empty host" },
	{ "http://:80", "an empty host" },
	{ "user@host:80", "a user name is not part of an address" },
	{ "user:secret@host:80", "a user name is not part of an address" },
	{ "http://user@host/", "a user name is not part of an address" },
	{ "http://127.0.0.1:80@evil.example/", "a user name is not part of an address" },
	{ "a/b:80", "a path is not part of an address" },
	{ "a:80/metrics", "a path is not part of an address" },
	{ "http://a/metrics", "a path is not part of an address" },
	{ "http://a//", "a path is not part of an address" },
	{ "http://a?x", "a path is not part of an address" },
	{ "http://a#x", "a path is not part of an address" },
	{ "ftp://a:80", "the scheme is not http, https or unix" },
	{ "file:///etc/passwd", "the scheme is not http, https or unix" },
	{ "javascript://a", "the scheme is not http, https or unix" },
	{ "://a:80", "the scheme is not http, https or unix" },
	{ "a b:80", "a blank or control character in a host" },
	{ " a:80", "a blank or control character in a host" },
	{ "a\t:80", "a blank or control character in a host" },
	{ "a\r\nb:80", "a blank or control character in a host" },
	{ "a\x7f:80", "a blank or control character in a host" },
	{ "a\x01:80", "a blank or control character in a host" },
	{ "a%2eb:80", "a host has no escapes and no zone identifier" },
	{ "caf\xc3\xa9:80", "a host is ASCII, write its xn-- form" },
	{ "*:80", "a host has letters, digits, '-', '_' and '.' only" },
	{ "a\\b:80", "a host has letters, digits, '-', '_' and '.' only" },
	{ "$(id):80", "a host has letters, digits, '-', '_' and '.' only" },
	{ "a,b:80", "a host has letters, digits, '-', '_' and '.' only" },
	{ ".:80", "an empty label in a host name" },
	{ ".a:80", "an empty label in a host name" },
	{ "a..b:80", "an empty label in a host name" },
	{ "a..:80", "an empty label in a host name" },
	{ "-a:80", "a label of a host name neither begins nor ends with '-'" },
	{ "a-.b:80", "a label of a host name neither begins nor ends with '-'" },
	{ L63 "a:80", "a label of a host name has at most 63 bytes" },
	{ L63 "." L63 "." L63 "." L63 ":80", "a host name has at most 253 bytes" },
	/* other spellings of addresses */
	{ "0x7f.1:80", "an IPv4 address is four decimal numbers" },
	{ "0x7f000001:80", "an IPv4 address is four decimal numbers" },
	{ "0X7F.0.0.0X1:80", "an IPv4 address is four decimal numbers" },
	{ "127.0.0.0x1:80", "an IPv4 address is four decimal numbers" },
	{ "2130706433:80", "an IPv4 address is four decimal numbers" },
	{ "0177.0.0.1:80", "an IPv4 address is four decimal numbers" },
	{ "127.0.0.01:80", "an IPv4 address is four decimal numbers" },
	{ "127.1:80", "an IPv4 address is four decimal numbers" },
	{ "127.0.1:80", "an IPv4 address is four decimal numbers" },
	{ "1.2.3.4.5:80", "an IPv4 address is four decimal numbers" },
	{ "256.0.0.1:80", "an IPv4 address is four decimal numbers" },
	{ "1.2.3.1000:80", "an IPv4 address is four decimal numbers" },
	{ "127.0.0.1.:80", "an IPv4 address is four decimal numbers" },
	{ "example.1:80", "an IPv4 address is four decimal numbers" },
	{ "0x:80", "an IPv4 address is four decimal numbers" },
	{ "0:80", "an IPv4 address is four decimal numbers" },
	{ "http://017700000001/", "an IPv4 address is four decimal numbers" },
	{ "::1:80", "an IPv6 address is written in brackets, [::1]:PORT" },
	{ "::1", "an IPv6 address is written in brackets, [::1]:PORT" },
	{ "a:1:2", "an IPv6 address is written in brackets, [::1]:PORT" },
	{ "[::1:80", "a '[' without its ']'" },
	{ "[]:80", "not an IPv6 address" },
	{ "[a]:80", "not an IPv6 address" },
	{ "[127.0.0.1]:80", "not an IPv6 address" },
	{ "[1::2::3]:80", "not an IPv6 address" },
	{ "[::1 ]:80", "not an IPv6 address" },
	{ "[:::::::::::::::::::::::::::::::::::::::::::::::::]:80", "not an IPv6 address" },
	{ "[::1]80", "expected ':' after ']'" },
	{ "[::1]]:80", "expected ':' after ']'" },
	{ "[::1]:", "a port is a number from 0 to 65535" },
	{ "[::ffff:127.0.0.1]:80", "an IPv4 address inside an IPv6 one, write it by itself" },
	{ "[::ffff:7f00:1]:80", "an IPv4 address inside an IPv6 one, write it by itself" },
	{ "[::127.0.0.1]:80", "an IPv4 address inside an IPv6 one, write it by itself" },
	{ "[::2]:80", "an IPv4 address inside an IPv6 one, write it by itself" },
	{ "[::1.0.0.0]:80", "an IPv4 address inside an IPv6 one, write it by itself" },
	{ "[fe80::1%eth0]:80", "zone identifiers are not taken" },
	{ "[fe80::1%2]:80", "zone identifiers are not taken" },
	{ "[fe80::1%252]:80", "zone identifiers are not taken" },
	/* sockets */
	{ "/", "a socket path does not end with /" },
	{ "/tmp/", "a socket path does not end with /" },
	{ "unix:", "a socket path begins with /" },
	{ "unix:x.sock", "a socket path begins with /" },
	{ "unix:./x", "a socket path begins with /" },
	{ "unix://x.sock", "a socket address is unix:/PATH" },
	{ "unix://host/x.sock", "a socket address is unix:/PATH" },
	{ "unix://", "a socket address is unix:/PATH" },
	{ "/a\nb", "a control character in a socket path" },
	{ "/a\x7f", "a control character in a socket path" },
	{ P26 P26 P26 P26 "/aaa", "a socket path has at most 107 bytes" },
};

TEST(what_is_no_address_is_refused_with_its_reason)
{
	static const struct addr none;
	struct addr a;
	const char *why;
	size_t i, wrong = 0;

	for (i = 0; i < sizeof bads / sizeof *bads; i++) {
		why = "accepted";
		memset(&a, 'x', sizeof a);
		if (addr_parse(&a, bads[i].in, -1, &why) < 0
		    && strcmp(why, bads[i].why) == 0
		    && memcmp(&a, &none, sizeof a) == 0)
			continue;
		printf("# %s: %s\n", bads[i].in, why);
		wrong++;
	}
	CHECK(wrong == 0);
}

TEST(a_host_by_itself_is_taken_with_and_without_brackets)
{
	struct addr a;
	const char *why;

	CHECK(addr_tcp(&a, "::1", 80, &why) == 0);
	CHECK(strcmp(a.host, "::1") == 0 && a.port == 80 && a.kind == ADDR_TCP);
	CHECK(addr_tcp(&a, "[::1]", 80, &why) == 0);
	CHECK(strcmp(a.host, "::1") == 0);
	CHECK(addr_tcp(&a, "10.0.0.1", 0, &why) == 0);
	CHECK(addr_tcp(&a, "a", 65536, &why) < 0);
	CHECK(addr_tcp(&a, "a", -1, &why) < 0);
	CHECK(addr_tcp(&a, "", 80, &why) < 0);
	CHECK(addr_tcp(&a, "[", 80, &why) < 0);
	CHECK(addr_tcp(&a, "[]", 80, &why) < 0);
	CHECK(addr_tcp(&a, "a:80", 80, &why) < 0);
	CHECK(addr_tcp(&a, "http://a", 80, &why) < 0);
	CHECK(addr_tcp(&a, "/tmp/x", 80, &why) < 0);
	CHECK(addr_tcp(&a, "unix:/tmp/x", 80, &why) < 0);
	CHECK(addr_tcp(&a, "u@h", 80, &why) < 0);
	CHECK(addr_tcp(&a, "2130706433", 80, &why) < 0);
	CHECK(a.kind == ADDR_NONE);
}

static bool equal(const char *x, const char *y)
{
	struct addr a, b;
	const char *why;

	return addr_parse(&a, x, -1, &why) == 0 && addr_parse(&b, y, -1, &why) == 0
		&& addr_equal(&a, &b);
}

TEST(equal_addresses_are_those_that_reach_the_same_place)
{
	CHECK(equal("a:80", "A:80"));
	CHECK(equal("a:80", "http://a"));
	CHECK(equal("[::1]:80", "[0::1]:80"));
	CHECK(equal("/tmp/x", "unix:///tmp/x"));
	CHECK(!equal("a:80", "a:81"));
	CHECK(!equal("a:80", "b:80"));
	CHECK(!equal("a:443", "https://a"));
	CHECK(!equal("/tmp/x", "/tmp/X"));
}

static bool loopback(const char *s)
{
	struct addr a;
	const char *why;

	return addr_parse(&a, s, 80, &why) == 0 && addr_loopback(&a);
}

TEST(loopback_is_this_machine_and_nothing_else)
{
	static const struct addr none;

	CHECK(loopback("127.0.0.1:80"));
	CHECK(loopback("127.255.0.9"));
	CHECK(loopback(":80"));
	CHECK(loopback("[::1]:80"));
	CHECK(loopback("LOCALHOST:80"));
	CHECK(loopback("/tmp/x"));
	CHECK(!loopback("0.0.0.0:80"));
	CHECK(!loopback("[::]:80"));
	CHECK(!loopback("128.0.0.1"));
	CHECK(!loopback("12.7.0.1"));
	CHECK(!loopback("127.0.0.1.evil.example"));
	CHECK(!loopback("127.evil.example"));
	CHECK(!loopback("localhost.evil.example"));
	CHECK(!loopback("[1::1]"));
	CHECK(!addr_loopback(&none));
}

TEST(no_address_is_printed_as_nothing)
{
	static const struct addr none;
	struct buf b = BUF(20);

	CHECK(addr_print(&none, &b) == -1);
	CHECK(b.len == 0);
}
