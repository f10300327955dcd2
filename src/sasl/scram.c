/*
 * Messages are attributes, "x=value", with commas between them, in an order that RFC 5802 section 7
 * fixes; extensions that must be understood ("m=") are refused, others passed over.
 *
 * A client that says "y" has bindings but was not offered -PLUS.  Where it was offered, somebody
 * took that out of our EHLO: the exchange fails (section 6).
 */
#include "sasl/scram.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"

void
scram_init(struct scram *scram, bool plus, bool plus_offered)
{
	struct buf *bufs[] = {&scram->first_bare, &scram->server_first, &scram->nonce,
	    &scram->gs2, &scram->login, &scram->signature};

	*scram = (struct scram){.plus = plus, .plus_offered = plus_offered};
	scram->exporter = scram->end_point = scram->binding = SPAN("");
	for (size_t i = 0; i < LEN(bufs); i++)
		buf_init(bufs[i], 2 * SCRAM_MESSAGE_BYTES_MAX);
}

void
scram_fini(struct scram *scram)
{
	buf_fini(&scram->first_bare);
	buf_fini(&scram->server_first);
	buf_fini(&scram->nonce);
	buf_fini(&scram->gs2);
	buf_fini(&scram->login);
	buf_fini(&scram->signature);
	mem_wipe(scram, sizeof(*scram));
}

/* Cuts the next attribute off, which must be this one. */
static bool
cut_attribute(struct span *rest, char name, struct span *value)
{
	struct span part;

	if (!span_cut(rest, ',', &part) || part.len < 2 || part.ptr[0] != name ||
	    part.ptr[1] != '=')
		return false;
	*value = span_skip(part, 2);
	return true;
}

static bool
is_nonce(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f || text.ptr[i] == ',')
			return false;
	return text.len > 0;
}

/* "=2C" and "=3D" stand for a comma and an equals sign; any other "=" is wrong. */
static bool
take_name(struct scram *scram, struct span name)
{
	while (name.len > 0) {
		size_t plain = span_find(name, '=');

		buf_add(&scram->login, span_first(name, plain));
		name = span_skip(name, plain);
		if (name.len == 0)
			break;
		if (span_starts(name, SPAN("=2C")))
			buf_add_char(&scram->login, ',');
		else if (span_starts(name, SPAN("=3D")))
			buf_add_char(&scram->login, '=');
		else
			return false;
		name = span_skip(name, 3);
	}
	for (size_t i = 0; i < scram->login.len; i++)
		if ((unsigned char)scram->login.ptr[i] < 0x20 ||
		    scram->login.ptr[i] == 0x7f)
			return false;
	return scram->login.len > 0 && buf_finish(&scram->login) == OK;
}

/* The flag before the first comma: "n", "y", "p=tls-exporter". */
static enum scram_step
take_flag(struct scram *scram, struct span flag)
{
	if (span_eq(flag, SPAN("n")))
		return scram->plus ? SCRAM_BAD : SCRAM_GOOD;
	if (span_eq(flag, SPAN("y")))
		return scram->plus || scram->plus_offered ? SCRAM_BAD : SCRAM_GOOD;
	if (!span_starts(flag, SPAN("p=")))
		return SCRAM_BROKEN;
	flag = span_skip(flag, 2);
	if (span_eq(flag, SPAN("tls-exporter")))
		scram->binding = scram->exporter;
	else if (span_eq(flag, SPAN("tls-server-end-point")))
		scram->binding = scram->end_point;
	return scram->plus && scram->binding.len > 0 ? SCRAM_GOOD : SCRAM_BAD;
}

enum scram_step
scram_take_first(struct scram *scram, struct span message)
{
	struct span rest = message, flag, identity, name, nonce;
	enum scram_step step;

	if (message.len > SCRAM_MESSAGE_BYTES_MAX || !span_cut(&rest, ',', &flag) ||
	    !span_cut(&rest, ',', &identity))
		return SCRAM_BROKEN;
	step = take_flag(scram, flag);
	if (step != SCRAM_GOOD)
		return step;
	buf_add(&scram->gs2, span_first(message, message.len - rest.len));
	buf_add(&scram->first_bare, rest);
	if (!cut_attribute(&rest, 'n', &name) || !take_name(scram, name) ||
	    !cut_attribute(&rest, 'r', &nonce) || !is_nonce(nonce))
		return SCRAM_BROKEN;
	buf_add(&scram->nonce, nonce);
	/* Nobody may act for another user here. */
	if (identity.len > 0 && (!span_starts(identity, SPAN("a=")) ||
				    !span_eq(span_skip(identity, 2), name)))
		return SCRAM_BAD;
	return SCRAM_GOOD;
}

