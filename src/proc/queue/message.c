/*
 * A message in memory and on disk.  The envelope's bytes are kept as they were written and
 * everything points into them; marks say what became of recipients since.
 *
 * Envelope: u8 version, u64 arrival, u8 flags, reverse-path, login, helo, client, u32 count,
 * then for each recipient: u8 kind, address, mailbox, original.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

/* RCPT_BYTES_MIN: a kind and three empty strings. */
enum { ENVELOPE_VERSION = 1, RCPTS_MAX = 100000, RCPT_BYTES_MIN = 1 + 3 * 4 };

void
message_envelope_begin(struct buf *out, const struct message_envelope *envelope)
{
	wire_u8(out, ENVELOPE_VERSION);
	wire_u64(out, envelope->arrival_wall_ms);
	wire_u8(out, envelope->flags);
	wire_bytes(out, envelope->reverse_path);
	wire_bytes(out, envelope->login);
	wire_bytes(out, envelope->helo);
	wire_bytes(out, envelope->client);
	wire_u32(out, envelope->rcpt_count);
}

void
message_envelope_rcpt(
    struct buf *out, const struct ipc_target_entry *target, struct span original)
{
	wire_u8(out, (uint8_t)target->kind);
	wire_bytes(out, target->address);
	wire_bytes(out, target->mailbox);
	wire_bytes(out, original);
}

static void
read_envelope(struct reader *reader, struct message *message)
{
	if (reader_u8(reader) != ENVELOPE_VERSION)
		reader->failed = true;
	message->arrival_wall_ms = reader_u64(reader);
	message->flags = reader_u8(reader);
	message->reverse_path = reader_bytes(reader, IPC_PATH_MAX);
	message->login = reader_bytes(reader, IPC_CREDENTIAL_MAX);
	message->helo = reader_bytes(reader, IPC_DOMAIN_MAX);
	message->client = reader_bytes(reader, 64);
	message->rcpt_count = reader_u32(reader);
	if (message->rcpt_count == 0 || message->rcpt_count > RCPTS_MAX ||
	    message->rcpt_count > reader->rest.len / RCPT_BYTES_MIN)
		reader->failed = true;
}

static void
read_rcpt(struct reader *reader, struct recipient *rcpt)
{
	uint8_t kind = reader_u8(reader);

	rcpt->kind = kind == IPC_TARGET_MAILBOX ? IPC_TARGET_MAILBOX : IPC_TARGET_REMOTE;
	if (kind >= IPC_TARGET_COUNT)
		reader->failed = true;
	rcpt->address = reader_bytes(reader, IPC_PATH_MAX);
	rcpt->mailbox = reader_bytes(reader, IPC_MAILBOX_MAX);
	rcpt->original = reader_bytes(reader, IPC_PATH_MAX);
}

enum err
message_create(struct queue *queue, uint64_t id, struct span envelope, uint64_t body_bytes,
    struct message **created)
{
	struct message *message = mem_alloc(sizeof(*message));
	struct reader reader;

	message->id = id;
	message->body_bytes = body_bytes;
	message->memory = span_of(mem_copy(envelope), envelope.len);
	reader = reader_init(message->memory);
	read_envelope(&reader, message);
	if (!reader.failed)
		message->rcpts = mem_alloc(message->rcpt_count * sizeof(*message->rcpts));
	for (uint32_t i = 0; !reader.failed && i < message->rcpt_count; i++) {
		message->rcpts[i].message = message;
		message->rcpts[i].index = i;
		read_rcpt(&reader, &message->rcpts[i]);
	}
	if (reader_finish(&reader)) {
		mem_free(message->rcpts);
		mem_free((char *)(uintptr_t)message->memory.ptr);
		mem_free(message);
		return ERR_SYNTAX;
	}
	message->open_count = message->rcpt_count;
	list_push(&queue->messages, &message->node);
	map_set_u64(&queue->message_map, id, message);
	*created = message;
	return OK;
}

