/*
 * Sessions in memory, client against server: what works does so however the
 * bytes are cut, and what fails says why in words.
 */
#include "tls/tls_test_world.h"

static const struct {
	enum key_kind kind;
	int version;
	size_t step;
	const char *describe;
} handshakes[] = {
    {P256, TLS1_3_VERSION, 65536, "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    {P256, TLS1_3_VERSION, 1, "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    {P256, TLS1_2_VERSION, 65536, "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"},
    {P256, TLS1_2_VERSION, 1, "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"},
    {P384, TLS1_3_VERSION, 7, "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    {P384, TLS1_2_VERSION, 7, "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"},
    {RSA2048, TLS1_3_VERSION, 65536, "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    {RSA2048, TLS1_3_VERSION, 1, "TLSv1.3 TLS_AES_256_GCM_SHA384"},
    {RSA2048, TLS1_2_VERSION, 65536, "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384"},
    {RSA2048, TLS1_2_VERSION, 3, "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384"},
};

static void
test_handshakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(handshakes); i++) {
		struct world world;
		struct buf text;

		world_init(&world, handshakes[i].kind, &good_cert, true);
		tls_context_version_max(world.client_context, handshakes[i].version);
		assert_int_equal(
		    tls_context_trust(world.client_context, span_str(world.root_pem)),
		    OK);
		world_connect(&world, "mx.example");
		buf_init(&text, 100);
		tls_describe(world.client, &text);
		assert_int_equal(text.len, 0);
		assert_int_equal(tls_write(world.client, SPAN("early")), ERR_AGAIN);
		pump(&world, handshakes[i].step);
		if (!tls_is_ready(world.client) || !tls_is_ready(world.server))
			fail_msg("%zu: client: %s; server: %s", i,
			    tls_failure(world.client), tls_failure(world.server));
		assert_int_equal(world.signed_count, 1);
		tls_describe(world.client, &text);
		assert_true(span_eq(buf_span(&text), span_str(handshakes[i].describe)));
		assert_int_equal(tls_write(world.client, SPAN("EHLO x\r\n")), OK);
		assert_int_equal(tls_write(world.server, SPAN("250 y\r\n")), OK);
		pump(&world, handshakes[i].step);
		assert_true(span_eq(buf_span(&world.to_server), SPAN("EHLO x\r\n")));
		assert_true(span_eq(buf_span(&world.to_client), SPAN("250 y\r\n")));
		assert_int_equal(world.client_err, ERR_AGAIN);
		/* Idle sessions hold no buffers. */
		assert_null(world.client->plain);
		assert_null(world.client->in.ptr);
		assert_null(world.client->out.ptr);
		buf_fini(&text);
		world_fini(&world);
	}
}

static void
test_next_says_once_that_the_handshake_is_over(void **state)
{
	struct world world;
	struct span plain;

	(void)state;
	world_init(&world, P256, &good_cert, false);
	world_connect(&world, "mx.example");
	assert_int_equal(tls_next(world.client, &plain), ERR_AGAIN);
	carry(world.client, world.server, 65536);
	assert_int_equal(tls_next(world.server, &plain), ERR_AGAIN);
	carry(world.server, world.client, 65536);
	assert_false(tls_is_ready(world.client));
	assert_int_equal(tls_next(world.client, &plain), OK);
	assert_true(tls_is_ready(world.client));
	assert_int_equal(plain.len, 0);
	assert_int_equal(tls_next(world.client, &plain), ERR_AGAIN);
	world_fini(&world);
}

static void
test_big_transfers(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	char *big = mem_alloc(BIG_BYTES);

	(void)state;
	for (size_t i = 0; i < BIG_BYTES; i++)
		big[i] = (char)(i * 2654435761u >> 13);
	for (size_t i = 0; i < LEN(versions); i++) {
		struct span all = span_of(big, BIG_BYTES);
		struct world world;

		world_init(&world, P256, &good_cert, false);
		tls_context_version_max(world.client_context, versions[i]);
		world_connect(&world, "mx.example");
		pump(&world, 65536);
		assert_int_equal(tls_write(world.client, all), OK);
		assert_int_equal(tls_write(world.server, all), OK);
		pump(&world, 20011);
		assert_true(span_eq(buf_span(&world.to_server), all));
		assert_true(span_eq(buf_span(&world.to_client), all));
		world_fini(&world);
	}
	mem_free(big);
}

static void
test_what_waits_is_bounded(void **state)
{
	char *big = mem_alloc(BIG_BYTES);
	struct world world;
	struct span piece;

	(void)state;
	world_init(&world, P256, &good_cert, false);
	world_connect(&world, "mx.example");
	pump(&world, 65536);
	for (int i = 0; i < 7; i++)
		assert_int_equal(tls_write(world.client, span_of(big, BIG_BYTES)), OK);
	assert_int_equal(tls_write(world.client, span_of(big, BIG_BYTES)), ERR_TOO_LONG);
	/* Refused whole: the session is as it was. */
	assert_int_equal(tls_write(world.client, SPAN("x")), OK);
	piece = span_first(tls_output(world.client), TLS_INPUT_BYTES_MAX);
	assert_int_equal(tls_input(world.server, piece), OK);
	assert_int_equal(tls_input(world.server, SPAN("x")), ERR_TOO_LONG);
	tls_output_done(world.client, piece.len);
	assert_int_equal(drain(world.server, &world.to_server), ERR_AGAIN);
	assert_in_range(
	    world.to_server.len, TLS_INPUT_BYTES_MAX * 9 / 10, TLS_INPUT_BYTES_MAX);
	assert_int_equal(
	    tls_input(world.server, span_first(tls_output(world.client), 65536)), OK);
	assert_true(tls_failure(world.server)[0] == '\0');
	mem_free(big);
	world_fini(&world);
}

static void
test_close_notify(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, RSA2048, &good_cert, false);
	world_connect(&world, "mx.example");
	tls_shut_down(world.client); /* nothing to say yet */
	pump(&world, 65536);
	assert_int_equal(world.server_err, ERR_AGAIN);
	assert_int_equal(tls_write(world.client, SPAN("QUIT\r\n")), OK);
	tls_shut_down(world.client);
	assert_int_equal(tls_write(world.client, SPAN("more")), ERR_CLOSED);
	pump(&world, 1);
	assert_int_equal(world.server_err, ERR_END);
	assert_true(span_eq(buf_span(&world.to_server), SPAN("QUIT\r\n")));
	/* The other direction is open still. */
	assert_int_equal(world.client_err, ERR_AGAIN);
	assert_int_equal(tls_write(world.server, SPAN("221 bye\r\n")), OK);
	tls_shut_down(world.server);
	pump(&world, 65536);
	assert_int_equal(world.client_err, ERR_END);
	assert_true(span_eq(buf_span(&world.to_client), SPAN("221 bye\r\n")));
	world_fini(&world);
}

