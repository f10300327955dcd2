/*
 * Turns provider rules (src/rules/data/) into C tables.
 *
 *	rules_gen OUT.c FILE...
 *
 * A file holds lines "key: value"; "#" begins a comment line, and a line that begins with a blank
 * goes on with the value before it.  "provider", "source" and "date" hold for all rules below
 * them until they are given again.  A rule is
 *
 *	rule: 550 5.1.1 words of the server * more words
 *	is: user-unknown suppress-address
 *	says: 550 5.1.1 an example that this rule is the first to fit
 *	from: example.net		(may be left out: the end of the name of who says it)
 *	for: recipient | destination | provider	(may be left out: whose mail waits)
 *
 * The code may be "5xx", the status "5.1.x" or "x.1.1"; either may be left out, and so may the words
 * where there is a status or "from".  Any mistake is told with file and line, and then nothing is written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "c_string.h"
#include "rules/rules_internal.h"
#include "text_file.h"

enum { ROWS_MAX = 4096, FILE_BYTES_MAX = 1 << 20, TEXT_BYTES_MAX = 8 << 20, VALUE_BYTES_MAX = 4096 };

enum field { PROVIDER, SOURCE, DATE, RULE, IS, SAYS, FROM, FOR, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {
    "provider", "source", "date", "rule", "is", "says", "from", "for"};

struct row {
	struct span values[FIELD_COUNT];
	const char *file;
	size_t line;
	struct span code, status, text, reason;
	int action, scope;
	short numbers[3];
	short code_low, code_high;
	short needle_at, needle_bytes, gram_at;
	unsigned bucket;
};

struct generator {
	struct arena text;
	struct row *rows;
	size_t count, faults;
	const char *file;
	size_t line, key_line;
	int key; /* that is being read; -1 none */
	struct buf value;
	struct span standing[3]; /* PROVIDER, SOURCE, DATE */
	unsigned grams[RULES_BUCKETS]; /* how often each is met in all words */
};

static void
fault(struct generator *gen, const char *file, size_t line, const char *what, struct span detail)
{
	fprintf(stderr, "%s:%zu: %s%s%.*s\n", file, line, what, detail.len ? ": " : "",
	    SPAN_ARGS(detail));
	gen->faults++;
}

static void
keep(struct generator *gen)
{
	struct span text = span_trim(buf_span(&gen->value)), kept;
	struct row *row;

	if (gen->key < 0)
		return;
	if (text.len == 0 || gen->value.full)
		fault(gen, gen->file, gen->key_line, "has no value, or a too long one",
		    span_str(field_names[gen->key]));
	check(arena_copy(&gen->text, text, &kept));
	buf_reset(&gen->value);
	if (gen->key <= DATE) {
		gen->standing[gen->key] = kept;
		gen->key = -1;
		return;
	}
	if (gen->key == RULE) {
		check(gen->count < ROWS_MAX);
		row = &gen->rows[gen->count++];
		row->file = gen->file;
		row->line = gen->key_line;
		for (int i = PROVIDER; i <= DATE; i++)
			row->values[i] = gen->standing[i];
	}
	row = gen->count ? &gen->rows[gen->count - 1] : NULL;
	if (!row || row->file != gen->file)
		fault(gen, gen->file, gen->key_line, "stands before any rule", kept);
	else if (row->values[gen->key].len)
		fault(gen, gen->file, gen->key_line, "is given twice", kept);
	else
		row->values[gen->key] = kept;
	gen->key = -1;
}

static void
read_line(struct generator *gen, struct span line)
{
	size_t colon = span_find(line, ':');
	struct span name = span_first(line, colon);

	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.ptr[i] < ' ' || line.ptr[i] == 127) {
			fault(gen, gen->file, gen->line, "control character", SPAN(""));
			return;
		}
	if (span_trim(line).len == 0 || line.ptr[0] == '#')
		return;
	if (line.ptr[0] == ' ') {
		buf_add_char(&gen->value, ' ');
		buf_add(&gen->value, span_trim(line));
		return;
	}
	keep(gen);
	for (int i = 0; i < FIELD_COUNT && colon < line.len; i++)
		if (span_eq(name, span_str(field_names[i])))
			gen->key = i;
	gen->key_line = gen->line;
	if (gen->key < 0)
		fault(gen, gen->file, gen->line, "is no field", line);
	else
		buf_add(&gen->value, span_trim(span_skip(line, colon + 1)));
}

static void
read_file(struct generator *gen, const char *path)
{
	struct span rest, line;
	char *bytes = text_file_read(path, FILE_BYTES_MAX, &rest);

	gen->file = path;
	gen->line = 0;
	gen->key = -1;
	for (size_t i = 0; i < LEN(gen->standing); i++)
		gen->standing[i] = SPAN("");
	if (rest.len == 0)
		fault(gen, path, 0, "cannot be read, is empty or too large", SPAN(""));
	while (span_cut(&rest, '\n', &line)) {
		gen->line++;
		read_line(gen, line);
	}
	keep(gen);
	mem_free(bytes);
}

