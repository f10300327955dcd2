/* Stories: what was gathered of a message, and how it is told. */
#include "cli/cli_ledger_story.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/cli_ledger_internal.h"
#include "cli/cli_time.h"
#include "replies/explain.h"
#include "replies/page.h"
#include "replies/reply.h"

enum { TEXT_BYTES_MAX = 64 << 10, KEY_WIDTH = 11, SHORT_RCPTS_MAX = 5 };

static const char *const end_names[LEDGER_END_END] = {
    [LEDGER_DELIVERED] = "delivered",
    [LEDGER_RELAYED] = "relayed",
    [LEDGER_BOUNCED] = "bounced",
    [LEDGER_EXPIRED] = "expired",
    [LEDGER_DISCARDED] = "discarded",
    [LEDGER_DELETED] = "deleted",
    [LEDGER_UNKNOWN] = "ended before there was a ledger",
    [LEDGER_EXPANDED] = "expanded",
};

struct cli_story *
cli_story_create(uint64_t id)
{
	struct cli_story *story = mem_alloc(sizeof(*story));

	story->id = id;
	return story;
}

void
cli_story_destroy(struct cli_story *story)
{
	if (!story)
		return;
	for (uint32_t i = 0; i < story->rcpt_count; i++) {
		mem_free(story->rcpts[i].address);
		mem_free(story->rcpts[i].original);
		mem_free(story->rcpts[i].mailbox);
	}
	for (size_t i = 0; i < story->event_count; i++)
		mem_free(story->events[i].text);
	mem_free(story->reverse_path);
	mem_free(story->client);
	mem_free(story->login);
	mem_free(story->rcpts);
	mem_free(story->events);
	mem_free(story);
}

static void
add_accepted(struct cli_story *story, const struct ledger_entry *entry)
{
	if (story->accepted)
		return;
	story->accepted = true;
	story->accepted_ms = entry->wall_ms;
	story->body_bytes = entry->body_bytes;
	story->flags = entry->flags;
	story->reverse_path = mem_copy(entry->reverse_path);
	story->client = mem_copy(entry->client);
	story->login = mem_copy(entry->login);
	story->rcpt_count = story->open_count = entry->rcpt_count;
	story->rcpts = mem_alloc(entry->rcpt_count * sizeof(*story->rcpts));
	for (uint32_t i = 0; i < entry->rcpt_count; i++) {
		story->rcpts[i].address = mem_copy(entry->rcpts[i].address);
		story->rcpts[i].original = mem_copy(entry->rcpts[i].original);
		story->rcpts[i].mailbox = mem_copy(entry->rcpts[i].mailbox);
	}
}

/* Copies what an entry says into memory of the event. */
static void
keep_text(struct cli_story_event *event)
{
	struct ledger_entry *entry = &event->entry;
	struct span *parts[] = {&entry->status, &entry->host, &entry->text};
	size_t bytes = 0;

	for (size_t i = 0; i < LEN(parts); i++)
		bytes += parts[i]->len;
	event->text = mem_alloc(bytes + 1);
	bytes = 0;
	for (size_t i = 0; i < LEN(parts); i++) {
		if (parts[i]->len > 0)
			memcpy(event->text + bytes, parts[i]->ptr, parts[i]->len);
		parts[i]->ptr = event->text + bytes;
		bytes += parts[i]->len;
	}
}

void
cli_story_add(struct cli_story *story, const struct ledger_entry *entry)
{
	struct cli_story_event *event;

	if (entry->kind == LEDGER_ACCEPTED) {
		add_accepted(story, entry);
		return;
	}
	if (story->event_count == story->event_room) {
		story->event_room = story->event_room ? 2 * story->event_room : 4;
		story->events = mem_realloc(
		    story->events, story->event_room * sizeof(*story->events));
	}
	event = &story->events[story->event_count++];
	*event = (struct cli_story_event){.entry = *entry};
	keep_text(event);
}

void
cli_story_settle(struct cli_story *story)
{
	for (size_t i = 0; i < story->event_count; i++) {
		const struct cli_story_event *event = &story->events[i];

		if (event->entry.kind != LEDGER_ENDED ||
		    event->entry.index >= story->rcpt_count ||
		    story->rcpts[event->entry.index].end)
			continue;
		story->rcpts[event->entry.index].end = event;
		story->open_count--;
		if (story->open_count == 0)
			story->over_ms = event->entry.wall_ms;
	}
}

