/*
 * Addresses that do not exist are not tried again for the same domain of senders: learned from
 * replies where the configuration says so, and from operators.  What is new is appended to a
 * file once a second; an operator is answered when it is durable.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/date.h"
#include "base/sim_point.h"
#include "ipc/suppressed.h"

enum {
	EXPIRE_LOOKS = 1000,     /* a second */
	LINES_SPARE = 10000,     /* of the file, that stand for nothing any more */
	TOLD_MAX = 1000,         /* in one answer */
	SUPPRESSED_TEXT_MAX = 900,
};

/* What is new, or all of it where the file has to be another one. */
static enum err
save(struct queue *queue)
{
	struct suppressions *is = &queue->suppressions;
	bool whole = queue->suppressions_whole || !queue->suppressions_filed ||
	    queue->suppression_lines > 2 * is->count + LINES_SPARE;
	size_t fresh = is->unwritten;
	struct buf bytes;
	enum err err;

	if (fresh == 0 && !whole)
		return OK;
	buf_init(&bytes, SUPPRESSIONS_BYTES_MAX);
	suppressions_write(is, &bytes, whole);
	check(buf_finish(&bytes) == OK);
	err = whole ? kept_replace(queue, KEPT_SUPPRESSIONS, buf_span(&bytes))
	            : kept_append(queue, KEPT_SUPPRESSIONS, buf_span(&bytes));
	buf_fini(&bytes);
	queue->suppression_lines = whole ? is->count : queue->suppression_lines + fresh;
	queue->suppressions_filed |= !err;
	queue->suppressions_whole = err != OK;
	return err;
}

static enum err
read_file(struct queue *queue)
{
	struct buf bytes;
	enum err err;

	buf_init(&bytes, SUPPRESSIONS_BYTES_MAX);
	err = kept_read(queue, KEPT_SUPPRESSIONS, &bytes);
	if (!err) {
		struct span text = buf_span(&bytes);

		err = suppressions_read(&queue->suppressions, text, io_wall_ms(queue->env->io));
		/* A torn end: the next line must not go on with it. */
		queue->suppressions_whole =
		    err || text.len == 0 || text.ptr[text.len - 1] != '\n';
	} else {
		queue->suppressions_whole = err == ERR_IO;
	}
	buf_fini(&bytes);
	return err;
}

/* Receptions know which there are, and ask about those alone. */
static void
changed(void *owner, const struct suppression *row, bool gone)
{
	struct queue *queue = owner;
	struct ipc_qr_suppressed told = {.gone = gone};
	struct buf hashes;

	buf_init(&hashes, sizeof(uint64_t));
	wire_u64(&hashes, ipc_suppressed_hash(row->sender, row->address));
	told.hashes = buf_span(&hashes);
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		if (queue->intakes[i] && queue->intakes[i]->channel)
			ipc_qr_suppressed_send(queue->intakes[i]->channel, &told);
	buf_fini(&hashes);
}

void
suppress_tell(const struct queue *queue, struct ipc_channel *reception)
{
	struct ipc_qr_suppressed told = {0};
	struct buf hashes;

	buf_init(&hashes, IPC_SUPPRESSED_MAX);
	list_for_each (node, &queue->suppressions.rows) {
		const struct suppression *row = container_of(node, struct suppression, node);

		wire_u64(&hashes, ipc_suppressed_hash(row->sender, row->address));
		if (buf_space(&hashes) > 0 && node->next != &queue->suppressions.rows)
			continue;
		told.hashes = buf_span(&hashes);
		ipc_qr_suppressed_send(reception, &told);
		buf_reset(&hashes);
	}
	buf_fini(&hashes);
}

void
suppress_load(struct queue *queue)
{
	enum err err = read_file(queue);

	queue->suppressions.changed = changed;
	queue->suppressions.owner = queue;
	/* The first one makes it. */
	queue->suppressions_filed = err != ERR_NOT_FOUND;
	queue->suppression_lines = queue->suppressions.count;
	kept_loaded(queue, KEPT_SUPPRESSIONS, err);
}

void
suppress_sweep(struct queue *queue)
{
	if (queue->suppressions.count == 0 && !queue->suppressions_whole)
		return;
	suppressions_expire(
	    &queue->suppressions, io_wall_ms(queue->env->io), EXPIRE_LOOKS);
	if (queue->suppressions.unwritten > 0 || queue->suppressions_whole)
		err_ignore(save(queue), "it is tried again with the next second");
}

static bool
says_unknown(const struct outcome *outcome)
{
	if (outcome->code < 500 || outcome->remote.len == 0)
		return false;
	if (SIM_BUG(SUPPRESS_ANY_REFUSAL))
		return true;
	if (outcome->rule)
		return strcmp(outcome->rule->reason, "user-unknown") == 0;
	return span_eq(outcome->status, SPAN("5.1.1"));
}

void
suppress_learn(struct message *message, const struct envelope_rcpt *address,
    const struct outcome *outcome)
{
	struct queue *queue = message->queue;
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	struct suppression_told told = {.since_wall_ms = now_wall_ms, .code = outcome->code};

	if (queue->conf->suppress_ms == 0 || !address || !message->envelope ||
	    message->envelope->reverse_path.len == 0 || address->kind != IPC_TARGET_REMOTE ||
	    !says_unknown(outcome))
		return;
	told.until_wall_ms = now_wall_ms + queue->conf->suppress_ms;
	told.sender = schedule_domain(message->envelope->reverse_path);
	told.address = address->address;
	told.who = backoffs_host(outcome->remote);
	told.reply = outcome->text;
	err_ignore(suppressions_add(&queue->suppressions, &told), "it is no address then");
}

