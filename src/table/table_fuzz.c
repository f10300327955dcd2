/*
 * The bytes are a table; the first of them says of which kind.  Whatever was
 * accepted must be found again, must print and parse to the same table, and
 * must resolve within its bounds when taken as aliases.
 */
#include "base/check.h"
#include "table/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(const struct table_error *error, struct span text)
{
	check(error->text[0] != '\0');
	check((error->line == 0) == (error->column == 0));
	check(error->line <= text.len + 1 && error->column <= text.len + 1);
}

/* Entries written out plainly are the same table. */
static void
check_again(const struct table *table, const struct table_options *options)
{
	struct table *again = NULL;
	struct table_error error;
	struct buf out;

	buf_init(&out, TABLE_FILE_BYTES_MAX);
	/* A key may start as a byte order mark does, but not the file. */
	buf_add_char(&out, '\n');
	for (size_t i = 0; i < table_count(table); i++) {
		const struct table_entry *entry = table_at(table, i);

		/* In the file this one had quotes. */
		if (entry->key.ptr[0] == '#') {
			buf_fini(&out);
			return;
		}
		buf_addf(&out, "%.*s : %.*s\n", SPAN_ARGS(entry->key),
		    SPAN_ARGS(entry->value));
	}
	/* Three bytes more a line may pass a limit that the original did not. */
	if (out.len < TABLE_LINE_BYTES_MAX) {
		check(table_parse(buf_span(&out), options, &again, &error) == OK);
		check(table_count(again) == table_count(table));
	}
	for (size_t i = 0; again && i < table_count(table); i++) {
		check(span_eq(table_at(table, i)->key, table_at(again, i)->key));
		check(span_eq(table_at(table, i)->value, table_at(again, i)->value));
	}
	table_destroy(again);
	buf_fini(&out);
}

static void
check_resolve(const struct table *table)
{
	const struct span domains[] = {SPAN("a"), SPAN("example.org")};
	const struct resolve_tables tables = {.domains = domains,
	    .domain_count = LEN(domains),
	    .aliases = table,
	    .detail_separator = '+',
	    .postmaster = SPAN("pm")};
	struct resolve_result result;

	for (size_t i = 0; i < table_count(table) && i < 50; i++) {
		resolve_address(&tables, table_at(table, i)->key, &result);
		check(result.target_count <= RESOLVE_TARGETS_MAX);
		check((result.target_count > 0) == (result.verdict == RESOLVE_LOCAL ||
						       result.verdict == RESOLVE_REMOTE));
	}
	resolve_address(&tables, SPAN("postmaster@a"), &result);
	check(result.verdict == RESOLVE_LOCAL || result.verdict == RESOLVE_FAIL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct table_options *const kinds[] = {
	    &table_mailboxes, &table_aliases, &table_passwords, &table_credentials,
	    &table_senders};
	const struct table_options *options;
	struct table *table = NULL;
	struct table_error error;
	struct span text, value;

	if (size == 0)
		return 0;
	options = kinds[data[0] % LEN(kinds)];
	text = span_of((const char *)data + 1, size - 1);
	if (table_parse(text, options, &table, &error)) {
		check(table == NULL);
		check_error(&error, text);
		return 0;
	}
	for (size_t i = 0; i < table_count(table); i++)
		check(table_find(table, table_at(table, i)->key, &value));
	check_again(table, options);
	if (options->value == TABLE_VALUE_LIST)
		check_resolve(table);
	table_destroy(table);
	return 0;
}