static bool
digit_or_x(char c)
{
	return ascii_is_digit(c) || c == 'x';
}

static bool
take_code(struct row *row, struct span word)
{
	short low = 0, high = 0;

	if (word.len != 3 || word.ptr[0] < '2' || word.ptr[0] > '5')
		return false;
	for (size_t i = 0; i < 3; i++) {
		bool any = word.ptr[i] == 'x';

		if (!digit_or_x(word.ptr[i]))
			return false;
		low = (short)(low * 10 + (any ? 0 : word.ptr[i] - '0'));
		high = (short)(high * 10 + (any ? 9 : word.ptr[i] - '0'));
	}
	row->code_low = low;
	row->code_high = high;
	return true;
}

static bool
take_status(struct row *row, struct span word)
{
	struct span rest = word, part;
	short numbers[3];
	size_t count = 0;
	uint64_t value;

	while (count < 3 && span_cut(&rest, '.', &part)) {
		if (span_eq(part, SPAN("x")))
			numbers[count++] = RULES_ANY;
		else if (span_u64(part, 999, &value))
			numbers[count++] = (short)value;
		else
			return false;
	}
	if (count != 3 || rest.len)
		return false;
	memcpy(row->numbers, numbers, sizeof(numbers));
	return true;
}

/* Lower case, single blanks, none around a star. */
static struct span
normal(struct generator *gen, struct span words)
{
	struct span kept;
	struct buf out;

	buf_init(&out, VALUE_BYTES_MAX);
	for (size_t i = 0; i < words.len; i++) {
		char c = ascii_lower(words.ptr[i]);
		char last = out.len ? out.ptr[out.len - 1] : '*';

		if (c == ' ' && (last == ' ' || last == '*'))
			continue;
		if (c == '*' && last == ' ')
			out.len--;
		buf_add_char(&out, c);
	}
	check(arena_copy(&gen->text, span_trim(buf_span(&out)), &kept));
	buf_fini(&out);
	return kept;
}

/* The longest fragment; how often each gram is met is counted for the choice later. */
static void
find_needle(struct generator *gen, struct row *row)
{
	size_t at = 0;

	while (at < row->text.len) {
		size_t bytes = span_find(span_skip(row->text, at), '*');

		if ((short)bytes > row->needle_bytes) {
			row->needle_at = (short)at;
			row->needle_bytes = (short)bytes;
		}
		at += bytes + 1;
	}
	if (row->text.len && row->needle_bytes < RULES_GRAM_BYTES)
		fault(gen, row->file, row->line, "no fragment has four letters", row->text);
	for (short i = 0; i + RULES_GRAM_BYTES <= row->needle_bytes; i++)
		gen->grams[rules_hash(row->text.ptr + row->needle_at + i)]++;
}

static void
choose_gram(struct generator *gen, struct row *row)
{
	unsigned least = UINT32_MAX;

	for (short i = 0; i + RULES_GRAM_BYTES <= row->needle_bytes; i++) {
		unsigned bucket = rules_hash(row->text.ptr + row->needle_at + i);

		if (gen->grams[bucket] < least) {
			least = gen->grams[bucket];
			row->gram_at = i;
			row->bucket = bucket;
		}
	}
}

static void
take_pattern(struct generator *gen, struct row *row)
{
	struct span rest = row->values[RULE], before, word;

	row->numbers[0] = row->numbers[1] = row->numbers[2] = RULES_ANY;
	before = rest;
	if (span_cut(&rest, ' ', &word) && take_code(row, word)) {
		row->code = word;
		before = rest;
	} else {
		rest = before;
	}
	if (span_cut(&rest, ' ', &word) && take_status(row, word)) {
		row->status = word;
		before = rest;
	}
	row->text = normal(gen, before);
	if (row->text.len == 0 && !row->status.len && !row->values[FROM].len)
		fault(gen, row->file, row->line, "a code alone is no rule", row->values[RULE]);
	find_needle(gen, row);
}

static int
scope_named(struct generator *gen, const struct row *row)
{
	for (int i = 0; i < RULE_SCOPE_COUNT; i++)
		if (span_eq(row->values[FOR], span_str(rules_scope_name((enum rule_scope)i))))
			return i;
	fault(gen, row->file, row->line, "unknown scope", row->values[FOR]);
	return 0;
}

