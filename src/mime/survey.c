/* Each octet is looked at once, line by line. */
#include "mime/survey.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "mime/quoted.h"
#include "mime/walk.h"

#define BIT(n) (1u << (n))

enum {
	LINE_BYTES_MAX = 998,
	STUCK_BYTES = 120,
	/* What its header may grow by: three fields. */
	ENCODED_MORE_BYTES = 140,
	RELABELED_MORE_BYTES = 40,
};

/* What is known of an entity: an octet. */
enum {
	HAS_8BIT = BIT(0),
	HAS_ODD = BIT(1), /* binary: a NUL, or a CR or LF that stands alone */
	HAS_LONG = BIT(2), /* binary: a line of more than 998 octets, or no end of the last */
	IS_TEXT = BIT(3),
	IS_DENSE = BIT(4), /* base64 is much shorter than quoted-printable */
	SAYS_8BIT = BIT(5),
	SAYS_BINARY = BIT(6),
	IS_OPAQUE = BIT(7),
};

/* What is in some text. */
struct octets {
	unsigned has;
	uint64_t count;
	uint64_t quoted;        /* bytes of the whole lines as quoted-printable, at most */
	uint64_t line, escapes; /* octets of the line at hand; those that would be escaped */
	bool after_cr; /* a CR came, of which the next octet says what it is; it is not counted */
	char last;     /* of the line; 0: none */
};

struct survey {
	struct walk *walk;
	bool is_binary, has_8bit;
	uint64_t bytes;
	const char *wrong;
	struct octets content, header, around;
	struct buf facts; /* of each entity; see HAS_8BIT */
	size_t open;      /* the index of that whose content is read */
	struct {
		char stuck[STUCK_BYTES]; /* why it cannot be; "": it can, so far */
		size_t part_count;
		uint64_t more_bytes;
	} targets[SURVEY_TARGET_COUNT];
};

/* What a server that takes no more than the target cannot take. */
static unsigned
needs(enum survey_target target)
{
	return target == SURVEY_7BIT ? HAS_8BIT | HAS_ODD | HAS_LONG : HAS_ODD | HAS_LONG;
}

struct survey *
survey_create(bool is_binary)
{
	struct survey *survey = mem_alloc(sizeof(*survey));

	survey->is_binary = is_binary;
	survey->walk = walk_create();
	buf_init(&survey->facts, SURVEY_ENTITIES_MAX);
	return survey;
}

void
survey_destroy(struct survey *survey)
{
	if (!survey)
		return;
	walk_destroy(survey->walk);
	buf_fini(&survey->facts);
	mem_free(survey);
}

/* Octets of a line, without its end. */
static void
count_text(struct octets *octets, struct span text)
{
	uint64_t escapes = 0;
	unsigned char all = 0;

	for (size_t i = 0; i < text.len; i++) {
		escapes += quoted_escapes(text.ptr[i]);
		all |= (unsigned char)text.ptr[i];
	}
	if (all & 0x80)
		octets->has |= HAS_8BIT;
	if (escapes > 0 &&
	    (memchr(text.ptr, '\0', text.len) || memchr(text.ptr, '\r', text.len)))
		octets->has |= HAS_ODD;
	octets->line += text.len;
	octets->escapes += escapes;
	if (text.len > 0)
		octets->last = text.ptr[text.len - 1];
}

static void
end_line(struct octets *octets)
{
	uint64_t bytes = octets->line + 2 * octets->escapes + 2;

	if (octets->last == ' ' || octets->last == '\t')
		bytes += 2;
	/* The worst that breaks in it may cost: each has three octets, and may escape a hyphen. */
	octets->quoted += bytes + bytes / QUOTED_LINE_BYTES_MIN * 5;
	if (octets->line > LINE_BYTES_MAX)
		octets->has |= HAS_LONG;
	octets->line = octets->escapes = 0;
	octets->last = 0;
}

