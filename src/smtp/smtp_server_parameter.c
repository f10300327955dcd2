/*
 * The parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11), from a table.
 *
 * An unknown parameter changes what the client believes we promise, so it is
 * refused and never skipped.
 */
#include "smtp/smtp_server_internal.h"

#include "base/check.h"

static bool
read_size(struct smtp_server_parameters *parameters, struct span value)
{
	/* RFC 1870 section 5: at most 20 digits. */
	return value.len <= 20 && span_u64(value, UINT64_MAX, &parameters->size);
}

static bool
read_body(struct smtp_server_parameters *parameters, struct span value)
{
	parameters->body_8bit = span_eq_nocase(value, SPAN("8BITMIME"));
	return parameters->body_8bit || span_eq_nocase(value, SPAN("7BIT"));
}

static bool
read_smtputf8(struct smtp_server_parameters *parameters, struct span value)
{
	parameters->smtputf8 = true;
	return value.len == 0;
}

/* Who the client says had the message before (RFC 4954 section 5): nobody here asks. */
static bool
read_auth(struct smtp_server_parameters *parameters, struct span value)
{
	(void)parameters;
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] < '!' || value.ptr[i] > '~')
			return false;
	return value.len > 0;
}

static const struct parameter {
	const char *name;
	bool (*read)(struct smtp_server_parameters *parameters, struct span value);
	bool has_value;
	const char *syntax;
} mail_parameters[] = {
    {"SIZE", read_size, true, "SIZE=octets"},
    {"BODY", read_body, true, "BODY=7BIT or BODY=8BITMIME"},
    {"SMTPUTF8", read_smtputf8, false, "SMTPUTF8 has no value"},
    {"AUTH", read_auth, true, "AUTH=mailbox or AUTH=<>"},
};

/* Cuts the next word off text, which is at a space or at the end; "" where none follows. */
static bool
cut_word(struct span *text, struct span *word)
{
	if (text->len > 0 && text->ptr[0] != ' ')
		return false;
	while (text->len > 0 && text->ptr[0] == ' ')
		*text = span_skip(*text, 1);
	*word = span_first(*text, span_find(*text, ' '));
	*text = span_skip(*text, word->len);
	return true;
}

static const struct parameter *
find_parameter(struct span name)
{
	for (size_t i = 0; i < LEN(mail_parameters); i++)
		if (span_eq_nocase(name, span_str(mail_parameters[i].name)))
			return &mail_parameters[i];
	return NULL;
}

static bool
refuse(struct reply *refusal, enum reply_id id, struct span arg)
{
	*refusal = (struct reply){.id = id, .args = {arg}};
	return false;
}

static bool
read_parameter(
    struct smtp_server_parameters *parameters, struct span word, struct reply *refusal)
{
	size_t equals = span_find(word, '=');
	struct span name = span_first(word, equals), value = span_skip(word, equals + 1);
	const struct parameter *parameter = find_parameter(name);
	unsigned bit;

	if (!parameter)
		return refuse(refusal, REPLY_PARAMETER_UNKNOWN, name);
	bit = BIT(parameter - mail_parameters);
	if (parameters->seen & bit)
		return refuse(refusal, REPLY_SYNTAX, SPAN("each parameter at most once"));
	parameters->seen |= bit;
	if (parameter->has_value != (equals < word.len) ||
	    !parameter->read(parameters, value))
		return refuse(refusal, REPLY_SYNTAX, span_str(parameter->syntax));
	return true;
}

bool
smtp_server_mail_parameters(
    struct span text, struct smtp_server_parameters *parameters, struct reply *refusal)
{
	struct span word;

	*parameters = (struct smtp_server_parameters){0};
	do {
		if (!cut_word(&text, &word))
			return refuse(refusal, REPLY_SYNTAX,
			    SPAN("a space is needed after the address"));
		if (word.len > 0 && !read_parameter(parameters, word, refusal))
			return false;
	} while (word.len > 0);
	return true;
}

bool
smtp_server_rcpt_parameters(struct span text, struct reply *refusal)
{
	struct span word;

	if (!cut_word(&text, &word))
		return refuse(
		    refusal, REPLY_SYNTAX, SPAN("a space is needed after the address"));
	if (word.len > 0)
		return refuse(refusal, REPLY_PARAMETER_UNKNOWN,
		    span_first(word, span_find(word, '=')));
	return true;
}
