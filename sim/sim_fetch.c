/* HTTPS is answered by whoever plays the Internet. */
#include <stdio.h>

#include "base/buf.h"
#include "sim/sim_internal.h"

enum { ANSWER_US = 3000000 };

struct get {
	struct sim_event event;
	struct io_op *op;
	struct io_fetch *fetch;
};

static void
drop(struct sim_event *event)
{
	sim_free(container_of(event, struct get, event));
}

static void
fire(struct sim_event *event)
{
	struct get *get = container_of(event, struct get, event);
	struct sim *sim = event->io->sim;
	struct io_fetch *fetch = get->fetch;
	struct io_op *op = get->op;

	sim_free(get);
	op->err = sim_happens(sim, sim->options.faults.dns_error) ? ERR_TIMEOUT
	    : sim->on_fetch ? sim->on_fetch(sim->on_fetch_owner, span_str(fetch->host), fetch->body)
			    : ERR_UNREACHABLE;
	fetch->status = op->err ? 0 : 200;
	snprintf(fetch->why, sizeof(fetch->why), "%s", op->err ? err_text(op->err) : "");
	sim_hash(sim, (uint64_t)op->err);
	sim_hash_bytes(sim, buf_span(fetch->body));
	op->done(op);
}

enum err
io_fetch_prepare(struct io *io, struct span roots)
{
	(void)io;
	(void)roots;
	return OK;
}

void
io_fetch(struct io *io, struct io_op *op, struct io_fetch *fetch)
{
	struct sim *sim = io->sim;
	struct get *get = sim_alloc(sim, sizeof(*get));

	check(op->done);
	sim_op_start(op);
	get->op = op;
	get->fetch = fetch;
	get->event = (struct sim_event){.fire = fire, .drop = drop, .io = io, .name = "fetch"};
	sim_event_start(sim, &get->event, sim_delay_us(sim, ANSWER_US));
}
