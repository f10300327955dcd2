/* What is said of a dialogue to its owner: all lines, without the message and without secrets. */
#include "smtp/smtp_client_internal.h"

#include <stdio.h>

static void
tell_said(const struct smtp_client *client, enum smtp_client_way way, struct span line)
{
	client->said(client->said_owner, way, line, client->now_ms);
}

static bool
is_secret(const struct smtp_client *client)
{
	return BIT(client->state) &
	    (BIT(STATE_AUTH_PLAIN) | BIT(STATE_AUTH_LOGIN) | BIT(STATE_AUTH_USER) |
	        BIT(STATE_AUTH_END));
}

void
smtp_client_tell_command(const struct smtp_client *client, struct span line)
{
	if (is_secret(client))
		line = SPAN("[credentials]");
	else if (span_starts(line, SPAN("AUTH PLAIN ")))
		line = SPAN("AUTH PLAIN [credentials]");
	tell_said(client, SMTP_CLIENT_WE_SAID, line);
}

void
smtp_client_say_bytes(struct smtp_client *client, uint64_t count)
{
	char text[60];

	if (!client->said)
		return;
	snprintf(text, sizeof(text), "[the message: %llu bytes]", (unsigned long long)count);
	tell_said(client, SMTP_CLIENT_WE_SAID, span_str(text));
}

/* While we log in, the server may repeat what it was told: only its code is shown. */
void
smtp_client_hear(struct smtp_client *client, struct span line)
{
	struct span password = span_str(client->password);

	if (!client->said)
		return;
	if (is_secret(client) && line.len > 0 && line.ptr[0] == '3')
		line = span_first(line, 3);
	for (size_t i = 0; password.len > 0 && is_secret(client) && i < line.len; i++)
		if (span_starts(span_skip(line, i), password))
			line = span_first(line, i < 3 ? i : 3);
	tell_said(client, SMTP_CLIENT_THEY_SAID, line);
}
