/*
 * Turns the catalogue's text (src/replies/catalogue/) into C tables.
 *
 *	catalogue_gen OUT.c FILE...
 *
 * A file holds records of "key: value" lines.  A line that begins with a blank
 * goes on with the value before it; an empty line before such a line begins a
 * new paragraph (in a transcript each line stays one); "#" begins a comment line.  The keys "code", "group",
 * "pair" and those of topics ("keyword", "finding") begin a record; each kind of record has the fields of its
 * row below, all of them (but those that a topic may lack) and no other.  Any mistake is told with file and
 * line, and then nothing is written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "c_string.h"
#include "text_file.h"

enum { RECORDS_MAX = 2048, KEY_BYTES_MAX = 40, FILE_BYTES_MAX = 1 << 20, TEXT_BYTES_MAX = 8 << 20 };

enum field {
	NAME,
	CATEGORY,
	MEANING,
	WHEN,
	CLIENT,
	FIX,
	SENDER,
	ADMIN,
	DEVELOPER,
	MISTAKES,
	WITH,
	TRANSCRIPT,
	RFC,
	SEE,
	RETRY,
	ANSWERS,
	SAYS,
	NEXT,
	MAIL,
	DIFFERENCE,
	CHOOSE,
	SEVERITY,
	FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
    [NAME] = "name",
    [CATEGORY] = "category",
    [MEANING] = "meaning",
    [WHEN] = "when",
    [CLIENT] = "client",
    [FIX] = "fix",
    [SENDER] = "sender",
    [ADMIN] = "admin",
    [DEVELOPER] = "developer",
    [MISTAKES] = "mistakes",
    [WITH] = "with",
    [TRANSCRIPT] = "transcript",
    [RFC] = "rfc",
    [SEE] = "see",
    [RETRY] = "retry",
    [ANSWERS] = "answers",
    [SAYS] = "says",
    [NEXT] = "next",
    [MAIL] = "mail",
    [DIFFERENCE] = "difference",
    [CHOOSE] = "choose",
    [SEVERITY] = "severity",
};

/* The topics stand in the order of enum catalogue_kind. */
enum kind {
	BASIC,
	STATUS,
	CLASS,
	GROUP,
	PAIR,
	CLASS_PAIR,
	KEYWORD,
	ACTION,
	AUTH_RESULT,
	TLS_RESULT,
	REASON,
	FINDING,
	KIND_COUNT
};

#define BIT(field) (1u << (field))
#define ENTRY_FIELDS                                                                     \
	(BIT(NAME) | BIT(MEANING) | BIT(WHEN) | BIT(CLIENT) | BIT(SENDER) | BIT(ADMIN) | \
	    BIT(DEVELOPER) | BIT(MISTAKES) | BIT(WITH) | BIT(RFC) | BIT(SEE) |       \
	    BIT(ANSWERS) | BIT(SAYS))
#define CLASS_FIELDS (BIT(SAYS) | BIT(NEXT) | BIT(MAIL) | BIT(CLIENT) | BIT(FIX))
#define TOPIC_FIELDS (BIT(NAME) | BIT(MEANING) | BIT(RFC))
#define ADVICE_FIELDS (BIT(SENDER) | BIT(ADMIN) | BIT(DEVELOPER))
#define TOPIC_MAY (ADVICE_FIELDS | BIT(TRANSCRIPT) | BIT(SEE))

/* Forms: d a digit, n a number of at most three digits, the rest itself; of topics "K" a key. */
static const struct {
	const char *key;
	const char *form;
	unsigned fields;
	unsigned may; /* fields that it need not have */
} kinds[KIND_COUNT] = {
    [BASIC] = {"code", "ddd",
	ENTRY_FIELDS | BIT(RETRY) | BIT(NEXT) | BIT(MAIL) | BIT(TRANSCRIPT), 0},
    [STATUS] = {"code", "X.d.n", ENTRY_FIELDS, 0},
    [CLASS] = {"group", "dxx|d.x.x", BIT(NAME) | BIT(MEANING) | CLASS_FIELDS, 0},
    [GROUP] = {"group", "xdx|X.d.x", BIT(NAME) | BIT(MEANING), 0},
    [PAIR] = {"pair", "ddd ddd|d.d.n d.d.n",
	BIT(DIFFERENCE) | BIT(WHEN) | BIT(CLIENT) | BIT(CHOOSE), 0},
    [CLASS_PAIR] = {"pair", "dxx dxx", BIT(DIFFERENCE) | BIT(CHOOSE), 0},
    [KEYWORD] = {"keyword", "K", TOPIC_FIELDS | BIT(WHEN), TOPIC_MAY},
    [ACTION] = {"action", "K", TOPIC_FIELDS | BIT(WHEN), TOPIC_MAY},
    [AUTH_RESULT] = {"auth-result", "K", TOPIC_FIELDS | BIT(WHEN), TOPIC_MAY},
    [TLS_RESULT] = {"tls-result", "K", TOPIC_FIELDS | BIT(WHEN), TOPIC_MAY},
    [REASON] = {"reason", "K", TOPIC_FIELDS, TOPIC_MAY | BIT(WHEN)},
    [FINDING] = {"finding", "K", TOPIC_FIELDS | BIT(SEVERITY), TOPIC_MAY | BIT(WHEN)},
};

