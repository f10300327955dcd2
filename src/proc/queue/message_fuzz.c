/*
 * Any bytes as an envelope, and any bytes as its marks; the first two say where one ends and the
 * other begins.  What is taken as an envelope is written again as the same bytes; marks never
 * leave a message that doesn't count its own recipients right.
 */
#include "base/check.h"
#include "proc/queue/queue_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_written_again(const struct message *message, struct span envelope)
{
	const struct message_envelope again = {
	    .arrival_wall_ms = message->arrival_wall_ms,
	    .flags = message->flags,
	    .reverse_path = message->reverse_path,
	    .login = message->login,
	    .helo = message->helo,
	    .client = message->client,
	    .rcpt_count = message->rcpt_count,
	};
	struct buf out;

	buf_init(&out, SPOOL_ENVELOPE_BYTES_MAX);
	message_envelope_begin(&out, &again);
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		const struct recipient *rcpt = &message->rcpts[i];
		const struct ipc_target_entry target = {.kind = rcpt->kind,
		    .address = rcpt->address,
		    .mailbox = rcpt->mailbox};

		message_envelope_rcpt(&out, &target, rcpt->original);
	}
	check(span_eq(buf_span(&out), envelope));
	buf_fini(&out);
}

static void
check_counts(const struct message *message)
{
	uint32_t open = 0;

	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		const struct last_reply *last = message->rcpts[i].last;

		open += message->rcpts[i].state != RECIPIENT_ENDED;
		if (last) {
			check(last->text.len <= QUEUE_REPLY_TEXT_MAX);
			check(memchr(last->status, '\0', sizeof(last->status)));
		}
	}
	check(open == message->open_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seed[2] = {1, 2};
	struct span rest = {(const char *)data, size}, envelope;
	struct queue *queue;
	struct message *message;

	if (size < 2)
		return 0;
	rest = span_skip(rest, 2);
	envelope = span_first(rest, (size_t)data[0] | (size_t)data[1] << 8);
	queue = mem_alloc(sizeof(*queue));
	map_init(&queue->message_map, seed);
	list_init(&queue->messages);
	if (message_create(queue, 1, envelope, 0, &message) == OK) {
		check_written_again(message, envelope);
		err_ignore(mark_apply(message, span_skip(rest, envelope.len)),
		    "either way the message is whole");
		check_counts(message);
		message_destroy(queue, message);
	}
	map_fini(&queue->message_map);
	mem_free(queue);
	return 0;
}
