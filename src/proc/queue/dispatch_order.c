/* The order for an attempt, and its body, by the link of whoever makes it. */
#include "proc/queue/queue_internal.h"

#include "proc/queue/queue_limits.h"
#include "route/limits.h"
#include "route/site.h"
#include "route/verp.h"

const struct envelope_rcpt *
dispatch_rcpt(const struct attempt *attempt, uint32_t at)
{
	return &attempt->message->envelope->rcpts[attempt->rcpts[at]];
}

bool
dispatch_is_rerouted(const struct attempt *attempt)
{
	struct sched_destination to;

	sched_destination_get(attempt->queue->sched, attempt->destination, &to);
	return schedule_is_rerouted(to.key);
}

static void
send_order_to_mailbox(struct attempt *attempt)
{
	const struct envelope *envelope = attempt->message->envelope;
	const struct envelope_rcpt *rcpt = dispatch_rcpt(attempt, 0);
	const struct ipc_qm_deliver deliver = {
	    .attempt = attempt->number,
	    .id = attempt->message->id,
	    .mailbox = rcpt->mailbox,
	    .address = rcpt->address,
	    .reverse_path = envelope->reverse_path,
	    .body_bytes = attempt->message->body_bytes,
	    .flags = envelope->flags,
	};

	ipc_qm_deliver_send(attempt->peer->channel, &deliver);
}

static void
send_order_to_pipe(struct attempt *attempt)
{
	const struct envelope *envelope = attempt->message->envelope;
	const struct envelope_rcpt *rcpt = dispatch_rcpt(attempt, 0);
	const struct ipc_qp_deliver deliver = {
	    .attempt = attempt->number,
	    .id = attempt->message->id,
	    .mailbox = rcpt->kind == IPC_TARGET_MAILBOX ? rcpt->mailbox : SPAN(""),
	    .address = rcpt->address,
	    .original = rcpt->original,
	    .reverse_path = envelope->reverse_path,
	    .body_bytes = attempt->message->body_bytes,
	    .flags = envelope->flags,
	};

	ipc_qp_deliver_send(attempt->peer->channel, &deliver);
}

/* The user's name, as the program that keeps the mailboxes knows it. */
static void
write_lmtp_address(const struct attempt *attempt, const struct envelope_rcpt *rcpt,
    struct buf *out)
{
	char separator = attempt->queue->conf->detail_separator;
	size_t at = span_find_last(rcpt->address, '@');
	size_t name = span_find(rcpt->mailbox, '@');
	struct span base = span_first(rcpt->address, at);

	if (separator)
		base = span_first(base, span_find(base, separator));
	buf_reset(out);
	if (span_eq_nocase(base, span_first(rcpt->mailbox, name)) &&
	    (name == rcpt->mailbox.len ||
	        span_eq_nocase(span_skip(rcpt->mailbox, name), span_skip(rcpt->address, at)))) {
		buf_add(out, rcpt->address);
		return;
	}
	buf_add(out, rcpt->mailbox);
	if (name == rcpt->mailbox.len)
		buf_add(out, span_skip(rcpt->address, at));
}

static void
send_rcpt(struct attempt *attempt, uint32_t index)
{
	const struct envelope_rcpt *from = dispatch_rcpt(attempt, index);
	struct ipc_qd_rcpt rcpt = {
	    .attempt = attempt->number,
	    .index = index,
	    .address = from->address,
	    .notify = (uint8_t)from->notify,
	    .orcpt = from->orcpt,
	};
	struct buf address;

	buf_init(&address, IPC_MAILBOX_MAX + IPC_PATH_MAX);
	if (from->kind == IPC_TARGET_MAILBOX && !dispatch_is_rerouted(attempt)) {
		write_lmtp_address(attempt, from, &address);
		rcpt.address = span_first(buf_span(&address), IPC_PATH_MAX);
	}
	ipc_qd_rcpt_send(attempt->peer->channel, &rcpt);
	buf_fini(&address);
}

/* Where it leaves from; addrs are left to be freed. */
static void
write_sources(const struct attempt *attempt, struct ipc_qd_attempt *order,
    struct buf addrs[ATTEMPT_FAMILIES])
{
	struct span *const names[ATTEMPT_FAMILIES] = {&order->source4, &order->source6};
	struct span *const helos[ATTEMPT_FAMILIES] = {&order->helo4, &order->helo6};

