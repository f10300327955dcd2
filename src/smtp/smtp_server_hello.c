/* What is said to EHLO and LHLO: every extension that this session has, and no other. */
#include "smtp/smtp_server_internal.h"

#include "base/date.h"
#include "smtp/smtp_xclient.h"

bool
smtp_server_is_for(const struct smtp_server *server, enum smtp_server_for who)
{
	return who == SMTP_SERVER_FOR_ALL || (who == SMTP_SERVER_FOR_LOGINS && server->login);
}

/* What the operator and the kind of listener decide. */
static void
offer_extensions(const struct smtp_server *server, struct buf *hello)
{
	const struct smtp_server_options *options = &server->options;
	unsigned offered = options->extensions;

	if (offered & SMTP_EXTENSION_BINARYMIME)
		buf_add_str(hello, "\nBINARYMIME");
	if (offered & SMTP_EXTENSION_DSN)
		buf_add_str(hello, "\nDSN");
	/* RFC 4865 section 3: the longest time, and until when that is. */
	if (offered & SMTP_EXTENSION_FUTURERELEASE) {
		buf_add_str(hello, "\nFUTURERELEASE ");
		buf_add_u64(hello, options->hold_max_s);
		buf_add_char(hello, ' ');
		date_write(hello, options->wall_ms + options->hold_max_s * 1000);
	}
	if (offered & SMTP_EXTENSION_DELIVERBY) {
		buf_add_str(hello, "\nDELIVERBY");
		if (options->by_min_s > 0) {
			buf_add_char(hello, ' ');
			buf_add_u64(hello, options->by_min_s);
		}
	}
	if (offered & SMTP_EXTENSION_MT_PRIORITY)
		buf_add_str(hello, "\nMT-PRIORITY");
	if ((offered & SMTP_EXTENSION_REQUIRETLS) && server->tls)
		buf_add_str(hello, "\nREQUIRETLS");
	if (offered & SMTP_EXTENSION_NO_SOLICITING) {
		buf_add_str(hello, "\nNO-SOLICITING");
		if (options->solicit_refused.len > 0)
			buf_add_char(hello, ' ');
		buf_add(hello, options->solicit_refused);
	}
}

/* RFC 9422: only what is a limit of this session. */
static void
offer_limits(const struct smtp_server_options *options, struct buf *hello)
{
	buf_add_str(hello, "\nLIMITS");
	if (options->messages_max < UINT64_MAX) {
		buf_add_str(hello, " MAILMAX=");
		buf_add_u64(hello, options->messages_max);
	}
	if (options->rcpt_max < UINT64_MAX) {
		buf_add_str(hello, " RCPTMAX=");
		buf_add_u64(hello, options->rcpt_max);
	}
}

static void
offer_commands(const struct smtp_server *server, struct buf *hello)
{
	const struct smtp_server_options *options = &server->options;

	if (options->tls_offered && !server->tls)
		buf_add_str(hello, "\nSTARTTLS");
	if (options->auth_mechanisms && server->tls) {
		buf_add_str(hello, "\nAUTH ");
		sasl_mechanisms_write(hello, options->auth_mechanisms);
	}
	if (options->extensions & SMTP_EXTENSION_ETRN)
		buf_add_str(hello, "\nETRN");
	if (smtp_server_is_for(server, options->vrfy))
		buf_add_str(hello, "\nVRFY");
	if (smtp_server_is_for(server, options->expn))
		buf_add_str(hello, "\nEXPN");
	if (options->xclient)
		buf_add_str(hello, "\nXCLIENT " SMTP_XCLIENT_ATTRIBUTES);
	buf_add_str(hello, "\nHELP");
}

void
smtp_server_hello_write(const struct smtp_server *server, struct buf *hello)
{
	const struct smtp_server_options *options = &server->options;

	buf_add(hello, span_first(options->hostname, ADDRESS_DOMAIN_BYTES_MAX));
	buf_add_str(hello, " greets you\nPIPELINING\nSIZE");
	/* RFC 1870 section 4: without a number there is no fixed limit. */
	if (options->message_bytes_max < UINT64_MAX) {
		buf_add_char(hello, ' ');
		buf_add_u64(hello, options->message_bytes_max);
	}
	buf_add_str(hello, "\n8BITMIME\nENHANCEDSTATUSCODES\nSMTPUTF8\nCHUNKING");
	offer_extensions(server, hello);
	if (options->extensions & SMTP_EXTENSION_LIMITS)
		offer_limits(options, hello);
	offer_commands(server, hello);
}
