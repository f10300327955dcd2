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
struct story_event {
	struct ledger_entry entry; /* its spans are in text */
	char *text;
};

struct story {
	uint64_t id, accepted_ms, body_bytes;
	bool accepted; /* its acceptance is in the ledger */
	uint8_t flags;
	char *reverse_path, *client, *login;
	struct story_rcpt *rcpts;
	uint32_t rcpt_count, open_count;
	struct story_event *events; /* all but the acceptance, in their order */
	size_t event_count, event_room;
	uint64_t over_ms; /* when the last recipient ended; 0: not yet */
};

struct story_rcpt {
	char *address, *original, *mailbox;
	const struct story_event *end; /* set by story_settle; NULL: none yet */
};

struct story *story_create(uint64_t id);
void story_destroy(struct story *story);
void story_add(struct story *story, const struct ledger_entry *entry);
/* All was added. */
void story_settle(struct story *story);

/* In words: all of it, with what replies mean; or in a line for the message and each recipient. */
void story_tell(struct buf *out, const struct story *story, uint64_t now_ms, size_t width,
    bool bold);
void story_tell_short(struct buf *out, const struct story *story, uint64_t now_ms);
json_t *story_json(const struct story *story);