static const char *const kind_names[KIND_COUNT] = {
    [KEYWORD] = "CATALOGUE_KEYWORD",
    [ACTION] = "CATALOGUE_ACTION",
    [AUTH_RESULT] = "CATALOGUE_AUTH_RESULT",
    [TLS_RESULT] = "CATALOGUE_TLS_RESULT",
    [REASON] = "CATALOGUE_REASON",
    [FINDING] = "CATALOGUE_FINDING",
};

struct record {
	enum kind kind;
	const char *file;
	size_t line;
	struct span code;
	struct span values[FIELD_COUNT];
	bool given[FIELD_COUNT];
};

struct generator {
	struct arena text;
	struct record records[RECORDS_MAX];
	size_t count;
	size_t faults;
	const char *file;
	size_t line;

	/* The field that is being read. */
	struct span key;
	size_t key_line;
	struct buf value;
	bool gap; /* an empty line was met in it */
};

static void
fault(struct generator *gen, const char *file, size_t line, const char *what,
    struct span detail)
{
	fprintf(stderr, "%s:%zu: %s%s%.*s\n", file, line, what, detail.len ? ": " : "",
	    SPAN_ARGS(detail));
	gen->faults++;
}

static bool
is_topic(enum kind kind)
{
	return kind >= KEYWORD;
}

/* "STARTTLS", "dkim=fail": a word that a person may type. */
static bool
is_key(struct span text)
{
	bool letter = false;

	for (size_t i = 0; i < text.len; i++) {
		letter |= ascii_is_alpha(text.ptr[i]);
		if (!ascii_is_alnum(text.ptr[i]) && !strchr("-=._", text.ptr[i]))
			return false;
	}
	return letter && text.len > 1 && text.len <= KEY_BYTES_MAX;
}

static bool
form_fits(const char *form, struct span text)
{
	if (*form == 'K')
		return is_key(text);
	for (; *form && *form != '|'; form++) {
		size_t digits = 0;

		while (
		    digits < text.len && digits < 3 && ascii_is_digit(text.ptr[digits]))
			digits++;
		if (*form == 'd' || *form == 'n') {
			if (digits == 0)
				return false;
			text = span_skip(text, *form == 'd' ? 1 : digits);
		} else {
			if (text.len == 0 || text.ptr[0] != *form)
				return false;
			text = span_skip(text, 1);
		}
	}
	return text.len == 0;
}

static bool
kind_fits(enum kind kind, struct span key, struct span code)
{
	const char *form = kinds[kind].form;
	const char *other = strchr(form, '|');

	return span_eq(key, span_str(kinds[kind].key)) &&
	       (form_fits(form, code) || (other && form_fits(other + 1, code)));
}

/* Numbers of a code for sorting: basic codes first, then by class, subject and detail. */
static unsigned
code_rank(struct span code)
{
	unsigned rank = 0;
	unsigned number = 0;

	if (span_find(code, '.') < code.len)
		rank = 1;
	for (size_t i = 0; i < code.len; i++) {
		if (code.ptr[i] == '.') {
			rank = rank * 1000 + number;
			number = 0;
		} else if (ascii_is_digit(code.ptr[i])) {
			number = number * 10 + (unsigned)(code.ptr[i] - '0');
		}
	}
	return rank * 1000 + number;
}

static const struct record *
record_find(const struct generator *gen, const char *key, struct span code)
{
	for (size_t i = 0; i < gen->count; i++)
		if (strcmp(kinds[gen->records[i].kind].key, key) == 0 &&
		    span_eq(gen->records[i].code, code))
			return &gen->records[i];
	return NULL;
}

/* The topic of a key, of one kind or (KIND_COUNT) of any; case does not matter. */
static const struct record *
topic_find(const struct generator *gen, enum kind kind, struct span key)
{
	for (size_t i = 0; i < gen->count; i++)
		if ((kind == KIND_COUNT ? is_topic(gen->records[i].kind)
					: gen->records[i].kind == kind) &&
		    span_eq_nocase(gen->records[i].code, key))
			return &gen->records[i];
	return NULL;
}

