/*
 * Authority on one screen: each role, its user, what it may, and who may talk to whom.  What is
 * not here does not exist: no socketpair is made for it, no call of the kernel is let through.
 */
#include "proc/proc.h"

#include <stdio.h>

#include "base/check.h"
#include "proc/admin/admin.h"
#include "proc/delivery/delivery.h"
#include "proc/fetcher/fetcher.h"
#include "proc/keyring/keyring.h"
#include "proc/lookup/lookup.h"
#include "proc/mailbox/mailbox.h"
#include "proc/pipe/pipe.h"
#include "proc/queue/queue.h"
#include "proc/reception/reception.h"
#include "proc/resolver/resolver.h"

static const struct proc_def procs[PROC_COUNT] = {
    [PROC_SUPERVISOR] = {.name = "supervisor"},
    [PROC_RECEPTION] = {.name = "reception",
        .user = "_postrider_reception",
        .per_core = true,
        .empty_root = true,
        .may = MAY_ACCEPT,
        .memory_mb_more = 8192,
        .routes = true,
        .role = &reception_role},
    [PROC_QUEUE] = {.name = "queue",
        .user = "_postrider_queue",
        .empty_root = true,
        .may = MAY_THREADS | MAY_USE_SPOOL,
        .routes = true,
        .role = &queue_role},
    [PROC_DELIVERY] = {.name = "delivery",
        .user = "_postrider_delivery",
        .per_core = true,
        .empty_root = true,
        .may = MAY_CONNECT_TCP | MAY_CONNECT_FROM,
        .memory_mb_more = 8192,
        .role = &delivery_role},
    [PROC_MAILBOX] = {.name = "mailbox",
        .user = "_postrider_mailbox",
        .empty_root = true,
        .may = MAY_THREADS | MAY_USE_MAILDIRS,
        .memory_mb_more = 4096,
        .role = &mailbox_role},
    /* As the user of its programs, who may all that it may, and so it is not held further. */
    [PROC_PIPE] = {.name = "pipe",
        .may = MAY_RUN_PROGRAMS,
        .descriptors_max = 4096,
        .routes = true,
        .role = &pipe_role},
    [PROC_LOOKUP] = {.name = "lookup",
        .user = "_postrider_lookup",
        .empty_root = true,
        .descriptors_max = 1024,
        .memory_mb_more = 2048,
        .routes = true,
        .role = &lookup_role},
    [PROC_RESOLVER] = {.name = "resolver",
        .user = "_postrider_resolver",
        .empty_root = true,
        .may = MAY_THREADS | MAY_ASK_DNS,
        .descriptors_max = 2048,
        .memory_mb_more = 2048,
        .role = &resolver_role},
    [PROC_FETCHER] = {.name = "fetcher",
        .user = "_postrider_fetcher",
        .empty_root = true,
        .may = MAY_THREADS | MAY_CONNECT_TCP | MAY_USE_POLICIES,
        .descriptors_max = 512,
        .memory_mb_more = 1024,
        .role = &fetcher_role},
    [PROC_KEYRING] = {.name = "keyring",
        .user = "_postrider_keyring",
        .empty_root = true,
        .may = MAY_THREADS | MAY_KEEP_SECRETS,
        .descriptors_max = 1024,
        .memory_mb_more = 4096,
        .role = &keyring_role},
    [PROC_ADMIN] = {.name = "admin",
        .user = "_postrider_admin",
        .empty_root = true,
        .may = MAY_ACCEPT,
        .descriptors_max = 1024,
        .memory_mb_more = 4096,
        .role = &admin_role},
};

static const struct proc_link_def links[] = {
    {PROC_RECEPTION, PROC_QUEUE, PROC_LINK_FRAMES},
    {PROC_RECEPTION, PROC_LOOKUP, PROC_LINK_FRAMES},
    {PROC_RECEPTION, PROC_KEYRING, PROC_LINK_FRAMES},
    {PROC_RECEPTION, PROC_KEYRING, PROC_LINK_SIGN},
    {PROC_KEYRING, PROC_LOOKUP, PROC_LINK_FRAMES},
    {PROC_QUEUE, PROC_DELIVERY, PROC_LINK_FRAMES},
    {PROC_QUEUE, PROC_MAILBOX, PROC_LINK_FRAMES},
    {PROC_QUEUE, PROC_PIPE, PROC_LINK_FRAMES},
    {PROC_QUEUE, PROC_LOOKUP, PROC_LINK_FRAMES},
    {PROC_QUEUE, PROC_ADMIN, PROC_LINK_FRAMES},
    {PROC_RECEPTION, PROC_RESOLVER, PROC_LINK_FRAMES},
    {PROC_DELIVERY, PROC_RESOLVER, PROC_LINK_FRAMES},
    {PROC_DELIVERY, PROC_KEYRING, PROC_LINK_FRAMES},
    {PROC_DELIVERY, PROC_FETCHER, PROC_LINK_FRAMES},
    {PROC_FETCHER, PROC_RESOLVER, PROC_LINK_FRAMES},
};

const struct proc_def *
proc_def(enum proc proc)
{
	check((unsigned)proc < PROC_COUNT);
	return &procs[proc];
}

const struct proc_link_def *
proc_link_def(size_t index)
{
	return index < LEN(links) ? &links[index] : NULL;
}

void
proc_policies_path(const struct conf *conf, char path[PROC_PATH_BYTES])
{
	snprintf(path, PROC_PATH_BYTES, "%.*s/tls-policies", SPAN_ARGS(conf->spool_path));
}

const char *
proc_user(enum proc proc, unsigned instance, const struct conf *conf)
{
	/* conf_parse ends its strings with NUL. */
	if (proc == PROC_PIPE && conf && instance < conf->pipe_user_count)
		return conf->pipe_users[instance].ptr;
	if (proc == PROC_MAILBOX && conf->mailbox_user.len > 0)
		return conf->mailbox_user.ptr;
	return procs[proc].user;
}

unsigned
proc_instances(enum proc proc, const struct conf *conf)
{
	unsigned count = 1;

	if (procs[proc].per_core)
		count = proc_cores();
	if (proc == PROC_RECEPTION && conf->reception_count > 0)
		count = conf->reception_count;
	if (proc == PROC_DELIVERY && conf->delivery_count > 0)
		count = conf->delivery_count;
	if (proc == PROC_PIPE)
		count = (unsigned)conf->pipe_user_count;
	return count < PROC_INSTANCES_MAX ? count : PROC_INSTANCES_MAX;
}
