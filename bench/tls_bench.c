/*
 * What TLS costs without a network: a signature, the same asked of a keyring's process as reception
 * asks, and the server's half of a full handshake in memory.  CPU time, of all processes.
 *
 *   tls_bench [SECONDS]
 */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"
#include "ipc/sign_wire.h"
#include "proc/keyring/signing.h"
#include "tls/tls.h"

enum { DIGEST_BYTES = 32, CALL_MS = 3000, PEM_BYTES_MAX = 8192 };

struct bench {
	double seconds;
	char key_path[64];
	char chain[PEM_BYTES_MAX], key_pem[PEM_BYTES_MAX];
	struct tls_key *key;
	struct io *io;
	struct io_stream *signer; /* NULL: sign here */
};

static double
cpu_us(void)
{
	struct timespec now;

	check(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void
write_pem(BIO *bio, char *into)
{
	char *text;
	long bytes = BIO_get_mem_data(bio, &text);

	check(bytes > 0 && bytes < PEM_BYTES_MAX);
	memcpy(into, text, (size_t)bytes);
	BIO_free(bio);
}

static void
make_certificate(struct bench *bench)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *chain = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());
	const char *why;
	FILE *file;
	int fd;

	X509_set_version(cert, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	check(X509_sign(cert, key, EVP_sha256()));
	check(PEM_write_bio_X509(chain, cert));
	check(PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL));
	write_pem(chain, bench->chain);
	write_pem(pem, bench->key_pem);
	check(tls_key_load(span_str(bench->key_pem), &bench->key, &why) == OK);
	snprintf(bench->key_path, sizeof(bench->key_path), "/tmp/tls-bench-XXXXXX");
	fd = mkstemp(bench->key_path);
	file = fd >= 0 ? fdopen(fd, "w") : NULL;
	check(file && fputs(bench->key_pem, file) >= 0 && fclose(file) == 0);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* Lives as the keyring does, until the other end closes. */
static void
live_as_keyring(struct bench *bench, int fd)
{
	struct conf *conf = mem_alloc(sizeof(*conf));
	struct proc_env env = {.io = io_create(), .conf = conf};
	struct signing *signing;

	env.log = (struct event_log){env.io, "keyring", CONF_LOG_LOGFMT};
	conf->certificate_count = 1;
	conf->certificates[0] = (struct conf_certificate){
	    .path = SPAN("certificate"),
	    .pem = span_str(bench->chain),
	    .key_path = span_str(bench->key_path),
	};
	signing = signing_create(&env);
	check(signing != NULL);
	signing_link(signing, 0, io_stream_open(env.io, fd));
	io_run(env.io);
	_exit(0);
}

static enum err
sign(void *owner, unsigned key, enum tls_signature kind, struct span input, char *signature,
    size_t *signature_bytes)
{
	struct bench *bench = owner;
	char request[SIGN_REQUEST_BYTES_MAX], answer[SIGN_ANSWER_BYTES];
	enum err err;

	if (!bench->signer)
		return tls_key_sign(bench->key, kind, input, signature, signature_bytes);
	wire_put_u32(request, (uint32_t)input.len);
	request[SIGN_KIND_AT] = (char)kind;
	request[SIGN_KEY_AT] = (char)key;
	memcpy(request + SIGN_REQUEST_HEADER_BYTES, input.ptr, input.len);
	err = io_call(bench->signer,
	    span_of(request, SIGN_REQUEST_HEADER_BYTES + input.len), answer, sizeof(answer),
	    CALL_MS);
	check(err == OK);
	*signature_bytes = (uint8_t)answer[0] | (size_t)(uint8_t)answer[1] << 8;
	check(*signature_bytes > 0 && *signature_bytes <= TLS_SIGNATURE_BYTES_MAX);
	memcpy(signature, answer + 2, *signature_bytes);
	return OK;
}

/* Microseconds of this process for one signature; how many there were. */
static double
signatures(struct bench *bench, unsigned *count)
{
	char digest[DIGEST_BYTES] = "x", signature[TLS_SIGNATURE_BYTES_MAX];
	double start = cpu_us();
	time_t end = time(NULL) + (time_t)bench->seconds + 1;
	size_t bytes;

	for (*count = 0; time(NULL) < end; ++*count)
		check(sign(bench, 0, TLS_SIGNATURE_ECDSA, span_of(digest, sizeof(digest)),
			  signature, &bytes) == OK);
	return (cpu_us() - start) / *count;
}

static void
carry(struct tls *from, struct tls *to)
{
	struct span out = tls_output(from);

	check(tls_input(to, out) == OK);
	tls_output_done(from, out.len);
}

/* Microseconds of the server's half of a handshake. */
static double
handshakes(struct bench *bench)
{
	struct span chain = span_str(bench->chain), plain;
	const struct tls_server_options options = {
	    .chains = &chain, .chain_count = 1, .signer = {bench, sign}};
	struct tls_context *server_context, *client_context;
	struct tls_problem problem;
	time_t end = time(NULL) + (time_t)bench->seconds + 1;
	double used = 0;
	unsigned count = 0;

	check(tls_server_context_create(&options, &server_context, &problem) == OK);
	check(tls_client_context_create(false, &client_context) == OK);
	for (; time(NULL) < end; count++) {
		struct tls *client = tls_connect(client_context, SPAN("mx.example"));
		struct tls *server;
		double start;

		check(tls_next(client, &plain) == ERR_AGAIN);
		start = cpu_us();
		server = tls_accept(server_context);
		carry(client, server);
		check(tls_next(server, &plain) == ERR_AGAIN);
		used += cpu_us() - start;
		carry(server, client);
		check(tls_next(client, &plain) == OK);
		start = cpu_us();
		carry(client, server);
		check(tls_next(server, &plain) == OK && tls_is_ready(server));
		tls_destroy(server);
		used += cpu_us() - start;
		tls_destroy(client);
	}
	tls_context_destroy(server_context);
	tls_context_destroy(client_context);
	return used / count;
}

int
main(int argc, char **argv)
{
	struct bench *bench = mem_alloc(sizeof(*bench));
	struct rusage child;
	double alone, asked, whole;
	unsigned count;
	int pair[2];
	pid_t pid;

	bench->seconds = argc > 1 ? atof(argv[1]) : 2;
	make_certificate(bench);
	alone = signatures(bench, &count);
	whole = handshakes(bench);
	check(socketpair(
		  AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		close(pair[0]);
		live_as_keyring(bench, pair[1]);
	}
	close(pair[1]);
	bench->io = io_create();
	bench->signer = io_stream_open(bench->io, pair[0]);
	asked = signatures(bench, &count);
	kill(pid, SIGKILL);
	check(wait4(pid, NULL, 0, &child) == pid);
	asked += ((double)(child.ru_utime.tv_sec + child.ru_stime.tv_sec) * 1e6 +
		     (double)(child.ru_utime.tv_usec + child.ru_stime.tv_usec)) /
		 count;
	unlink(bench->key_path);
	printf("signature P-256: %.1f us here, %.1f us asked of the keyring (%.1f more)\n",
	    alone, asked, asked - alone);
	printf("full handshake TLS 1.3 in memory, the server's half: %.1f us; asking the "
	       "keyring adds %.1f %%\n",
	    whole, 100 * (asked - alone) / whole);
	return 0;
}
