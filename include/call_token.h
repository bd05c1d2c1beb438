/* call_token.h - the frontend's token, for call.c and call_nodes.c only
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CALL_TOKEN_H
#define CALL_TOKEN_H

/* The header line "Authorization: Bearer ...", or NULL without --token-file. */
const char *call_token(void);

#endif
