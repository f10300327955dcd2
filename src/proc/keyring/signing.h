/*
 * The keyring's private keys, and the links by which each reception has them sign
 * (ipc/sign_wire.h).  A key is named by its certificate's place in the configuration.
 */
#pragma once

#include "proc/proc.h"

struct signing;

/* Loads the key of every certificate; NULL where one is refused: the log says why. */
struct signing *signing_create(struct proc_env *env);
/* Its links end and its keys go; nothing happens for NULL. */
void signing_destroy(struct signing *signing);
/* A reception's link for signatures; a new one takes the place of the old one. */
void signing_link(struct signing *signing, unsigned instance, struct io_stream *stream);
