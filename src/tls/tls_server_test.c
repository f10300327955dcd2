/* Which certificate a client gets, who signs, and what a server demands. */
#include "tls/tls_test_world.h"

/* The certificates of a server, in order. */
static const struct {
	enum key_kind kind;
	const char *alt;
} rows[] = {
    {P256, "DNS:a.example, DNS:*.w.example"},
    {RSA2048, "DNS:a.example, DNS:b.example"},
    {P384, "DNS:B.example"},
    {P256, "DNS:x.w.example"},
    {RSA2048, "DNS:*.w.example"},
    {P256, "DNS:a.example"}, /* never used: the first one is first */
};

enum { ROWS = LEN(rows) };

struct shop {
	struct world world; /* its server_context is the shop's */
	EVP_PKEY *pkeys[ROWS];
	X509 *certs[ROWS];
	char *pems[ROWS];
	struct span chains[ROWS];
	struct tls_key *keys[ROWS];
	unsigned signed_with;
	struct tls_server_options options;
};

static enum err
shop_sign(void *owner, unsigned key, enum tls_signature kind, struct span input,
    char *signature, size_t *signature_bytes)
{
	struct shop *shop = owner;

	assert_true(key < ROWS);
	shop->signed_with = key;
	return tls_key_sign(shop->keys[key], kind, input, signature, signature_bytes);
}

static void
shop_open(struct shop *shop)
{
	struct tls_problem problem;

	tls_context_destroy(shop->world.server_context);
	assert_int_equal(tls_server_context_create(&shop->options,
			     &shop->world.server_context, &problem),
	    OK);
}

static void
shop_init(struct shop *shop)
{
	const char *why;

	world_init(&shop->world, P256, &good_cert, false);
	for (size_t i = 0; i < ROWS; i++) {
		const struct cert_options options = {
		    "not.a.name", rows[i].alt, -DAY_S, DAY_S};
		char *pem;

		shop->pkeys[i] = key_make(rows[i].kind);
		shop->certs[i] = cert_make(&options, shop->pkeys[i], shop->world.root,
		    shop->world.root_key);
		shop->pems[i] = pem_of(shop->certs[i], NULL, NULL);
		shop->chains[i] = span_str(shop->pems[i]);
		pem = pem_of(NULL, shop->pkeys[i], NULL);
		assert_int_equal(tls_key_load(span_str(pem), &shop->keys[i], &why), OK);
		mem_free(pem);
	}
	shop->options = (struct tls_server_options){
	    .chains = shop->chains,
	    .chain_count = ROWS,
	    .signer = {.owner = shop, .sign = shop_sign},
	};
	shop_open(shop);
}

static void
shop_fini(struct shop *shop)
{
	world_fini(&shop->world);
	for (size_t i = 0; i < ROWS; i++) {
		EVP_PKEY_free(shop->pkeys[i]);
		X509_free(shop->certs[i]);
		mem_free(shop->pems[i]);
		tls_key_destroy(shop->keys[i]);
	}
}

static const struct {
	const char *asked; /* an address: no name is said */
	unsigned ec, rsa;
} gets[] = {
    {"a.example", 0, 1},
    {"A.EXAMPLE", 0, 1},
    {"b.example", 2, 1},
    {"x.w.example", 3, 4}, /* exactly, before by wildcard */
    {"y.w.example", 0, 4},
    {"z.y.w.example", 0, 1}, /* a wildcard is one label */
    {"w.example", 0, 1},
    {"other.example", 0, 1},
    {"not.a.name", 0, 1}, /* common names do not count beside DNS names */
    {"192.0.2.9", 0, 1},
};