static const struct {
	const char *name;
	struct cert_options cert;
	const char *asked;
	bool trusted;
	const char *why; /* NULL: fine */
} chains[] = {
    {"the name", {"x", "DNS:mx.example", -DAY_S, DAY_S}, "mx.example", true, NULL},
    {"in another case", {"x", "DNS:mx.example", -DAY_S, DAY_S}, "MX.Example", true, NULL},
    {"with a dot", {"x", "DNS:mx.example", -DAY_S, DAY_S}, "mx.example.", true, NULL},
    {"wildcard", {"x", "DNS:*.mail.example", -DAY_S, DAY_S}, "a.mail.example", true,
	NULL},
    {"IPv4", {"x", "IP:192.0.2.1", -DAY_S, DAY_S}, "192.0.2.1", true, NULL},
    {"IPv6", {"x", "IP:2001:db8::1", -DAY_S, DAY_S}, "2001:db8::1", true, NULL},
    {"other name", {"x", "DNS:other.example", -DAY_S, DAY_S}, "mx.example", true,
	"the certificate is for other.example, not for mx.example"},
    {"other address", {"x", "IP:192.0.2.1", -DAY_S, DAY_S}, "192.0.2.2", true,
	"the certificate is for 192.0.2.1, not for 192.0.2.2"},
    {"many names",
	{"x", "DNS:a.example, DNS:b.example, DNS:c.example, DNS:d.example", -DAY_S,
	    DAY_S},
	"mx.example", true,
	"is for a.example, b.example, c.example and 1 more, not for mx.example"},
    {"wildcard is one label", {"x", "DNS:*.mail.example", -DAY_S, DAY_S},
	"a.b.mail.example", true, "the certificate is for *.mail.example, not for a.b"},
    {"expired", {"x", "DNS:mx.example", -2 * DAY_S, -DAY_S}, "mx.example", true,
	"the certificate for mx.example expired on 20"},
    {"too early", {"x", "DNS:mx.example", DAY_S, 2 * DAY_S}, "mx.example", true,
	"the certificate for mx.example is not valid before 20"},
    {"unknown issuer", {"x", "DNS:mx.example", -DAY_S, DAY_S}, "mx.example", false,
	"comes from an issuer that is not trusted (Test Root)"},
    {"no name to check", {"x", "DNS:mx.example", -DAY_S, DAY_S}, "", true,
	"there is no server name"},
};

