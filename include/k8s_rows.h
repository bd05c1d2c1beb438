/* k8s_rows.h - who is ready in an object of the Kubernetes API, and where
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of an EndpointSlice (discovery.k8s.io/v1) its ready endpoints, by the first
 * of their addresses; a Pod (v1) itself if it is Ready and has an address.
 * An endpoint without "ready" is ready; one that is terminating is left out,
 * ready or not.
 */
#ifndef K8S_ROWS_H
#define K8S_ROWS_H

#include "json.h"

struct k8s_want {
	bool        pods;	/* Pods, else EndpointSlices */
	const char *port;	/* a number, or a port's name; NULL: the only one there is */
};

/* Appends "NAME\0HOST:PORT\0" for each; NAME is NAMESPACE_POD, or "" where
 * there is none or it is too long. "REASON\0\0" stands for one that is no
 * good. */
void k8s_rows(const struct k8s_want *w, const struct json *j, jv object, struct buf *rows);

#endif
