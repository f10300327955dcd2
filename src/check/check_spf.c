#include "check/check_spf.h"

#include "base/check.h"
#include "base/net.h"

enum { WORDS_MAX = 500 };

void
check_spf_init(struct check_spf *spf, struct span domain)
{
	*spf = (struct check_spf){0};
	if (domain.len == 0 || domain.len >= CHECK_SPF_NAME_BYTES)
		return;
	memcpy(spf->domains[0], domain.ptr, domain.len);
	spf->domain_count = 1;
}

const char *
check_spf_next(const struct check_spf *spf)
{
	return spf->asked < spf->domain_count ? spf->domains[spf->asked] : NULL;
}

static void
note_wrong(struct check_spf *spf, struct span word)
{
	if (spf->malformed[0])
		return;
	word = span_first(word, CHECK_SPF_WORD_BYTES - 1);
	memcpy(spf->malformed, word.ptr, word.len);
	spf->malformed[word.len] = '\0';
}

/* A domain that must have a record; one with a macro in it is nobody's to know. */
static void
want(struct check_spf *spf, struct span name)
{
	if (span_find(name, '%') < name.len || name.len >= CHECK_SPF_NAME_BYTES ||
	    spf->domain_count == CHECK_SPF_DOMAINS_MAX)
		return;
	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;
	memcpy(spf->domains[spf->domain_count], name.ptr, name.len);
	spf->domains[spf->domain_count++][name.len] = '\0';
}

static bool
is_domain(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] > '~' || name.ptr[i] == '/')
			return false;
	return name.len > 0 && (span_find(name, '.') < name.len || name.ptr[0] == '%');
}

static bool
is_bits(struct span text, uint64_t max)
{
	uint64_t bits;

	return text.len <= 3 && span_u64(text, max, &bits);
}

/* "192.0.2.0/24": host bits may be there, unlike in our own networks. */
static bool
is_network(struct span value, uint8_t family)
{
	struct net_addr addr;
	struct span text = span_first(value, span_find(value, '/'));
	struct span bits = span_skip(value, text.len);

	if (net_addr_parse(text, &addr) != OK)
		return false;
	if (addr.family != family)
		return false;
	return bits.len == 0 || is_bits(span_skip(bits, 1), family == 4 ? 32 : 128);
}

/* "/24", "//64", "/24//64", or nothing. */
static bool
is_dual_bits(struct span text)
{
	if (span_starts(text, SPAN("/")) && !span_starts(text, SPAN("//"))) {
		struct span bits = span_skip(text, 1);

		bits = span_first(bits, span_find(bits, '/'));
		if (!is_bits(bits, 32))
			return false;
		text = span_skip(text, bits.len + 1);
	}
	return text.len == 0 ||
	       (span_starts(text, SPAN("//")) && is_bits(span_skip(text, 2), 128));
}

/* What follows "a" or "mx": ":domain" and lengths, each of which may be left out. */
static bool
is_host_value(struct span rest)
{
	struct span name;

	if (!span_starts(rest, SPAN(":")))
		return is_dual_bits(rest);
	rest = span_skip(rest, 1);
	/* A macro may hold a slash; then the whole is left alone. */
	if (span_find(rest, '{') < rest.len)
		return true;
	name = span_first(rest, span_find(rest, '/'));
	return is_domain(name) && is_dual_bits(span_skip(rest, name.len));
}

static enum check_spf_all
all_of(char qualifier)
{
	switch (qualifier) {
	case '-':
		return CHECK_SPF_ALL_FAIL;
	case '~':
		return CHECK_SPF_ALL_SOFT;
	case '?':
		return CHECK_SPF_ALL_NEUTRAL;
	default:
		return CHECK_SPF_ALL_PASS;
	}
}

/* Whether the record that is being read decides what "all" is. */
static bool
is_main(const struct check_spf *spf)
{
	return spf->asked == 0 || (spf->redirects && spf->asked == spf->redirect_index);
}

