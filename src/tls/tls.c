/*
 * Sessions.  Bytes wait in two buffers of ours, which a small BIO shows to
 * OpenSSL; both are freed whenever they are empty, as is the buffer for
 * decrypted bytes, so that an idle connection costs only OpenSSL's own state.
 */
#include "tls/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/net.h"
#include "tls/tls_internal.h"

enum {
	RECORD_OVERHEAD_BYTES = 128, /* more than any cipher adds to a record */
	WRITE_BYTES_MAX = 1 << 30,
};

static const unsigned next_states[TLS_STATE_COUNT] = {
    [TLS_HANDSHAKE] = 1u << TLS_OPEN | 1u << TLS_ENDED | 1u << TLS_FAILED,
    [TLS_OPEN] = 1u << TLS_ENDED | 1u << TLS_FAILED,
    [TLS_ENDED] = 1u << TLS_FAILED,
    [TLS_FAILED] = 0,
};

/* The only place that writes tls->state. */
static void
move(struct tls *tls, enum tls_state next)
{
	check(next_states[tls->state] & 1u << next);
	tls->state = next;
	check((tls->state == TLS_FAILED) == (tls->failure != NULL));
}

static enum err
fail(struct tls *tls)
{
	tls_failure_explain(tls);
	ERR_clear_error();
	move(tls, TLS_FAILED);
	return ERR_CRYPTO;
}

static struct tls *
session_create(struct tls_context *context)
{
	struct tls *tls = mem_alloc(sizeof(*tls));
	BIO *bio = BIO_new(context->bio_method);

	tls->context = context;
	context->refs++;
	tls->ssl = SSL_new(context->ssl_ctx);
	check(tls->ssl != NULL && bio != NULL);
	check(SSL_set_app_data(tls->ssl, tls));
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	buf_init(&tls->in, TLS_INPUT_BYTES_MAX);
	buf_init(&tls->out, TLS_OUTPUT_BYTES_MAX);
	return tls;
}

struct tls *
tls_accept(struct tls_context *context)
{
	struct tls *tls;

	check(context->server);
	tls = session_create(context);
	tls_ticket_prepare(context, tls->ssl);
	SSL_set_accept_state(tls->ssl);
	return tls;
}

/* Says whom we want; false where that can't be said or checked. */
static bool
expect_name(struct tls *tls, struct span name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	struct net_addr addr;

	if (net_addr_parse(name, &addr) == OK)
		return !tls->context->verify ||
		       X509_VERIFY_PARAM_set1_ip_asc(param, tls->name);
	if (name.len == 0 || memchr(name.ptr, '\0', name.len))
		return false;
	if (!SSL_set_tlsext_host_name(tls->ssl, tls->name))
		return false;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return !tls->context->verify ||
	       X509_VERIFY_PARAM_set1_host(param, name.ptr, name.len);
}

/* The dot at the end of a full DNS name is not part of the name of a host. */
static struct span
without_dot(struct span name)
{
	return name.len > 1 && name.ptr[name.len - 1] == '.' ? span_first(name, name.len - 1)
	                                                     : name;
}

struct tls *
tls_client_create(struct tls_context *context, struct span name)
{
	struct tls *tls;

	check(!context->server);
	tls = session_create(context);
	SSL_set_connect_state(tls->ssl);
	tls->name = mem_copy(without_dot(name));
	return tls;
}

void
tls_fail_early(struct tls *tls, struct span why)
{
	check(tls->state == TLS_HANDSHAKE && !tls->failure);
	tls->failure = mem_copy(why);
	move(tls, TLS_FAILED);
}

struct tls *
tls_connect(struct tls_context *context, struct span name)
{
	struct tls *tls = tls_client_create(context, name);

	if (!expect_name(tls, without_dot(name)) && context->verify)
		tls_fail_early(
		    tls, SPAN("there is no server name to check the certificate against"));
	ERR_clear_error();
	return tls;
}

static void
free_plain(struct tls *tls)
{
	if (!tls->plain)
		return;
	mem_wipe(tls->plain, tls->plain_bytes);
	mem_free(tls->plain);
	tls->plain = NULL;
	tls->plain_bytes = 0;
}

void
tls_destroy(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	tls_context_destroy(tls->context);
	free_plain(tls);
	buf_fini(&tls->in);
	buf_fini(&tls->out);
	mem_free(tls->failure);
	mem_free(tls->name);
	mem_free(tls);
}

