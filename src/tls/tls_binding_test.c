/* Channel bindings agree between the ends and with no other session; names are the right ones. */
#include "tls/tls_test_world.h"

static void
take(void (*what)(const struct tls *tls, struct buf *out), const struct tls *tls,
    struct buf *out)
{
	buf_fini(out);
	buf_init(out, 300);
	what(tls, out);
}

static void
test_exporter(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct buf a = {0}, b = {0}, before = {0};

	(void)state;
	for (size_t i = 0; i < LEN(versions); i++) {
		struct world world;

		world_init(&world, P256, &good_cert, false);
		tls_context_version_max(world.client_context, versions[i]);
		world_connect(&world, "mx.example");
		take(tls_binding_exporter, world.server, &a);
		assert_int_equal(a.len, 0);
		pump(&world, 65536);
		take(tls_binding_exporter, world.server, &a);
		take(tls_binding_exporter, world.client, &b);
		assert_int_equal(a.len, 32);
		assert_true(span_eq(buf_span(&a), buf_span(&b)));
		assert_false(span_eq(buf_span(&a), buf_span(&before)));
		take(tls_binding_exporter, world.server, &before);
		/* Another session has another. */
		world_connect(&world, "mx.example");
		pump(&world, 65536);
		take(tls_binding_exporter, world.client, &a);
		assert_int_equal(a.len, 32);
		assert_false(span_eq(buf_span(&a), buf_span(&before)));
		world_fini(&world);
	}
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&before);
}

/* Without the extended master secret a man in the middle can make two sessions agree. */
static void
test_no_exporter_without_extended_master_secret(void **state)
{
	struct buf out = {0};
	struct world world;

	(void)state;
	world_init(&world, P256, &good_cert, false);
	tls_context_version_max(world.client_context, TLS1_2_VERSION);
	SSL_CTX_set_options(
	    world.client_context->ssl_ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	world_connect(&world, "mx.example");
	pump(&world, 65536);
	assert_true(tls_is_ready(world.server));
	take(tls_binding_exporter, world.server, &out);
	assert_int_equal(out.len, 0);
	take(tls_binding_end_point, world.server, &out);
	assert_int_equal(out.len, 32);
	buf_fini(&out);
	world_fini(&world);
}

static void
test_end_point(void **state)
{
	/* SHA-384 where the certificate is signed with it; never SHA-1 (RFC 5929, 4.1). */
	static const struct {
		const char *md;
		size_t bytes;
	} cases[] = {{"SHA256", 32}, {"SHA384", 48}, {"SHA512", 64}, {"SHA1", 32}};
	EVP_PKEY *key = key_make(P256);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		X509 *cert = cert_make(&good_cert, key, NULL, key);
		unsigned char hash[EVP_MAX_MD_SIZE], want[EVP_MAX_MD_SIZE];
		unsigned int bytes;

		assert_true(X509_sign(cert, key, EVP_get_digestbyname(cases[i].md)));
		assert_int_equal(tls_binding_hash(cert, hash), cases[i].bytes);
		assert_true(X509_digest(cert,
		    EVP_get_digestbyname(i == 3 ? "SHA256" : cases[i].md), want, &bytes));
		assert_memory_equal(hash, want, bytes);
		X509_free(cert);
	}
	EVP_PKEY_free(key);
}

static void
test_end_point_of_both_sides(void **state)
{
	struct buf a = {0}, b = {0};
	struct world world;
	unsigned char hash[EVP_MAX_MD_SIZE];

	(void)state;
	world_init(&world, RSA2048, &good_cert, false);
	world_connect(&world, "mx.example");
	take(tls_binding_end_point, world.server, &a);
	assert_int_equal(a.len, 0);
	pump(&world, 65536);
	take(tls_binding_end_point, world.server, &a);
	take(tls_binding_end_point, world.client, &b);
	assert_int_equal(tls_binding_hash(world.leaf, hash), 32);
	assert_true(span_eq(buf_span(&a), span_of((const char *)hash, 32)));
	assert_true(span_eq(buf_span(&a), buf_span(&b)));
	buf_fini(&a);
	buf_fini(&b);
	world_fini(&world);
}

static const struct {
	struct cert_options cert;
	bool trusted, sent;
	const char *name;
} peers[] = {
    {{"Anna", "email:anna@example.org, DNS:a.example", -DAY_S, DAY_S}, true, true,
	"anna@example.org"},
    {{"relay one", "DNS:a.example", -DAY_S, DAY_S}, true, true, "relay one"},
    {{"\x01", "DNS:a.example, DNS:b.example", -DAY_S, DAY_S}, true, true, "a.example"},
    {{"Anna", "email:anna@example.org", -DAY_S, DAY_S}, false, true, ""},
    {{"Anna", "email:anna@example.org", -2 * DAY_S, -DAY_S}, true, true, ""},
    {{"Anna", "email:anna@example.org", -DAY_S, DAY_S}, true, false, ""},
};

static void
test_peer_names(void **state)
{
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < LEN(peers); i++) {
		EVP_PKEY *key = key_make(P256);
		struct world world;
		X509 *cert;

		world_init(&world, P256, &good_cert, false);
		cert = cert_make(&peers[i].cert, key, world.root, world.root_key);
		if (peers[i].sent) {
			SSL_CTX *ctx = world.client_context->ssl_ctx;

			assert_true(SSL_CTX_use_certificate(ctx, cert));
			assert_true(SSL_CTX_use_PrivateKey(ctx, key));
		}
		if (peers[i].trusted)
			assert_int_equal(tls_context_trust(world.server_context,
					     span_str(world.root_pem)),
			    OK);
		SSL_CTX_set_verify(world.server_context->ssl_ctx, SSL_VERIFY_PEER,
		    tls_failure_verify_client);
		world_connect(&world, "mx.example");
		pump(&world, 65536);
		/* Whatever the certificate: the session goes on. */
		if (!tls_is_ready(world.server) || !tls_is_ready(world.client))
			fail_msg("%zu: %s", i, tls_failure(world.server));
		take(tls_peer_name, world.server, &out);
		if (!span_eq(buf_span(&out), span_str(peers[i].name)))
			fail_msg("%zu: got %.*s", i, SPAN_ARGS(out));
		/* A client knows its server by tls_connect's name. */
		take(tls_peer_name, world.client, &out);
		assert_int_equal(out.len, 0);
		X509_free(cert);
		EVP_PKEY_free(key);
		world_fini(&world);
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exporter),
	    cmocka_unit_test(test_no_exporter_without_extended_master_secret),
	    cmocka_unit_test(test_end_point),
	    cmocka_unit_test(test_end_point_of_both_sides),
	    cmocka_unit_test(test_peer_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
