/* The keys of those who sign tokens, and what tokens must say, as the configuration has it. */
#pragma once

#include "proc/proc.h"
#include "sasl/token.h"

struct tokens;

/* Reads the keys.  NULL: there are none to be read, or *good is false and it was said why. */
struct tokens *tokens_create(struct proc_env *env, bool *good);
/* login gets who it is, where the token is good. */
enum token_verdict
tokens_check(const struct tokens *tokens, struct span token, struct buf *login);
