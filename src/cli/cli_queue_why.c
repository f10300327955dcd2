/*
 * Why a recipient waits, in words for people.  The server says the reason, a time, who is
 * before it and which statement of the configuration is behind it; here that becomes a
 * sentence.  Reasons that a newer server may have are shown as they are called.
 */
#include <stdio.h>

#include "base/check.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum reason {
	TIME,
	DOWN,
	PROBE,
	CONNECTIONS,
	RATE,
	TURN,
	HELD,
	ASIDE,
	SUSPECT,
	ACTIVE,
	BOUNCING,
	UNTIL,
	SUSPENDED,
	PAUSE,
	SITE,
	SITE_RATE,
	FULL,
	SOURCE,
	REASON_COUNT
};

static enum reason
reason_of(json_t *object)
{
	static const char *const names[REASON_COUNT] = {"time", "down", "probe",
	    "connections", "rate", "turn", "held", "aside", "suspect", "active", "bouncing",
	    "until", "suspended", "pause", "site", "site-rate", "full", "source"};
	const char *name = cli_queue_text(object, "reason");
	unsigned reason = 0;

	while (reason < REASON_COUNT && strcmp(names[reason], name) != 0)
		reason++;
	return (enum reason)reason;
}

void
cli_queue_write_name(struct buf *out, const char *key)
{
	struct buf name;

	buf_init(&name, 2 * ROUTE_NAME_BYTES_MAX);
	route_name_write(&name, span_str(key));
	reply_clean(out, buf_span(&name));
	buf_fini(&name);
}

void
cli_queue_write_destination(struct buf *out, const char *key)
{
	static const struct {
		const char *prefix, *before, *behind;
	} kinds[] = {
	    {"rule:", "what is ruled for ", ""},
	    {"host:", "the server ", ""},
	    {"lmtp:", "the server ", ""},
	    {"via:", "", " (rerouted)"}, /* as an operator said with "reroute" */
	    {"pipe:", "the program ", ""},
	    {"provider:", "", ""},
	};
	struct buf name;

	if (strcmp(key, "mailbox") == 0) {
		buf_add_str(out, "the mailboxes here");
		return;
	}
	buf_init(&name, 2 * ROUTE_NAME_BYTES_MAX);
	route_name_write(&name, span_str(key));
	for (size_t i = 0; i < LEN(kinds); i++) {
		if (!span_starts(span_str(key), span_str(kinds[i].prefix)))
			continue;
		buf_add_str(out, kinds[i].before);
		reply_clean(out, route_name_rest(buf_span(&name)));
		buf_add_str(out, kinds[i].behind);
		buf_fini(&name);
		return;
	}
	buf_fini(&name);
	reply_clean(out, span_skip(span_str(key), span_starts(span_str(key), SPAN("mx:")) ? 3 : 0));
}

static void
write_ahead(struct buf *out, json_t *rcpt)
{
	long long ahead = cli_queue_number(rcpt, "ahead");

	if (ahead > 0)
		buf_addf(out, " %lld recipient%s before it.", ahead,
		    ahead == 1 ? " is" : "s are");
}

static bool
has_time(json_t *rcpt)
{
	return cli_queue_text(rcpt, "next_try")[0] != '\0';
}

static void
write_when(const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt)
{
	if (has_time(rcpt))
		cli_queue_write_time(printer, out, cli_queue_text(rcpt, "next_try"));
	else
		buf_add_str(out, "soon");
}

static void
write_window(struct buf *out, json_t *rcpt)
{
	long long window = cli_queue_number(rcpt, "window");

	if (span_starts(span_str(cli_queue_text(rcpt, "destination")), SPAN("pipe:"))) {
		buf_add_str(out, "It waits until ");
		cli_queue_write_destination(out, cli_queue_text(rcpt, "destination"));
		buf_addf(out, " has run for others: %lld of %lld that may run at a time do.",
		    cli_queue_number(rcpt, "connections"), window);
		return;
	}
	buf_add_str(out, "It waits for a free connection to ");
	cli_queue_write_destination(out, cli_queue_text(rcpt, "destination"));
	buf_addf(out, ", which has %lld of %lld that it may have now.",
	    cli_queue_number(rcpt, "connections"), window);
}

/* "mx.hoster.example, which takes mail for 12 domains" */
static void
write_site(struct buf *out, json_t *rcpt)
{
	long long destinations = cli_queue_number(rcpt, "site_destinations");

	reply_clean(out, span_str(cli_queue_text(rcpt, "site")));
	if (destinations > 1)
		buf_addf(out, ", which takes mail for %lld domains that wait,", destinations);
}

