/*
 * Tables: what is read is what was meant, and what cannot be meant is refused
 * with its place in the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "io/io.h"
#include "table/table.h"

/* "key=value@line|", one after the other. */
static void
print(const struct table *table, struct buf *out)
{
	for (size_t i = 0; i < table_count(table); i++) {
		const struct table_entry *entry = table_at(table, i);
		struct span found;

		buf_addf(out, "%.*s=%.*s@%u|", SPAN_ARGS(entry->key),
		    SPAN_ARGS(entry->value), entry->line);
		assert_true(table_find(table, entry->key, &found));
		assert_ptr_equal(found.ptr, entry->value.ptr);
	}
}

static const struct {
	const char *name;
	const struct table_options *options;
	struct span text;
	const char *want;
} good[] = {
    {"nothing", &table_mailboxes, SPAN(""), ""},
    {"only comments", &table_mailboxes, SPAN("# a\n\n   \n  # b"), ""},
    {"a line", &table_mailboxes, SPAN("alice@example.org: alice\n"),
	"alice@example.org=alice@1|"},
    {"no line end", &table_mailboxes, SPAN("a@b: c"), "a@b=c@1|"},
    {"no colon", &table_mailboxes, SPAN("a@b c\n"), "a@b=c@1|"},
    {"no blank", &table_mailboxes, SPAN("a@b:c\n"), "a@b=c@1|"},
    {"blanks before the colon", &table_mailboxes, SPAN("a@b \t : \t c \t\n"), "a@b=c@1|"},
    {"CR LF", &table_mailboxes, SPAN("a@b: c\r\nd@e: f\r\n"), "a@b=c@1|d@e=f@2|"},
    {"byte order mark", &table_mailboxes,
	SPAN("\xef\xbb\xbf"
	     "a: b\n"),
	"a=b@1|"},
    {"keys are folded, values not", &table_mailboxes, SPAN("Alice@EXAMPLE.org: Alice\n"),
	"alice@example.org=Alice@1|"},
    {"UTF-8", &table_mailboxes, SPAN("gr\u00fc\u00df@example.org: g\n"),
	"gr\u00fc\u00df@example.org=g@1|"},
    {"a quoted key", &table_mailboxes, SPAN("\"j. d:\\\" x\"@b: c\n"),
	"\"j. d:\\\" x\"@b=c@1|"},
    {"quotes that are not needed", &table_mailboxes, SPAN("\"a.b\"@c: d\n"),
	"a.b@c=d@1|"},
    {"dots make quotes needed", &table_mailboxes, SPAN("\"a..b\"@c: d\n\".a\"@c: e\n"),
	"\"a..b\"@c=d@1|\".a\"@c=e@2|"},
    {"an address literal", &table_mailboxes, SPAN("a@[IPv6:::1]: b\n"),
	"a@[ipv6:::1]=b@1|"},
    {"a catch-all", &table_aliases, SPAN("@example.org: a\n"), "@example.org=a@1|"},
    {"a line that goes on", &table_aliases,
	SPAN("a: b,\n  c,\n\n# no end\n\td # one more\n \ne: f\n"), "a=b, c, d@1|e=f@7|"},
    {"a value on the next line", &table_aliases, SPAN("a:\n b\n"), "a=b@1|"},
    {"a comment after a value", &table_mailboxes, SPAN("a: b # c d\n"), "a=b@1|"},
    {"a hash that is none", &table_mailboxes, SPAN("a#b: c#d\n"), "a#b=c#d@1|"},
    {"a hash in quotes", &table_aliases, SPAN("a: \"x # y\"@b\n"), "a=\"x # y\"@b@1|"},
    {"no comment in secrets", &table_credentials, SPAN("a: b c #d\n"), "a=b c #d@1|"},
    {"hashes", &table_passwords, SPAN("alice: $y$j9T$a/b.c$d#e\n"),
	"alice=$y$j9T$a/b.c$d#e@1|"},
    {"passwords with blanks", &table_credentials, SPAN("relay: user pass  word \n"),
	"relay=user pass  word@1|"},
    {"a comma at the end", &table_aliases, SPAN("a: b,\n"), "a=b,@1|"},
};

static void
test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		struct table *table = NULL;
		struct table_error error;
		struct buf out;

		buf_init(&out, 10000);
		if (table_parse(good[i].text, good[i].options, &table, &error))
			fail_msg("%s: %u:%u: %s", good[i].name, error.line, error.column,
			    error.text);
		print(table, &out);
		if (!span_eq(buf_span(&out), span_str(good[i].want)))
			fail_msg("%s: got %.*s", good[i].name, SPAN_ARGS(buf_span(&out)));
		buf_fini(&out);
		table_destroy(table);
	}
}

