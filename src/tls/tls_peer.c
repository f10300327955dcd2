/* What was shown is checked after the handshake, fault by fault, so that each has its name. */
#include "tls/tls_peer.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/net.h"
#include "tls/tls_internal.h"

enum { RSA_BITS_MIN = 2048, EC_BITS_MIN = 224, NAMES_SHOWN_MAX = 5 };

enum err
tls_look_context_create(unsigned newest, struct tls_context **context)
{
	struct tls_context *made;
	SSL_CTX *ctx;

	/* The one that verifies has the roots; here nothing comes of what it would say. */
	enum err err = tls_client_context_create(true, &made);

	if (err)
		return err;
	ctx = made->ssl_ctx;
	made->verify = false;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_security_level(ctx, 0);
	check(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION));
	check(SSL_CTX_set_max_proto_version(ctx, (int)newest));
	check(SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"));
	*context = made;
	return OK;
}

static int64_t
seconds_of(const ASN1_TIME *time)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;

	check(epoch != NULL);
	if (!time || !ASN1_TIME_diff(&days, &seconds, epoch, time))
		days = seconds = 0;
	ASN1_TIME_free(epoch);
	ERR_clear_error();
	return (int64_t)days * 86400 + seconds;
}

static void
add_name(struct buf *out, const ASN1_STRING *text)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(text);
	int len = ASN1_STRING_length(text);

	if (out->len > 0)
		buf_add_str(out, ", ");
	for (int i = 0; i < len; i++)
		buf_add_char(
		    out, bytes[i] > 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '?');
}

static void
read_names(const X509 *cert, struct tls_peer *peer)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	struct buf out;
	int shown = 0;

	buf_init(&out, TLS_PEER_NAMES_BYTES - 1);
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS && shown++ < NAMES_SHOWN_MAX)
			add_name(&out, name->d.dNSName);
	}
	GENERAL_NAMES_free(names);
	if (shown == 0) {
		const X509_NAME *subject = X509_get_subject_name(cert);
		int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

		if (at >= 0)
			add_name(&out,
			    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	}
	memcpy(peer->names, buf_span(&out).ptr, out.len);
	peer->names[out.len] = '\0';
	buf_fini(&out);
}

static bool
name_fits(X509 *cert, struct span name)
{
	struct net_addr addr;
	bool fits;

	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || memchr(name.ptr, '\0', name.len))
		return false;
	if (net_addr_parse(name, &addr) == OK)
		fits = X509_check_ip(cert, addr.bytes, addr.family == 4 ? 4 : 16, 0) == 1;
	else
		fits = X509_check_host(cert, name.ptr, name.len,
			   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
	ERR_clear_error();
	return fits;
}

static void
read_strength(X509 *cert, struct tls_peer *peer)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	int digest = NID_undef, bits = key ? EVP_PKEY_get_bits(key) : 0;

	if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		peer->weak_key = bits < RSA_BITS_MIN;
	else
		peer->weak_key = bits < EC_BITS_MIN;
	(void)X509_get_signature_info(cert, &digest, NULL, NULL, NULL);
	peer->weak_signature = digest == NID_md5 || digest == NID_sha1;
	ERR_clear_error();
}

/* Dates have findings of their own. */
static int
pass_dates(int good, X509_STORE_CTX *chain)
{
	int error = X509_STORE_CTX_get_error(chain);

	return good || error == X509_V_ERR_CERT_HAS_EXPIRED ||
	       error == X509_V_ERR_CERT_NOT_YET_VALID;
}

static void
look(X509 *cert, STACK_OF(X509) * chain, X509_STORE *roots, struct span name,
    struct tls_peer *peer)
{
	X509_STORE_CTX *verify = X509_STORE_CTX_new();

	check(verify != NULL);
	peer->chain_count = chain ? (size_t)sk_X509_num(chain) : 1;
	peer->name_fits = name_fits(cert, name);
	peer->self_signed = X509_self_signed(cert, 1) == 1;
	peer->from_s = seconds_of(X509_get0_notBefore(cert));
	peer->until_s = seconds_of(X509_get0_notAfter(cert));
	read_names(cert, peer);
	read_strength(cert, peer);
	if (X509_STORE_CTX_init(verify, roots, cert, chain)) {
		X509_STORE_CTX_set_verify_cb(verify, pass_dates);
		peer->trusted = X509_verify_cert(verify) == 1;
		if (!peer->trusted)
			snprintf(peer->why, sizeof(peer->why), "%s",
			    X509_verify_cert_error_string(
				X509_STORE_CTX_get_error(verify)));
	}
	X509_STORE_CTX_free(verify);
	ERR_clear_error();
}

void
tls_peer_look(const struct tls *tls, struct span name, struct tls_peer *peer)
{
	tls_peer_judge(tls, tls->context, name, peer);
}

void
tls_peer_judge(const struct tls *tls, const struct tls_context *roots, struct span name,
    struct tls_peer *peer)
{
	X509 *cert = SSL_get0_peer_certificate(tls->ssl);

	*peer = (struct tls_peer){.version = (unsigned)SSL_version(tls->ssl)};
	if (cert)
		look(cert, SSL_get_peer_cert_chain(tls->ssl),
		    SSL_CTX_get_cert_store(roots->ssl_ctx), name, peer);
}

enum err
tls_peer_look_pem(struct span pem, struct span name, struct tls_peer *peer)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct tls_context *context;
	enum err err = tls_look_context_create(0, &context);
	X509 *cert;

	*peer = (struct tls_peer){0};
	check(bio != NULL && chain != NULL);
	while (sk_X509_num(chain) < TLS_PEER_CHAIN_MAX &&
	       (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		check(sk_X509_push(chain, cert) > 0);
	if (!err && sk_X509_num(chain) == 0)
		err = ERR_SYNTAX;
	if (!err)
		look(sk_X509_value(chain, 0), chain,
		    SSL_CTX_get_cert_store(context->ssl_ctx), name, peer);
	sk_X509_pop_free(chain, X509_free);
	BIO_free(bio);
	ERR_clear_error();
	tls_context_destroy(context);
	return err;
}

bool
tls_peer_certificate(const struct tls *tls, size_t index, struct buf *der)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls->ssl);
	unsigned char *bytes = NULL;
	int len;

	if (!chain || index >= TLS_PEER_CHAIN_MAX || index >= (size_t)sk_X509_num(chain))
		return false;
	len = i2d_X509(sk_X509_value(chain, (int)index), &bytes);
	check(len > 0);
	buf_add(der, span_of((const char *)bytes, (size_t)len));
	OPENSSL_free(bytes);
	return true;
}
