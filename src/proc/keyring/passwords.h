/*
 * The table of passwords: a login's hash, and its SCRAM keys.
 *
 * Whoever asks gets as much work and the same kind of answer for a login that is not there: the
 * hash of another one is computed and the answer is no; salt and keys are made up, always the same
 * for the same login and the secret that the table keeps.
 */
#pragma once

#include "proc/proc.h"
#include "sasl/password.h"

struct passwords;
struct password_job;

/* NULL: it was said why not. */
struct passwords *passwords_create(struct proc_env *env);
/* Every login can do SCRAM, and there is one. */
bool passwords_have_scram(const struct passwords *passwords);
bool passwords_know(const struct passwords *passwords, struct span login);
/* The keys of the login; *known is false where they are made up. */
void passwords_keys(const struct passwords *passwords, struct span login,
    struct scram_keys *keys, bool *known);
/*
 * Checks a password on another thread, then calls done, unless the job was left.  NULL: too many
 * are under way.
 */
struct password_job *passwords_check(struct passwords *passwords, struct span login,
    struct span password, void (*done)(void *owner, bool right), void *owner);
/* Nobody waits for it any more.  NULL is nothing. */
void password_job_leave(struct password_job *job);
