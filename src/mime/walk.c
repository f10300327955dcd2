/*
 *     HEADER ──empty line──► CONTENT ──boundary──► HEADER, AROUND
 *       │ ▲                └──────────── the end ─► OVER
 *       │ └─ a message in it; a boundary ─┐
 *       └──── empty line of a multipart ──► AROUND
 *
 * A line that may be a boundary is held with the line end in front of it, which is the boundary's
 * (RFC 2046 section 5.1.1).  The boundaries of all multiparts that are open are looked for, the
 * innermost first: an outer one ends what is in it.
 */
#include "mime/walk_internal.h"

#include "base/arena.h"
#include "base/check.h"

/* A line so long is no boundary line. */
enum { HELD_BYTES_MAX = 2 + 2 + WALK_BOUNDARY_BYTES_MAX + 2 + 100 };

enum state { HEADER, CONTENT, AROUND, OVER };

enum field { FIELD_NONE, FIELD_OTHER, FIELD_TYPE, FIELD_ENCODING, FIELD_VERSION };

/* A multipart, or a message in another (without a boundary), that is open. */
struct level {
	char boundary[WALK_BOUNDARY_BYTES_MAX];
	size_t boundary_len;
	bool is_digest;
};

struct walk {
	enum state state;
	struct span rest; /* of the input */
	bool is_whole;    /* nothing comes behind it */
	struct buf held;
	size_t held_done; /* bytes of it that went out with the last event */
	bool at_start;    /* of a line whose line end is not held */
	struct {
		bool is; /* held is one */
		bool closes;
		size_t level;
	} boundary;
	struct level levels[WALK_DEPTH_MAX];
	size_t depth, multipart_count;
	struct walk_entity open, told; /* whose header is read; the last one that was read */
	bool in_digest;
	enum field field;
	struct buf type, encoding; /* values of these fields */
	const char *wrong;
};

static void
begin_entity(struct walk *walk, bool is_message)
{
	walk->state = HEADER;
	walk->open = (struct walk_entity){.is_message = is_message};
	walk->field = FIELD_NONE;
	walk->in_digest =
	    !is_message && walk->depth > 0 && walk->levels[walk->depth - 1].is_digest;
	buf_reset(&walk->type);
	buf_reset(&walk->encoding);
}

struct walk *
walk_create(void)
{
	struct walk *walk = mem_alloc(sizeof(*walk));

	buf_init(&walk->held, WALK_LINE_BYTES_MAX);
	buf_init(&walk->type, WALK_FIELD_BYTES_MAX);
	buf_init(&walk->encoding, WALK_FIELD_BYTES_MAX);
	begin_entity(walk, true);
	return walk;
}

void
walk_destroy(struct walk *walk)
{
	if (!walk)
		return;
	buf_fini(&walk->held);
	buf_fini(&walk->type);
	buf_fini(&walk->encoding);
	mem_free(walk);
}

void
walk_input(struct walk *walk, struct span bytes)
{
	check(walk->wrong || (walk->rest.len == 0 && !walk->is_whole));
	walk->rest = bytes;
}

void
walk_finish(struct walk *walk)
{
	check(walk->wrong || walk->rest.len == 0);
	walk->is_whole = true;
}

const char *
walk_wrong(const struct walk *walk)
{
	return walk->wrong;
}

/* Boundaries of different multiparts that cannot be told apart. */
static bool
is_open(const struct walk *walk, const struct walk_type *type)
{
	const struct span boundary = {type->boundary, type->boundary_len};

	for (size_t i = 0; i < walk->depth; i++) {
		struct span other = {walk->levels[i].boundary, walk->levels[i].boundary_len};

		if (other.len > 0 && (span_eq(boundary, other) ||
		    (span_starts(boundary, other) &&
			span_eq(span_skip(boundary, other.len), SPAN("--"))) ||
		    (span_starts(other, boundary) &&
			span_eq(span_skip(other, boundary.len), SPAN("--")))))
			return true;
	}
	return false;
}

