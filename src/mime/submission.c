/*
 * A walk over the header, octet by octet up to the colon of each field and line by line behind it.
 *
 *     NAME ──colon──► VALUE ──CRLF──► NAME      a blank there goes on with the field before
 *       └──CRLF (the empty line)──► OVER
 *
 * Fields are known by their names in any case, with the blanks before the colon that RFC 5322
 * section 4.5 has.  What is added comes last in the header, for only there is it known what is
 * missing.
 */
#include "mime/submission.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "mime/mailboxes.h"
#include "mime/trace.h"

#define BIT(n) (1u << (n))

enum { WHY_BYTES_MAX = 300 };

enum state { NAME, VALUE, OVER };

enum field {
	FIELD_OTHER,
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_RESENT_FROM,
	FIELD_RESENT_SENDER,
	FIELD_AUTHORS, /* those before are held */
	FIELD_DATE = FIELD_AUTHORS,
	FIELD_MESSAGE_ID,
	FIELD_BCC,
	FIELD_RESENT_BCC,
	FIELD_RETURN_PATH,
	FIELD_COUNT,
};

static const struct {
	const char *name;
	bool dropped;
} fields[FIELD_COUNT] = {
    [FIELD_OTHER] = {"", false},
    [FIELD_FROM] = {"From", false},
    [FIELD_SENDER] = {"Sender", false},
    [FIELD_RESENT_FROM] = {"Resent-From", false},
    [FIELD_RESENT_SENDER] = {"Resent-Sender", false},
    [FIELD_DATE] = {"Date", false},
    [FIELD_MESSAGE_ID] = {"Message-ID", false},
    [FIELD_BCC] = {"Bcc", true},
    [FIELD_RESENT_BCC] = {"Resent-Bcc", true},
    [FIELD_RETURN_PATH] = {"Return-Path", true},
};

struct submission {
	struct submission_rules rules;
	enum state state;
	enum field field; /* the one at hand, which a blank goes on with */
	bool has_field;
	bool holds; /* its value is kept too */
	bool after_cr;
	uint64_t line; /* from 1 */
	unsigned seen; /* BIT(field) */
	struct buf start; /* of a line, until it is known what it is */
	struct buf value; /* of a field that names authors */
	struct buf addresses[FIELD_AUTHORS];
	struct buf held; /* of those, what submission_addresses gives */
	struct buf why;
};

struct submission *
submission_create(const struct submission_rules *rules)
{
	struct submission *submission = mem_alloc(sizeof(*submission));

	submission->rules = *rules;
	submission->line = 1;
	buf_init(&submission->start, SUBMISSION_NAME_BYTES_MAX + 2);
	buf_init(&submission->value, SUBMISSION_FIELD_BYTES_MAX);
	for (size_t i = 0; i < FIELD_AUTHORS; i++)
		buf_init(&submission->addresses[i], SUBMISSION_FIELD_BYTES_MAX);
	buf_init(&submission->held, SUBMISSION_ADDRESSES_BYTES_MAX);
	buf_init(&submission->why, WHY_BYTES_MAX);
	return submission;
}

void
submission_destroy(struct submission *submission)
{
	if (!submission)
		return;
	buf_fini(&submission->start);
	buf_fini(&submission->value);
	for (size_t i = 0; i < FIELD_AUTHORS; i++)
		buf_fini(&submission->addresses[i]);
	buf_fini(&submission->held);
	buf_fini(&submission->why);
	mem_free(submission);
}

/* The first thing that is wrong is told; the rest of the header does not matter then. */
static __attribute__((format(printf, 2, 3))) void
fail(struct submission *submission, const char *format, ...)
{
	char text[WHY_BYTES_MAX];
	va_list args;

	submission->state = OVER;
	if (submission->why.len > 0)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_add_str(&submission->why, text);
}

static void
fail_at_line(struct submission *submission)
{
	fail(submission,
	    "line %llu is neither a field nor the empty line in front of the text",
	    (unsigned long long)submission->line);
}

