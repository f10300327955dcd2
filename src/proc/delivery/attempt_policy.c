/*
 * The policies of domains (MTA-STS, RFC 8461): asked of the fetcher once the hosts are known.  How
 * sessions went is told to it, for reports (TLSRPT, RFC 8460): those with the servers of a mail
 * domain, not those with smart hosts, which the operator chose.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "mailauth/sts_policy.h"
#include "tls/tls_peer.h"

static bool
is_literal(const struct attempt *attempt)
{
	return attempt->domain.len > 0 && attempt->domain.ptr[0] == '[';
}

bool
attempt_wants_policy(const struct attempt *attempt)
{
	return attempt->delivery->conf->tls_policies && attempt->host.len == 0 &&
	    (attempt->tls_mode == CONF_TLS_MAY ||
		(attempt_wants_tls(attempt) && attempt->tls_mode != CONF_TLS_IMPLICIT)) &&
	    !is_literal(attempt) && !attempt_waives(attempt);
}

void
attempt_ask_policy(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;
	struct ipc_df_policy ask = {.domain = attempt->ascii};

	attempt->state = ATTEMPT_POLICY;
	if (!delivery->fetcher) {
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.3.0",
		    "the fetcher of TLS policies is starting");
		attempt_finish(attempt);
		return;
	}
	ask.query = delivery_ask(attempt);
	ipc_df_policy_send(delivery->fetcher, &ask);
}

static void
record(struct attempt *attempt, const struct ipc_fd_policy *policy)
{
	struct reader reader = reader_init(policy->hosts);
	struct buf line;

	if (attempt->transcript.half == 0 ||
	    (policy->mode == IPC_POLICY_NONE && policy->text.len == 0))
		return;
	buf_init(&line, TRANSCRIPT_LINE_MAX);
	if (policy->mode == IPC_POLICY_NONE) {
		buf_add_str(&line, "no policy could be fetched: ");
		buf_add(&line, span_first(policy->text, TRANSCRIPT_LINE_MAX / 2));
	} else {
		buf_addf(&line, "policy %.*s, %s:", SPAN_ARGS(policy->id),
		    policy->mode == IPC_POLICY_ENFORCE ? "enforce" : "testing");
		while (reader.rest.len > 0 && !reader.failed && buf_space(&line) > 0) {
			buf_add_char(&line, ' ');
			buf_add(&line,
			    span_first(reader_bytes(&reader, IPC_DOMAIN_MAX), buf_space(&line)));
		}
	}
	recorder_fact(attempt, "MTA-STS: ", buf_span(&line));
	buf_fini(&line);
}

void
attempt_policy(struct attempt *attempt, const struct ipc_fd_policy *policy)
{
	if (attempt->state != ATTEMPT_POLICY)
		return;
	record(attempt, policy);
	if (policy->mode == IPC_POLICY_TESTING)
		SIM_MARK("delivery.policy_tested");
	attempt->policy = (enum ipc_policy)policy->mode;
	if (!arena_copy(&attempt->arena, policy->hosts, &attempt->policy_hosts)) {
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.3.0", "too large a policy");
		attempt_finish(attempt);
		return;
	}
	attempt_use_hosts(attempt, attempt->hosts);
}

bool
attempt_policy_names(const struct attempt *attempt, struct span host)
{
	struct reader reader = reader_init(attempt->policy_hosts);

	while (reader.rest.len > 0 && !reader.failed)
		if (sts_name_fits(reader_bytes(&reader, IPC_DOMAIN_MAX), host))
			return true;
	return false;
}

static void
tell(struct attempt *attempt, struct span host, const struct net_addr *addr,
    enum ipc_policy_kind kind, enum ipc_tls_result result, struct span reason)
{
	struct delivery *delivery = attempt->delivery;
	struct ipc_df_session session = {
	    .kind = (uint8_t)kind,
	    .result = (uint8_t)result,
	    .domain = attempt->ascii,
	    .host = host,
	    .reason = span_first(reason, IPC_REPLY_MAX),
	};
	struct buf text;

	if (attempt->host.len > 0 || is_literal(attempt) || !delivery->fetcher)
		return;
	buf_init(&text, NET_TEXT_MAX);
	if (addr)
		net_addr_write(&text, addr);
	session.address = buf_span(&text);
	ipc_df_session_send(delivery->fetcher, &session);
	buf_fini(&text);
}

void
attempt_session_refused(struct attempt *attempt, struct span host, enum ipc_policy_kind kind,
    enum ipc_tls_result result)
{
	tell(attempt, host, NULL, kind, result, buf_span(&attempt->failure.text));
}

static enum ipc_policy_kind
kind_of(const struct attempt_addr *addr)
{
	return addr->by_policy || addr->tested ? IPC_POLICY_KIND_STS
	    : addr->by_tlsa                    ? IPC_POLICY_KIND_TLSA
					       : IPC_POLICY_KIND_NONE;
}

/* What a policy that is tried out would have refused; "" in why where nothing. */
static enum ipc_tls_result
test_session(const struct talk *talk, const struct attempt_addr *addr, const char **why)
{
	const struct delivery *delivery = talk->delivery;
	const int64_t now_s = (int64_t)(io_wall_ms(delivery->env->io) / 1000);
	struct tls_peer peer;

	*why = "";
	if (addr->not_listed) {
		*why = "the policy does not name this server";
		return IPC_TLS_VALIDATION_FAILURE;
	}
	if (!talk->tls) {
		*why = "the server does not offer STARTTLS";
		return IPC_TLS_STARTTLS_NOT_SUPPORTED;
	}
	tls_peer_judge(talk->tls, delivery->tls_verified, addr->host, &peer);
	if (!peer.trusted)
		*why = "the certificate comes from an issuer that is not trusted";
	else if (!peer.name_fits)
		*why = "the certificate is for other names";
	else if (now_s < peer.from_s || now_s > peer.until_s)
		*why = "the certificate has expired, or is not valid yet";
	return !peer.trusted ? IPC_TLS_CERTIFICATE_NOT_TRUSTED
	    : !peer.name_fits ? IPC_TLS_CERTIFICATE_HOST_MISMATCH
	    : **why           ? IPC_TLS_CERTIFICATE_EXPIRED
			      : IPC_TLS_SUCCESS;
}