static void
push(struct walk *walk, const struct walk_type *type)
{
	struct level *level = &walk->levels[walk->depth];

	if (walk->depth == WALK_DEPTH_MAX) {
		walk->wrong = "it has parts in parts more than 50 deep";
		return;
	}
	if (type->boundary_len > 0 && is_open(walk, type)) {
		walk->wrong = "two multiparts in one another have the same boundary";
		return;
	}
	*level = (struct level){.boundary_len = type->boundary_len, .is_digest = type->is_digest};
	memcpy(level->boundary, type->boundary, type->boundary_len);
	walk->depth++;
	walk->multipart_count += type->boundary_len > 0;
}

static void
pop_to(struct walk *walk, size_t depth)
{
	while (walk->depth > depth)
		walk->multipart_count -= walk->levels[--walk->depth].boundary_len > 0;
}

/* The header is over: what is behind it? */
static void
end_header(struct walk *walk)
{
	struct walk_entity *entity = &walk->open;
	struct walk_type type = {.kind = walk->in_digest ? WALK_MESSAGE : WALK_TEXT};

	if (entity->has_type && !walk_read_type(buf_span(&walk->type), &type))
		walk->wrong = "the Content-Type of a multipart or message cannot be read, or has "
			      "no boundary";
	if (entity->has_encoding)
		entity->encoding = walk_read_encoding(buf_span(&walk->encoding));
	if (buf_finish(&walk->type) || buf_finish(&walk->encoding))
		walk->wrong = "a Content-Type or Content-Transfer-Encoding field is too long";
	entity->kind = type.kind;
	entity->opaque = type.opaque;
	if ((type.kind == WALK_MULTIPART || type.kind == WALK_MESSAGE) &&
	    entity->encoding >= WALK_ENCODED)
		walk->wrong = "a multipart or message in it says that it is encoded, which such "
			      "must not be";
	walk->told = *entity;
	walk->at_start = true;
	walk->state = type.kind == WALK_MULTIPART ? AROUND : CONTENT;
	if (walk->wrong)
		return;
	if (type.kind == WALK_MULTIPART || type.kind == WALK_MESSAGE)
		push(walk, &type);
	if (type.kind == WALK_MESSAGE)
		begin_entity(walk, true);
}

/*
 * Whether the line, with or without its end, is a boundary of a multipart that is open.  What only
 * begins as one is wrong: some readers take it for one (as RFC 2046 has it), and others do not.
 */
static bool
find_boundary(struct walk *walk, struct span line)
{
	if (span_ends_nocase(line, SPAN("\r\n")))
		line.len -= 2;
	while (line.len > 0 && memchr(" \t", line.ptr[line.len - 1], 2))
		line.len--;
	if (!span_starts(line, SPAN("--")))
		return false;
	line = span_skip(line, 2);
	for (size_t i = walk->depth; i-- > 0;) {
		const struct level *level = &walk->levels[i];
		struct span boundary = {level->boundary, level->boundary_len};

		if (boundary.len == 0 || !span_starts(line, boundary))
			continue;
		walk->boundary.closes = span_eq(span_skip(line, boundary.len), SPAN("--"));
		walk->boundary.level = i;
		walk->boundary.is = walk->boundary.closes || line.len == boundary.len;
		if (!walk->boundary.is)
			walk->wrong = "a line of it only begins like the boundary of a multipart";
		return walk->boundary.is;
	}
	return false;
}

/* The next event in front of a boundary that was found, or that itself. */
static void
take_boundary(struct walk *walk, struct walk_event *event)
{
	if (walk->state == HEADER) {
		event->kind = WALK_ENTITY;
		end_header(walk);
	} else if (walk->state == CONTENT) {
		event->kind = WALK_CONTENT_END;
		walk->state = AROUND;
	} else {
		event->kind = WALK_FRAME;
		event->bytes = buf_span(&walk->held);
		walk->held_done = walk->held.len;
		walk->boundary.is = false;
		pop_to(walk, walk->boundary.level + !walk->boundary.closes);
		walk->at_start = true;
		if (!walk->boundary.closes)
			begin_entity(walk, false);
	}
}

