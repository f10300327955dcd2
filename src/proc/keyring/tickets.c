/* Two keys and a timer. */
#include "proc/keyring/tickets.h"

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls.h"

static void
forget(struct buf *key)
{
	mem_wipe(key->ptr, key->len);
	buf_fini(key);
}

static void
renew(struct tickets *tickets)
{
	char key[TLS_TICKET_KEY_BYTES];

	forget(&tickets->before);
	tickets->before = tickets->newest;
	io_random(tickets->env->io, key, sizeof(key));
	buf_init(&tickets->newest, sizeof(key));
	buf_add(&tickets->newest, span_of(key, sizeof(key)));
	mem_wipe(key, sizeof(key));
	io_timer_start(tickets->env->io, &tickets->timer, tickets->env->conf->tls_ticket_ms);
	tickets->changed(tickets->owner);
}

static void
fired(struct io_timer *timer)
{
	renew(timer->owner);
}

void
tickets_start(
    struct tickets *tickets, struct proc_env *env, void (*changed)(void *owner), void *owner)
{
	*tickets = (struct tickets){.env = env, .changed = changed, .owner = owner};
	tickets->timer = (struct io_timer){.fired = fired, .owner = tickets};
	buf_init(&tickets->before, TLS_TICKET_KEY_BYTES);
	buf_init(&tickets->newest, TLS_TICKET_KEY_BYTES);
	if (env->conf->certificate_count > 0 && env->conf->tls_ticket_ms > 0)
		renew(tickets);
}

void
tickets_send(const struct tickets *tickets, struct ipc_channel *reception)
{
	const struct ipc_kr_ticket_keys keys = {
	    .newest = buf_span(&tickets->newest),
	    .before = buf_span(&tickets->before),
	};

	if (tickets->newest.len > 0)
		ipc_kr_ticket_keys_send(reception, &keys);
}
