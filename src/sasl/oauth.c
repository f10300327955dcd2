/* The framing of tokens in SASL. */
#include "sasl/oauth.h"

#include <jansson.h>

#include "base/check.h"

enum { SEPARATOR = '\001' };

/* "auth=Bearer TOKEN": the scheme in any case, one blank or more, and what RFC 6750 lets be one. */
static bool
take_token(struct span value, struct span *token)
{
	struct span rest = span_skip(value, 6);

	if (value.len == 0)
		return true;
	if (!span_starts_nocase(value, SPAN("Bearer")) || rest.len == 0 || rest.ptr[0] != ' ')
		return false;
	while (rest.len > 0 && rest.ptr[0] == ' ')
		rest = span_skip(rest, 1);
	for (size_t i = 0; i < rest.len; i++)
		if (rest.ptr[i] <= ' ' || rest.ptr[i] >= 0x7f)
			return false;
	*token = rest;
	return rest.len > 0;
}

/* "n,a=LOGIN," or "y,,": there is no binding in this mechanism. */
static bool
cut_gs2(struct span *rest, struct span *login)
{
	struct span flag, name;

	if (!span_cut(rest, ',', &flag) || !span_cut(rest, ',', &name))
		return false;
	if (!span_eq(flag, SPAN("n")) && !span_eq(flag, SPAN("y")))
		return false;
	if (name.len > 0 && !span_starts(name, SPAN("a=")))
		return false;
	*login = span_skip(name, 2);
	/* What is left is the first separator and the pairs. */
	return rest->len > 0 && rest->ptr[0] == SEPARATOR && (name.len == 0 || login->len > 0);
}

bool
oauth_parse(
    enum sasl_mechanism mechanism, struct span message, struct oauth_message *parsed)
{
	struct span rest = message, pair;
	bool has_auth = false, has_user = false;

	*parsed = (struct oauth_message){.login = SPAN(""), .token = SPAN("")};
	if (mechanism == SASL_OAUTHBEARER) {
		if (!cut_gs2(&rest, &parsed->login))
			return false;
		rest = span_skip(rest, 1);
	}
	/* Each pair ends with a separator, and one more ends them all. */
	while (span_cut(&rest, SEPARATOR, &pair) && pair.len > 0) {
		size_t at = span_find(pair, '=');
		struct span name = span_first(pair, at), value = span_skip(pair, at + 1);

		if (at == pair.len || name.len == 0)
			return false;
		if (span_eq(name, SPAN("auth"))) {
			if (has_auth || !take_token(value, &parsed->token))
				return false;
			has_auth = true;
		} else if (mechanism == SASL_XOAUTH2 && span_eq(name, SPAN("user"))) {
			if (has_user)
				return false;
			has_user = true;
			parsed->login = value;
		}
	}
	return has_auth && rest.len == 0 && message.len > 2 &&
	       message.ptr[message.len - 1] == SEPARATOR &&
	       message.ptr[message.len - 2] == SEPARATOR &&
	       (mechanism != SASL_XOAUTH2 || parsed->login.len > 0);
}

bool
oauth_names(const struct oauth_message *message, struct span login)
{
	struct span rest = message->login;
	size_t at = 0;

	if (rest.len == 0)
		return true;
	for (; rest.len > 0; at++) {
		char c = rest.ptr[0];
		size_t used = 1;

		if (span_starts(rest, SPAN("=2C"))) {
			c = ',';
			used = 3;
		} else if (span_starts(rest, SPAN("=3D"))) {
			c = '=';
			used = 3;
		}
		if (at >= login.len || ascii_lower(c) != ascii_lower(login.ptr[at]))
			return false;
		rest = span_skip(rest, used);
	}
	return at == login.len;
}

static int
add_json(const char *text, size_t len, void *out)
{
	buf_add(out, span_of(text, len));
	return 0;
}

void
oauth_write_refusal(struct buf *out, enum sasl_mechanism mechanism, struct span scope)
{
	/* XOAUTH2 has numbers, as HTTP has; RFC 7628 has the words of RFC 6750. */
	json_t *root = json_pack("{s:s}", "status",
	    mechanism == SASL_XOAUTH2 ? "401" : "invalid_token");

	check(root);
	if (mechanism == SASL_XOAUTH2)
		check(json_object_set_new(root, "schemes", json_string("bearer")) == 0);
	if (scope.len > 0)
		check(json_object_set_new(
			  root, "scope", json_stringn(scope.ptr, scope.len)) == 0);
	check(json_dump_callback(root, add_json, out, JSON_COMPACT) == 0);
	json_decref(root);
}
