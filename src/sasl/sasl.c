/*
 * PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), EXTERNAL (RFC 4422), the steps of SCRAM,
 * and what all exchanges share.
 */
#include "sasl/sasl.h"

#include "base/arena.h"
#include "base/check.h"
#include "sasl/sasl_internal.h"

static void
keep(struct buf *buf, struct span text, size_t bytes_max)
{
	/* All of the room at once: a buffer that grows would leave a copy behind. */
	check(text.len <= bytes_max && !buf->ptr);
	buf_init(buf, bytes_max);
	buf->room = bytes_max;
	buf->ptr = mem_alloc(bytes_max);
	buf_add(buf, text);
}

static void
forget(struct buf *buf)
{
	if (buf->ptr)
		mem_wipe(buf->ptr, buf->room);
	buf_fini(buf);
}

static void
keep_context(struct buf *buf, struct span text)
{
	buf_init(buf, text.len + 1);
	buf_add(buf, text);
}

struct sasl *
sasl_create(enum sasl_mechanism mechanism, const struct sasl_context *context)
{
	struct sasl *sasl;

	if (mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2)
		return NULL;
	sasl = mem_alloc(sizeof(*sasl));
	sasl->mechanism = mechanism;
	keep_context(&sasl->certificate, context->certificate);
	keep_context(&sasl->exporter, context->exporter);
	keep_context(&sasl->end_point, context->end_point);
	if (mechanism == SASL_SCRAM_SHA_256 || mechanism == SASL_SCRAM_SHA_256_PLUS) {
		sasl->scram = mem_alloc(sizeof(*sasl->scram));
		scram_init(sasl->scram, mechanism == SASL_SCRAM_SHA_256_PLUS,
		    context->plus_offered);
		sasl->scram->exporter = buf_span(&sasl->exporter);
		sasl->scram->end_point = buf_span(&sasl->end_point);
	}
	return sasl;
}

void
sasl_destroy(struct sasl *sasl)
{
	if (!sasl)
		return;
	if (sasl->scram)
		scram_fini(sasl->scram);
	mem_free(sasl->scram);
	forget(&sasl->login);
	forget(&sasl->password);
	forget(&sasl->challenge);
	forget(&sasl->certificate);
	forget(&sasl->exporter);
	forget(&sasl->end_point);
	mem_wipe(sasl, sizeof(*sasl));
	mem_free(sasl);
}

bool
sasl_is_login(struct span login)
{
	for (size_t i = 0; i < login.len; i++)
		if ((unsigned char)login.ptr[i] < 0x20 || login.ptr[i] == 0x7f)
			return false;
	return login.len > 0 && login.len <= SASL_LOGIN_BYTES_MAX;
}

bool
sasl_keep_login(struct sasl *sasl, struct span login)
{
	if (!sasl_is_login(login))
		return false;
	keep(&sasl->login, login, SASL_LOGIN_BYTES_MAX);
	return true;
}

enum sasl_step
sasl_malformed(struct sasl_out *out, const char *why)
{
	out->why = why;
	return SASL_MALFORMED;
}

static bool
has_nul(struct span text)
{
	return span_find(text, '\0') < text.len;
}

static enum sasl_step
check_password(struct sasl *sasl, struct span password, struct sasl_out *out)
{
	if (password.len == 0 || password.len > SASL_PASSWORD_BYTES_MAX)
		return SASL_FAILED;
	keep(&sasl->password, password, SASL_PASSWORD_BYTES_MAX);
	out->password = buf_span(&sasl->password);
	return SASL_CHECK_PASSWORD;
}

static enum sasl_step
take_plain(struct sasl *sasl, struct span response, struct sasl_out *out)
{
	size_t first = span_find(response, '\0');
	struct span identity = span_first(response, first),
		    rest = span_skip(response, first + 1);
	size_t second = span_find(rest, '\0');
	struct span login = span_first(rest, second),
		    password = span_skip(rest, second + 1);

	if (first == response.len || second == rest.len || has_nul(password))
		return sasl_malformed(out, "base64 of identity NUL user NUL password");
	if (!sasl_keep_login(sasl, login))
		return SASL_FAILED;
	/* Nobody may act for another user here. */
	if (identity.len > 0 && !span_eq(identity, login))
		return SASL_FAILED;
	return check_password(sasl, password, out);
}

