/* peers.h - how often each client address is counted: its connections, entries
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PEERS_H
#define PEERS_H

#include <stddef.h>

/* All zeroes is an empty one. */
struct peers {
	struct peers_row *rows;
	size_t cap, used;	/* cap is a power of two */
};

/* All take the 16 bytes of an IPv6 (or mapped) address. peers_add returns the
 * count with this one, or -1: out of memory. */
long peers_add(struct peers *s, const unsigned char *address);
void peers_drop(struct peers *s, const unsigned char *address);
long peers_count(const struct peers *s, const unsigned char *address);

#endif
