/* Public keys are read once, at the start; a new file comes with a new process. */
#include "proc/lookup/tokens.h"

#include "base/arena.h"
#include "proc/proc_tables.h"

struct tokens {
	struct proc_env *env;
	struct token_keys *keys;
};

static void
say_refused(struct proc_env *env, const char *why)
{
	struct event event;

	event_begin(&event, &env->log, "token_keys_refused");
	event_span(&event, "file", env->conf->token_keys_path);
	event_str(&event, "text", why);
	event_end(&event);
}

struct tokens *
tokens_create(struct proc_env *env, bool *good)
{
	struct token_keys *keys = NULL;
	struct tokens *tokens;
	const char *why = NULL;
	struct buf text;
	enum err err;

	*good = true;
	if (env->conf->token_keys_path.len == 0)
		return NULL;
	buf_init(&text, TOKEN_KEYS_BYTES_MAX);
	err = proc_read_file(env, env->conf->token_keys_path, &text);
	if (!err)
		keys = token_keys_read(buf_span(&text), &why);
	buf_fini(&text);
	if (!keys) {
		say_refused(env, err ? err_text(err) : why);
		*good = false;
		return NULL;
	}
	tokens = mem_alloc(sizeof(*tokens));
	tokens->env = env;
	tokens->keys = keys;
	return tokens;
}

enum token_verdict
tokens_check(const struct tokens *tokens, struct span token, struct buf *login)
{
	const struct conf *conf = tokens->env->conf;
	const struct token_rules rules = {
	    .issuer = conf->token_issuer,
	    .audience = conf->token_audience,
	    .claim = conf->token_claim,
	    .scope = conf->token_scope,
	    .now_s = io_wall_ms(tokens->env->io) / 1000,
	};

	return token_check(tokens->keys, token, &rules, login);
}