static void
begin_field(struct walk *walk, struct span name)
{
	static const struct {
		struct span name;
		enum field field;
	} fields[] = {
	    {{"Content-Type", 12}, FIELD_TYPE},
	    {{"Content-Transfer-Encoding", 25}, FIELD_ENCODING},
	    {{"MIME-Version", 12}, FIELD_VERSION},
	};
	struct walk_entity *entity = &walk->open;
	bool *has;

	walk->field = FIELD_OTHER;
	for (size_t i = 0; i < LEN(fields); i++)
		if (span_eq_nocase(name, fields[i].name))
			walk->field = fields[i].field;
	if (walk->field == FIELD_OTHER)
		return;
	has = walk->field == FIELD_TYPE     ? &entity->has_type
	    : walk->field == FIELD_ENCODING ? &entity->has_encoding
					    : &entity->has_version;
	if (*has && walk->field != FIELD_VERSION)
		walk->wrong = "a header of it has two Content-Type or "
			      "Content-Transfer-Encoding fields";
	*has = true;
}

/* The name at the beginning of a line; "" where there is none. */
static struct span
name_of(struct span line)
{
	struct span name = span_first(line, span_find(line, ':'));

	if (name.len == line.len)
		return SPAN("");
	while (name.len > 0 && memchr(" \t", name.ptr[name.len - 1], 2))
		name.len--;
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] == 127)
			return SPAN("");
	return name;
}

static void
take_field(struct walk *walk, struct span line, struct walk_event *event)
{
	struct span value = line, name;

	if (line.ptr[0] != ' ' && line.ptr[0] != '\t') {
		name = name_of(line);
		value = span_skip(line, span_find(line, ':') + 1);
		walk->field = FIELD_NONE;
		if (name.len > 0)
			begin_field(walk, name);
	}
	if (walk->field == FIELD_NONE)
		walk->wrong = "a line in a header of it is no field";
	if (walk->field == FIELD_TYPE)
		buf_add(&walk->type, value);
	if (walk->field == FIELD_ENCODING)
		buf_add(&walk->encoding, value);
	event->kind = WALK_HEADER;
	event->bytes = line;
	event->is_encoding = walk->field == FIELD_ENCODING;
}

static void
take_header_line(struct walk *walk, struct span line, struct walk_event *event)
{
	struct span text = line;

	/* The last one may have no end. */
	if (span_ends_nocase(text, SPAN("\r\n")))
		text.len -= 2;
	if (memchr(text.ptr, '\r', text.len) || memchr(text.ptr, '\n', text.len) ||
	    memchr(text.ptr, '\0', text.len)) {
		walk->wrong = "a line in a header of it has a NUL, or a CR or LF that stands alone";
	} else if (text.len == 0) {
		event->kind = WALK_ENTITY;
		event->bytes = line;
		end_header(walk);
	} else if (walk->multipart_count > 0 && find_boundary(walk, line)) {
		if (walk->held.len == 0)
			buf_add(&walk->held, line);
		walk->held_done = 0;
	} else if (!walk->wrong) {
		take_field(walk, line, event);
	}
}

/* HEADER: a line, once it is whole. */
static void
next_line(struct walk *walk, struct walk_event *event)
{
	const char *lf = memchr(walk->rest.ptr, '\n', walk->rest.len);
	struct span line =
	    lf ? span_first(walk->rest, (size_t)(lf - walk->rest.ptr) + 1) : walk->rest;

	walk->rest = span_skip(walk->rest, line.len);
	if (walk->held.len + line.len > WALK_LINE_BYTES_MAX) {
		walk->wrong = "a line in a header of it is too long";
		return;
	}
	if (walk->held.len > 0 || !lf) {
		buf_add(&walk->held, line);
		line = buf_span(&walk->held);
		walk->held_done = lf ? line.len : 0;
	}
	if (lf)
		take_header_line(walk, line, event);
}

/* Bytes up to a line end that may be a boundary's, or that is not whole. */
static size_t
run_bytes(struct span bytes)
{
	const char *end = bytes.ptr + bytes.len;
	const char *from = bytes.ptr, *lf;

	while ((lf = memchr(from, '\n', (size_t)(end - from))) != NULL) {
		size_t behind = (size_t)(end - lf) - 1;

		if (lf > bytes.ptr && lf[-1] == '\r' &&
		    (behind == 0 || (lf[1] == '-' && (behind == 1 || lf[2] == '-'))))
			return (size_t)(lf - bytes.ptr) - 1;
		from = lf + 1;
	}
	return bytes.len - (bytes.len > 0 && end[-1] == '\r');
}

