/* The keyring's part in AUTH; see auth.c. */
#pragma once

#include "proc/proc.h"

struct auth;

/* Reads the passwords; NULL: it was said why not. */
struct auth *auth_create(struct proc_env *env);
/* A link to a reception, or to lookup, in the place of an old one. */
void
auth_link(struct auth *auth, enum proc peer, unsigned instance, struct io_stream *stream);
/* The link to a reception; NULL where there is none. */
struct ipc_channel *auth_channel(const struct auth *auth, unsigned instance);
