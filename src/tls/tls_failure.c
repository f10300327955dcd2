/*
 * Why a session failed, in a sentence for people.  Three sources, the best
 * first: the fault that was found in the certificate chain, what a peer sent
 * that is not TLS at all, and the reason in OpenSSL's error queue.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/net.h"
#include "tls/tls_internal.h"

enum { NAMES_SHOWN_MAX = 3, QUEUE_LOOKS_MAX = 32 };

/* Peers' bytes end up in logs and terminals: only plain characters pass. */
static void
add_safe(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		buf_add_char(out, c >= 0x20 && c < 0x7f && c != '"' ? c : '?');
	}
}

static void
keep(struct tls *tls, struct buf *text)
{
	if (!tls->failure)
		tls->failure = mem_copy(buf_span(text));
	buf_fini(text);
}

static void
add_date(struct buf *out, const ASN1_TIME *time)
{
	struct tm tm;

	if (time && ASN1_TIME_to_tm(time, &tm))
		buf_addf(
		    out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	else
		buf_add_str(out, "an unreadable date");
}

static bool
add_common_name(struct buf *out, const X509_NAME *name)
{
	X509_NAME_ENTRY *entry;
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *text;

	if (at < 0)
		at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
	entry = at < 0 ? NULL : X509_NAME_get_entry(name, at);
	if (!entry)
		return false;
	text = X509_NAME_ENTRY_get_data(entry);
	add_safe(out, span_of((const char *)ASN1_STRING_get0_data(text),
			  (size_t)ASN1_STRING_length(text)));
	return true;
}

static void
add_address(struct buf *out, const ASN1_OCTET_STRING *bytes)
{
	struct net_addr addr = {0};
	int len = ASN1_STRING_length(bytes);

	if (len != 4 && len != 16)
		return;
	addr.family = len == 4 ? 4 : 6;
	memcpy(addr.bytes, ASN1_STRING_get0_data(bytes), (size_t)len);
	net_addr_write(out, &addr);
}

/* The names that a certificate is for: alternative names, else the common name. */
static void
add_names(struct buf *out, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int shown = 0, count = names ? sk_GENERAL_NAME_num(names) : 0;

	for (int i = 0; i < count && shown < NAMES_SHOWN_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS && name->type != GEN_IPADD)
			continue;
		buf_add_str(out, shown++ ? ", " : "");
		if (name->type == GEN_IPADD)
			add_address(out, name->d.iPAddress);
		else
			add_safe(out,
			    span_of((const char *)ASN1_STRING_get0_data(name->d.dNSName),
				(size_t)ASN1_STRING_length(name->d.dNSName)));
	}
	if (shown < count && shown == NAMES_SHOWN_MAX)
		buf_addf(out, " and %d more", count - shown);
	if (shown == 0 && !add_common_name(out, X509_get_subject_name(cert)))
		buf_add_str(out, "no name");
	GENERAL_NAMES_free(names);
}

static void
add_whose(struct buf *out, X509_STORE_CTX *chain, X509 *cert)
{
	if (X509_STORE_CTX_get_error_depth(chain) > 0) {
		buf_add_str(out, "the issuer's certificate (");
		if (!add_common_name(out, X509_get_subject_name(cert)))
			buf_add_str(out, "without a name");
		buf_add_str(out, ")");
		return;
	}
	buf_add_str(out, "the certificate for ");
	add_names(out, cert);
}

static void
add_chain_fault(struct buf *out, X509_STORE_CTX *chain, X509 *cert, const char *name)
{
	int error = X509_STORE_CTX_get_error(chain);

	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		add_whose(out, chain, cert);
		buf_add_str(out, " expired on ");
		add_date(out, X509_get0_notAfter(cert));
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		add_whose(out, chain, cert);
		buf_add_str(out, " is not valid before ");
		add_date(out, X509_get0_notBefore(cert));
		return;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		buf_add_str(out, "the certificate is for ");
		add_names(out, cert);
		buf_add_str(out, ", not for ");
		add_safe(out, span_str(name));
		return;
	case X509_V_ERR_DANE_NO_MATCH:
		add_whose(out, chain, cert);
		buf_add_str(out, " fits none of the TLSA records of ");
		add_safe(out, span_str(name));
		return;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		add_whose(out, chain, cert);
		buf_add_str(
		    out, " is signed by itself, not by an issuer that is trusted");
		return;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		add_whose(out, chain, cert);
		buf_add_str(out, " comes from an issuer that is not trusted (");
		if (!add_common_name(out, X509_get_issuer_name(cert)))
			buf_add_str(out, "without a name");
		buf_add_str(
		    out, "); a certificate between it and a known one may be missing");
		return;
	default:
		add_whose(out, chain, cert);
		buf_addf(out, " is refused: %s", X509_verify_cert_error_string(error));
	}
}

