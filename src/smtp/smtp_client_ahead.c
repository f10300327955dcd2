/*
 * A transaction that begins before the one before it has ended: MAIL, RCPT and DATA go out right
 * behind the end of a body (RFC 2920 section 3.1), so that a message costs one round trip.
 *
 * Nothing more is in doubt by that: the body follows when its DATA (RCPT, before BDAT) is answered,
 * and that is after the reply to the body before it.
 */
#include "smtp/smtp_client_internal.h"

bool
smtp_client_may_send_ahead(const struct smtp_client *client)
{
	return client->state == STATE_DOT && !client->lmtp && client->ahead_in_flight == 0 &&
	    (client->offers & OFFER_PIPELINING) && !client->eof;
}

bool
smtp_client_send_ahead(
    struct smtp_client *client, const struct smtp_client_mail *mail, uint64_t now_ms)
{
	size_t before = client->in_flight;

	smtp_client_note_time(client, now_ms);
	check(mail->rcpt_count >= 1 && mail->rcpt_count <= SMTP_CLIENT_RCPT_MAX);
	if (!smtp_client_may_send_ahead(client) || mail->envelope_only ||
	    smtp_client_cannot_have(client, mail))
		return false;
	smtp_client_copy_mail(&client->ahead, mail);
	smtp_client_say_envelope(client, &client->ahead.mail);
	client->ahead_in_flight = client->in_flight - before;
	client->ahead_dropped = false;
	return true;
}

void
smtp_client_drop_ahead(struct smtp_client *client)
{
	check(client->ahead_in_flight > 0 || smtp_client_has_ended(client));
	client->ahead_dropped = true;
}

void
smtp_client_mail_over(struct smtp_client *client)
{
	const struct smtp_client_copy was = client->now;

	if (client->ahead_in_flight == 0) {
		smtp_client_move(client, client->in_flight ? STATE_DRAIN : STATE_READY);
		return;
	}
	/* A body that ended early leaves the server in a transaction, where MAIL is out of turn. */
	if (client->ahead_dropped || client->in_flight > client->ahead_in_flight || client->open) {
		client->was_ahead = false;
		smtp_client_move(client, STATE_CLOSING);
		return;
	}
	client->now = client->ahead;
	client->ahead = was;
	client->ahead_in_flight = 0;
	client->lacks = false;
	client->was_ahead = true;
	smtp_client_begin_mail(client);
	smtp_client_move(client, STATE_MAIL);
}
