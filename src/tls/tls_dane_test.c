/* DANE: which records are of use, and which certificates they let through. */
#include <openssl/sha.h>

#include "tls/tls_test_world.h"

enum { RECORD_BYTES_MAX = 4096 };

static const struct {
	const char *name;
	struct span record;
	size_t zeros; /* behind it */
	bool usable, issuer;
} usables[] = {
    {"an issuer's certificate, SHA-256", SPAN("\2\0\1"), 32, true, true},
    {"a server's key, SHA-256", SPAN("\3\1\1"), 32, true, false},
    {"a server's key, SHA-512", SPAN("\3\1\2"), 64, true, false},
    {"a whole certificate", SPAN("\3\0\0"), 500, true, false},
    {"usage 0 is for browsers", SPAN("\0\1\1"), 32, false, false},
    {"usage 1 too", SPAN("\1\1\1"), 32, false, false},
    {"no such usage", SPAN("\4\1\1"), 32, false, false},
    {"no such selector", SPAN("\3\2\1"), 32, false, false},
    {"no such hash", SPAN("\3\1\3"), 32, false, false},
    {"a hash that is cut", SPAN("\3\1\1"), 31, false, false},
    {"a hash of the other length", SPAN("\3\1\2"), 32, false, false},
    {"no certificate", SPAN("\3\1\0"), 0, false, false},
    {"nothing", SPAN(""), 0, false, false},
    {"too little", SPAN("\3\1"), 0, false, false},
};

static void
test_usable(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(usables); i++) {
		char bytes[600] = {0};
		struct span record = span_of(bytes, usables[i].record.len + usables[i].zeros);

		memcpy(bytes, usables[i].record.ptr, usables[i].record.len);
		if (tls_dane_is_usable(record) != usables[i].usable ||
		    tls_dane_is_issuer(record) != usables[i].issuer)
			fail_msg("%s", usables[i].name);
	}
}

enum what { LEAF, ROOT, OTHER };

/* A record for a certificate, or its key, of the world. */
struct made {
	char bytes[RECORD_BYTES_MAX];
	size_t len;
};

static struct span
make(struct made *made, const struct world *world, enum what what, const uint8_t head[3])
{
	X509 *cert = what == ROOT ? world->root : world->leaf;
	unsigned char *der = NULL;
	int bytes =
	    head[1] ? i2d_PUBKEY(X509_get0_pubkey(cert), &der) : i2d_X509(cert, &der);

	assert_true(bytes > 0 && bytes < RECORD_BYTES_MAX - 3);
	memcpy(made->bytes, head, 3);
	if (what == OTHER)
		der[bytes - 1] ^= 1;
	if (head[2] == 1)
		SHA256(der, (size_t)bytes, (unsigned char *)made->bytes + 3);
	else if (head[2] == 2)
		SHA512(der, (size_t)bytes, (unsigned char *)made->bytes + 3);
	else
		memcpy(made->bytes + 3, der, (size_t)bytes);
	made->len = 3 + (head[2] == 1 ? 32 : head[2] == 2 ? 64 : (size_t)bytes);
	OPENSSL_free(der);
	return span_of(made->bytes, made->len);
}