static void
count(struct octets *octets, struct span bytes)
{
	octets->count += bytes.len;
	while (bytes.len > 0) {
		struct span text = span_first(bytes, span_find(bytes, '\n'));
		bool ends = text.len < bytes.len;

		bytes = span_skip(bytes, text.len + 1);
		if (octets->after_cr && text.len > 0) {
			octets->after_cr = false;
			count_text(octets, SPAN("\r"));
		}
		if (text.len > 0 && text.ptr[text.len - 1] == '\r') {
			octets->after_cr = true;
			text.len--;
		}
		count_text(octets, text);
		if (ends && octets->after_cr) {
			octets->after_cr = false;
			end_line(octets);
		} else if (ends) {
			octets->has |= HAS_ODD;
			count_text(octets, SPAN("\n"));
		}
	}
}

/* What comes next is on another line. */
static void
count_end(struct octets *octets)
{
	if (octets->after_cr)
		count_text(octets, SPAN("\r"));
	octets->after_cr = false;
	end_line(octets);
}

static void
note_stuck(struct survey *survey, unsigned has, const char *format, const char *what)
{
	for (enum survey_target target = 0; target < SURVEY_TARGET_COUNT; target++)
		if (has & needs(target) && !survey->targets[target].stuck[0])
			snprintf(survey->targets[target].stuck, STUCK_BYTES, format, what);
}

/* Of a message that is not binary it matters only what has more than seven bits. */
static unsigned
matters(const struct survey *survey, const struct octets *octets)
{
	return survey->is_binary ? octets->has : octets->has & HAS_8BIT;
}

static void
take_header(struct survey *survey, struct span line)
{
	count(&survey->header, line);
	note_stuck(survey, matters(survey, &survey->header),
	    "a header of it has octets above 127, or a line of more than 998 octets%s", "");
}

static bool
is_leaf(const struct walk_entity *entity)
{
	return entity->kind != WALK_MULTIPART && entity->kind != WALK_MESSAGE;
}

static void
take_entity(struct survey *survey, const struct walk_entity *entity)
{
	unsigned facts = (entity->kind == WALK_TEXT ? IS_TEXT : 0) |
	    (entity->kind == WALK_OPAQUE ? IS_OPAQUE : 0) |
	    (entity->encoding == WALK_8BIT ? SAYS_8BIT : 0) |
	    (entity->encoding == WALK_BINARY ? SAYS_BINARY : 0);

	if (survey->facts.len == SURVEY_ENTITIES_MAX) {
		survey->wrong = "it has more than 10000 parts";
		return;
	}
	survey->header = survey->content = (struct octets){0};
	survey->open = survey->facts.len;
	buf_add_char(&survey->facts, (char)facts);
	for (enum survey_target target = 0; target < SURVEY_TARGET_COUNT; target++)
		survey->targets[target].more_bytes += RELABELED_MORE_BYTES;
}

static uint64_t
base64_bytes(uint64_t count)
{
	return (count + 2) / 3 * 4 + (count + 56) / 57 * 2;
}

static void
end_content(struct survey *survey, const struct walk_event *event)
{
	const struct walk_entity *entity = event->entity;
	struct octets *content = &survey->content;
	uint64_t encoded = base64_bytes(content->count);
	unsigned facts = (unsigned char)survey->facts.ptr[survey->open];

	check(is_leaf(entity));
	/* A last line without an end would get one. */
	if (event->at_end && (content->line > 0 || content->after_cr))
		content->has |= HAS_LONG;
	count_end(content);
	facts |= matters(survey, content);
	/* A text that can be read as it is may be a quarter longer. */
	if (content->quoted > encoded + encoded / 4)
		facts |= IS_DENSE;
	else if (facts & IS_TEXT && !(facts & HAS_ODD))
		encoded = content->quoted;
	survey->facts.ptr[survey->open] = (char)facts;
	if (entity->kind == WALK_OPAQUE)
		note_stuck(survey, facts, "a part of it that needs it is %s", entity->opaque);
	else if (entity->encoding >= WALK_ENCODED)
		note_stuck(survey, facts,
		    "a part of it is not what its Content-Transfer-Encoding says%s", "");
	for (enum survey_target target = 0; target < SURVEY_TARGET_COUNT; target++) {
		if (!(facts & needs(target)))
			continue;
		survey->targets[target].part_count++;
		survey->targets[target].more_bytes += ENCODED_MORE_BYTES + 3;
		if (encoded > content->count)
			survey->targets[target].more_bytes += encoded - content->count;
	}
}

