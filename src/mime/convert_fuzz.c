/*
 * Any bytes as a message for an old server, whole and in pieces: both give the same.  What comes
 * out is such that the server takes it, no longer than was said, and each part decodes to what it
 * was.
 */
#include "base/base64.h"
#include "base/check.h"
#include "mime/convert.h"
#include "mime/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_BYTES_MAX = 1 << 20, LINE_BYTES_MAX = 998, BASE64_LINE_BYTES_MAX = 76 };

struct input {
	struct span message;
	bool is_binary;
	enum survey_target target;
};

static struct survey *
look(const struct input *input, size_t piece_bytes)
{
	struct survey *survey = survey_create(input->is_binary);
	struct span rest = input->message;

	while (rest.len > 0) {
		survey_take(survey, span_first(rest, piece_bytes));
		rest = span_skip(rest, piece_bytes);
	}
	survey_finish(survey);
	return survey;
}

static void
convert(const struct input *input, const struct survey *survey, size_t piece_bytes,
    struct buf *all)
{
	struct convert *convert = convert_create(survey, input->target);
	struct span rest = input->message;
	struct buf out;

	buf_init(&out, CONVERT_OUT_BYTES_MAX);
	while (rest.len > 0) {
		convert_take(convert, span_first(rest, piece_bytes), &out);
		check(buf_finish(&out) == OK);
		buf_add(all, buf_span(&out));
		buf_reset(&out);
		rest = span_skip(rest, piece_bytes);
	}
	check(convert_finish(convert, &out) == OK);
	buf_add(all, buf_span(&out));
	check(buf_finish(all) == OK);
	buf_fini(&out);
	convert_destroy(convert);
}

/* What may go to the server by DATA. */
static void
check_fits(const struct input *input, struct span message)
{
	size_t line = 0;

	check(input->target == SURVEY_8BIT || span_is_ascii(message));
	for (size_t i = 0; i < message.len && input->is_binary; i++) {
		const char c = message.ptr[i];

		check(c != '\0');
		check(c != '\n' || (i > 0 && message.ptr[i - 1] == '\r'));
		check(c != '\r' || i + 1 == message.len || message.ptr[i + 1] == '\n');
		line = c == '\n' ? 0 : line + 1;
		check(line <= LINE_BYTES_MAX + 1);
	}
}

/* False where it is no quoted-printable. */
static bool
decode_quoted(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.ptr[i] != '=') {
			buf_add_char(out, text.ptr[i]);
			continue;
		}
		if (text.len - i < 3)
			return false;
		high = ascii_hex_value(text.ptr[i + 1]);
		low = ascii_hex_value(text.ptr[i + 2]);
		if (high >= 0 && low >= 0)
			buf_add_char(out, (char)(high << 4 | low));
		else if (text.ptr[i + 1] != '\r' || text.ptr[i + 2] != '\n')
			return false;
		i += 2;
	}
	return true;
}

