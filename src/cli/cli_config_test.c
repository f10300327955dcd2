/* "postrider config" over files on a disk: what is said, where, and the exit code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/cli_config.h"

enum { TEXT_BYTES_MAX = 65536 };

struct said {
	int code;
	char out[TEXT_BYTES_MAX], err[TEXT_BYTES_MAX];
};

static void
file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
file_read(int fd, char text[TEXT_BYTES_MAX])
{
	ssize_t got = pread(fd, text, TEXT_BYTES_MAX - 1, 0);

	assert_true(got >= 0);
	text[got] = '\0';
	assert_int_equal(close(fd), 0);
}

/* Puts a file in the place of a descriptor; *saved is what was there. */
static int
divert(int fd, int *saved)
{
	char path[] = "./said-XXXXXX";
	int file = mkstemp(path);

	assert_true(file >= 0);
	assert_int_equal(unlink(path), 0);
	*saved = dup(fd);
	assert_int_equal(dup2(file, fd), fd);
	return file;
}

static void
restore(int fd, int saved)
{
	assert_int_equal(dup2(saved, fd), fd);
	assert_int_equal(close(saved), 0);
}

static void
run(struct said *said, const char *a, const char *b, const char *c)
{
	const char *argv[] = {"config", a, b, c, NULL};
	int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);
	int out, err, saved_out, saved_err;

	fflush(stdout);
	fflush(stderr);
	out = divert(STDOUT_FILENO, &saved_out);
	err = divert(STDERR_FILENO, &saved_err);
	said->code = cli_config(argc, (char **)(uintptr_t)argv);
	fflush(stdout);
	fflush(stderr);
	restore(STDOUT_FILENO, saved_out);
	restore(STDERR_FILENO, saved_err);
	file_read(out, said->out);
	file_read(err, said->err);
}

static const struct {
	const char *args[3];
	int code;
	const char *out, *err; /* a part of it; "" is nothing at all */
} cases[] = {
    {{"check", "good"}, EX_OK, "good is good: a.test listens on 2 addresses", ""},
    {{"check", "./sub/../good"}, EX_OK, "is good", ""},
    {{"check"}, EX_OK, "good is good", ""},
    {{"check", "bad"}, EX_CONFIG, "", "bad:1:1: unknown statement \"hostnmae\"; did"},
    {{"check", "bad", "--json"}, EX_CONFIG, "\"column\": 1,\n", ""},
    {{"check", "--json", "good"}, EX_OK, "\"good\": true", ""},
    {{"check", "lost"}, EX_CONFIG, "",
	"lost:2:9: cannot read @/sub/none: No such file or directory\n    include ./s"},
    {{"check", "folder"}, EX_CONFIG, "", "cannot read @/sub: it is not a regular file"},
    {{"check", "absent"}, EX_NOINPUT, "",
	"cannot read absent: No such file or directory\n"},
    {{"check", "absent", "--json"}, EX_NOINPUT, "\"cannot read absent: No such", ""},
    {{"check", "sub"}, EX_NOINPUT, "", "cannot read sub: it is not a regular file\n"},
    {{"check", "large"}, EX_NOINPUT, "", "cannot read large: it is larger than 1 MB\n"},
    {{"show", "good"}, EX_OK, "\nspool @/sub/spool\n", ""},
    {{"show", "good", "--json"}, EX_OK, "\"message_size_bytes\": 52428800,", ""},
    {{"show", "bad"}, EX_CONFIG, "", "bad:1:1: "},
    {{"manual"}, EX_OK, "\nhostname DOMAIN\n", ""},
    {{"help"}, EX_OK, "usage: postrider config", ""},
    {{NULL}, EX_USAGE, "", "usage: postrider config"},
    {{"chekc"}, EX_USAGE, "",
	"postrider: there is no \"config chekc\"; did you mean check?\nusage: "},
    {{"check", "--jsno"}, EX_USAGE, "",
	"no option \"--jsno\" here; did you mean --json?"},
    {{"--config", "good", "check"}, EX_OK, "good is good", ""},
    {{"check", "--config=bad"}, EX_CONFIG, "", "bad:1:1: "},
    {{"check", "--config"}, EX_USAGE, "", "--config needs a value"},
    {{"check", "good", "--config=bad"}, EX_USAGE, "", "what is \"good\"?"},
    {{"check", ""}, EX_USAGE, "", "the file is empty"},
    {{"manual", "good"}, EX_USAGE, "", "the same for every file"},
    {{"check", "good", "bad"}, EX_USAGE, "", "what is \"bad\"?"},
};

/* "@" stands for the folder of the test. */
static void
assert_says(const char *text, const char *part, const char *folder)
{
	char wanted[8192];
	const char *at = strchr(part, '@');
	int len;

	if (part[0] == '\0') {
		assert_string_equal(text, "");
		return;
	}
	len = at ? snprintf(wanted, sizeof(wanted), "%.*s%s%s", (int)(at - part), part,
		       folder, at + 1)
		 : snprintf(wanted, sizeof(wanted), "%s", part);
	assert_in_range(len, 1, sizeof(wanted) - 1);
	if (!strstr(text, wanted))
		assert_string_equal(text, wanted);
}

static void
files_make(void)
{
	FILE *large = fopen("large", "w");

	file_write("good", "hostname a.test\ninclude sub/more\n");
	file_write("bad", "hostnmae a.test\n");
	file_write("lost", "hostname a.test\ninclude ./sub//none\n");
	file_write("folder", "hostname a.test\ninclude sub\n");
	assert_int_equal(mkdir("sub", 0700), 0);
	file_write("sub/more", "spool spool\n");
	assert_non_null(large);
	for (size_t i = 0; i <= 1 << 20; i++)
		assert_int_equal(fputc('\n', large), '\n');
	assert_int_equal(fclose(large), 0);
}

static void
each_command_says_what_it_should(void **state)
{
	char folder[] = "/tmp/cli_config_test-XXXXXX";
	char cwd[4096];
	struct said *said = test_malloc(sizeof(*said));

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(setenv("POSTRIDER_CONFIG", "good", 1), 0);
	files_make();
	for (size_t i = 0; i < LEN(cases); i++) {
		run(said, cases[i].args[0], cases[i].args[1], cases[i].args[2]);
		assert_says(said->out, cases[i].out, folder);
		assert_says(said->err, cases[i].err, folder);
		assert_int_equal(said->code, cases[i].code);
	}
	test_free(said);
	assert_int_equal(unlink("sub/more"), 0);
	assert_int_equal(rmdir("sub"), 0);
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = {
		    "good", "bad", "lost", "folder", "large"};

		assert_int_equal(unlink(names[i]), 0);
	}
	assert_int_equal(chdir(cwd), 0);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_command_says_what_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
