/*
 * What TLS each host of an attempt gets: what the configuration, the message and the domain ask
 * for, brought together.  Nothing here makes it less than the strictest of them wants, but the
 * message itself with "TLS-Required: No" (RFC 8689 section 5), and then only what the domain wants.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "mime/header.h"

uint16_t
attempt_tlsa_port(const struct attempt *attempt)
{
	bool matter = attempt->tls_mode == CONF_TLS_MAY || attempt->tls_mode == CONF_TLS_DANE ||
	    attempt_wants_tls(attempt);

	return matter && attempt->tls_mode != CONF_TLS_IMPLICIT ? attempt_port(attempt) : 0;
}

/* The records of a host; how many. */
static size_t
records_of(struct span tlsa, struct span records[ATTEMPT_TLSA_COUNT_MAX])
{
	struct reader reader = reader_init(tlsa);
	size_t count = 0;

	while (reader.rest.len > 0 && !reader.failed && count < ATTEMPT_TLSA_COUNT_MAX)
		records[count++] = reader_bytes(&reader, IPC_TLSA_MAX);
	return reader.failed ? 0 : count;
}

/* Whether at least one of the records says something (RFC 7672 section 2.2). */
static bool
any_is_usable(struct span tlsa)
{
	struct span records[ATTEMPT_TLSA_COUNT_MAX];
	size_t count = records_of(tlsa, records);

	for (size_t i = 0; i < count; i++)
		if (tls_dane_is_usable(records[i]))
			return true;
	return false;
}

bool
attempt_tls_is_for_domain(const struct attempt_addr *addr)
{
	struct span records[ATTEMPT_TLSA_COUNT_MAX];
	size_t count = addr->tls == CONF_TLS_DANE ? records_of(addr->tlsa, records) : 0;

	for (size_t i = 0; i < count; i++)
		if (tls_dane_is_issuer(records[i]))
			return true;
	/* A policy that is tested is so on each session. */
	return addr->tested;
}

static void
refuse(struct attempt *attempt, struct span host, const char *why)
{
	struct buf text;

	buf_init(&text, IPC_TEXT_MAX);
	buf_add(&text, host);
	buf_addf(&text, " %s", why);
	buf_add_char(&text, '\0');
	attempt_fail(attempt, IPC_DEFERRED, 0, "4.7.5", text.ptr);
	buf_reset(&attempt->failure.remote);
	buf_add(&attempt->failure.remote, span_first(host, IPC_DOMAIN_MAX));
	buf_fini(&text);
}

/*
 * "TLS-Required: No": the sender would rather have it there than have it safe, and REQUIRETLS,
 * which says the opposite, counts more.  The header is in the first piece of the message.
 */
bool
attempt_waives(const struct attempt *attempt)
{
	return !attempt_wants_tls(attempt) &&
	    span_eq_nocase(
		header_find(buf_span(&attempt->body), SPAN("TLS-Required")), SPAN("No"));
}

/* What the domain's policy (MTA-STS) asks for; where there are records for DANE they count. */
static bool
choose_by_policy(
    struct attempt *attempt, const struct ipc_host_entry *host, struct attempt_addr *addr)
{
	bool named = attempt_policy_names(attempt, host->name);

	if (attempt->policy == IPC_POLICY_TESTING) {
		addr->tested = true;
		addr->not_listed = !named;
	}
	if (attempt->policy != IPC_POLICY_ENFORCE)
		return true;
	addr->by_policy = true;
	addr->tls = CONF_TLS_VERIFIED;
	if (named)
		return true;
	refuse(attempt, host->name,
	    "is not among the servers that the policy (MTA-STS) of the domain names");
	attempt_session_refused(
	    attempt, host->name, IPC_POLICY_KIND_STS, IPC_TLS_VALIDATION_FAILURE);
	return false;
}

/* Where the choice is ours and the domain's. */
static bool
choose(struct attempt *attempt, const struct ipc_host_entry *host, struct attempt_addr *addr)
{
	bool wants = attempt_wants_tls(attempt);

	addr->tls = wants ? CONF_TLS_VERIFIED : CONF_TLS_MAY;
	if (attempt_waives(attempt))
		return true;
	if (host->dane == IPC_DANE_NONE)
		return choose_by_policy(attempt, host, addr);
	addr->by_tlsa = true;
	if (host->dane == IPC_DANE_FAILED) {
		SIM_MARK("delivery.tlsa_failed");
		attempt_session_refused(
		    attempt, host->name, IPC_POLICY_KIND_TLSA, IPC_TLS_DNSSEC_INVALID);
		refuse(attempt, host->name,
		    "has no TLSA answer: its name servers are silent, or the answer is forged; "
		    "without it nobody knows whether the server is the right one");
		return false;
	}
	if (any_is_usable(host->tlsa))
		addr->tls = CONF_TLS_DANE;
	else if (attempt->policy == IPC_POLICY_ENFORCE)
		/* Records of no use say only that there is TLS; the policy says more. */
		return choose_by_policy(attempt, host, addr);
	else if (!wants)
		addr->tls = CONF_TLS_REQUIRED;
	return true;
}

bool
attempt_choose_tls(struct attempt *attempt, const struct ipc_host_entry *host,
    struct attempt_addr *addr)
{
	bool wants = attempt_wants_tls(attempt);

	addr->tls = attempt->tls_mode;
	if (!arena_copy(&attempt->arena, host->base, &addr->base) ||
	    !arena_copy(&attempt->arena, host->tlsa, &addr->tlsa))
		return false;
	if (attempt->tls_mode == CONF_TLS_DANE &&
	    (host->dane != IPC_DANE_RECORDS || !any_is_usable(host->tlsa))) {
		refuse(attempt, host->name,
		    host->dane == IPC_DANE_FAILED
			? "has no TLSA answer: its name servers are silent, or the answer is forged"
			: "has no TLSA records that DNSSEC vouches for, and \"tls dane\" is "
			  "demanded");
		return false;
	}
	if (attempt->tls_mode == CONF_TLS_IMPLICIT || attempt->tls_mode == CONF_TLS_DANE ||
	    attempt->tls_mode == CONF_TLS_VERIFIED)
		return true;
	if (wants || attempt->tls_mode == CONF_TLS_MAY)
		return choose(attempt, host, addr);
	return true;
}

struct tls *
attempt_tls(const struct attempt *attempt, const struct attempt_addr *addr)
{
	struct delivery *delivery = attempt->delivery;
	struct span records[ATTEMPT_TLSA_COUNT_MAX];

	if (addr->tls == CONF_TLS_DANE)
		return tls_connect_dane(delivery->tls_dane, addr->base, attempt->domain, records,
		    records_of(addr->tlsa, records));
	if (addr->tls == CONF_TLS_VERIFIED || addr->tls == CONF_TLS_IMPLICIT)
		return tls_connect(delivery->tls_verified, addr->host);
	return tls_connect(delivery->tls_any, addr->host);
}

void
attempt_note_tls(struct attempt *attempt, const struct tls *tls)
{
	const struct attempt_addr *addr = &attempt->addrs[attempt->addr_index];
	enum conf_tls mode = addr->tls;

	buf_reset(&attempt->tls_text);
	tls_describe(tls, &attempt->tls_text);
	buf_add_str(&attempt->tls_text,
	    mode == CONF_TLS_DANE                                      ? " verified by DANE"
		: mode == CONF_TLS_VERIFIED && addr->by_policy         ? " verified by MTA-STS"
		: mode == CONF_TLS_VERIFIED || mode == CONF_TLS_IMPLICIT ? " verified"
	                                                               : " not verified");
}
