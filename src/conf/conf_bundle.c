/*
 * The files of a configuration, by name, without reading one: the bundle tells which
 * names it still wants.  A file is scanned for the names in it once it is known to be a
 * configuration file, so a certificate is never taken for one.
 */
#include "base/wire.h"
#include "conf/conf_internal.h"

static const uint32_t MAGIC = 0x42435250; /* "PRCB" */

struct conf_bundle *
conf_bundle_create(void)
{
	struct conf_bundle *bundle = mem_alloc(sizeof(*bundle));

	/* What goes in is bounded by the number and size of files and of errors. */
	arena_init(&bundle->arena, SIZE_MAX / 2);
	return bundle;
}

void
conf_bundle_destroy(struct conf_bundle *bundle)
{
	if (!bundle)
		return;
	conf_bundle_drop_tables(bundle);
	arena_fini(&bundle->arena);
	mem_free(bundle);
}

static struct conf_file *
find(struct conf_file *files, size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++)
		if (span_eq(files[i].name, name))
			return &files[i];
	return NULL;
}

const struct conf_file *
conf_bundle_find(const struct conf_bundle *bundle, struct span name)
{
	return find(((struct conf_bundle *)bundle)->files, bundle->count, name);
}

/* Takes the last folder off a path that ends in a slash; false where there is none. */
static bool
climb(const char *path, size_t *len)
{
	size_t at = *len;

	if (at <= 1)
		return at == 1; /* "/": the root is above itself */
	for (at--; at > 0 && path[at - 1] != '/';)
		at--;
	if (span_eq(span_of(path + at, *len - at), SPAN("../")))
		return false;
	*len = at;
	return true;
}

/*
 * Adds a name to a folder's, "." and ".." resolved by name only: each file has one name,
 * so that a circle of includes is seen at once.
 */
static size_t
join(char *to, struct span folder, struct span name)
{
	struct span part;
	size_t len;

	if (name.ptr[0] == '/')
		folder = SPAN("/");
	len = folder.len;
	if (len)
		memcpy(to, folder.ptr, len);
	while (span_cut(&name, '/', &part)) {
		if (part.len == 0 || span_eq(part, SPAN(".")) ||
		    (span_eq(part, SPAN("..")) && climb(to, &len)))
			continue;
		memcpy(to + len, part.ptr, part.len);
		len += part.len;
		to[len++] = '/';
	}
	if (len == 0)
		to[len++] = '.';
	if (len > 1 && to[len - 1] == '/')
		len--;
	return len;
}

bool
conf_bundle_path(struct span file, struct span name, struct conf_path *path)
{
	struct span folder = span_first(file, span_find_last(file, '/') + 1);

	if (span_find(file, '/') == file.len || (name.len > 0 && name.ptr[0] == '/'))
		folder = SPAN("");
	if (name.len == 0 || folder.len + name.len > CONF_PATH_BYTES_MAX ||
	    memchr(name.ptr, '\0', name.len) != NULL)
		return false;
	path->len = join(path->bytes, folder, name);
	return true;
}

static void
want(struct conf_bundle *bundle, enum conf_file_kind kind, struct span name)
{
	struct conf_file *file = find(bundle->files, bundle->count, name);
	struct conf_file *wanted = find(bundle->wanted, bundle->wanted_count, name);

	if (file && file->kind < kind)
		file->kind = kind;
	/* A file that is named both ways is a configuration that conf_parse refuses. */
	if (file || wanted || bundle->wanted_count == CONF_FILES_MAX)
		return;
	wanted = &bundle->wanted[bundle->wanted_count++];
	wanted->kind = kind;
	check(arena_copy(&bundle->arena, name, &wanted->name));
}

/* The statements that name files, and which kind each is. */
static const struct {
	const char *words[CONF_WORDS_MAX];
	size_t count;
	enum conf_file_kind kind;
} naming[] = {
    {{"include"}, 1, CONF_FILE_CONFIG},
    {{"certificate"}, 1, CONF_FILE_CERTIFICATE},
    {{"client", "certificates", "from"}, 3, CONF_FILE_CERTIFICATE},
    {{"routes", "from"}, 2, CONF_FILE_ROUTES},
    {{"routes", "by", "sender", "from"}, 4, CONF_FILE_ROUTES},
};

/* The words of a statement that were seen, as far as it may be one that names a file. */
struct statement {
	unsigned candidates; /* bits of naming */
	size_t seen;
};

static void
statement_start(struct statement *statement)
{
	*statement = (struct statement){.candidates = (1u << LEN(naming)) - 1};
}

/* What the value at hand names, the words before it being those of such a statement. */
static enum conf_file_kind
statement_names(const struct statement *statement)
{
	for (size_t i = 0; i < LEN(naming); i++)
		if (statement->candidates & 1u << i && naming[i].count == statement->seen)
			return naming[i].kind;
	return CONF_FILE_UNASKED;
}

static void
statement_word(struct statement *statement, const struct conf_token *word)
{
	for (size_t i = 0; i < LEN(naming); i++)
		if (word->kind != CONF_WORD || naming[i].count <= statement->seen ||
		    !span_eq_nocase(
			word->text, span_str(naming[i].words[statement->seen])))
			statement->candidates &= ~(1u << i);
	statement->seen++;
}

