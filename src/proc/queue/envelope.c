/*
 * The envelope as bytes: as it is in the spool, and as it is in memory while something is done
 * about its message.
 *
 * u8 version, u64 arrival, u8 flags, reverse-path, login, helo, client, u32 count, then for each
 * recipient: u8 kind, address, mailbox, original.
 *
 * That is version 1, which is still what most messages have.  Version 2 is for those that were
 * sent with more than addresses: after the client it has the extras (ipc/extras.h), and a
 * recipient whose kind has RCPT_ASKS set has u8 notify and its orcpt at the end.  One whose kind is
 * IPC_TARGET_ALIAS is told of as expanded, and not delivered.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

/* RCPT_BYTES_MIN: a kind and three empty strings. */
enum {
	VERSION_PLAIN = 1,
	VERSION_ASKS = 2,
	RCPT_BYTES_MIN = 1 + 3 * 4,
	RCPT_ASKS = 0x80,
	CLIENT_BYTES_MAX = 64,
};

bool
envelope_rcpt_asks(const struct envelope_rcpt *rcpt)
{
	return rcpt->notify != 0 || rcpt->orcpt.len > 0;
}

uint64_t
envelope_due_wall_ms(const struct envelope *envelope)
{
	uint64_t hold_wall_ms = envelope->extras.hold_until_wall_ms;

	return hold_wall_ms > envelope->arrival_wall_ms ? hold_wall_ms
	                                                : envelope->arrival_wall_ms;
}

void
envelope_write_head(struct buf *out, const struct envelope_head *head)
{
	bool asks = head->extras.len > 0 || head->rcpts_ask;

	wire_u8(out, asks ? VERSION_ASKS : VERSION_PLAIN);
	wire_u64(out, head->arrival_wall_ms);
	wire_u8(out, head->flags);
	wire_bytes(out, head->reverse_path);
	wire_bytes(out, head->login);
	wire_bytes(out, head->helo);
	wire_bytes(out, head->client);
	if (asks)
		wire_bytes(out, head->extras);
	wire_u32(out, head->rcpt_count);
}

void
envelope_write_rcpt(struct buf *out, const struct envelope_rcpt *rcpt)
{
	bool asks = envelope_rcpt_asks(rcpt);

	wire_u8(out, (uint8_t)(rcpt->kind | (asks ? RCPT_ASKS : 0)));
	wire_bytes(out, rcpt->address);
	wire_bytes(out, rcpt->mailbox);
	wire_bytes(out, rcpt->original);
	if (!asks)
		return;
	check(ipc_notify_is_right(rcpt->notify));
	wire_u8(out, (uint8_t)rcpt->notify);
	wire_bytes(out, rcpt->orcpt);
}

static unsigned
read_head(struct reader *reader, struct envelope_head *head)
{
	unsigned version = reader_u8(reader);

	if (version != VERSION_PLAIN && version != VERSION_ASKS)
		reader->failed = true;
	head->arrival_wall_ms = reader_u64(reader);
	head->flags = reader_u8(reader);
	head->reverse_path = reader_bytes(reader, IPC_PATH_MAX);
	head->login = reader_bytes(reader, IPC_CREDENTIAL_MAX);
	head->helo = reader_bytes(reader, IPC_DOMAIN_MAX);
	head->client = reader_bytes(reader, CLIENT_BYTES_MAX);
	if (version == VERSION_ASKS)
		head->extras = reader_bytes(reader, IPC_EXTRAS_MAX);
	head->rcpt_count = reader_u32(reader);
	if (head->rcpt_count == 0 || head->rcpt_count > SCHED_RCPTS_MAX ||
	    head->rcpt_count > reader->rest.len / RCPT_BYTES_MIN)
		reader->failed = true;
	return version;
}

/* Gives whether it has more than version 1 can say. */
static bool
read_rcpt(struct reader *reader, struct envelope_rcpt *rcpt)
{
	uint8_t kind = reader_u8(reader);
	bool asks = kind & RCPT_ASKS;

	*rcpt = (struct envelope_rcpt){.kind = IPC_TARGET_REMOTE};
	kind &= (uint8_t)~RCPT_ASKS;
	if (kind <= IPC_TARGET_ALIAS)
		rcpt->kind = (enum ipc_target)kind;
	else
		reader->failed = true;
	rcpt->address = reader_bytes(reader, IPC_PATH_MAX);
	rcpt->mailbox = reader_bytes(reader, IPC_MAILBOX_MAX);
	rcpt->original = reader_bytes(reader, IPC_PATH_MAX);
	if (!asks) {
		reader->failed |= rcpt->kind == IPC_TARGET_ALIAS;
		return false;
	}
	rcpt->notify = reader_u8(reader);
	rcpt->orcpt = reader_bytes(reader, IPC_ORCPT_MAX);
	if (!envelope_rcpt_asks(rcpt) || !ipc_notify_is_right(rcpt->notify))
		reader->failed = true;
	return true;
}

static void
read_rest(struct reader *reader, struct envelope *envelope, const struct envelope_head *head,
    unsigned version)
{
	bool asks = head->extras.len > 0;

	if (ipc_extras_read(head->extras, &envelope->extras))
		reader->failed = true;
	for (uint32_t i = 0; !reader->failed && i < head->rcpt_count; i++)
		asks |= read_rcpt(reader, &envelope->rcpts[i]);
	/* There is one form of each envelope. */
	if (asks != (version == VERSION_ASKS))
		reader->failed = true;
}

enum err
envelope_read(struct buf *bytes, struct envelope **into)
{
	struct reader reader = reader_init(buf_span(bytes));
	struct envelope_head head = {0};
	struct envelope *envelope;
	unsigned version = read_head(&reader, &head);

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
	read_rest(&reader, envelope, &head, version);
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
