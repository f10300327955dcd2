/*
 * From bytes to a story.  What the input is, is tried in turn: lines of a log, a reply, a
 * notification, and at last any text that a rule knows.
 */
#include "rules/story_internal.h"

#include <stdio.h>

#include "base/check.h"
#include "mime/dsn_read.h"
#include "replies/reply.h"

enum {
	ARENA_BYTES_MAX = 2 << 20,
	LOG_LINES_MAX = 1000,
	REPLY_BYTES_MAX = 8192,
	SAID_BYTES_MAX = 4096,
};

void
story_init(struct story *story, enum story_kind kind)
{
	*story = (struct story){.kind = kind};
	arena_init(&story->arena, ARENA_BYTES_MAX);
}

void
story_fini(struct story *story)
{
	arena_fini(&story->arena);
	*story = (struct story){0};
}

struct span
story_keep(struct story *story, struct span text)
{
	struct span kept = SPAN("");

	if (text.len)
		(void)arena_copy(&story->arena, text, &kept);
	return kept;
}

/* Whether the reason is one for which no server is to blame. */
static bool
is_network(const struct story_rcpt *rcpt)
{
	static const char *const keys[] = {
	    "network-timeout", "network-refused", "dns-no-such-domain", "dns-failure"};

	for (size_t i = 0; i < LEN(keys); i++)
		if (strcmp(story_reason_key(rcpt), keys[i]) == 0)
			return true;
	return false;
}

/* The codes that stand in front of the words go before those of the fields. */
static void
take_codes(struct story_rcpt *rcpt)
{
	struct span line = span_first(rcpt->said, span_find(rcpt->said, '\n'));
	struct span rest = line;
	struct explain explain;
	struct reply_parts parts = {0};
	char codes[40] = "";

	if (reply_parse(line, &parts) == OK) {
		rcpt->code = parts.code;
	} else if (*rcpt->status || !reply_status_cut(&rest, parts.status)) {
		parts.status[0] = 0;
	}
	if (parts.status[0])
		(void)snprintf(rcpt->status, sizeof(rcpt->status), "%u.%u.%u",
		    parts.status[0] % 10u, parts.status[1] % 1000u, parts.status[2] % 1000u);
	if (rcpt->code > 0 && rcpt->code < 1000)
		(void)snprintf(codes, sizeof(codes), "%u %s", rcpt->code, rcpt->status);
	else
		(void)snprintf(codes, sizeof(codes), "%s", rcpt->status);
	if (explain_parse(span_str(codes), &explain) == OK) {
		rcpt->codes[0] = explain.basic;
		rcpt->codes[1] = explain.status;
	}
}

static bool
is_done(const struct story_rcpt *rcpt)
{
	return rcpt->outcome != STORY_FAILED && rcpt->outcome != STORY_DELAYED;
}

static void
decide(const struct story *story, struct story_rcpt *rcpt)
{
	if (rcpt->decider != STORY_BY_UNKNOWN)
		return;
	if (!is_done(rcpt) && rcpt->code == 0 && is_network(rcpt))
		rcpt->decider = STORY_BY_NETWORK;
	else if (rcpt->said_by_them || (is_done(rcpt) && rcpt->host.len))
		rcpt->decider = STORY_BY_THEM;
	else
		rcpt->decider = story->kind == STORY_OWN ? STORY_BY_US : STORY_BY_WRITER;
	if (rcpt->decider == STORY_BY_WRITER && story->kind == STORY_BOUNCE)
		rcpt->host = story->reporter;
}

void
story_add(struct story *story, const struct story_rcpt *from)
{
	struct story_rcpt *rcpt;
	struct rules_reply reply;

	if (!story->rcpts) {
		story->rcpts =
		    arena_alloc(&story->arena, STORY_RCPTS_MAX * sizeof(*story->rcpts));
		check(story->rcpts);
	}
	if (story->rcpt_count == STORY_RCPTS_MAX) {
		story->more++;
		return;
	}
	rcpt = &story->rcpts[story->rcpt_count++];
	*rcpt = *from;
	rcpt->address = story_keep(story, from->address);
	rcpt->host = story_keep(story, from->host);
	rcpt->said = story_keep(story, span_first(span_trim(from->said), SAID_BYTES_MAX));
	rcpt->retry_until = story_keep(story, from->retry_until);
	rcpt->next_name = story_keep(story, from->next_name);
	rcpt->next_host = story_keep(story, from->next_host);
	rcpt->told_by = story_keep(story, from->told_by);
	take_codes(rcpt);
	reply = (struct rules_reply){.text = rcpt->said,
	    .code = rcpt->code,
	    .status = span_str(rcpt->status),
	    .host = rcpt->host};
	if (!rcpt->rule && !is_done(rcpt))
		rcpt->rule = rules_match(&reply);
	if (rcpt->rule)
		rcpt->reason =
		    catalogue_topic(CATALOGUE_REASON, span_str(rcpt->rule->reason));
	decide(story, rcpt);
}

static enum story_outcome
outcome_of_code(unsigned code)
{
	return code >= 500 ? STORY_FAILED : code >= 400 ? STORY_DELAYED : STORY_RELAYED;
}

static bool
read_log(struct story *story, struct span input)
{
	struct story_rcpt rcpt;
	struct span line;

	for (size_t i = 0; i < LOG_LINES_MAX && span_cut(&input, '\n', &line); i++) {
		if (!story_log_line(span_trim(line), &rcpt))
			continue;
		story->kind = STORY_LOG;
		story_add(story, &rcpt);
	}
	return story->kind == STORY_LOG;
}

