/* Reading envelopes; the limits are those of message.c. */
#include "proc/queue/envelope.h"

#include "ipc/ipc_list.h"

enum {
	ENVELOPE_VERSION = 1,
	RCPTS_MAX = 100000,
	RCPT_BYTES_MIN = 1 + 3 * 4, /* a kind and three empty strings */
	CLIENT_MAX = 64,
};

bool
envelope_read(struct reader *reader, struct envelope *envelope)
{
	if (reader_u8(reader) != ENVELOPE_VERSION)
		reader->failed = true;
	envelope->arrival_wall_ms = reader_u64(reader);
	envelope->flags = reader_u8(reader);
	envelope->reverse_path = reader_bytes(reader, IPC_PATH_MAX);
	envelope->login = reader_bytes(reader, IPC_CREDENTIAL_MAX);
	envelope->helo = reader_bytes(reader, IPC_DOMAIN_MAX);
	envelope->client = reader_bytes(reader, CLIENT_MAX);
	envelope->rcpt_count = reader_u32(reader);
	if (envelope->rcpt_count == 0 || envelope->rcpt_count > RCPTS_MAX ||
	    envelope->rcpt_count > reader->rest.len / RCPT_BYTES_MIN)
		reader->failed = true;
	return !reader->failed;
}

bool
envelope_read_rcpt(struct reader *reader, struct envelope_rcpt *rcpt)
{
	uint8_t kind = reader_u8(reader);

	if (kind >= IPC_TARGET_COUNT)
		reader->failed = true;
	rcpt->local = kind == IPC_TARGET_MAILBOX;
	rcpt->address = reader_bytes(reader, IPC_PATH_MAX);
	rcpt->mailbox = reader_bytes(reader, IPC_MAILBOX_MAX);
	rcpt->original = reader_bytes(reader, IPC_PATH_MAX);
	return !reader->failed;
}
