/*
 * "postrider explain" and "postrider compare": exit statuses, and JSON that a
 * program can rely on.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_explain.h"

enum { OUT_BYTES_MAX = 1 << 18 };

static const struct {
	int (*run)(int argc, char **argv);
	const char *args[7];
	int status;
	bool prints; /* on standard output */
} runs[] = {
    {cli_explain, {"explain", "252"}, EX_OK, true},
    {cli_explain, {"explain", "5.7.1"}, EX_OK, true},
    {cli_explain, {"explain", "550 5.1.1 No such user"}, EX_OK, true},
    {cli_explain, {"explain", "550", "5.1.1", "No such user"}, EX_OK, true},
    {cli_explain, {"explain", "--json", "252"}, EX_OK, true},
    {cli_explain, {"explain", "252", "--json"}, EX_OK, true},
    {cli_explain, {"explain", "250", "2.0.0", "OK - gsmtp", "--json", "-"}, EX_OK, true},
    {cli_explain, {"explain", "starttls"}, EX_OK, true},
    {cli_explain, {"explain", "--json", "dkim=fail"}, EX_OK, true},
    {cli_explain, {"explain", "--format", "html", "failed"}, EX_OK, true},
    {cli_explain, {"explain", "--format=markdown", "4xx"}, EX_OK, true},
    {cli_explain, {"explain", "--format", "pdf", "4xx"}, EX_USAGE, false},
    {cli_explain, {"explain", "starttlz"}, EX_DATAERR, false},
    {cli_explain, {"explain", "-"}, EX_DATAERR, false}, /* nothing is there to be read */
    {cli_explain, {"explain", "--search", "mailbox", "full"}, EX_OK, true},
    {cli_explain, {"explain", "--search", "--json", "mailbox full"}, EX_OK, true},
    {cli_explain, {"explain", "--search", "zzqqzz"}, EX_DATAERR, false},
    {cli_explain, {"explain", "--search"}, EX_USAGE, false},
    {cli_explain, {"explain", "--search", "--list"}, EX_USAGE, false},
    {cli_explain, {"explain", "--list", "--format", "html"}, EX_OK, true},
    {cli_compare, {"compare", "--format", "html", "220", "252"}, EX_OK, true},
    {cli_compare, {"compare", "STARTTLS", "AUTH"}, EX_DATAERR, false},
    {cli_compare, {"compare", "220", "starttls"}, EX_DATAERR, false},
    {cli_compare, {"compare", "--search", "220", "252"}, EX_USAGE, false},
    {cli_explain, {"explain", "--list", "252"}, EX_USAGE, false},
    {cli_compare, {"compare", "220", "252", "--json"}, EX_OK, true},
    {cli_explain, {"explain", "--", "252"}, EX_OK, true},
    {cli_explain, {"explain", "472"}, EX_OK, true},
    {cli_explain, {"explain", "4xx"}, EX_OK, true},
    {cli_explain, {"explain", "--list"}, EX_OK, true},
    {cli_explain, {"explain", "--list", "--json"}, EX_OK, true},
    {cli_explain, {"explain", "--help"}, EX_OK, true},
    {cli_explain, {"explain"}, EX_USAGE, false},
    {cli_explain, {"explain", "--json"}, EX_USAGE, false},
    {cli_explain, {"explain", "--yaml", "252"}, EX_USAGE, false},
    {cli_explain, {"explain", "hello"}, EX_DATAERR, false},
    {cli_explain, {"explain", "--json", "999"}, EX_DATAERR, false},
    {cli_explain, {"explain", ""}, EX_DATAERR, false},
    {cli_explain, {"explain", "\x80\xff"}, EX_DATAERR, false},
    {cli_compare, {"compare", "220", "252"}, EX_OK, true},
    {cli_compare, {"compare", "--json", "220", "252"}, EX_OK, true},
    {cli_compare, {"compare", "4.7.0", "5.7.1"}, EX_OK, true},
    {cli_compare, {"compare", "--help"}, EX_OK, true},
    {cli_compare, {"compare"}, EX_USAGE, false},
    {cli_compare, {"compare", "250"}, EX_USAGE, false},
    {cli_compare, {"compare", "250", "251", "252"}, EX_USAGE, false},
    {cli_compare, {"compare", "--list", "250", "251"}, EX_USAGE, false},
    {cli_compare, {"compare", "250", "472"}, EX_DATAERR, false},
    {cli_compare, {"compare", "--json", "hello", "250"}, EX_DATAERR, false},
};

