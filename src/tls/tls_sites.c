/*
 * Which certificates are for which name.  An SSL_CTX holds one certificate with
 * an EC key and one with an RSA key; there is one SSL_CTX for each pair that
 * some name gets.  A name that is asked for is looked up as it is, and then
 * with its first label replaced by "*".
 */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "tls/tls_internal.h"

enum { NAME_BYTES_MAX = 255, NAMES_MAX = 20000, NAMES_BYTES_MAX = 8 << 20, NOBODY = -1 };

enum key_kind { KEY_EC, KEY_RSA, KEY_KIND_COUNT };

/* A pair of certificates, by their indexes. */
struct site {
	int certificates[KEY_KIND_COUNT];
	SSL_CTX *ctx;
};

/* A name in a certificate. */
struct name {
	struct span text; /* lower case; "*.example.org" for a wildcard */
	int certificates[KEY_KIND_COUNT]; /* the first for exactly this; or NOBODY */
	size_t site;
};

struct tls_sites {
	struct arena arena;
	struct map names;
	struct site *sites; /* the first one is the default */
	size_t site_count;
	struct name *all[NAMES_MAX];
	size_t name_count;
};

static enum key_kind
kind_of(const struct tls_certificate *certificate)
{
	return EVP_PKEY_get_base_id(certificate->key) == EVP_PKEY_EC ? KEY_EC : KEY_RSA;
}

/* The name in lower case, without a dot at its end; false where it is none. */
static bool
normalise(struct span text, char *into, size_t *bytes)
{
	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		text.len--;
	if (text.len == 0 || text.len > NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
		into[i] = ascii_lower(text.ptr[i]);
	}
	*bytes = text.len;
	return true;
}

/* The wildcard that a name falls under; false where there is none. */
static bool
wildcard_of(struct span name, char *into, size_t *bytes)
{
	size_t dot = span_find(name, '.');

	if (dot == 0 || dot >= name.len || name.len - dot + 1 > NAME_BYTES_MAX)
		return false;
	into[0] = '*';
	memcpy(into + 1, name.ptr + dot, name.len - dot);
	*bytes = name.len - dot + 1;
	return true;
}

static void
add_name(struct tls_sites *sites, const struct tls_certificate *certificate,
    const ASN1_STRING *asn1)
{
	struct span text = span_of((const char *)ASN1_STRING_get0_data(asn1),
	    (size_t)ASN1_STRING_length(asn1));
	enum key_kind kind = kind_of(certificate);
	char lower[NAME_BYTES_MAX];
	struct name *name;
	size_t bytes;

	if (!normalise(text, lower, &bytes))
		return;
	name = map_get(&sites->names, span_of(lower, bytes));
	if (!name) {
		struct span copy;

		if (sites->name_count == NAMES_MAX ||
		    !arena_copy(&sites->arena, span_of(lower, bytes), &copy) ||
		    (name = arena_alloc(&sites->arena, sizeof(*name))) == NULL)
			return;
		*name = (struct name){
		    .text = copy, .certificates = {NOBODY, NOBODY}};
		map_set(&sites->names, name->text, name);
		sites->all[sites->name_count++] = name;
	}
	if (name->certificates[kind] == NOBODY)
		name->certificates[kind] = (int)certificate->index;
}

/* DNS names, or the common name where there are none (RFC 6125, 6.4.4). */
static void
add_names(struct tls_sites *sites, const struct tls_certificate *certificate)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, NULL, NULL);
	const X509_NAME *subject = X509_get_subject_name(certificate->leaf);
	int count = names ? sk_GENERAL_NAME_num(names) : 0;
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	bool any = false;

	for (int i = 0; i < count; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		add_name(sites, certificate, name->d.dNSName);
		any = true;
	}
	if (!any && at >= 0)
		add_name(sites, certificate,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	GENERAL_NAMES_free(names);
	ERR_clear_error();
}