static void
check_row(struct generator *gen, struct row *row)
{
	struct span rest = row->values[IS], word = SPAN("");

	for (int i = 0; i < FROM; i++)
		if (row->values[i].len == 0)
			fault(gen, row->file, row->line, "the rule lacks", span_str(field_names[i]));
	(void)span_cut(&rest, ' ', &row->reason);
	word = span_trim(rest);
	row->action = -1;
	for (int i = 0; i < RULE_ACTION_COUNT; i++)
		if (span_eq(word, span_str(rules_action_name((enum rule_action)i))))
			row->action = i;
	if (row->action < 0)
		fault(gen, row->file, row->line, "unknown action", word);
	else
		row->scope = (int)rules_scope_of(row->reason, (enum rule_action)row->action);
	if (row->values[FOR].len)
		row->scope = scope_named(gen, row);
	if (row->values[DATE].len && (row->values[DATE].len != 7 || row->values[DATE].ptr[4] != '-'))
		fault(gen, row->file, row->line, "the date is YEAR-MONTH, not", row->values[DATE]);
	take_pattern(gen, row);
	for (struct row *other = gen->rows; other < row; other++)
		if (span_eq(other->values[RULE], row->values[RULE]) &&
		    span_eq(other->values[FROM], row->values[FROM]))
			fault(gen, row->file, row->line, "is there already", row->values[RULE]);
}

static void
write_row(struct buf *out, const struct row *row)
{
	const struct span strings[] = {row->code, row->status, row->text, row->values[FROM],
	    row->values[SOURCE], row->values[DATE], row->values[SAYS]};

	buf_add_str(out, "{{");
	c_string_add(out, row->values[PROVIDER]);
	buf_add_str(out, ", ");
	c_string_add(out, row->reason);
	buf_addf(out, ", (enum rule_action)%d, (enum rule_scope)%d", row->action, row->scope);
	for (size_t i = 0; i < LEN(strings); i++) {
		buf_add_str(out, ", ");
		c_string_add(out, strings[i]);
	}
	buf_addf(out, "}, %d, %d, {%d, %d, %d}, %d, %d, %d},\n", row->code_low, row->code_high,
	    row->numbers[0], row->numbers[1], row->numbers[2], row->needle_at, row->needle_bytes,
	    row->gram_at);
}

static void
write_tables(struct generator *gen, struct buf *out)
{
	size_t start = 0, bare = 0;
	struct buf list;

	buf_init(&list, 1 << 20);
	buf_add_str(out, "/* Written by tools/rules_gen.c. */\n#include \"rules/rules_internal.h\"\n\n"
			 "const struct rule_row rules_rows[] = {\n");
	for (size_t i = 0; i < gen->count; i++)
		write_row(out, &gen->rows[i]);
	buf_addf(out, "};\nconst size_t rules_row_count = %zu;\n"
		      "const unsigned short rules_buckets[RULES_BUCKETS + 1] = {\n", gen->count);
	for (unsigned bucket = 0; bucket <= RULES_BUCKETS; bucket++) {
		buf_addf(out, "%zu,%s", start, bucket % 16 == 15 ? "\n" : " ");
		for (size_t i = 0; i < gen->count; i++)
			if (gen->rows[i].text.len && gen->rows[i].bucket == bucket &&
			    bucket < RULES_BUCKETS) {
				buf_addf(&list, "%zu,\n", i);
				start++;
			}
	}
	buf_add_str(out, "};\nconst unsigned short rules_bucket_rows[] = {\n");
	buf_add(out, buf_span(&list));
	buf_add_str(out, "};\nconst unsigned short rules_bare[] = {\n");
	for (size_t i = 0; i < gen->count; i++)
		if (!gen->rows[i].text.len) {
			buf_addf(out, "%zu,\n", i);
			bare++;
		}
	buf_addf(out, "0};\nconst size_t rules_bare_count = %zu;\n", bare);
	buf_fini(&list);
}

int
main(int argc, char **argv)
{
	struct generator *gen = mem_alloc(sizeof(*gen));
	struct buf out;
	FILE *file;
	int status = EXIT_FAILURE;

	check(argc > 2);
	arena_init(&gen->text, TEXT_BYTES_MAX);
	buf_init(&gen->value, VALUE_BYTES_MAX);
	buf_init(&out, TEXT_BYTES_MAX);
	gen->rows = mem_alloc(ROWS_MAX * sizeof(*gen->rows));
	for (int i = 2; i < argc; i++)
		read_file(gen, argv[i]);
	for (size_t i = 0; i < gen->count; i++)
		check_row(gen, &gen->rows[i]);
	for (size_t i = 0; i < gen->count; i++)
		choose_gram(gen, &gen->rows[i]);
	if (gen->faults == 0) {
		write_tables(gen, &out);
		check(buf_finish(&out) == OK);
		file = fopen(argv[1], "wb");
		if (file && fwrite(out.ptr, 1, out.len, file) == out.len && fclose(file) == 0)
			status = EXIT_SUCCESS;
		else
			fprintf(stderr, "%s: cannot be written\n", argv[1]);
	}
	buf_fini(&out);
	buf_fini(&gen->value);
	arena_fini(&gen->text);
	mem_free(gen->rows);
	mem_free(gen);
	return status;
}
