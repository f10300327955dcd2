/*
 * Looking codes up, and telling two of them apart.
 *
 * Well-known pairs were compared by hand (catalogue/pairs.txt).  Any other
 * comparison is made from what the entries have in common and what not: the
 * class, the command, what the client does, where the mail is afterwards.  It
 * is never two descriptions set side by side: whoever compares wants to know
 * the difference.
 */
#include "replies/catalogue.h"

#include <stdio.h>

#include "base/check.h"
#include "replies/catalogue_internal.h"

enum { CODE_BYTES = 16 };

/* A code as numbers: {0, 252} or {5, 7, 1}; the class of "X.7.1" is 0. */
struct code {
	bool enhanced;
	unsigned class; /* the first digit */
	unsigned number;
	unsigned subject;
	unsigned detail;
};

static bool
code_parse(struct span text, struct code *code)
{
	uint64_t number;
	uint64_t detail;
	struct span subject;

	*code = (struct code){0};
	if (text.len == 3 && span_u64(text, 599, &number)) {
		code->class = (unsigned)number / 100;
		code->number = (unsigned)number;
		return code->class >= 1;
	}
	if (text.len < 5 || text.ptr[1] != '.' || !memchr("245Xx", text.ptr[0], 5))
		return false;
	code->enhanced = true;
	code->class = ascii_is_digit(text.ptr[0]) ? (unsigned)(text.ptr[0] - '0') : 0;
	text = span_skip(text, 2);
	if (!span_cut(&text, '.', &subject) || subject.len > 3 || text.len > 3 ||
	    !span_u64(subject, 999, &number) || !span_u64(text, 999, &detail))
		return false;
	code->subject = (unsigned)number;
	code->detail = (unsigned)detail;
	return true;
}

static void
code_name(char name[CODE_BYTES], const struct code *code)
{
	if (!code->enhanced)
		(void)snprintf(name, CODE_BYTES, "%u", code->number % 1000);
	else
		(void)snprintf(name, CODE_BYTES, "%c.%u.%u",
		    code->class ? (char)('0' + code->class % 10) : 'X',
		    code->subject % 1000, code->detail % 1000);
}

static bool
code_same_entry(const struct code *a, const struct code *b)
{
	return a->enhanced == b->enhanced && a->number == b->number &&
	       a->subject == b->subject && a->detail == b->detail;
}

static const struct catalogue_entry *
find(const struct code *code)
{
	for (size_t i = 0; i < catalogue_entry_count; i++) {
		struct code other;

		check(code_parse(span_str(catalogue_entries[i].code), &other));
		if (code_same_entry(code, &other))
			return &catalogue_entries[i];
	}
	return NULL;
}

const struct catalogue_entry *
catalogue_find(struct span text)
{
	struct code code;

	return code_parse(text, &code) ? find(&code) : NULL;
}

const struct catalogue_entry *
catalogue_at(size_t index)
{
	return index < catalogue_entry_count ? &catalogue_entries[index] : NULL;
}

bool
catalogue_is_standard(const struct catalogue_entry *entry)
{
	return strcmp(entry->rfc, "none") != 0;
}

bool
catalogue_retry(struct span text)
{
	const struct catalogue_entry *entry;
	struct code code;

	if (!code_parse(text, &code))
		return false;
	entry = code.enhanced ? NULL : find(&code);
	return entry ? entry->retry : code.class == 4;
}

const struct catalogue_group *
catalogue_group(struct span code)
{
	for (size_t i = 0; i < catalogue_group_count; i++)
		if (span_eq(code, span_str(catalogue_groups[i].code)))
			return &catalogue_groups[i];
	return NULL;
}

