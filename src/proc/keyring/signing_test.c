/* Receptions are not believed: whatever they ask, no key is used that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"
#include "ipc/sign_wire.h"
#include "proc/keyring/signing.h"
#include "tls/tls.h"

enum { KEYS = 2, DIGEST_BYTES = 32, WAIT_MS = 5000 };

struct world {
	char folder[32];
	char files[KEYS][64];
	EVP_PKEY *pkeys[KEYS];
	struct conf conf;
	struct proc_env env;
	int fd; /* reception's end */
	char answer[SIGN_ANSWER_BYTES];
	ssize_t got; /* bytes of the answer; 0: the link was ended */
	struct span request;
};

static char *
certificate_of(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long bytes;

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 1000);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_true(PEM_write_bio_X509(bio, cert));
	bytes = BIO_get_mem_data(bio, &text);
	copy = mem_copy(span_of(text, (size_t)bytes));
	BIO_free(bio);
	X509_free(cert);
	return copy;
}

static void
world_init(struct world *world)
{
	snprintf(world->folder, sizeof(world->folder), "/tmp/signing-test-XXXXXX");
	assert_non_null(mkdtemp(world->folder));
	world->env = (struct proc_env){.io = io_create(), .conf = &world->conf};
	world->env.log = (struct event_log){world->env.io, "keyring", CONF_LOG_LOGFMT};
	world->conf.certificate_count = KEYS;
	for (size_t i = 0; i < KEYS; i++) {
		FILE *file;

		world->pkeys[i] = i ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
		snprintf(world->files[i], sizeof(world->files[i]), "%s/%zu", world->folder, i);
		file = fopen(world->files[i], "w");
		assert_true(file && PEM_write_PrivateKey(file, world->pkeys[i], NULL, NULL, 0,
		                        NULL, NULL));
		fclose(file);
		world->conf.certificates[i] = (struct conf_certificate){
		    .path = SPAN("chain"),
		    .pem = span_str(certificate_of(world->pkeys[i])),
		    .key_path = span_str(world->files[i]),
		};
	}
}

static void
world_fini(struct world *world)
{
	io_destroy(world->env.io);
	for (size_t i = 0; i < KEYS; i++) {
		unlink(world->files[i]);
		EVP_PKEY_free(world->pkeys[i]);
		mem_free((char *)(uintptr_t)world->conf.certificates[i].pem.ptr);
	}
	rmdir(world->folder);
}

/* Reception, on a thread of its own, as it waits for the answer; then the loop ends. */
static void
ask(void *argument)
{
	struct world *world = argument;
	struct pollfd pollfd = {.fd = world->fd, .events = POLLIN};

	world->got = -1;
	if (send(world->fd, world->request.ptr, world->request.len, MSG_NOSIGNAL) < 0)
		return;
	if (poll(&pollfd, 1, WAIT_MS) == 1)
		world->got = recv(world->fd, world->answer, sizeof(world->answer), 0);
}

static void
asked(struct io_op *op)
{
	struct world *world = op->owner;

	io_stop(world->env.io);
}

static const struct {
	const char *what;
	uint32_t input_bytes, said_bytes;
	uint8_t kind, key;
	bool is_answered, is_signed;
} requests[] = {
    {"the first key", 32, 32, TLS_SIGNATURE_ECDSA, 0, true, true},
    {"the second key", 51, 51, TLS_SIGNATURE_RSA_PKCS1, 1, true, true},
    {"a key of another kind", 32, 32, TLS_SIGNATURE_ECDSA, 1, true, false},
    {"the key behind the last", 32, 32, TLS_SIGNATURE_ECDSA, 2, true, false},
    {"a key far away", 32, 32, TLS_SIGNATURE_ECDSA, 255, true, false},
    {"an unknown kind", 32, 32, 3, 0, true, false},
    {"nothing", 0, 0, TLS_SIGNATURE_ECDSA, 0, true, false},
    {"no padding", 255, 255, TLS_SIGNATURE_RSA_RAW, 1, true, false},
    {"a length that lies", 40, 32, TLS_SIGNATURE_ECDSA, 0, false, false},
    {"too much", 32, SIGN_INPUT_BYTES_MAX + 1, TLS_SIGNATURE_ECDSA, 0, false, false},
    {"far too much", 32, UINT32_MAX, TLS_SIGNATURE_ECDSA, 0, false, false},
};

static void
what_is_asked_is_not_believed(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));
	struct signing *signing;

	(void)state;
	world_init(world);
	signing = signing_create(&world->env);
	assert_non_null(signing);
	for (size_t i = 0; i < LEN(requests); i++) {
		char request[SIGN_REQUEST_BYTES_MAX] = {0};
		struct io_op op = {.done = asked, .owner = world};
		size_t len;
		int pair[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		world->fd = pair[0];
		signing_link(signing, 0, io_stream_open(world->env.io, pair[1]));
		wire_put_u32(request, requests[i].said_bytes);
		request[SIGN_KIND_AT] = (char)requests[i].kind;
		request[SIGN_KEY_AT] = (char)requests[i].key;
		world->request =
		    span_of(request, SIGN_REQUEST_HEADER_BYTES + requests[i].input_bytes);
		io_work(world->env.io, &op, ask, world);
		io_run(world->env.io);
		len = (uint8_t)world->answer[0] | (size_t)(uint8_t)world->answer[1] << 8;
		if (world->got != (requests[i].is_answered ? SIGN_ANSWER_BYTES : 0))
			fail_msg("%s: %zd bytes", requests[i].what, world->got);
		if (requests[i].is_answered && (len > 0) != requests[i].is_signed)
			fail_msg("%s: signed with %zu bytes", requests[i].what, len);
		if (!requests[i].is_signed && requests[i].is_answered)
			for (size_t k = 0; k < sizeof(world->answer); k++)
				assert_int_equal(world->answer[k], 0);
		close(pair[0]);
	}
	signing_destroy(signing);
	world_fini(world);
	mem_free(world);
}

static void
keys_of_other_certificates_are_refused(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));
	struct span first;

	(void)state;
	world_init(world);
	first = world->conf.certificates[0].key_path;
	world->conf.certificates[0].key_path = world->conf.certificates[1].key_path;
	assert_null(signing_create(&world->env));
	world->conf.certificates[0].key_path = SPAN("/nowhere/at.all");
	assert_null(signing_create(&world->env));
	world->conf.certificates[0].key_path = first;
	world_fini(world);
	mem_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_asked_is_not_believed),
	    cmocka_unit_test(keys_of_other_certificates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