/* Who said so, when, and in which words. */
static void
write_who(struct buf *out, const struct suppression *row, struct span address)
{
	buf_addf(out, "%.*s said on ", SPAN_ARGS(row->who));
	date_write_day(out, row->since_wall_ms);
	buf_addf(out, " that %.*s does not exist", SPAN_ARGS(address));
	if (row->code > 0)
		buf_addf(out, " (%u %.*s)", row->code, SPAN_ARGS(row->reply));
}

void
suppress_answer(struct queue *queue, struct ipc_channel *reception,
    const struct ipc_rq_is_suppressed *asked)
{
	struct ipc_qr_suppression answer = {.query = asked->query};
	const struct suppression *row = suppressions_find(&queue->suppressions, asked->sender,
	    asked->address, io_wall_ms(queue->env->io));
	struct buf text;

	buf_init(&text, SUPPRESSED_TEXT_MAX);
	if (row)
		write_who(&text, row, row->address);
	answer.text = buf_span(&text);
	ipc_qr_suppression_send(reception, &answer);
	buf_fini(&text);
}

static void
write_why(struct buf *out, const struct suppression *row)
{
	buf_add_str(out, "not tried: ");
	write_who(out, row, SPAN("the address"));
	buf_add_str(out, ". If it does now, the administrator has mail for it tried again with: "
			 "postrider suppression remove ");
	buf_add(out, row->address);
	buf_addf(out, " --from %.*s", SPAN_ARGS(row->sender));
	if (row->until_wall_ms > 0) {
		buf_add_str(out, "; else it is from ");
		date_write_day(out, row->until_wall_ms);
		buf_add_str(out, " on");
	}
}

static bool
fail_suppressed(struct attempt *attempt, uint32_t index)
{
	struct queue *queue = attempt->queue;
	const struct envelope *envelope = attempt->message->envelope;
	struct outcome outcome = {.kind = IPC_FAILED, .status = SPAN("5.1.1")};
	const struct suppression *row;
	struct buf text;

	if (envelope->reverse_path.len == 0)
		return false;
	row = suppressions_find(&queue->suppressions, schedule_domain(envelope->reverse_path),
	    envelope->rcpts[index].address, io_wall_ms(queue->env->io));
	if (!row)
		return false;
	SIM_MARK("queue.suppressed");
	buf_init(&text, SUPPRESSED_TEXT_MAX);
	write_why(&text, row);
	outcome.text = buf_span(&text);
	outcome_apply(attempt->message, index, &outcome);
	buf_fini(&text);
	return true;
}

bool
suppress_attempt(struct attempt *attempt)
{
	uint32_t kept = 0;

	/* A suspect is tried whatever it is, to see what becomes of it. */
	if (attempt->queue->suppressions.count == 0 || attempt->peer->proc != PROC_DELIVERY ||
	    attempt->peer->suspect)
		return false;
	for (uint32_t i = 0; i < attempt->rcpt_count; i++)
		if (!fail_suppressed(attempt, attempt->rcpts[i]))
			attempt->rcpts[kept++] = attempt->rcpts[i];
	attempt->rcpt_count = kept;
	return kept == 0;
}

static void
say(struct queue *queue, const char *what, const struct ipc_aq_suppress *asked)
{
	struct event event;

	event_begin(&event, &queue->env->log, what);
	event_span(&event, "address", asked->address);
	event_span(&event, "from", asked->sender);
	event_span(&event, "who", asked->who);
	event_end(&event);
}

void
suppress_act(struct queue *queue, const struct ipc_aq_suppress *asked)
{
	struct suppressions *is = &queue->suppressions;
	struct ipc_qa_done done = {.query = asked->query};
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	const struct suppression_told told = {
	    .since_wall_ms = now_wall_ms,
	    .until_wall_ms = asked->for_ms > 0 ? now_wall_ms + asked->for_ms : 0,
	    .sender = asked->sender,
	    .address = asked->address,
	    .who = asked->who,
	    .reply = asked->text,
	};

	if (asked->act == IPC_SUPPRESS_ADD && suppressions_add(is, &told) == OK) {
		done.count = 1;
		say(queue, "suppressed", asked);
	} else if (asked->act == IPC_SUPPRESS_REMOVE &&
	    suppressions_remove(is, asked->sender, asked->address)) {
		done.count = 1;
		queue->suppressions_whole = true;
		say(queue, "unsuppressed", asked);
	} else if (asked->act == IPC_SUPPRESS_SAVE) {
		done.count = 1;
		done.lost = save(queue) != OK;
	}
	done.total = is->count;
	ipc_qa_done_send(queue->admin, &done);
}

void
suppress_list(struct queue *queue, const struct ipc_aq_suppressed *asked)
{
	struct ipc_qa_done done = {.query = asked->query, .total = queue->suppressions.count};

	list_for_each (node, &queue->suppressions.rows) {
		const struct suppression *row = container_of(node, struct suppression, node);
		const struct ipc_qa_suppression answer = {asked->query, row->address, row->sender,
		    row->since_wall_ms, row->until_wall_ms, (uint16_t)row->code, row->who,
		    row->reply};

		if (row->number <= asked->after ||
		    (asked->sender.len > 0 && !span_eq_nocase(asked->sender, row->sender)))
			continue;
		if (done.count == TOLD_MAX) {
			done.more = true;
			break;
		}
		ipc_qa_suppression_send(queue->admin, &answer);
		done.count++;
		done.last = row->number;
	}
	ipc_qa_done_send(queue->admin, &done);
}