static void
write_site_window(struct buf *out, json_t *rcpt)
{
	buf_add_str(out, "It waits for a free connection: ");
	write_site(out, rcpt);
	buf_addf(out, " has %lld of %lld that it may have now.",
	    cli_queue_number(rcpt, "connections"), cli_queue_number(rcpt, "window"));
}

static void
write_suspended(const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt)
{
	buf_add_str(out, "An operator suspended ");
	cli_queue_write_destination(out, cli_queue_text(rcpt, "destination"));
	if (has_time(rcpt)) {
		buf_add_str(out, "; it is resumed ");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
	} else {
		buf_add_str(out, ", until: postrider queue resume.");
	}
}

static void
write_full(struct buf *out, const char *destination)
{
	buf_add_str(out,
	    "This server has as many deliveries under way as it makes at a time, but for some "
	    "that it keeps for destinations with little under way; ");
	cli_queue_write_destination(out, destination);
	buf_add_str(out, " has its turn when others have ended.");
}

/* What is said of the mail that waits for a destination. */
static void
write_line(const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt)
{
	const char *destination = cli_queue_text(rcpt, "destination");

	switch (reason_of(rcpt)) {
	case DOWN:
		buf_add_str(out, "No server of ");
		cli_queue_write_destination(out, destination);
		buf_add_str(out,
		    " could be reached, so all mail for it waits; it is tried again ");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
		break;
	case PROBE:
		buf_add_str(out, "No server of ");
		cli_queue_write_destination(out, destination);
		buf_add_str(out, " could be reached; it is being tried again just now.");
		break;
	case CONNECTIONS:
		write_window(out, rcpt);
		break;
	case RATE:
		cli_queue_write_destination(out, destination);
		buf_add_str(
		    out, " gets only so many messages in a time; its next may go ");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
		break;
	case SITE:
		write_site_window(out, rcpt);
		break;
	case SITE_RATE:
		write_site(out, rcpt);
		buf_add_str(
		    out, " gets only so many messages in a time; the next may go ");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
		break;
	case SUSPENDED:
		write_suspended(printer, out, rcpt);
		break;
	case PAUSE:
		cli_queue_write_destination(out, destination);
		buf_add_str(out, " asked for less mail, so all for it waits; it goes on ");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
		break;
	case FULL:
		write_full(out, destination);
		break;
	case TURN:
	case TIME:
	case HELD:
	case ASIDE:
	case SUSPECT:
	case ACTIVE:
	case BOUNCING:
	case UNTIL:
	case SOURCE:
	case REASON_COUNT:
		buf_add_str(out, cli_queue_number(rcpt, "ahead") > 0
				     ? "It waits its turn for "
				     : "It is the next for ");
		cli_queue_write_destination(out, destination);
		buf_add_char(out, '.');
	}
	write_ahead(out, rcpt);
}

void
cli_queue_write_why(
    const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt)
{
	long long tries = cli_queue_number(rcpt, "tries");

	/* A wait for an address counts as the first try, though nobody was asked. */
	if (tries > 0 && reason_of(rcpt) != SOURCE)
		buf_addf(out, "Tried %lld time%s. ", tries, cli_queue_plural(tries));
	if (json_is_true(json_object_get(rcpt, "in_doubt")))
		buf_add_str(out,
		    "A connection was lost after the message was sent, so it may "
		    "have arrived already. ");
	switch (reason_of(rcpt)) {
	case ACTIVE:
		buf_add_str(out, "It is being delivered now.");
		return;
	case BOUNCING:
		buf_add_str(out, "It is over, and its sender is being told.");
		return;
	case UNTIL:
		buf_add_str(out, "Its sender wants it to be sent later: it goes ");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
		return;
	case HELD:
		buf_add_str(out, "It is on hold, and is not tried until it is released.");
		return;
	case ASIDE:
		buf_add_str(
		    out, "It was set aside, and is not tried until it is released.");
		return;
	case SUSPECT:
		buf_add_str(out, "A process of this server ended while it had this message. It is "
				 "tried by itself, to see whether it was the cause.");
		return;
	case TIME:
		buf_addf(out, "The %s try is due ", tries > 0 ? "next" : "first");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
		return;
	case SOURCE:
		buf_add_str(out, "No address that it may leave from can take it now; it goes on ");
		write_when(printer, out, rcpt);
		buf_add_char(out, '.');
		return;
	case DOWN:
	case PROBE:
	case CONNECTIONS:
	case RATE:
	case TURN:
	case SUSPENDED:
	case PAUSE:
	case SITE:
	case SITE_RATE:
	case FULL:
		write_line(printer, out, rcpt);
		return;
	case REASON_COUNT:
		buf_add_str(out, "It waits: ");
		reply_clean(out, span_str(cli_queue_text(rcpt, "reason")));
		buf_add_char(out, '.');
	}
}

