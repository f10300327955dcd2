/*
 * What the next server gets of a body, whatever is in it and however it is cut: lines that end
 * with CR LF, and one end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/check.h"
#include "smtp/smtp_client.h"

enum { BODY_BYTES = 9, OUT_BYTES_MAX = 256 };

static struct smtp_client *
client_at_body(void)
{
	static const struct span rcpt = {"b@y", 3};
	const struct smtp_client_options options = {
	    .helo = SPAN("me"), .reply_timeout_ms = 1000};
	const struct smtp_client_mail mail = {
	    .reverse_path = SPAN("a@x"), .rcpts = &rcpt, .rcpt_count = 1};
	struct span said = SPAN("220 mx\r\n250 mx\r\n");
	struct smtp_client *client = smtp_client_create(&options, 0);
	struct smtp_client_event event = {0};

	for (int turn = 0; turn < 20 && event.kind != SMTP_CLIENT_BODY_WANTED; turn++) {
		struct span line = span_first(said, span_find(said, '\n') + 1);

		smtp_client_output_done(client, smtp_client_output(client).len);
		if (event.kind == SMTP_CLIENT_READY) {
			smtp_client_send(client, &mail, 0);
			said = SPAN("250 ok\r\n250 ok\r\n354 go\r\n");
		} else if (event.kind == SMTP_CLIENT_WAIT && line.len > 0) {
			assert_int_equal(smtp_client_input(client, line, 0), line.len);
			said = span_skip(said, line.len);
		}
		event = smtp_client_next(client);
	}
	assert_int_equal(event.kind, SMTP_CLIENT_BODY_WANTED);
	smtp_client_output_done(client, smtp_client_output(client).len);
	return client;
}

/* The body as lines, without dots that were added: the reference, one octet at a time. */
static size_t
lines_by_hand(const char *body, size_t bytes, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes; i++) {
		bool second = body[i] == '\n' && i > 0 && body[i - 1] == '\r';

		if (!second)
			out[n++] = body[i] == '\r' ? '\n' : body[i];
	}
	if (n > 0 && out[n - 1] != '\n')
		out[n++] = '\n';
	return n;
}

/* What a strict server makes of the output: lines without the dots; one end, at the end. */
static size_t
read_strictly(struct span output, char *out)
{
	size_t n = 0;
	bool ended = false, line_start = true;

	for (size_t i = 0; i < output.len; i++) {
		assert_false(ended);
		if (output.ptr[i] == '\r') {
			assert_true(i + 1 < output.len && output.ptr[i + 1] == '\n');
			continue;
		}
		if (output.ptr[i] == '\n')
			assert_true(i > 0 && output.ptr[i - 1] == '\r');
		if (line_start && output.ptr[i] == '.') {
			ended = output.len - i >= 3 && output.ptr[i + 1] == '\r';
			if (ended)
				i += 2;
			line_start = false;
			continue;
		}
		out[n++] = output.ptr[i];
		line_start = output.ptr[i] == '\n';
	}
	assert_true(ended);
	return n;
}

static void
check_body(const char *body, size_t bytes, size_t cut)
{
	char wanted[OUT_BYTES_MAX], got[OUT_BYTES_MAX];
	struct smtp_client *client = client_at_body();
	size_t n;

	smtp_client_body(client, span_of(body, cut), false, 0);
	assert_int_equal(smtp_client_next(client).kind, SMTP_CLIENT_BODY_WANTED);
	smtp_client_body(client, span_of(body + cut, bytes - cut), true, 0);
	assert_true(smtp_client_output(client).len <= OUT_BYTES_MAX);
	n = read_strictly(smtp_client_output(client), got);
	assert_int_equal(n, lines_by_hand(body, bytes, wanted));
	assert_memory_equal(got, wanted, n);
	smtp_client_destroy(client);
}

/* All bodies of up to six octets of these, cut at each place; and some longer ones. */
static void
one_end_and_no_bare_line_end(void **state)
{
	static const char alphabet[] = {'a', '.', '\r', '\n'};
	char body[BODY_BYTES];
	uint64_t seed = 1;

	(void)state;
	for (size_t number = 0; number < 1 << 12; number++) {
		for (size_t i = 0; i < 6; i++)
			body[i] = alphabet[number >> (2 * i) & 3];
		for (size_t cut = 0; cut <= 6; cut++)
			check_body(body, 6, cut);
	}
	for (size_t round = 0; round < 5000; round++) {
		for (size_t i = 0; i < BODY_BYTES; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			body[i] = alphabet[seed >> 40 & 3];
		}
		check_body(body, BODY_BYTES, (size_t)(seed >> 33) % BODY_BYTES);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_end_and_no_bare_line_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
