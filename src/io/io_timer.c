/*
 * Timers.  A libuv timer is lent to the caller's struct while it runs; then it
 * goes to a list of spare ones rather than being closed, since sessions start
 * and stop their timers all the time.
 */
#include "io/io_internal.h"

struct timer {
	uv_timer_t uv;
	struct list link; /* in io->timers or io->timers_spare */
	struct io *io;
	struct io_timer *timer; /* the caller's; NULL: spare */
};

/* Takes the libuv timer back; the caller's struct may be gone afterwards. */
static void
release(struct timer *timer)
{
	uv_timer_stop(&timer->uv);
	timer->timer->impl = NULL;
	timer->timer = NULL;
	list_remove(&timer->link);
	list_push_front(&timer->io->timers_spare, &timer->link);
}

static void
on_timer(uv_timer_t *uv)
{
	struct timer *timer = uv->data;
	struct io_timer *caller = timer->timer;

	release(timer);
	caller->fired(caller);
}

static struct timer *
timer_take(struct io *io)
{
	struct list *link = list_pop(&io->timers_spare);
	struct timer *timer;

	if (link) {
		timer = container_of(link, struct timer, link);
	} else {
		timer = mem_alloc(sizeof(*timer));
		uv_timer_init(&io->loop, &timer->uv);
		timer->uv.data = timer;
		timer->io = io;
	}
	list_push(&io->timers, &timer->link);
	return timer;
}

void
io_timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms)
{
	struct timer *impl = timer->impl;

	check(timer->fired != NULL);
	if (!impl) {
		impl = timer_take(io);
		impl->timer = timer;
		timer->impl = impl;
	}
	check(impl->timer == timer);
	/* With no delay, one that starts itself again would never let the turn end. */
	uv_timer_start(&impl->uv, on_timer, delay_ms ? delay_ms : 1, 0);
}

void
io_timer_stop(struct io *io, struct io_timer *timer)
{
	struct timer *impl = timer->impl;

	(void)io;
	if (!impl)
		return;
	check(impl->timer == timer);
	release(impl);
}

void
io_timers_destroy(struct io *io)
{
	struct list *link;

	while ((link = list_pop(&io->timers)) || (link = list_pop(&io->timers_spare))) {
		struct timer *timer = container_of(link, struct timer, link);

		uv_close((uv_handle_t *)&timer->uv, io_handle_free);
	}
}
