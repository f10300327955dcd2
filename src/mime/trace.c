/*
 * Trace fields and dates.
 *
 * What the client said of itself comes out as one atom of harmless characters,
 * so it can neither begin a clause of the field nor end the field; no part has
 * more than a few hundred octets, and each is on a line of its own.
 */
#include "mime/trace.h"

#include "base/date.h"
#include "mime/header.h"

enum { NAME_BYTES_MAX = 255, ADDRESS_TEXT_MAX = 400, TLS_BYTES_MAX = 200 };

void
trace_write_date(struct buf *out, uint64_t wall_ms)
{
	static const char *const days[] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct date date = date_of(wall_ms);

	buf_addf(out, "%s, %u %s %04u %02u:%02u:%02u +0000", days[date.weekday], date.day,
	    months[date.month - 1], date.year, date.hour, date.minute, date.second);
}

/* A domain or address literal as the client gave it; whatever else it is becomes "?". */
static void
write_name(struct buf *out, struct span name)
{
	name = span_first(name, NAME_BYTES_MAX);
	if (name.len == 0)
		buf_add_str(out, "unknown");
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool plain = ascii_is_alnum(c) || (c && strchr(".-_:[]", c));

		buf_add_char(out, plain ? c : '?');
	}
}

/* Text inside a comment (RFC 5322 section 3.2.2). */
static void
write_comment(struct buf *out, struct span text)
{
	text = span_first(text, TLS_BYTES_MAX);
	buf_add_char(out, '(');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '(' || text.ptr[i] == ')' || text.ptr[i] == '\\')
			buf_add_char(out, '\\');
		header_write_text(out, span_of(text.ptr + i, 1), 1);
	}
	buf_add_char(out, ')');
}

static bool
is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] > 126)
			return false;
	}
	return true;
}

/* An address in angle brackets; UTF-8 stays as it is, controls do not. */
static void
write_path(struct buf *out, struct span address)
{
	address = span_first(address, ADDRESS_TEXT_MAX);
	buf_add_char(out, '<');
	for (size_t i = 0; i < address.len; i++) {
		char c = address.ptr[i];

		buf_add_char(out, (unsigned char)c < ' ' || c == 127 ? '?' : c);
	}
	buf_add_char(out, '>');
}

/* "from", in a line of its own, and how it came. */
static void
write_client(struct buf *out, const struct trace_received *received)
{
	buf_add_str(out, "from ");
	write_name(out, received->helo);
	if (received->client.family) {
		buf_add_str(out, " (");
		net_addr_write_literal(out, &received->client);
		buf_add_char(out, ')');
	}
	buf_add_str(out, "\r\n\t");
	if (received->tls.len) {
		write_comment(out, received->tls);
		buf_add_str(out, "\r\n\t");
	}
}

void
trace_write_received(struct buf *out, const struct trace_received *received)
{
	/* A header is ASCII, unless the message came as UTF8SMTP (RFC 6531). */
	bool utf8 = strncmp(received->protocol, "UTF8", 4) == 0;

	buf_add_str(out, "Received: ");
	if (!received->hides_client)
		write_client(out, received);
	buf_add_str(out, "by ");
	write_name(out, received->by);
	buf_addf(out, " with %s id ", received->protocol);
	write_name(out, received->id);
	if (received->for_address.len && (utf8 || is_ascii(received->for_address))) {
		buf_add_str(out, "\r\n\tfor ");
		write_path(out, received->for_address);
	}
	buf_add_str(out, ";\r\n\t");
	trace_write_date(out, received->wall_ms);
	buf_add_str(out, "\r\n");
}

void
trace_write_return_path(struct buf *out, struct span reverse_path)
{
	buf_add_str(out, "Return-Path: ");
	write_path(out, reverse_path);
	buf_add_str(out, "\r\n");
}