static bool
has_failed(const struct submission *submission)
{
	return submission->why.len > 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The addresses of a field that has come to its end. */
static void
take_addresses(struct submission *submission)
{
	const char *name = fields[submission->field].name;
	struct mailboxes list = mailboxes_of(buf_span(&submission->value));
	struct buf *found = &submission->addresses[submission->field];
	struct buf address;
	size_t count = 0;

	buf_init(&address, SUBMISSION_FIELD_BYTES_MAX);
	while (mailboxes_next(&list, &address)) {
		buf_add(found, buf_span(&address));
		buf_add_char(found, '\n');
		count++;
	}
	buf_fini(&address);
	if (list.wrong)
		fail(submission, "%s: %s", name, list.wrong);
	else if (count == 0)
		fail(submission, "%s names no address", name);
	else if (count > 1 && submission->field == FIELD_SENDER)
		fail(submission, "%s names more than one address", name);
	else if (buf_finish(found))
		fail(submission, "%s names too many addresses", name);
}

/* The field at hand, if there is one, has no further lines. */
static void
end_field(struct submission *submission)
{
	if (submission->has_field && submission->holds) {
		if (buf_finish(&submission->value))
			fail(submission, "%s is longer than %d octets",
			    fields[submission->field].name, SUBMISSION_FIELD_BYTES_MAX);
		else
			take_addresses(submission);
		buf_fini(&submission->value);
	}
	submission->has_field = submission->holds = false;
}

static enum field
field_of(struct span name)
{
	for (enum field field = FIELD_OTHER + 1; field < FIELD_COUNT; field++) {
		if (span_eq_nocase(name, span_str(fields[field].name)))
			return field;
	}
	return FIELD_OTHER;
}

/* The start of the line is a name, and here is its colon. */
static void
begin_field(struct submission *submission, struct buf *out)
{
	struct span start = buf_span(&submission->start);
	enum field field = field_of(span_first(span_trim(start), start.len));
	bool again = submission->seen & BIT(field);

	if (again && (field == FIELD_FROM || field == FIELD_SENDER)) {
		fail(submission, "there are two %s fields", fields[field].name);
		return;
	}
	submission->field = field;
	submission->has_field = true;
	/* Of several times that it was sent again, the last one comes first. */
	submission->holds = field == FIELD_FROM || field == FIELD_SENDER ||
	    (submission->rules.sender_vouches && !again &&
		(field == FIELD_RESENT_FROM || field == FIELD_RESENT_SENDER));
	submission->seen |= BIT(field);
	submission->state = VALUE;
	submission->after_cr = false;
	if (!fields[field].dropped) {
		buf_add(out, start);
		buf_add_char(out, ':');
	}
	buf_fini(&submission->start);
}

static void
add_missing(struct submission *submission, struct buf *out)
{
	const struct submission_rules *rules = &submission->rules;

	if (!(submission->seen & BIT(FIELD_FROM)) && rules->author.len == 0) {
		fail(submission, "there is no From field");
		return;
	}
	if (!(submission->seen & BIT(FIELD_FROM))) {
		buf_add_str(out, "From: <");
		buf_add(out, rules->author);
		buf_add_str(out, ">\r\n");
		buf_add(&submission->addresses[FIELD_FROM], rules->author);
		buf_add_char(&submission->addresses[FIELD_FROM], '\n');
	}
	if (!(submission->seen & BIT(FIELD_DATE))) {
		buf_add_str(out, "Date: ");
		trace_write_date(out, rules->wall_ms);
		buf_add_str(out, "\r\n");
	}
	if (!(submission->seen & BIT(FIELD_MESSAGE_ID))) {
		buf_add_str(out, "Message-ID: <");
		for (size_t i = 0; i < SUBMISSION_UNIQUE_BYTES; i++)
			buf_addf(out, "%02x", rules->unique[i]);
		buf_add_char(out, '@');
		buf_add(out, rules->hostname);
		buf_add_str(out, ">\r\n");
	}
}

/* Puts together whom the message claims to be from. */
static void
gather(struct submission *submission)
{
	static const enum field vouching[] = {
	    FIELD_RESENT_SENDER, FIELD_RESENT_FROM, FIELD_SENDER, FIELD_FROM};
	struct buf *held = &submission->held;

	if (!submission->rules.sender_vouches) {
		buf_add(held, buf_span(&submission->addresses[FIELD_FROM]));
		buf_add(held, buf_span(&submission->addresses[FIELD_SENDER]));
	}
	for (size_t i = 0; i < LEN(vouching) && held->len == 0; i++)
		buf_add(held, buf_span(&submission->addresses[vouching[i]]));
	check(buf_finish(held) == OK);
}

static void
end_header(struct submission *submission, struct buf *out)
{
	if (!has_failed(submission))
		add_missing(submission, out);
	if (!has_failed(submission))
		gather(submission);
	submission->state = OVER;
}

/* The first octet of a line says whether the field before it goes on. */
static bool
goes_on(struct submission *submission, char c)
{
	if (submission->start.len > 0)
		return false;
	if (is_blank(c) && submission->has_field) {
		submission->state = VALUE;
		submission->after_cr = false;
		return true;
	}
	end_field(submission);
	return false;
}

/* Whether the octet may follow at the start of a line: a name, blanks behind it, or a CR alone. */
static bool
fits_name(struct span start, char c)
{
	if (start.len == 0)
		return c == '\r' || (c > ' ' && c < 127 && c != ':');
	if (start.ptr[0] == '\r')
		return false;
	return is_blank(c) || (c > ' ' && c < 127 && !is_blank(start.ptr[start.len - 1]));
}

/* One octet of the start of a line, which is a name or the empty line. */
static void
take_name(struct submission *submission, char c, struct buf *out)
{
	struct span start = buf_span(&submission->start);

	if (c == '\n' && span_eq(start, SPAN("\r"))) {
		end_header(submission, out);
		if (!has_failed(submission))
			buf_add_str(out, "\r\n");
	} else if (c == ':' && start.len > 0 && start.ptr[0] != '\r') {
		begin_field(submission, out);
	} else if (start.len >= SUBMISSION_NAME_BYTES_MAX || !fits_name(start, c)) {
		fail_at_line(submission);
	} else {
		buf_add_char(&submission->start, c);
	}
}

/* Octets of a value, at most to the end of the line; gives how many. */
static size_t
take_value(struct submission *submission, struct span bytes, struct buf *out)
{
	const char *lf = memchr(bytes.ptr, '\n', bytes.len);
	struct span piece = lf ? span_first(bytes, (size_t)(lf - bytes.ptr) + 1) : bytes;
	bool ends = lf && (piece.len > 1 ? lf[-1] == '\r' : submission->after_cr);

	submission->after_cr = piece.ptr[piece.len - 1] == '\r';
	if (!fields[submission->field].dropped)
		buf_add(out, piece);
	if (submission->holds)
		buf_add(&submission->value, piece);
	if (ends) {
		submission->state = NAME;
		submission->line++;
	}
	return piece.len;
}

size_t
submission_take(struct submission *submission, struct span bytes, struct buf *out)
{
	size_t taken = 0;

	while (taken < bytes.len && submission->state != OVER) {
		if (submission->state == NAME && !goes_on(submission, bytes.ptr[taken])) {
			if (!has_failed(submission))
				take_name(submission, bytes.ptr[taken++], out);
		} else {
			taken += take_value(submission, span_skip(bytes, taken), out);
		}
	}
	return has_failed(submission) ? bytes.len : taken;
}

void
submission_finish(struct submission *submission, struct buf *out)
{
	if (submission->state == OVER)
		return;
	if (submission->state == VALUE && !fields[submission->field].dropped)
		buf_add_str(out, submission->after_cr ? "\n" : "\r\n");
	else if (submission->state == NAME && submission->start.len > 0)
		fail_at_line(submission);
	end_field(submission);
	end_header(submission, out);
}

struct span
submission_wrong(const struct submission *submission)
{
	return buf_span(&submission->why);
}

struct span
submission_addresses(const struct submission *submission)
{
	check(submission->state == OVER);
	return buf_span(&submission->held);
}
