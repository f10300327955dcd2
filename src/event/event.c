/*
 * Escaping: what is printable ASCII or well-formed UTF-8 stays; quotes,
 * backslashes and everything else become \xNN (logfmt) or \u00NN (JSON), so that
 * nobody can forge a line, move a terminal's cursor or turn the direction of its text.
 *
 * A value takes at most half of what is left of a line, and a field that finds no room is left
 * out: a line is always whole, whatever its values hold.
 */
#include "event/event.h"

#include "base/date.h"
#include "base/id.h"

/* A value's bytes; one byte's longest escape; what a key or a number may take beside. */
enum { VALUE_BYTES_MAX = 700, ESCAPE_BYTES_MAX = 6, FIELD_BYTES_MAX = 60 };

static bool
is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

/* Marks that turn the direction of text, and separators of lines: U+200E to 2069, some. */
static bool
turns_text(const uint8_t at[3])
{
	if (at[0] != 0xe2)
		return false;
	if (at[1] == 0x80)
		return at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae);
	return at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9;
}

/* Length of the well-formed UTF-8 sequence at the start, 0 where there is none. */
static size_t
utf8_length(struct span span)
{
	const uint8_t *at = (const uint8_t *)span.ptr;
	size_t len = at[0] >= 0xf1 && at[0] <= 0xf3 ? 4 : at[0] >= 0xe1 && at[0] <= 0xec ? 3
	    : at[0] >= 0xc3 && at[0] <= 0xdf        ? 2
	                                            : 0;

	if (len == 0 || span.len < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len == 3 && turns_text(at) ? 0 : len;
}

static size_t
room(const struct event *event)
{
	return event->line.len < EVENT_LINE_BYTES_MAX ? EVENT_LINE_BYTES_MAX - event->line.len
	                                              : 0;
}

static void
write_escaped(struct event *event, struct span value)
{
	const char *escape = event->log->format == CONF_LOG_JSON ? "\\u00%02x" : "\\x%02x";
	size_t end = event->line.len + room(event) / 2;

	while (value.len > 0 && event->line.len + ESCAPE_BYTES_MAX <= end) {
		char c = value.ptr[0];
		size_t len = 1;

		if (c == '"' || c == '\\')
			buf_addf(&event->line, "\\%c", c);
		else if (c >= ' ' && c < 0x7f)
			buf_add_char(&event->line, c);
		else if ((len = utf8_length(value)) > 0)
			buf_add(&event->line, span_first(value, len));
		else
			buf_addf(&event->line, escape, (uint8_t)c);
		value = span_skip(value, len ? len : 1);
	}
}

static void
write_key(struct event *event, const char *key)
{
	if (event->log->format == CONF_LOG_JSON) {
		buf_add_str(&event->line, event->line.len > 1 ? ",\"" : "\"");
		buf_add_str(&event->line, key);
		buf_add_str(&event->line, "\":");
	} else {
		if (event->line.len > 0)
			buf_add_char(&event->line, ' ');
		buf_add_str(&event->line, key);
		buf_add_char(&event->line, '=');
	}
}

void
event_span(struct event *event, const char *key, struct span value)
{
	bool quote = event->log->format == CONF_LOG_JSON || value.len == 0;

	if (room(event) < FIELD_BYTES_MAX)
		return;
	value = span_first(value, VALUE_BYTES_MAX);
	for (size_t i = 0; i < value.len && !quote; i++)
		quote = !is_plain(value.ptr[i]);
	write_key(event, key);
	if (quote)
		buf_add_char(&event->line, '"');
	write_escaped(event, value);
	if (quote)
		buf_add_char(&event->line, '"');
}

void
event_str(struct event *event, const char *key, const char *value)
{
	event_span(event, key, span_str(value));
}

void
event_u64(struct event *event, const char *key, uint64_t value)
{
	if (room(event) < FIELD_BYTES_MAX)
		return;
	write_key(event, key);
	buf_add_u64(&event->line, value);
}

void
event_id(struct event *event, uint64_t id)
{
	char text[ID_TEXT_MAX];

	event_span(event, "id", id_text(text, id));
}

void
event_addr(struct event *event, const char *key, const struct net_addr *addr)
{
	struct buf text;

	buf_init(&text, NET_TEXT_MAX);
	net_addr_write(&text, addr);
	event_span(event, key, buf_span(&text));
	buf_fini(&text);
}

void
event_err(struct event *event, enum err err)
{
	event_str(event, "error", err_text(err));
}

void
event_begin(struct event *event, const struct event_log *log, const char *name)
{
	struct buf time;

	event->log = log;
	buf_init(&event->line, EVENT_LINE_BYTES_MAX + 200);
	buf_init(&time, 40);
	date_write_ms(&time, io_wall_ms(log->io));
	if (log->format == CONF_LOG_JSON)
		buf_add_char(&event->line, '{');
	event_span(event, "time", buf_span(&time));
	event_str(event, "role", log->role);
	event_str(event, "event", name);
	buf_fini(&time);
}

void
event_end(struct event *event)
{
	if (event->log->format == CONF_LOG_JSON)
		buf_add_char(&event->line, '}');
	io_log(event->log->io, buf_span(&event->line));
	buf_fini(&event->line);
}

void
event_note(const struct event_log *log, const char *name, const char *text)
{
	struct event event;

	event_begin(&event, log, name);
	event_str(&event, "text", text);
	event_end(&event);
}
