/*
 * Attempts without a message, for "postrider probe": all that delivery does until the session is
 * ready, and with recipients until they are answered.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"
#include "base/date.h"
#include "tls/tls_peer.h"

bool
attempt_is_probe(const struct attempt *attempt)
{
	return attempt->flags & IPC_MESSAGE_PROBE;
}

static void
record_certificate(const struct talk *talk)
{
	struct attempt *attempt = talk->attempt;
	const struct attempt_addr *addr = &attempt->addrs[attempt->addr_index];
	struct tls_peer peer;
	struct buf line;

	tls_peer_judge(talk->tls, talk->delivery->tls_verified, addr->host, &peer);
	buf_init(&line, TRANSCRIPT_LINE_MAX);
	buf_addf(&line, "for %s%s, valid until ", peer.names,
	    peer.name_fits ? "" : " (another name)");
	date_write(&line, peer.until_s > 0 ? (uint64_t)peer.until_s * 1000 : 0);
	if (peer.trusted)
		buf_add_str(&line, ", from a trusted issuer");
	else
		buf_addf(&line, ", not from a trusted issuer: %s", peer.why);
	recorder_fact(attempt, "certificate: ", buf_span(&line));
	buf_fini(&line);
}

bool
probe_ready(struct talk *talk)
{
	struct attempt *attempt = talk->attempt;
	const struct smtp_client_reply ready = {.code = 250, .text = SPAN("ready for mail")};

	if (!attempt_is_probe(attempt))
		return false;
	talk->spent = true;
	if (talk->tls)
		record_certificate(talk);
	else
		recorder_fact(attempt, "TLS: none", SPAN(""));
	if (attempt->rcpts[0].address.len > 0)
		return false;
	smtp_client_quit(talk->smtp, io_now_ms(talk->delivery->env->io));
	talk_flush(talk);
	for (size_t i = 0; i < attempt->rcpt_count; i++)
		attempt_tell(attempt, i, IPC_DELIVERED, &ready);
	attempt_finish(attempt);
	return true;
}
