/*
 * AUTH exchanges whose proof is not a password of our table: asked for by the keyring, answered by
 * Dovecot, or by the keys of those who sign tokens.
 */
#pragma once

#include "proc/proc.h"

struct lookup_auth;

/* Reads the keys of tokens; NULL: it was said why not. */
struct lookup_auth *lookup_auth_create(struct proc_env *env);
/* Rights are given up. */
void lookup_auth_start(struct lookup_auth *auth);
/* The keyring, in the place of an old one. */
void lookup_auth_keyring(struct lookup_auth *auth, struct io_stream *stream);
/* A connection to Dovecot. */
void lookup_auth_dovecot(struct lookup_auth *auth, struct io_stream *stream);
