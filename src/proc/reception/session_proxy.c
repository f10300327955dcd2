/*
 * Sessions whose client is another one than who connected: a proxy says so, with a PROXY header in
 * front of all else or with XCLIENT.  From there on everything is judged by that client.
 */
#include "proc/reception/reception_internal.h"

#include "base/check.h"
#include "smtp/proxy_header.h"

bool
session_is_of(const struct net_prefix *networks, size_t count, const struct net_addr *peer)
{
	for (size_t i = 0; i < count; i++)
		if (net_prefix_has(&networks[i], peer))
			return true;
	return false;
}

bool
session_may_lmtp(const struct conf *conf, const struct net_addr *peer)
{
	return net_addr_is_loopback(peer) ||
	    session_is_of(conf->relay_networks, conf->relay_network_count, peer);
}

bool
session_admit_lmtp(struct session *session)
{
	if (session->kind != CONF_LISTENER_LMTP ||
	    session_may_lmtp(session->reception->conf, &session->peer))
		return true;
	if (!session->tls)
		session_refuse_client(session->reception, session->stream, &session->peer,
		    session->kind, REPLY_LMTP_REFUSED);
	session_say_turned_away(
	    session->reception, &session->peer, REPLY_LMTP_REFUSED, LIMIT_COUNT);
	session_close(session);
	return false;
}

static void
say_speaks_for(struct session *session, const struct net_addr *client, const char *by)
{
	struct event event;

	session_event_begin(session, &event, "speaks_for");
	event_addr(&event, "address", client);
	event_str(&event, "by", by);
	event_end(&event);
}

/* False where the client may have no session: it was told, and the session is over. */
static bool
take_client(struct session *session, const struct net_addr *client, const char *by)
{
	const struct conf *conf = session->reception->conf;

	say_speaks_for(session, client, by);
	session->peer = *client;
	session->client_told = true;
	session->may_relay =
	    session_is_of(conf->relay_networks, conf->relay_network_count, client);
	if (!session_judge_again(session)) {
		session_close(session);
		return false;
	}
	return session_admit_lmtp(session);
}

bool
session_speak_for(struct session *session, const struct net_addr *client)
{
	if (client->family != 0)
		return take_client(session, client, "xclient");
	/* Where the client is was not said: it gets nothing for the proxy's own address. */
	if (!session->client_told)
		session->may_relay = false;
	return true;
}

void
session_await_header(struct session *session)
{
	session->header_awaited = true;
	session_start_delay(session, DELAY_HEADER,
	    limit_stress_time(&session->reception->stress,
		session->reception->conf->handshake_timeout_ms));
	session_read(session);
}

static void
refuse_header(struct session *session, const char *why, bool late)
{
	struct event event;

	session_event_begin(session, &event, "proxy_refused");
	if (late) {
		reception_met(session->reception, LIMIT_HANDSHAKE_TIME);
		event_str(&event, "limit", limit_name(LIMIT_HANDSHAKE_TIME));
	}
	event_str(&event, "text", why);
	event_str(&event, "advice",
	    "have the proxy send it (haproxy: send-proxy-v2), or take its address out of "
	    "\"take proxy header from\"");
	event_end(&event);
	session_close(session);
}

void
session_header_is_late(struct session *session)
{
	refuse_header(session, "no whole PROXY header came in time", true);
}

bool
session_take_header(struct session *session, struct span *bytes)
{
	size_t kept = session->held.len;
	struct proxy_header header;

	check(session->header_awaited && kept < PROXY_HEADER_BYTES_MAX);
	buf_add(&session->held, span_first(*bytes, PROXY_HEADER_BYTES_MAX - kept));
	switch (proxy_header_read(buf_span(&session->held), &header)) {
	case PROXY_HEADER_MORE:
		session_read(session);
		return false;
	case PROXY_HEADER_WRONG:
		refuse_header(session, header.wrong, false);
		return false;
	case PROXY_HEADER_DONE:
		break;
	}
	check(header.bytes > kept);
	*bytes = span_skip(*bytes, header.bytes - kept);
	buf_fini(&session->held);
	session->header_awaited = false;
	session_end_delay(session);
	/* No address: the proxy asks whether we live, or does not know its client. */
	session->may_relay = false;
	if (header.client.family == 0 ? !session_admit_lmtp(session)
	                              : !take_client(session, &header.client,
	                                    header.version == 1 ? "proxy_v1" : "proxy_v2"))
		return false;
	session_begin_anew(session);
	return true;
}
