/* peers.h - how many connections each client address has open
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PEERS_H
#define PEERS_H

/* Both take the 16 bytes of an IPv6 (or mapped) address. peers_add returns
 * the count with this one, or -1: out of memory. */
long peers_add(const unsigned char *address);
void peers_drop(const unsigned char *address);

#endif