static void
record_begin(struct generator *gen, struct span code)
{
	struct record *record = &gen->records[gen->count];
	unsigned kind = 0;

	while (kind < KIND_COUNT && !kind_fits((enum kind)kind, gen->key, code))
		kind++;
	if (kind == KIND_COUNT) {
		fault(gen, gen->file, gen->key_line, "malformed code", code);
		return;
	}
	if (is_topic((enum kind)kind) ? topic_find(gen, (enum kind)kind, code)
				      : record_find(gen, kinds[kind].key, code))
		fault(gen, gen->file, gen->key_line, "is there already", code);
	check(gen->count < RECORDS_MAX);
	*record = (struct record){
	    .kind = (enum kind)kind, .file = gen->file, .line = gen->key_line};
	check(arena_copy(&gen->text, code, &record->code));
	gen->count++;
}

static void
keep_value(struct generator *gen, struct span text)
{
	struct record *record = gen->count ? &gen->records[gen->count - 1] : NULL;
	unsigned field = 0;

	while (field < FIELD_COUNT && !span_eq(gen->key, span_str(field_names[field])))
		field++;
	if (!record) {
		fault(
		    gen, gen->file, gen->key_line, "stands before any record", gen->key);
	} else if (field == FIELD_COUNT ||
		   !((kinds[record->kind].fields | kinds[record->kind].may) & BIT(field))) {
		fault(gen, gen->file, gen->key_line, "unknown field", gen->key);
	} else if (record->given[field]) {
		fault(gen, gen->file, gen->key_line, "is given twice", gen->key);
	} else {
		record->given[field] = true;
		check(arena_copy(&gen->text, text, &record->values[field]));
	}
}

static bool
begins_record(struct span key)
{
	for (size_t kind = 0; kind < KIND_COUNT; kind++)
		if (span_eq(key, span_str(kinds[kind].key)))
			return true;
	return false;
}

/* The field that was being read is complete. */
static void
field_end(struct generator *gen)
{
	struct span text = span_trim(buf_span(&gen->value));

	if (gen->key.len == 0)
		return;
	if (text.len == 0)
		fault(gen, gen->file, gen->key_line, "has no value", gen->key);
	else if (begins_record(gen->key))
		record_begin(gen, text);
	else
		keep_value(gen, text);
	buf_reset(&gen->value);
	gen->key = SPAN("");
}

static bool
has_control(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.ptr[i] < 0x20 || line.ptr[i] == 0x7f)
			return true;
	return false;
}

/* What stands between a line of a value and the next one. */
static const char *
joint(const struct generator *gen)
{
	if (span_eq(gen->key, SPAN("transcript")))
		return "\n";
	return gen->gap ? "\n\n" : " ";
}

static void
read_line(struct generator *gen, struct span line)
{
	size_t colon = span_find(line, ':');
	struct span text = span_trim(line);

	if (has_control(line)) {
		fault(gen, gen->file, gen->line, "control character", SPAN(""));
	} else if (text.len == 0) {
		gen->gap = true;
	} else if (line.ptr[0] == '#') {
		return;
	} else if (line.ptr[0] == ' ') {
		if (gen->key.len == 0)
			fault(gen, gen->file, gen->line, "goes on with nothing", text);
		if (gen->value.len)
			buf_add_str(&gen->value, joint(gen));
		buf_add(&gen->value, text);
		gen->gap = false;
	} else if (colon == line.len) {
		fault(gen, gen->file, gen->line, "is no \"key: value\"", line);
	} else {
		field_end(gen);
		gen->key = span_first(line, colon);
		gen->key_line = gen->line;
		gen->gap = false;
		buf_add(&gen->value, span_trim(span_skip(line, colon + 1)));
	}
}

static void
read_file(struct generator *gen, const char *path)
{
	struct span rest, line;
	char *bytes = text_file_read(path, FILE_BYTES_MAX, &rest);

	gen->file = path;
	gen->line = 0;
	if (rest.len == 0)
		fault(gen, path, 0, "cannot be read, is empty or too large", SPAN(""));
	while (span_cut(&rest, '\n', &line)) {
		gen->line++;
		read_line(gen, line);
	}
	field_end(gen);
	mem_free(bytes);
}

