/* PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), and what all exchanges share. */
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

struct sasl *
sasl_create(enum sasl_mechanism mechanism, const struct sasl_context *context)
{
	struct sasl *sasl;

	if (mechanism != SASL_PLAIN && mechanism != SASL_LOGIN)
		return NULL;
	sasl = mem_alloc(sizeof(*sasl));
	sasl->mechanism = mechanism;
	sasl->context = *context;
	return sasl;
}

void
sasl_destroy(struct sasl *sasl)
{
	if (!sasl)
		return;
	forget(&sasl->login);
	forget(&sasl->password);
	forget(&sasl->challenge);
	mem_wipe(sasl, sizeof(*sasl));
	mem_free(sasl);
}

bool
sasl_keep_login(struct sasl *sasl, struct span login)
{
	if (login.len == 0 || login.len > SASL_LOGIN_BYTES_MAX)
		return false;
	for (size_t i = 0; i < login.len; i++)
		if ((unsigned char)login.ptr[i] < 0x20 || login.ptr[i] == 0x7f)
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
	struct span identity = span_first(response, first), rest = span_skip(response, first + 1);
	size_t second = span_find(rest, '\0');
	struct span login = span_first(rest, second), password = span_skip(rest, second + 1);

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

enum sasl_step
sasl_take(struct sasl *sasl, bool has_response, struct span response, struct sasl_out *out)
{
	bool plain = sasl->mechanism == SASL_PLAIN;
	enum sasl_step step;

	*out = (struct sasl_out){.challenge = SPAN(""), .login = SPAN(""), .password = SPAN("")};
	if (!has_response) {
		if (sasl->asked)
			return sasl_malformed(out, "an answer to the challenge");
		sasl->asked = true;
		out->challenge = plain ? SPAN("") : SPAN("Username:");
		return SASL_CHALLENGE;
	}
	sasl->asked = true;
	step = plain ? take_plain(sasl, response, out) : take_login(sasl, response, out);
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
