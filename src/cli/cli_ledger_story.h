/*
 * What the ledger tells of messages, gathered by id and told in words or as JSON.  Nobody but
 * cli_ledger.c includes this.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/map.h"
#include "ledger/ledger_entry.h"

/* One thing that happened; a copy, for mem_free. */
struct cli_story_event {
	struct ledger_entry entry; /* its spans are in text */
	char *text;
};

struct cli_story {
	uint64_t id, accepted_ms, body_bytes;
	bool accepted; /* its acceptance is in the ledger */
	uint8_t flags;
	char *reverse_path, *client, *login;
	struct cli_story_rcpt *rcpts;
	uint32_t rcpt_count, open_count;
	struct cli_story_event *events; /* all but the acceptance, in their order */
	size_t event_count, event_room;
	uint64_t over_ms; /* when the last recipient ended; 0: not yet */
};

struct cli_story_rcpt {
	char *address, *original, *mailbox;
	const struct cli_story_event *end; /* set by cli_story_settle; NULL: none yet */
};

struct cli_story *cli_story_create(uint64_t id);
void cli_story_destroy(struct cli_story *story);
void cli_story_add(struct cli_story *story, const struct ledger_entry *entry);
/* All was added. */
void cli_story_settle(struct cli_story *story);

/* In words: all of it, with what replies mean; or in a line for the message and each recipient. */
void cli_story_tell(struct buf *out, const struct cli_story *story, uint64_t now_ms, size_t width,
    bool bold);
void cli_story_tell_short(struct buf *out, const struct cli_story *story, uint64_t now_ms);
json_t *cli_story_json(const struct cli_story *story);
