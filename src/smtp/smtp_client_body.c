/*
 * A body on its way: its dots stuffed, behind DATA; or as it is, in chunks (BDAT, RFC 3030).
 *
 * The lines of a text end with CRLF, whatever is given.  Bodies have no other line ends (reception
 * sees to it), and if one ever did, no server could be made to see the end of the message there.
 */
#include "smtp/smtp_client_internal.h"

#include "smtp/line_end.h"

enum { CHUNK_BYTES_MAX = 2 * SMTP_CLIENT_PIECE_BYTES_MAX + 2 };

static void
note_tail(struct smtp_client *client, struct span bytes)
{
	if (bytes.len >= 2)
		memcpy(client->tail, bytes.ptr + bytes.len - 2, 2);
	if (bytes.len == 1) {
		client->tail[0] = client->tail[1];
		client->tail[1] = bytes.ptr[0];
	}
}

/* Adds a piece; where it is stuffed, with a dot more for each dot at the start of a line. */
static void
add_piece(struct smtp_client *client, struct buf *out, struct span bytes, bool is_stuffed)
{
	size_t done = 0;
	size_t dot = is_stuffed ? span_find(bytes, '.') : bytes.len;

	while (dot < bytes.len) {
		char before = dot ? bytes.ptr[dot - 1] : client->tail[1];

		if (before == '\n') {
			buf_add(out, span_of(bytes.ptr + done, dot - done));
			buf_add_char(out, '.');
			done = dot;
		}
		dot += 1 + span_find(span_skip(bytes, dot + 1), '.');
	}
	buf_add(out, span_skip(bytes, done));
	note_tail(client, bytes);
}

/* The same of a text, where each CR or LF that stands alone gets its other half. */
static void
add_text(struct smtp_client *client, struct buf *out, struct span bytes, bool last,
    bool is_stuffed)
{
	size_t at;

	while ((at = line_end_flaw(bytes, client->tail[1] == '\r')) < bytes.len) {
		add_piece(client, out, span_first(bytes, at), is_stuffed);
		add_piece(
		    client, out, bytes.ptr[at] == '\n' ? SPAN("\r") : SPAN("\n"), is_stuffed);
		bytes = span_skip(bytes, at);
	}
	add_piece(client, out, bytes, is_stuffed);
	if (last && client->tail[1] == '\r')
		add_piece(client, out, SPAN("\n"), is_stuffed);
	else if (last && client->tail[1] != '\n')
		add_piece(client, out, SPAN("\r\n"), is_stuffed);
}

static void
add_chunk(struct smtp_client *client, struct span bytes, bool last)
{
	smtp_client_command(client, "BDAT %zu%s", bytes.len, last ? " LAST" : "");
	smtp_client_say_bytes(client, bytes.len);
	buf_add(&client->output, bytes);
}

static void
add_text_chunk(struct smtp_client *client, struct span bytes, bool last)
{
	struct buf chunk;

	buf_init(&chunk, CHUNK_BYTES_MAX);
	add_text(client, &chunk, bytes, last, false);
	check(buf_finish(&chunk) == OK);
	if (chunk.len > 0 || last)
		add_chunk(client, buf_span(&chunk), last);
	buf_fini(&chunk);
}

static void
add_lines(struct smtp_client *client, struct span bytes, bool last)
{
	add_text(client, &client->output, bytes, last, true);
	client->body_given += bytes.len;
	if (!last)
		return;
	smtp_client_say_bytes(client, client->body_given);
	smtp_client_command(client, ".");
	if (client->lmtp)
		client->in_flight += client->rcpt_ok - 1;
}

void
smtp_client_body(
    struct smtp_client *client, struct span bytes, bool last, uint64_t now_ms)
{
	smtp_client_note_time(client, now_ms);
	if (smtp_client_has_ended(client))
		return;
	check(client->state == STATE_BODY_WANT || client->state == STATE_BODY_GIVE);
	check(bytes.len <= SMTP_CLIENT_PIECE_BYTES_MAX);
	smtp_client_touch(client);
	if (client->now.mail.body_binary)
		add_chunk(client, bytes, last);
	else if (smtp_client_is_chunked(client, &client->now.mail))
		add_text_chunk(client, bytes, last);
	else
		add_lines(client, bytes, last);
	client->end_ms = client->now_ms;
	if (last)
		smtp_client_move(client, STATE_DOT);
	else if (client->state == STATE_BODY_GIVE)
		smtp_client_move(client, STATE_BODY_WANT);
	check(buf_finish(&client->output) == OK);
}