/* Finds "include FILE" and its like at the beginning of statements. */
static void
scan(struct conf_bundle *bundle, const struct conf_file *file)
{
	struct conf_token token, last = {.kind = CONF_NEWLINE};
	struct statement statement;
	enum conf_file_kind kind;
	struct conf_lexer lexer;
	struct conf_path path;
	struct arena scratch;

	statement_start(&statement);
	arena_init(&scratch, SIZE_MAX / 2);
	conf_lexer_init(&lexer, file, NULL, &scratch);
	for (token = conf_lexer_next(&lexer); token.kind != CONF_EOF;
	     last = token, token = conf_lexer_next(&lexer)) {
		kind = statement_names(&statement);
		if (kind != CONF_FILE_UNASKED && conf_token_is_value(&token) &&
		    conf_bundle_path(file->name, token.text, &path))
			want(bundle, kind, span_of(path.bytes, path.len));
		statement_word(&statement, &token);
		if ((token.kind == CONF_NEWLINE && last.kind != CONF_COMMA) ||
		    token.kind == CONF_SEMICOLON || token.kind == CONF_CLOSE)
			statement_start(&statement);
	}
	arena_fini(&scratch);
}

/* Scans until no file is left that is known to be configuration and was not read. */
static void
scan_all(struct conf_bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++) {
		struct conf_file *file = &bundle->files[i];

		if (file->kind != CONF_FILE_CONFIG || file->scanned || file->unreadable)
			continue;
		file->scanned = true;
		scan(bundle, file);
		i = (size_t)-1; /* from the front: an earlier file may be wanted now */
	}
}

size_t
conf_bundle_bytes_max(const struct conf_bundle *bundle, struct span name)
{
	const struct conf_file *wanted =
	    find(((struct conf_bundle *)bundle)->wanted, bundle->wanted_count, name);

	return wanted && wanted->kind == CONF_FILE_ROUTES ? CONF_TABLE_BYTES_MAX
	                                                  : CONF_FILE_BYTES_MAX;
}

void
conf_bundle_drop_tables(struct conf_bundle *bundle)
{
	for (size_t i = 0; i < bundle->count; i++) {
		struct conf_file *file = &bundle->files[i];

		if (!file->owned)
			continue;
		mem_free(file->owned);
		file->owned = NULL;
		file->text = SPAN("");
	}
}

static enum err
add(struct conf_bundle *bundle, struct conf_file file)
{
	const struct conf_file *wanted =
	    find(bundle->wanted, bundle->wanted_count, file.name);
	struct conf_file *to = &bundle->files[bundle->count];

	if (file.name.len == 0 || memchr(file.name.ptr, '\0', file.name.len) != NULL)
		return ERR_SYNTAX;
	if (file.name.len > CONF_PATH_BYTES_MAX ||
	    file.text.len > conf_bundle_bytes_max(bundle, file.name))
		return ERR_TOO_LONG;
	if (conf_bundle_find(bundle, file.name))
		return ERR_EXISTS;
	if (bundle->count == CONF_FILES_MAX)
		return ERR_LIMIT;
	if (wanted)
		file.kind = wanted->kind;
	if (bundle->count == 0)
		file.kind = CONF_FILE_CONFIG;
	*to = file;
	check(arena_copy(&bundle->arena, file.name, &to->name));
	if (file.kind == CONF_FILE_ROUTES) {
		to->owned = mem_copy(file.text);
		to->text.ptr = to->owned;
	} else {
		check(arena_copy(&bundle->arena, file.text, &to->text));
	}
	bundle->count++;
	scan_all(bundle);
	return OK;
}

enum err
conf_bundle_add(struct conf_bundle *bundle, struct span name, struct span text)
{
	return add(bundle, (struct conf_file){.name = name, .text = text});
}

enum err
conf_bundle_add_unreadable(
    struct conf_bundle *bundle, struct span name, struct span reason)
{
	return add(
	    bundle, (struct conf_file){.name = name, .text = reason, .unreadable = true});
}

bool
conf_bundle_wants(const struct conf_bundle *bundle, struct span *name)
{
	for (size_t i = 0; i < bundle->wanted_count; i++) {
		if (bundle->count == CONF_FILES_MAX)
			return false;
		if (conf_bundle_find(bundle, bundle->wanted[i].name))
			continue;
		*name = bundle->wanted[i].name;
		return true;
	}
	return false;
}

/*
 *   u32 magic "PRCB"   u8 version   u32 files
 *   for each: u8 unreadable   bytes name   bytes text
 */
void
conf_bundle_encode(const struct conf_bundle *bundle, struct buf *out)
{
	wire_u32(out, MAGIC);
	wire_u8(out, 1);
	wire_u32(out, (uint32_t)bundle->count);
	for (size_t i = 0; i < bundle->count; i++) {
		wire_u8(out, bundle->files[i].unreadable);
		wire_bytes(out, bundle->files[i].name);
		wire_bytes(out, bundle->files[i].text);
	}
}

enum err
conf_bundle_decode(struct span wire, struct conf_bundle *bundle)
{
	struct reader reader = reader_init(wire);
	uint32_t count;

	check(bundle->count == 0);
	if (reader_u32(&reader) != MAGIC || reader_u8(&reader) != 1)
		return ERR_SYNTAX;
	count = reader_u32(&reader);
	if (count == 0 || count > CONF_FILES_MAX)
		return ERR_SYNTAX;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t unreadable = reader_u8(&reader);
		struct conf_file file = {.unreadable = unreadable != 0};

		file.name = reader_bytes(&reader, CONF_PATH_BYTES_MAX);
		file.text = reader_bytes(&reader, CONF_TABLE_BYTES_MAX);
		if (reader.failed || unreadable > 1 || add(bundle, file) != OK)
			return ERR_SYNTAX;
	}
	return reader_finish(&reader);
}
