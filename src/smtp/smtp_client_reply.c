/*
 * Reading what a server says.  Every length is bounded, and no bound depends on
 * how the bytes were split on their way.
 *
 * A line ends with LF; a CR before it is dropped.  Servers that leave the CR out
 * exist, and only the server itself could gain from a reply read wrongly.
 */
#include "smtp/smtp_client_internal.h"

/* Keeps as much of a line's text as fits; the rest is cut. */
static void
keep_text(struct smtp_client *client, struct span text)
{
	if (client->line_count > 1)
		buf_add(&client->text, span_first(SPAN("\n"), buf_space(&client->text)));
	buf_add(&client->text, span_first(text, buf_space(&client->text)));
}

/* Gives up over a line that is no reply; the line is what the event tells. */
static void
give_up(struct smtp_client *client, struct span line)
{
	client->reply = (struct smtp_client_reply){0};
	buf_reset(&client->text);
	buf_add(&client->text, span_first(line, SMTP_CLIENT_REPLY_TEXT_MAX));
	smtp_client_refuse(client, ERR_SYNTAX);
}

/* True once the line was the last one of its reply, or no reply at all. */
static bool
take_line(struct smtp_client *client, struct span line)
{
	struct reply_parts parts;

	smtp_client_hear(client, line);
	if (reply_parse(line, &parts)) {
		give_up(client, line);
		return true;
	}
	if (client->line_count == 0) {
		client->reply = (struct smtp_client_reply){.code = parts.code};
		buf_reset(&client->text);
	}
	if (parts.code != client->reply.code ||
	    ++client->line_count > SMTP_CLIENT_REPLY_LINES_MAX) {
		give_up(client, line);
		return true;
	}
	if (client->reply.status[0] == 0)
		memcpy(client->reply.status, parts.status, sizeof(parts.status));
	keep_text(client, parts.text);
	if (client->state == STATE_EHLO && client->line_count > 1)
		smtp_client_note_offer(client, parts.text);
	client->line_ms = client->now_ms;
	return !parts.more;
}

bool
smtp_client_read_reply(struct smtp_client *client)
{
	bool whole = false;

	while (!whole) {
		struct span input =
		    span_skip(buf_span(&client->input), client->input_done);
		struct span line = span_first(input, span_find(input, '\n'));
		size_t bytes = line.len + 1;

		if (line.len >= SMTP_CLIENT_LINE_BYTES_MAX) {
			give_up(client, line);
			break;
		}
		if (line.len == input.len)
			return false;
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		whole = take_line(client, line);
		client->input_done += bytes;
		if (client->input_done == client->input.len) {
			buf_reset(&client->input);
			client->input_done = 0;
		}
	}
	client->line_count = 0;
	return true;
}

void
smtp_client_reply_local(struct smtp_client *client, unsigned code, unsigned subject,
    unsigned detail, const char *text)
{
	client->reply = (struct smtp_client_reply){.code = code};
	client->reply.status[0] = (unsigned short)(code / 100);
	client->reply.status[1] = (unsigned short)subject;
	client->reply.status[2] = (unsigned short)detail;
	buf_reset(&client->text);
	buf_add_str(&client->text, text);
}
