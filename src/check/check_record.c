#include "check/check_record.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/check.h"

enum {
	TAGS_MAX = 40,
	KEY_BYTES_MAX = 4096,
	ED25519_BITS = 256,
	ED25519_BYTES = 32,
	TLSA_HEAD_BYTES = 3,
};

struct tag {
	struct span name, value;
};

static void
note(char *wrong, struct span word)
{
	word = span_first(word, CHECK_RECORD_WORD_BYTES - 1);
	if (word.len > 0)
		memcpy(wrong, word.ptr, word.len);
	wrong[word.len] = '\0';
}

static bool
is_tag_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && name.ptr[i] != '_')
			return false;
	return name.len > 0 && ascii_is_alpha(name.ptr[0]);
}

/* "a=b; c=d", as DKIM has it.  False: what is wrong is noted. */
static bool
read_tags(struct span text, struct tag tags[TAGS_MAX], size_t *count, char *wrong)
{
	struct span part;

	*count = 0;
	while (span_cut(&text, ';', &part)) {
		struct tag tag;

		part = span_trim(part);
		if (part.len == 0 && span_trim(text).len == 0)
			return true;
		tag.name = span_trim(span_first(part, span_find(part, '=')));
		tag.value = span_trim(span_skip(part, span_find(part, '=') + 1));
		note(wrong, part);
		if (span_find(part, '=') == part.len || !is_tag_name(tag.name) ||
		    *count == TAGS_MAX)
			return false;
		for (size_t i = 0; i < *count; i++)
			if (span_eq(tags[i].name, tag.name))
				return false;
		tags[(*count)++] = tag;
	}
	return true;
}

static const struct tag *
find(const struct tag *tags, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (span_eq(tags[i].name, span_str(name)))
			return &tags[i];
	return NULL;
}

/* Whether one of the words, parted by ':', is that. */
static bool
lists(struct span value, struct span wanted)
{
	struct span word;

	while (span_cut(&value, ':', &word))
		if (span_eq_nocase(span_trim(word), wanted))
			return true;
	return false;
}

static enum check_dkim_kind
kind_of(const struct tag *k)
{
	if (!k || span_eq(k->value, SPAN("rsa")))
		return CHECK_DKIM_RSA;
	return span_eq(k->value, SPAN("ed25519")) ? CHECK_DKIM_ED25519 : CHECK_DKIM_OTHER;
}

/* The size of an RSA key; 0 where it is none. */
static unsigned
rsa_bits(struct span der)
{
	const unsigned char *at = (const unsigned char *)der.ptr;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
	int bits = 0;

	if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		bits = EVP_PKEY_get_bits(key);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return bits > 0 ? (unsigned)bits : 0;
}

static bool
read_key(struct span value, struct check_dkim *dkim)
{
	struct buf text, key;
	bool right;

	buf_init(&text, KEY_BYTES_MAX);
	buf_init(&key, KEY_BYTES_MAX);
	for (size_t i = 0; i < value.len; i++)
		if (!memchr(" \t\r\n", value.ptr[i], 4))
			buf_add_char(&text, value.ptr[i]);
	right = buf_finish(&text) == OK && base64_decode(&key, buf_span(&text)) == OK;
	if (right && dkim->kind == CHECK_DKIM_RSA)
		dkim->bits = rsa_bits(buf_span(&key));
	else if (right && dkim->kind == CHECK_DKIM_ED25519)
		dkim->bits = key.len == ED25519_BYTES ? ED25519_BITS : 0;
	if (dkim->kind != CHECK_DKIM_OTHER)
		right = right && dkim->bits > 0;
	buf_fini(&text);
	buf_fini(&key);
	return right;
}

enum err
check_dkim_parse(struct span txt, struct check_dkim *dkim, char *wrong)
{
	struct tag tags[TAGS_MAX];
	const struct tag *tag;
	size_t count;

	*dkim = (struct check_dkim){0};
	wrong[0] = '\0';
	if (!read_tags(txt, tags, &count, wrong))
		return ERR_SYNTAX;
	tag = find(tags, count, "v");
	if (tag && (tag != &tags[0] || !span_eq(tag->value, SPAN("DKIM1")))) {
		note(wrong, SPAN("v="));
		return ERR_SYNTAX;
	}
	dkim->kind = kind_of(find(tags, count, "k"));
	tag = find(tags, count, "t");
	dkim->testing = tag && lists(tag->value, SPAN("y"));
	tag = find(tags, count, "p");
	note(wrong, SPAN("p="));
	if (!tag)
		return ERR_SYNTAX;
	dkim->revoked = tag->value.len == 0;
	if (!dkim->revoked && !read_key(tag->value, dkim))
		return ERR_SYNTAX;
	return OK;
}