static enum tls_fault
fault_of(int error)
{
	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_FAULT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_FAULT_EXPIRED;
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_FAULT_DANE;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return TLS_FAULT_UNTRUSTED;
	default:
		return TLS_FAULT_OTHER;
	}
}

enum tls_fault
tls_failure_kind(const struct tls *tls)
{
	return tls->fault;
}

int
tls_failure_verify(int good, X509_STORE_CTX *chain)
{
	SSL *ssl =
	    X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = ssl ? SSL_get_app_data(ssl) : NULL;
	X509 *cert = X509_STORE_CTX_get_current_cert(chain);
	struct buf text;

	if (good || !tls)
		return good;
	/* A fault about no certificate in particular is the leaf's. */
	if (!cert)
		cert = X509_STORE_CTX_get0_cert(chain);
	tls->fault = fault_of(X509_STORE_CTX_get_error(chain));
	buf_init(&text, TLS_FAILURE_BYTES_MAX);
	if (cert)
		add_chain_fault(&text, chain, cert, tls->name);
	else
		buf_add_str(&text, "the peer's certificate is refused");
	keep(tls, &text);
	return 0;
}

int
tls_failure_verify_client(int good, X509_STORE_CTX *chain)
{
	SSL *ssl =
	    X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = ssl ? SSL_get_app_data(ssl) : NULL;

	if (good || !tls)
		return good;
	tls->peer_refused = true;
	return 1;
}

/* Where the first byte is none of a TLS record, shows what came instead. */
static bool
add_not_tls(struct buf *out, const struct tls *tls)
{
	const char *who = tls->context->server ? "client" : "server";
	struct span first = span_of(tls->first, tls->first_bytes);
	size_t line = 0;

	if (tls->state != TLS_HANDSHAKE || first.len == 0 ||
	    (first.ptr[0] >= 0x14 && first.ptr[0] <= 0x17))
		return false;
	while (line < first.len && first.ptr[line] >= 0x20 && first.ptr[line] < 0x7f)
		line++;
	buf_addf(out, "the %s does not speak TLS here: ", who);
	if (line < 3) {
		buf_addf(out, "its first byte is 0x%02x", (unsigned char)first.ptr[0]);
		return true;
	}
	buf_add_str(out, "it sent \"");
	add_safe(out, span_first(first, line));
	buf_add_str(
	    out, line == TLS_FIRST_BYTES ? "...\" in the clear" : "\" in the clear");
	if (span_starts(first, SPAN("220")))
		buf_add_str(out, " (a port for STARTTLS, or for no TLS at all?)");
	else if (tls->context->server)
		buf_add_str(out, " (this port wants TLS from the first byte)");
	return true;
}

enum { ALERT = SSL_AD_REASON_OFFSET };