static const struct {
	const char *name;
	struct cert_options cert;
	enum what what;
	uint8_t head[3];
	const char *base, *domain;
	const char *why; /* NULL: fine */
} cases[] = {
    {"its key", {"x", "DNS:mx.example", -DAY_S, DAY_S}, LEAF, {3, 1, 1}, "mx.example", "d.example",
	NULL},
    {"its key, SHA-512", {"x", "DNS:mx.example", -DAY_S, DAY_S}, LEAF, {3, 1, 2}, "mx.example", "",
	NULL},
    {"its certificate", {"x", "DNS:mx.example", -DAY_S, DAY_S}, LEAF, {3, 0, 1}, "mx.example", "",
	NULL},
    {"its certificate, whole", {"x", "DNS:mx.example", -DAY_S, DAY_S}, LEAF, {3, 0, 0},
	"mx.example", "", NULL},
    {"its key, whole", {"x", "DNS:mx.example", -DAY_S, DAY_S}, LEAF, {3, 1, 0}, "mx.example", "",
	NULL},
    {"the key alone says who it is", {"x", "DNS:other.example", -DAY_S, DAY_S}, LEAF, {3, 1, 1},
	"mx.example", "", NULL},
    {"and does not expire", {"x", "DNS:mx.example", -2 * DAY_S, -DAY_S}, LEAF, {3, 1, 1},
	"mx.example", "", NULL},
    {"its issuer's key", {"x", "DNS:mx.example", -DAY_S, DAY_S}, ROOT, {2, 1, 1}, "mx.example", "",
	NULL},
    {"its issuer's certificate", {"x", "DNS:mx.example", -DAY_S, DAY_S}, ROOT, {2, 0, 1},
	"mx.example", "", NULL},
    {"its issuer, and for the domain", {"x", "DNS:d.example", -DAY_S, DAY_S}, ROOT, {2, 0, 1},
	"mx.example", "d.example", NULL},
    {"its issuer, but for somebody else", {"x", "DNS:other.example", -DAY_S, DAY_S}, ROOT,
	{2, 0, 1}, "mx.example", "d.example",
	"the certificate is for other.example, not for mx.example"},
    {"its issuer, but expired", {"x", "DNS:mx.example", -2 * DAY_S, -DAY_S}, ROOT, {2, 0, 1},
	"mx.example", "", "expired on"},
    {"another key", {"x", "DNS:mx.example", -DAY_S, DAY_S}, OTHER, {3, 1, 1}, "mx.example", "",
	"fits none of the TLSA records of mx.example"},
    {"another certificate", {"x", "DNS:mx.example", -DAY_S, DAY_S}, OTHER, {3, 0, 2},
	"mx.example", "", "fits none of the TLSA records of mx.example"},
    {"its key, called an issuer's", {"x", "DNS:mx.example", -DAY_S, DAY_S}, LEAF, {2, 1, 1},
	"mx.example", "", "fits none of the TLSA records"},
    {"a usage that is not used", {"x", "DNS:mx.example", -DAY_S, DAY_S}, LEAF, {1, 1, 1},
	"mx.example", "", "none of the domain's TLSA records is of use"},
};

/* The chain that the server shows: its certificate, and the root's where that has to be found. */
static void
show_root(struct world *world)
{
	struct buf chain;
	const char *why = NULL;

	buf_init(&chain, 2 * RECORD_BYTES_MAX);
	buf_add_str(&chain, world->leaf_pem);
	buf_add_str(&chain, world->root_pem);
	tls_context_destroy(world->server_context);
	assert_int_equal(
	    context_make(buf_span(&chain), &world->signer, &world->server_context, &why), OK);
	buf_fini(&chain);
}

static void
run_case(size_t i, enum key_kind kind)
{
	struct world world;
	struct made made, wrong;
	struct span records[2];

	world_init(&world, kind, &cases[i].cert, true);
	tls_context_destroy(world.client_context);
	assert_int_equal(tls_dane_context_create(&world.client_context), OK);
	show_root(&world);
	/* One that fits is enough, whatever the others say. */
	records[0] = make(&wrong, &world, OTHER, (const uint8_t[]){3, 0, 1});
	records[1] = make(&made, &world, cases[i].what, cases[i].head);
	world_connect(&world, "unused.example");
	tls_destroy(world.client);
	world.client = cases[i].head[0] > 1
	    ? tls_connect_dane(world.client_context, span_str(cases[i].base),
		  span_str(cases[i].domain), records, 2)
	    : tls_connect_dane(world.client_context, span_str(cases[i].base),
		  span_str(cases[i].domain), records + 1, 1);
	pump(&world, 65536);
	if (tls_is_ready(world.client) != (cases[i].why == NULL))
		fail_msg("%s: %s", cases[i].name, tls_failure(world.client));
	if (cases[i].why)
		expect_failure(world.client, cases[i].why);
	world_fini(&world);
}

static void
test_certificates(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		run_case(i, P256);
		run_case(i, RSA2048);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_usable),
	    cmocka_unit_test(test_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
