/*
 * What happened in an attempt, step by step, for who wants to know why it failed.  The steps stay
 * here while it lasts; the queue keeps those of attempts that failed or were slow.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"

static uint64_t
now_ms(const struct attempt *attempt)
{
	return io_now_ms(attempt->delivery->env->io);
}

void
recorder_begin(struct attempt *attempt)
{
	const struct conf *conf = attempt->delivery->conf;

	transcript_init(&attempt->transcript,
	    conf->transcripts_max > 0 ? conf->transcript_bytes_max : 0, now_ms(attempt));
}

void
recorder_end(struct attempt *attempt)
{
	transcript_fini(&attempt->transcript);
}

void
recorder_fact(struct attempt *attempt, const char *what, struct span text)
{
	transcript_fact(&attempt->transcript, now_ms(attempt), "%s%.*s", what,
	    (int)(text.len < TRANSCRIPT_LINE_MAX ? text.len : TRANSCRIPT_LINE_MAX), text.ptr);
}

/* The attempt's own hosts, in the order in which they are tried. */
void
recorder_hosts(struct attempt *attempt, struct span blob)
{
	struct reader reader = reader_init(blob);
	struct ipc_host_entry host;
	struct buf line;

	while (attempt->transcript.half > 0 && ipc_host_next(&reader, &host)) {
		buf_init(&line, TRANSCRIPT_LINE_MAX);
		if (attempt->host.len == 0)
			buf_addf(&line, "MX %u ", host.preference);
		buf_add(&line, span_first(host.name, IPC_DOMAIN_MAX));
		for (size_t i = 0; i < host.addr_count && buf_space(&line) > 60; i++) {
			buf_add_char(&line, ' ');
			net_addr_write(&line, &host.addrs[i]);
		}
		if (host.addr_count == 0)
			buf_add_str(&line, " has no address");
		if (host.dane != IPC_DANE_NONE)
			buf_add_str(&line, host.dane == IPC_DANE_RECORDS ? " (TLSA records)"
								       : " (no TLSA answer)");
		recorder_fact(attempt, "DNS: ", buf_span(&line));
		buf_fini(&line);
	}
}

/* what: "connecting to " or the like. */
void
recorder_address(struct attempt *attempt, const char *what, unsigned port)
{
	const struct attempt_addr *to = &attempt->addrs[attempt->addr_index];
	struct buf line;

	if (attempt->transcript.half == 0)
		return;
	buf_init(&line, TRANSCRIPT_LINE_MAX);
	buf_add(&line, span_first(to->host, IPC_DOMAIN_MAX));
	if (to->addr.family) {
		buf_add_str(&line, " [");
		net_addr_write(&line, &to->addr);
		buf_addf(&line, "]:%u", port);
	}
	recorder_fact(attempt, what, buf_span(&line));
	buf_fini(&line);
}

void
recorder_source(struct attempt *attempt)
{
	struct buf line;

	if (attempt->transcript.half == 0 || !attempt->source.addr.family)
		return;
	buf_init(&line, TRANSCRIPT_LINE_MAX);
	net_addr_write(&line, &attempt->source.addr);
	buf_add_str(&line, ", as ");
	buf_add(&line, attempt->source.helo);
	recorder_fact(attempt, "from ", buf_span(&line));
	buf_fini(&line);
}

/* A line of the dialogue on a connection, for the attempt that has it. */
void
recorder_said(void *owner, enum smtp_client_way way, struct span line, uint64_t at_ms)
{
	const struct talk *talk = owner;
	struct attempt *attempt = talk->saying ? talk->saying : talk->attempt;

	if (attempt)
		transcript_add(&attempt->transcript,
		    way == SMTP_CLIENT_WE_SAID ? TRANSCRIPT_SENT : TRANSCRIPT_GOT, line, at_ms);
}

void
recorder_send(struct attempt *attempt)
{
	const struct delivery *delivery = attempt->delivery;
	const struct transcript *transcript = &attempt->transcript;
	struct ipc_dq_transcript message = {
	    .attempt = attempt->number,
	    .took_ms = now_ms(attempt) - transcript->start_ms,
	};
	struct buf steps;

	message.slow = delivery->conf->slow_attempt_ms > 0 &&
	    message.took_ms >= delivery->conf->slow_attempt_ms;
	if (transcript->half == 0 || !delivery->queue ||
	    (!attempt->troubled && !message.slow && !attempt_is_probe(attempt)))
		return;
	buf_init(&steps, IPC_TRANSCRIPT_MAX);
	transcript_write(transcript, &steps);
	message.steps = buf_span(&steps);
	ipc_dq_transcript_send(delivery->queue, &message);
	buf_fini(&steps);
}
