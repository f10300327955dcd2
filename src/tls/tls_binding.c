/*
 * What a session can be known by: channel bindings, which tie a login to this
 * very session, and the name in the client's certificate.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "tls/tls_internal.h"

enum { EXPORTER_BYTES = 32, NAME_BYTES_MAX = 256 };

void
tls_binding_exporter(const struct tls *tls, struct buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char bytes[EXPORTER_BYTES];

	if (!SSL_is_init_finished(tls->ssl))
		return;
	/* Before TLS 1.3 it is unique only with the extended master secret (RFC 9266, 3). */
	if (SSL_version(tls->ssl) < TLS1_3_VERSION && SSL_get_extms_support(tls->ssl) != 1)
		return;
	ERR_clear_error();
	if (SSL_export_keying_material(tls->ssl, bytes, sizeof(bytes), label,
		sizeof(label) - 1, (const unsigned char *)"", 0, 1) == 1)
		buf_add(out, span_of((const char *)bytes, sizeof(bytes)));
	ERR_clear_error();
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

size_t
tls_binding_hash(const X509 *cert, unsigned char *hash)
{
	const EVP_MD *md = NULL;
	unsigned int bytes = 0;
	int nid = NID_undef;

	/* The hash of the certificate's own signature; SHA-256 where that is broken or none. */
	if (X509_get_signature_info((X509 *)(uintptr_t)cert, &nid, NULL, NULL, NULL) &&
	    nid != NID_md5 && nid != NID_sha1 && nid != NID_undef)
		md = EVP_get_digestbynid(nid);
	if (!md)
		md = EVP_sha256();
	if (!X509_digest(cert, md, hash, &bytes))
		bytes = 0;
	ERR_clear_error();
	return bytes;
}

void
tls_binding_end_point(const struct tls *tls, struct buf *out)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	const X509 *cert;
	size_t bytes;
	void *kept;

	if (!SSL_is_init_finished(tls->ssl))
		return;
	/* A resumed session shows no certificate; its ticket has that of the first one. */
	if (tls->context->server && SSL_session_reused(tls->ssl)) {
		if (SSL_SESSION_get0_ticket_appdata(
			SSL_get_session(tls->ssl), &kept, &bytes) &&
		    bytes <= EVP_MAX_MD_SIZE)
			buf_add(out, span_of(kept, bytes));
		return;
	}
	cert = tls->context->server ? SSL_get_certificate(tls->ssl)
				    : SSL_get0_peer_certificate(tls->ssl);
	if (cert)
		buf_add(out, span_of((const char *)hash, tls_binding_hash(cert, hash)));
}

/* Adds a name where it is one that people and tables can take; false otherwise. */
static bool
add_name(struct buf *out, const ASN1_STRING *text)
{
	unsigned char *utf8 = NULL;
	int bytes = text ? ASN1_STRING_to_UTF8(&utf8, text) : 0;
	bool good = bytes > 0 && bytes <= NAME_BYTES_MAX;

	for (int i = 0; good && i < bytes; i++)
		good = utf8[i] >= 0x20 && utf8[i] != 0x7f;
	if (good)
		buf_add(out, span_of((const char *)utf8, (size_t)bytes));
	OPENSSL_free(utf8);
	ERR_clear_error();
	return good;
}

static bool
add_alternative(struct buf *out, X509 *cert, int type)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int count = names ? sk_GENERAL_NAME_num(names) : 0;
	bool added = false;

	for (int i = 0; i < count && !added; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == type)
			added = add_name(out, name->d.ia5);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return added;
}

static bool
add_common_name(struct buf *out, const X509 *cert)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	X509_NAME_ENTRY *entry = at < 0 ? NULL : X509_NAME_get_entry(subject, at);

	return entry && add_name(out, X509_NAME_ENTRY_get_data(entry));
}

void
tls_peer_name(const struct tls *tls, struct buf *out)
{
	X509 *cert;

	if (!tls->context->server || !SSL_is_init_finished(tls->ssl) || tls->peer_refused ||
	    SSL_get_verify_result(tls->ssl) != X509_V_OK)
		return;
	cert = SSL_get0_peer_certificate(tls->ssl);
	if (!cert || add_alternative(out, cert, GEN_EMAIL) || add_common_name(out, cert))
		return;
	(void)add_alternative(out, cert, GEN_DNS);
}