void
scram_write_first(struct scram *scram, const struct scram_keys *keys, bool known,
    struct span nonce, struct buf *out)
{
	check(is_nonce(nonce));
	scram->keys = *keys;
	scram->known = known;
	buf_add(&scram->nonce, nonce);
	buf_add_str(&scram->server_first, "r=");
	buf_add(&scram->server_first, buf_span(&scram->nonce));
	buf_add_str(&scram->server_first, ",s=");
	base64_encode(
	    &scram->server_first, span_of((const char *)keys->salt, keys->salt_bytes));
	buf_addf(&scram->server_first, ",i=%u", keys->iterations);
	check(buf_finish(&scram->server_first) == OK);
	buf_add(out, buf_span(&scram->server_first));
}

/* What "c=" must be: the header as it was, and the binding where one is used. */
static bool
binding_fits(const struct scram *scram, struct span value)
{
	struct buf expected;
	bool fits;

	buf_init(&expected, 4 * SCRAM_MESSAGE_BYTES_MAX);
	{
		struct buf plain;

		buf_init(&plain, 2 * SCRAM_MESSAGE_BYTES_MAX);
		buf_add(&plain, buf_span(&scram->gs2));
		buf_add(&plain, scram->binding);
		base64_encode(&expected, buf_span(&plain));
		buf_fini(&plain);
	}
	fits = span_eq(buf_span(&expected), value);
	buf_fini(&expected);
	return fits;
}

static bool
proof_is_right(struct scram *scram, struct span without_proof, const uint8_t *proof)
{
	const struct span stored =
	    span_of((const char *)scram->keys.stored, SCRAM_KEY_BYTES);
	const struct span server =
	    span_of((const char *)scram->keys.server, SCRAM_KEY_BYTES);
	uint8_t key[SCRAM_KEY_BYTES], digest[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	struct buf text;
	bool right;

	buf_init(&text, 8 * SCRAM_MESSAGE_BYTES_MAX);
	buf_add(&text, buf_span(&scram->first_bare));
	buf_add_char(&text, ',');
	buf_add(&text, buf_span(&scram->server_first));
	buf_add_char(&text, ',');
	buf_add(&text, without_proof);
	scram_hmac(key, stored, buf_span(&text));
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] ^= proof[i];
	check(SHA256(key, sizeof(key), digest) != NULL);
	right = CRYPTO_memcmp(digest, scram->keys.stored, sizeof(digest)) == 0;
	scram_hmac(signature, server, buf_span(&text));
	buf_add(&scram->signature, span_of((const char *)signature, sizeof(signature)));
	buf_fini(&text);
	mem_wipe(key, sizeof(key));
	/* No short cut before this: what is not known takes as long. */
	return right && scram->known;
}

enum scram_step
scram_take_final(struct scram *scram, struct span message)
{
	size_t at = span_find_last(message, ',');
	struct span without_proof = span_first(message, at), rest = without_proof;
	struct span proof = span_skip(message, at + 1), binding, nonce;
	struct buf bytes;
	bool right = false;

	if (message.len > 2 * SCRAM_MESSAGE_BYTES_MAX ||
	    !span_starts(proof, SPAN("p=")) || !cut_attribute(&rest, 'c', &binding) ||
	    !cut_attribute(&rest, 'r', &nonce))
		return SCRAM_BROKEN;
	buf_init(&bytes, SCRAM_KEY_BYTES);
	if (base64_decode(&bytes, span_skip(proof, 2)) || bytes.len != SCRAM_KEY_BYTES) {
		buf_fini(&bytes);
		return SCRAM_BROKEN;
	}
	right = proof_is_right(scram, without_proof, (const uint8_t *)bytes.ptr);
	buf_fini(&bytes);
	return right && span_eq(nonce, buf_span(&scram->nonce)) &&
		       binding_fits(scram, binding)
		   ? SCRAM_GOOD
		   : SCRAM_BAD;
}

void
scram_write_final(const struct scram *scram, struct buf *out)
{
	buf_add_str(out, "v=");
	base64_encode(out, buf_span(&scram->signature));
}
