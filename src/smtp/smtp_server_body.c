/*
 * The octets of a message, from DATA or BDAT.
 *
 * One rule makes smuggling impossible: a line ends with CR LF, and nothing else
 * is a line end, for any purpose.  A message with a bare CR or LF is read to
 * its true end and refused, since the next server could see an end in it.
 * With repair_line_ends each bare CR or LF becomes CR LF instead; the end of
 * the message is still found, and dots are still removed, by what the client
 * sent, never by what was repaired.
 *
 * Two passes over each piece, both at memory speed: memchr() finds the line
 * ends, and blocks of 64 octets are looked through for what must not be there.
 * What a piece is cut into by the network never matters: flaws are collected
 * and the worst one is told at the end, so that the answer does not depend on
 * which one a piece boundary let us see first.
 */
#include "smtp/smtp_server_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

enum {
	BLOCK_BYTES = 64,
	/* What is looked through for one repair: many of them must not cost more than they are. */
	REPAIR_BYTES_MAX = 4096,
};

static const struct span received_name = {"received:", 9};

enum { MATCH_NO = UINT8_MAX };

void
smtp_server_body_begin(struct smtp_server_body *body, bool dots, bool binary)
{
	check(!dots || !binary);
	*body = (struct smtp_server_body){
	    .dots = dots, .binary = binary, .in_header = true};
}

static void
set_flaw(struct smtp_server_body *body, enum smtp_server_flaw flaw)
{
	body->flaws |= BIT(flaw);
}

/* Counts header octets and Received fields in a piece of one line; only its end may be CRLF. */
static void
take_header(struct smtp_server_body *body, const struct smtp_server_options *options,
    struct span piece, bool line_ends)
{
	body->header_bytes += piece.len;
	if (body->header_bytes > options->header_bytes_max)
		set_flaw(body, FLAW_HEADER_TOO_BIG);

	for (size_t i = 0; i < piece.len && body->matched < received_name.len; i++) {
		if (ascii_lower(piece.ptr[i]) != received_name.ptr[body->matched]) {
			body->matched = MATCH_NO;
		} else if (++body->matched == received_name.len) {
			body->received++;
			if (body->received > options->received_max)
				set_flaw(body, FLAW_LOOP);
		}
	}
	if (!line_ends)
		return;
	/* The empty line is the CRLF alone. */
	if (body->line_bytes == 2)
		body->in_header = false;
	body->matched = 0;
}

/* RFC 3030 section 3: behind the header of a binary message there are octets, not lines. */
static bool
has_lines(const struct smtp_server_body *body)
{
	return !body->binary || body->in_header;
}

/*
 * Goes over lines up to the end of text, to a line that begins with a dot, or to the end of
 * the header of a binary message; gives how many octets that is.
 */
static size_t
take_lines(struct smtp_server_body *body, const struct smtp_server_options *options,
    struct span text)
{
	const char *at = text.ptr, *end = text.ptr + text.len;
	bool in_header = body->in_header;

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *next = lf ? lf + 1 : end;
		bool line_ends = lf && (lf > text.ptr ? lf[-1] == '\r' : body->after_cr);

		body->line_bytes += (uint64_t)(next - at);
		if (body->line_bytes > options->line_bytes_max && has_lines(body))
			set_flaw(body, FLAW_LINE_TOO_LONG);
		if (body->in_header)
			take_header(
			    body, options, span_of(at, (size_t)(next - at)), line_ends);
		at = next;
		body->at = BODY_AT_TEXT;
		if (!line_ends)
			continue;
		body->at = BODY_AT_LINE_START;
		body->line_bytes = 0;
		if ((body->dots && at < end && *at == '.') || (in_header && !has_lines(body)))
			break;
	}
	return (size_t)(at - text.ptr);
}

/*
 * How many octets, up to a line that begins with a dot, have no bare CR or LF
 * among them; a CR at the end counts as one, since what follows is not known.
 */
