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

#include "base/check.h"
#include "replies/catalogue_internal.h"

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
code_add(struct buf *out, const struct code *code)
{
	if (!code->enhanced)
		buf_addf(out, "%u", code->number);
	else if (code->class == 0)
		buf_addf(out, "X.%u.%u", code->subject, code->detail);
	else
		buf_addf(out, "%u.%u.%u", code->class, code->subject, code->detail);
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

const char *
catalogue_aspect_name(enum catalogue_aspect aspect)
{
	static const char *const names[CATALOGUE_ASPECT_COUNT] = {
	    [CATALOGUE_DIFFERENCE] = "The difference that matters",
	    [CATALOGUE_WHEN] = "Who sends which, when",
	    [CATALOGUE_CLIENT] = "What the client does",
	    [CATALOGUE_CHOOSE] = "Which to use when you write a server",
	};

	check(aspect < CATALOGUE_ASPECT_COUNT);
	return names[aspect];
}

/* Two codes to compare, the lower one first, and all that is known of them. */
struct comparison {
	struct code code[2];
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
	}
	comparison->by_hand = pair_by_hand(code);
	comparison->classes = pair_of_classes(code);
	return OK;
}

static void
add_says(struct buf *out, const struct comparison *comparison, size_t i)
{
	code_add(out, &comparison->code[i]);
	buf_addf(out, " says \"%s\"", comparison->entry[i]->says);
}

/* A basic and an enhanced code are no alternatives: they make up one line. */
static void
compare_kinds(
    struct buf *out, const struct comparison *comparison, enum catalogue_aspect aspect)
{
	const struct code *code = comparison->code;
	bool clash = code[1].class && code[0].class != code[1].class;

	if (aspect == CATALOGUE_DIFFERENCE) {
		code_add(out, &code[0]);
		buf_add_str(out, " is the reply code, on which programs act; ");
		code_add(out, &code[1]);
		buf_add_str(out,
		    " is an enhanced status code, the detail that stands behind it "
		    "in the same line and in bounces. ");
		if (clash)
			buf_addf(out,
			    "These two do not go together: the class of the enhanced "
			    "code must be the first digit of the reply, %u. ",
			    code[0].class);
		add_says(out, comparison, 0);
		buf_add_str(out, "; ");
		add_says(out, comparison, 1);
		buf_add_str(out, ".");
	} else if (aspect == CATALOGUE_WHEN) {
		buf_add_str(out,
		    "A reply code begins every reply. An enhanced code is added only "
		    "by servers that announced ENHANCEDSTATUSCODES, and never to the "
		    "greeting, to EHLO or to 3xx replies.");
	} else if (aspect == CATALOGUE_CLIENT) {
		buf_add_str(out, "It goes by ");
		code_add(out, &code[0]);
		buf_addf(out,
		    ": it %s. The enhanced code tells people, and the bounce, why.",
		    comparison->entry[0]->next);
	} else if (clash) {
		buf_add_str(out, "Never both in one line.");
	} else {
		buf_add_str(out,
		    "Both, where they fit: the reply code for the program, the enhanced "
		    "code and the text for the person who must do something.");
	}
}

/* Adds the text of a pair of classes, with the codes for {a} and {b}. */
static void
add_filled(struct buf *out, const struct comparison *comparison, const char *text)
{
	for (size_t n; *text; text += n) {
		n = strcspn(text, "{");
		buf_add(out, span_of(text, n));
		if (text[n] == '{') {
			check((text[n + 1] == 'a' || text[n + 1] == 'b') &&
			      text[n + 2] == '}');
			code_add(out, &comparison->code[text[n + 1] - 'a']);
			n += 3;
		}
	}
}

static void
derive_difference(struct buf *out, const struct comparison *comparison)
{
	const struct code *code = comparison->code;

	if (comparison->classes) {
		add_filled(out, comparison, comparison->classes->difference);
		buf_add_char(out, ' ');
	}
	if (comparison->entry[0] == comparison->entry[1]) {
		buf_addf(out, "The reason is the same for both: \"%s\".",
		    comparison->entry[0]->says);
		return;
	}
	if (code[0].enhanced && code[0].subject != code[1].subject && code[0].subject &&
	    code[1].subject) {
		/* Behind "X.7.x: ". */
		code_add(out, &code[0]);
		buf_addf(out, " belongs to \"%s\", ", comparison->entry[0]->category + 7);
		code_add(out, &code[1]);
		buf_addf(out, " to \"%s\". ", comparison->entry[1]->category + 7);
	}
	add_says(out, comparison, 0);
	buf_add_str(out, "; ");
	add_says(out, comparison, 1);
	buf_add_str(out, ".");
}