	order->avoid = attempt->avoid;
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++) {
		const struct conf_source *source = attempt->sources[f];

		buf_init(&addrs[f], IPC_SOURCE_MAX);
		if (!source)
			continue;
		net_addr_write(&addrs[f], &source->addr);
		*names[f] = buf_span(&addrs[f]);
		*helos[f] = source->helo;
	}
}

/* What its destination may have on one connection, and all of its site at a time. */
static void
order_limits(const struct attempt *attempt, const struct sched_destination *to,
    struct ipc_qd_attempt *order)
{
	const struct queue *queue = attempt->queue;
	struct sched_site space;
	const struct sched_site *site = schedule_site(queue, to, &space);
	uint64_t messages_max = route_messages_max(
	    queue->conf, queue_limits_name(to->key), site ? site->name : SPAN(""));

	order->messages_max = messages_max < UINT32_MAX ? (uint32_t)messages_max : 0;
	/* A destination of which no site is known is one by itself. */
	order->site = site ? backoffs_site_id(&queue->backoffs, site->name)
			   : backoffs_destination_id(&queue->backoffs, to->key);
	order->connections_max = site ? site->limits.concurrency_max : to->window_max;
}

static void
send_order_to_delivery(struct attempt *attempt)
{
	const struct envelope *envelope = attempt->message->envelope;
	const struct conf *conf = attempt->queue->conf;
	struct sched_destination to;
	struct conf_route way;
	struct ipc_qd_attempt order = {
	    .attempt = attempt->number,
	    .id = attempt->message->id,
	    .domain = schedule_domain(dispatch_rcpt(attempt, 0)->address),
	    .reverse_path = envelope->reverse_path,
	    .body_bytes = attempt->message->body_bytes,
	    .flags = envelope->flags,
	    .rcpt_count = attempt->rcpt_count,
	};
	const struct conf_verp *verp = verp_find(attempt->queue->conf, envelope->reverse_path);
	struct buf extras, path, addrs[ATTEMPT_FAMILIES];

	buf_init(&extras, IPC_EXTRAS_MAX);
	ipc_extras_write(&extras, &envelope->extras);
	order.extras = buf_span(&extras);
	sched_destination_get(attempt->queue->sched, attempt->destination, &to);
	schedule_way(
	    conf, to.key, envelope->reverse_path, dispatch_rcpt(attempt, 0), &way);
	order_limits(attempt, &to, &order);
	order.lmtp = way.kind == CONF_ROUTE_LMTP;
	buf_init(&path, IPC_PATH_MAX);
	if (verp && !order.lmtp &&
	    verp_write(&path, verp, envelope->reverse_path, dispatch_rcpt(attempt, 0)->address))
		order.reverse_path = buf_span(&path);
	order.host = way.host;
	order.port = way.port;
	order.tls = (uint8_t)way.tls;
	order.credential = way.credential;
	/* A route that says something of its own is kept to; LMTP stays in the house. */
	if (order.tls == CONF_TLS_MAY && !order.lmtp)
		order.tls = (uint8_t)route_limits(conf,
		    order.host.len > 0 ? order.host : order.domain)->tls;
	write_sources(attempt, &order, addrs);
	ipc_qd_attempt_send(attempt->peer->channel, &order);
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++)
		buf_fini(&addrs[f]);
	buf_fini(&extras);
	buf_fini(&path);
	for (uint32_t i = 0; i < attempt->rcpt_count; i++)
		send_rcpt(attempt, i);
}

void
dispatch_send_order(struct attempt *attempt)
{
	if (attempt->peer->proc == PROC_MAILBOX)
		send_order_to_mailbox(attempt);
	else if (attempt->peer->proc == PROC_PIPE)
		send_order_to_pipe(attempt);
	else
		send_order_to_delivery(attempt);
}

/* All bodies are alike, but for the link that they go by. */
void
dispatch_send_body(struct attempt *attempt, uint64_t offset, struct span bytes, bool error)
{
	const struct ipc_qd_body body = {attempt->number, offset, bytes, error};
	const struct ipc_qm_body local = {attempt->number, offset, bytes, error};
	const struct ipc_qp_body program = {attempt->number, offset, bytes, error};

	if (attempt->peer->proc == PROC_MAILBOX)
		ipc_qm_body_send(attempt->peer->channel, &local);
	else if (attempt->peer->proc == PROC_PIPE)
		ipc_qp_body_send(attempt->peer->channel, &program);
	else
		ipc_qd_body_send(attempt->peer->channel, &body);
}
