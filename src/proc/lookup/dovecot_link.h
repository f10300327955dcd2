/*
 * Connections to Dovecot's authentication service, and the exchanges that are under way there.
 *
 *     ask the supervisor --the socket--> greeting --DONE--> ready, until it is old --> retired
 *             ^                              |                |                          |
 *             '---a wait, doubled------------+----------------'   ends with its last request
 *
 * Lookup may not connect to anything: the supervisor does, to the socket that the configuration
 * names and to no other, and hands the connected socket over.  What Dovecot says is bounded,
 * parsed by sasl/dovecot.c, and believed: it is who knows.
 */
#pragma once

#include "proc/proc.h"
#include "sasl/dovecot.h"

struct dovecot_link;

/* What becomes of a request; the owner is whoever began it. */
struct dovecot_handlers {
	void *owner;
	/* Which mechanisms there are changed. */
	void (*offer)(void *owner, unsigned mechanisms);
	void (*challenge)(void *owner, void *request_owner, struct span challenge);
	/* The end of a request.  login: who it is, or, of a failure, who it was said to be. */
	void (*verdict)(void *owner, void *request_owner, enum ipc_auth result, struct span login,
	    struct span text);
};

struct dovecot_link *
dovecot_link_create(struct proc_env *env, const struct dovecot_handlers *handlers);
/* Rights are given up, and the supervisor can be asked. */
void dovecot_link_start(struct dovecot_link *link);
/* The supervisor has connected. */
void dovecot_link_open(struct dovecot_link *link, struct io_stream *stream);
/*
 * A new request, of which handlers tell later, never from within.  0: Dovecot is away, or has too
 * much to do.  client: its address.
 */
uint64_t dovecot_link_begin(struct dovecot_link *link, void *owner, enum sasl_mechanism mechanism,
    struct span client, bool has_response, struct span response);
/* False where the answer is too long for Dovecot; the request is still under way. */
bool dovecot_link_go_on(struct dovecot_link *link, uint64_t number, struct span response);
/* Nobody waits for the request any more. */
void dovecot_link_cancel(struct dovecot_link *link, uint64_t number);
