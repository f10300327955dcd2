/*
 * The bytes that have come from the client, and the command lines in them.
 *
 * There is memory only while there are bytes: most sessions of a busy server
 * wait, and cost nothing here then.  Bytes are handed out where they lie; they
 * stay there until the next call from outside.
 */
#include "smtp/smtp_server_internal.h"

#include "base/arena.h"
#include "base/check.h"

enum { INPUT_ROOM_STEP = 1024 };

/* Forgets the input and gives its memory back. */
void
smtp_server_input_release(struct smtp_server *server)
{
	struct smtp_server_input *input = &server->input;

	/* What nobody read may be the beginning of a password. */
	if (input->ptr && input->secret)
		mem_wipe(input->ptr, input->room);
	else if (input->ptr)
		mem_wipe(input->ptr + input->start, input->end - input->start);
	mem_free(input->ptr);
	*input = (struct smtp_server_input){.skipping = input->skipping};
}

/* Makes room for up to more octets behind what there is; gives for how many. */
static size_t
reserve(struct smtp_server_input *input, size_t more)
{
	size_t used = input->end - input->start, room;
	char *grown;

	if (more > SMTP_SERVER_INPUT_BYTES - used)
		more = SMTP_SERVER_INPUT_BYTES - used;
	if (more <= input->room - input->end)
		return more;
	if (used + more <= input->room) {
		memmove(input->ptr, input->ptr + input->start, used);
	} else {
		room = used + more > 2 * input->room ? used + more : 2 * input->room;
		room = (room + INPUT_ROOM_STEP - 1) / INPUT_ROOM_STEP * INPUT_ROOM_STEP;
		if (room > SMTP_SERVER_INPUT_BYTES)
			room = SMTP_SERVER_INPUT_BYTES;
		grown = mem_realloc(NULL, room);
		if (used)
			memcpy(grown, input->ptr + input->start, used);
		/* The line that outgrew it may hold a password. */
		if (input->ptr)
			mem_wipe(input->ptr, input->secret ? input->room : input->end);
		mem_free(input->ptr);
		input->ptr = grown;
		input->room = room;
	}
	input->start = 0;
	input->end = used;
	return more;
}

size_t
smtp_server_input_add(struct smtp_server_input *input, struct span bytes)
{
	size_t taken = reserve(input, bytes.len);

	if (taken)
		memcpy(input->ptr + input->end, bytes.ptr, taken);
	input->end += taken;
	return taken;
}

struct span
smtp_server_input_unread(const struct smtp_server_input *input)
{
	if (!input->ptr)
		return SPAN("");
	return span_of(input->ptr + input->start, input->end - input->start);
}

void
smtp_server_input_consume(struct smtp_server_input *input, size_t count)
{
	check(count <= input->end - input->start);
	input->start += count;
}

/* How long the first line may be, without its CRLF. */
static size_t
line_bytes_max(const struct smtp_server *server, struct span text)
{
	if (server->state == SERVER_AUTH_LINE || span_starts_nocase(text, SPAN("AUTH ")))
		return SERVER_AUTH_LINE_BYTES_MAX - 2;
	return server->options.command_bytes_max - 2;
}

static size_t
find_line_end(struct span text, size_t from)
{
	struct span rest = span_skip(text, from);

	rest = span_first(rest, span_find(rest, '\n'));
	return from + span_find(rest, '\r');
}

/*
 * Takes the first line.  The length is judged before the line's end is looked
 * at, so that neither depends on how much has come so far.
 */
enum smtp_server_line
smtp_server_input_line(struct smtp_server *server, struct span *line)
{
	struct smtp_server_input *input = &server->input;
	struct span text = smtp_server_input_unread(input);
	size_t at = find_line_end(text, input->scanned);
	bool too_long;

	if (at > line_bytes_max(server, text))
		input->skipping = true;
	if (input->skipping) {
		smtp_server_input_consume(input, at);
		text = span_skip(text, at);
		at = 0;
	}
	input->scanned = at;
	*line = span_first(text, at);
	if (at == text.len)
		return SERVER_LINE_MORE;
	if (text.ptr[at] == '\n')
		return SERVER_LINE_BARE;
	if (at + 1 == text.len)
		return SERVER_LINE_MORE;
	if (text.ptr[at + 1] != '\n')
		return SERVER_LINE_BARE;
	smtp_server_input_consume(input, at + 2);
	too_long = input->skipping;
	input->scanned = 0;
	input->skipping = false;
	return too_long ? SERVER_LINE_TOO_LONG : SERVER_LINE_TAKEN;
}
