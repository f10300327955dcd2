/*
 * Which address of this host an attempt leaves from: of those that the queue has chosen, one for
 * each family, the one for the server's.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"

/* The queue is believed; what is read here was written there. */
void
attempt_take_sources(struct attempt *attempt, const struct ipc_qd_attempt *order)
{
	const struct span addrs[] = {order->source4, order->source6};
	const struct span helos[] = {order->helo4, order->helo6};

	attempt->avoid = order->avoid;
	for (size_t i = 0; i < LEN(addrs); i++) {
		struct attempt_source *source = &attempt->sources[i];

		check(addrs[i].len == 0 || net_addr_parse(addrs[i], &source->addr) == OK);
		check(arena_copy(&attempt->arena, helos[i], &source->helo));
	}
}

/* Bit of ipc_qd_attempt.avoid; LMTP, which stays on this host, is of no pool. */
static uint8_t
family_bit(const struct attempt *attempt, size_t index)
{
	switch (attempt->lmtp ? 0 : attempt->addrs[index].addr.family) {
	case 4:
		return 1;
	case 6:
		return 2;
	default:
		return 0;
	}
}

bool
attempt_choose_source(struct attempt *attempt)
{
	const struct conf *conf = attempt->delivery->conf;
	uint8_t bit;

	while ((attempt->avoid & family_bit(attempt, attempt->addr_index)) &&
	    attempt->addr_index + 1 < attempt->addr_count)
		attempt->addr_index++;
	bit = family_bit(attempt, attempt->addr_index);
	if (attempt->avoid & bit) {
		/* What went wrong with others says more. */
		if (attempt->failure.status[0])
			return false;
		attempt_fail(attempt, IPC_UNSENT, 0, "4.4.5",
		    "there is no address to send it from just now");
		return false;
	}
	attempt->source = bit ? attempt->sources[bit - 1] : (struct attempt_source){0};
	/* A configuration may be replaced meanwhile. */
	if (attempt->source.helo.len == 0)
		check(arena_copy(&attempt->arena, conf->hostname, &attempt->source.helo));
	return true;
}

void
attempt_lacks_source(struct attempt *attempt, enum err err)
{
	struct buf address;
	struct ipc_dq_source source = {
	    .attempt = attempt->number, .text = span_str(err_text(err))};

	buf_init(&address, IPC_SOURCE_MAX);
	net_addr_write(&address, &attempt->source.addr);
	source.address = buf_span(&address);
	recorder_fact(attempt, "this host lacks the address ", source.address);
	attempt->avoid |= family_bit(attempt, attempt->addr_index);
	if (attempt->delivery->queue)
		ipc_dq_source_send(attempt->delivery->queue, &source);
	buf_fini(&address);
	talk_start(attempt);
}
