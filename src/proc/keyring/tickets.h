/*
 * The keys of session tickets: made by chance, changed as often as tickets live, given to every
 * reception, never on disk.  The key before the newest one still opens tickets.
 */
#pragma once

#include "proc/proc.h"

struct tickets {
	struct proc_env *env;
	struct io_timer timer;
	struct buf newest, before;
	/* Called after each change; owner is the keyring. */
	void (*changed)(void *owner);
	void *owner;
};

/* Nothing is done where the configuration wants no tickets or has no TLS. */
void tickets_start(
    struct tickets *tickets, struct proc_env *env, void (*changed)(void *owner), void *owner);
/* Tells a reception the keys that there are. */
void tickets_send(const struct tickets *tickets, struct ipc_channel *reception);
