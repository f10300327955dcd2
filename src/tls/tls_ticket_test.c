/* Sessions that go on from earlier ones, in another process, and when they do not. */
#include "tls/tls_test_world.h"

static const char key_bytes[3][TLS_TICKET_KEY_BYTES] = {"one", "two", "three"};

static struct span
ticket_key(int i)
{
	return i < 0 ? SPAN("") : span_of(key_bytes[i], TLS_TICKET_KEY_BYTES);
}

/* The server as another process of it would have it: nothing shared but these keys. */
static void
server_make(struct world *world, struct tls_tickets **tickets, int newest, int before,
    struct span clients_pem)
{
	struct span chain = span_str(world->leaf_pem);
	const struct tls_server_options options = {
	    .chains = &chain,
	    .chain_count = 1,
	    .signer = world->signer,
	    .clients_pem = clients_pem,
	    .tickets = tls_tickets_create(),
	    .ticket_ms = 7200 * 1000,
	};
	struct tls_problem problem;

	tls_destroy(world->server);
	world->server = NULL;
	tls_context_destroy(world->server_context);
	tls_tickets_destroy(*tickets);
	*tickets = options.tickets;
	if (newest >= 0)
		assert_int_equal(
		    tls_tickets_set(*tickets, ticket_key(newest), ticket_key(before)), OK);
	assert_int_equal(
	    tls_server_context_create(&options, &world->server_context, &problem), OK);
}

/* Connects, with a session to resume or none; gives the client's session. */
static SSL_SESSION *
connect_with(struct world *world, SSL_SESSION *session, const char *name)
{
	world_connect(world, name);
	if (session)
		assert_true(SSL_set_session(world->client->ssl, session));
	pump(world, 65536);
	if (!tls_is_ready(world->server) || !tls_is_ready(world->client))
		fail_msg("%s", tls_failure(world->server));
	assert_int_equal(tls_is_resumed(world->server), tls_is_resumed(world->client));
	/* OpenSSL's client forgets the session of a connection that breaks. */
	tls_shut_down(world->client);
	SSL_SESSION_free(session);
	return SSL_get1_session(world->client->ssl);
}

static const struct {
	int newest, before; /* of the second server; the first had key 0 */
	bool resumed;
} resumptions[] = {
    {0, -1, true},
    {1, 0, true}, /* the key was changed since */
    {2, 1, false}, /* twice */
    {-1, -1, false},
};

static void
test_resumption(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < 2 * LEN(resumptions); i++) {
		struct tls_tickets *tickets = NULL;
		SSL_SESSION *session;
		struct world world;
		struct buf first, second;

		buf_init(&first, 100);
		buf_init(&second, 100);
		world_init(&world, i & 2 ? RSA2048 : P256, &good_cert, false);
		tls_context_version_max(world.client_context, versions[i & 1]);
		server_make(&world, &tickets, 0, -1, SPAN(""));
		session = connect_with(&world, NULL, "mx.example");
		assert_false(tls_is_resumed(world.server));
		assert_true(SSL_SESSION_is_resumable(session));
		tls_binding_end_point(world.server, &first);
		assert_int_equal(world.signed_count, 1);
		server_make(&world, &tickets, resumptions[i / 2].newest,
		    resumptions[i / 2].before, SPAN(""));
		session = connect_with(&world, session, "mx.example");
		assert_int_equal(
		    tls_is_resumed(world.server), resumptions[i / 2].resumed);
		assert_int_equal(world.signed_count, resumptions[i / 2].resumed ? 1 : 2);
		/* The binding to the certificate holds, where none was shown. */
		tls_binding_end_point(world.server, &second);
		assert_int_equal(first.len, 32);
		assert_true(span_eq(buf_span(&first), buf_span(&second)));
		/* And from there on, with the newest key. */
		if (resumptions[i / 2].newest >= 0) {
			session = connect_with(&world, session, "mx.example");
			assert_true(tls_is_resumed(world.server));
			buf_reset(&second);
			tls_binding_end_point(world.server, &second);
			assert_true(span_eq(buf_span(&first), buf_span(&second)));
		}
		SSL_SESSION_free(session);
		world_fini(&world);
		tls_tickets_destroy(tickets);
		buf_fini(&first);
		buf_fini(&second);
	}
}

static void
test_no_keys_no_tickets(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < LEN(versions); i++) {
		struct tls_tickets *tickets = NULL;
		SSL_SESSION *session;
		struct world world;

		world_init(&world, P256, &good_cert, false);
		tls_context_version_max(world.client_context, versions[i]);
		server_make(&world, &tickets, -1, -1, SPAN(""));
		session = connect_with(&world, NULL, "mx.example");
		assert_false(SSL_SESSION_has_ticket(session));
		session = connect_with(&world, session, "mx.example");
		assert_false(tls_is_resumed(world.server));
		SSL_SESSION_free(session);
		world_fini(&world);
		tls_tickets_destroy(tickets);
	}
}

/* A name that was believed because of an issuer that is believed no more. */
static void
test_resumption_ends_with_the_issuers(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	const struct cert_options options = {
	    "Anna", "email:anna@example.org", -DAY_S, DAY_S};

	(void)state;
	for (size_t i = 0; i < LEN(versions); i++) {
		struct tls_tickets *tickets = NULL;
		EVP_PKEY *key = key_make(P256);
		SSL_SESSION *session;
		struct world world;
		struct buf name;
		SSL_CTX *client;
		X509 *cert;

		buf_init(&name, 300);
		world_init(&world, P256, &good_cert, false);
		client = world.client_context->ssl_ctx;
		cert = cert_make(&options, key, world.root, world.root_key);
		assert_true(SSL_CTX_use_certificate(client, cert));
		assert_true(SSL_CTX_use_PrivateKey(client, key));
		tls_context_version_max(world.client_context, versions[i]);
		server_make(&world, &tickets, 0, -1, span_str(world.root_pem));
		session = connect_with(&world, NULL, "mx.example");
		server_make(&world, &tickets, 0, -1, span_str(world.root_pem));
		session = connect_with(&world, session, "mx.example");
		assert_true(tls_is_resumed(world.server));
		tls_peer_name(world.server, &name);
		assert_true(span_eq(buf_span(&name), SPAN("anna@example.org")));
		buf_reset(&name);
		server_make(&world, &tickets, 0, -1, span_str(world.leaf_pem));
		session = connect_with(&world, session, "mx.example");
		assert_false(tls_is_resumed(world.server));
		tls_peer_name(world.server, &name);
		assert_int_equal(name.len, 0);
		SSL_SESSION_free(session);
		X509_free(cert);
		EVP_PKEY_free(key);
		buf_fini(&name);
		world_fini(&world);
		tls_tickets_destroy(tickets);
	}
}

static void
test_keys_of_another_size(void **state)
{
	struct tls_tickets *tickets = tls_tickets_create();

	(void)state;
	assert_int_equal(tls_tickets_set(tickets, SPAN(""), SPAN("")), ERR_SYNTAX);
	assert_int_equal(tls_tickets_set(tickets, SPAN("short"), SPAN("")), ERR_SYNTAX);
	assert_int_equal(
	    tls_tickets_set(tickets, ticket_key(0), SPAN("short")), ERR_SYNTAX);
	tls_tickets_destroy(tickets);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_resumption),
	    cmocka_unit_test(test_no_keys_no_tickets),
	    cmocka_unit_test(test_resumption_ends_with_the_issuers),
	    cmocka_unit_test(test_keys_of_another_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
