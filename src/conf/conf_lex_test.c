/* Bytes to tokens. */
#include "conf/conf_test_kit.h"

/* Tokens written as text: words as they are, strings in quotes, \n for a line's end. */
static const struct {
	const char *text, *tokens;
} cases[] = {
    {"", ""},
    {"a", "a"},
    {"a b\tc", "a b c"},
    {"a\r\nb", "a \\n b"},
    {"a\n\n b", "a \\n \\n b"},
    {"a{b}c;d,e", "a { b } c ; d , e"},
    {"# x\na # y\n", "\\n a \\n"},
    {"a#b #c", "a#b"},
    {"#{};,\"", ""},
    {"\"a b\" c", "\"a b\" c"},
    {"\"\"", "\"\""},
    {"a\"b\"c", "a \"b\" c"},
    {"\"#;{},\"", "\"#;{},\""},
    {"\"a\\\"b\\\\\"", "\"a\"b\\\""},
    {"\"open\nnext", "\"open\" \\n next"},
    {"\"open", "\"open\""},
    {"\"a\\", "\"a\\\""},
    {"[::1]:25 *:25 10.0.0.0/8", "[::1]:25 *:25 10.0.0.0/8"},
    {"\xEF\xBB\xBF"
     "a",
	"a"},
    {"a\xEF\xBB\xBF", "a\xEF\xBB\xBF"},
};

static void
tokens_write(struct buf *out, struct span text)
{
	struct conf_file file = {.name = SPAN("x"), .text = text};
	struct conf_lexer lexer;
	struct conf_token token;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	conf_lexer_init(&lexer, &file, NULL, &arena);
	while ((token = conf_lexer_next(&lexer)).kind != CONF_EOF) {
		if (out->len > 0)
			buf_add_char(out, ' ');
		if (token.kind == CONF_NEWLINE)
			buf_add_str(out, "\\n");
		else if (token.kind == CONF_STRING)
			buf_addf(out, "\"%.*s\"", SPAN_ARGS(token.text));
		else
			buf_add(out, token.text);
		assert_in_range(token.place.at, 0, text.len - 1);
	}
	/* The end stays the end. */
	assert_int_equal(conf_lexer_next(&lexer).kind, CONF_EOF);
	arena_fini(&arena);
}

static void
bytes_become_tokens(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < LEN(cases); i++) {
		buf_reset(&out);
		tokens_write(&out, span_str(cases[i].text));
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, cases[i].tokens);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_become_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
