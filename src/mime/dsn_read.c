/*
 * MIME and the fields for programs.  A message is walked part by part; the first delivery report
 * wins, for what follows it is the message that came back, which may hold another one.
 */
#include "mime/dsn_read_internal.h"

#include "base/check.h"
#include "base/utf8.h"
#include "mime/header.h"

enum {
	ARENA_BYTES_MAX = 24 << 20,
	BOUNDARY_BYTES_MAX = 200,
	ADDRESS_BYTES_MAX = 400,
	NAME_BYTES_MAX = 255,
	DATE_BYTES_MAX = 64,
};

struct part {
	struct span type; /* "text/plain" */
	char boundary[BOUNDARY_BYTES_MAX + 5]; /* "\r\n--...", "" none */
	enum dsn_read_encoding encoding;
	struct span body;
};

static void walk(struct dsn_read *read, struct span message, unsigned depth);

struct dsn_read_rcpt *
dsn_read_add(struct dsn_read *read)
{
	if (!read->rcpts) {
		read->rcpts = arena_alloc(
		    &read->arena, DSN_READ_RCPTS_MAX * sizeof(*read->rcpts));
		check(read->rcpts);
	}
	if (read->rcpt_count == DSN_READ_RCPTS_MAX) {
		read->more++;
		return NULL;
	}
	return &read->rcpts[read->rcpt_count++];
}

struct span
dsn_read_keep(struct dsn_read *read, struct span text, size_t bytes_max)
{
	struct span kept = SPAN("");
	struct buf line;

	buf_init(&line, bytes_max);
	text = span_trim(text);
	for (size_t i = 0; i < text.len && !line.full; i++) {
		char c = text.ptr[i];

		if (c == '\t' || c == '\r' || c == '\n')
			c = ' ';
		if (c != ' ' || (line.len && line.ptr[line.len - 1] != ' '))
			buf_add_char(&line, c);
	}
	(void)arena_copy(&read->arena, buf_span(&line), &kept);
	buf_fini(&line);
	return kept;
}

struct span
dsn_read_address(struct dsn_read *read, struct span text)
{
	size_t open = span_find(text, '<');

	text = span_trim(text);
	if (open < text.len) {
		text = span_skip(text, span_find(text, '<') + 1);
		text = span_first(text, span_find(text, '>'));
	}
	while (text.len && strchr(" \t\"'(<", text.ptr[0]) && text.ptr[0])
		text = span_skip(text, 1);
	while (text.len && strchr(" \t\"')>:;,.", text.ptr[text.len - 1]) &&
	       text.ptr[text.len - 1])
		text.len--;
	if (span_starts_nocase(text, SPAN("mailto:")))
		text = span_skip(text, 7);
	if (text.len > ADDRESS_BYTES_MAX || span_find(text, ' ') < text.len)
		return SPAN("");
	return dsn_read_keep(read, text, ADDRESS_BYTES_MAX);
}

/* What stands behind the type of a field: "rfc822;ann@example.net". */
static struct span
behind_type(struct span value, bool *smtp)
{
	size_t semicolon = span_find(value, ';');
	struct span type = span_trim(span_first(value, semicolon));

	*smtp = false;
	if (semicolon == value.len || type.len > 20 || span_find(type, ' ') < type.len)
		return span_trim(value);
	*smtp = span_eq_nocase(type, SPAN("smtp"));
	return span_trim(span_skip(value, semicolon + 1));
}

/* "gr\x{FC}n@example.net" (RFC 6533 section 3) as UTF-8. */
static struct span
unescape(struct dsn_read *read, struct span text)
{
	struct span kept = text;
	struct buf out;

	if (!text.len || !memmem(text.ptr, text.len, "\\x{", 3))
		return text;
	buf_init(&out, ADDRESS_BYTES_MAX);
	while (text.len) {
		uint32_t c = 0;
		size_t i = 3;

		if (!span_starts(text, SPAN("\\x{"))) {
			buf_add_char(&out, text.ptr[0]);
			text = span_skip(text, 1);
			continue;
		}
		for (; i < text.len && i < 9 && text.ptr[i] != '}'; i++) {
			int digit = ascii_hex_value(text.ptr[i]);

			if (digit < 0)
				break;
			c = c << 4 | (uint32_t)digit;
		}
		text = span_skip(text, i + 1);
		if (c < 0x20 || c == 0x7f || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff) {
			buf_add_char(&out, '?');
		} else {
			utf8_add(&out, c);
		}
	}
	(void)arena_copy(&read->arena, buf_span(&out), &kept);
	buf_fini(&out);
	return kept;
}