void
cli_queue_write_why_short(
    const struct cli_queue_printer *printer, struct buf *out, json_t *rcpt)
{
	static const char *const words[REASON_COUNT + 1] = {
	    [TIME] = " try",
	    [DOWN] = "its server cannot be reached, tried again",
	    [PROBE] = "its server could not be reached, tried again now",
	    [CONNECTIONS] = "waits for a free connection",
	    [RATE] = "waits for the rate limit",
	    [TURN] = "waits its turn",
	    [HELD] = "on hold",
	    [ASIDE] = "set aside",
	    [SUSPECT] = "is tried by itself, for a process ended while it had it",
	    [ACTIVE] = "is being delivered",
	    [BOUNCING] = "its sender is being told",
	    [UNTIL] = "is to be sent",
	    [SUSPENDED] = "its destination is suspended",
	    [PAUSE] = "its destination asked for less mail, goes on",
	    [SITE] = "waits for a free connection to its provider",
	    [SITE_RATE] = "waits for the rate limit of its provider",
	    [FULL] = "waits until fewer deliveries are under way",
	    [SOURCE] = "no address may send it now, goes on",
	    [REASON_COUNT] = "waits",
	};
	enum reason reason = reason_of(rcpt);
	long long ahead = cli_queue_number(rcpt, "ahead");
	uint64_t next_ms;

	if (reason == TIME)
		buf_add_str(out, cli_queue_number(rcpt, "tries") > 0 ? "next" : "first");
	buf_add_str(out, words[reason]);
	if (reason == RATE || reason == SITE_RATE)
		buf_add_char(out, ',');
	if ((reason == TIME || reason == DOWN || reason == RATE || reason == UNTIL ||
	        reason == PAUSE || reason == SITE_RATE || reason == SOURCE) &&
	    cli_queue_time(cli_queue_text(rcpt, "next_try"), &next_ms)) {
		buf_add_char(out, ' ');
		cli_queue_write_distance(out, next_ms, printer->now_ms);
	}
	if (ahead > 0)
		buf_addf(out, ", %lld ahead of it", ahead);
}

/* Why it waits, as a sentence that is translated; 0 where there is none. */
static enum word
next_word_of(enum reason reason)
{
	static const enum word words[REASON_COUNT + 1] = {
	    [DOWN] = WORD_WHY_NEXT_DOWN,
	    [PROBE] = WORD_WHY_NEXT_DOWN,
	    [CONNECTIONS] = WORD_WHY_NEXT_TURN,
	    [RATE] = WORD_WHY_NEXT_TURN,
	    [TURN] = WORD_WHY_NEXT_TURN,
	    [HELD] = WORD_WHY_NEXT_HELD,
	    [ASIDE] = WORD_WHY_NEXT_HELD,
	    [SUSPENDED] = WORD_WHY_NEXT_HELD,
	    [PAUSE] = WORD_WHY_NEXT_TURN,
	    [SITE] = WORD_WHY_NEXT_TURN,
	    [SITE_RATE] = WORD_WHY_NEXT_TURN,
	    [FULL] = WORD_WHY_NEXT_TURN,
	    [SOURCE] = WORD_WHY_NEXT_TURN,
	    [ACTIVE] = WORD_WHY_NEXT_NOW,
	};

	return words[reason];
}

void
cli_queue_tell(struct story_rcpt *rcpt, json_t *waiting, struct span id)
{
	struct span key = span_str(cli_queue_text(waiting, "destination"));
	struct span host = span_str(cli_queue_text(waiting, "host"));

	rcpt->outcome = STORY_DELAYED;
	rcpt->tries = (unsigned)cli_queue_number(waiting, "tries");
	rcpt->next_wall_ms = 0;
	(void)cli_queue_time(cli_queue_text(waiting, "next_try"), &rcpt->next_wall_ms);
	rcpt->next_word = next_word_of(reason_of(waiting));
	rcpt->next_name = id;
	rcpt->next_host = span_starts(key, SPAN("mx:")) || span_starts(key, SPAN("host:")) ||
	        span_starts(key, SPAN("via:")) || span_starts(key, SPAN("lmtp:")) ||
	        span_starts(key, SPAN("rule:"))
			      ? span_skip(key, span_find(key, ':') + 1)
			      : key;
	rcpt->code = (unsigned)cli_queue_number(waiting, "code");
	(void)snprintf(rcpt->status, sizeof(rcpt->status), "%s", cli_queue_text(waiting, "status"));
	/* Without the address behind it: "mx.example.net[192.0.2.1]". */
	rcpt->host = span_first(host, span_find(host, '['));
	rcpt->said = span_str(cli_queue_text(waiting, "reply"));
	rcpt->said_by_them = rcpt->code > 0 && rcpt->host.len > 0;
}
