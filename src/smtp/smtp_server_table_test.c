/*
 * Every row of the table in every state that it names, done to a real session: what is said and
 * where that leads is what the row has.  A row that nobody knows how to bring about is a failure.
 */
#include "smtp/smtp_server_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "smtp/test_smtp_recipes.h"

static const struct recipe *
find_recipe(const struct smtp_server_row *row, enum smtp_server_state state)
{
	for (size_t i = 0; i < LEN(recipes); i++)
		if (recipes[i].cue == row->cue && recipes[i].when == row->when &&
		    (recipes[i].states == 0 || (recipes[i].states & BIT(state))))
			return &recipes[i];
	return NULL;
}

/* Bytes that a string can't hold, and a session that has not begun yet: done below. */
static bool
is_done_apart(const struct smtp_server_row *row)
{
	return row->cue == CUE_OPENED || (row->cue == CUE_LINE && row->when == WHEN_NUL) ||
	       (row->cue == CUE_AUTH_LINE && row->when == WHEN_TOO_LONG);
}

static void
check_reply(struct smtp_server *server, const struct smtp_server_row *row, bool mute)
{
	struct span said = smtp_server_output(server);
	char want[32];

	if (row->reply == REPLY_COUNT || mute) {
		assert_int_equal(said.len == 0, row->cue != CUE_ANSWER);
		return;
	}
	assert_true(said.len > 4);
	snprintf(want, sizeof(want), "%u%c%s", reply_code(row->reply), said.ptr[3],
	    reply_enhanced(row->reply));
	assert_true(span_starts(said, span_str(want)));
}

static void
check_row(const struct smtp_server_row *row, enum smtp_server_state state)
{
	const struct recipe *recipe = find_recipe(row, state);
	enum smtp_server_state next = row->next;
	struct smtp_server *server;
	bool mute;

	print_message("  %s: %s: %s\n", smtp_server_state_traits(state)->name,
	    smtp_server_cue_name(row->cue), smtp_server_when_name(row->when));
	assert_non_null(recipe);
	server = reach(state, recipe->lmtp);
	mute = smtp_server_traits(server)->mute && row->cue != CUE_TLS;
	if (recipe->set)
		recipe->set(server);
	if (*recipe->bytes || !recipe->act)
		feed(server, recipe->bytes, SERVER_STATE_COUNT);
	if (recipe->act)
		recipe->act(server);
	if (next == SERVER_SAME)
		next = state;
	else if (next == SERVER_IDLE)
		next = state == SERVER_GREETED ? SERVER_GREETED : SERVER_READY;
	assert_string_equal(smtp_server_traits(server)->name,
	    smtp_server_state_traits(next)->name);
	check_reply(server, row, mute);
	smtp_server_destroy(server);
}

static void
each_row_in_each_of_its_states(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < smtp_server_row_count(); i++) {
		const struct smtp_server_row *row = smtp_server_row_at(i);

		for (enum smtp_server_state state = 0; state < SERVER_STATE_COUNT; state++)
			if ((row->states & BIT(state)) && !is_done_apart(row))
				check_row(row, state);
	}
}

static void
what_a_string_cannot_hold(void **unused)
{
	static const enum smtp_server_state states[] = {SERVER_GREETED, SERVER_READY,
	    SERVER_MAIL, SERVER_RCPT, SERVER_CHUNKS};
	char line[SERVER_AUTH_LINE_BYTES_MAX + 2];
	struct smtp_server_options options = options_of(false);
	struct smtp_server *server;

	(void)unused;
	for (size_t i = 0; i < LEN(states); i++) {
		server = reach(states[i], false);
		smtp_server_input(server, SPAN("NOOP \0\r\n"), 0);
		take_events(server, SERVER_STATE_COUNT);
		check_reply(server,
		    smtp_server_row_find(states[i], CUE_LINE, WHEN_NUL), false);
		assert_int_equal(server->state, states[i]);
		smtp_server_destroy(server);
	}
	server = reach(SERVER_AUTH_LINE, false);
	memset(line, 'A', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	smtp_server_input(server, span_of(line, sizeof(line)), 0);
	take_events(server, SERVER_STATE_COUNT);
	check_reply(server,
	    smtp_server_row_find(SERVER_AUTH_LINE, CUE_AUTH_LINE, WHEN_TOO_LONG), false);
	assert_int_equal(server->state, SERVER_READY);
	smtp_server_destroy(server);
	for (int no = 0; no <= 1; no++) {
		options.no_mail = no;
		server = smtp_server_create(&options, 0);
		check_reply(server,
		    smtp_server_row_find(SERVER_CONNECTED, CUE_OPENED,
			no ? WHEN_NO_MAIL : WHEN_FINE),
		    false);
		assert_int_equal(server->state, no ? SERVER_CLOSED : SERVER_GREETED);
		smtp_server_destroy(server);
	}
}

static void
each_command_has_a_row_in_each_state(void **unused)
{
	(void)unused;
	for (enum smtp_server_state state = 0; state < SERVER_STATE_COUNT; state++) {
		const struct smtp_server_traits *traits = smtp_server_state_traits(state);

		assert_true(*traits->name && *traits->meaning);
		/* A state reads lines, or octets, or waits for us; the first three for none. */
		assert_true(traits->lines + traits->owes + traits->body <= 1);
		for (enum smtp_server_cue cue = 0; cue < CUE_COMMAND_COUNT; cue++) {
			bool any = false;

			for (enum smtp_server_when when = 0; when < WHEN_COUNT; when++)
				any |= smtp_server_row_find(state, cue, when) != NULL;
			assert_int_equal(any, traits->first != NULL);
		}
	}
}

static void
no_row_stands_twice(void **unused)
{
	bool used[WHEN_COUNT] = {false};

	(void)unused;
	for (size_t i = 0; i < smtp_server_row_count(); i++) {
		const struct smtp_server_row *row = smtp_server_row_at(i);

		used[row->when] = true;
		assert_true(row->states != 0 && !(row->states & BIT(SERVER_CLOSED)));
		for (enum smtp_server_state state = 0; state < SERVER_STATE_COUNT; state++)
			if (row->states & BIT(state))
				assert_ptr_equal(smtp_server_row_find(
						     state, row->cue, row->when),
				    row);
		/* A refusal that closes says 421, 5xx, or why the line can't be understood. */
		if (row->next == SERVER_CLOSED && row->reply != REPLY_COUNT)
			assert_true(reply_code(row->reply) == 421 ||
				    reply_code(row->reply) == 221 ||
				    reply_code(row->reply) >= 500);
	}
	for (enum smtp_server_when when = 0; when < WHEN_COUNT; when++)
		if (!used[when])
			fail_msg("no row for: %s", smtp_server_when_name(when));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_row_in_each_of_its_states),
	    cmocka_unit_test(what_a_string_cannot_hold),
	    cmocka_unit_test(each_command_has_a_row_in_each_state),
	    cmocka_unit_test(no_row_stands_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