static enum sasl_step
take_login(struct sasl *sasl, struct span response, struct sasl_out *out)
{
	if (has_nul(response))
		return sasl_malformed(out, "base64 of a text without NUL");
	if (sasl->login.ptr)
		return check_password(sasl, response, out);
	/* A name that is none fails only after the password, like one that is not known. */
	if (!sasl_keep_login(sasl, response))
		keep(&sasl->login, SPAN(""), 1);
	out->challenge = SPAN("Password:");
	return SASL_CHALLENGE;
}

static enum sasl_step
scram_step(enum scram_step step, enum sasl_step good, struct sasl_out *out)
{
	if (step == SCRAM_BROKEN)
		return sasl_malformed(out, "a message of SCRAM-SHA-256");
	return step == SCRAM_GOOD ? good : SASL_FAILED;
}

static enum sasl_step
take_scram(struct sasl *sasl, struct span response, struct sasl_out *out)
{
	enum sasl_step step;

	switch (sasl->scram_at) {
	case SCRAM_FIRST:
		step = scram_step(
		    scram_take_first(sasl->scram, response), SASL_WANT_KEYS, out);
		if (step == SASL_WANT_KEYS &&
		    !sasl_keep_login(sasl, buf_span(&sasl->scram->login)))
			step = SASL_FAILED;
		return step;
	case SCRAM_FINAL:
		step = scram_step(
		    scram_take_final(sasl->scram, response), SASL_CHALLENGE, out);
		if (step != SASL_CHALLENGE)
			return step;
		buf_reset(&sasl->challenge);
		scram_write_final(sasl->scram, &sasl->challenge);
		out->challenge = buf_span(&sasl->challenge);
		sasl->scram_at = SCRAM_ENDED;
		return step;
	case SCRAM_ENDED:
		/* The client is content with our signature. */
		return response.len == 0 ? SASL_OK
					 : sasl_malformed(out, "an empty answer");
	}
	return SASL_FAILED;
}

enum sasl_step
sasl_give_keys(struct sasl *sasl, const struct scram_keys *keys, bool known,
    struct span nonce, struct sasl_out *out)
{
	*out = (struct sasl_out){.password = SPAN(""), .login = sasl_login(sasl)};
	check(sasl->scram && sasl->scram_at == SCRAM_FIRST);
	buf_init(&sasl->challenge, 2 * SCRAM_MESSAGE_BYTES_MAX);
	scram_write_first(sasl->scram, keys, known, nonce, &sasl->challenge);
	out->challenge = buf_span(&sasl->challenge);
	sasl->scram_at = SCRAM_FINAL;
	return SASL_CHALLENGE;
}

/* RFC 4422 appendix A: the identity, or nothing where the certificate's name is it. */
static enum sasl_step
take_external(struct sasl *sasl, struct span response)
{
	if (sasl->certificate.len == 0 ||
	    !sasl_keep_login(sasl, buf_span(&sasl->certificate)))
		return SASL_FAILED;
	if (response.len > 0 && !span_eq_nocase(response, buf_span(&sasl->certificate)))
		return SASL_FAILED;
	return SASL_OK;
}

enum sasl_step
sasl_take(
    struct sasl *sasl, bool has_response, struct span response, struct sasl_out *out)
{
	enum sasl_step step = SASL_FAILED;

	*out = (struct sasl_out){
	    .challenge = SPAN(""), .login = SPAN(""), .password = SPAN("")};
	if (!has_response) {
		if (sasl->asked)
			return sasl_malformed(out, "an answer to the challenge");
		sasl->asked = true;
		out->challenge =
		    sasl->mechanism == SASL_LOGIN ? SPAN("Username:") : SPAN("");
		return SASL_CHALLENGE;
	}
	sasl->asked = true;
	if (sasl->mechanism == SASL_PLAIN)
		step = take_plain(sasl, response, out);
	else if (sasl->mechanism == SASL_LOGIN)
		step = take_login(sasl, response, out);
	else if (sasl->scram)
		step = take_scram(sasl, response, out);
	else if (sasl->mechanism == SASL_EXTERNAL)
		step = take_external(sasl, response);
	out->login = sasl_login(sasl);
	if (step == SASL_CHECK_PASSWORD && out->login.len == 0) {
		out->password = SPAN("");
		step = SASL_FAILED;
	}
	return step;
}

struct span
sasl_login(const struct sasl *sasl)
{
	return buf_span(&sasl->login);
}
