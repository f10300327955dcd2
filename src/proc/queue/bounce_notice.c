/*
 * Notices for postmaster: of what is returned to senders, and of what nobody can be told of.  They
 * never make another: a bounce or a notice to postmaster that fails is only logged.
 */
#include "proc/queue/bounce_internal.h"

void
bounce_write_postmaster(const struct queue *queue, struct buf *out)
{
	const struct conf *conf = queue->conf;

	buf_add_str(out, "postmaster@");
	buf_add(out, conf->domain_count > 0 ? conf->domains[0] : conf->hostname);
}

/* Whether the message is itself a bounce or a notice to him. */
static bool
is_for_postmaster(const struct bounce *bounce)
{
	const struct envelope *envelope = bounce->message->envelope;
	struct buf address;
	bool is = false;

	if (!(envelope->flags & IPC_MESSAGE_BOUNCE))
		return false;
	buf_init(&address, IPC_PATH_MAX);
	bounce_write_postmaster(bounce->queue, &address);
	for (uint32_t i = 0; i < envelope->rcpt_count && !is; i++)
		is = span_eq_nocase(envelope->rcpts[i].original, buf_span(&address));
	buf_fini(&address);
	return is;
}

static bool
has_failures(const struct bounce *bounce)
{
	for (uint32_t i = 0; i < bounce->rcpt_count; i++) {
		struct sched_rcpt rcpt;

		bounce_get_rcpt(bounce, bounce->rcpts[i], &rcpt);
		if (!rcpt.succeeded && (bounce->lost || bounce_is_told(bounce, bounce->rcpts[i])))
			return true;
	}
	return false;
}

bool
bounce_is_noticed(struct bounce *bounce, const char *lost)
{
	const struct conf *conf = bounce->queue->conf;

	if (lost)
		bounce->lost = lost;
	if (bounce->told_of || bounce->noticed || bounce->notice ||
	    !(lost ? conf->postmaster_lost : conf->postmaster_bounces) ||
	    is_for_postmaster(bounce) || !has_failures(bounce))
		return false;
	bounce->notice = true;
	return true;
}
