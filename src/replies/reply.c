/*
 * Replies, written and taken apart.
 *
 * reply_write() fills the text of the list and cuts it into lines in one pass,
 * straight into the caller's buffer: a reply costs no memory of its own.  All
 * that comes out of it is printable, so whatever is put into an argument, the
 * other side sees exactly the lines that the list intends.
 */
#include "replies/reply.h"

#include "base/check.h"
#include "base/utf8.h"
#include "replies/help.h"

struct row {
	unsigned code;
	const char *enhanced;
	const char *text;
};

#define REPLY_ENUM(name, code, enhanced, text) [name] = {code, enhanced, text},
static const struct row rows[REPLY_COUNT] = {
#include "replies/reply_list.h"
};
#undef REPLY_ENUM

/* Where the text goes: lines of a reply, or (code 0) the bare text. */
struct writer {
	struct buf *out;
	const struct row *row;
	bool enhanced;
	bool utf8;
	bool bare;
	bool cut; /* the rest of this line did not fit */
	size_t room; /* bytes of text that this line still takes */
	size_t separator; /* where the "-" of the line stands in out */
};

static void
line_begin(struct writer *writer)
{
	size_t start = writer->out->len;

	writer->cut = false;
	writer->room = SIZE_MAX;
	if (writer->bare)
		return;
	buf_add_u64(writer->out, writer->row->code);
	writer->separator = writer->out->len;
	buf_add_char(writer->out, '-');
	if (writer->enhanced && *writer->row->enhanced) {
		buf_add_str(writer->out, writer->row->enhanced);
		buf_add_char(writer->out, ' ');
	}
	writer->room = REPLY_LINE_BYTES_MAX - 2 - (writer->out->len - start);
}

static void
line_end(struct writer *writer, bool last)
{
	if (writer->bare) {
		if (!last)
			buf_add_char(writer->out, '\n');
		return;
	}
	buf_add(writer->out, SPAN("\r\n"));
	if (last && !writer->out->full)
		writer->out->ptr[writer->separator] = ' ';
}

/* Adds text that may be cut anywhere. */
static void
put(struct writer *writer, struct span piece)
{
	if (writer->cut)
		return;
	if (piece.len > writer->room) {
		piece = span_first(piece, writer->room);
		writer->cut = true;
	}
	buf_add(writer->out, piece);
	writer->room -= piece.len;
}

/* Adds text that is worth nothing in part: one character. */
static void
put_whole(struct writer *writer, struct span piece)
{
	if (piece.len > writer->room)
		writer->cut = true;
	put(writer, piece);
}

