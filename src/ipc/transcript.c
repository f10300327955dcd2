/*
 * See transcript.h.  Kept, a step is u32 ms, u8 kind, u16 bytes, and these; written it is var ms,
 * u8 kind, var bytes, and these.
 */
#include "ipc/transcript.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

enum { HEAD_BYTES = 7, STEP_BYTES_MAX = HEAD_BYTES + TRANSCRIPT_LINE_MAX + 1 };

void
transcript_init(struct transcript *transcript, size_t bytes_max, uint64_t now_ms)
{
	size_t half = bytes_max / 2;

	*transcript = (struct transcript){.start_ms = now_ms};
	transcript->half = half >= STEP_BYTES_MAX ? half : 0;
	buf_init(&transcript->first, half);
	buf_init(&transcript->last, half);
}

void
transcript_fini(struct transcript *transcript)
{
	buf_fini(&transcript->first);
	buf_fini(&transcript->last);
}

static size_t
step_bytes(const char *at)
{
	return HEAD_BYTES + (size_t)((unsigned char)at[5] | (unsigned char)at[6] << 8);
}

/* Gives up the oldest of what came last, as much as a step and a quarter of the room need. */
static void
make_room(struct transcript *transcript)
{
	struct buf *last = &transcript->last;
	size_t want = STEP_BYTES_MAX + transcript->half / 4, gone = 0;

	while (gone < last->len && buf_space(last) + gone < want) {
		gone += step_bytes(last->ptr + gone);
		transcript->gap++;
	}
	buf_consume(last, gone);
}

void
transcript_add(struct transcript *transcript, enum transcript_kind kind, struct span text,
    uint64_t now_ms)
{
	uint64_t ms = now_ms > transcript->start_ms ? now_ms - transcript->start_ms : 0;
	/* One byte more than is shown says that it was longer. */
	struct span kept = span_first(text, TRANSCRIPT_LINE_MAX + 1);
	struct buf *into = &transcript->first;
	char head[HEAD_BYTES];

	if (transcript->half == 0)
		return;
	if (transcript->last.len > 0 || transcript->gap > 0 ||
	    buf_space(into) < HEAD_BYTES + kept.len) {
		into = &transcript->last;
		if (buf_space(into) < HEAD_BYTES + kept.len)
			make_room(transcript);
	}
	wire_put_u32(head, ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX);
	head[4] = (char)kind;
	head[5] = (char)(kept.len & 0xff);
	head[6] = (char)(kept.len >> 8);
	buf_add(into, span_of(head, sizeof(head)));
	buf_add(into, kept);
	check(buf_finish(into) == OK);
}

void
transcript_fact(struct transcript *transcript, uint64_t now_ms, const char *format, ...)
{
	char text[TRANSCRIPT_LINE_MAX + 2];
	va_list args;
	int len;

	if (transcript->half == 0)
		return;
	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	check(len >= 0);
	transcript_add(transcript, TRANSCRIPT_FACT, span_str(text), now_ms);
}

/* The line ends here: no character is cut in two. */
static void
cut(struct buf *out)
{
	size_t len = out->len;

	while (len > 0 && out->len - len < 3 && ((unsigned char)out->ptr[len - 1] & 0xc0) == 0x80)
		len--;
	if (len > 0 && (unsigned char)out->ptr[len - 1] >= 0xc0)
		out->len = len - 1;
	buf_add_str(out, "...");
}

/* Adds the text as it may be shown. */
static void
clean(struct buf *out, struct span text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (out->len >= TRANSCRIPT_LINE_MAX) {
			cut(out);
			return;
		}
		if (c >= 0x20 && c != 0x7f) {
			buf_add_char(out, (char)c);
			continue;
		}
		buf_add_str(out, "\\x");
		buf_add_char(out, digits[c >> 4]);
		buf_add_char(out, digits[c & 15]);
	}
}

/* False: there is no room for more. */
static bool
write_step(struct buf *out, uint32_t ms, unsigned kind, struct span text)
{
	struct buf shown;
	bool fits;

	if (buf_space(out) < 2 * TRANSCRIPT_STEP_MAX)
		return false;
	buf_init(&shown, TRANSCRIPT_TEXT_MAX);
	clean(&shown, text);
	fits = buf_finish(&shown) == OK;
	check(fits);
	wire_var(out, ms);
	wire_u8(out, (uint8_t)kind);
	wire_var_bytes(out, buf_span(&shown));
	buf_fini(&shown);
	return true;
}

static void
write_gap(struct buf *out, uint32_t ms, uint64_t count)
{
	char text[24];

	if (count == 0)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)count);
	wire_var(out, ms);
	wire_u8(out, TRANSCRIPT_GAP);
	wire_var_bytes(out, span_str(text));
}

/* Gives how many steps found no room. */
static uint64_t
write_half(struct buf *out, struct span steps, uint32_t *ms)
{
	uint64_t left_out = 0;

	while (steps.len > 0) {
		size_t bytes = step_bytes(steps.ptr);

		if (left_out == 0)
			*ms = wire_get_u32(steps.ptr);
		if (left_out > 0 ||
		    !write_step(out, *ms, (unsigned char)steps.ptr[4],
		        span_of(steps.ptr + HEAD_BYTES, bytes - HEAD_BYTES)))
			left_out++;
		steps = span_skip(steps, bytes);
	}
	return left_out;
}

void
transcript_write(const struct transcript *transcript, struct buf *out)
{
	uint32_t ms = 0;
	uint64_t left_out;

	left_out = write_half(out, buf_span(&transcript->first), &ms);
	write_gap(out, ms, left_out + transcript->gap);
	write_gap(out, ms, write_half(out, buf_span(&transcript->last), &ms));
	check(buf_finish(out) == OK);
}

bool
transcript_next(struct reader *reader, struct transcript_step *step)
{
	uint8_t kind;

	if (reader->failed || reader->rest.len == 0)
		return false;
	*step = (struct transcript_step){.ms = reader_var(reader, UINT32_MAX)};
	kind = reader_u8(reader);
	step->text = reader_var_bytes(reader, TRANSCRIPT_TEXT_MAX);
	if (kind >= TRANSCRIPT_KIND_COUNT)
		reader->failed = true;
	step->kind = (enum transcript_kind)kind;
	return !reader->failed;
}