static bool
take_policy(const struct tag *tag, enum check_dmarc_policy *policy)
{
	static const char *const names[] = {"none", "quarantine", "reject"};

	for (size_t i = 0; i < LEN(names); i++) {
		if (span_eq_nocase(tag->value, span_str(names[i]))) {
			*policy = (enum check_dmarc_policy)i;
			return true;
		}
	}
	return false;
}

/* Addresses that reports go to, parted by commas. */
static bool
are_uris(struct span value, bool https)
{
	struct span uri;
	size_t count = 0;

	while (span_cut(&value, ',', &uri)) {
		uri = span_trim(uri);
		count++;
		if (span_starts_nocase(uri, SPAN("mailto:")) && span_find(uri, '@') < uri.len)
			continue;
		if (https && span_starts_nocase(uri, SPAN("https://")) && uri.len > 8)
			continue;
		return false;
	}
	return count > 0;
}

enum err
check_dmarc_parse(struct span txt, struct check_dmarc *dmarc, char *wrong)
{
	struct tag tags[TAGS_MAX];
	const struct tag *policy, *sub, *rua;
	size_t count;

	*dmarc = (struct check_dmarc){0};
	wrong[0] = '\0';
	if (!span_starts(txt, SPAN("v=DMARC1")))
		return ERR_NOT_FOUND;
	if (!read_tags(txt, tags, &count, wrong))
		return ERR_SYNTAX;
	note(wrong, SPAN("v="));
	if (count == 0 || !span_eq(tags[0].value, SPAN("DMARC1")))
		return ERR_SYNTAX;
	note(wrong, SPAN("p="));
	policy = find(tags, count, "p");
	if (!policy || !take_policy(policy, &dmarc->policy))
		return ERR_SYNTAX;
	note(wrong, SPAN("sp="));
	sub = find(tags, count, "sp");
	dmarc->subdomains = dmarc->policy;
	if (sub && !take_policy(sub, &dmarc->subdomains))
		return ERR_SYNTAX;
	note(wrong, SPAN("rua="));
	rua = find(tags, count, "rua");
	if (rua && !are_uris(rua->value, true))
		return ERR_SYNTAX;
	dmarc->reports = rua != NULL;
	return OK;
}

enum err
check_tlsrpt_parse(struct span txt, char *wrong)
{
	struct tag tags[TAGS_MAX];
	const struct tag *rua;
	size_t count;

	wrong[0] = '\0';
	if (!span_starts(txt, SPAN("v=TLSRPTv1")))
		return ERR_NOT_FOUND;
	if (!read_tags(txt, tags, &count, wrong))
		return ERR_SYNTAX;
	note(wrong, SPAN("v="));
	if (count == 0 || !span_eq(tags[0].value, SPAN("TLSRPTv1")))
		return ERR_SYNTAX;
	note(wrong, SPAN("rua="));
	rua = find(tags, count, "rua");
	return rua && are_uris(rua->value, true) ? OK : ERR_SYNTAX;
}

enum err
check_tlsa_parse(struct span rdata, struct check_tlsa *tlsa)
{
	if (rdata.len <= TLSA_HEAD_BYTES || rdata.len > CHECK_TLSA_DATA_MAX)
		return ERR_SYNTAX;
	*tlsa = (struct check_tlsa){
	    .usage = (unsigned char)rdata.ptr[0],
	    .selector = (unsigned char)rdata.ptr[1],
	    .matching = (unsigned char)rdata.ptr[2],
	    .data = span_skip(rdata, TLSA_HEAD_BYTES),
	};
	return OK;
}

bool
check_tlsa_is_usable(const struct check_tlsa *tlsa)
{
	return (tlsa->usage == 2 || tlsa->usage == 3) && tlsa->selector <= 1 &&
	       (tlsa->matching == 0 || (tlsa->matching == 1 && tlsa->data.len == 32) ||
		   (tlsa->matching == 2 && tlsa->data.len == 64));
}

/* Whether the bytes, or their digest, are the record's. */
static bool
matches(const struct check_tlsa *tlsa, struct span bytes)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (tlsa->matching == 0)
		return span_eq(bytes, tlsa->data);
	if (!EVP_Digest(bytes.ptr, bytes.len, digest, &len,
		tlsa->matching == 1 ? EVP_sha256() : EVP_sha512(), NULL))
		return false;
	return span_eq(span_of((const char *)digest, len), tlsa->data);
}

bool
check_tlsa_fits(const struct check_tlsa *tlsa, struct span certificate)
{
	const unsigned char *at = (const unsigned char *)certificate.ptr;
	unsigned char *key = NULL;
	bool fits = false;
	X509 *cert;
	int len;

	if (!check_tlsa_is_usable(tlsa))
		return false;
	if (tlsa->selector == 0)
		return matches(tlsa, certificate);
	cert = d2i_X509(NULL, &at, (long)certificate.len);
	if (cert && (len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key)) > 0)
		fits = matches(tlsa, span_of((const char *)key, (size_t)len));
	OPENSSL_free(key);
	X509_free(cert);
	ERR_clear_error();
	return fits;
}
