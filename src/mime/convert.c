/* The same walk as the survey's, so the entities come in the same order. */
#include "mime/convert.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"
#include "mime/quoted.h"
#include "mime/walk.h"

/* 76 characters of base64. */
enum { GROUP_BYTES = 57 };

struct convert {
	const struct survey *survey;
	enum survey_target target;
	struct walk *walk;
	uint64_t bytes;
	size_t index; /* of the entity whose header or content is at hand */
	enum survey_action action;
	bool has_field; /* the Content-Transfer-Encoding is written */
	bool is_wrong;
	struct quoted quoted;
	char group[GROUP_BYTES]; /* of base64, not yet written */
	size_t group_bytes;
	bool mid_base64; /* a line was written, whose end is not */
};

struct convert *
convert_create(const struct survey *survey, enum survey_target target)
{
	struct convert *convert = mem_alloc(sizeof(*convert));

	convert->survey = survey;
	convert->target = target;
	convert->walk = walk_create();
	convert->action = survey_action(survey, 0, target);
	return convert;
}

void
convert_destroy(struct convert *convert)
{
	if (!convert)
		return;
	walk_destroy(convert->walk);
	mem_free(convert);
}

static void
write_encoding(struct convert *convert, struct buf *out)
{
	static const char *const plain[SURVEY_TARGET_COUNT] = {
	    [SURVEY_7BIT] = "7bit", [SURVEY_8BIT] = "8bit"};
	const char *encoding = convert->action == SURVEY_QUOTE ? "quoted-printable"
	    : convert->action == SURVEY_BASE64                 ? "base64"
							       : plain[convert->target];

	if (!convert->has_field)
		buf_addf(out, "Content-Transfer-Encoding: %s\r\n", encoding);
	convert->has_field = true;
}

static void
take_header(struct convert *convert, const struct walk_event *event, struct buf *out)
{
	if (event->is_encoding && convert->action != SURVEY_KEEP)
		write_encoding(convert, out);
	else
		buf_add(out, event->bytes);
}

static void
end_header(struct convert *convert, const struct walk_event *event, struct buf *out)
{
	const struct walk_entity *entity = event->entity;
	bool is_encoded =
	    convert->action == SURVEY_QUOTE || convert->action == SURVEY_BASE64;

	if (is_encoded && entity->is_message && !entity->has_version)
		buf_add_str(out, "MIME-Version: 1.0\r\n");
	if (is_encoded && entity->is_message && !entity->has_type)
		buf_add_str(out, "Content-Type: text/plain; charset=unknown-8bit\r\n");
	if (is_encoded)
		write_encoding(convert, out);
	buf_add(out, event->bytes);
	convert->has_field = false;
	convert->quoted = (struct quoted){.out = out};
	convert->group_bytes = 0;
	convert->mid_base64 = false;
	/* Of what has others in it the header is all. */
	if (entity->kind == WALK_MULTIPART || entity->kind == WALK_MESSAGE)
		convert->action =
		    survey_action(convert->survey, ++convert->index, convert->target);
}

static void
write_group(struct convert *convert, struct span bytes, struct buf *out)
{
	if (convert->mid_base64)
		buf_add(out, SPAN("\r\n"));
	base64_encode(out, bytes);
	convert->mid_base64 = true;
}

static void
add_base64(struct convert *convert, struct span bytes, struct buf *out)
{
	while (bytes.len > 0) {
		struct span piece = span_first(bytes, GROUP_BYTES - convert->group_bytes);

		bytes = span_skip(bytes, piece.len);
		if (piece.len == GROUP_BYTES) {
			write_group(convert, piece, out);
			continue;
		}
		memcpy(convert->group + convert->group_bytes, piece.ptr, piece.len);
		convert->group_bytes += piece.len;
		if (convert->group_bytes < GROUP_BYTES)
			return;
		write_group(convert, span_of(convert->group, GROUP_BYTES), out);
		convert->group_bytes = 0;
	}
}

static void
take_content(struct convert *convert, struct span bytes, struct buf *out)
{
	convert->quoted.out = out;
	if (convert->action == SURVEY_QUOTE)
		quoted_add(&convert->quoted, bytes);
	else if (convert->action == SURVEY_BASE64)
		add_base64(convert, bytes, out);
	else
		buf_add(out, bytes);
}

static void
end_content(struct convert *convert, const struct walk_event *event, struct buf *out)
{
	convert->quoted.out = out;
	if (convert->action == SURVEY_QUOTE) {
		quoted_finish(&convert->quoted, event->at_end);
	} else if (convert->action == SURVEY_BASE64) {
		if (convert->group_bytes > 0)
			write_group(convert, span_of(convert->group, convert->group_bytes), out);
		if (event->at_end && convert->mid_base64)
			buf_add(out, SPAN("\r\n"));
	}
	convert->action = survey_action(convert->survey, ++convert->index, convert->target);
}

static void
take_around(struct convert *convert, struct span bytes, struct buf *out)
{
	char *to;

	if (convert->target == SURVEY_8BIT || span_is_ascii(bytes)) {
		buf_add(out, bytes);
		return;
	}
	to = buf_room(out, bytes.len);
	for (size_t i = 0; to && i < bytes.len; i++)
		to[i] = (char)((unsigned char)bytes.ptr[i] < 128 ? bytes.ptr[i] : '?');
	out->len += to ? bytes.len : 0;
}

static void
pull(struct convert *convert, struct buf *out)
{
	struct walk_event event = {.kind = WALK_HEADER};

	while (event.kind != WALK_WAIT && !convert->is_wrong) {
		event = walk_next(convert->walk);
		switch (event.kind) {
		case WALK_HEADER:
			take_header(convert, &event, out);
			break;
		case WALK_ENTITY:
			end_header(convert, &event, out);
			break;
		case WALK_CONTENT:
			take_content(convert, event.bytes, out);
			break;
		case WALK_CONTENT_END:
			end_content(convert, &event, out);
			break;
		case WALK_FRAME:
			buf_add(out, event.bytes);
			break;
		case WALK_AROUND:
			take_around(convert, event.bytes, out);
			break;
		case WALK_WRONG:
			convert->is_wrong = true;
			break;
		case WALK_WAIT:
			break;
		}
	}
}

void
convert_take(struct convert *convert, struct span bytes, struct buf *out)
{
	check(bytes.len <= CONVERT_PIECE_BYTES_MAX);
	convert->bytes += bytes.len;
	if (convert->is_wrong)
		return;
	walk_input(convert->walk, bytes);
	pull(convert, out);
}

enum err
convert_finish(struct convert *convert, struct buf *out)
{
	if (!convert->is_wrong) {
		walk_finish(convert->walk);
		pull(convert, out);
	}
	return convert->is_wrong || convert->index != survey_entity_count(convert->survey) ||
		convert->bytes != survey_bytes(convert->survey)
	    ? ERR_SYNTAX
	    : OK;
}