static void
write_reply(struct buf *out, const struct ledger_entry *entry)
{
	struct span rest = entry->text, line;
	bool first = true;

	if (entry->code > 0)
		buf_addf(out, "%u ", (unsigned)entry->code);
	if (entry->status.len > 0 && !span_starts(entry->text, entry->status)) {
		reply_clean(out, entry->status);
		buf_add_char(out, ' ');
	}
	while (span_cut(&rest, '\n', &line)) {
		buf_add_str(out, first ? "" : " / ");
		reply_clean(out, span_trim(line));
		first = false;
	}
}

static bool
has_reply(const struct ledger_entry *entry)
{
	return entry->code > 0 || entry->text.len > 0;
}

/* "relayed to mx.example.net[192.0.2.1]", "bounced", "deleted by ann" */
static void
write_end(struct buf *out, const struct ledger_entry *entry, const struct cli_story_rcpt *rcpt)
{
	buf_add_str(out, end_names[entry->end]);
	switch (entry->end) {
	case LEDGER_DELIVERED:
		buf_addf(out, rcpt->mailbox[0] ? " to the mailbox %s" : "", rcpt->mailbox);
		break;
	case LEDGER_RELAYED:
		if (entry->host.len > 0) {
			buf_add_str(out, " to ");
			reply_clean(out, entry->host);
		}
		break;
	case LEDGER_BOUNCED:
	case LEDGER_EXPIRED:
		if (entry->bounce_id) {
			buf_add_str(out, "; its sender was told by message ");
			id_write(out, entry->bounce_id);
		} else {
			buf_add_str(out, "; nobody was told");
		}
		break;
	case LEDGER_DELETED:
		if (entry->text.len > 0) {
			buf_add_str(out, " by ");
			reply_clean(out, entry->text);
		}
		break;
	case LEDGER_EXPANDED:
		buf_add_str(out, "; it goes to those that the alias stands for");
		break;
	case LEDGER_DISCARDED:
	case LEDGER_UNKNOWN:
	case LEDGER_END_END:
		break;
	}
}

static void
write_size(struct buf *out, uint64_t bytes)
{
	if (bytes < 1024)
		buf_addf(out, "%u byte%s", (unsigned)bytes, bytes == 1 ? "" : "s");
	else if (bytes < 1024 * 1024)
		buf_addf(out, "%.1f KB", (double)bytes / 1024);
	else
		buf_addf(out, "%.1f MB", (double)bytes / (1024 * 1024));
}

static void
row(struct page *page, const char *key, struct buf *text)
{
	page_row(page, span_str(key), KEY_WIDTH, buf_span(text));
	buf_reset(text);
}

static void
tell_head(struct page *page, const struct cli_story *story, struct buf *text, uint64_t now_ms)
{
	buf_add_str(text, "Message ");
	id_write(text, story->id);
	page_title(page, buf_span(text));
	buf_reset(text);
	if (!story->accepted) {
		buf_add_str(text, "before the ledger begins");
		row(page, "accepted", text);
		return;
	}
	buf_add_char(text, '<');
	reply_clean(text, span_str(story->reverse_path));
	buf_add_char(text, '>');
	if (story->flags & LEDGER_IS_BOUNCE)
		buf_add_str(text, ": a notification, made by this server");
	row(page, "from", text);
	cli_time_write(text, story->accepted_ms, now_ms);
	if (story->client[0])
		buf_addf(text, " from %s", story->client);
	if (story->login[0]) {
		buf_add_str(text, ", logged in as ");
		reply_clean(text, span_str(story->login));
	}
	row(page, "accepted", text);
	write_size(text, story->body_bytes);
	row(page, "size", text);
}

/* The catalogue's first sentence about the most exact code of a reply. */
static void
tell_meaning(struct page *page, const struct ledger_entry *entry, struct buf *text)
{
	const struct explain_code *code;
	struct explain explain;
	const char *end;

	if (entry->code == 0)
		return;
	write_reply(text, entry);
	if (explain_parse(buf_span(text), &explain) == OK) {
		code = explain.status.entry ? &explain.status : &explain.basic;
		buf_reset(text);
		if (code->entry) {
			end = strstr(code->entry->meaning, ". ");
			buf_addf(text, "%s: %.*s", code->name,
			    end ? (int)(end - code->entry->meaning) + 1
				: (int)strlen(code->entry->meaning),
			    code->entry->meaning);
			row(page, "means", text);
		}
	}
	buf_reset(text);
}

