/* outward.c - the address by which others may reach this machine
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net.h"

enum { FOUND = 16 };

/* Of use to others: not loopback, not bound to one link. */
static bool take(const struct sockaddr *sa, int family, char *out)
{
	const struct sockaddr_in6 *six = (const void *)sa;
	const struct sockaddr_in *four = (const void *)sa;
	const void *in = family == AF_INET ? (const void *)&four->sin_addr :
					     (const void *)&six->sin6_addr;

	if (sa->sa_family != family)
		return false;
	if (family == AF_INET ? *(const unsigned char *)in == 127 :
	    IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
	    IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
		return false;
	return net_host(sa, out) == 0;
}

/* Which of our addresses would speak to a far one? Nothing is sent. */
static bool by_route(int family, char *out)
{
	struct sockaddr_in four = {
		.sin_family = AF_INET, .sin_port = htons(1),
		.sin_addr = { htonl(0x0affffff) } };	/* 10.255.255.255 */
	static const struct sockaddr_in6 six = {	/* 2001:db8::1 */
		.sin6_family = AF_INET6, .sin6_port = 256,	/* or 1: any will do */
		.sin6_addr.s6_addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	const struct sockaddr *far = family == AF_INET ? (const void *)&four :
							 (const void *)&six;
	socklen_t len = family == AF_INET ? sizeof four : sizeof six;
	union net_addr sa;
	bool found = false;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (connect(fd, far, len) == 0 && getsockname(fd, &sa.sa, &len) == 0)
		found = take(&sa.sa, family, out);
	close(fd);
	return found;
}

static bool by_name(char *out)
{
	struct addr a = { .kind = ADDR_TCP };
	union net_addr sa[FOUND];
	socklen_t len[FOUND];
	const char *why;
	int n;

	if (gethostname(a.host, sizeof a.host - 1) < 0)
		return false;
	n = net_resolve(&a, sa, len, FOUND, &why);
	for (int i = 0; i < n; i++)
		if (take(&sa[i].sa, AF_INET, out))
			return true;
	return false;
}

/* SIOCGIFCONF knows IPv4 only; getifaddrs() would be 2 kB of netlink. */
static bool by_interface(char *out)
{
	struct ifreq rows[FOUND];
	struct ifconf all = { .ifc_len = sizeof rows, .ifc_req = rows };
	bool found = false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (ioctl(fd, SIOCGIFCONF, &all) == 0)
		for (size_t i = 0; i < (size_t)all.ifc_len / sizeof *rows && !found; i++)
			found = take(&rows[i].ifr_addr, AF_INET, out);
	close(fd);
	return found;
}

void net_outward(char *out, bool look_up)
{
	if (by_route(AF_INET, out) ||
	    (look_up && by_name(out)) || by_interface(out) ||
	    by_route(AF_INET6, out))
		return;
	memcpy(out, "127.0.0.1", sizeof "127.0.0.1");
}
