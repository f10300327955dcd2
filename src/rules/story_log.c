/*
 * Lines of logs: of Postfix and sendmail ("to=<...>, relay=..., status=..." or "stat=..."), of
 * Exim ("** address ...: words"), and of this server ("event=bounced to=... text=...").
 */
#include <stdio.h>

#include "rules/story_internal.h"

#include "base/check.h"

enum { LINE_BYTES_MAX = 16384 };

/* Up to the first of a few characters. */
static struct span
until(struct span text, const char *stops)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] && strchr(stops, text.ptr[i]))
			return span_first(text, i);
	return text;
}

static struct span
value_of(struct span line, const char *key, const char *stops)
{
	struct span behind;

	return span_seek(line, span_str(key), &behind) ? until(behind, stops) : SPAN("");
}

static void
take_status(struct story_rcpt *rcpt, struct span status)
{
	(void)snprintf(rcpt->status, sizeof(rcpt->status), "%.*s",
	    SPAN_ARGS(span_first(status, STORY_CODE_BYTES - 1)));
}

/* What the other server said, in words that a server of ours wrote around it. */
static void
take_words(struct story_rcpt *rcpt, struct span words)
{
	struct span behind, tail;

	rcpt->said = words;
	if (span_seek(words, SPAN(" said: "), &behind)) {
		if (span_seek(behind, SPAN(" (in reply to "), &tail))
			behind.len = (size_t)(tail.ptr - behind.ptr) - strlen(" (in reply to ");
	} else if (span_seek(words, SPAN("SMTP error from remote mail server after "), &behind)) {
		if (!span_seek(behind, SPAN(": "), &behind))
			return;
	} else {
		return;
	}
	rcpt->said = behind;
	rcpt->said_by_them = true;
}

static bool
read_postfix(struct span line, struct story_rcpt *rcpt)
{
	struct span status, words, relay = value_of(line, " relay=", ",[ ");

	if (!span_seek(line, SPAN(" status="), &status) ||
	    !span_seek(line, SPAN(" to=<"), &rcpt->address))
		return false;
	rcpt->address = until(rcpt->address, ">");
	rcpt->outcome = span_starts(status, SPAN("deferred")) ? STORY_DELAYED
			: span_starts(status, SPAN("sent"))   ? STORY_RELAYED
							      : STORY_FAILED;
	take_status(rcpt, value_of(line, " dsn=", ", "));
	words = span_skip(status, span_find(status, '(') + 1);
	if (words.len && words.ptr[words.len - 1] == ')')
		words.len--;
	take_words(rcpt, words);
	if (!span_eq(relay, SPAN("none")) && (rcpt->said_by_them || !span_eq(relay, SPAN("local"))))
		rcpt->host = relay;
	return true;
}

static bool
read_sendmail(struct span line, struct story_rcpt *rcpt)
{
	struct span stat;

	if (!span_seek(line, SPAN(" stat="), &stat) ||
	    !span_seek(line, SPAN("to="), &rcpt->address))
		return false;
	rcpt->address = until(rcpt->address, ",");
	if (span_starts(rcpt->address, SPAN("<")))
		rcpt->address = until(span_skip(rcpt->address, 1), ">");
	rcpt->outcome = span_starts(stat, SPAN("Sent"))	      ? STORY_RELAYED
			: span_starts(stat, SPAN("Deferred")) ? STORY_DELAYED
							      : STORY_FAILED;
	take_status(rcpt, value_of(line, " dsn=", ", "));
	rcpt->host = value_of(line, " relay=", ",[ ");
	if (rcpt->host.len && rcpt->host.ptr[rcpt->host.len - 1] == '.')
		rcpt->host.len--;
	rcpt->said = stat;
	rcpt->said_by_them = rcpt->host.len > 0 && !span_starts(stat, SPAN("Deferred"));
	return true;
}

