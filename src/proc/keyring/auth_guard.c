/*
 * Who may try, and how late a failure is told.
 *
 * Counted are the client's address (of IPv6 the /64, which is one customer) and the login that was
 * tried, whether it exists or not.  An address from which a login succeeded is its friend for a
 * day: somebody who fails for that login elsewhere on purpose does not lock its user out.
 */
#include "proc/keyring/auth_internal.h"

#include "base/net.h"

enum { KEY_BYTES_MAX = SASL_LOGIN_BYTES_MAX + 64 };

/* The address as it is counted. */
static void
write_host(struct exchange *exchange)
{
	struct net_addr addr;

	if (exchange->host.len > 0)
		return;
	buf_init(&exchange->host, 32);
	if (net_addr_parse(buf_span(&exchange->client), &addr))
		addr = (struct net_addr){0};
	buf_add_char(&exchange->host, (char)addr.family);
	buf_add(
	    &exchange->host, span_of((const char *)addr.bytes, addr.family == 6 ? 8 : 4));
}

/* The login in lower case, and behind it the host, where it is asked for. */
static struct span
write_key(char key[static KEY_BYTES_MAX], struct span login, struct span host)
{
	login = span_first(login, SASL_LOGIN_BYTES_MAX);
	span_lower(key, login);
	if (host.len > 0)
		memcpy(key + login.len, host.ptr, host.len);
	return span_of(key, login.len + host.len);
}

/* How long the login must pause, for this client; "": not at all. */
static uint64_t
login_wait_ms(struct exchange *exchange, struct span login, uint64_t now_ms)
{
	struct auth *auth = exchange->peer->auth;
	const struct conf *conf = auth->env->conf;
	char key[KEY_BYTES_MAX];

	if (login.len == 0 ||
	    guard_knows(
		auth->friends, write_key(key, login, buf_span(&exchange->host)), now_ms))
		return 0;
	return guard_wait_ms(auth->logins, write_key(key, login, SPAN("")),
	    conf->auth_failures_per_login_max, conf->auth_pause_ms, now_ms);
}

static void
conclude_too_many(struct exchange *exchange, struct span login, uint64_t wait_ms)
{
	char seconds[24];
	struct buf text;

	buf_init(&text, sizeof(seconds));
	buf_add_u64(&text, wait_ms / 1000 + 1);
	auth_conclude(exchange, IPC_AUTH_TOO_MANY, login, buf_span(&text));
	buf_fini(&text);
}

bool
auth_may_try(struct exchange *exchange, struct span login)
{
	struct auth *auth = exchange->peer->auth;
	const struct conf *conf = auth->env->conf;
	uint64_t now_ms = io_now_ms(auth->env->io), wait_ms, more_ms;
	char key[KEY_BYTES_MAX];

	write_host(exchange);
	wait_ms = guard_wait_ms(auth->hosts, buf_span(&exchange->host),
	    conf->auth_failures_per_host_max, conf->auth_pause_ms, now_ms);
	more_ms = login_wait_ms(exchange, login, now_ms);
	if (more_ms > wait_ms)
		wait_ms = more_ms;
	if (wait_ms > 0) {
		conclude_too_many(exchange, login, wait_ms);
		return false;
	}
	exchange->judged = true;
	exchange->failures = guard_count(auth->hosts, buf_span(&exchange->host), now_ms);
	if (login.len > 0) {
		guard_count(auth->logins, write_key(key, login, SPAN("")), now_ms);
		exchange->login_counted = true;
	}
	return true;
}

bool
auth_may_be_told(struct exchange *exchange, struct span login)
{
	uint64_t wait_ms =
	    login_wait_ms(exchange, login, io_now_ms(exchange->peer->auth->env->io));

	if (wait_ms > 0)
		conclude_too_many(exchange, login, wait_ms);
	return wait_ms == 0;
}

uint64_t
auth_judge(struct exchange *exchange, enum ipc_auth result, struct span login)
{
	struct auth *auth = exchange->peer->auth;
	uint64_t now_ms = io_now_ms(auth->env->io), told_ms;
	char key[KEY_BYTES_MAX];

	if (!exchange->judged)
		return 0;
	/* Dovecot may call it by another name. */
	if (exchange->login_counted)
		login = sasl_login(exchange->sasl);
	if (result == IPC_AUTH_DENIED) {
		/*
		 * Lookup tells whose it was only now.  A token is no guess at a password: whoever
		 * makes up such must not lock a user out.
		 */
		if (!exchange->login_counted && login.len > 0 &&
		    !sasl_is_token(exchange->mechanism))
			guard_count(
			    auth->logins, write_key(key, login, SPAN("")), now_ms);
		told_ms = exchange->since_ms + guard_delay_ms(exchange->failures,
						   auth->env->conf->auth_delay_ms);
		return told_ms > now_ms ? told_ms - now_ms : 0;
	}
	guard_take_back(auth->hosts, buf_span(&exchange->host));
	if (result == IPC_AUTH_OK) {
		guard_forget(auth->logins, write_key(key, login, SPAN("")));
		guard_forget(
		    auth->friends, write_key(key, login, buf_span(&exchange->host)));
		guard_count(auth->friends,
		    write_key(key, login, buf_span(&exchange->host)), now_ms);
	} else if (exchange->login_counted) {
		guard_take_back(auth->logins, write_key(key, login, SPAN("")));
	}
	return 0;
}
