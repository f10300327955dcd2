/*
 * Escaping: what is printable ASCII or well-formed UTF-8 stays; quotes,
 * backslashes and everything else become \xNN (logfmt) or \u00NN (JSON), so that
 * nobody can forge a line or move a terminal's cursor.
 */
#include "event/event.h"

#include "base/id.h"
#include "mime/trace.h"

static bool
is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
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
	return len;
}

static void
write_escaped(struct event *event, struct span value)
{
	const char *escape = event->log->format == CONF_LOG_JSON ? "\\u00%02x" : "\\x%02x";

	while (value.len > 0) {
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

	/* A line has room for its other fields whatever one value holds. */
	value = span_first(value, 700);
	if (event->line.len + 4 * value.len + 200 > EVENT_LINE_BYTES_MAX)
		value = span_first(value, 40);
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
	trace_write_timestamp(&time, io_wall_ms(log->io));
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