/* All codes of "see" and of a pair must have entries ("5.1.1" is of "X.1.1"). */
static void
check_codes(struct generator *gen, const struct record *record, struct span codes)
{
	struct span code;

	while (span_cut(&codes, ' ', &code)) {
		char form[KEY_BYTES_MAX + 1] = {0};

		if (code.len == 0 || code.len >= sizeof(form)) {
			fault(gen, record->file, record->line, "malformed list of codes",
			    code);
			continue;
		}
		memcpy(form, code.ptr, code.len);
		if (form[1] == '.')
			form[0] = 'X';
		if (!record_find(gen, "code", span_str(form)) &&
		    !(is_topic(record->kind) && topic_find(gen, KIND_COUNT, code)))
			fault(gen, record->file, record->line,
			    "names a code without entry", code);
		if (span_eq(code, record->code))
			fault(gen, record->file, record->line, "names itself", code);
	}
}

/* The group that names the category of an entry: "4xx" or "X.7.x". */
static const struct record *
group_of(const struct generator *gen, const struct record *record)
{
	char name[] = "X.0.x";

	if (record->kind == BASIC)
		memcpy(name, (char[]){record->code.ptr[0], 'x', 'x', 0}, 4);
	else
		name[2] = record->code.ptr[2];
	return record_find(gen, "group", span_str(name));
}

static void
check_topic(struct generator *gen, const struct record *record)
{
	struct span severity = record->values[SEVERITY];

	if (record->given[SEE])
		check_codes(gen, record, record->values[SEE]);
	if (!record->given[SENDER] && !record->given[ADMIN] && !record->given[DEVELOPER])
		fault(gen, record->file, record->line, "has nothing to do for anybody",
		    record->code);
	if (record->kind == FINDING && !span_eq(severity, SPAN("good")) &&
	    !span_eq(severity, SPAN("info")) && !span_eq(severity, SPAN("warning")) &&
	    !span_eq(severity, SPAN("error")))
		fault(gen, record->file, record->line,
		    "severity is good, info, warning or error, not", severity);
}

static void
check_record(struct generator *gen, const struct record *record)
{
	struct span retry = record->values[RETRY];
	struct span codes = record->code;
	struct span first;

	for (unsigned field = 0; field < FIELD_COUNT; field++)
		if ((kinds[record->kind].fields & BIT(field)) && !record->given[field])
			fault(gen, record->file, record->line, "has no field",
			    span_str(field_names[field]));
	if (record->kind == BASIC && !span_eq(retry, SPAN("yes")) &&
	    !span_eq(retry, SPAN("no")))
		fault(gen, record->file, record->line, "retry is yes or no, not", retry);
	if (is_topic(record->kind))
		check_topic(gen, record);
	if (record->kind == BASIC || record->kind == STATUS) {
		check_codes(gen, record, record->values[SEE]);
		if (!span_eq(record->values[WITH], SPAN("none")))
			check_codes(gen, record, record->values[WITH]);
		if (!group_of(gen, record))
			fault(gen, record->file, record->line, "has no group",
			    record->code);
	}
	if (record->kind == PAIR || record->kind == CLASS_PAIR) {
		unsigned least = record->kind == PAIR ? 1 : 0;

		(void)span_cut(&codes, ' ', &first);
		if (code_rank(first) + least > code_rank(codes))
			fault(gen, record->file, record->line,
			    "the lower code comes first", record->code);
		if (record->kind == PAIR)
			check_codes(gen, record, record->code);
	}
}

static void
add_string(struct buf *out, const char *name, struct span text)
{
	buf_addf(out, "\t    .%s = ", name);
	c_string_add(out, text);
	buf_add_str(out, ",\n");
}

/* "4xx: transient negative completion", from the group of the code. */
static void
add_category(struct buf *out, const struct generator *gen, const struct record *record)
{
	const struct record *group = group_of(gen, record);
	struct buf text;

	check(group);
	buf_init(&text, 1024);
	buf_addf(
	    &text, "%.*s: %.*s", SPAN_ARGS(group->code), SPAN_ARGS(group->values[NAME]));
	add_string(out, "category", buf_span(&text));
	add_string(out, "group", group->code);
	buf_fini(&text);
}

/* All that the struct has; what a kind lacks of it is "", never NULL. */
static unsigned
struct_fields(enum kind kind)
{
	if (kind == BASIC || kind == STATUS)
		return kinds[BASIC].fields;
	if (kind == CLASS || kind == GROUP)
		return kinds[CLASS].fields;
	if (is_topic(kind))
		return kinds[FINDING].fields | kinds[FINDING].may;
	return kinds[PAIR].fields;
}

static struct span
field_value(const struct record *record, unsigned field)
{
	struct span value = record->values[field];

	return field == WITH && span_eq(value, SPAN("none")) ? SPAN("") : value;
}