static size_t
count_clean(struct span text)
{
	size_t at = 0;

	text = span_first(text, REPAIR_BYTES_MAX);
	while (at < text.len) {
		size_t lf = at + span_find(span_skip(text, at), '\n');
		size_t cr = at + span_find(span_of(text.ptr + at, lf - at), '\r');

		if (cr < lf && (cr + 1 < lf || lf == text.len))
			return cr;
		if (lf == text.len)
			return lf;
		if (cr == lf)
			return lf;
		at = lf + 1;
		if (at < text.len && text.ptr[at] == '.')
			break;
	}
	return at;
}

/* Ends the line that a CR or LF alone stands for; gives what belongs to the message. */
static struct span
end_repaired_line(
    struct smtp_server_body *body, const struct smtp_server_options *options)
{
	const struct span line_end = SPAN("\r\n");

	body->line_bytes += line_end.len;
	if (body->line_bytes > options->line_bytes_max)
		set_flaw(body, FLAW_LINE_TOO_LONG);
	if (body->in_header)
		take_header(body, options, line_end, true);
	body->line_bytes = 0;
	body->bytes += line_end.len;
	if (body->bytes > options->message_bytes_max)
		set_flaw(body, FLAW_TOO_BIG);
	body->at = BODY_AT_TEXT;
	return body->flaws ? SPAN("") : line_end;
}

/*
 * Takes a CR or LF that is not known to be one of a pair.  A CR ends the line at
 * once; an LF right behind it adds nothing, but makes it a true line end.
 */
static struct span
repair(struct smtp_server_body *body, const struct smtp_server_options *options,
    char octet)
{
	check(octet == '\r' || octet == '\n');
	if (octet == '\n' && body->after_cr) {
		body->after_cr = false;
		body->at = BODY_AT_LINE_START;
		return SPAN("");
	}
	body->after_cr = octet == '\r';
	return end_repaired_line(body, options);
}

/*
 * Zero where a block has neither NUL, nor CR without LF, nor LF without CR.
 * at[-1] is read.  The constant length lets compilers use vectors.
 */
static unsigned char
block_flaws(const char *at)
{
	unsigned char bad = 0;

	for (size_t i = 0; i < BLOCK_BYTES; i++)
		bad |=
		    (unsigned char)((at[i] == '\0') |
				    ((at[i] == '\n') ^ (at[(ptrdiff_t)i - 1] == '\r')));
	return bad;
}

static void
check_octet(struct smtp_server_body *body, char before, char octet)
{
	if (octet == '\0')
		set_flaw(body, FLAW_NUL);
	if ((octet == '\n') != (before == '\r'))
		set_flaw(body, FLAW_BARE_LINE_END);
}

/* Looks through octets that follow each other in the message. */
static void
check_octets(struct smtp_server_body *body, struct span run)
{
	size_t i = 1;

	if (run.len == 0)
		return;
	check_octet(body, body->after_cr ? '\r' : '\0', run.ptr[0]);
	while (i < run.len) {
		size_t n = run.len - i < BLOCK_BYTES ? run.len - i : BLOCK_BYTES;

		if (n < BLOCK_BYTES || block_flaws(run.ptr + i))
			for (size_t k = i; k < i + n; k++)
				check_octet(body, run.ptr[k - 1], run.ptr[k]);
		i += n;
	}
	body->after_cr = run.ptr[run.len - 1] == '\r';
}

