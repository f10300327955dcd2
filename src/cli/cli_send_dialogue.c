/*
 * "--verbose": the dialogue, line by line, on standard error.  It is meant to be
 * pasted into a question to somebody else, so it never holds a password, in
 * clear or in base64, and what the peer said cannot move the cursor.
 */
#include <stdio.h>

#include "base/check.h"
#include "cli/cli_send_internal.h"

enum { LINE_BYTES_MAX = 8192 };

void
cli_send_print_safe(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '\n' || c == '\t')
			buf_add_char(out, ' ');
		else
			buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
}

void
cli_send_dialogue_init(struct cli_send_dialogue *dialogue, bool on)
{
	*dialogue = (struct cli_send_dialogue){.on = on};
	buf_init(&dialogue->heard, LINE_BYTES_MAX);
}

void
cli_send_dialogue_fini(struct cli_send_dialogue *dialogue)
{
	buf_fini(&dialogue->heard);
}

static void
print(const char *who, struct span line)
{
	struct buf safe;

	buf_init(&safe, LINE_BYTES_MAX + 16);
	cli_send_print_safe(&safe, line);
	fprintf(stderr, "%s %.*s\n", who, SPAN_ARGS(buf_span(&safe)));
	buf_fini(&safe);
}

static struct span
without_cr(struct span line)
{
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

void
cli_send_dialogue_note(struct cli_send_dialogue *dialogue, const char *note)
{
	if (dialogue->on)
		print("*", span_str(note));
}

void
cli_send_dialogue_heard(struct cli_send_dialogue *dialogue, struct span bytes)
{
	struct buf *heard = &dialogue->heard;

	if (dialogue->on && dialogue->body_bytes) {
		fprintf(stderr, "C: (the message: %llu bytes)\n",
		    (unsigned long long)dialogue->body_bytes);
		dialogue->body_bytes = 0;
	}
	while (dialogue->on && bytes.len) {
		size_t line = span_find(bytes, '\n');

		buf_add(heard, span_first(bytes, line));
		bytes = span_skip(bytes, line);
		if (bytes.len == 0)
			return;
		bytes = span_skip(bytes, 1);
		print("S:", without_cr(buf_span(heard)));
		dialogue->secret = span_starts(buf_span(heard), SPAN("334"));
		buf_reset(heard);
	}
}

/* "AUTH PLAIN AGFubg==" shows as "AUTH PLAIN (hidden)". */
static void
print_auth(struct span line)
{
	struct span mechanism = span_skip(line, 5);
	size_t end = 5 + span_find(mechanism, ' ');
	struct buf shown;

	buf_init(&shown, LINE_BYTES_MAX);
	buf_add(&shown, span_first(line, end));
	if (end < line.len)
		buf_add_str(&shown, " (hidden)");
	print("C:", buf_span(&shown));
	buf_fini(&shown);
}

void
cli_send_dialogue_said(struct cli_send_dialogue *dialogue, struct span bytes)
{
	struct span line;

	if (!dialogue->on)
		return;
	if (dialogue->in_body) {
		dialogue->body_bytes += bytes.len;
		return;
	}
	while (span_cut(&bytes, '\n', &line)) {
		line = without_cr(line);
		if (dialogue->secret)
			print("C:", SPAN("(hidden)"));
		else if (span_starts_nocase(line, SPAN("AUTH ")))
			print_auth(line);
		else
			print("C:", line);
		dialogue->secret = false;
	}
}
