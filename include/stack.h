/* stack.h - the threads and stacks in an answer of /threads
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both forms of protocol.md 2.4: Python's text dumps, and the JSON list that
 * has no stacks. Frames go from the outermost to the innermost.
 */
#ifndef STACK_H
#define STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STACK_THREADS = 100000,		/* of one answer */
	STACK_FRAMES  = 1024		/* of one thread */
};

struct frame {
	char *file, *func, *code;	/* code "" where there is none */
	int   line;
};

struct thread {
	char         *name, *kind;	/* "Thread", "_MainThread", ... */
	char         *state;		/* "started daemon", "running", ... */
	int64_t       id;		/* 0: not told */
	struct frame *frame;
	int           frames;
};

struct threads {
	struct thread *v;
	int n;
};

/* 0, or -1 with *why when this is neither form. Dies when memory runs out. */
int  threads_parse(struct threads *out, const char *p, size_t n, const char **why);
void threads_free(struct threads *t);

bool thread_same_stack(const struct thread *a, const struct thread *b);
/* "wait (threading.py:324)", or "-" without a stack; static, one of two. */
const char *thread_at(const struct thread *t);
const char *frame_base(const struct frame *f);	/* the file's last part */

#endif