static void
add_record(struct buf *out, const struct generator *gen, const struct record *record)
{
	unsigned fields = struct_fields(record->kind);
	struct span codes = record->code;
	struct span first;

	buf_add_str(out, "\t{\n");
	if (record->kind == PAIR || record->kind == CLASS_PAIR) {
		(void)span_cut(&codes, ' ', &first);
		add_string(out, "a", first);
		add_string(out, "b", codes);
	} else if (is_topic(record->kind)) {
		buf_addf(out, "\t    .kind = %s,\n", kind_names[record->kind]);
		add_string(out, "key", record->code);
	} else {
		add_string(out, "code", record->code);
	}
	if (record->kind == BASIC || record->kind == STATUS) {
		add_category(out, gen, record);
		buf_addf(out, "\t    .retry = %s,\n",
		    span_eq(record->values[RETRY], SPAN("yes")) ? "true" : "false");
	}
	for (unsigned field = 0; field < FIELD_COUNT; field++)
		if (field != RETRY && (fields & BIT(field)))
			add_string(out, field_names[field], field_value(record, field));
	buf_add_str(out, "\t},\n");
}

static int
by_code(const void *a, const void *b)
{
	const struct record *const *left = a;
	const struct record *const *right = b;
	unsigned rank_left = code_rank((*left)->code);
	unsigned rank_right = code_rank((*right)->code);

	return rank_left < rank_right ? -1 : rank_left > rank_right;
}

static void
add_table(struct buf *out, const struct generator *gen, const char *key, const char *name,
    const char *plural)
{
	const struct record *sorted[RECORDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < gen->count; i++)
		if (strcmp(kinds[gen->records[i].kind].key, key) == 0)
			sorted[count++] = &gen->records[i];
	if (strcmp(key, "code") == 0)
		qsort(sorted, count, sizeof(sorted[0]), by_code);
	buf_addf(out, "\nconst struct catalogue_%s catalogue_%s[] = {\n", name, plural);
	for (size_t i = 0; i < count; i++)
		add_record(out, gen, sorted[i]);
	buf_addf(out, "};\nconst size_t catalogue_%s_count = %zu;\n", name, count);
}

/* In the order of their kinds, and within one in that of the files. */
static void
add_topics(struct buf *out, const struct generator *gen)
{
	size_t count = 0;

	buf_add_str(out, "\nconst struct catalogue_topic catalogue_topics[] = {\n");
	for (unsigned kind = KEYWORD; kind < KIND_COUNT; kind++)
		for (size_t i = 0; i < gen->count; i++)
			if (gen->records[i].kind == (enum kind)kind) {
				add_record(out, gen, &gen->records[i]);
				count++;
			}
	/* Never an empty table, which C does not have. */
	buf_addf(out, "\t{0},\n};\nconst size_t catalogue_topic_count = %zu;\n", count);
}

static enum err
write_tables(const struct generator *gen, const char *path)
{
	struct buf out;
	FILE *file;
	enum err err = ERR_IO;

	buf_init(&out, TEXT_BYTES_MAX);
	buf_add_str(&out, "/* Made by catalogue_gen from src/replies/catalogue/. */\n");
	buf_add_str(&out, "#include \"replies/catalogue_internal.h\"\n");
	add_table(&out, gen, "code", "entry", "entries");
	add_table(&out, gen, "group", "group", "groups");
	add_table(&out, gen, "pair", "pair", "pairs");
	add_topics(&out, gen);
	check(buf_finish(&out) == OK);
	file = fopen(path, "wb");
	if (file) {
		if (fwrite(out.ptr, 1, out.len, file) == out.len)
			err = OK;
		if (fclose(file))
			err = ERR_IO;
	}
	if (err)
		fprintf(stderr, "%s: cannot be written\n", path);
	buf_fini(&out);
	return err;
}

int
main(int argc, char **argv)
{
	struct generator *gen = mem_alloc(sizeof(*gen));
	bool good;

	if (argc < 3) {
		fprintf(stderr, "usage: catalogue_gen OUT.c FILE...\n");
		mem_free(gen);
		return 64;
	}
	arena_init(&gen->text, TEXT_BYTES_MAX);
	buf_init(&gen->value, FILE_BYTES_MAX);
	for (int i = 2; i < argc; i++)
		read_file(gen, argv[i]);
	for (size_t i = 0; i < gen->count; i++)
		check_record(gen, &gen->records[i]);
	good = gen->faults == 0 && write_tables(gen, argv[1]) == OK;
	buf_fini(&gen->value);
	arena_fini(&gen->text);
	mem_free(gen);
	return good ? 0 : 1;
}
