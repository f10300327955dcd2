/* What a server shows is looked at, whatever is wrong with it. */
#include <time.h>

#include "tls/tls_peer.h"
#include "tls/tls_test_world.h"

/* A session with a server of that certificate, by a client that looks. */
static void
look(const struct cert_options *options, enum key_kind kind, bool trust, const char *name,
    struct tls_peer *peer)
{
	struct world world;
	struct buf der;

	world_init(&world, kind, options, false);
	tls_context_destroy(world.client_context);
	assert_int_equal(tls_look_context_create(0, &world.client_context), OK);
	if (trust)
		assert_int_equal(
		    tls_context_trust(world.client_context, span_str(world.root_pem)), OK);
	world_connect(&world, name);
	pump(&world, 65536);
	assert_true(tls_is_ready(world.client));
	tls_peer_look(world.client, span_str(name), peer);
	buf_init(&der, 64 << 10);
	assert_true(tls_peer_certificate(world.client, 0, &der));
	assert_true(der.len > 100 && (unsigned char)der.ptr[0] == 0x30);
	assert_false(tls_peer_certificate(world.client, peer->chain_count, &der));
	buf_fini(&der);
	world_fini(&world);
}

static void
test_good(void **state)
{
	int64_t now = (int64_t)time(NULL);
	struct tls_peer peer;

	(void)state;
	look(&good_cert, P256, true, "mx.example", &peer);
	assert_true(peer.name_fits && peer.trusted);
	assert_false(peer.self_signed || peer.weak_key || peer.weak_signature);
	assert_int_equal(peer.chain_count, 1);
	assert_int_equal(peer.version, 0x0304);
	assert_string_equal(peer.names, "mx.example, *.mail.example");
	assert_string_equal(peer.why, "");
	assert_true(peer.from_s < now && peer.from_s > now - 2 * DAY_S);
	assert_true(peer.until_s > now && peer.until_s < now + 2 * DAY_S);
	look(&good_cert, RSA2048, true, "192.0.2.1", &peer);
	assert_true(peer.name_fits);
}

static void
test_faults(void **state)
{
	const struct cert_options expired = {"a", "DNS:mx.example", -3 * DAY_S, -DAY_S};
	struct tls_peer peer;

	(void)state;
	look(&good_cert, P256, false, "mx.example", &peer);
	assert_false(peer.trusted);
	assert_string_not_equal(peer.why, "");
	look(&good_cert, P256, true, "other.example", &peer);
	assert_true(peer.trusted);
	assert_false(peer.name_fits);
	/* Dates are for whoever looks; they do not make it untrusted. */
	look(&expired, P256, true, "mx.example", &peer);
	assert_true(peer.trusted && peer.name_fits);
	assert_true(peer.until_s < (int64_t)time(NULL));
}

static void
test_pem(void **state)
{
	const struct cert_options options = {"self", NULL, -DAY_S, DAY_S};
	EVP_PKEY *key = EVP_RSA_gen(1024);
	X509 *cert = cert_make(&options, key, NULL, key);
	char *pem = pem_of(cert, NULL, NULL);
	struct tls_peer peer;

	(void)state;
	assert_int_equal(tls_peer_look_pem(span_str(pem), SPAN("self"), &peer), OK);
	assert_true(peer.self_signed && peer.weak_key);
	assert_false(peer.trusted);
	assert_string_equal(peer.names, "self");
	assert_int_equal(tls_peer_look_pem(SPAN("nothing"), SPAN("self"), &peer), ERR_SYNTAX);
	mem_free(pem);
	X509_free(cert);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
