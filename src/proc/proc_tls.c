/* From the configuration to TLS: what is wrong is said with the file or the statement. */
#include "proc/proc_tls.h"

#include <assert.h>

#include "base/check.h"

static_assert((int)CONF_CERTIFICATES_MAX <= (int)TLS_CERTIFICATES_MAX, "all of them fit");

static void
say(const struct event_log *log, const struct conf *conf, const struct tls_problem *problem,
    enum err err)
{
	bool is_file = problem->part == TLS_PART_CHAIN || problem->part == TLS_PART_CLIENTS;
	struct event event;

	event_begin(&event, log, is_file ? "certificate_refused" : "tls_refused");
	if (problem->part == TLS_PART_CHAIN)
		event_span(&event, "file", conf->certificates[problem->chain].path);
	else if (problem->part == TLS_PART_CLIENTS)
		event_span(&event, "file", conf->clients_path);
	else if (problem->part == TLS_PART_CIPHERS)
		event_span(&event, "ciphers", conf->tls_ciphers);
	else
		event_span(&event, "groups", conf->tls_groups);
	event_str(&event, "text", problem->why);
	event_err(&event, err);
	event_end(&event);
}

enum err
proc_tls_context(const struct event_log *log, const struct conf *conf,
    const struct tls_signer *signer, struct tls_tickets *tickets, struct tls_context **context)
{
	struct span chains[CONF_CERTIFICATES_MAX];
	struct tls_problem problem;
	const struct tls_server_options options = {
	    .chains = chains,
	    .chain_count = conf->certificate_count,
	    .signer = *signer,
	    .clients_pem = conf->clients_pem,
	    .only_tls13 = conf->tls_version_min == CONF_TLS_1_3,
	    .ciphers = conf->tls_ciphers,
	    .groups = conf->tls_groups,
	    .tickets = tickets,
	    .ticket_ms = conf->tls_ticket_ms,
	};
	enum err err;

	*context = NULL;
	if (conf->certificate_count == 0)
		return OK;
	for (size_t i = 0; i < conf->certificate_count; i++)
		chains[i] = conf->certificates[i].pem;
	err = tls_server_context_create(&options, context, &problem);
	if (err)
		say(log, conf, &problem, err);
	return err;
}