/* "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 450 4.7.25 ...; from=<> to=<>": it said no. */
static bool
read_reject(struct span line, struct story_rcpt *rcpt)
{
	struct span words, tail;

	if (!span_seek(line, SPAN(" reject: "), &words) || !span_seek(words, SPAN("]: "), &words))
		return false;
	if (span_seek(words, SPAN("; from=<"), &tail))
		words.len = (size_t)(tail.ptr - words.ptr) - strlen("; from=<");
	rcpt->address = value_of(line, " to=<", ">");
	rcpt->said = words;
	rcpt->decider = STORY_BY_WRITER;
	rcpt->outcome = span_starts(words, SPAN("4")) ? STORY_DELAYED : STORY_FAILED;
	return true;
}

static bool
read_exim(struct span line, struct story_rcpt *rcpt)
{
	static const struct {
		const char *mark;
		enum story_outcome outcome;
	} marks[] = {{" ** ", STORY_FAILED}, {" == ", STORY_DELAYED}, {" => ", STORY_RELAYED},
	    {" -> ", STORY_RELAYED}};
	struct span rest = SPAN(""), words;
	size_t i = 0;

	/* "2026-11-26 10:00:00 1abcDE-0000xy-1A ** ..." */
	if (line.len < 20 || !ascii_is_digit(line.ptr[0]) || line.ptr[4] != '-')
		return false;
	while (i < LEN(marks) && !span_seek(span_first(line, 80), span_str(marks[i].mark), &rest))
		i++;
	if (i == LEN(marks))
		return false;
	rest = span_skip(line, (size_t)(rest.ptr - line.ptr));
	rcpt->outcome = marks[i].outcome;
	rcpt->address = until(rest, " :");
	if (span_find(rcpt->address, '@') == rcpt->address.len)
		return false;
	rcpt->host = value_of(rest, " H=", " [");
	words = span_skip(rest, rcpt->address.len);
	if (rcpt->outcome == STORY_RELAYED) {
		rcpt->said = value_of(rest, " C=\"", "\"");
		rcpt->said_by_them = true;
	} else {
		(void)span_seek(words, SPAN(": "), &words);
		take_words(rcpt, words);
	}
	return true;
}

/* A value of one of our own lines, with its quotes and "\"" undone as far as words need it. */
static struct span
own_value(struct span line, const char *key)
{
	struct span value;

	if (!span_seek(line, span_str(key), &value))
		return SPAN("");
	if (!span_starts(value, SPAN("\"")))
		return until(value, " ");
	value = span_skip(value, 1);
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] == '\\')
			i++;
		else if (value.ptr[i] == '"')
			return span_first(value, i);
	}
	return value;
}

static bool
read_own(struct span line, struct story_rcpt *rcpt)
{
	static const struct {
		struct span event;
		enum story_outcome outcome;
	} events[] = {{SPAN("bounced"), STORY_FAILED}, {SPAN("expired"), STORY_FAILED},
	    {SPAN("deferred"), STORY_DELAYED}, {SPAN("relayed"), STORY_RELAYED},
	    {SPAN("delivered"), STORY_DELIVERED}, {SPAN("refused"), STORY_FAILED}};
	struct span event = own_value(line, " event=");
	uint64_t code = 0;
	size_t i = 0;

	while (i < LEN(events) && !span_eq(event, events[i].event))
		i++;
	if (i == LEN(events))
		return false;
	rcpt->outcome = events[i].outcome;
	rcpt->address = own_value(line, " to=");
	rcpt->host = until(own_value(line, " host="), "[");
	rcpt->said = own_value(line, " text=");
	take_status(rcpt, own_value(line, " status="));
	if (span_u64(own_value(line, " code="), 599, &code))
		rcpt->code = (unsigned)code;
	rcpt->said_by_them = code > 0 && rcpt->host.len > 0;
	if (span_eq(event, SPAN("refused"))) {
		rcpt->decider = STORY_BY_WRITER;
		rcpt->outcome = code < 500 ? STORY_DELAYED : STORY_FAILED;
	}
	return true;
}

bool
story_log_line(struct span line, struct story_rcpt *rcpt)
{
	bool (*const readers[])(struct span, struct story_rcpt *) = {
	    read_own, read_postfix, read_sendmail, read_reject, read_exim};

	line = span_first(line, LINE_BYTES_MAX);
	for (size_t i = 0; i < LEN(readers); i++) {
		*rcpt = (struct story_rcpt){0};
		if (readers[i](line, rcpt))
			return true;
	}
	return false;
}