static void
tell_event(struct page *page, const struct cli_story *story, const struct ledger_entry *entry,
    struct buf *text, uint64_t now_ms)
{
	cli_time_write(text, entry->wall_ms, now_ms);
	if (entry->kind == LEDGER_ENDED) {
		buf_add_str(text, ": ");
		write_end(text, entry,
		    entry->index < story->rcpt_count ? &story->rcpts[entry->index]
						     : &(struct cli_story_rcpt){.mailbox = ""});
	} else if (entry->kind == LEDGER_DEFERRED) {
		buf_addf(text, ": try %u failed; the next was due ", (unsigned)entry->tries);
		cli_time_write(text, entry->next_wall_ms, now_ms);
	} else if (entry->kind == LEDGER_REMOVED) {
		buf_add_str(text, ": it left the queue");
	} else if (entry->text.len > 0) {
		buf_add_str(text, entry->kind == LEDGER_ASIDE ? ": " : ": by ");
		reply_clean(text, entry->text);
	}
	row(page,
	    entry->kind == LEDGER_ENDED        ? "end"
		: entry->kind == LEDGER_DEFERRED ? "deferred"
		: entry->kind == LEDGER_HELD     ? "held"
		: entry->kind == LEDGER_RELEASED ? "released"
		: entry->kind == LEDGER_ASIDE    ? "set aside"
						 : "removed",
	    text);
	if ((entry->kind != LEDGER_ENDED && entry->kind != LEDGER_DEFERRED) ||
	    entry->end == LEDGER_DELETED)
		return;
	if (has_reply(entry)) {
		write_reply(text, entry);
		row(page, "said", text);
	}
	if (entry->host.len > 0 && entry->end != LEDGER_RELAYED) {
		reply_clean(text, entry->host);
		row(page, "by", text);
	}
	if (entry->in_doubt) {
		buf_add_str(text,
		    "the connection was lost before the reply to a whole message: the recipient "
		    "may have it once more");
		row(page, "in doubt", text);
	}
}

static bool
is_of_rcpt(const struct ledger_entry *entry)
{
	return entry->kind == LEDGER_ENDED || entry->kind == LEDGER_DEFERRED;
}

static void
tell_rcpt(struct page *page, const struct cli_story *story, uint32_t index, struct buf *text,
    uint64_t now_ms)
{
	const struct cli_story_rcpt *rcpt = &story->rcpts[index];
	const struct ledger_entry *last = NULL;

	buf_add_str(text, "To <");
	reply_clean(text, span_str(rcpt->address));
	buf_add_str(text, ">");
	buf_add_char(text, '\0');
	page_heading(page, buf_span(text).ptr);
	buf_reset(text);
	if (strcmp(rcpt->original, rcpt->address) != 0) {
		buf_add_char(text, '<');
		reply_clean(text, span_str(rcpt->original));
		buf_add_char(text, '>');
		row(page, "once", text);
	}
	for (size_t i = 0; i < story->event_count; i++) {
		const struct ledger_entry *entry = &story->events[i].entry;

		if (!is_of_rcpt(entry) || entry->index != index)
			continue;
		tell_event(page, story, entry, text, now_ms);
		last = entry;
	}
	if (last && last->end != LEDGER_DELIVERED && last->end != LEDGER_RELAYED)
		tell_meaning(page, last, text);
	if (rcpt->end)
		return;
	buf_add_str(text, "it has no end yet; why it waits: postrider queue show ");
	id_write(text, story->id);
	row(page, "now", text);
}

void
cli_story_tell(struct buf *out, const struct cli_story *story, uint64_t now_ms, size_t width,
    bool bold)
{
	struct page page = {.out = out, .width = width, .bold = bold};
	struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	tell_head(&page, story, &text, now_ms);
	for (size_t i = 0; i < story->event_count; i++)
		if (!is_of_rcpt(&story->events[i].entry) || !story->accepted)
			tell_event(&page, story, &story->events[i].entry, &text, now_ms);
	for (uint32_t i = 0; i < story->rcpt_count; i++)
		tell_rcpt(&page, story, i, &text, now_ms);
	buf_fini(&text);
}