void
message_destroy(struct queue *queue, struct message *message)
{
	check(message->active_count == 0);
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		check(message->rcpts[i].destination == NULL);
		mem_free(message->rcpts[i].last);
	}
	map_remove_u64(&queue->message_map, message->id);
	list_remove(&message->node);
	mem_free(message->rcpts);
	mem_free((char *)(uintptr_t)message->memory.ptr);
	mem_free(message);
}

void
recipient_set_last(struct recipient *rcpt, const struct last_reply *reply)
{
	struct span remote = span_first(reply->remote, 300);
	struct span text = span_first(reply->text, QUEUE_REPLY_TEXT_MAX);
	struct last_reply *last = mem_alloc(sizeof(*last) + remote.len + text.len);
	char *at = (char *)(last + 1);

	*last = *reply;
	if (remote.len)
		memcpy(at, remote.ptr, remote.len);
	if (text.len)
		memcpy(at + remote.len, text.ptr, text.len);
	last->remote = span_of(at, remote.len);
	last->text = span_of(at + remote.len, text.len);
	mem_free(rcpt->last);
	rcpt->last = last;
}

void
old_mark_write(struct buf *out, enum old_mark_kind kind, const struct recipient *rcpt)
{
	wire_u8(out, (uint8_t)kind);
	if (kind == OLD_MARK_HELD || kind == OLD_MARK_RELEASED)
		return;
	wire_u32(out, rcpt->index);
	if (kind == OLD_MARK_ENDED)
		return;
	check(rcpt->last != NULL);
	wire_u32(out, rcpt->tries);
	wire_u64(out, rcpt->next_wall_ms);
	wire_u64(out, rcpt->last->wall_ms);
	wire_u16(out, (uint16_t)rcpt->last->code);
	wire_bytes(out, span_str(rcpt->last->status));
	wire_bytes(out, rcpt->last->remote);
	wire_bytes(out, rcpt->last->text);
}

static void
apply_deferred(struct reader *reader, struct recipient *rcpt)
{
	struct last_reply last = {0};
	uint32_t tries = reader_u32(reader);
	uint64_t next_wall_ms = reader_u64(reader);
	struct span status;

	last.wall_ms = reader_u64(reader);
	last.code = reader_u16(reader);
	status = reader_bytes(reader, sizeof(last.status) - 1);
	last.remote = reader_bytes(reader, 300);
	last.text = reader_bytes(reader, QUEUE_REPLY_TEXT_MAX);
	if (reader->failed)
		return;
	memcpy(last.status, status.ptr, status.len);
	rcpt->tries = tries;
	rcpt->next_wall_ms = next_wall_ms;
	recipient_set_last(rcpt, &last);
}

/* The recipient that a mark speaks of; NULL where the mark is malformed. */
static struct recipient *
marked(struct reader *reader, struct message *message)
{
	uint32_t index = reader_u32(reader);

	if (reader->failed || index >= message->rcpt_count) {
		reader->failed = true;
		return NULL;
	}
	return &message->rcpts[index];
}

static void
apply_one(struct reader *reader, struct message *message)
{
	struct recipient *rcpt;

	switch (reader_u8(reader)) {
	case OLD_MARK_HELD:
		message->held = true;
		message->released = false;
		return;
	case OLD_MARK_RELEASED:
		message->held = false;
		message->released = true;
		return;
	case OLD_MARK_ENDED:
		rcpt = marked(reader, message);
		if (rcpt && rcpt->state != RECIPIENT_ENDED) {
			rcpt->state = RECIPIENT_ENDED;
			message->open_count--;
		}
		return;
	case OLD_MARK_DEFERRED:
		rcpt = marked(reader, message);
		if (rcpt)
			apply_deferred(reader, rcpt);
		return;
	default:
		reader->failed = true;
	}
}

enum err
mark_apply(struct message *message, struct span marks)
{
	struct reader reader = reader_init(marks);

	while (!reader.failed && reader.rest.len > 0)
		apply_one(&reader, message);
	return reader_finish(&reader);
}