/* Drops what OpenSSL has taken; with nothing left the memory goes too. */
static void
tidy_input(struct tls *tls)
{
	buf_consume(&tls->in, tls->in_used);
	tls->in_used = 0;
	if (tls->in.len == 0)
		buf_fini(&tls->in);
}

enum err
tls_input(struct tls *tls, struct span bytes)
{
	if (tls->state == TLS_FAILED)
		return ERR_BROKEN;
	if (tls->state == TLS_ENDED || bytes.len == 0)
		return OK;
	tidy_input(tls);
	if (bytes.len > buf_space(&tls->in))
		return ERR_TOO_LONG;
	if (tls->state == TLS_HANDSHAKE) {
		struct span first =
		    span_first(bytes, sizeof(tls->first) - tls->first_bytes);

		memcpy(tls->first + tls->first_bytes, first.ptr, first.len);
		tls->first_bytes += first.len;
	}
	buf_add(&tls->in, bytes);
	return buf_finish(&tls->in);
}

/* What the result of an SSL call means, once it is not success. */
static enum err
stopped(struct tls *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);

	if (error == SSL_ERROR_WANT_READ) {
		free_plain(tls);
		tidy_input(tls);
		return ERR_AGAIN;
	}
	if (error == SSL_ERROR_ZERO_RETURN) {
		free_plain(tls);
		move(tls, TLS_ENDED);
		return ERR_END;
	}
	return fail(tls);
}

static enum err
shake_hands(struct tls *tls)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(tls->ssl);
	if (result != 1)
		return stopped(tls, result);
	move(tls, TLS_OPEN);
	return OK;
}

static enum err
decrypt(struct tls *tls, struct span *plain)
{
	int result;

	if (!tls->plain)
		tls->plain = mem_alloc(TLS_PLAIN_BYTES);
	ERR_clear_error();
	result = SSL_read(tls->ssl, tls->plain, TLS_PLAIN_BYTES);
	if (result <= 0)
		return stopped(tls, result);
	*plain = span_of(tls->plain, (size_t)result);
	if (plain->len > tls->plain_bytes)
		tls->plain_bytes = plain->len;
	return OK;
}

enum err
tls_next(struct tls *tls, struct span *plain)
{
	*plain = span_of("", 0);
	switch (tls->state) {
	case TLS_HANDSHAKE:
		return shake_hands(tls);
	case TLS_OPEN:
		return decrypt(tls, plain);
	case TLS_ENDED:
		return ERR_END;
	case TLS_FAILED:
	case TLS_STATE_COUNT:
		break;
	}
	check(tls->state == TLS_FAILED);
	return ERR_CRYPTO;
}

bool
tls_is_ready(const struct tls *tls)
{
	return tls->state == TLS_OPEN;
}

enum err
tls_write(struct tls *tls, struct span plain)
{
	size_t records = plain.len / TLS_PLAIN_BYTES + 1;
	int result;

	if (tls->state == TLS_HANDSHAKE)
		return ERR_AGAIN;
	if (tls->state == TLS_FAILED)
		return ERR_BROKEN;
	if (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)
		return ERR_CLOSED;
	if (plain.len == 0)
		return OK;
	if (plain.len > WRITE_BYTES_MAX ||
	    plain.len + records * RECORD_OVERHEAD_BYTES > buf_space(&tls->out))
		return ERR_TOO_LONG;
	ERR_clear_error();
	result = SSL_write(tls->ssl, plain.ptr, (int)plain.len);
	if (result <= 0)
		return fail(tls);
	check((size_t)result == plain.len);
	return OK;
}

void
tls_shut_down(struct tls *tls)
{
	if (tls->state != TLS_OPEN && tls->state != TLS_ENDED)
		return;
	/* 0 says only that the peer's own close_notify is not here yet. */
	ERR_clear_error();
	(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

struct span
tls_output(const struct tls *tls)
{
	return buf_span(&tls->out);
}

void
tls_output_done(struct tls *tls, size_t sent)
{
	check(sent <= tls->out.len);
	buf_consume(&tls->out, sent);
	if (tls->out.len == 0)
		buf_fini(&tls->out);
}

bool
tls_is_resumed(const struct tls *tls)
{
	return SSL_session_reused(tls->ssl) == 1;
}

void
tls_describe(const struct tls *tls, struct buf *out)
{
	if (!SSL_is_init_finished(tls->ssl))
		return;
	buf_addf(out, "%s %s", SSL_get_version(tls->ssl), SSL_get_cipher_name(tls->ssl));
}

const char *
tls_failure(const struct tls *tls)
{
	return tls->failure ? tls->failure : "";
}
