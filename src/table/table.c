/*
 * Tables: what was read, and answers.  All text of a table is one run of
 * memory, all entries another; the map points into them.
 */
#include "table/table.h"

#include "base/check.h"
#include "table/table_internal.h"

const struct table_options table_mailboxes = {
    TABLE_VALUE_WORD, false, "address: mailbox"};
const struct table_options table_aliases = {
    TABLE_VALUE_LIST, false, "address: target, target"};
const struct table_options table_senders = {
    TABLE_VALUE_SENDERS, false, "login: address, @domain"};
const struct table_options table_passwords = {TABLE_VALUE_WORD, true, "login: hash"};
const struct table_options table_credentials = {
    TABLE_VALUE_LOGIN, true, "name: login password"};

/*
 * The keys of a table are its operator's: nobody outside can choose keys that collide, so
 * numbers that are known do no harm here.
 */
static const uint64_t map_seed[2] = {0x706f737472696465, 0x7461626c652e6b65};

struct table *
table_create(size_t text_bytes, size_t entry_count)
{
	struct table *table = mem_alloc(sizeof(*table));
	size_t entry_bytes = entry_count * sizeof(*table->entries);

	check(text_bytes <= TABLE_FILE_BYTES_MAX && entry_count <= TABLE_ENTRIES_MAX);
	arena_init(&table->memory, text_bytes + entry_bytes + 64);
	table->text = arena_alloc(&table->memory, text_bytes);
	table->text_room = text_bytes;
	table->entries = arena_alloc(&table->memory, entry_bytes);
	table->entry_room = entry_count;
	check(table->text != NULL && table->entries != NULL);
	map_init(&table->by_key, map_seed);
	return table;
}

void
table_destroy(struct table *table)
{
	if (!table)
		return;
	if (table->secret)
		mem_wipe(table->text, table->text_bytes);
	map_fini(&table->by_key);
	arena_fini(&table->memory);
	mem_free(table);
}

bool
table_find(const struct table *table, struct span key, struct span *value)
{
	char folded[TABLE_KEY_BYTES_MAX];
	const struct table_entry *entry;

	if (!table || key.len > sizeof(folded))
		return false;
	entry = map_get(&table->by_key, span_lower(folded, key));
	if (entry)
		*value = entry->value;
	return entry != NULL;
}

size_t
table_count(const struct table *table)
{
	return table ? table->entry_count : 0;
}

const struct table_entry *
table_at(const struct table *table, size_t index)
{
	check(index < table->entry_count);
	return &table->entries[index];
}

bool
table_item(struct span *rest, struct span *item)
{
	bool quoted = false;
	size_t at;

	*rest = span_trim(*rest);
	if (rest->len == 0)
		return false;
	for (at = 0; at < rest->len && (quoted || rest->ptr[at] != ','); at++) {
		if (quoted && rest->ptr[at] == '\\')
			at++;
		else if (rest->ptr[at] == '"')
			quoted = !quoted;
	}
	*item = span_trim(span_first(*rest, at));
	*rest = span_skip(*rest, at + 1);
	return true;
}

void
table_login(struct span value, struct span *login, struct span *password)
{
	size_t at = 0;

	while (at < value.len && value.ptr[at] != ' ' && value.ptr[at] != '\t')
		at++;
	*login = span_first(value, at);
	*password = span_trim(span_skip(value, at));
}

void
table_error_write(struct buf *out, const struct table_error *error, const char *name)
{
	buf_add_str(out, name);
	if (error->line)
		buf_addf(out, ":%u:%u", error->line, error->column);
	buf_addf(out, ": %s", error->text);
}
