/* test_file.c - whole files, read with a ceiling and written atomically
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "test.h"

/* A directory that is gone when the program is. */
static char dir[] = "/tmp/test_file.XXXXXX";

static int left(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return n;
}

static void clean(void)
{
	if (!chdir("/"))
		rmdir(dir);
}

__attribute__((constructor)) static void go_there(void)
{
	if (!mkdtemp(dir) || chdir(dir) < 0)
		_exit(1);
	umask(022);
	atexit(clean);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_mode & 07777;
}

TEST(what_was_written_is_read)
{
	size_t n = 0;
	char *p;

	CHECK_INT(write_file("a", "x\0y", 3, 0600), 0);
	p = read_file("a", 100, &n);
	CHECK_MEM(p, n, "x\0y");
	CHECK_INT(p[n], 0);
	free(p);
	CHECK_INT(left(), 1);
	unlink("a");
}

TEST(an_empty_file_is_an_empty_string)
{
	size_t n = 1;
	char *p;

	CHECK_INT(write_file("a", "", 0, 0600), 0);
	p = read_file("a", 0, &n);
	CHECK_STR(p, "");
	CHECK_INT(n, 0);
	free(p);
	unlink("a");
}

TEST(a_file_as_long_as_the_ceiling_is_read_one_byte_more_is_not)
{
	static char big[70000];
	size_t n = 0;
	char *p;

	CHECK_INT(write_file("a", big, sizeof big, 0600), 0);
	p = read_file("a", sizeof big, &n);
	CHECK(p);
	CHECK_INT(n, sizeof big);
	free(p);
	CHECK(!read_file("a", sizeof big - 1, &n));
	CHECK_INT(errno, EFBIG);
	unlink("a");
}

TEST(a_file_without_end_is_refused)
{
	CHECK(!read_file("/dev/zero", 1000, NULL));
	CHECK_INT(errno, EFBIG);
}

TEST(a_missing_file_and_a_directory_say_what_they_are)
{
	CHECK(!read_file("none", 10, NULL));
	CHECK_INT(errno, ENOENT);
	CHECK(!read_file(".", 10, NULL));
	CHECK_INT(errno, EISDIR);
}

TEST(a_new_file_has_the_mode_asked_for_an_old_one_keeps_its_own)
{
	CHECK_INT(write_file("a", "1", 1, 0640), 0);
	CHECK_INT(mode_of("a"), 0640);
	CHECK_INT(chmod("a", 0604), 0);
	CHECK_INT(write_file("a", "2", 1, 0640), 0);
	CHECK_INT(mode_of("a"), 0604);
	unlink("a");
}

TEST(it_is_another_file_so_that_a_reader_keeps_the_old_one_whole)
{
	struct stat before, after;

	CHECK_INT(write_file("a", "1", 1, 0600), 0);
	CHECK_INT(stat("a", &before), 0);
	CHECK_INT(link("a", "old"), 0);
	CHECK_INT(write_file("a", "2", 1, 0600), 0);
	CHECK_INT(stat("a", &after), 0);
	CHECK(before.st_ino != after.st_ino);
	CHECK_INT(left(), 2);
	unlink("a");
	unlink("old");
}

TEST(a_link_stays_a_link_and_its_target_is_written)
{
	struct stat st;
	char *p;

	CHECK_INT(mkdir("sub", 0700), 0);
	CHECK_INT(write_file("sub/real", "1", 1, 0600), 0);
	CHECK_INT(symlink("sub/real", "a"), 0);
	CHECK_INT(write_file("a", "2", 1, 0600), 0);
	CHECK_INT(lstat("a", &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	p = read_file("sub/real", 10, NULL);
	CHECK_STR(p, "2");
	free(p);
	unlink("a");
	unlink("sub/real");
	rmdir("sub");
}

TEST(what_is_not_a_file_is_not_replaced_and_nothing_is_left)
{
	CHECK_INT(mkdir("d", 0700), 0);
	CHECK_INT(write_file("d", "1", 1, 0600), -1);
	CHECK_INT(errno, EISDIR);
	CHECK_INT(mkfifo("f", 0600), 0);
	CHECK_INT(write_file("f", "1", 1, 0600), -1);
	CHECK_INT(errno, EINVAL);
	CHECK_INT(left(), 2);
	CHECK_INT(write_file("none/a", "1", 1, 0600), -1);
	CHECK_INT(errno, ENOENT);
	rmdir("d");
	unlink("f");
}