static struct span
address_of(struct dsn_read *read, struct span value)
{
	bool smtp;

	return unescape(read, dsn_read_address(read, behind_type(value, &smtp)));
}

/* "dns; mx.example.net (192.0.2.1, the server for the domain)" as "mx.example.net". */
static struct span
host_of(struct dsn_read *read, struct span value)
{
	bool smtp;
	struct span host = behind_type(value, &smtp);

	host = span_first(host, span_find(host, ' '));
	return dsn_read_keep(read, host, NAME_BYTES_MAX);
}

/* "5.1.1" of "5.1.1 (user unknown)". */
static struct span
status_of(struct dsn_read *read, struct span value)
{
	size_t bytes = 0;

	while (bytes < value.len && bytes < 11 &&
	       (ascii_is_digit(value.ptr[bytes]) || value.ptr[bytes] == '.'))
		bytes++;
	return dsn_read_keep(read, span_first(value, bytes), 11);
}

static enum dsn_read_action
action_of(struct span value)
{
	static const struct span names[] = {SPAN("failed"), SPAN("delayed"),
	    SPAN("delivered"), SPAN("relayed"), SPAN("expanded")};

	for (unsigned i = 0; i < LEN(names); i++)
		if (span_starts_nocase(value, names[i]))
			return (enum dsn_read_action)i;
	return DSN_READ_FAILED;
}

static void
read_rcpt_field(struct dsn_read *read, struct dsn_read_rcpt *rcpt,
    const struct header_field *field)
{
	struct span value = span_trim(field->value);

	if (span_eq_nocase(field->name, SPAN("Final-Recipient"))) {
		struct span address = address_of(read, value);

		if (address.len)
			rcpt->address = address;
	} else if (span_eq_nocase(field->name, SPAN("Original-Recipient"))) {
		if (rcpt->address.len == 0)
			rcpt->address = address_of(read, value);
	} else if (span_eq_nocase(field->name, SPAN("Action"))) {
		rcpt->action = action_of(value);
	} else if (span_eq_nocase(field->name, SPAN("Status"))) {
		rcpt->status = status_of(read, value);
	} else if (span_eq_nocase(field->name, SPAN("Remote-MTA"))) {
		rcpt->remote = host_of(read, value);
	} else if (span_eq_nocase(field->name, SPAN("Diagnostic-Code"))) {
		struct span words = behind_type(value, &rcpt->said_by_server);

		rcpt->words = dsn_read_keep(read, words, DSN_READ_WORDS_BYTES_MAX);
	} else if (span_eq_nocase(field->name, SPAN("Last-Attempt-Date"))) {
		rcpt->last_attempt = dsn_read_keep(read, value, DATE_BYTES_MAX);
	} else if (span_eq_nocase(field->name, SPAN("Will-Retry-Until"))) {
		rcpt->retry_until = dsn_read_keep(read, value, DATE_BYTES_MAX);
	}
}

/* One group of fields; those of the message have no recipient. */
static void
read_group(struct dsn_read *read, struct span group)
{
	struct dsn_read_rcpt *rcpt = NULL;
	struct header_field field;

	if (header_has(group, SPAN("Final-Recipient")) ||
	    header_has(group, SPAN("Original-Recipient"))) {
		rcpt = dsn_read_add(read);
		if (rcpt)
			*rcpt = (struct dsn_read_rcpt){0};
		read->report = read->notice = true;
	}
	while (header_next(&group, &field)) {
		if (span_eq_nocase(field.name, SPAN("Reporting-MTA")) && !read->reporter.len)
			read->reporter = host_of(read, span_trim(field.value));
		else if (rcpt)
			read_rcpt_field(read, rcpt, &field);
	}
	/* Some call their own words a reply: where nobody else is named, nobody else said them. */
	if (rcpt && rcpt->remote.len == 0)
		rcpt->said_by_server = false;
}

static void
read_fields(struct dsn_read *read, struct span fields)
{
	while (fields.len) {
		const char *gap = memmem(fields.ptr, fields.len, "\r\n\r\n", 4);
		size_t bytes = gap ? (size_t)(gap - fields.ptr) + 2 : fields.len;

		read_group(read, span_first(fields, bytes));
		fields = span_skip(fields, bytes);
		while (span_starts(fields, SPAN("\r\n")))
			fields = span_skip(fields, 2);
	}
}

