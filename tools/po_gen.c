/*
 * Turns gettext catalogues (src/replies/po/LANG.po) into C tables.
 *
 *	po_gen OUT.c FILE.po...
 *
 * Understands what gettext's tools write: comments, msgid and msgstr, each as one or more strings in
 * quotes.  An entry that is marked fuzzy, or not translated, is left out, as msgfmt does.  Any
 * mistake is told with file and line, and then nothing is written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "c_string.h"
#include "text_file.h"

enum {
	LANGUAGES_MAX = 32,
	PAIRS_MAX = 8192,
	FILE_BYTES_MAX = 8 << 20,
	TEXT_BYTES_MAX = 64 << 20
};

struct pair {
	struct span english, text;
};

/* A file, sorted by its English. */
struct catalogue {
	const char *path;
	struct pair pairs[PAIRS_MAX];
	size_t count;
};

struct generator {
	struct arena arena;
	struct buf out;
	size_t faults;
	struct catalogue catalogues[LANGUAGES_MAX];
	size_t catalogue_count;
	struct span english[PAIRS_MAX]; /* of all of them, each once, sorted */
	size_t english_count;

	/* The file that is read. */
	struct catalogue *reading_into;
	size_t line;
	/* The entry that is read. */
	struct buf part[2]; /* msgid, msgstr */
	unsigned reading;   /* 0: nothing, 1: msgid, 2: msgstr */
	bool fuzzy;
};

static void
fault(struct generator *gen, const char *what)
{
	fprintf(stderr, "%s:%zu: %s\n", gen->reading_into->path, gen->line, what);
	gen->faults++;
}

static void
entry_end(struct generator *gen)
{
	struct span english = buf_span(&gen->part[0]), text = buf_span(&gen->part[1]);

	/* The entry without msgid is the header. */
	if (gen->reading == 2 && english.len && text.len && !gen->fuzzy) {
		struct pair *pair = &gen->reading_into->pairs[gen->reading_into->count++];

		check(gen->reading_into->count < PAIRS_MAX);
		check(arena_copy(&gen->arena, english, &pair->english));
		check(arena_copy(&gen->arena, text, &pair->text));
	}
	if (gen->reading == 1)
		fault(gen, "a msgid without msgstr");
	buf_reset(&gen->part[0]);
	buf_reset(&gen->part[1]);
	gen->reading = 0;
	gen->fuzzy = false;
}

/* A string in quotes, with the escapes that gettext writes. */
static void
add_quoted(struct generator *gen, struct span text)
{
	struct buf *part;

	if (gen->reading == 0 || text.len < 2 || text.ptr[0] != '"' ||
	    text.ptr[text.len - 1] != '"') {
		fault(gen, "expected a string in quotes");
		return;
	}
	part = &gen->part[gen->reading - 1];
	text = span_first(span_skip(text, 1), text.len - 2);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '"') {
			fault(gen, "a quote inside of a string needs a backslash");
			return;
		}
		if (c == '\\') {
			c = ++i < text.len ? text.ptr[i] : '\0';
			if (c == 'n')
				c = '\n';
			else if (c != '"' && c != '\\') {
				fault(gen, "unknown escape");
				return;
			}
		}
		buf_add_char(part, c);
	}
}

static void
read_line(struct generator *gen, struct span line)
{
	struct span text = span_trim(line);

	if (text.len == 0) {
		entry_end(gen);
	} else if (text.ptr[0] == '#') {
		if (gen->reading == 2)
			entry_end(gen);
		if (span_starts(text, SPAN("#,")) &&
		    memmem(text.ptr, text.len, "fuzzy", 5) != NULL)
			gen->fuzzy = true;
	} else if (span_starts(text, SPAN("msgid "))) {
		if (gen->reading)
			entry_end(gen);
		gen->reading = 1;
		add_quoted(gen, span_trim(span_skip(text, 6)));
	} else if (span_starts(text, SPAN("msgstr "))) {
		if (gen->reading != 1)
			fault(gen, "a msgstr without msgid");
		gen->reading = 2;
		add_quoted(gen, span_trim(span_skip(text, 7)));
	} else {
		add_quoted(gen, text);
	}
}

static void
read_file(struct generator *gen, const char *path)
{
	struct span rest, line;
	char *bytes = text_file_read(path, FILE_BYTES_MAX, &rest);

	check(gen->catalogue_count < LANGUAGES_MAX);
	gen->reading_into = &gen->catalogues[gen->catalogue_count++];
	gen->reading_into->path = path;
	gen->line = 0;
	if (rest.len == 0)
		fault(gen, "cannot be read, is empty or too large");
	while (span_cut(&rest, '\n', &line)) {
		gen->line++;
		read_line(gen, line);
	}
	entry_end(gen);
	mem_free(bytes);
}

static int
by_english(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;

	return span_compare(left->english, right->english);
}

/* "de" of "src/replies/po/de.po" */
static struct span
tag_of(const char *path)
{
	struct span name = span_str(path);
	size_t slash = span_find_last(name, '/');

	if (slash < name.len)
		name = span_skip(name, slash + 1);
	return span_first(name, span_find(name, '.'));
}

