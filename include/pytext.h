/* pytext.h - the rules of Python's str that LMCache's launcher leans on
 * SPDX-License-Identifier: Apache-2.0
 *
 * The launcher lower-cases a file name, splits it at "_", upper-cases the
 * first word and gives the second to str.isdigit() and int(), all by
 * Unicode 14 (CPython 3.11). A byte that is not UTF-8 is the lone surrogate
 * U+DC80..U+DCFF, as os.fsdecode() makes it.
 */
#ifndef PYTEXT_H
#define PYTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "http.h"	/* struct span */

/* One character at p[0..n), n > 0; returns its bytes (1 for a bad byte). */
size_t py_char(const char *p, size_t n, uint32_t *c);
bool   py_utf8(const char *p, size_t n);	/* no bad byte */

bool py_isspace(uint32_t c);
/* 0..9: a decimal digit; PY_ODD_DIGIT: isdigit() says yes but int() refuses
 * (superscripts, circled digits); -1: no digit. */
enum { PY_ODD_DIGIT = 10 };
int  py_digit(uint32_t c);

/* c.lower().upper() into out; returns how many characters (1..3). */
int  py_upper(uint32_t c, uint32_t out[3]);
/* The same for text, appended as bytes. */
int  py_upper_text(struct span s, struct buf *out);

struct span py_strip(struct span s);	/* str.strip() */

/* repr() of text, for messages that must equal Python's. */
int  py_repr(struct span s, struct buf *out);

#endif