static void
test_certificates_by_name(void **state)
{
	static const char ec[] =
	    "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256";
	static const char rsa[] = "RSA-PSS+SHA256:RSA+SHA256";
	struct shop shop = {0};

	(void)state;
	shop_init(&shop);
	for (size_t i = 0; i < 4 * LEN(gets); i++) {
		struct world *world = &shop.world;
		unsigned want = i & 1 ? gets[i / 4].rsa : gets[i / 4].ec;
		X509 *got;

		tls_context_version_max(
		    world->client_context, i & 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		assert_true(SSL_CTX_set1_sigalgs_list(
		    world->client_context->ssl_ctx, i & 1 ? rsa : ec));
		world_connect(world, gets[i / 4].asked);
		shop.signed_with = ROWS;
		pump(world, 65536);
		if (!tls_is_ready(world->client))
			fail_msg("%s: %s", gets[i / 4].asked, tls_failure(world->client));
		got = SSL_get0_peer_certificate(world->client->ssl);
		if (X509_cmp(got, shop.certs[want]) != 0)
			fail_msg("%s (%zu): signed with %u, not %u", gets[i / 4].asked,
			    i & 3, shop.signed_with, want);
		assert_int_equal(shop.signed_with, want);
	}
	shop_fini(&shop);
}

static void
test_what_is_wrong_is_named(void **state)
{
	struct shop shop = {0};
	struct tls_context *context = NULL;
	struct tls_problem problem;
	struct span third;

	(void)state;
	shop_init(&shop);
	third = shop.chains[2];
	shop.chains[2] = SPAN("no");
	assert_int_equal(tls_server_context_create(&shop.options, &context, &problem),
	    ERR_SYNTAX);
	assert_int_equal(problem.part, TLS_PART_CHAIN);
	assert_int_equal(problem.chain, 2);
	shop.chains[2] = third;
	shop.options.clients_pem = SPAN("no");
	assert_int_equal(tls_server_context_create(&shop.options, &context, &problem),
	    ERR_SYNTAX);
	assert_int_equal(problem.part, TLS_PART_CLIENTS);
	shop.options.clients_pem = SPAN("");
	shop.options.ciphers = SPAN("NO-SUCH");
	assert_int_equal(tls_server_context_create(&shop.options, &context, &problem),
	    ERR_SYNTAX);
	assert_int_equal(problem.part, TLS_PART_CIPHERS);
	shop.options.ciphers = SPAN("");
	shop.options.groups = SPAN("X25519:NO-SUCH");
	assert_int_equal(tls_server_context_create(&shop.options, &context, &problem),
	    ERR_SYNTAX);
	assert_int_equal(problem.part, TLS_PART_GROUPS);
	assert_null(context);
	shop_fini(&shop);
}

/* A client's list, the best first, and what is agreed upon. */
static void
test_the_order_of_ciphers_is_ours(void **state)
{
	static const struct {
		const char *list;
		struct span agreed;
	} lists[] = {
	    {"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
		SPAN("TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384")},
	    {"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305",
		SPAN("TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256")},
	    {"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384",
		SPAN("TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305")},
	};
	struct shop shop = {0};
	struct world *world = &shop.world;
	struct buf text;

	(void)state;
	buf_init(&text, 200);
	shop_init(&shop);
	shop_open(&shop);
	tls_context_version_max(world->client_context, TLS1_2_VERSION);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		assert_true(
		    SSL_CTX_set_cipher_list(world->client_context->ssl_ctx, lists[i].list));
		world_connect(world, "a.example");
		pump(world, 65536);
		buf_reset(&text);
		tls_describe(world->server, &text);
		assert_true(span_eq(buf_span(&text), lists[i].agreed));
	}
	buf_fini(&text);
	shop_fini(&shop);
}