void
cli_story_tell_short(struct buf *out, const struct cli_story *story, uint64_t now_ms)
{
	id_write(out, story->id);
	buf_add_str(out, "  ");
	cli_time_write(out, story->accepted_ms, now_ms);
	buf_add_str(out, "  ");
	write_size(out, story->body_bytes);
	buf_add_str(out, "  from <");
	reply_clean(out, span_str(story->reverse_path));
	buf_add_str(out, ">\n");
	for (uint32_t i = 0; i < story->rcpt_count && i < SHORT_RCPTS_MAX; i++) {
		const struct cli_story_rcpt *rcpt = &story->rcpts[i];

		buf_add_str(out, "  to <");
		reply_clean(out, span_str(rcpt->address));
		buf_add_str(out, ">: ");
		if (rcpt->end) {
			cli_time_write(out, rcpt->end->entry.wall_ms, now_ms);
			buf_add_char(out, ' ');
			write_end(out, &rcpt->end->entry, rcpt);
		} else {
			buf_add_str(out, "no end yet");
		}
		buf_add_char(out, '\n');
	}
	if (story->rcpt_count > SHORT_RCPTS_MAX) {
		buf_addf(out, "  and %u more: postrider ledger show ",
		    (unsigned)(story->rcpt_count - SHORT_RCPTS_MAX));
		id_write(out, story->id);
		buf_add_char(out, '\n');
	}
}

static json_t *
event_json(const struct ledger_entry *entry)
{
	static const char *const kinds[LEDGER_KIND_END] = {
	    [LEDGER_ENDED] = "ended",
	    [LEDGER_DEFERRED] = "deferred",
	    [LEDGER_HELD] = "held",
	    [LEDGER_RELEASED] = "released",
	    [LEDGER_ASIDE] = "aside",
	    [LEDGER_REMOVED] = "removed",
	};
	json_t *value = json_object();

	json_object_set_new(value, "what", json_string(kinds[entry->kind]));
	json_object_set_new(value, "at", cli_ledger_json_time(entry->wall_ms));
	if (is_of_rcpt(entry)) {
		json_object_set_new(value, "recipient", json_integer(entry->index));
		json_object_set_new(value, "in_doubt", json_boolean(entry->in_doubt));
		json_object_set_new(value, "code",
		    entry->code ? json_integer(entry->code) : json_null());
		json_object_set_new(value, "status", cli_ledger_json_text(entry->status));
		json_object_set_new(value, "host", cli_ledger_json_text(entry->host));
	}
	if (entry->kind == LEDGER_ENDED) {
		json_object_set_new(value, "end",
		    json_string(
			entry->end == LEDGER_UNKNOWN ? "unknown" : end_names[entry->end]));
		json_object_set_new(value, "notification",
		    entry->bounce_id ? cli_ledger_json_id(entry->bounce_id) : json_null());
	}
	if (entry->kind == LEDGER_DEFERRED) {
		json_object_set_new(value, "tries", json_integer(entry->tries));
		json_object_set_new(
		    value, "next_try", cli_ledger_json_time(entry->next_wall_ms));
	}
	json_object_set_new(value, "text", cli_ledger_json_text(entry->text));
	return value;
}

json_t *
cli_story_json(const struct cli_story *story)
{
	json_t *value = json_object(), *rcpts = json_array(), *events = json_array();

	json_object_set_new(value, "id", cli_ledger_json_id(story->id));
	json_object_set_new(value, "accepted",
	    story->accepted ? cli_ledger_json_time(story->accepted_ms) : json_null());
	if (story->accepted) {
		json_object_set_new(value, "from",
		    json_string(story->reverse_path[0] ? story->reverse_path : ""));
		json_object_set_new(
		    value, "client", cli_ledger_json_text(span_str(story->client)));
		json_object_set_new(
		    value, "login", cli_ledger_json_text(span_str(story->login)));
		json_object_set_new(
		    value, "size", json_integer((json_int_t)story->body_bytes));
	}
	for (uint32_t i = 0; i < story->rcpt_count; i++) {
		const struct cli_story_rcpt *rcpt = &story->rcpts[i];
		json_t *one = json_object();

		json_object_set_new(
		    one, "address", cli_ledger_json_text(span_str(rcpt->address)));
		json_object_set_new(
		    one, "original", cli_ledger_json_text(span_str(rcpt->original)));
		json_object_set_new(one, "end",
		    rcpt->end ? json_string(rcpt->end->entry.end == LEDGER_UNKNOWN
						? "unknown"
						: end_names[rcpt->end->entry.end])
			      : json_null());
		json_array_append_new(rcpts, one);
	}
	for (size_t i = 0; i < story->event_count; i++)
		json_array_append_new(events, event_json(&story->events[i].entry));
	json_object_set_new(value, "recipients", rcpts);
	json_object_set_new(value, "events", events);
	return value;
}