/* A mechanism without its qualifier; false where it is none or malformed. */
static bool
take_mechanism(struct check_spf *spf, struct span word, char qualifier)
{
	size_t end = 0;
	struct span name, rest;

	while (end < word.len && word.ptr[end] != ':' && word.ptr[end] != '/')
		end++;
	name = span_first(word, end);
	rest = span_skip(word, end);
	if (span_eq_nocase(name, SPAN("all"))) {
		if (is_main(spf) && spf->all == CHECK_SPF_ALL_NONE)
			spf->all = all_of(qualifier);
		return rest.len == 0;
	}
	if (span_eq_nocase(name, SPAN("ip4")))
		return rest.len > 1 && rest.ptr[0] == ':' && is_network(span_skip(rest, 1), 4);
	if (span_eq_nocase(name, SPAN("ip6")))
		return rest.len > 1 && rest.ptr[0] == ':' && is_network(span_skip(rest, 1), 6);
	spf->lookups++;
	if (span_eq_nocase(name, SPAN("a")) || span_eq_nocase(name, SPAN("mx")))
		return is_host_value(rest);
	if (span_eq_nocase(name, SPAN("ptr"))) {
		spf->uses_ptr = true;
		return rest.len == 0 || (rest.ptr[0] == ':' && is_domain(span_skip(rest, 1)));
	}
	if (rest.len < 2 || rest.ptr[0] != ':' || !is_domain(span_skip(rest, 1)))
		return false;
	if (span_eq_nocase(name, SPAN("include"))) {
		want(spf, span_skip(rest, 1));
		return true;
	}
	return span_eq_nocase(name, SPAN("exists"));
}

static bool
is_modifier(struct span word)
{
	size_t equals = span_find(word, '=');

	if (equals == 0 || equals == word.len || !ascii_is_alpha(word.ptr[0]))
		return false;
	for (size_t i = 0; i < equals; i++)
		if (!ascii_is_alnum(word.ptr[i]) && !memchr("-_.", word.ptr[i], 3))
			return false;
	return true;
}

static void
take_word(struct check_spf *spf, struct span word, struct span *redirect)
{
	struct span whole = word;
	char qualifier = '+';

	if (is_modifier(word)) {
		if (span_starts_nocase(word, SPAN("redirect="))) {
			struct span target = span_skip(word, 9);

			if (redirect->len > 0 || !is_domain(target))
				note_wrong(spf, whole);
			*redirect = target;
		}
		return;
	}
	if (memchr("+-?~", word.ptr[0], 4)) {
		qualifier = word.ptr[0];
		word = span_skip(word, 1);
	}
	if (!take_mechanism(spf, word, qualifier))
		note_wrong(spf, whole);
}

static bool
has_all(struct span record)
{
	struct span word;

	while (span_cut(&record, ' ', &word)) {
		if (word.len > 0 && memchr("+-?~", word.ptr[0], 4))
			word = span_skip(word, 1);
		if (span_eq_nocase(word, SPAN("all")))
			return true;
	}
	return false;
}

static void
take_record(struct check_spf *spf, struct span record)
{
	struct span rest = span_skip(record, 6), word, redirect = {"", 0};
	bool main = is_main(spf);

	for (size_t i = 0; i < WORDS_MAX && span_cut(&rest, ' ', &word); i++)
		if (word.len > 0)
			take_word(spf, word, &redirect);
	/* Beside "all" a redirect is never followed. */
	if (redirect.len == 0 || has_all(record))
		return;
	spf->lookups++;
	if (main && spf->domain_count < CHECK_SPF_DOMAINS_MAX &&
	    span_find(redirect, '%') == redirect.len) {
		spf->redirects = true;
		spf->redirect_index = spf->domain_count;
	}
	want(spf, redirect);
}

static bool
is_record(struct span txt)
{
	return span_starts_nocase(txt, SPAN("v=spf1")) && (txt.len == 6 || txt.ptr[6] == ' ');
}

void
check_spf_answer(struct check_spf *spf, const struct span *txts, size_t count)
{
	const struct span *record = NULL;
	size_t records = 0;

	check(spf->asked < spf->domain_count);
	for (size_t i = 0; i < count; i++) {
		if (!is_record(txts[i]))
			continue;
		record = &txts[i];
		records++;
	}
	if (spf->asked == 0) {
		spf->none = records == 0;
		spf->several = records > 1;
	} else if (records != 1 && !spf->missing[0]) {
		memcpy(spf->missing, spf->domains[spf->asked], CHECK_SPF_NAME_BYTES);
	}
	if (records == 1)
		take_record(spf, *record);
	spf->asked++;
}
