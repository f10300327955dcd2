/*
 * The envelope as bytes: as it is in the spool, and as it is in memory while something is done
 * about its message.
 *
 * u8 version, u64 arrival, u8 flags, reverse-path, login, helo, client, u32 count, then for each
 * recipient: u8 kind, address, mailbox, original.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

/* RCPT_BYTES_MIN: a kind and three empty strings. */
enum { ENVELOPE_VERSION = 1, RCPT_BYTES_MIN = 1 + 3 * 4, CLIENT_BYTES_MAX = 64 };

void
envelope_write_head(struct buf *out, const struct envelope_head *head)
{
	wire_u8(out, ENVELOPE_VERSION);
	wire_u64(out, head->arrival_wall_ms);
	wire_u8(out, head->flags);
	wire_bytes(out, head->reverse_path);
	wire_bytes(out, head->login);
	wire_bytes(out, head->helo);
	wire_bytes(out, head->client);
	wire_u32(out, head->rcpt_count);
}

void
envelope_write_rcpt(
    struct buf *out, const struct ipc_target_entry *target, struct span original)
{
	wire_u8(out, (uint8_t)target->kind);
	wire_bytes(out, target->address);
	wire_bytes(out, target->mailbox);
	wire_bytes(out, original);
}

static void
read_head(struct reader *reader, struct envelope_head *head)
{
	if (reader_u8(reader) != ENVELOPE_VERSION)
		reader->failed = true;
	head->arrival_wall_ms = reader_u64(reader);
	head->flags = reader_u8(reader);
	head->reverse_path = reader_bytes(reader, IPC_PATH_MAX);
	head->login = reader_bytes(reader, IPC_CREDENTIAL_MAX);
	head->helo = reader_bytes(reader, IPC_DOMAIN_MAX);
	head->client = reader_bytes(reader, CLIENT_BYTES_MAX);
	head->rcpt_count = reader_u32(reader);
	if (head->rcpt_count == 0 || head->rcpt_count > SCHED_RCPTS_MAX ||
	    head->rcpt_count > reader->rest.len / RCPT_BYTES_MIN)
		reader->failed = true;
}

static void
read_rcpt(struct reader *reader, struct envelope_rcpt *rcpt)
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
envelope_read(struct buf *bytes, struct envelope **into)
{
	struct reader reader = reader_init(buf_span(bytes));
	struct envelope_head head = {0};
	struct envelope *envelope;

	read_head(&reader, &head);
	if (reader.failed) {
		buf_fini(bytes);
		return ERR_SYNTAX;
	}
	envelope = mem_alloc(
	    sizeof(*envelope) + head.rcpt_count * sizeof(envelope->rcpts[0]));
	envelope->bytes = *bytes;
	buf_init(bytes, bytes->bytes_max);
	envelope->arrival_wall_ms = head.arrival_wall_ms;
	envelope->flags = head.flags;
	envelope->reverse_path = head.reverse_path;
	envelope->login = head.login;
	envelope->helo = head.helo;
	envelope->client = head.client;
	envelope->rcpt_count = head.rcpt_count;
	for (uint32_t i = 0; !reader.failed && i < head.rcpt_count; i++)
		read_rcpt(&reader, &envelope->rcpts[i]);
	if (reader_finish(&reader)) {
		envelope_free(envelope);
		return ERR_SYNTAX;
	}
	*into = envelope;
	return OK;
}

void
envelope_free(struct envelope *envelope)
{
	if (!envelope)
		return;
	buf_fini(&envelope->bytes);
	mem_free(envelope);
}

uint32_t
envelope_sender(const struct envelope *envelope)
{
	/* The same in each process and for good: it is kept in checkpoints. */
	static const uint64_t seed[2] = {0x706f737472696465, 0x72736368};
	uint64_t hash = map_hash(
	    seed, envelope->login.len > 0 ? envelope->login : envelope->reverse_path);

	return (uint32_t)(hash ^ hash >> 32);
}