static const struct {
	const struct table_options *options;
	struct span text;
	enum err err;
	unsigned line, column;
	const char *why;
} bad[] = {
    {&table_mailboxes, SPAN("a: b\nc\n"), ERR_SYNTAX, 2, 2, "there is no value"},
    {&table_mailboxes, SPAN("a:\n"), ERR_SYNTAX, 1, 3, "\"address: mailbox\""},
    {&table_mailboxes, SPAN("a:\nb: c\n"), ERR_SYNTAX, 1, 3, "there is no value"},
    {&table_mailboxes, SPAN("a:#b\n"), ERR_SYNTAX, 1, 3, "there is no value"},
    {&table_mailboxes, SPAN(": b\n"), ERR_SYNTAX, 1, 1, "nothing before the colon"},
    {&table_mailboxes, SPAN("\n b: c\n"), ERR_SYNTAX, 2, 1, "continues the one before"},
    {&table_mailboxes, SPAN("a: b c\n"), ERR_SYNTAX, 1, 5, "more than one word"},
    {&table_mailboxes, SPAN("a: b\n  c\n"), ERR_SYNTAX, 2, 3, "more than one word"},
    {&table_mailboxes, SPAN("a: b\nA: c\n"), ERR_EXISTS, 2, 1,
	"\"A\" comes twice: here and in line 1"},
    {&table_mailboxes, SPAN("\"a\"@b: b\n\na@B: c\n"), ERR_EXISTS, 3, 1, "line 1"},
    {&table_mailboxes, SPAN("a: b\0c\n"), ERR_SYNTAX, 1, 5, "0x00"},
    {&table_mailboxes, SPAN("a: b\rc\n"), ERR_SYNTAX, 1, 5, "0x0d"},
    {&table_mailboxes, SPAN("# \x1b\n"), ERR_SYNTAX, 1, 3, "0x1b"},
    {&table_aliases, SPAN("a: b c\n"), ERR_SYNTAX, 1, 5, "a comma is missing"},
    {&table_aliases, SPAN("a: b,\n\n#\n  c, d\n  e\n"), ERR_SYNTAX, 5, 3, "a comma"},
    {&table_aliases, SPAN("a:\n b,\n c d\n"), ERR_SYNTAX, 3, 3, "a comma is missing"},
    {&table_aliases, SPAN("a: b,,c\n"), ERR_SYNTAX, 1, 6, "nothing before this comma"},
    {&table_aliases, SPAN("a: ,\n"), ERR_SYNTAX, 1, 4, "nothing before this comma"},
    {&table_aliases, SPAN("a: b, @c\n"), ERR_SYNTAX, 1, 7, "no name before"},
    {&table_aliases, SPAN("a: b, \"c d\n"), ERR_SYNTAX, 1, 7, "not closed"},
    {&table_mailboxes, SPAN("a: b\"c\n"), ERR_SYNTAX, 1, 5, "not closed"},
    {&table_mailboxes, SPAN("\"a b: c\n"), ERR_SYNTAX, 1, 1, "not closed"},
    {&table_mailboxes, SPAN("\"a\\\" b\n"), ERR_SYNTAX, 1, 1, "not closed"},
    {&table_mailboxes, SPAN("a@[b c\n"), ERR_SYNTAX, 1, 1, "not closed"},
    {&table_credentials, SPAN("a: b\n"), ERR_SYNTAX, 1, 4, "no password"},
};

static void
test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct table *table = NULL;
		struct table_error error;
		enum err err = table_parse(bad[i].text, bad[i].options, &table, &error);

		if (err != bad[i].err || error.line != bad[i].line ||
		    error.column != bad[i].column || !strstr(error.text, bad[i].why))
			fail_msg("%zu: \"%.*s\": %s %u:%u: %s", i, SPAN_ARGS(bad[i].text),
			    err_text(err), error.line, error.column, error.text);
		assert_null(table);
	}
}

static void
test_secrets_are_not_shown(void **state)
{
	struct table *table = NULL;
	struct table_error error;

	(void)state;
	assert_int_equal(
	    table_parse(SPAN("a: hush hush\n"), &table_passwords, &table, &error),
	    ERR_SYNTAX);
	assert_null(strstr(error.text, "hush"));
}

static void
test_find(void **state)
{
	struct table *table;
	struct table_error error;
	struct span value = {0}, login, password;
	char long_key[TABLE_KEY_BYTES_MAX + 1];

	(void)state;
	assert_int_equal(table_parse(SPAN("Relay: me p w\nb: c d\n"), &table_credentials,
			     &table, &error),
	    OK);
	assert_true(table_find(table, SPAN("rELAY"), &value));
	table_login(value, &login, &password);
	assert_true(span_eq(login, SPAN("me")) && span_eq(password, SPAN("p w")));
	assert_false(table_find(table, SPAN("rela"), &value));
	assert_false(table_find(table, SPAN(""), &value));
	memset(long_key, 'a', sizeof(long_key));
	assert_false(table_find(table, span_of(long_key, sizeof(long_key)), &value));
	assert_false(table_find(NULL, SPAN("b"), &value));
	assert_int_equal(table_count(NULL), 0);
	assert_true(span_eq(value, SPAN("me p w")));
	table_destroy(table);
	table_destroy(NULL);
}