/* Octets above 127 are changed there; the rest cannot be. */
static void
end_around(struct survey *survey)
{
	count_end(&survey->around);
	note_stuck(survey, matters(survey, &survey->around) & ~(unsigned)HAS_8BIT,
	    "what stands around its parts has lines of more than 998 octets, or octets that "
	    "are no text%s", "");
	survey->around = (struct octets){0};
}

/* Pulls all that the walk has to tell. */
static void
pull(struct survey *survey)
{
	struct walk_event event = {.kind = WALK_HEADER};

	while (event.kind != WALK_WAIT && !survey->wrong) {
		event = walk_next(survey->walk);
		switch (event.kind) {
		case WALK_HEADER:
			take_header(survey, event.bytes);
			break;
		case WALK_ENTITY:
			take_entity(survey, event.entity);
			break;
		case WALK_CONTENT:
			count(&survey->content, event.bytes);
			break;
		case WALK_CONTENT_END:
			end_content(survey, &event);
			break;
		case WALK_FRAME:
			end_around(survey);
			break;
		case WALK_AROUND:
			count(&survey->around, event.bytes);
			break;
		case WALK_WRONG:
			survey->wrong = walk_wrong(survey->walk);
			break;
		case WALK_WAIT:
			break;
		}
	}
}

void
survey_take(struct survey *survey, struct span bytes)
{
	survey->bytes += bytes.len;
	survey->has_8bit |= !span_is_ascii(bytes);
	if (survey->wrong)
		return;
	walk_input(survey->walk, bytes);
	pull(survey);
}

void
survey_finish(struct survey *survey)
{
	if (survey->wrong)
		return;
	walk_finish(survey->walk);
	pull(survey);
	end_around(survey);
}

bool
survey_has_8bit(const struct survey *survey)
{
	return survey->has_8bit;
}

/* The walk went no further: whether that is enough to know. */
static bool
is_wrong(const struct survey *survey, enum survey_target target)
{
	return survey->wrong &&
	    (survey->is_binary || (target == SURVEY_7BIT && survey->has_8bit));
}

enum survey_verdict
survey_verdict(const struct survey *survey, enum survey_target target)
{
	if (is_wrong(survey, target) || survey->targets[target].stuck[0])
		return SURVEY_CANNOT;
	if (survey->wrong)
		return SURVEY_AS_IS;
	return survey->targets[target].part_count > 0 ||
		(target == SURVEY_7BIT && survey->has_8bit)
	    ? SURVEY_CONVERT
	    : SURVEY_AS_IS;
}

const char *
survey_why(const struct survey *survey, enum survey_target target)
{
	return survey->targets[target].stuck[0] ? survey->targets[target].stuck
						: survey->wrong;
}

uint64_t
survey_bytes(const struct survey *survey)
{
	return survey->bytes;
}

size_t
survey_entity_count(const struct survey *survey)
{
	return survey->facts.len;
}

size_t
survey_part_count(const struct survey *survey, enum survey_target target)
{
	return survey->targets[target].part_count;
}

uint64_t
survey_bytes_max(const struct survey *survey, enum survey_target target)
{
	return survey->bytes + survey->targets[target].more_bytes + 2;
}

enum survey_action
survey_action(const struct survey *survey, size_t index, enum survey_target target)
{
	unsigned facts;

	if (index >= survey->facts.len)
		return SURVEY_KEEP;
	facts = (unsigned char)survey->facts.ptr[index];
	if (facts & IS_OPAQUE)
		return SURVEY_KEEP;
	if (facts & needs(target))
		return facts & IS_TEXT && !(facts & (HAS_ODD | IS_DENSE)) ? SURVEY_QUOTE
									  : SURVEY_BASE64;
	return facts & SAYS_BINARY || (facts & SAYS_8BIT && target == SURVEY_7BIT)
	    ? SURVEY_RELABEL
	    : SURVEY_KEEP;
}
