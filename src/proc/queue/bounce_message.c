/*
 * What a bounce says: whom of, in which language, with what of the message it is about.
 */
#include "proc/queue/bounce_internal.h"

#include "base/check.h"
#include "base/id.h"
#include "mime/header.h"
#include "replies/catalogue.h"
#include "rules/rules.h"

/* What the catalogue says to a person about this failure. */
static const char *
explain(struct span status, unsigned code)
{
	const struct catalogue_entry *entry = NULL;
	char digits[4] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
	    (char)('0' + code % 10), '\0'};

	if (status.len > 0)
		entry = catalogue_find(status);
	if (!entry && code > 0)
		entry = catalogue_find(span_str(digits));
	return entry ? entry->sender : NULL;
}

/*
 * Says what is known of a failure: where a rule knows the other server's words, its reason goes
 * before the codes, which often say less.
 */
static void
explain_failure(struct dsn_recipient *to)
{
	const struct rule *rule = NULL;
	const struct catalogue_topic *reason;

	to->explanation = explain(to->status, to->code);
	if (to->code > 0)
		rule = rules_match(&(struct rules_reply){.text = to->text,
		    .code = to->code,
		    .status = to->status,
		    .host = backoffs_host(to->remote)});
	reason = rule ? catalogue_topic(CATALOGUE_REASON, span_str(rule->reason)) : NULL;
	if (!reason)
		return;
	to->meaning = reason->meaning;
	if (*reason->sender)
		to->explanation = reason->sender;
}

static enum dsn_action
action_of(const struct bounce *bounce, const struct sched_rcpt *rcpt)
{
	if (bounce->told_of)
		return DSN_DELAYED;
	switch ((unsigned)bounce_end_of(bounce, rcpt)) {
	case END_DELIVERED:
		return DSN_DELIVERED;
	case END_RELAYED:
		return DSN_RELAYED;
	case END_EXPANDED:
		return DSN_EXPANDED;
	default:
		return DSN_FAILED;
	}
}

static void
describe(const struct bounce *bounce, struct dsn_recipient *to, uint32_t index)
{
	const struct envelope_rcpt *from = &bounce->message->envelope->rcpts[index];
	struct sched_reply reply;
	struct sched_rcpt rcpt;

	bounce_get_rcpt(bounce, index, &rcpt);
	reply = sched_reply_get(bounce->queue->sched, rcpt.reply);
	to->address = from->address;
	if (!span_eq(from->original, from->address))
		to->orcpt = from->original;
	to->asked_orcpt = from->orcpt;
	to->action = action_of(bounce, &rcpt);
	to->expired = rcpt.expired;
	if (to->action == DSN_DELAYED)
		to->retry_until_wall_ms = bounce->message->arrival_wall_ms +
		    schedule_destination_limits(bounce->queue, rcpt.destination)->expire_ms;
	to->status = reply.status;
	to->code = rcpt.code;
	to->remote = reply.remote;
	to->text = reply.text;
	to->last_attempt_wall_ms = (uint64_t)rcpt.tried_wall_s * 1000;
	if (to->action == DSN_FAILED)
		explain_failure(to);
}

/*
 * Whether what failed is returned whole (RFC 3461 section 4.3): where that is asked for, and not
 * too much; never what may go by verified TLS only (RFC 8689 section 5), or not by every server.
 */
static bool
returns_whole(const struct bounce *bounce)
{
	const struct envelope *envelope = bounce->message->envelope;

	return envelope->extras.ret == IPC_RET_FULL && bounce->told_of == 0 &&
	    !bounce->notice &&
	    !(envelope->flags &
	        (IPC_MESSAGE_REQUIRETLS | IPC_MESSAGE_BINARY | IPC_MESSAGE_SMTPUTF8)) &&
	    bounce->message->body_bytes <= bounce->queue->conf->return_bytes_max;
}

