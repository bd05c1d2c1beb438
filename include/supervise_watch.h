/* supervise_watch.h - waiting for the world: plugin files, a node's answer
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SUPERVISE_WATCH_H
#define SUPERVISE_WATCH_H

#include "url.h"

enum { WATCH_DIRS = 4096 };	/* directories watched at most */

/* Calls supervise_scan() a moment after something below the locations
 * changed (inotify). What cannot be watched is told once. */
void watch_locations(char *const *locations);

/* Calls on_answer() once something at addr has answered HTTP. */
void wait_for_answer(const struct addr *addr, void (*on_answer)(void));

#endif