/* The octets around a dot at the start of a line; true where one was taken. */
static bool
take_dot(struct smtp_server_body *body, bool repairs, char octet)
{
	switch (body->at) {
	case BODY_AT_LINE_START:
		if (!body->dots || octet != '.')
			return false;
		body->at = BODY_AT_DOT;
		return true;
	case BODY_AT_DOT:
		body->at = octet == '\r' ? BODY_AT_DOT_CR : BODY_AT_TEXT;
		return octet == '\r' || (octet == '.' && SIM_BUG(DOTS_TAKEN));
	case BODY_AT_DOT_CR:
		if (octet == '\n') {
			body->at = BODY_AT_END;
			return true;
		}
		/* A dot and a bare CR: the CR is gone, but so is the message, or it is repaired. */
		if (!repairs)
			set_flaw(body, FLAW_BARE_LINE_END);
		body->at = BODY_AT_TEXT;
		return false;
	case BODY_AT_TEXT:
	case BODY_AT_END:
		break;
	}
	return false;
}

/* Takes lines as they are. */
static struct span
take_text(struct smtp_server_body *body, const struct smtp_server_options *options,
    struct span text)
{
	bool lines = has_lines(body);

	text.len = take_lines(body, options, text);
	if (lines)
		check_octets(body, text);
	body->bytes += text.len;
	if (body->bytes > options->message_bytes_max)
		set_flaw(body, FLAW_TOO_BIG);
	return text;
}

size_t
smtp_server_body_take(struct smtp_server_body *body,
    const struct smtp_server_options *options, struct span text, struct span *run)
{
	bool repairs = options->repair_line_ends;
	bool lost_cr = false;
	size_t taken = 0;

	check(body->at != BODY_AT_END);
	*run = SPAN("");
	while (taken < text.len && body->at != BODY_AT_END) {
		lost_cr = body->at == BODY_AT_DOT_CR;
		if (!take_dot(body, repairs, text.ptr[taken]))
			break;
		taken++;
	}
	if (body->at == BODY_AT_END || taken == text.len)
		return taken;
	if (repairs && lost_cr) {
		*run = end_repaired_line(body, options);
		return taken;
	}

	text = span_skip(text, taken);
	/* The octets of a binary message begin; only the rest of a line end is header. */
	if (repairs && !has_lines(body) && !(body->after_cr && text.ptr[0] == '\n'))
		repairs = body->after_cr = false;
	if (repairs) {
		size_t clean = count_clean(text);

		if (clean == 0) {
			*run = repair(body, options, text.ptr[0]);
			return taken + 1;
		}
		body->after_cr = false;
		text.len = clean;
	}
	text = take_text(body, options, text);
	if (body->flaws == 0)
		*run = text;
	return taken + text.len;
}

bool
smtp_server_body_finish(
    struct smtp_server_body *body, const struct smtp_server_options *options)
{
	check(!body->dots);
	if (body->after_cr && has_lines(body) && !options->repair_line_ends)
		set_flaw(body, FLAW_BARE_LINE_END);
	/* A repaired line end has ended its line too. */
	if (body->flaws || body->line_bytes == 0 || !has_lines(body))
		return false;
	body->at = BODY_AT_LINE_START;
	body->line_bytes = 0;
	return true;
}

enum reply_id
smtp_server_body_refusal(const struct smtp_server_body *body,
    const struct smtp_server_options *options, uint64_t *number)
{
	check(body->flaws != 0);
	*number = 0;
	if (body->flaws & BIT(FLAW_BARE_LINE_END))
		return REPLY_BARE_LINE_END_IN_DATA;
	if (body->flaws & BIT(FLAW_NUL))
		return REPLY_NUL_IN_DATA;
	if (body->flaws & BIT(FLAW_LOOP)) {
		*number = options->received_max;
		return REPLY_LOOP;
	}
	if (body->flaws & BIT(FLAW_HEADER_TOO_BIG)) {
		*number = options->header_bytes_max;
		return REPLY_HEADER_TOO_BIG;
	}
	if (body->flaws & BIT(FLAW_LINE_TOO_LONG)) {
		*number = options->line_bytes_max;
		return REPLY_TEXT_LINE_TOO_LONG;
	}
	*number = options->message_bytes_max;
	return REPLY_MESSAGE_TOO_BIG;
}
