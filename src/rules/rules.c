/*
 * Which rule fits a reply.  The reply is brought into one line of lower case without the codes in
 * front of its lines; each four bytes of it lead to the few rules that have them.
 */
#include "rules/rules_internal.h"

#include "base/check.h"
#include "replies/reply.h"

enum { HOST_BYTES_MAX = 255 };

struct wanted {
	char text[RULES_TEXT_BYTES_MAX + 1];
	size_t bytes;
	unsigned code;
	unsigned short status[3]; /* all 0: none */
	struct span host;
};

static bool
has_status(const struct wanted *wanted)
{
	return wanted->status[0] != 0;
}

/* "550-" or "550-5.1.1", or "550" in front of the status: the code of another line. */
static bool
is_code_again(const struct wanted *wanted, struct span word, struct span rest)
{
	uint64_t code;

	if (word.len < 3 || !span_u64(span_first(word, 3), 599, &code) || code != wanted->code)
		return false;
	word = span_skip(word, 3);
	if (word.len == 0)
		return has_status(wanted) && rest.len > 1 && rest.ptr[0] == ' ' &&
		       ascii_is_digit(rest.ptr[1]);
	if (word.ptr[0] != '-')
		return false;
	word = span_skip(word, 1);
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_digit(word.ptr[i]) && word.ptr[i] != '.')
			return false;
	return true;
}

static bool
is_status_again(const struct wanted *wanted, struct span word)
{
	unsigned short status[3];

	return has_status(wanted) && word.len < 12 && reply_status_cut(&word, status) &&
	       word.len == 0 && memcmp(status, wanted->status, sizeof(status)) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static struct span
cut_word(struct span *text)
{
	size_t bytes = 0;
	struct span word;

	while (text->len && is_blank(text->ptr[0]))
		*text = span_skip(*text, 1);
	while (bytes < text->len && !is_blank(text->ptr[bytes]))
		bytes++;
	word = span_first(*text, bytes);
	*text = span_skip(*text, bytes);
	return word;
}

/* The code and status that stand at the start, or the status behind a "#". */
static void
take_codes(struct wanted *wanted, struct span text)
{
	struct span line = span_trim(text), rest;
	struct reply_parts parts;

	line = span_first(line, span_find(line, '\n'));
	if (span_starts(line, SPAN("#")))
		line = span_skip(line, 1);
	if (reply_parse(line, &parts) == OK) {
		wanted->code = parts.code;
		memcpy(wanted->status, parts.status, sizeof(parts.status));
	}
	rest = line;
	if (has_status(wanted) || reply_status_cut(&rest, wanted->status))
		return;
	rest = span_first(span_skip(text, span_find(text, '#') + 1), 12);
	for (size_t i = 0; i < rest.len; i++)
		if (!ascii_is_digit(rest.ptr[i]) && rest.ptr[i] != '.')
			rest.len = i;
	if (!reply_status_cut(&rest, wanted->status))
		memset(wanted->status, 0, sizeof(wanted->status));
}

static void
prepare(struct wanted *wanted, const struct rules_reply *reply)
{
	struct span text = span_first(reply->text, RULES_TEXT_BYTES_MAX);
	struct span status = reply->status;

	wanted->bytes = 0;
	wanted->code = 0;
	wanted->host = span_first(reply->host, HOST_BYTES_MAX);
	memset(wanted->status, 0, sizeof(wanted->status));
	/* The words know best: the fields of a notice are often made up. */
	take_codes(wanted, text);
	if (!wanted->code)
		wanted->code = reply->code;
	if (!has_status(wanted) && !reply_status_cut(&status, wanted->status))
		memset(wanted->status, 0, sizeof(wanted->status));
	while (text.len) {
		struct span word = cut_word(&text);

		if (word.len == 0 || is_code_again(wanted, word, text) ||
		    is_status_again(wanted, word))
			continue;
		if (wanted->bytes)
			wanted->text[wanted->bytes++] = ' ';
		for (size_t i = 0; i < word.len; i++)
			wanted->text[wanted->bytes++] = ascii_lower(word.ptr[i]);
	}
	check(wanted->bytes <= RULES_TEXT_BYTES_MAX);
}

/*
 * The status must be there as the rule has it.  The code too, but where only words and a status
 * are known, as in some notices, the class of the status stands for it.
 */
static bool
code_fits(const struct rule_row *row, const struct wanted *wanted)
{
	if (row->code_low && wanted->code &&
	    ((short)wanted->code < row->code_low || (short)wanted->code > row->code_high))
		return false;
	if (row->code_low && !wanted->code &&
	    (!has_status(wanted) ? row->needle_bytes == 0
				 : wanted->status[0] != (unsigned)row->code_low / 100))
		return false;
	for (size_t i = 0; *row->rule.status && i < 3; i++)
		if (!has_status(wanted) ||
		    (row->status[i] != RULES_ANY && row->status[i] != (short)wanted->status[i]))
			return false;
	return true;
}

static bool
text_fits(const struct rule_row *row, const struct wanted *wanted)
{
	struct span rest = span_of(wanted->text, wanted->bytes);
	struct span pattern = span_str(row->rule.text), fragment;

	while (span_cut(&pattern, '*', &fragment))
		if (fragment.len && !span_seek(rest, fragment, &rest))
			return false;
	return true;
}

static bool
host_fits(const struct rule_row *row, const struct wanted *wanted)
{
	struct span end = span_str(row->rule.host);
	struct span host = wanted->host;

	if (end.len == 0)
		return true;
	if (host.len && host.ptr[host.len - 1] == '.')
		host.len--;
	return span_ends_nocase(host, end) &&
	       (host.len == end.len || host.ptr[host.len - end.len - 1] == '.');
}

static bool
fits(const struct rule_row *row, const struct wanted *wanted)
{
	return code_fits(row, wanted) && host_fits(row, wanted) && text_fits(row, wanted);
}

/* Whether the rule's longest fragment stands where its gram was met. */
static bool
needle_fits(const struct rule_row *row, const struct wanted *wanted, size_t at)
{
	size_t before = (size_t)row->gram_at, bytes = (size_t)row->needle_bytes;

	return at >= before && at - before + bytes <= wanted->bytes &&
	       memcmp(wanted->text + at - before, row->rule.text + row->needle_at, bytes) == 0;
}

const struct rule *
rules_match(const struct rules_reply *reply)
{
	struct wanted wanted;
	size_t best = rules_row_count;

	prepare(&wanted, reply);
	for (size_t at = 0; at + RULES_GRAM_BYTES <= wanted.bytes; at++) {
		unsigned bucket = rules_hash(wanted.text + at);
		size_t end = rules_buckets[bucket + 1];

		for (size_t i = rules_buckets[bucket]; i < end; i++) {
			size_t row = rules_bucket_rows[i];

			if (row >= best)
				break;
			if (needle_fits(&rules_rows[row], &wanted, at) &&
			    fits(&rules_rows[row], &wanted))
				best = row;
		}
	}
	for (size_t i = 0; i < rules_bare_count && rules_bare[i] < best; i++)
		if (fits(&rules_rows[rules_bare[i]], &wanted))
			best = rules_bare[i];
	return best < rules_row_count ? &rules_rows[best].rule : NULL;
}

const struct rule *
rules_at(size_t index)
{
	return index < rules_row_count ? &rules_rows[index].rule : NULL;
}

const char *
rule_scope_name(enum rule_scope scope)
{
	return rules_scope_name(scope);
}

const char *
rule_action_name(enum rule_action action)
{
	return rules_action_name(action);
}
