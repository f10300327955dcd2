/*
 * What a client may send to the TLS boundary: any bytes, a ClientHello with changed and missing
 * bytes, and anything behind a good handshake; in pieces of any size.  Whatever comes, the
 * server fails in a sentence or waits for more, and how the bytes were cut makes no difference.
 *
 * The first byte chooses which of these, the second the size of the pieces.
 */
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "tls/tls.h"

enum { FUZZ_BYTES_MAX = 64 * 1024, ROUNDS_MAX = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char chain_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBmTCCAT6gAwIBAgIUKJx2qlJ/sD5v01N2aZPhSahqA8wwCgYIKoZIzj0EAwIw\n"
    "FTETMBEGA1UEAwwKbXguZXhhbXBsZTAgFw0yNjExMjcwNTA2MzZaGA8yMTI2MTEw\n"
    "MzA1MDYzNlowFTETMBEGA1UEAwwKbXguZXhhbXBsZTBZMBMGByqGSM49AgEGCCqG\n"
    "SM49AwEHA0IABO8/wqPWJgirSIcwtLg0zH0v9nRULT1LEZBYegLhO6osnqm0DVNh\n"
    "yMo4Baqg9Y6RZGm9N2mrwdRl/ZRe/q4hPo2jajBoMB0GA1UdDgQWBBQ8O/8ks5ug\n"
    "f3VJ8Yj2RO2hKXcUzjAfBgNVHSMEGDAWgBQ8O/8ks5ugf3VJ8Yj2RO2hKXcUzjAP\n"
    "BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCm14LmV4YW1wbGUwCgYIKoZIzj0E\n"
    "AwIDSQAwRgIhALP8wsgLPgfHMCqwYrcwGo69C39RbRflyfH7DsgTj82IAiEAlWkD\n"
    "DzOf0dj/BpcIjsXv9pIy2jAPFO2zoZQX1Vm2wBY=\n"
    "-----END CERTIFICATE-----\n";

/* Nobody's: it signs in this test only. */
static const char key_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgj1xhjT2UrFYiy/G4\n"
    "OB6O0l0x/IJH51DhMdfNlkf7k8qhRANCAATvP8Kj1iYIq0iHMLS4NMx9L/Z0VC09\n"
    "SxGQWHoC4TuqLJ6ptA1TYcjKOAWqoPWOkWRpvTdpq8HUZf2UXv6uIT6N\n"
    "-----END PRIVATE KEY-----\n";

enum start { ANY_BYTES, CHANGED_HELLO, AFTER_HANDSHAKE, START_COUNT };

struct ends {
	struct tls_key *key;
	struct tls_context *server_context, *client_context;
	struct tls *server, *client;
};

static enum err
sign(void *owner, unsigned key, enum tls_signature kind, struct span input, char *signature,
    size_t *signature_bytes)
{
	check(key == 0);
	return tls_key_sign(owner, kind, input, signature, signature_bytes);
}

static void
ends_init(struct ends *ends)
{
	struct span chain = span_str(chain_pem);
	struct tls_server_options options = {.chains = &chain,
	    .chain_count = 1,
	    .clients_pem = chain}; /* a client is asked for a certificate, too */
	struct tls_problem problem;
	const char *why;

	check(tls_key_load(span_str(key_pem), &ends->key, &why) == OK);
	options.signer = (struct tls_signer){ends->key, sign};
	check(tls_server_context_create(&options, &ends->server_context, &problem) == OK);
	check(tls_client_context_create(false, &ends->client_context) == OK);
}

static void
ends_fini(struct ends *ends)
{
	tls_destroy(ends->server);
	tls_destroy(ends->client);
	tls_context_destroy(ends->server_context);
	tls_context_destroy(ends->client_context);
	tls_key_destroy(ends->key);
}

/* Takes what there is; gives what tls_next gave last. */
static enum err
drain(struct tls *tls)
{
	struct span plain;
	enum err err;

	while ((err = tls_next(tls, &plain)) == OK)
		check(plain.len <= 16384);
	if (err == ERR_CRYPTO) {
		check(tls_failure(tls)[0] != '\0');
		for (const char *c = tls_failure(tls); *c; c++)
			check(*c >= ' ' && *c <= '~');
		check(tls_next(tls, &plain) == ERR_CRYPTO && plain.len == 0);
		check(!tls_is_ready(tls));
	} else {
		check(tls_failure(tls)[0] == '\0');
	}
	return err;
}

static enum err
feed(struct tls *tls, struct span bytes, size_t step)
{
	enum err err = drain(tls);

	while (bytes.len > 0 && err == ERR_AGAIN) {
		check(tls_input(tls, span_first(bytes, step)) == OK);
		bytes = span_skip(bytes, step);
		err = drain(tls);
	}
	return err;
}

/* The first bytes say where the ClientHello is changed, and the last how much of it is missing. */
static void
feed_hello(struct ends *ends, struct span changes, size_t step)
{
	struct buf hello;

	buf_init(&hello, FUZZ_BYTES_MAX);
	(void)drain(ends->client);
	buf_add(&hello, tls_output(ends->client));
	for (size_t i = 0; i + 2 < changes.len && i < 60; i += 3) {
		size_t at = (uint8_t)changes.ptr[i] | (size_t)(uint8_t)changes.ptr[i + 1] << 8;

		hello.ptr[at % hello.len] ^= changes.ptr[i + 2];
	}
	if (changes.len > 0)
		hello.len -= (uint8_t)changes.ptr[changes.len - 1] % hello.len;
	(void)feed(ends->server, buf_span(&hello), step);
	buf_fini(&hello);
}

static void
shake_hands(struct ends *ends)
{
	for (int i = 0; i < ROUNDS_MAX && !tls_is_ready(ends->server); i++) {
		struct span out;

		(void)drain(ends->client);
		out = tls_output(ends->client);
		(void)feed(ends->server, out, SIZE_MAX);
		tls_output_done(ends->client, out.len);
		out = tls_output(ends->server);
		check(tls_input(ends->client, out) == OK);
		tls_output_done(ends->server, out.len);
	}
	check(tls_is_ready(ends->server));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = span_of((const char *)data, size);
	struct ends ends = {0};
	enum start start;
	size_t step;

	if (size < 2 || size > FUZZ_BYTES_MAX)
		return 0;
	start = (enum start)(data[0] % START_COUNT);
	step = (size_t)data[1] + 1;
	bytes = span_skip(bytes, 2);
	ends_init(&ends);
	ends.server = tls_accept(ends.server_context);
	ends.client = tls_connect(ends.client_context, SPAN("mx.example"));
	if (start == CHANGED_HELLO) {
		feed_hello(&ends, bytes, step);
	} else {
		enum err whole, cut;

		if (start == AFTER_HANDSHAKE)
			shake_hands(&ends);
		whole = feed(ends.server, bytes, step);
		tls_destroy(ends.server);
		ends.server = tls_accept(ends.server_context);
		if (start == ANY_BYTES) {
			cut = feed(ends.server, bytes, SIZE_MAX);
			check(whole == cut);
		}
	}
	ends_fini(&ends);
	return 0;
}