static const struct {
	int reason;
	const char *text;
} reasons[] = {
    {SSL_R_NO_SHARED_CIPHER, "no cipher in common with the peer"},
    {SSL_R_NO_CIPHERS_AVAILABLE, "no cipher in common with the peer"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no signature algorithm in common"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no signature algorithm in common"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "no key exchange group in common"},
    {SSL_R_NO_SHARED_GROUPS, "no key exchange group in common"},
    {SSL_R_UNSUPPORTED_PROTOCOL,
	"no TLS version in common: the peer has none from 1.2 on"},
    {SSL_R_VERSION_TOO_LOW, "no TLS version in common: the peer has none from 1.2 on"},
    {SSL_R_UNSUPPORTED_SSL_VERSION,
	"no TLS version in common: the peer has none from 1.2 on"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer sent something that is not TLS"},
    {SSL_R_WRONG_SSL_VERSION, "the peer sent something that is not TLS"},
    {SSL_R_HTTP_REQUEST, "the peer sent an HTTP request, not TLS"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "bytes were changed on their way"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "the peer sent a record that is too long"},
    {SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "the peer sent a record that is too long"},
    {SSL_R_DATA_LENGTH_TOO_LONG, "the peer sent a record that is too long"},
    {SSL_R_UNEXPECTED_MESSAGE, "the peer sent a message out of order"},
    {SSL_R_BAD_SIGNATURE, "the peer's signature does not fit its certificate"},
    {SSL_R_DH_KEY_TOO_SMALL, "the peer's key exchange is too weak"},
    {SSL_R_EE_KEY_TOO_SMALL, "the key of the peer's certificate is too weak"},
    {SSL_R_CA_KEY_TOO_SMALL, "the key of the peer's issuer is too weak"},
    {SSL_R_CA_MD_TOO_WEAK, "the signature on the peer's certificate is too weak"},
    {ALERT + SSL_AD_UNEXPECTED_MESSAGE, "the peer says: message out of order"},
    {ALERT + SSL_AD_BAD_RECORD_MAC, "the peer says: bytes were changed on their way"},
    {ALERT + SSL_AD_HANDSHAKE_FAILURE,
	"the peer refused: no cipher, group or signature in common"},
    {ALERT + SSL_AD_BAD_CERTIFICATE, "the peer refused our certificate as damaged"},
    {ALERT + SSL_AD_UNSUPPORTED_CERTIFICATE,
	"the peer cannot use our kind of certificate"},
    {ALERT + SSL_AD_CERTIFICATE_REVOKED, "the peer says that our certificate is revoked"},
    {ALERT + SSL_AD_CERTIFICATE_EXPIRED,
	"the peer says that our certificate has expired"},
    {ALERT + SSL_AD_CERTIFICATE_UNKNOWN, "the peer refused our certificate"},
    {ALERT + SSL_AD_UNKNOWN_CA, "the peer does not trust the issuer of our certificate"},
    {ALERT + SSL_AD_ACCESS_DENIED, "the peer denied access"},
    {ALERT + SSL_AD_DECODE_ERROR, "the peer says: a message does not parse"},
    {ALERT + SSL_AD_DECRYPT_ERROR,
	"the peer says that our signature is wrong: do certificate and key belong together?"},
    {ALERT + SSL_AD_PROTOCOL_VERSION, "the peer refused: no TLS version in common"},
    {ALERT + SSL_AD_INSUFFICIENT_SECURITY, "the peer refused: it wants stronger ciphers"},
    {ALERT + SSL_AD_INTERNAL_ERROR, "the peer failed inside (its key, its memory)"},
    {ALERT + SSL_AD_USER_CANCELLED, "the peer gave up"},
    {ALERT + SSL_AD_NO_RENEGOTIATION, "the peer refused to negotiate again"},
    {ALERT + SSL_AD_UNRECOGNIZED_NAME, "the server has no certificate for that name"},
    {ALERT + SSL_AD_NO_APPLICATION_PROTOCOL, "the peer refused: no protocol in common"},
};

static void
add_reason(struct buf *out, unsigned long error)
{
	const char *text;

	for (size_t i = 0; ERR_GET_LIB(error) == ERR_LIB_SSL && i < LEN(reasons); i++) {
		if (reasons[i].reason == ERR_GET_REASON(error)) {
			buf_add_str(out, reasons[i].text);
			return;
		}
	}
	text = ERR_reason_error_string(error);
	buf_addf(out, "TLS failed: %s", text ? text : "the session broke");
}

void
tls_failure_explain(struct tls *tls)
{
	unsigned long error, first = 0, ssl = 0;
	enum err signer = OK;
	struct buf text;

	if (tls->failure)
		return;
	for (int i = 0; i < QUEUE_LOOKS_MAX && (error = ERR_get_error()) != 0; i++) {
		if (ERR_GET_LIB(error) == ERR_LIB_USER)
			signer = (enum err)ERR_GET_REASON(error);
		if (!ssl && ERR_GET_LIB(error) == ERR_LIB_SSL)
			ssl = error;
		if (!first)
			first = error;
	}
	buf_init(&text, TLS_FAILURE_BYTES_MAX);
	if (signer)
		buf_addf(&text, "our private key could not sign: %s", err_text(signer));
	else if (!add_not_tls(&text, tls))
		add_reason(&text, ssl ? ssl : first);
	keep(tls, &text);
}