static bool
is_plain(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/*
 * The bytes of the UTF-8 sequence (RFC 3629) at the start of text; 0 where
 * there is none, or one that stands for a control or ends a line.
 */
static size_t
utf8_bytes(struct span text)
{
	uint32_t c;
	size_t bytes = utf8_take(text, &c);

	return c < 0xa0 || c == 0x2028 || c == 0x2029 ? 0 : bytes;
}

/* Adds an argument: what is not printable becomes "?". */
static void
put_argument(struct writer *writer, struct span text, bool lines)
{
	while (text.len) {
		size_t n = 0;

		while (n < text.len && is_plain(text.ptr[n]))
			n++;
		if (n > 0) {
			put(writer, span_first(text, n));
		} else if (lines && text.ptr[0] == '\n') {
			line_end(writer, false);
			line_begin(writer);
			n = 1;
		} else {
			n = writer->utf8 ? utf8_bytes(text) : 0;
			put_whole(writer, n ? span_first(text, n) : SPAN("?"));
			n = n ? n : 1;
		}
		text = span_skip(text, n);
	}
}

/* How much of a text comes before " (HELP topic)", which is never cut. */
static size_t
body_bytes(struct span text)
{
	size_t tag = help_tag_of(text).len;

	return tag == 0 ? text.len : text.len - (sizeof(" (HELP )") - 1) - tag;
}

static void
fill(struct writer *writer, const struct reply *reply)
{
	struct span text = span_str(writer->row->text), body, tag;
	bool lines = writer->row->code < 300 && span_eq(text, SPAN("%1"));

	body = span_first(text, body_bytes(text));
	tag = span_skip(text, body.len);
	line_begin(writer);
	writer->room -= tag.len;
	while (body.len > 0) {
		size_t n = span_find(span_first(body, span_find(body, '\n')), '%');

		if (n > 0) {
			put(writer, span_first(body, n));
		} else if (body.ptr[0] == '\n') {
			line_end(writer, false);
			line_begin(writer);
			writer->room -= tag.len;
			n = 1;
		} else if (body.len > 1 && body.ptr[1] >= '1' &&
		    body.ptr[1] < '1' + REPLY_ARGS_MAX) {
			put_argument(writer, reply->args[body.ptr[1] - '1'], lines);
			n = 2;
		} else {
			put(writer, SPAN("%"));
			n = 1;
		}
		body = span_skip(body, n);
	}
	writer->cut = false;
	writer->room += tag.len;
	put(writer, tag);
	line_end(writer, true);
}

void
reply_write(struct buf *out, const struct reply *reply, bool enhanced, bool utf8)
{
	struct writer writer = {.out = out, .enhanced = enhanced, .utf8 = utf8};

	check(reply->id < REPLY_COUNT);
	writer.row = &rows[reply->id];
	fill(&writer, reply);
}

void
reply_text(struct buf *out, const struct reply *reply)
{
	struct writer writer = {.out = out, .utf8 = true, .bare = true};

	check(reply->id < REPLY_COUNT);
	writer.row = &rows[reply->id];
	fill(&writer, reply);
}

unsigned
reply_code(enum reply_id id)
{
	check(id < REPLY_COUNT);
	return rows[id].code;
}

const char *
reply_enhanced(enum reply_id id)
{
	check(id < REPLY_COUNT);
	return rows[id].enhanced;
}

void
reply_clean(struct buf *out, struct span text)
{
	struct writer writer = {.out = out, .utf8 = true, .bare = true, .room = SIZE_MAX};

	put_argument(&writer, text, false);
}

/* RFC 3463 section 2. */
bool
reply_status_cut(struct span *text, unsigned short status[3])
{
	struct span rest = *text;
	unsigned short parts[3] = {0};

	for (size_t i = 0; i < LEN(parts); i++) {
		size_t digits_max = i == 0 ? 1 : 3;
		size_t digits = 0;

		while (digits < rest.len && digits < digits_max &&
		       ascii_is_digit(rest.ptr[digits])) {
			parts[i] =
			    (unsigned short)(parts[i] * 10 + (rest.ptr[digits] - '0'));
			digits++;
		}
		if (digits == 0)
			return false;
		rest = span_skip(rest, digits);
		if (i < 2) {
			if (rest.len == 0 || rest.ptr[0] != '.')
				return false;
			rest = span_skip(rest, 1);
		}
	}
	if (rest.len && rest.ptr[0] != ' ')
		return false;
	if (parts[0] != 2 && parts[0] != 4 && parts[0] != 5)
		return false;
	memcpy(status, parts, sizeof(parts));
	*text = span_skip(rest, 1);
	return true;
}

enum err
reply_parse(struct span line, struct reply_parts *parts)
{
	struct reply_parts found = {0};
	uint64_t code;

	if (line.len < 3 || !span_u64(span_first(line, 3), 599, &code) || code < 200)
		return ERR_SYNTAX;
	if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
		return ERR_SYNTAX;
	found.code = (unsigned)code;
	found.more = line.len > 3 && line.ptr[3] == '-';
	found.text = span_skip(line, 4);

	/* 2.x.x in a 5xx reply is some host's version number, not a status. */
	if (found.text.len && found.text.ptr[0] == line.ptr[0] && line.ptr[0] != '3')
		(void)reply_status_cut(&found.text, found.status);
	*parts = found;
	return OK;
}
