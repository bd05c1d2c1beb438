/* service.c - how a server tells that it is there, and gets its descriptors
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "service.h"

enum { SPARE_FDS = 64, ADDR_TEXT = ADDR_HOST + 16 };

void service_notify(const char *text)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (n < 2 || n >= sizeof sa.sun_path)
		return;
	memcpy(sa.sun_path, path, n);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_event(LOG_WARN, "service manager not told", "reason",
			  strerror(errno), NULL);
	close(fd);
}

int service_tell(const struct listener *l, int n, int ready_fd)
{
	struct buf b = BUF((size_t)n * ADDR_TEXT);
	int rc = 0;

	for (int i = 0; i < n; i++) {
		struct buf one = BUF(ADDR_TEXT);

		addr_print(&l[i].addr, &one);
		log_event(LOG_INFO, "listening", "addr", one.p, NULL);
		buf_printf(&b, "%s\n", one.p);
		buf_free(&one);
	}
	if (ready_fd >= 0)
		rc = net_ready(ready_fd, b.p);
	buf_free(&b);
	return rc;
}

void service_nofile(long connections)
{
	struct rlimit r;
	rlim_t want = (rlim_t)connections * 2 + SPARE_FDS;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= want)
		return;
	r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
	setrlimit(RLIMIT_NOFILE, &r);
}