static void
test_chains(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(chains); i++) {
		struct world world;

		world_init(&world, P256, &chains[i].cert, true);
		if (chains[i].trusted)
			assert_int_equal(tls_context_trust(world.client_context,
					     span_str(world.root_pem)),
			    OK);
		world_connect(&world, chains[i].asked);
		pump(&world, 65536);
		if (chains[i].why) {
			assert_int_equal(world.client_err, ERR_CRYPTO);
			assert_false(tls_is_ready(world.client));
			expect_failure(world.client, chains[i].why);
			if (chains[i].asked[0])
				expect_failure(world.server, "the peer ");
		} else if (!tls_is_ready(world.client)) {
			fail_msg("%s: %s", chains[i].name, tls_failure(world.client));
		}
		/* Whoever doesn't ask for a check gets none. */
		tls_context_destroy(world.client_context);
		assert_int_equal(
		    tls_client_context_create(false, &world.client_context), OK);
		world_connect(&world, chains[i].asked);
		pump(&world, 65536);
		assert_true(tls_is_ready(world.client) && tls_is_ready(world.server));
		world_fini(&world);
	}
}

static void
test_a_signer_that_fails(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct world world;

		world_init(&world, i & 1 ? P256 : RSA2048, &good_cert, false);
		tls_context_version_max(
		    world.client_context, i & 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		world.signer_err = ERR_TIMEOUT;
		world_connect(&world, "mx.example");
		pump(&world, 65536);
		assert_int_equal(world.server_err, ERR_CRYPTO);
		expect_failure(world.server, "our private key could not sign: timed out");
		/* The client was told by an alert. */
		assert_int_equal(world.client_err, ERR_CRYPTO);
		expect_failure(world.client, "the peer failed inside");
		assert_int_equal(tls_input(world.server, SPAN("x")), ERR_BROKEN);
		assert_int_equal(tls_write(world.server, SPAN("x")), ERR_BROKEN);
		world_fini(&world);
	}
}

static void
test_a_key_that_does_not_fit(void **state)
{
	static const enum key_kind kinds[] = {P256, RSA2048};

	(void)state;
	for (size_t i = 0; i < LEN(kinds); i++) {
		EVP_PKEY *other = key_make(kinds[i]);
		char *pem = pem_of(NULL, other, NULL);
		const char *why;
		struct world world;

		world_init(&world, kinds[i], &good_cert, false);
		assert_int_equal(tls_key_fits(world.key, span_str(world.leaf_pem)), OK);
		tls_key_destroy(world.key);
		assert_int_equal(tls_key_load(span_str(pem), &world.key, &why), OK);
		assert_int_equal(
		    tls_key_fits(world.key, span_str(world.leaf_pem)), ERR_NOT_FOUND);
		world_connect(&world, "mx.example");
		pump(&world, 65536);
		assert_int_equal(world.client_err, ERR_CRYPTO);
		expect_failure(world.client, "signature does not fit");
		expect_failure(world.server, "do certificate and key belong together?");
		world_fini(&world);
		mem_free(pem);
		EVP_PKEY_free(other);
	}
}