static void
derive_when(struct buf *out, const struct comparison *comparison)
{
	if (strcmp(comparison->entry[0]->answers, comparison->entry[1]->answers) == 0) {
		buf_addf(
		    out, "Both come in answer to %s.", comparison->entry[0]->answers);
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		code_add(out, &comparison->code[i]);
		buf_addf(out, " comes in answer to %s.%s", comparison->entry[i]->answers,
		    i ? "" : " ");
	}
}

/* "After either it X." or "After 450 it X. After 550 it Y." */
static void
add_after(struct buf *out, const struct comparison *comparison,
    const char *const texts[2], const char *both, const char *joint)
{
	if (strcmp(texts[0], texts[1]) == 0) {
		buf_addf(out, "%s%s.", both, texts[0]);
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		buf_add_str(out, i ? " After " : "After ");
		code_add(out, &comparison->code[i]);
		buf_addf(out, "%s%s.", joint, texts[i]);
	}
}

static void
derive_client(struct buf *out, const struct comparison *comparison)
{
	const char *const next[] = {
	    comparison->entry[0]->next, comparison->entry[1]->next};
	const char *const mail[] = {
	    comparison->entry[0]->mail, comparison->entry[1]->mail};

	if (!comparison->class[0] || !comparison->class[1]) {
		buf_add_str(out,
		    "That is for the class to say: with 2 it goes on, with 4 it tries "
		    "again later, with 5 it gives up.");
	} else if (comparison->code[0].enhanced) {
		/* In enhanced codes the class says it all, the fate of the mail as well. */
		const char *const classes[] = {
		    comparison->class[0] -> next, comparison -> class[1] -> next};

		add_after(out, comparison, classes, "After either it ", " it ");
	} else {
		add_after(out, comparison, next, "After either it ", " it ");
		buf_add_char(out, ' ');
		add_after(out, comparison, mail, "Either way, ", ", ");
	}
}

static void
derive_choose(struct buf *out, const struct comparison *comparison)
{
	if (comparison->classes)
		add_filled(out, comparison, comparison->classes->choose);
	else
		buf_add_str(out,
		    "First the class: 4 if the same attempt can succeed later without "
		    "anybody changing something, else 5. Then the reason.");
}

static void
compare_aspect(
    struct buf *out, const struct comparison *comparison, enum catalogue_aspect aspect)
{
	const struct catalogue_pair *pair = comparison->by_hand;

	if (order(&comparison->code[0], &comparison->code[1]) == 0) {
		if (aspect != CATALOGUE_DIFFERENCE)
			return;
		buf_add_str(out, "There is none: these are the same code. ");
		add_says(out, comparison, 0);
		buf_add_str(out, ".");
	} else if (pair) {
		const char *const texts[CATALOGUE_ASPECT_COUNT] = {
		    pair->difference, pair->when, pair->client, pair->choose};

		buf_add_str(out, texts[aspect]);
	} else if (comparison->code[0].enhanced != comparison->code[1].enhanced) {
		compare_kinds(out, comparison, aspect);
	} else if (aspect == CATALOGUE_DIFFERENCE) {
		derive_difference(out, comparison);
	} else if (aspect == CATALOGUE_WHEN) {
		derive_when(out, comparison);
	} else if (aspect == CATALOGUE_CLIENT) {
		derive_client(out, comparison);
	} else {
		derive_choose(out, comparison);
	}
}

enum err
catalogue_compare_aspect(
    struct buf *out, struct span a, struct span b, enum catalogue_aspect aspect)
{
	struct comparison comparison = {0};
	enum err err = comparison_make(&comparison, a, b);

	check(aspect < CATALOGUE_ASPECT_COUNT);
	if (err)
		return err;
	compare_aspect(out, &comparison, aspect);
	return OK;
}

enum err
catalogue_compare(struct buf *out, struct span a, struct span b)
{
	struct comparison comparison = {0};
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