/* Bytes with CRLF at each line's end, as header.h wants them. */
static struct span
with_crlf(struct dsn_read *read, struct span text)
{
	char *bytes = arena_alloc(&read->arena, 2 * text.len + 1);
	size_t count = 0;

	if (!bytes)
		return SPAN("");
	while (text.len) {
		size_t line = span_find(text, '\n');
		size_t end = line && text.ptr[line - 1] == '\r' ? line - 1 : line;

		memcpy(bytes + count, text.ptr, end);
		count += end;
		if (line < text.len) {
			bytes[count++] = '\r';
			bytes[count++] = '\n';
		}
		text = span_skip(text, line + 1);
	}
	return span_of(bytes, count);
}

/* The value of a parameter ("boundary"), without quotes; "" none. */
static struct span
parameter_of(struct span value, struct span name)
{
	struct span piece;

	if (!span_cut(&value, ';', &piece))
		return SPAN("");
	while (value.len) {
		struct span rest = span_trim(value);

		if (span_starts_nocase(rest, name) &&
		    span_starts(span_trim(span_skip(rest, name.len)), SPAN("="))) {
			rest = span_trim(span_skip(rest, name.len));
			rest = span_trim(span_skip(rest, 1));
			if (span_starts(rest, SPAN("\""))) {
				rest = span_skip(rest, 1);
				return span_first(rest, span_find(rest, '"'));
			}
			return span_trim(span_first(rest, span_find(rest, ';')));
		}
		if (!span_cut(&value, ';', &piece))
			break;
	}
	return SPAN("");
}

static struct part
part_of(struct span message)
{
	struct part part = {.body = span_skip(message, header_bytes(message))};
	struct span type = header_find(message, SPAN("Content-Type"));
	struct span encoding = header_find(message, SPAN("Content-Transfer-Encoding"));
	struct span boundary = parameter_of(type, SPAN("boundary"));

	part.type = span_trim(span_first(type, span_find(type, ';')));
	if (span_eq_nocase(encoding, SPAN("base64")))
		part.encoding = DSN_READ_BASE64;
	else if (span_eq_nocase(encoding, SPAN("quoted-printable")))
		part.encoding = DSN_READ_QUOTED;
	if (boundary.len && boundary.len <= BOUNDARY_BYTES_MAX &&
	    span_starts_nocase(part.type, SPAN("multipart/"))) {
		memcpy(part.boundary, "\r\n--", 4);
		memcpy(part.boundary + 4, boundary.ptr, boundary.len);
	}
	return part;
}

/* Bytes up to the next line of the boundary; one that only begins with it is another one's. */
static size_t
find_boundary(struct span rest, struct span boundary)
{
	size_t at = 0;

	for (;;) {
		struct span from = span_skip(rest, at), behind;
		const char *found =
		    from.len ? memmem(from.ptr, from.len, boundary.ptr, boundary.len) : NULL;

		if (!found)
			return rest.len;
		at = (size_t)(found - rest.ptr);
		behind = span_skip(rest, at + boundary.len);
		if (span_starts(behind, SPAN("--")))
			behind = span_skip(behind, 2);
		if (behind.len == 0 || (behind.ptr[0] && strchr("\r\n\t ", behind.ptr[0])))
			return at;
		at += boundary.len;
	}
}

static void
walk_parts(struct dsn_read *read, const struct part *part, unsigned depth)
{
	struct span boundary = span_str(part->boundary);
	struct span rest = part->body;
	bool inside = false;

	/* The first one may stand at the very start, without a line end in front. */
	if (span_starts(rest, span_skip(boundary, 2))) {
		rest = span_skip(rest, boundary.len - 2);
		rest = span_skip(rest, span_find(rest, '\n') + 1);
		inside = true;
	}
	while (rest.len && read->part_count < DSN_READ_PARTS_MAX) {
		size_t bytes = find_boundary(rest, boundary);
		bool last = bytes == rest.len;

		if (inside) {
			read->part_count++;
			walk(read, span_first(rest, bytes), depth + 1);
		}
		rest = span_skip(rest, bytes + boundary.len);
		if (last || span_starts(rest, SPAN("--")))
			break;
		rest = span_skip(rest, span_find(rest, '\n') + 1);
		inside = true;
	}
}

static void
add_text(struct dsn_read *read, const struct part *part, bool html)
{
	struct buf decoded;

	if (!html) {
		dsn_read_decode(&read->text_buf, part->body, part->encoding);
		if (read->text_buf.len)
			buf_add_char(&read->text_buf, '\n');
		return;
	}
	buf_init(&decoded, DSN_READ_FIELDS_BYTES_MAX);
	dsn_read_decode(&decoded, part->body, part->encoding);
	dsn_read_strip_html(&read->text_buf, buf_span(&decoded));
	buf_add_char(&read->text_buf, '\n');
	buf_fini(&decoded);
}

