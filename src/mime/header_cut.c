/*
 * A walk over lines.  The start of each is held as long as it may be the field's name:
 *
 *     START ──other name──► NAME ──colon──► LINE ──CRLF──► START
 *       │ └──the name, colon──► VALUE ──CRLF──► START     a blank there goes on with the line
 *       └──CR, or no name──► OVER
 */
#include "mime/header_cut.h"

#include "base/check.h"

enum state { START, NAME, LINE, VALUE, OVER };

struct header_cut
header_cut_init(struct span name)
{
	check(name.len > 0 && name.len <= HEADER_CUT_NAME_MAX);
	return (struct header_cut){.name = name, .state = START};
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
let_go(struct header_cut *cut, struct buf *out)
{
	buf_add(out, span_of(cut->held, cut->held_bytes));
	cut->held_bytes = 0;
}

static bool
holds_name(const struct header_cut *cut)
{
	return cut->held_bytes >= cut->name.len;
}

/* Whether the line may still be the field's with that octet. */
static bool
may_be(const struct header_cut *cut, char c)
{
	if (cut->held_bytes == sizeof(cut->held))
		return false;
	if (holds_name(cut))
		return is_blank(c);
	return ascii_lower(c) == ascii_lower(cut->name.ptr[cut->held_bytes]);
}

static void
keep_value(struct header_cut *cut, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.ptr[i] == '\r' || bytes.ptr[i] == '\n')
			continue;
		if (cut->value_bytes == sizeof(cut->value)) {
			cut->value_is_cut |= !is_blank(bytes.ptr[i]);
			continue;
		}
		/* Blanks in front do not count for the room. */
		if (cut->value_bytes > 0 || !is_blank(bytes.ptr[i]))
			cut->value[cut->value_bytes++] = bytes.ptr[i];
	}
}

static void
start_line(struct header_cut *cut, char c, struct buf *out)
{
	if (cut->held_bytes == 0 && is_blank(c)) {
		/* The first line of all goes on with nothing. */
		cut->state = cut->is_field ? VALUE : LINE;
		if (cut->is_field)
			keep_value(cut, span_of(&c, 1));
		else
			buf_add_char(out, c);
	} else if (may_be(cut, c)) {
		cut->held[cut->held_bytes++] = c;
	} else if (c == ':' && holds_name(cut)) {
		cut->held_bytes = 0;
		cut->is_field = true;
		cut->count++;
		cut->state = VALUE;
	} else {
		cut->state = NAME;
	}
	cut->after_cr = false;
}

static void
take_name(struct header_cut *cut, char c, struct buf *out)
{
	let_go(cut, out);
	cut->is_field = false;
	buf_add_char(out, c);
	if (c == ':')
		cut->state = LINE;
	else if (!is_blank(c) && (c <= ' ' || c >= 127))
		cut->state = OVER;
}

/* To the end of the line at most; gives how many. */
static size_t
take_line(struct header_cut *cut, struct span bytes, struct buf *out)
{
	const char *lf = memchr(bytes.ptr, '\n', bytes.len);
	struct span piece = lf ? span_first(bytes, (size_t)(lf - bytes.ptr) + 1) : bytes;
	bool ends = lf && (piece.len > 1 ? lf[-1] == '\r' : cut->after_cr);

	if (cut->state == VALUE)
		keep_value(cut, piece);
	else
		buf_add(out, piece);
	cut->after_cr = piece.ptr[piece.len - 1] == '\r';
	if (ends)
		cut->state = START;
	return piece.len;
}

size_t
header_cut_take(struct header_cut *cut, struct span bytes, struct buf *out)
{
	size_t taken = 0;

	while (taken < bytes.len && cut->state != OVER) {
		if (cut->state == START) {
			start_line(cut, bytes.ptr[taken], out);
			/* It is looked at again as part of another name. */
			taken += cut->state != NAME;
		} else if (cut->state == NAME) {
			take_name(cut, bytes.ptr[taken++], out);
		} else {
			taken += take_line(cut, span_skip(bytes, taken), out);
		}
	}
	return taken;
}

void
header_cut_finish(struct header_cut *cut, struct buf *out)
{
	let_go(cut, out);
	cut->state = OVER;
}

bool
header_cut_is_over(const struct header_cut *cut)
{
	return cut->state == OVER;
}

struct span
header_cut_value(const struct header_cut *cut)
{
	return span_trim(span_of(cut->value, cut->value_bytes));
}
