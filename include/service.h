/* service.h - how a server tells that it is there, and gets its descriptors
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "server.h"

/* sd_notify(3): one datagram to $NOTIFY_SOCKET, if there is one. */
void service_notify(const char *text);

/* Logs every address listened on; and, unless ready_fd is negative, writes
 * them there, a line each, and closes it. 0, or -1 with errno. */
int  service_tell(const struct listener *l, int n, int ready_fd);

/* As many descriptors as the connections may need, if we are let. */
void service_nofile(long connections);

#endif