static const struct {
	bool server; /* who gets it */
	struct span sent;
	const char *why;
} garbage[] = {
    {false, SPAN("220 mx.example ESMTP Postfix\r\n"),
	"the server does not speak TLS here: it sent \"220 mx.example ESMTP Postfix\" in "
	"the clear (a port for STARTTLS"},
    {false, SPAN("HTTP/1.1 400 Bad Request\r\n"), "it sent \"HTTP/1.1 400 Bad Request\""},
    {true, SPAN("EHLO client.example\r\n"),
	"the client does not speak TLS here: it sent \"EHLO client.example\" in the clear "
	"(this port wants TLS from the first byte)"},
    {true, SPAN("GET / HTTP/1.0\r\n\r\n"), "it sent \"GET / HTTP/1.0\""},
    {true, SPAN("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"),
	"its first byte is 0x01"},
    {true, SPAN("\x16\x03\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "too long"},
    {true, SPAN("\x16\x03\x01\x00\x05\x63\x00\x00\x01\x00\x00"), "out of order"},
    {false, SPAN("\x15\x03\x03\x00\x02\x02\x46"), "no TLS version in common"},
    {false, SPAN("\x15\x03\x03\x00\x02\x02\x28"), "no cipher, group or signature"},
};

static void
test_garbage(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, P256, &good_cert, false);
	for (size_t i = 0; i < 2 * LEN(garbage); i++) {
		struct tls *tls;
		struct span plain, sent = garbage[i / 2].sent;
		size_t step = i & 1 ? 1 : sent.len;
		enum err err;

		world_connect(&world, "mx.example");
		tls = garbage[i / 2].server ? world.server : world.client;
		err = tls_next(tls, &plain);
		while (err == ERR_AGAIN && sent.len) {
			assert_int_equal(tls_input(tls, span_first(sent, step)), OK);
			sent = span_skip(sent, step);
			err = tls_next(tls, &plain);
		}
		assert_int_equal(err, ERR_CRYPTO);
		if (step > 1)
			expect_failure(tls, garbage[i / 2].why);
		assert_int_equal(tls_next(tls, &plain), ERR_CRYPTO);
	}
	world_fini(&world);
}

static void
test_changed_bytes(void **state)
{
	struct world world;
	struct span plain, out;
	char record[200];

	(void)state;
	world_init(&world, P256, &good_cert, false);
	world_connect(&world, "mx.example");
	pump(&world, 65536);
	assert_int_equal(tls_write(world.client, SPAN("MAIL FROM:<>\r\n")), OK);
	out = tls_output(world.client);
	assert_true(out.len > 10 && out.len < sizeof(record));
	memcpy(record, out.ptr, out.len);
	record[out.len - 1] ^= 1;
	assert_int_equal(tls_input(world.server, span_of(record, out.len)), OK);
	assert_int_equal(tls_next(world.server, &plain), ERR_CRYPTO);
	assert_int_equal(plain.len, 0);
	expect_failure(world.server, "bytes were changed on their way");
	assert_true(tls_output(world.server).len > 0);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_handshakes),
	    cmocka_unit_test(test_next_says_once_that_the_handshake_is_over),
	    cmocka_unit_test(test_big_transfers),
	    cmocka_unit_test(test_what_waits_is_bounded),
	    cmocka_unit_test(test_close_notify),
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_a_signer_that_fails),
	    cmocka_unit_test(test_a_key_that_does_not_fit),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_changed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