static void
say_tested(struct attempt *attempt, const char *why)
{
	struct event event;

	attempt_event_begin(attempt, &event, "tls_policy_failed");
	event_span(&event, "domain", attempt->domain);
	event_str(&event, "mode", "testing");
	event_str(&event, "text", why);
	event_end(&event);
	recorder_fact(attempt, "MTA-STS, testing: with \"enforce\" this would have failed: ",
	    span_str(why));
}

void
attempt_session_opened(struct talk *talk)
{
	struct attempt *attempt = talk->attempt;
	const struct attempt_addr *addr = &attempt->addrs[attempt->addr_index];
	enum ipc_tls_result result =
	    talk->tls ? IPC_TLS_SUCCESS : IPC_TLS_STARTTLS_NOT_SUPPORTED;
	const char *why = "";

	/* What failed before, and is tried in the clear, was told. */
	if (attempt->without_tls)
		return;
	if (addr->tested)
		result = test_session(talk, addr, &why);
	if (*why)
		say_tested(attempt, why);
	tell(attempt, addr->host, &addr->addr, kind_of(addr), result, span_str(why));
}

void
attempt_session_failed(struct talk *talk)
{
	static const enum ipc_tls_result results[] = {
	    [TLS_FAULT_NONE] = IPC_TLS_VALIDATION_FAILURE,
	    [TLS_FAULT_NAME] = IPC_TLS_CERTIFICATE_HOST_MISMATCH,
	    [TLS_FAULT_EXPIRED] = IPC_TLS_CERTIFICATE_EXPIRED,
	    [TLS_FAULT_UNTRUSTED] = IPC_TLS_CERTIFICATE_NOT_TRUSTED,
	    [TLS_FAULT_DANE] = IPC_TLS_VALIDATION_FAILURE,
	    [TLS_FAULT_OTHER] = IPC_TLS_VALIDATION_FAILURE,
	};
	struct attempt *attempt = talk->attempt;
	const struct attempt_addr *addr = &attempt->addrs[attempt->addr_index];
	enum ipc_tls_result result = talk->tls ? results[tls_failure_kind(talk->tls)]
					       : IPC_TLS_STARTTLS_NOT_SUPPORTED;

	tell(attempt, addr->host, &addr->addr, kind_of(addr), result,
	    talk->tls ? span_str(tls_failure(talk->tls)) : SPAN("no STARTTLS"));
}