/* Runs with standard output and error in a file; returns what was written to each. */
static int
run(size_t i, long *out_bytes, long *err_bytes)
{
	const int ends[] = {STDOUT_FILENO, STDERR_FILENO};
	int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *argv[LEN(runs[0].args) + 1] = {NULL};
	char *copies[LEN(runs[0].args)]; /* the command puts argv in another order */
	FILE *files[2];
	int saved[2];
	long bytes[2];
	int argc = 0;
	int status;

	for (; argc < (int)LEN(runs[i].args) && runs[i].args[argc]; argc++)
		argv[argc] = copies[argc] = mem_copy(span_str(runs[i].args[argc]));
	assert_true(input >= 0 && dup2(input, STDIN_FILENO) == STDIN_FILENO);
	close(input);
	fflush(stdout);
	fflush(stderr);
	for (size_t j = 0; j < 2; j++) {
		files[j] = tmpfile();
		assert_non_null(files[j]);
		saved[j] = dup(ends[j]);
		assert_true(dup2(fileno(files[j]), ends[j]) >= 0);
	}
	status = runs[i].run(argc, argv);
	fflush(stdout);
	fflush(stderr);
	for (size_t j = 0; j < 2; j++) {
		bytes[j] = (long)lseek(ends[j], 0, SEEK_END);
		dup2(saved[j], ends[j]);
		close(saved[j]);
		fclose(files[j]);
	}
	while (argc > 0)
		mem_free(copies[--argc]);
	*out_bytes = bytes[0];
	*err_bytes = bytes[1];
	return status;
}

static void
test_exit_statuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(runs); i++) {
		long out_bytes;
		long err_bytes;
		int status = run(i, &out_bytes, &err_bytes);

		if (status != runs[i].status)
			fail_msg("%zu: %s %s: %d", i, runs[i].args[0],
			    runs[i].args[1] ? runs[i].args[1] : "", status);
		assert_int_equal(out_bytes > 0, runs[i].prints);
		assert_int_equal(err_bytes > 0, !runs[i].prints);
	}
}

static const char *
text_of(const json_t *json, const char *object, const char *key)
{
	const char *text;

	if (object)
		json = json_object_get(json, object);
	text = json_string_value(json_object_get(json, key));
	if (!text)
		fail_msg("no text %s", key);
	return text;
}

static json_t *
ask(const char *question)
{
	struct explain explain;
	json_t *json;
	json_t *again;
	struct buf out;

	assert_int_equal(explain_parse(span_str(question), &explain), OK);
	json = cli_explain_json(&explain, NULL);
	assert_non_null(json);
	buf_init(&out, OUT_BYTES_MAX);
	cli_explain_json_write(&out, json_incref(json));
	assert_int_equal(buf_finish(&out), OK);
	again = json_loadb(out.ptr, out.len, 0, NULL);
	assert_true(json_equal(json, again));
	json_decref(again);
	buf_fini(&out);
	return json;
}

static void
test_explain_json(void **state)
{
	json_t *json = ask("550 5.1.1 No such \xff user \033[2J");
	const json_t *see;

	(void)state;
	assert_string_equal(
	    text_of(json, NULL, "question"), "550 5.1.1 No such ? user ?[2J");
	assert_string_equal(text_of(json, "reply", "code"), "550");
	assert_string_equal(text_of(json, "status", "code"), "5.1.1");
	assert_string_equal(
	    text_of(json, "status", "name"), "Bad destination mailbox address");
	assert_true(
	    json_is_false(json_object_get(json_object_get(json, "reply"), "retry")));
	see = json_object_get(json_object_get(json, "status"), "see");
	assert_string_equal(json_string_value(json_array_get(see, 1)), "5.1.2");
	assert_null(json_object_get(json, "contradiction"));
	json_decref(json);

	json = ask("450 5.1.1");
	assert_true(json_is_true(json_object_get(json, "contradiction")));
	assert_true(
	    json_is_true(json_object_get(json_object_get(json, "reply"), "retry")));
	json_decref(json);

	json = ask("472");
	assert_true(
	    json_is_false(json_object_get(json_object_get(json, "reply"), "standard")));
	assert_non_null(text_of(json, "reply", "client"));
	json_decref(json);

	json = ask("Authentication-Results: x; spf=pass; dkim=fail");
	see = json_object_get(json, "topics");
	assert_int_equal(json_array_size(see), 2);
	assert_string_equal(text_of(json_array_get(see, 1), NULL, "key"), "dkim=fail");
	assert_string_equal(text_of(json_array_get(see, 1), NULL, "kind"), "auth-result");
	assert_non_null(text_of(json_array_get(see, 1), NULL, "admin"));
	json_decref(json);

	json = ask("4xx");
	assert_string_equal(text_of(json, NULL, "group"), "4xx");
	json_decref(json);
}

static void
test_list_and_compare_json(void **state)
{
	static const char *const keys[] = {"difference", "when", "client", "choose"};
	json_t *forth = cli_compare_json(NULL, SPAN("220"), SPAN("252"));
	json_t *back = cli_compare_json(NULL, SPAN("252"), SPAN("220"));
	json_t *list = cli_explain_json_list(NULL);

	(void)state;
	for (size_t i = 0; i < LEN(keys); i++)
		assert_true(strlen(text_of(forth, NULL, keys[i])) > 20);
	assert_true(json_equal(forth, back));
	assert_null(cli_compare_json(NULL, SPAN("220"), SPAN("472")));
	assert_null(cli_compare_json(NULL, SPAN("hello"), SPAN("220")));
	assert_true(json_array_size(list) > 100);
	assert_string_equal(text_of(json_array_get(list, 0), NULL, "code"), "101");
	json_decref(forth);
	json_decref(back);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exit_statuses),
	    cmocka_unit_test(test_explain_json),
	    cmocka_unit_test(test_list_and_compare_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
