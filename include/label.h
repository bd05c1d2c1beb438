/* label.h - labels that tell nodes' samples apart
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef LABEL_H
#define LABEL_H

#include <stdbool.h>

/* What a node's name says of its role, as LMCache's own names do: "scheduler"
 * for I_scheduler, "worker" for I_worker3, "" when it says neither. */
const char *label_role(const char *node);

/* [a-zA-Z_][a-zA-Z0-9_]*, as Prometheus wants labels named. */
bool label_name(const char *s);

#endif
