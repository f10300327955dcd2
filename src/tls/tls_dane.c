/*
 * DANE for SMTP (RFC 7672): OpenSSL holds the chain against the TLSA records.  Of the usages only
 * DANE-TA(2) and DANE-EE(3) are of use between mail servers (section 3.1.3): which public issuers
 * a sender trusts is nothing that a domain could know.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum { USAGE_TA = 2, USAGE_EE = 3, SELECTOR_MAX = 1, HEAD_BYTES = 3 };

enum { MATCH_WHOLE, MATCH_SHA256, MATCH_SHA512 };

bool
tls_dane_is_usable(struct span record)
{
	size_t bytes = record.len - HEAD_BYTES;
	uint8_t match;

	if (record.len <= HEAD_BYTES ||
	    ((uint8_t)record.ptr[0] != USAGE_TA && (uint8_t)record.ptr[0] != USAGE_EE) ||
	    (uint8_t)record.ptr[1] > SELECTOR_MAX)
		return false;
	match = (uint8_t)record.ptr[2];
	return match == MATCH_WHOLE || (match == MATCH_SHA256 && bytes == 32) ||
	    (match == MATCH_SHA512 && bytes == 64);
}

bool
tls_dane_is_issuer(struct span record)
{
	return tls_dane_is_usable(record) && (uint8_t)record.ptr[0] == USAGE_TA;
}

enum err
tls_dane_context_create(struct tls_context **context)
{
	struct tls_context *made = tls_context_create(false);

	made->ssl_ctx = tls_context_ssl_ctx(false);
	made->verify = true;
	check(SSL_CTX_dane_enable(made->ssl_ctx) == 1);
	/* RFC 7672 section 3.1.1: who has the key is right, whatever names the certificate has. */
	SSL_CTX_dane_set_flags(made->ssl_ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	SSL_CTX_set_verify(made->ssl_ctx, SSL_VERIFY_PEER, tls_failure_verify);
	*context = made;
	return OK;
}

/* How many of the records OpenSSL took. */
static size_t
add_records(SSL *ssl, const struct span *records, size_t count)
{
	size_t added = 0;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = (const uint8_t *)records[i].ptr;

		if (!tls_dane_is_usable(records[i]))
			continue;
		/* A whole certificate that does not parse is refused here. */
		added += SSL_dane_tlsa_add(ssl, bytes[0], bytes[1], bytes[2], bytes + HEAD_BYTES,
		             records[i].len - HEAD_BYTES) > 0;
	}
	return added;
}

static bool
enable(struct tls *tls, struct span domain, const struct span *records, size_t count)
{
	bool good;
	char *other;

	if (tls->name[0] == '\0' || SSL_dane_enable(tls->ssl, tls->name) != 1)
		return false;
	other = mem_copy(domain);
	SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	good = (domain.len == 0 || SSL_add1_host(tls->ssl, other) == 1) &&
	    add_records(tls->ssl, records, count) > 0;
	mem_free(other);
	return good;
}

struct tls *
tls_connect_dane(struct tls_context *context, struct span base, struct span domain,
    const struct span *records, size_t count)
{
	struct tls *tls = tls_client_create(context, base);

	if (!enable(tls, domain, records, count))
		tls_fail_early(tls, SPAN("none of the domain's TLSA records is of use"));
	ERR_clear_error();
	return tls;
}