static bool
decode_base64(struct span text, struct buf *out)
{
	struct span line;

	while (span_cut(&text, '\n', &line)) {
		if (line.len > 0 && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (line.len > BASE64_LINE_BYTES_MAX || base64_decode(out, line))
			return false;
	}
	return true;
}

/* A content as it is meant, or as it is where it is no such encoding. */
static void
add_decoded(struct span content, struct span encoding, struct buf *out)
{
	struct span rest = encoding, field = {0};
	struct buf decoded;
	bool done = false;

	buf_init(&decoded, MESSAGE_BYTES_MAX);
	(void)span_cut(&rest, ':', &field);
	if (span_eq_nocase(span_trim(rest), SPAN("quoted-printable")))
		done = decode_quoted(content, &decoded);
	else if (span_eq_nocase(span_trim(rest), SPAN("base64")))
		done = decode_base64(content, &decoded);
	buf_add(out, done ? buf_span(&decoded) : content);
	buf_fini(&decoded);
}

/* All parts, one after another, with a NUL behind each. */
static void
read_parts(struct span message, struct buf *parts)
{
	struct walk *walk = walk_create();
	struct walk_event event = {.kind = WALK_HEADER};
	struct buf content, encoding;

	buf_init(&content, MESSAGE_BYTES_MAX);
	buf_init(&encoding, MESSAGE_BYTES_MAX);
	walk_input(walk, message);
	for (unsigned waits = 0; waits < 2;) {
		event = walk_next(walk);
		check(event.kind != WALK_WRONG);
		if (event.kind == WALK_HEADER && event.is_encoding)
			buf_add(&encoding, event.bytes);
		if (event.kind == WALK_CONTENT)
			buf_add(&content, event.bytes);
		if (event.kind == WALK_CONTENT_END) {
			add_decoded(buf_span(&content), buf_span(&encoding), parts);
			buf_add_char(parts, '\0');
		}
		if (event.kind == WALK_CONTENT_END || (event.kind == WALK_ENTITY &&
		    (event.entity->kind == WALK_MULTIPART || event.entity->kind == WALK_MESSAGE))) {
			buf_reset(&content);
			buf_reset(&encoding);
		}
		if (event.kind == WALK_WAIT && waits++ == 0)
			walk_finish(walk);
	}
	check(buf_finish(parts) == OK && buf_finish(&encoding) == OK);
	buf_fini(&content);
	buf_fini(&encoding);
	walk_destroy(walk);
}

static void
check_same_parts(struct span before, struct span after)
{
	struct buf parts, parts_after;

	buf_init(&parts, 2 * MESSAGE_BYTES_MAX);
	buf_init(&parts_after, 2 * MESSAGE_BYTES_MAX);
	read_parts(before, &parts);
	read_parts(after, &parts_after);
	check(span_eq(buf_span(&parts), buf_span(&parts_after)));
	buf_fini(&parts);
	buf_fini(&parts_after);
}

static void
check_converted(const struct input *input, const struct survey *survey, size_t piece_bytes)
{
	struct input again = *input;
	struct survey *survey_again;
	struct buf whole, cut;

	buf_init(&whole, 4 * MESSAGE_BYTES_MAX);
	buf_init(&cut, 4 * MESSAGE_BYTES_MAX);
	convert(input, survey, CONVERT_PIECE_BYTES_MAX, &whole);
	convert(input, survey, piece_bytes, &cut);
	check(span_eq(buf_span(&whole), buf_span(&cut)));
	check(whole.len <= survey_bytes_max(survey, input->target));
	check_fits(input, buf_span(&whole));
	check_same_parts(input->message, buf_span(&whole));
	again.message = buf_span(&whole);
	survey_again = look(&again, CONVERT_PIECE_BYTES_MAX);
	check(survey_verdict(survey_again, input->target) == SURVEY_AS_IS);
	survey_destroy(survey_again);
	buf_fini(&whole);
	buf_fini(&cut);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t piece_bytes = size > 0 ? 1 + (data[0] >> 2) : 1;
	struct input input;
	struct survey *whole, *cut;
	enum survey_verdict verdict;

	if (size < 1 || size > MESSAGE_BYTES_MAX / 2)
		return 0;
	input.is_binary = data[0] & 1;
	input.target = input.is_binary && data[0] & 2 ? SURVEY_8BIT : SURVEY_7BIT;
	input.message = span_of((const char *)data + 1, size - 1);
	whole = look(&input, CONVERT_PIECE_BYTES_MAX);
	cut = look(&input, piece_bytes);
	verdict = survey_verdict(whole, input.target);
	check(verdict == survey_verdict(cut, input.target));
	check(survey_bytes_max(whole, input.target) == survey_bytes_max(cut, input.target) ||
	      verdict == SURVEY_CANNOT);
	check(survey_has_8bit(whole) == !span_is_ascii(input.message));
	if (verdict == SURVEY_CANNOT)
		check(*survey_why(whole, input.target) && *survey_why(cut, input.target));
	else if (verdict == SURVEY_AS_IS)
		check_fits(&input, input.message);
	else
		check_converted(&input, whole, piece_bytes);
	survey_destroy(whole);
	survey_destroy(cut);
	return 0;
}