/* Lets bytes of what is held go: they are in the middle of a line. */
static void
release(struct walk *walk, size_t count, struct walk_event *event)
{
	walk->at_start = false;
	if (count == 0)
		return;
	event->kind = walk->state == CONTENT ? WALK_CONTENT : WALK_AROUND;
	event->bytes = span_first(buf_span(&walk->held), count);
	walk->held_done = count;
}

/* What may be a boundary line, once it is whole; true where it was decided. */
static bool
take_candidate(struct walk *walk, struct walk_event *event)
{
	static const char begins[] = "\r\n--";
	const size_t skipped = walk->at_start ? 2 : 0;

	while (walk->rest.len > 0 && walk->held.len + skipped < 4) {
		if (walk->rest.ptr[0] != begins[walk->held.len + skipped]) {
			release(walk, walk->held.len, event);
			return true;
		}
		buf_add(&walk->held, span_first(walk->rest, 1));
		walk->rest = span_skip(walk->rest, 1);
	}
	while (walk->rest.len > 0) {
		size_t lf = span_find(walk->rest, '\n');
		struct span piece = span_first(
		    span_first(walk->rest, lf + 1), HELD_BYTES_MAX - walk->held.len);
		struct span line;

		buf_add(&walk->held, piece);
		walk->rest = span_skip(walk->rest, piece.len);
		line = span_skip(buf_span(&walk->held), 2 - skipped);
		if (span_ends_nocase(line, SPAN("\r\n"))) {
			if (!find_boundary(walk, line) && !walk->wrong)
				release(walk, walk->held.len - 2, event);
			return true;
		}
		if (walk->held.len == HELD_BYTES_MAX) {
			if (find_boundary(walk, line)) {
				walk->boundary.is = false;
				walk->wrong = "a boundary line of it is too long";
			}
			if (!walk->wrong)
				release(walk, line.ptr[line.len - 1] == '\r'
					? walk->held.len - 1 : walk->held.len, event);
			return true;
		}
	}
	return false;
}

/* CONTENT, AROUND: as many bytes as are known to be that. */
static void
next_run(struct walk *walk, struct walk_event *event)
{
	size_t count = walk->rest.len;

	while (walk->multipart_count > 0 && walk->rest.len > 0 && event->kind == WALK_WAIT &&
	    !walk->boundary.is && !walk->wrong) {
		count = run_bytes(walk->rest);
		if (walk->held.len == 0 && !walk->at_start && count > 0)
			break;
		if (!take_candidate(walk, event))
			return;
	}
	if (event->kind != WALK_WAIT || walk->boundary.is || walk->wrong || walk->rest.len == 0)
		return;
	event->kind = walk->state == CONTENT ? WALK_CONTENT : WALK_AROUND;
	event->bytes = span_first(walk->rest, count);
	walk->rest = span_skip(walk->rest, count);
}

/* No more bytes come: what is held is all there is. */
static void
next_last(struct walk *walk, struct walk_event *event)
{
	struct span held = buf_span(&walk->held);

	if (walk->state == HEADER && held.len > 0) {
		walk->held_done = held.len;
		take_header_line(walk, held, event);
	} else if (walk->state == HEADER) {
		event->kind = WALK_ENTITY;
		end_header(walk);
	} else if (held.len > 0) {
		if (!find_boundary(walk, span_skip(held, walk->at_start ? 0 : 2)) &&
		    !walk->wrong)
			release(walk, held.len, event);
	} else if (walk->multipart_count > 0) {
		walk->wrong = "a multipart of it is not closed: its last boundary is missing";
	} else {
		if (walk->state == CONTENT)
			event->kind = WALK_CONTENT_END;
		event->at_end = true;
		walk->state = OVER;
	}
}

struct walk_event
walk_next(struct walk *walk)
{
	struct walk_event event = {.kind = WALK_WAIT};

	buf_consume(&walk->held, walk->held_done);
	walk->held_done = 0;
	while (event.kind == WALK_WAIT && !walk->wrong) {
		if (walk->boundary.is)
			take_boundary(walk, &event);
		else if (walk->rest.len > 0 && walk->state == HEADER)
			next_line(walk, &event);
		else if (walk->rest.len > 0)
			next_run(walk, &event);
		else if (walk->is_whole && walk->state != OVER)
			next_last(walk, &event);
		else
			break;
	}
	if (walk->wrong)
		event = (struct walk_event){.kind = WALK_WRONG};
	event.entity = &walk->told;
	return event;
}
