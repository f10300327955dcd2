/* TLS is outside the simulation: nobody offers it, and nobody can start it. */
#include "tls/tls_peer.h"

#include "sim/sim_internal.h"

struct tls_context {
	bool verify;
};

enum err
tls_server_context_create(const struct tls_server_options *options,
    struct tls_context **context, struct tls_problem *problem)
{
	(void)options;
	*context = NULL;
	problem->why = "there is no TLS in the simulation";
	return ERR_UNSUPPORTED;
}

struct tls_tickets *
tls_tickets_create(void)
{
	return NULL;
}

void
tls_tickets_destroy(struct tls_tickets *tickets)
{
	check(tickets == NULL);
}

enum err
tls_tickets_set(struct tls_tickets *tickets, struct span newest, struct span before)
{
	(void)tickets;
	(void)newest;
	(void)before;
	return ERR_UNSUPPORTED;
}

bool
tls_is_resumed(const struct tls *tls)
{
	(void)tls;
	return false;
}

enum err
tls_client_context_create(bool verify, struct tls_context **context)
{
	*context = mem_alloc(sizeof(**context));
	(*context)->verify = verify;
	return OK;
}

enum err
tls_dane_context_create(struct tls_context **context)
{
	return tls_client_context_create(true, context);
}

struct tls *
tls_connect_dane(struct tls_context *context, struct span base, struct span domain,
    const struct span *records, size_t count)
{
	(void)domain;
	(void)records;
	(void)count;
	return tls_connect(context, base);
}

bool
tls_dane_is_usable(struct span record)
{
	(void)record;
	return false;
}

bool
tls_dane_is_issuer(struct span record)
{
	(void)record;
	return false;
}

void
tls_context_destroy(struct tls_context *context)
{
	mem_free(context);
}

struct tls *
tls_accept(struct tls_context *context)
{
	(void)context;
	sim_fail(sim_current()->sim, "TLS was accepted");
}

struct tls *
tls_connect(struct tls_context *context, struct span name)
{
	(void)context;
	(void)name;
	sim_fail(sim_current()->sim, "TLS was started");
}

void
tls_destroy(struct tls *tls)
{
	check(tls == NULL);
}

enum err
tls_input(struct tls *tls, struct span bytes)
{
	(void)tls;
	(void)bytes;
	return ERR_UNSUPPORTED;
}

enum err
tls_next(struct tls *tls, struct span *plain)
{
	(void)tls;
	*plain = SPAN("");
	return ERR_UNSUPPORTED;
}

bool
tls_is_ready(const struct tls *tls)
{
	return tls != NULL;
}

enum err
tls_write(struct tls *tls, struct span plain)
{
	(void)tls;
	(void)plain;
	return ERR_UNSUPPORTED;
}

void
tls_shut_down(struct tls *tls)
{
	(void)tls;
}

struct span
tls_output(const struct tls *tls)
{
	(void)tls;
	return SPAN("");
}

void
tls_output_done(struct tls *tls, size_t sent)
{
	(void)tls;
	(void)sent;
}

void
tls_describe(const struct tls *tls, struct buf *out)
{
	(void)tls;
	(void)out;
}

void
tls_binding_exporter(const struct tls *tls, struct buf *out)
{
	(void)tls;
	(void)out;
}

void
tls_binding_end_point(const struct tls *tls, struct buf *out)
{
	(void)tls;
	(void)out;
}

void
tls_peer_name(const struct tls *tls, struct buf *out)
{
	(void)tls;
	(void)out;
}

enum tls_fault
tls_failure_kind(const struct tls *tls)
{
	(void)tls;
	return TLS_FAULT_NONE;
}

const char *
tls_roots_file(void)
{
	return NULL;
}

void
tls_peer_judge(const struct tls *tls, const struct tls_context *roots, struct span name,
    struct tls_peer *peer)
{
	(void)tls;
	(void)roots;
	(void)name;
	*peer = (struct tls_peer){0};
}

const char *
tls_failure(const struct tls *tls)
{
	(void)tls;
	return "there is no TLS in the simulation";
}

enum err
tls_key_load(struct span pem, struct tls_key **key, const char **why)
{
	(void)pem;
	*key = NULL;
	*why = "there is no TLS in the simulation";
	return ERR_UNSUPPORTED;
}

void
tls_key_destroy(struct tls_key *key)
{
	check(key == NULL);
}

enum err
tls_key_sign(struct tls_key *key, enum tls_signature kind, struct span input, char *signature,
    size_t *signature_bytes)
{
	(void)key;
	(void)kind;
	(void)input;
	(void)signature;
	*signature_bytes = 0;
	return ERR_UNSUPPORTED;
}

enum err
tls_key_fits(const struct tls_key *key, struct span chain_pem)
{
	(void)key;
	(void)chain_pem;
	return ERR_UNSUPPORTED;
}