static void
test_versions_ciphers_and_groups(void **state)
{
	struct shop shop = {0};
	struct world *world = &shop.world;
	struct buf text;

	(void)state;
	buf_init(&text, 200);
	shop_init(&shop);
	shop.options.ciphers = SPAN("ECDHE+CHACHA20");
	shop.options.groups = SPAN("P-384");
	shop_open(&shop);
	tls_context_version_max(world->client_context, TLS1_2_VERSION);
	world_connect(world, "a.example");
	pump(world, 65536);
	tls_describe(world->server, &text);
	assert_true(span_eq(
	    buf_span(&text), SPAN("TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305")));
	assert_int_equal(SSL_get_negotiated_group(world->client->ssl), NID_secp384r1);
	shop.options.only_tls13 = true;
	shop_open(&shop);
	world_connect(world, "a.example");
	pump(world, 65536);
	assert_false(tls_is_ready(world->server));
	expect_failure(world->server, "no TLS version in common");
	/* Nobody is without forward secrecy, whatever he can do. */
	shop.options = (struct tls_server_options){.chains = shop.chains,
	    .chain_count = ROWS,
	    .signer = shop.options.signer};
	shop_open(&shop);
	assert_true(SSL_CTX_set_cipher_list(
	    world->client_context->ssl_ctx, "AES256-GCM-SHA384:DHE+AESGCM"));
	world_connect(world, "a.example");
	pump(world, 65536);
	expect_failure(world->server, "no cipher in common");
	buf_fini(&text);
	shop_fini(&shop);
}

static void
test_old_versions_are_refused(void **state)
{
	struct shop shop = {0};
	struct world *world = &shop.world;
	SSL_CTX *client;

	(void)state;
	shop_init(&shop);
	client = world->client_context->ssl_ctx;
	assert_true(SSL_CTX_set_min_proto_version(client, TLS1_VERSION));
	assert_true(SSL_CTX_set_max_proto_version(client, TLS1_1_VERSION));
	assert_true(SSL_CTX_set_cipher_list(client, "ALL@SECLEVEL=0"));
	world_connect(world, "a.example");
	pump(world, 65536);
	assert_false(tls_is_ready(world->server));
	expect_failure(world->server, "no TLS version in common");
	shop_fini(&shop);
}

static void
test_clients_with_certificates(void **state)
{
	const struct cert_options options = {
	    "Anna", "email:anna@example.org", -DAY_S, DAY_S};
	EVP_PKEY *key = key_make(P256);
	struct shop shop = {0};
	struct world *world = &shop.world;
	struct buf name;
	X509 *cert;

	(void)state;
	buf_init(&name, 300);
	shop_init(&shop);
	shop.options.clients_pem = span_str(world->root_pem);
	shop_open(&shop);
	/* Without one. */
	world_connect(world, "b.example");
	pump(world, 65536);
	assert_true(tls_is_ready(world->server));
	tls_peer_name(world->server, &name);
	assert_int_equal(name.len, 0);
	/* With one, and whatever name is asked for. */
	cert = cert_make(&options, key, world->root, world->root_key);
	assert_true(SSL_CTX_use_certificate(world->client_context->ssl_ctx, cert));
	assert_true(SSL_CTX_use_PrivateKey(world->client_context->ssl_ctx, key));
	world_connect(world, "x.w.example");
	pump(world, 65536);
	assert_true(tls_is_ready(world->server));
	tls_peer_name(world->server, &name);
	assert_true(span_eq(buf_span(&name), SPAN("anna@example.org")));
	buf_reset(&name);
	/* Of somebody else's issuer: it is as if there were none. */
	shop.options.clients_pem = shop.chains[0];
	shop_open(&shop);
	world_connect(world, "x.w.example");
	pump(world, 65536);
	assert_true(tls_is_ready(world->server));
	tls_peer_name(world->server, &name);
	assert_int_equal(name.len, 0);
	X509_free(cert);
	EVP_PKEY_free(key);
	buf_fini(&name);
	shop_fini(&shop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_certificates_by_name),
	    cmocka_unit_test(test_what_is_wrong_is_named),
	    cmocka_unit_test(test_the_order_of_ciphers_is_ours),
	    cmocka_unit_test(test_versions_ciphers_and_groups),
	    cmocka_unit_test(test_old_versions_are_refused),
	    cmocka_unit_test(test_clients_with_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
