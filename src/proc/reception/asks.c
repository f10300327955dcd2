/*
 * What clients may ask for with MAIL and RCPT beyond addresses, and what the queue is told of it.
 * Who may have mail held, or go before others, are those who may relay: nobody else's wish costs
 * other mail its time.
 */
#include "proc/reception/reception_internal.h"

#include <assert.h>

#include "base/check.h"
#include "ipc/extras.h"

static_assert(SMTP_NOTIFY_NEVER == (int)IPC_NOTIFY_NEVER &&
        SMTP_NOTIFY_SUCCESS == (int)IPC_NOTIFY_SUCCESS &&
        SMTP_NOTIFY_FAILURE == (int)IPC_NOTIFY_FAILURE &&
        SMTP_NOTIFY_DELAY == (int)IPC_NOTIFY_DELAY && SMTP_RET_FULL == (int)IPC_RET_FULL &&
        SMTP_RET_HDRS == (int)IPC_RET_HDRS && SMTP_BY_RETURN == (int)IPC_BY_RETURN &&
        SMTP_BY_NOTIFY == (int)IPC_BY_NOTIFY && SMTP_PRIORITY_MAX == (int)IPC_PRIORITY_MAX &&
        SMTP_ENVID_BYTES_MAX == (int)IPC_ENVID_MAX && SMTP_ORCPT_BYTES_MAX == (int)IPC_ORCPT_MAX,
    "what is asked for is the same in the dialogue and on the link");

unsigned
asks_offered(const struct conf *conf, bool trusted)
{
	unsigned offered = SMTP_EXTENSION_DSN | SMTP_EXTENSION_DELIVERBY |
	    SMTP_EXTENSION_REQUIRETLS | SMTP_EXTENSION_BINARYMIME;

	if (!trusted)
		return offered;
	if (conf->hold_max_ms > 0)
		offered |= SMTP_EXTENSION_FUTURERELEASE;
	return offered | SMTP_EXTENSION_MT_PRIORITY;
}

uint8_t
asks_flags(const struct smtp_mail_parameters *mail)
{
	return (uint8_t)((mail->body == SMTP_BODY_8BITMIME ? IPC_MESSAGE_8BIT : 0) |
	    (mail->body == SMTP_BODY_BINARYMIME ? IPC_MESSAGE_BINARY : 0) |
	    (mail->smtputf8 ? IPC_MESSAGE_SMTPUTF8 : 0) |
	    (mail->requiretls ? IPC_MESSAGE_REQUIRETLS : 0));
}

static uint64_t
time_from(uint64_t wall_ms, int64_t s)
{
	uint64_t ms = (uint64_t)(s < 0 ? -s : s) * 1000;

	if (s >= 0)
		return wall_ms + ms;
	return ms < wall_ms ? wall_ms - ms : 1;
}

void
asks_write(struct buf *out, const struct smtp_mail_parameters *mail, const struct conf *conf,
    bool trusted, uint64_t wall_ms)
{
	struct ipc_extras extras = {
	    .ret = (enum ipc_ret)mail->ret,
	    .envid = mail->envid,
	    .by = (enum ipc_by)mail->by,
	    .by_trace = mail->by_trace,
	    .by_wall_ms = mail->by != SMTP_BY_NONE ? time_from(wall_ms, mail->by_s) : 0,
	};

	if (trusted && mail->hold_for_s > 0)
		extras.hold_until_wall_ms = wall_ms + mail->hold_for_s * 1000;
	else if (trusted)
		extras.hold_until_wall_ms = mail->hold_until_wall_ms;
	/* The session knows what time it was when it began, which may be long ago. */
	if (extras.hold_until_wall_ms > wall_ms + conf->hold_max_ms)
		extras.hold_until_wall_ms = wall_ms + conf->hold_max_ms;
	if (trusted && mail->has_priority) {
		extras.has_priority = true;
		extras.priority = mail->priority;
	}
	ipc_extras_write(out, &extras);
}