static int
by_bytes(const void *a, const void *b)
{
	return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static void
sort_file(struct generator *gen, struct catalogue *catalogue)
{
	qsort(catalogue->pairs, catalogue->count, sizeof(catalogue->pairs[0]), by_english);
	for (size_t i = 1; i < catalogue->count; i++)
		if (span_eq(catalogue->pairs[i].english, catalogue->pairs[i - 1].english))
			fault(gen, "one msgid stands twice");
}

/* Adds the English texts of a file that no file before it had. */
static void
gather_english(struct generator *gen, const struct catalogue *catalogue)
{
	size_t known = gen->english_count;

	for (size_t i = 0; i < catalogue->count; i++) {
		const struct span *english = &catalogue->pairs[i].english;

		if (bsearch(english, gen->english, known, sizeof(*english), by_bytes))
			continue;
		check(gen->english_count < PAIRS_MAX);
		gen->english[gen->english_count++] = *english;
	}
	qsort(gen->english, gen->english_count, sizeof(gen->english[0]), by_bytes);
}

/* One text behind the other, and adds to places where each begins. */
static void
add_text(struct generator *gen, struct span text, size_t *at, struct buf *places)
{
	buf_add_str(&gen->out, "\t");
	c_string_add(&gen->out, text);
	buf_add_str(&gen->out, " \"\\0\"\n");
	buf_addf(places, "\t%zu,\n", *at);
	*at += text.len + 1;
}

static void
add_english(struct generator *gen)
{
	struct buf places;
	size_t at = 0;

	buf_init(&places, TEXT_BYTES_MAX);
	buf_add_str(&gen->out, "\nconst char language_english[] =\n\t\"\"\n");
	for (size_t i = 0; i < gen->english_count; i++)
		add_text(gen, gen->english[i], &at, &places);
	/* Never an empty table, which C does not have. */
	buf_addf(&gen->out,
	    "\t\"\";\nconst uint32_t language_english_at[] = {\n%.*s\t0,\n};\n"
	    "const size_t language_english_count = %zu;\n",
	    SPAN_ARGS(buf_span(&places)), gen->english_count);
	buf_fini(&places);
}

static void
add_file(struct generator *gen, size_t number)
{
	const struct catalogue *catalogue = &gen->catalogues[number];
	struct buf places;
	size_t at = 1;

	buf_init(&places, TEXT_BYTES_MAX);
	/* No text begins at 0. */
	buf_addf(&gen->out, "\nstatic const char texts%zu[] =\n\t\"\\0\"\n", number);
	for (size_t i = 0; i < gen->english_count; i++) {
		const struct pair wanted = {.english = gen->english[i]};
		const struct pair *pair = bsearch(&wanted, catalogue->pairs, catalogue->count,
		    sizeof(wanted), by_english);

		if (pair)
			add_text(gen, pair->text, &at, &places);
		else
			buf_add_str(&places, "\t0,\n");
	}
	buf_addf(&gen->out, "\t\"\";\nstatic const uint32_t text_at%zu[] = {\n%.*s\t0,\n};\n",
	    number, SPAN_ARGS(buf_span(&places)));
	if (buf_finish(&places))
		fault(gen, "too much text");
	buf_fini(&places);
}

static enum err
write_out(const struct generator *gen, const char *path)
{
	FILE *file = fopen(path, "wb");
	enum err err = ERR_IO;

	if (file) {
		if (fwrite(gen->out.ptr, 1, gen->out.len, file) == gen->out.len)
			err = OK;
		if (fclose(file))
			err = ERR_IO;
	}
	if (err)
		fprintf(stderr, "%s: cannot be written\n", path);
	return err;
}

int
main(int argc, char **argv)
{
	struct generator *gen = mem_alloc(sizeof(*gen));
	struct buf list;
	bool good;

	if (argc < 2) {
		fprintf(stderr, "usage: po_gen OUT.c FILE.po...\n");
		mem_free(gen);
		return 64;
	}
	arena_init(&gen->arena, TEXT_BYTES_MAX);
	buf_init(&gen->out, TEXT_BYTES_MAX);
	buf_init(&list, 1 << 16);
	for (size_t i = 0; i < LEN(gen->part); i++)
		buf_init(&gen->part[i], FILE_BYTES_MAX);
	buf_add_str(&gen->out, "/* Made by po_gen from src/replies/po/. */\n"
			       "#include \"replies/language_internal.h\"\n");
	for (int i = 2; i < argc; i++) {
		read_file(gen, argv[i]);
		sort_file(gen, gen->reading_into);
		gather_english(gen, gen->reading_into);
	}
	add_english(gen);
	for (size_t i = 0; i < gen->catalogue_count; i++) {
		add_file(gen, i);
		buf_addf(&list, "\t{\"%.*s\", texts%zu, text_at%zu, %zu},\n",
		    SPAN_ARGS(tag_of(gen->catalogues[i].path)), i, i,
		    gen->catalogues[i].count);
	}
	buf_addf(&gen->out,
	    "\nconst struct language_texts language_texts[] = {\n%.*s\t{0},\n};\n"
	    "const size_t language_texts_count = %d;\n",
	    SPAN_ARGS(buf_span(&list)), argc - 2);
	good = gen->faults == 0 && buf_finish(&gen->out) == OK && buf_finish(&list) == OK &&
	    write_out(gen, argv[1]) == OK;
	for (size_t i = 0; i < LEN(gen->part); i++)
		buf_fini(&gen->part[i]);
	buf_fini(&list);
	buf_fini(&gen->out);
	arena_fini(&gen->arena);
	mem_free(gen);
	return good ? 0 : 1;
}
