/* How long the other server may take, and how long it took. */
#include "smtp/smtp_client_internal.h"

void
smtp_client_touch(struct smtp_client *client)
{
	client->wait_ms = client->line_ms = client->now_ms;
}

void
smtp_client_note_quickness(struct smtp_client *client)
{
	uint64_t ms = client->now_ms - client->asked_ms;

	if (client->asked_ms == 0)
		return;
	client->asked_ms = 0;
	if (ms < client->quickest_ms)
		client->quickest_ms = ms;
}

/* A server that forgets what came behind a body is not waited for as one that thinks. */
static uint64_t
reply_timeout_ms(const struct smtp_client *client)
{
	if (client->state == STATE_MAIL && client->was_ahead &&
	    client->reply_timeout_ms > SMTP_CLIENT_AHEAD_REPLY_MS)
		return SMTP_CLIENT_AHEAD_REPLY_MS;
	return client->reply_timeout_ms;
}

/*
 * The end of all replies together, each of which may come just in time: to what comes before the
 * body; with LMTP, to the body.
 */
static uint64_t
all_end_ms(const struct smtp_client *client)
{
	const uint64_t timeout_ms = client->reply_timeout_ms;
	const uint64_t ms = SMTP_CLIENT_ALL_REPLIES * timeout_ms +
	    client->now.mail.rcpt_count * (timeout_ms / SMTP_CLIENT_RCPT_SHARE);

	switch ((int)client->state) {
	case STATE_RSET:
	case STATE_MAIL:
	case STATE_RCPT:
	case STATE_DATA:
	case STATE_DRAIN:
		return client->begun_ms + ms;
	case STATE_DOT:
		return client->lmtp ? client->end_ms + ms : UINT64_MAX;
	default:
		return UINT64_MAX;
	}
}

uint64_t
smtp_client_deadline_ms(const struct smtp_client *client)
{
	uint64_t timeout_ms = reply_timeout_ms(client);
	uint64_t line_end_ms = client->line_ms + timeout_ms;
	uint64_t reply_end_ms = client->wait_ms + 2 * timeout_ms;
	uint64_t end_ms = all_end_ms(client);

	if (!smtp_client_is_timed(client))
		return UINT64_MAX;
	if (line_end_ms < end_ms)
		end_ms = line_end_ms;
	return reply_end_ms < end_ms ? reply_end_ms : end_ms;
}

void
smtp_client_tick(struct smtp_client *client, uint64_t now_ms)
{
	smtp_client_note_time(client, now_ms);
	if (client->now_ms >= smtp_client_deadline_ms(client))
		smtp_client_fail(client, ERR_TIMEOUT);
}

uint64_t
smtp_client_quickest_ms(const struct smtp_client *client)
{
	return client->quickest_ms;
}
