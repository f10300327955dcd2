/*
 * A message of this server: the ledger says what happened to each recipient; where one waits, the
 * queue is asked why and until when.
 */
#include "cli/cli_why_internal.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/id.h"
#include "cli/cli_ledger_internal.h"
#include "cli/cli_ledger_story.h"
#include "cli/cli_queue_internal.h"

/* What was gathered: the ledger's story of the message, and the queue's recipients. */
struct own {
	struct cli_story *ledger; /* NULL: it has none */
	json_t *waiting; /* array of the queue's recipients */
};

static int
read_ledger(struct cli_ledger *ledger, uint64_t id, struct own *own)
{
	struct ledger_query query = {.id = id};
	struct ledger_reader *reader;
	struct ledger_entry entry;
	enum err err = ledger_reader_open(ledger->io, ledger->dir, &query, &reader);

	if (err)
		return cli_ledger_say(ledger, err);
	while ((err = ledger_reader_next(reader, &entry)) == OK) {
		if (!own->ledger)
			own->ledger = cli_story_create(id);
		cli_story_add(own->ledger, &entry);
	}
	ledger_reader_close(reader);
	if (own->ledger)
		cli_story_settle(own->ledger);
	return err == ERR_END ? EX_OK : cli_ledger_say(ledger, err);
}

static void
take_waiting(void *owner, json_t *answer)
{
	struct own *own = owner;
	json_t *rcpt = json_object_get(answer, "recipient");

	if (rcpt)
		check(json_array_append(own->waiting, rcpt) == 0);
}

/* The queue's recipient of an address; NULL where it has none. */
static json_t *
find_waiting(const struct own *own, const char *address)
{
	json_t *rcpt;
	size_t i;

	json_array_foreach(own->waiting, i, rcpt) {
		if (strcmp(cli_queue_text(rcpt, "address"), address) == 0)
			return rcpt;
	}
	return NULL;
}

static void
take_status(struct story_rcpt *rcpt, struct span status)
{
	(void)snprintf(rcpt->status, sizeof(rcpt->status), "%.*s", SPAN_ARGS(status));
}

/* Without the address behind it: "mx.example.net[192.0.2.1]". */
static struct span
host_of(struct span host)
{
	return span_first(host, span_find(host, '['));
}

static void
take_entry(struct story_rcpt *rcpt, const struct ledger_entry *entry)
{
	rcpt->code = entry->code;
	take_status(rcpt, entry->status);
	rcpt->host = host_of(entry->host);
	rcpt->said = entry->text;
	rcpt->said_by_them = entry->code > 0 && entry->host.len > 0;
	rcpt->tries = entry->tries;
	if (entry->kind == LEDGER_DEFERRED)
		rcpt->next_wall_ms = entry->next_wall_ms;
}

static enum story_outcome
outcome_of(enum ledger_end end)
{
	if (end == LEDGER_DELIVERED)
		return STORY_DELIVERED;
	if (end == LEDGER_EXPANDED)
		return STORY_EXPANDED;
	return end == LEDGER_RELAYED ? STORY_RELAYED : STORY_FAILED;
}

/* The last that the ledger says of a recipient; NULL where it says nothing yet. */
static const struct ledger_entry *
last_entry(const struct cli_story *ledger, uint32_t index)
{
	const struct ledger_entry *last = NULL;

	for (size_t i = 0; i < ledger->event_count; i++) {
		const struct ledger_entry *entry = &ledger->events[i].entry;

		if ((entry->kind == LEDGER_ENDED || entry->kind == LEDGER_DEFERRED) &&
		    entry->index == index)
			last = entry;
	}
	return last;
}

static void
add_rcpt(struct story *story, const struct own *own, uint32_t index, struct span id)
{
	const struct cli_story_rcpt *known = &own->ledger->rcpts[index];
	const struct ledger_entry *last = last_entry(own->ledger, index);
	json_t *waiting = known->end ? NULL : find_waiting(own, known->address);
	struct story_rcpt rcpt = {
	    .address = span_str(known->address), .outcome = STORY_DELAYED};
	char bounce[ID_TEXT_MAX];

	if (last)
		take_entry(&rcpt, last);
	if (known->end) {
		const struct ledger_entry *end = &known->end->entry;

		rcpt.outcome = outcome_of(end->end);
		if (end->bounce_id)
			rcpt.told_by = id_text(bounce, end->bounce_id);
		/* What an operator wrote is no reply. */
		if (end->end == LEDGER_DELETED || end->end == LEDGER_DISCARDED)
			rcpt.decider = STORY_BY_US;
	} else if (waiting) {
		cli_queue_tell(&rcpt, waiting, id);
	}
	story_add(story, &rcpt);
}

static void
fill(struct story *story, const struct own *own, struct span id)
{
	json_t *waiting;
	size_t i;

	if (own->ledger && own->ledger->accepted) {
		for (uint32_t index = 0; index < own->ledger->rcpt_count; index++)
			add_rcpt(story, own, index, id);
		return;
	}
	json_array_foreach(own->waiting, i, waiting) {
		struct story_rcpt rcpt = {
		    .address = span_str(cli_queue_text(waiting, "address"))};

		cli_queue_tell(&rcpt, waiting, id);
		story_add(story, &rcpt);
	}
}

int
cli_why_gather(struct story *story, const char *conf_path, uint64_t id)
{
	struct own own = {.waiting = json_array()};
	struct cli_ledger ledger;
	char text[ID_TEXT_MAX];
	struct span name = id_text(text, id);
	int status = cli_ledger_open(&ledger, conf_path);

	if (status != EX_OK) {
		json_decref(own.waiting);
		return status;
	}
	if (ledger.running && access(ledger.control_path, R_OK | W_OK) == 0 &&
	    cli_ledger_connect(&ledger) == EX_OK) {
		(void)cli_ledger_flush(&ledger);
		status = read_ledger(&ledger, id, &own);
		if (status == EX_OK && (!own.ledger || own.ledger->open_count))
			(void)cli_ledger_ask(&ledger,
			    json_pack("{s:s,s:o}", "do", "show", "id", cli_ledger_json_id(id)),
			    take_waiting, &own, NULL);
	} else {
		status = read_ledger(&ledger, id, &own);
	}
	if (status == EX_OK) {
		fill(story, &own, name);
		if (story->rcpt_count == 0) {
			fprintf(stderr, "postrider: neither the queue nor the ledger has a "
					"message %.*s\n", SPAN_ARGS(name));
			status = EX_DATAERR;
		}
	}
	cli_story_destroy(own.ledger);
	json_decref(own.waiting);
	cli_ledger_close(&ledger);
	return status;
}
