/* The TLS context for clients that a configuration means, for whoever needs one. */
#pragma once

#include "proc/proc.h"
#include "tls/tls.h"

/*
 * *context is NULL where there is no certificate.  On an error the log says what is wrong.  tickets
 * may be NULL.
 */
MUST_USE enum err proc_tls_context(const struct event_log *log, const struct conf *conf,
    const struct tls_signer *signer, struct tls_tickets *tickets,
    struct tls_context **context);
