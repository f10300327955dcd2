/*
 * The limits of the queue's destinations, and the statement of the configuration behind
 * each: what an operator has to change.  Pure.
 */
#pragma once

#include "ipc/ipc_list.h"
#include "route/limits.h"

/*
 * The name that patterns are for, of a destination's key ("mx:DOMAIN", "host:HOST:PORT",
 * "lmtp:HOST:PORT", "via:HOST:PORT", "mailbox" and others): the domain, the host, or "".
 */
struct span queue_limits_name(struct span key);
const struct conf_limits *queue_limits_of(const struct conf *conf, struct span key);
/*
 * Adds the statement that makes mail for the destination wait: "rate 100 per 1 m, in destination
 * example.net"; or what is known of its site (a name, or "").  Nothing where no statement does.
 * far: the line to it is long.
 */
void queue_limits_write(struct buf *out, const struct conf *conf, struct span key,
    struct span site, bool far, enum ipc_why why);