static void
test_items(void **state)
{
	static const struct {
		const char *list;
		const char *want;
	} cases[] = {
	    {"", ""},
	    {"a", "a|"},
	    {" a ,b,\tc ", "a|b|c|"},
	    {"\"x, y\"@z, b", "\"x, y\"@z|b|"},
	    {"\"x\\\", y\"@z,b,", "\"x\\\", y\"@z|b|"},
	    {"\"x\\", "\"x\\|"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct span rest = span_str(cases[i].list), item;
		struct buf out;

		buf_init(&out, 100);
		while (table_item(&rest, &item))
			buf_addf(&out, "%.*s|", SPAN_ARGS(item));
		assert_true(span_eq(buf_span(&out), span_str(cases[i].want)));
		buf_fini(&out);
	}
}

static void
expect_limit(struct span text, enum err want, unsigned line)
{
	struct table *table = NULL;
	struct table_error error;

	assert_int_equal(table_parse(text, &table_aliases, &table, &error), want);
	assert_int_equal(error.line, line);
	assert_int_equal(error.text[0] == '\0', want == OK);
	table_destroy(table);
}

static void
test_limits(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, TABLE_FILE_BYTES_MAX + 10);
	buf_add_str(&text, "a: b\n");
	for (int i = 0; i < TABLE_KEY_BYTES_MAX; i++)
		buf_add_char(&text, 'k');
	buf_add_str(&text, ": v\n");
	expect_limit(buf_span(&text), OK, 0);
	text.ptr[text.len - 4] = 'k';
	expect_limit(buf_span(&text), ERR_TOO_LONG, 2);

	/* A line, and one that is made of many. */
	buf_reset(&text);
	buf_add_str(&text, "a: ");
	while (text.len < TABLE_LINE_BYTES_MAX)
		buf_add_char(&text, 'v');
	expect_limit(buf_span(&text), OK, 0);
	buf_add_char(&text, 'v');
	expect_limit(buf_span(&text), ERR_TOO_LONG, 1);
	buf_reset(&text);
	buf_add_str(&text, "\na: b");
	for (int i = 0; i < TABLE_LINE_BYTES_MAX / 3; i++)
		buf_add_str(&text, ",\n c");
	expect_limit(buf_span(&text), ERR_TOO_LONG, 2);

	buf_reset(&text);
	for (int i = 0; i < TABLE_ENTRIES_MAX; i++)
		buf_addf(&text, "%d x\n", i);
	expect_limit(buf_span(&text), OK, 0);
	buf_add_str(&text, "a b\n");
	expect_limit(buf_span(&text), ERR_LIMIT, 0);
	while (text.len <= TABLE_FILE_BYTES_MAX)
		buf_add_str(
		    &text, "# a comment, and one more\n# a comment, and one more\n");
	expect_limit(
	    span_first(buf_span(&text), TABLE_FILE_BYTES_MAX + 1), ERR_TOO_LONG, 0);
	buf_fini(&text);
}

static void
test_load(void **state)
{
	char path[] = "/tmp/table_test_XXXXXX", name[64];
	struct table *table = NULL;
	struct table_error error;
	struct span value;
	struct io_dir *dir;
	struct io *io = io_create();
	struct buf out;
	FILE *file;

	(void)state;
	buf_init(&out, 1000);
	assert_non_null(mkdtemp(path));
	assert_int_equal(io_dir_open(io, path, &dir), OK);
	assert_int_equal(table_load(dir, "mailboxes", &table_mailboxes, &table, &error),
	    ERR_NOT_FOUND);
	table_error_write(&out, &error, "mailboxes");
	assert_true(span_eq(buf_span(&out), SPAN("mailboxes: not found")));
	(void)snprintf(name, sizeof(name), "%s/mailboxes", path);
	file = fopen(name, "w");
	assert_non_null(file);
	(void)fprintf(file, "a@b: c\nd@e: f\n");
	(void)fclose(file);
	assert_int_equal(
	    table_load(dir, "mailboxes", &table_mailboxes, &table, &error), OK);
	assert_true(table_find(table, SPAN("d@e"), &value));
	assert_true(span_eq(value, SPAN("f")));
	table_destroy(table);
	assert_int_equal(
	    table_load(dir, "mailboxes", &table_credentials, &table, &error), ERR_SYNTAX);
	buf_reset(&out);
	table_error_write(&out, &error, "mailboxes");
	assert_true(span_starts(buf_span(&out), SPAN("mailboxes:1:6: there is a login")));
	buf_fini(&out);
	io_dir_close(dir);
	io_destroy(io);
	(void)unlink(name);
	(void)rmdir(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_secrets_are_not_shown),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_items),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