static void
add_fields(struct dsn_read *read, const struct part *part)
{
	struct buf decoded;

	buf_init(&decoded, DSN_READ_FIELDS_BYTES_MAX);
	dsn_read_decode(&decoded, part->body, part->encoding);
	read_fields(read, with_crlf(read, buf_span(&decoded)));
	buf_fini(&decoded);
}

/* The first fields that say so count: those of the notification, not of what came back. */
static void
look_at_header(struct dsn_read *read, struct span message)
{
	struct span submitted = header_find(message, SPAN("Auto-Submitted"));

	if (!read->failed.len)
		read->failed = header_find(message, SPAN("X-Failed-Recipients"));
	if (!read->subject.len)
		read->subject = header_find(message, SPAN("Subject"));
	if (!read->from.len)
		read->from = header_find(message, SPAN("From"));
	if (span_starts_nocase(submitted, SPAN("auto-replied")))
		read->auto_reply = true;
}

static void
walk_leaf(struct dsn_read *read, const struct part *part, unsigned depth)
{
	struct span type = part->type;

	if (span_eq_nocase(type, SPAN("message/delivery-status")) ||
	    span_eq_nocase(type, SPAN("message/global-delivery-status"))) {
		if (!read->report)
			add_fields(read, part);
	} else if (span_eq_nocase(type, SPAN("message/rfc822")) ||
		   span_eq_nocase(type, SPAN("message/global"))) {
		/* A notification that somebody attached; else it is what came back. */
		if (read->report || read->failed.len)
			return;
		read->text = buf_span(&read->text_buf);
		dsn_read_text(read);
		if (!read->rcpt_count && !read->writer)
			walk(read, part->body, depth + 1);
	} else if (type.len == 0 || span_eq_nocase(type, SPAN("text/plain"))) {
		add_text(read, part, false);
	} else if (span_eq_nocase(type, SPAN("text/html"))) {
		if (read->text_buf.len == 0)
			add_text(read, part, true);
	}
}

static void
walk(struct dsn_read *read, struct span message, unsigned depth)
{
	struct part part;

	if (depth > DSN_READ_DEPTH_MAX || read->report)
		return;
	look_at_header(read, message);
	part = part_of(message);
	if (*part.boundary)
		walk_parts(read, &part, depth);
	else
		walk_leaf(read, &part, depth);
}

/* What somebody copied may begin in the middle: fields for programs without MIME around them. */
static void
find_bare_fields(struct dsn_read *read)
{
	static const struct span starts[] = {SPAN("Reporting-MTA:"), SPAN("Final-Recipient:"),
	    SPAN("Original-Recipient:")};
	struct span rest = buf_span(&read->text_buf), line;
	const char *from = NULL;

	while (!from && span_cut(&rest, '\n', &line))
		for (size_t i = 0; i < LEN(starts) && !from; i++)
			if (span_starts_nocase(line, starts[i]))
				from = line.ptr;
	if (from)
		read_fields(read,
		    with_crlf(read, span_of(from, (size_t)(buf_span(&read->text_buf).ptr +
					 read->text_buf.len - from))));
}

/* Whether it is a message at all: text that somebody copied has no such header. */
static bool
has_header(struct span message)
{
	static const struct span names[] = {SPAN("From"), SPAN("Received"), SPAN("Content-Type"),
	    SPAN("Return-Path"), SPAN("Message-ID"), SPAN("Subject"), SPAN("MIME-Version")};

	for (size_t i = 0; i < LEN(names); i++)
		if (header_has(message, names[i]))
			return true;
	return false;
}

void
dsn_read(struct dsn_read *read, struct span message)
{
	*read = (struct dsn_read){0};
	arena_init(&read->arena, ARENA_BYTES_MAX);
	buf_init(&read->text_buf, DSN_READ_TEXT_BYTES_MAX);
	message = span_first(message, DSN_READ_BYTES_MAX);
	/* The line that mailbox files put in front. */
	if (span_starts(message, SPAN("From ")))
		message = span_skip(message, span_find(message, '\n') + 1);
	message = with_crlf(read, message);
	if (has_header(message)) {
		walk(read, message, 0);
	} else {
		dsn_read_decode(&read->text_buf, message, DSN_READ_PLAIN);
	}
	if (!read->report)
		find_bare_fields(read);
	read->text = buf_span(&read->text_buf);
	dsn_read_text(read);
}

void
dsn_read_fini(struct dsn_read *read)
{
	buf_fini(&read->text_buf);
	arena_fini(&read->arena);
}
