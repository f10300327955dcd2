/*
 * The hosts of an attempt: those that DNS names, in their order, without this server and what comes
 * after it.
 */
#include "proc/delivery/delivery_internal.h"

#include <stdio.h>

#include "base/check.h"

static void
add_host(struct attempt *attempt, const struct ipc_host_entry *host)
{
	struct attempt_addr addr = {.preference = host->preference};

	if (!arena_copy(&attempt->arena, host->name, &addr.host) ||
	    !attempt_choose_tls(attempt, host, &addr))
		return;
	for (size_t i = 0;
	     i < host->addr_count && attempt->addr_count < DELIVERY_ADDRS_MAX; i++) {
		addr.addr = host->addrs[i];
		attempt->addrs[attempt->addr_count++] = addr;
	}
}

/* Whether we ourselves take mail there, as far as the configuration says at which address. */
static bool
is_ours(const struct attempt *attempt, const struct net_addr *addr)
{
	const struct conf *conf = attempt->delivery->conf;

	for (size_t i = 0; i < conf->listener_count; i++)
		if (conf->listeners[i].kind == CONF_LISTENER_SMTP &&
		    conf->listeners[i].addr.port == attempt_port(attempt) &&
		    net_addr_same_host(&conf->listeners[i].addr, addr))
			return true;
	return false;
}

static bool
host_is_ours(const struct attempt *attempt, const struct ipc_host_entry *host)
{
	bool ours = span_eq_nocase(host->name, attempt->delivery->conf->hostname);

	for (size_t i = 0; i < host->addr_count; i++)
		ours = ours || is_ours(attempt, &host->addrs[i]);
	return ours;
}

/*
 * Takes the hosts in their order, down to the first that is this server: beyond it mail would
 * come back (RFC 5321 section 5.1).  True where this server is the first.
 */
static bool
take_hosts(struct attempt *attempt, struct span blob)
{
	struct reader reader = reader_init(blob);
	struct ipc_host_entry host;

	uint16_t own = UINT16_MAX;
	bool is_own = false;

	while (attempt->host.len == 0 && ipc_host_next(&reader, &host))
		if (host_is_ours(attempt, &host)) {
			own = host.preference < own ? host.preference : own;
			is_own = true;
		}
	reader = reader_init(blob);
	while (ipc_host_next(&reader, &host))
		if (!is_own || host.preference < own)
			add_host(attempt, &host);
	return is_own && attempt->addr_count == 0;
}

/* Addresses that let time run out for other mail come last; otherwise the order stays. */
static void
put_silent_last(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;
	struct attempt_addr silent[DELIVERY_ADDRS_MAX];
	size_t silent_count = 0, good = 0;

	for (size_t i = 0; i < attempt->addr_count; i++) {
		struct net_addr to = attempt_to(attempt, i);

		if (health_wait_ms(&delivery->health, &to, io_now_ms(delivery->env->io)) > 0)
			silent[silent_count++] = attempt->addrs[i];
		else
			attempt->addrs[good++] = attempt->addrs[i];
	}
	for (size_t i = 0; i < silent_count; i++)
		attempt->addrs[good++] = silent[i];
}

static void
fail_unreachable(struct attempt *attempt, const char *status, const char *text)
{
	attempt_fail(attempt, IPC_DEFERRED, 0, status, text);
	attempt->unreachable = true;
}

void
attempt_use_hosts(struct attempt *attempt, struct span hosts)
{
	/* What an enforced policy names is as good as what is signed (RFC 8689 section 4.2.1). */
	if (attempt_wants_tls(attempt) && attempt->host.len == 0 && !attempt->hosts_secure &&
	    attempt->policy != IPC_POLICY_ENFORCE)
		attempt_fail(attempt, IPC_FAILED, 550, "5.7.30",
		    "the message demands TLS all the way (REQUIRETLS), but nothing "
		    "vouches for which servers take mail for this domain: its MX "
		    "records are not signed (DNSSEC)");
	else if (take_hosts(attempt, hosts))
		attempt_fail(attempt, IPC_FAILED, 554, "5.4.6",
		    "the mail exchanger of this domain is this server, which does not "
		    "accept mail for it; add it to \"accept mail for\", or say with "
		    "\"send mail for\" where its mail goes");
	else if (attempt->addr_count == 0 && !attempt->failure.status[0])
		fail_unreachable(
		    attempt, "4.4.4", "no mail exchanger of the domain has an address");
	if (attempt->addr_count == 0 || suspended_stops(attempt)) {
		attempt_finish(attempt);
		return;
	}
	put_silent_last(attempt);
	talk_start(attempt);
}

static void
take_found(struct attempt *attempt, const struct ipc_nd_found *found)
{
	attempt->hosts_secure = found->secure;
	if (!attempt_wants_policy(attempt)) {
		attempt_use_hosts(attempt, found->hosts);
	} else if (arena_copy(&attempt->arena, found->hosts, &attempt->hosts)) {
		attempt_ask_policy(attempt);
	} else {
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.3.0", "too many hosts");
		attempt_finish(attempt);
	}
}

void
attempt_hosts(struct attempt *attempt, const struct ipc_nd_found *found)
{
	char text[600];

	if (attempt->state != ATTEMPT_LOOKING_UP)
		return;
	recorder_hosts(attempt, found->hosts);
	snprintf(text, sizeof(text), "%.*s",
	    (int)(found->text.len < 500 ? found->text.len : 500), found->text.ptr);
	switch ((enum ipc_hosts)found->status) {
	case IPC_HOSTS_OK:
		take_found(attempt, found);
		return;
	case IPC_HOSTS_NO_DOMAIN:
		attempt_fail(attempt, IPC_FAILED, 550, "5.1.2", text);
		break;
	case IPC_HOSTS_NULL_MX:
		attempt_fail(attempt, IPC_FAILED, 556, "5.1.10",
		    "the domain accepts no mail (null MX)");
		break;
	case IPC_HOSTS_TRY_LATER:
		fail_unreachable(attempt, "4.4.3", text);
		break;
	case IPC_HOSTS_BOGUS:
	default:
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.4.3", text);
	}
	attempt_finish(attempt);
}
