/* file.h - whole files, read with a ceiling and written atomically
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>

/* A whole file, NUL-terminated; NULL with errno (EFBIG over max). */
char *read_file(const char *path, size_t max, size_t *n);
/* The same of an operand: "-" is standard input. */
char *read_input(const char *path, size_t max, size_t *n);
/* Atomic: temporary file beside it, fsync, rename, fsync of the directory.
 * 0 or -1 with errno. mode applies to a new file. */
int  write_file(const char *path, const void *p, size_t n, unsigned mode);
/* All of it, however often write() takes only some. 0 or -1 with errno. */
int  write_all(int fd, const void *p, size_t n);
/* The directory that a file stands in, so that its name is safe as well. */
int  sync_dir(const char *path);

#endif
