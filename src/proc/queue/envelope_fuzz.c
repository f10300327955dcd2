/*
 * Any bytes as an envelope, and any bytes as the marks of its message; the first two say where
 * one ends and the other begins.  What is taken as an envelope is written again as the same bytes;
 * marks never leave a message that doesn't count its own recipients right; and its digest is
 * read back as the same message.
 */
#include "base/check.h"
#include "proc/queue/queue_internal.h"
#include "proc/queue/test_queue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_written_again(const struct envelope *envelope, struct span bytes)
{
	struct envelope_head head = {
	    .arrival_wall_ms = envelope->arrival_wall_ms,
	    .flags = envelope->flags,
	    .reverse_path = envelope->reverse_path,
	    .login = envelope->login,
	    .helo = envelope->helo,
	    .client = envelope->client,
	    .rcpt_count = envelope->rcpt_count,
	};
	struct buf out, extras;

	buf_init(&extras, IPC_EXTRAS_MAX);
	ipc_extras_write(&extras, &envelope->extras);
	head.extras = buf_span(&extras);
	for (uint32_t i = 0; i < envelope->rcpt_count; i++)
		head.rcpts_ask |= envelope_rcpt_asks(&envelope->rcpts[i]);
	buf_init(&out, STORE_ENVELOPE_BYTES_MAX);
	envelope_write_head(&out, &head);
	for (uint32_t i = 0; i < envelope->rcpt_count; i++)
		envelope_write_rcpt(&out, &envelope->rcpts[i]);
	buf_fini(&extras);
	check(span_eq(buf_span(&out), bytes));
	buf_fini(&out);
}

static void
check_counts(struct queue *queue, uint32_t slot)
{
	struct sched_message message;
	uint32_t open = 0;

	sched_message_get(queue->sched, slot, &message);
	for (uint32_t i = 0; i < message.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);
		struct sched_rcpt rcpt;

		if (at == SCHED_NONE)
			continue;
		open++;
		sched_rcpt_get(queue->sched, at, &rcpt);
		check(sched_reply_get(queue->sched, rcpt.reply).text.len <= MARK_TEXT_MAX);
	}
	check(open == message.open_count);
}

/* It is removed, read from its digest, and has the same digest again. */
static void
check_digest(struct queue *queue, uint32_t slot)
{
	struct buf digest, again;

	buf_init(&digest, STORE_ENVELOPE_BYTES_MAX);
	buf_init(&again, STORE_ENVELOPE_BYTES_MAX);
	digest_write(queue, slot, &digest);
	sched_message_remove(queue->sched, slot);
	if (digest.len > 0) {
		check(digest_read(queue, 1, buf_span(&digest), 0) == OK);
		slot = sched_message_find(queue->sched, 1);
		digest_write(queue, slot, &again);
		check(span_eq(buf_span(&digest), buf_span(&again)));
		sched_message_remove(queue->sched, slot);
	}
	buf_fini(&digest);
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size}, bytes;
	struct fuzz_queue fuzz;
	struct envelope *envelope;
	struct buf copy;
	uint32_t slot;

	if (size < 2)
		return 0;
	rest = span_skip(rest, 2);
	bytes = span_first(rest, (size_t)data[0] | (size_t)data[1] << 8);
	buf_init(&copy, STORE_ENVELOPE_BYTES_MAX);
	buf_add(&copy, bytes);
	if (envelope_read(&copy, &envelope))
		return 0;
	check_written_again(envelope, bytes);
	fuzz_queue_init(&fuzz);
	slot = message_add(&fuzz.queue, 1, envelope, 0);
	envelope_free(envelope);
	err_ignore(message_apply(&fuzz.queue, slot, span_skip(rest, bytes.len)),
	    "either way the message is whole");
	check_counts(&fuzz.queue, slot);
	check_digest(&fuzz.queue, slot);
	fuzz_queue_fini(&fuzz);
	return 0;
}
