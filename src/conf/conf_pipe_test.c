/* How the commands of pipes are cut into words and parts, and what they are called. */
#include "conf/conf_test_kit.h"

/* The words with a bar between them, of a configuration whose text follows the kit's. */
static void
check_words(const char *command, const char *expected)
{
	const struct conf_pipe *pipe;
	struct buf text, words;
	struct kit kit;

	buf_init(&text, 4096);
	buf_init(&words, 4096);
	buf_addf(&text, KIT_BASE "pipe mail for a.org to \"%s\" as v\n", command);
	buf_add_char(&text, '\0');
	kit_init(&kit, buf_span(&text).ptr);
	kit_assert_good(&kit);
	pipe = kit.conf->pipes;
	for (size_t i = 0; i < pipe->word_count; i++) {
		buf_add_str(&words, i > 0 ? "|" : "");
		buf_add(&words, pipe->words[i]);
	}
	kit_assert_span(buf_span(&words), expected);
	kit_fini(&kit);
	buf_fini(&words);
	buf_fini(&text);
}

static void
commands_are_cut_at_blanks(void **state)
{
	static const struct {
		const char *command, *words;
	} cases[] = {
	    {"/a", "/a"},
	    {"  /a\t b  c ", "/a|b|c"},
	    {"/a 'b c' d'e f'g", "/a|b c|de fg"},
	    {"/a \\\"b 'c\\\" ''", "/a|b 'c|"},
	    {"/a $HOME `id` ;| * \\\\n", "/a|$HOME|`id`|;||*|\\n"},
	    {"/a --from={sender} {{x} '{detail} {id}'", "/a|--from={sender}|{{x}|{detail} {id}"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		check_words(cases[i].command, cases[i].words);
}

static void
words_have_parts(void **state)
{
	static const struct {
		const char *word, *parts;
	} cases[] = {
	    {"", ""},
	    {"a", "a:0 "},
	    {"{sender}", ":1 "},
	    {"a{recipient}b{mailbox}", "a:2 b:3 "},
	    {"{local}{detail}@{domain}", ":4 :5 @:6 "},
	    {"{{{id}}", "{:0 :7 }:0 "},
	    {"a{{b", "a{:0 b:0 "},
	    {"a{b", "b:8 "},
	    {"{Sender}", "Sender:8 "},
	    {"{}", ":8 "},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct span rest = span_str(cases[i].word), text;
		enum conf_placeholder placeholder;
		struct buf parts;

		buf_init(&parts, 200);
		while (conf_pipe_cut(&rest, &text, &placeholder))
			buf_addf(&parts, "%.*s:%d ", SPAN_ARGS(text), (int)placeholder);
		kit_assert_span(buf_span(&parts), cases[i].parts);
		buf_fini(&parts);
	}
}

static void
statements_have_names_users_and_limits(void **state)
{
	const struct conf_pipe *pipe;
	struct kit kit;

	(void)state;
	kit_init(&kit,
	    KIT_BASE "pipe mail for a.org, b.org to \"/x 1\" as v\n"
		     "pipe mail for c.org to \"/x 2\" as v output 1 KB processes 3 time 10 s\n"
		     "deliver to pipe /x as w\nmailboxes from m\n");
	kit_assert_good(&kit);
	pipe = kit.conf->pipes;
	assert_int_equal(kit.conf->route_count, 3);
	assert_ptr_equal(kit.conf->routes[0].pipe, pipe);
	assert_ptr_equal(kit.conf->routes[1].pipe, pipe);
	kit_assert_span(pipe->name, "v:/x");
	assert_int_equal(pipe->time_ms, 300000);
	assert_int_equal(pipe->output_bytes, 4096);
	assert_int_equal(pipe->processes_max, 10);
	pipe = pipe->next;
	assert_ptr_equal(kit.conf->routes[2].pipe, pipe);
	kit_assert_span(pipe->name, "v:/x#2");
	assert_int_equal(pipe->time_ms, 10000);
	assert_int_equal(pipe->output_bytes, 1024);
	assert_int_equal(pipe->processes_max, 3);
	assert_ptr_equal(kit.conf->mailbox_pipe, pipe->next);
	kit_assert_span(pipe->next->name, "w:/x");
	assert_int_equal(kit.conf->pipe_user_count, 2);
	kit_assert_span(kit.conf->pipe_users[0], "v");
	kit_assert_span(kit.conf->pipe_users[1], "w");
	kit_fini(&kit);
}

static void
programs_are_declared_once_and_named_anywhere(void **state)
{
	const struct conf_pipe *pipe;
	struct kit kit;

	(void)state;
	kit_init(&kit,
	    KIT_BASE "pipe mail for a.org to Robot\n"
		     "pipe mail for b.org to /x as v\n"
		     "program robot runs \"/x {id}\" as v processes 3\n"
		     "pipe mail for c.org to /x as v\n"
		     "deliver to pipe robot\nmailboxes from m\n");
	kit_assert_good(&kit);
	pipe = kit.conf->routes[0].pipe;
	kit_assert_span(pipe->name, "v:robot");
	kit_assert_span(pipe->title, "robot");
	kit_assert_span(pipe->command, "/x {id}");
	assert_int_equal(pipe->processes_max, 3);
	assert_ptr_equal(kit.conf->mailbox_pipe, pipe);
	/* It counts as none of those that are called by their path. */
	kit_assert_span(kit.conf->routes[1].pipe->name, "v:/x");
	kit_assert_span(kit.conf->routes[2].pipe->name, "v:/x#2");
	assert_ptr_equal(kit.conf->pipes, kit.conf->routes[1].pipe);
	assert_ptr_equal(kit.conf->pipes->next, pipe);
	kit_fini(&kit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_are_cut_at_blanks),
	    cmocka_unit_test(words_have_parts),
	    cmocka_unit_test(statements_have_names_users_and_limits),
	    cmocka_unit_test(programs_are_declared_once_and_named_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
