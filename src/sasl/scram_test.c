/* SCRAM-SHA-256: the example of RFC 7677, bindings, and everything that must fail. */
#include "sasl/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/base64.h"
#include "base/check.h"

#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define OURS "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static struct scram_keys
pencil(void)
{
	struct scram_keys keys = {.iterations = 4096};
	struct buf salt;

	buf_init(&salt, 64);
	assert_int_equal(base64_decode(&salt, SPAN("W22ZaJ0SNY7soEsUEjb6gQ==")), OK);
	memcpy(keys.salt, salt.ptr, salt.len);
	keys.salt_bytes = salt.len;
	buf_fini(&salt);
	assert_int_equal(scram_derive(&keys, SPAN("pencil")), OK);
	return keys;
}

static void
the_example_of_the_rfc(void **state)
{
	const struct scram_keys keys = pencil();
	struct scram scram;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	scram_init(&scram, false, true);
	assert_int_equal(
	    scram_take_first(&scram, SPAN("n,,n=user,r=" NONCE)), SCRAM_GOOD);
	assert_true(span_eq(buf_span(&scram.login), SPAN("user")));
	scram_write_first(&scram, &keys, true, SPAN(OURS), &out);
	assert_true(span_eq(
	    buf_span(&out), SPAN("r=" NONCE OURS ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")));
	assert_int_equal(
	    scram_take_final(&scram, SPAN("c=biws,r=" NONCE OURS ",p=" PROOF)),
	    SCRAM_GOOD);
	buf_reset(&out);
	scram_write_final(&scram, &out);
	assert_true(span_eq(
	    buf_span(&out), SPAN("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	scram_fini(&scram);
	buf_fini(&out);
}

static const struct {
	const char *name;
	const char *message;
	bool plus, plus_offered;
	enum scram_step step;
	const char *login;
} firsts[] = {
    {"no binding", "n,,n=user,r=abc", false, false, SCRAM_GOOD, "user"},
    {"its own identity", "n,a=user,n=user,r=abc", false, false, SCRAM_GOOD, "user"},
    {"another identity", "n,a=root,n=user,r=abc", false, false, SCRAM_BAD, "user"},
    {"escapes", "n,,n=a=2Cb=3Dc,r=abc", false, false, SCRAM_GOOD, "a,b=c"},
    {"a wrong escape", "n,,n=a=2c,r=abc", false, false, SCRAM_BROKEN, NULL},
    {"not offered, and said so", "y,,n=user,r=abc", false, false, SCRAM_GOOD, "user"},
    {"-PLUS was taken out on the way", "y,,n=user,r=abc", false, true, SCRAM_BAD, NULL},
    {"-PLUS without a binding", "n,,n=user,r=abc", true, true, SCRAM_BAD, NULL},
    {"-PLUS that denies it", "y,,n=user,r=abc", true, true, SCRAM_BAD, NULL},
    {"-PLUS", "p=tls-exporter,,n=user,r=abc", true, true, SCRAM_GOOD, "user"},
    {"-PLUS by certificate", "p=tls-server-end-point,,n=user,r=abc", true, true,
	SCRAM_GOOD, "user"},
    {"an unknown binding", "p=tls-unique,,n=user,r=abc", true, true, SCRAM_BAD, NULL},
    {"a binding without -PLUS", "p=tls-exporter,,n=user,r=abc", false, true, SCRAM_BAD,
	NULL},
    {"an extension that must be known", "n,,m=x,n=user,r=abc", false, false, SCRAM_BROKEN,
	NULL},
    {"no nonce", "n,,n=user", false, false, SCRAM_BROKEN, NULL},
    {"an empty nonce", "n,,n=user,r=", false, false, SCRAM_BROKEN, NULL},
    {"no name", "n,,n=,r=abc", false, false, SCRAM_BROKEN, NULL},
    {"another flag", "x,,n=user,r=abc", false, false, SCRAM_BROKEN, NULL},
    {"nothing", "", false, false, SCRAM_BROKEN, NULL},
};

static void
first_messages_are_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(firsts); i++) {
		struct scram scram;

		print_message("  %s\n", firsts[i].name);
		scram_init(&scram, firsts[i].plus, firsts[i].plus_offered);
		scram.exporter = SPAN("exported");
		scram.end_point = SPAN("hashed");
		assert_int_equal(scram_take_first(&scram, span_str(firsts[i].message)),
		    firsts[i].step);
		if (firsts[i].login)
			assert_true(
			    span_eq(buf_span(&scram.login), span_str(firsts[i].login)));
		scram_fini(&scram);
	}
}

/* What a client makes of the server's first message; binding as it saw the channel. */
static void
prove(struct buf *out, const struct scram_keys *keys, struct span gs2,
    struct span binding, struct span first_bare, struct span server_first,
    const char *nonce)
{
	uint8_t salted_client[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	struct scram_keys again = *keys;
	struct buf text, bound;

	buf_init(&text, 4000);
	buf_init(&bound, 1000);
	buf_add(&bound, gs2);
	buf_add(&bound, binding);
	buf_add_str(out, "c=");
	base64_encode(out, buf_span(&bound));
	buf_addf(out, ",r=%s", nonce);
	buf_add(&text, first_bare);
	buf_add_char(&text, ',');
	buf_add(&text, server_first);
	buf_add_char(&text, ',');
	buf_add(&text, buf_span(out));
	scram_hmac(signature, span_of((const char *)again.stored, SCRAM_KEY_BYTES),
	    buf_span(&text));
	/* The client key of "pencil" and this salt, as derived from the proof of the RFC. */
	{
		struct buf proof, rfc;
		uint8_t of_rfc[SCRAM_KEY_BYTES];

		buf_init(&proof, 64);
		buf_init(&rfc, 1000);
		assert_int_equal(base64_decode(&proof, SPAN(PROOF)), OK);
		buf_add_str(&rfc,
		    "n=user,r=" NONCE ",r=" NONCE OURS
		    ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=" NONCE OURS);
		scram_hmac(of_rfc, span_of((const char *)again.stored, SCRAM_KEY_BYTES),
		    buf_span(&rfc));
		for (size_t i = 0; i < SCRAM_KEY_BYTES; i++)
			salted_client[i] =
			    (uint8_t)((uint8_t)proof.ptr[i] ^ of_rfc[i] ^ signature[i]);
		buf_fini(&proof);
		buf_fini(&rfc);
	}
	buf_add_str(out, ",p=");
	base64_encode(out, span_of((const char *)salted_client, SCRAM_KEY_BYTES));
	buf_fini(&text);
	buf_fini(&bound);
}

static const struct {
	const char *name;
	const char *flag, *seen; /* the binding as the client saw it */
	const char *nonce;
	bool known;
	enum scram_step step;
} finals[] = {
    {"the same channel", "p=tls-exporter,,", "exported", "abc" OURS, true, SCRAM_GOOD},
    {"the same certificate", "p=tls-server-end-point,,", "hashed", "abc" OURS, true,
	SCRAM_GOOD},
    {"somebody in the middle", "p=tls-exporter,,", "other", "abc" OURS, true, SCRAM_BAD},
    {"one binding for the other", "p=tls-exporter,,", "hashed", "abc" OURS, true,
	SCRAM_BAD},
    {"another nonce", "p=tls-exporter,,", "exported", "abcd" OURS, true, SCRAM_BAD},
    {"no such login, and the right proof", "p=tls-exporter,,", "exported", "abc" OURS,
	false, SCRAM_BAD},
};

static void
bindings_are_held(void **state)
{
	const struct scram_keys keys = pencil();

	(void)state;
	for (size_t i = 0; i < LEN(finals); i++) {
		struct buf first, server_first, final;
		struct scram scram;

		print_message("  %s\n", finals[i].name);
		buf_init(&first, 1000);
		buf_init(&server_first, 1000);
		buf_init(&final, 1000);
		scram_init(&scram, true, true);
		scram.exporter = SPAN("exported");
		scram.end_point = SPAN("hashed");
		buf_addf(&first, "%sn=user,r=abc", finals[i].flag);
		assert_int_equal(scram_take_first(&scram, buf_span(&first)), SCRAM_GOOD);
		scram_write_first(
		    &scram, &keys, finals[i].known, SPAN(OURS), &server_first);
		prove(&final, &keys, span_str(finals[i].flag), span_str(finals[i].seen),
		    SPAN("n=user,r=abc"), buf_span(&server_first), finals[i].nonce);
		assert_int_equal(
		    scram_take_final(&scram, buf_span(&final)), finals[i].step);
		scram_fini(&scram);
		buf_fini(&first);
		buf_fini(&server_first);
		buf_fini(&final);
	}
}

static void
the_word_of_the_table_goes_round(void **state)
{
	struct password password = {.hash = SPAN("$y$j9T$salt$hash"), .has_scram = true};
	struct password again;
	struct buf text;

	(void)state;
	password.scram = pencil();
	buf_init(&text, PASSWORD_VALUE_BYTES_MAX);
	password_write(&text, &password);
	assert_true(password_parse(buf_span(&text), &again));
	assert_true(again.has_scram && span_eq(again.hash, password.hash));
	assert_int_equal(again.scram.iterations, 4096);
	assert_memory_equal(again.scram.stored, password.scram.stored, SCRAM_KEY_BYTES);
	assert_memory_equal(again.scram.server, password.scram.server, SCRAM_KEY_BYTES);
	for (size_t len = sizeof("$y$j9T$salt$hash"); len < text.len; len++)
		assert_false(password_parse(span_first(buf_span(&text), len), &again));
	assert_true(password_parse(SPAN("$6$x$y"), &again) && !again.has_scram);
	assert_false(password_parse(SPAN(""), &again));
	assert_false(password_parse(SPAN("$6$x$y;MD5"), &again));
	buf_fini(&text);
}

static void
made_up_keys_stay(void **state)
{
	struct scram_keys a = {0}, b = {0}, c = {0};

	(void)state;
	scram_invent(&a, SPAN("secret"), SPAN("nobody"));
	scram_invent(&b, SPAN("secret"), SPAN("nobody"));
	scram_invent(&c, SPAN("secret"), SPAN("nobodz"));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT_BYTES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_example_of_the_rfc),
	    cmocka_unit_test(first_messages_are_judged),
	    cmocka_unit_test(bindings_are_held),
	    cmocka_unit_test(the_word_of_the_table_goes_round),
	    cmocka_unit_test(made_up_keys_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