/* Adds what the certificates of a wildcard are for, where a name has none of a kind. */
static void
complete(const struct tls_sites *sites, struct name *name)
{
	char text[NAME_BYTES_MAX];
	const struct name *wildcard;
	size_t bytes;

	if (!wildcard_of(name->text, text, &bytes))
		return;
	wildcard = map_get(&sites->names, span_of(text, bytes));
	if (!wildcard || wildcard == name)
		return;
	for (size_t kind = 0; kind < KEY_KIND_COUNT; kind++)
		if (name->certificates[kind] == NOBODY)
			name->certificates[kind] = wildcard->certificates[kind];
}

/* Finds the site of a pair, or makes it without its SSL_CTX; gives its index. */
static size_t
site_of(struct tls_sites *sites, const int *certificates)
{
	struct site *site;

	for (size_t i = 0; i < sites->site_count; i++)
		if (memcmp(sites->sites[i].certificates, certificates,
			sizeof(sites->sites[i].certificates)) == 0)
			return i;
	sites->sites = mem_realloc(
	    sites->sites, (sites->site_count + 1) * sizeof(sites->sites[0]));
	site = &sites->sites[sites->site_count];
	*site = (struct site){0};
	memcpy(site->certificates, certificates, sizeof(site->certificates));
	return sites->site_count++;
}

/* The site of the first certificate's first name comes first: it is the default. */
static void
make_sites(struct tls_sites *sites, const struct tls_certificate *first)
{
	int alone[KEY_KIND_COUNT] = {NOBODY, NOBODY};
	bool named = sites->name_count > 0 &&
		     sites->all[0]->certificates[kind_of(first)] == (int)first->index;

	alone[kind_of(first)] = (int)first->index;
	for (size_t i = 0; i < sites->name_count; i++)
		complete(sites, sites->all[i]);
	(void)site_of(sites, named ? sites->all[0]->certificates : alone);
	for (size_t i = 0; i < sites->name_count; i++)
		sites->all[i]->site = site_of(sites, sites->all[i]->certificates);
}

struct tls_sites *
tls_sites_create(const struct tls_certificate *certificates, size_t count,
    SSL_CTX *(*make)(void *owner), void *owner, size_t *index)
{
	struct tls_sites *sites = mem_alloc(sizeof(*sites));
	uint64_t seed[2];

	check(RAND_bytes((unsigned char *)seed, sizeof(seed)) == 1);
	arena_init(&sites->arena, NAMES_BYTES_MAX);
	map_init(&sites->names, seed);
	for (size_t i = 0; i < count; i++)
		add_names(sites, &certificates[i]);
	make_sites(sites, &certificates[0]);
	for (size_t i = 0; i < sites->site_count; i++) {
		struct site *site = &sites->sites[i];

		site->ctx = make(owner);
		for (size_t kind = 0; kind < KEY_KIND_COUNT; kind++) {
			const struct tls_certificate *certificate;

			if (site->certificates[kind] == NOBODY)
				continue;
			*index = (size_t)site->certificates[kind];
			certificate = &certificates[*index];
			if (!SSL_CTX_use_cert_and_key(site->ctx, certificate->leaf,
				certificate->key, certificate->chain, 1)) {
				tls_sites_destroy(sites);
				return NULL;
			}
		}
	}
	return sites;
}

void
tls_sites_destroy(struct tls_sites *sites)
{
	if (!sites)
		return;
	for (size_t i = 0; i < sites->site_count; i++)
		SSL_CTX_free(sites->sites[i].ctx);
	mem_free(sites->sites);
	map_fini(&sites->names);
	arena_fini(&sites->arena);
	mem_free(sites);
}

SSL_CTX *
tls_sites_find(const struct tls_sites *sites, struct span asked)
{
	char text[NAME_BYTES_MAX], wild[NAME_BYTES_MAX];
	const struct name *name = NULL;
	size_t bytes;

	if (normalise(asked, text, &bytes)) {
		name = map_get(&sites->names, span_of(text, bytes));
		if (!name && wildcard_of(span_of(text, bytes), wild, &bytes))
			name = map_get(&sites->names, span_of(wild, bytes));
	}
	return sites->sites[name ? name->site : 0].ctx;
}
