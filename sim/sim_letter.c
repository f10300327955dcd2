/*
 * The bytes of letters, and what is done with copies of them.
 */
#include "sim_letter.h"

#include "base/base64.h"
#include "base/check.h"

uint64_t
dice_next(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t
dice_below(struct dice *dice, uint64_t max)
{
	return max ? dice_next(dice) % max : 0;
}

static void
write_text(struct buf *out, struct dice *dice, size_t bytes, unsigned eight_of)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,-=<>";

	for (size_t i = 0; i < bytes; i++) {
		uint64_t chance = dice_next(dice);

		if (eight_of && chance % 7 < eight_of)
			buf_add_char(out, (char)(0x80 + chance / 7 % 0x80));
		else
			buf_add_char(out, letters[chance / 7 % (sizeof(letters) - 1)]);
	}
}

static void
write_line(struct buf *out, struct dice *dice, const struct letter *letter)
{
	static const char *const commands[] = {"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>",
	    "DATA", "QUIT", ".", "..", "RSET", "BDAT 5 LAST", "EHLO x", "From me", ". .", ""};

	switch (letter->shape) {
	case LETTER_DOTS:
		write_text(out, dice, 0, 0);
		buf_add(out, span_first(SPAN("...."), 1 + dice_below(dice, 4)));
		if (dice_below(dice, 3))
			write_text(out, dice, dice_below(dice, 60), 0);
		break;
	case LETTER_LONG:
		write_text(out, dice, 900 + dice_below(dice, 99), 0);
		break;
	case LETTER_COMMANDS:
		buf_add_str(out, commands[dice_below(dice, LEN(commands))]);
		break;
	case LETTER_8BIT:
		/* Some are shorter as quoted-printable, others as base64. */
		write_text(out, dice, 1 + dice_below(dice, 76), letter->seed % 2 ? 1 : 4);
		break;
	case LETTER_PLAIN:
	case LETTER_EMPTY:
	case LETTER_NO_BODY:
	case LETTER_SHAPE_COUNT:
		write_text(out, dice, dice_below(dice, 78), 0);
	}
	buf_add_str(out, "\r\n");
}

/* Large letters repeat a page, each with its number: they are made again and again. */
static void
write_pages(struct buf *out, struct dice *dice, const struct letter *letter)
{
	struct buf page;
	size_t start = out->len;

	buf_init(&page, 1 << 16);
	while (page.len < letter->body_bytes && page.len < 16384)
		write_line(&page, dice, letter);
	for (unsigned i = 0; out->len - start < letter->body_bytes; i++) {
		buf_addf(out, "page %u of T%06u\r\n", i, letter->number);
		buf_add(out, buf_span(&page));
	}
	buf_fini(&page);
}

void
letter_write(struct buf *out, const struct letter *letter)
{
	struct dice dice = {letter->seed};

	if (letter->shape == LETTER_EMPTY)
		return;
	buf_addf(out, "X-Token: T%06u\r\n", letter->number);
	buf_addf(out, "From: <%s>\r\n", letter->from);
	buf_addf(out, "Message-ID: <T%06u@client.example>\r\n", letter->number);
	buf_addf(out, "Subject: T%06u\r\n a folded line\r\n", letter->number);
	if (letter->shape == LETTER_NO_BODY)
		return;
	/* It goes to another server rather than be converted. */
	if (letter->shape == LETTER_8BIT && letter->seed / 3 % 2)
		buf_add_str(out, "DKIM-Signature: v=1; d=client.example; b=x\r\n");
	buf_add_str(out, "\r\n");
	write_pages(out, &dice, letter);
}

unsigned
letter_number_in(struct span text, char mark)
{
	for (size_t i = 0; i + 7 <= text.len; i++) {
		uint64_t number;

		if (text.ptr[i] == mark &&
		    span_u64(span_of(text.ptr + i + 1, 6), 999999, &number) && number > 0)
			return (unsigned)number;
	}
	return 0;
}

/* The field at the start of bytes, its folded lines included; with LF or CRLF. */
static struct span
first_field(struct span bytes)
{
	size_t at = 0;

	while (at < bytes.len) {
		at += span_find(span_skip(bytes, at), '\n') + 1;
		if (at >= bytes.len || (bytes.ptr[at] != ' ' && bytes.ptr[at] != '\t'))
			break;
	}
	return span_first(bytes, at);
}

static bool
is_trace(struct span field)
{
	return span_starts_nocase(field, SPAN("Received:")) ||
	    span_starts_nocase(field, SPAN("Return-Path:")) ||
	    span_starts_nocase(field, SPAN("Delivered-To:"));
}

struct span
letter_without_trace(struct span bytes)
{
	struct span field = first_field(bytes);

	while (field.len > 0 && is_trace(field)) {
		bytes = span_skip(bytes, field.len);
		field = first_field(bytes);
	}
	return bytes;
}

struct span
letter_trace_field(struct span bytes, struct span name, unsigned nth)
{
	struct span field = first_field(bytes);

	while (field.len > 0 && is_trace(field)) {
		if (span_starts_nocase(field, name) && nth-- == 0)
			return span_trim(span_skip(field, name.len));
		bytes = span_skip(bytes, field.len);
		field = first_field(bytes);
	}
	return SPAN("");
}

bool
letter_is_same(const struct letter *letter, struct span copy, bool maildir)
{
	struct buf bytes;
	bool same;

	buf_init(&bytes, 2 * LETTER_BYTES_MAX);
	letter_write(&bytes, letter);
	check(buf_finish(&bytes) == OK);
	if (maildir) {
		size_t kept = 0;

		for (size_t i = 0; i < bytes.len; i++)
			if (bytes.ptr[i] != '\r')
				bytes.ptr[kept++] = bytes.ptr[i];
		bytes.len = kept;
	}
	same = span_eq(buf_span(&bytes), copy);
	buf_fini(&bytes);
	return same;
}

static bool
decode_quoted(struct buf *out, struct span body)
{
	while (body.len > 0) {
		struct span run = span_first(body, span_find(body, '='));
		int high, low;

		buf_add(out, run);
		body = span_skip(body, run.len);
		if (body.len == 0)
			break;
		if (body.len < 3)
			return false;
		high = ascii_hex_value(body.ptr[1]);
		low = ascii_hex_value(body.ptr[2]);
		if (high >= 0 && low >= 0)
			buf_add_char(out, (char)(high << 4 | low));
		else if (body.ptr[1] != '\r' || body.ptr[2] != '\n')
			return false;
		body = span_skip(body, 3);
	}
	return true;
}

static bool
decode_base64(struct buf *out, struct span body)
{
	struct span line;

	while (span_cut(&body, '\n', &line))
		if (base64_decode(out, span_trim(line)))
			return false;
	return true;
}

bool
letter_unconvert(struct buf *out, struct span copy)
{
	const struct span added = SPAN("MIME-Version: 1.0\r\n"
				       "Content-Type: text/plain; charset=unknown-8bit\r\n"
				       "Content-Transfer-Encoding: ");
	struct span rest;

	if (!span_is_ascii(copy) || !span_seek(copy, added, &rest))
		return false;
	buf_add(out, span_first(copy, (size_t)(rest.ptr - copy.ptr) - added.len));
	buf_add_str(out, "\r\n");
	if (span_starts(rest, SPAN("quoted-printable\r\n\r\n")))
		return decode_quoted(out, span_skip(rest, 20));
	if (span_starts(rest, SPAN("base64\r\n\r\n")))
		return decode_base64(out, span_skip(rest, 10));
	return false;
}
