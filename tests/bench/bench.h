/* bench.h - what the benchmark's programs share
 * SPDX-License-Identifier: Apache-2.0
 *
 * An address is "unix:PATH" or "A.B.C.D:PORT". These programs are tools of a
 * test bench: whatever goes wrong ends them with a message.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

void fatal(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

uint64_t now_ns(void);		/* monotonic */
uint64_t number(const char *text);	/* decimal, or fatal */

int dial(const char *addr);	/* connected and non-blocking, or -1 */
int listen_on(const char *addr);	/* non-blocking */
int next_client(int listener);	/* non-blocking, TCP_NODELAY; -1: none now */
void say_bound(int listener);	/* "bound ADDR" on stdout, port 0 resolved */

void watch(int ep, int op, int fd, uint32_t events, void *arg);

#endif