/* A reply alone, as it stands in a dialogue or in the field of a notification. */
static bool
read_reply(struct story *story, struct span input)
{
	struct span text = span_trim(input);
	struct story_rcpt rcpt = {.said_by_them = true, .decider = STORY_BY_THEM};
	struct reply_parts parts;
	unsigned short status[3] = {0};
	struct span rest;

	if (span_starts_nocase(text, SPAN("smtp;")))
		text = span_trim(span_skip(text, 5));
	if (span_starts(text, SPAN("#")))
		text = span_skip(text, 1);
	if (text.len == 0 || text.len > REPLY_BYTES_MAX)
		return false;
	rest = text;
	if (reply_parse(span_first(text, span_find(text, '\n')), &parts) == OK)
		rcpt.outcome = outcome_of_code(parts.code);
	else if (reply_status_cut(&rest, status))
		rcpt.outcome = outcome_of_code(status[0] * 100u);
	else
		return false;
	if (rest.len < text.len)
		(void)snprintf(rcpt.status, sizeof(rcpt.status), "%u.%u.%u", status[0] % 10u,
		    status[1] % 1000u, status[2] % 1000u);
	story->kind = STORY_REPLY;
	rcpt.said = text;
	story_add(story, &rcpt);
	return true;
}

static enum story_outcome
outcome_of(enum dsn_read_action action)
{
	switch (action) {
	case DSN_READ_DELAYED:
		return STORY_DELAYED;
	case DSN_READ_DELIVERED:
		return STORY_DELIVERED;
	case DSN_READ_RELAYED:
		return STORY_RELAYED;
	case DSN_READ_EXPANDED:
		return STORY_EXPANDED;
	case DSN_READ_FAILED:
		break;
	}
	return STORY_FAILED;
}

/* Words without a reply of another server, in which a text of many lines is hidden. */
static void
add_read(struct story *story, const struct dsn_read_rcpt *from)
{
	struct story_rcpt rcpt = {.address = from->address,
	    .outcome = outcome_of(from->action),
	    .host = from->remote,
	    .said = from->words,
	    .said_by_them = from->said_by_server,
	    .retry_until = from->retry_until};

	(void)snprintf(rcpt.status, sizeof(rcpt.status), "%.*s", SPAN_ARGS(from->status));
	story_add(story, &rcpt);
}

static void
add_auto_reply(struct story *story, const struct dsn_read *read)
{
	static const struct rules_reply words = {.text = {"I am out of office", 18}};
	struct span from = read->from, open = span_skip(from, span_find(from, '<') + 1);
	struct story_rcpt rcpt = {.outcome = STORY_DELIVERED,
	    .decider = STORY_BY_THEM,
	    .address = open.len ? span_first(open, span_find(open, '>')) : from,
	    .said = read->text,
	    .said_by_them = true,
	    .rule = rules_match(&words)};

	story->kind = STORY_BOUNCE;
	story_add(story, &rcpt);
}

static bool
read_bounce(struct story *story, struct span input)
{
	struct dsn_read read;

	dsn_read(&read, input);
	if (read.rcpt_count) {
		story->kind = STORY_BOUNCE;
		story->writer = read.writer;
		story->reporter = story_keep(story, read.reporter);
		for (size_t i = 0; i < read.rcpt_count; i++)
			add_read(story, &read.rcpts[i]);
		story->more += read.more;
	} else if (read.auto_reply) {
		add_auto_reply(story, &read);
	}
	dsn_read_fini(&read);
	return story->kind == STORY_BOUNCE;
}

/* Any words at all, if a rule knows them. */
static void
read_words(struct story *story, struct span input)
{
	struct story_rcpt rcpt = {.decider = STORY_BY_UNKNOWN,
	    .said = span_first(span_trim(input), SAID_BYTES_MAX)};
	struct rules_reply reply = {.text = rcpt.said};

	rcpt.rule = rules_match(&reply);
	if (!rcpt.rule)
		return;
	story->kind = STORY_REPLY;
	rcpt.said_by_them = true;
	if (rcpt.rule->action == RULE_RETRY || rcpt.rule->action == RULE_SLOW)
		rcpt.outcome = STORY_DELAYED;
	story_add(story, &rcpt);
}

void
story_read(struct story *story, struct span input)
{
	story_init(story, STORY_NOTHING);
	input = span_first(input, STORY_INPUT_BYTES_MAX);
	if (!read_log(story, input) && !read_reply(story, input) && !read_bounce(story, input))
		read_words(story, input);
}

const char *
story_reason_key(const struct story_rcpt *rcpt)
{
	return rcpt->reason ? rcpt->reason->key : "unknown";
}

const char *
story_outcome_name(enum story_outcome outcome)
{
	static const char *const names[STORY_OUTCOME_COUNT] = {
	    "failed", "delayed", "delivered", "relayed", "expanded"};

	check((unsigned)outcome < STORY_OUTCOME_COUNT);
	return names[outcome];
}

const char *
story_decider_name(enum story_decider decider)
{
	static const char *const names[STORY_DECIDER_COUNT] = {
	    "unknown", "us", "writer", "network", "server"};

	check((unsigned)decider < STORY_DECIDER_COUNT);
	return names[decider];
}
