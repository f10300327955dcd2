/* Fields of unknown names are passed over: Dovecot adds some with each version. */
#include "sasl/dovecot.h"

#include "base/base64.h"
#include "base/check.h"

enum { NUMBER_MAX = INT32_MAX };

static bool
cut_number(struct span *rest, uint64_t *number)
{
	struct span text;

	return span_cut(rest, '\t', &text) && span_u64(text, NUMBER_MAX, number);
}

static void
take_fields(struct span rest, struct dovecot_line *parsed)
{
	struct span field;

	while (span_cut(&rest, '\t', &field)) {
		if (span_starts(field, SPAN("user=")))
			parsed->user = span_skip(field, 5);
		else if (span_eq(field, SPAN("temp")) ||
			 span_eq(field, SPAN("code=temp_fail")))
			parsed->temporary = true;
	}
}

bool
dovecot_parse(struct span line, struct dovecot_line *parsed)
{
	struct span rest = line, word, name;

	*parsed = (struct dovecot_line){
	    .mechanism = SASL_MECHANISM_COUNT, .user = SPAN(""), .data = SPAN("")};
	if (!span_cut(&rest, '\t', &word))
		return false;
	if (span_eq(word, SPAN("VERSION"))) {
		parsed->kind = DOVECOT_VERSION;
		return cut_number(&rest, &parsed->number);
	}
	if (span_eq(word, SPAN("MECH"))) {
		parsed->kind = DOVECOT_MECH;
		if (!span_cut(&rest, '\t', &name))
			return false;
		parsed->mechanism = sasl_mechanism_find(name);
		return true;
	}
	if (span_eq(word, SPAN("DONE"))) {
		parsed->kind = DOVECOT_DONE;
		return true;
	}
	if (span_eq(word, SPAN("OK")) || span_eq(word, SPAN("FAIL"))) {
		parsed->kind = word.len == 2 ? DOVECOT_OK : DOVECOT_FAIL;
		if (!cut_number(&rest, &parsed->number))
			return false;
		take_fields(rest, parsed);
		return parsed->kind == DOVECOT_FAIL || parsed->user.len > 0;
	}
	if (span_eq(word, SPAN("CONT"))) {
		parsed->kind = DOVECOT_CONT;
		if (!cut_number(&rest, &parsed->number))
			return false;
		parsed->data = rest;
		return true;
	}
	return true;
}

void
dovecot_write_hello(struct buf *out, uint64_t pid)
{
	buf_addf(
	    out, "VERSION\t1\t2\nCPID\t%llu\n", (unsigned long long)(pid & NUMBER_MAX));
}

void
dovecot_write_auth(struct buf *out, uint64_t number, enum sasl_mechanism mechanism,
    struct span client, bool has_response, struct span response)
{
	buf_addf(out, "AUTH\t%llu\t%s\tservice=smtp\tsecured\tnologin\tno-penalty",
	    (unsigned long long)number, sasl_mechanism_name(mechanism));
	/* An address has no tab; what has one would add fields of its own. */
	if (client.len > 0 && span_find(client, '\t') == client.len &&
	    span_find(client, '\n') == client.len) {
		buf_add_str(out, "\trip=");
		buf_add(out, client);
	}
	/* The protocol wants it last. */
	if (has_response) {
		buf_add_str(out, "\tresp=");
		base64_encode(out, response);
	}
	buf_add_char(out, '\n');
}

void
dovecot_write_cont(struct buf *out, uint64_t number, struct span response)
{
	buf_addf(out, "CONT\t%llu\t", (unsigned long long)number);
	base64_encode(out, response);
	buf_add_char(out, '\n');
}

void
dovecot_write_cancel(struct buf *out, uint64_t number)
{
	buf_addf(out, "CANCEL\t%llu\n", (unsigned long long)number);
}