static int
order(const struct code *a, const struct code *b)
{
	const unsigned left[] = {a->enhanced, a->number, a->class, a->subject, a->detail};
	const unsigned right[] = {
	    b->enhanced, b->number, b->class, b->subject, b->detail};

	for (size_t i = 0; i < LEN(left); i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

int
catalogue_order(struct span a, struct span b)
{
	struct code left;
	struct code right;
	bool known_left = code_parse(a, &left);
	bool known_right = code_parse(b, &right);

	return known_left && known_right ? order(&left, &right)
					 : known_right - known_left;
}

enum word
catalogue_aspect_word(enum catalogue_aspect aspect)
{
	static const enum word words[CATALOGUE_ASPECT_COUNT] = {
	    [CATALOGUE_DIFFERENCE] = WORD_ASPECT_DIFFERENCE,
	    [CATALOGUE_WHEN] = WORD_ASPECT_WHEN,
	    [CATALOGUE_CLIENT] = WORD_ASPECT_CLIENT,
	    [CATALOGUE_CHOOSE] = WORD_ASPECT_CHOOSE,
	};

	check(aspect < CATALOGUE_ASPECT_COUNT);
	return words[aspect];
}

bool
catalogue_pair_at(size_t index, struct catalogue_pair_texts *texts)
{
	const struct catalogue_pair *pair = &catalogue_pairs[index];

	if (index >= catalogue_pair_count)
		return false;
	*texts = (struct catalogue_pair_texts){pair->a, pair->b,
	    {pair->difference, pair->when, pair->client, pair->choose}};
	return true;
}

const struct catalogue_group *
catalogue_group_at(size_t index)
{
	return index < catalogue_group_count ? &catalogue_groups[index] : NULL;
}

/* Two codes to compare, the lower one first, and all that is known of them. */
struct comparison {
	const struct language *language;
	struct code code[2];
	char names[2][CODE_BYTES];
	const struct catalogue_entry *entry[2];
	const struct catalogue_group *class[2]; /* NULL for "X" */
	const struct catalogue_pair *by_hand;
	const struct catalogue_pair *classes; /* how their classes differ; NULL for "X" */
};

static const struct catalogue_group *
class_of(const struct code *code)
{
	char name[] = "5.x.x";

	if (code->class == 0)
		return NULL;
	if (!code->enhanced)
		memcpy(name, "5xx", sizeof("5xx"));
	name[0] = (char)('0' + code->class);
	return catalogue_group(span_str(name));
}

/* A pair that was written for 5.1.1 serves X.1.1 as well. */
static bool
pair_code_fits(const char *text, const struct code *code)
{
	struct code other;

	return code_parse(span_str(text), &other) && code_same_entry(&other, code) &&
	       (code->class == other.class || code->class == 0);
}

static const struct catalogue_pair *
pair_by_hand(const struct code code[2])
{
	for (size_t i = 0; i < catalogue_pair_count; i++)
		if (pair_code_fits(catalogue_pairs[i].a, &code[0]) &&
		    pair_code_fits(catalogue_pairs[i].b, &code[1]))
			return &catalogue_pairs[i];
	return NULL;
}

static const struct catalogue_pair *
pair_of_classes(const struct code code[2])
{
	for (size_t i = 0; i < catalogue_pair_count; i++) {
		const struct catalogue_pair *pair = &catalogue_pairs[i];

		if (pair->a[1] == 'x' && pair->a[0] == (char)('0' + code[0].class) &&
		    pair->b[0] == (char)('0' + code[1].class))
			return pair;
	}
	return NULL;
}

static enum err
comparison_make(struct comparison *comparison, struct span a, struct span b)
{
	struct code *code = comparison->code;

	if (!code_parse(a, &code[0]) || !code_parse(b, &code[1]))
		return ERR_NOT_FOUND;
	if (order(&code[0], &code[1]) > 0) {
		struct code swap = code[0];

		code[0] = code[1];
		code[1] = swap;
	}
	for (size_t i = 0; i < 2; i++) {
		comparison->entry[i] = find(&code[i]);
		comparison->class[i] = class_of(&code[i]);
		if (!comparison->entry[i])
			return ERR_NOT_FOUND;
		code_name(comparison->names[i], &code[i]);
	}
	comparison->by_hand = pair_by_hand(code);
	comparison->classes = pair_of_classes(code);
	return OK;
}

/* Adds a word, with texts of the catalogue, each in the comparison's language, in it. */
static void
say(struct buf *out, const struct comparison *comparison, enum word word, const char *text,
    const char *other)
{
	const struct word_fields fields = {
	    .a = span_str(comparison->names[0]),
	    .b = span_str(comparison->names[1]),
	    .text = span_str(language_text(comparison->language, text)),
	    .other = span_str(language_text(comparison->language, other)),
	};

	word_add(out, comparison->language, word, &fields);
}

static void
say_plain(struct buf *out, const struct comparison *comparison, enum word word)
{
	say(out, comparison, word, "", "");
}

static void
say_both(struct buf *out, const struct comparison *comparison)
{
	say(out, comparison, WORD_BOTH_SAY, comparison->entry[0]->says,
	    comparison->entry[1]->says);
}

/* A basic and an enhanced code are no alternatives: they make up one line. */
static void
compare_kinds(
    struct buf *out, const struct comparison *comparison, enum catalogue_aspect aspect)
{
	const struct code *code = comparison->code;
	bool clash = code[1].class && code[0].class != code[1].class;
	char class[] = {(char)('0' + code[0].class), '\0'};

	if (aspect == CATALOGUE_DIFFERENCE) {
		say_plain(out, comparison, WORD_KINDS);
		buf_add_char(out, ' ');
		if (clash) {
			say(out, comparison, WORD_KINDS_CLASH, class, "");
			buf_add_char(out, ' ');
		}
		say_both(out, comparison);
	} else if (aspect == CATALOGUE_WHEN) {
		say_plain(out, comparison, WORD_KINDS_WHEN);
	} else if (aspect == CATALOGUE_CLIENT) {
		say(out, comparison, WORD_KINDS_CLIENT, comparison->entry[0]->next, "");
	} else {
		say_plain(out, comparison, clash ? WORD_KINDS_NEVER : WORD_KINDS_BOTH);
	}
}

/* Adds the text of a pair of classes, with the codes for {a} and {b}. */
static void
say_classes(struct buf *out, const struct comparison *comparison, const char *text)
{
	const struct word_fields fields = {
	    .a = span_str(comparison->names[0]), .b = span_str(comparison->names[1])};

	word_fill(out, language_text(comparison->language, text), &fields);
}

/* What an entry belongs to, by its second number. */
static const char *
subject_name(const struct catalogue_entry *entry)
{
	const struct catalogue_group *group = catalogue_group(span_str(entry->group));

	check(group);
	return group->name;
}

static void
derive_difference(struct buf *out, const struct comparison *comparison)
{
	const struct code *code = comparison->code;
	const struct catalogue_entry *const *entry = comparison->entry;

	if (comparison->classes) {
		say_classes(out, comparison, comparison->classes->difference);
		buf_add_char(out, ' ');
	}
	if (entry[0] == entry[1]) {
		say(out, comparison, WORD_SAME_REASON, entry[0]->says, "");
		return;
	}
	if (code[0].enhanced && code[0].subject != code[1].subject && code[0].subject &&
	    code[1].subject) {
		say(out, comparison, WORD_SUBJECTS, subject_name(entry[0]),
		    subject_name(entry[1]));
		buf_add_char(out, ' ');
	}
	say_both(out, comparison);
}

/* What both have in common, or what each has. */
static void
say_either(struct buf *out, const struct comparison *comparison, const char *a, const char *b,
    enum word both, enum word each)
{
	if (strcmp(a, b) == 0)
		say(out, comparison, both, a, "");
	else
		say(out, comparison, each, a, b);
}

static void
derive_client(struct buf *out, const struct comparison *comparison)
{
	const struct catalogue_entry *const *entry = comparison->entry;
	const struct catalogue_group *const *class = comparison->class;

	if (!class[0] || !class[1]) {
		say_plain(out, comparison, WORD_CLASS_DECIDES);
	} else if (comparison->code[0].enhanced) {
		/* In enhanced codes the class says it all, the fate of the mail as well. */
		say_either(out, comparison, class[0]->next, class[1]->next, WORD_NEXT_BOTH,
		    WORD_NEXT_EACH);
	} else {
		say_either(out, comparison, entry[0]->next, entry[1]->next, WORD_NEXT_BOTH,
		    WORD_NEXT_EACH);
		buf_add_char(out, ' ');
		say_either(out, comparison, entry[0]->mail, entry[1]->mail, WORD_MAIL_BOTH,
		    WORD_MAIL_EACH);
	}
}

static void
derive_choose(struct buf *out, const struct comparison *comparison)
{
	if (comparison->classes)
		say_classes(out, comparison, comparison->classes->choose);
	else
		say_plain(out, comparison, WORD_CHOOSE_CLASS);
}

static void
compare_aspect(
    struct buf *out, const struct comparison *comparison, enum catalogue_aspect aspect)
{
	const struct catalogue_pair *pair = comparison->by_hand;

	if (order(&comparison->code[0], &comparison->code[1]) == 0) {
		if (aspect != CATALOGUE_DIFFERENCE)
			return;
		say(out, comparison, WORD_SAME_CODE, comparison->entry[0]->says, "");
	} else if (pair) {
		const char *const texts[CATALOGUE_ASPECT_COUNT] = {
		    pair->difference, pair->when, pair->client, pair->choose};

		buf_add_str(out, language_text(comparison->language, texts[aspect]));
	} else if (comparison->code[0].enhanced != comparison->code[1].enhanced) {
		compare_kinds(out, comparison, aspect);
	} else if (aspect == CATALOGUE_DIFFERENCE) {
		derive_difference(out, comparison);
	} else if (aspect == CATALOGUE_WHEN) {
		say_either(out, comparison, comparison->entry[0]->answers,
		    comparison->entry[1]->answers, WORD_ANSWER_BOTH, WORD_ANSWER_EACH);
	} else if (aspect == CATALOGUE_CLIENT) {
		derive_client(out, comparison);
	} else {
		derive_choose(out, comparison);
	}
}

enum err
catalogue_compare_aspect(struct buf *out, const struct language *language, struct span a,
    struct span b, enum catalogue_aspect aspect)
{
	struct comparison comparison = {.language = language};
	enum err err = comparison_make(&comparison, a, b);

	check(aspect < CATALOGUE_ASPECT_COUNT);
	if (err)
		return err;
	compare_aspect(out, &comparison, aspect);
	return OK;
}

enum err
catalogue_compare(
    struct buf *out, const struct language *language, struct span a, struct span b)
{
	struct comparison comparison = {.language = language};
	enum err err = comparison_make(&comparison, a, b);
	size_t start = out->len;

	if (err)
		return err;
	for (unsigned aspect = 0; aspect < CATALOGUE_ASPECT_COUNT; aspect++) {
		size_t before = out->len;

		if (before > start)
			buf_add_str(out, "\n\n");
		compare_aspect(out, &comparison, (enum catalogue_aspect)aspect);
		if (out->len == before + 2 && before > start)
			out->len = before;
	}
	return OK;
}