/* A header is all that was read, or all that may be returned. */
static void
choose_returned(const struct bounce *bounce, struct dsn *dsn, size_t bytes)
{
	struct span all = span_of(bounce->header, bytes);

	if (returns_whole(bounce) && dsn_worst(dsn) == DSN_FAILED &&
	    bytes == bounce->message->body_bytes && dsn_takes_whole(dsn, all))
		dsn->whole = all;
	dsn->header = span_first(all, header_bytes(all));
}

bool
bounce_write_body(struct bounce *bounce, size_t header_bytes)
{
	const struct envelope *envelope = bounce->message->envelope;
	struct dsn_recipient *rcpts;
	struct buf postmaster;
	char id[ID_TEXT_MAX];
	struct dsn dsn = {
	    .hostname = bounce->queue->conf->hostname,
	    .to = envelope->reverse_path,
	    .id = id_text(id, bounce->message->id),
	    .envelope_helo = envelope->helo,
	    .envid = envelope->extras.envid,
	    .by_wall_ms = envelope->extras.by != IPC_BY_NONE ? envelope->extras.by_wall_ms : 0,
	    .arrival_wall_ms = envelope->arrival_wall_ms,
	    .now_wall_ms = io_wall_ms(bounce->queue->env->io),
	    .unique = bounce->id,
	};

	buf_init(&postmaster, IPC_PATH_MAX);
	if (bounce->notice) {
		bounce_write_postmaster(bounce->queue, &postmaster);
		dsn.notice = true;
		dsn.sender = envelope->reverse_path;
		dsn.lost = bounce->lost;
		dsn.to = buf_span(&postmaster);
	}
	bounce_gather(bounce);
	rcpts = mem_alloc(bounce->rcpt_count * sizeof(*rcpts));
	for (uint32_t i = 0; i < bounce->rcpt_count; i++)
		if (bounce_is_told(bounce, bounce->rcpts[i]))
			describe(bounce, &rcpts[dsn.recipient_count++], bounce->rcpts[i]);
	dsn.recipients = rcpts;
	if (dsn.recipient_count > 0) {
		choose_returned(bounce, &dsn, header_bytes);
		dsn.language = bounce->notice ? NULL : dsn_language(dsn.header);
		dsn_write(&bounce->body, &dsn);
		bounce->worst = dsn_worst(&dsn);
		bounce->is_8bit = !span_is_ascii(dsn.whole);
	}
	mem_free(rcpts);
	buf_fini(&postmaster);
	return dsn.recipient_count > 0;
}

void
bounce_write_envelope(struct bounce *bounce)
{
	struct reader reader = reader_init(buf_span(&bounce->targets));
	struct span original = bounce->message->envelope->reverse_path;
	struct ipc_target_entry target;
	struct buf postmaster;
	struct envelope_head head = {
	    .arrival_wall_ms = io_wall_ms(bounce->queue->env->io),
	    .flags = IPC_MESSAGE_BOUNCE,
	};

	if (bounce->is_8bit)
		head.flags |= IPC_MESSAGE_8BIT;
	while (ipc_target_next(&reader, &target))
		head.rcpt_count++;
	envelope_write_head(&bounce->envelope, &head);
	buf_init(&postmaster, IPC_PATH_MAX);
	if (bounce->notice) {
		bounce_write_postmaster(bounce->queue, &postmaster);
		original = buf_span(&postmaster);
	}
	reader = reader_init(buf_span(&bounce->targets));
	while (ipc_target_next(&reader, &target)) {
		const struct envelope_rcpt rcpt = {.kind = target.kind,
		    .address = target.address,
		    .mailbox = target.mailbox,
		    .original = original};

		envelope_write_rcpt(&bounce->envelope, &rcpt);
	}
	buf_fini(&postmaster);
}

size_t
bounce_bytes_to_read(const struct bounce *bounce)
{
	uint64_t bytes = bounce->message->body_bytes;

	if (returns_whole(bounce) || bytes < QUEUE_BOUNCE_HEADER_BYTES)
		return (size_t)bytes;
	return QUEUE_BOUNCE_HEADER_BYTES;
}
