/*
 * A file of routes, of up to a million lines: "PATTERN: HOW".  Patterns are found by a hash; what
 * lines say is much the same for many of them, so each different text is read once (it is a way),
 * and an entry has its number.
 */
#include "conf/conf_internal.h"

enum { PATTERN_BYTES_MAX = 320 };

struct entry {
	uint32_t at; /* of the pattern in the table's bytes, in small letters */
	uint16_t len, way;
	uint32_t line;
};

struct conf_table {
	struct span path;
	bool by_sender;
	struct conf_route *ways;
	size_t way_count;
	struct entry *entries;
	size_t entry_count;
	char *bytes;
	size_t byte_count;
	uint32_t *slots; /* number of an entry + 1, or 0 */
	size_t slot_count; /* a power of two */
	uint64_t hash;
};

/* The same in each process: checkpoints hold it. */
static const uint64_t seed[2] = {0x726f757465, 0x7461626c65};

struct reading {
	struct conf_parser *parser;
	const struct conf_file *file;
	struct conf_table *table;
	struct conf_list ways; /* struct conf_route */
	struct map known;      /* what was read already, by its text: number of the way + 1 */
	uint32_t line;
	bool failed;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t
slot_of(const struct conf_table *table, struct span pattern)
{
	size_t slot = map_hash(seed, pattern) & (table->slot_count - 1);

	while (table->slots[slot] > 0) {
		const struct entry *entry = &table->entries[table->slots[slot] - 1];

		if (span_eq(span_of(table->bytes + entry->at, entry->len), pattern))
			break;
		slot = (slot + 1) & (table->slot_count - 1);
	}
	return slot;
}

const struct conf_route *
conf_table_find(const struct conf_table *table, struct span pattern, unsigned *line)
{
	char small[PATTERN_BYTES_MAX];
	const struct entry *entry;
	uint32_t found;

	if (!table || table->entry_count == 0 || pattern.len > sizeof(small))
		return NULL;
	found = table->slots[slot_of(table, span_lower(small, pattern))];
	if (found == 0)
		return NULL;
	entry = &table->entries[found - 1];
	if (line)
		*line = entry->line;
	return &table->ways[entry->way];
}

const struct conf_route *
conf_table_nearest(const struct conf_table *table, struct span address, unsigned *line)
{
	const struct conf_route *way = conf_table_find(table, address, line);
	struct span domain = span_skip(address, span_find_last(address, '@') + 1);

	if (span_find_last(address, '@') == address.len)
		domain = address;
	else if (!way)
		way = conf_table_find(table, domain, line);
	for (size_t i = 1; i < domain.len && !way; i++)
		if (domain.ptr[i] == '.')
			way = conf_table_find(table, span_skip(domain, i), line);
	return way ? way : conf_table_find(table, SPAN("*"), line);
}

/* Where the pattern ends: at a blank or a colon. */
static size_t
pattern_end(struct span line)
{
	size_t at = 0;

	while (at < line.len && !is_blank(line.ptr[at]) && line.ptr[at] != ':')
		at++;
	return at;
}

/* Without blanks at its ends, and without a comment. */
static struct span
strip(struct span text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		if (quoted && text.ptr[i] == '\\')
			i++;
		else if (text.ptr[i] == '"')
			quoted = !quoted;
		else if (!quoted && text.ptr[i] == '#' && (i == 0 || is_blank(text.ptr[i - 1])))
			text.len = i;
	}
	return span_trim(text);
}

/* Reads what stands at how, of the bytes of the file; -1: an error was added. */
static long
take_way(struct reading *reading, struct span how)
{
	struct conf_parser *parser = reading->parser;
	const struct conf_lexer lexer = parser->lexer;
	const struct conf_token token = parser->token;
	uintptr_t known = (uintptr_t)map_get(&reading->known, how);
	struct conf_place place = {
	    reading->file, (size_t)(how.ptr - reading->file->text.ptr)};
	struct conf_route way;
	bool good;

	if (known > 0)
		return (long)known - 1;
	if (reading->ways.count == CONF_ROUTES_MAX) {
		conf_parser_fail(parser, place, "at most %d different ways in a table",
		    (int)CONF_ROUTES_MAX);
		return -1;
	}
	conf_lexer_init_at(
	    &parser->lexer, reading->file, place.at, &parser->errors, &parser->scratch);
	conf_parser_advance(parser);
	good = conf_route_way(parser, &way);
	parser->lexer = lexer;
	parser->token = token;
	if (!good)
		return -1;
	way.file = reading->table->path;
	way.line = reading->line;
	conf_list_add(&reading->ways, &way, sizeof(way), place);
	map_set(&reading->known, how, (void *)(uintptr_t)reading->ways.count);
	return (long)reading->ways.count - 1;
}

static const char *
pattern_problem(const struct reading *reading, struct span pattern)
{
	if (span_eq(pattern, SPAN("*")) ||
	    (reading->table->by_sender && span_eq(pattern, SPAN("<>"))))
		return NULL;
	return conf_route_pattern_problem(pattern);
}

static bool
add_entry(struct reading *reading, struct conf_place place, struct span pattern, long way)
{
	struct conf_table *table = reading->table;
	struct entry *entry = &table->entries[table->entry_count];
	char *bytes = table->bytes + table->byte_count;
	uint32_t *slot;

	slot = &table->slots[slot_of(table, span_lower(bytes, pattern))];
	if (*slot > 0)
		return conf_parser_fail(reading->parser, place,
		    "%s was said already, in line %u", conf_quote(pattern).text,
		    (unsigned)table->entries[*slot - 1].line);
	*entry = (struct entry){.at = (uint32_t)table->byte_count,
	    .len = (uint16_t)pattern.len,
	    .way = (uint16_t)way,
	    .line = reading->line};
	table->byte_count += pattern.len;
	*slot = (uint32_t)++table->entry_count;
	return true;
}

static bool
take_line(struct reading *reading, struct span line)
{
	struct conf_place place = {
	    reading->file, (size_t)(line.ptr - reading->file->text.ptr)};
	struct span pattern = span_first(line, pattern_end(line));
	struct span how = span_skip(line, pattern.len);
	const char *problem;
	long way;

	if (line.len > CONF_LINE_BYTES_MAX)
		return conf_parser_fail(reading->parser, place,
		    "the line is longer than %d bytes", (int)CONF_LINE_BYTES_MAX);
	if (strip(line).len == 0)
		return true;
	if (is_blank(line.ptr[0]))
		return conf_parser_fail(reading->parser, place,
		    "a line begins with an address, a domain or *, not with a blank");
	problem = pattern_problem(reading, pattern);
	if (problem)
		return conf_parser_fail(reading->parser, place,
		    "%s is not an address, a domain, .example.org or *: %s",
		    conf_quote(pattern).text, problem);
	while (how.len > 0 && is_blank(how.ptr[0]))
		how = span_skip(how, 1);
	if (how.len > 0 && how.ptr[0] == ':')
		how = span_skip(how, 1);
	way = take_way(reading, strip(how));
	return way >= 0 && add_entry(reading, place, pattern, way);
}

static struct conf_table *
table_create(struct conf_parser *parser, const struct conf_file *file, size_t lines)
{
	struct conf_table *table = mem_alloc(sizeof(*table));

	check(arena_copy(parser->arena, file->name, &table->path));
	table->hash = map_hash(seed, file->text);
	table->slot_count = 16;
	while (table->slot_count < 2 * lines)
		table->slot_count *= 2;
	table->slots = mem_alloc(table->slot_count * sizeof(*table->slots));
	table->entries = mem_alloc((lines + 1) * sizeof(*table->entries));
	return table;
}

/* The text up to here has been read; only the patterns are kept. */
static void
shrink(struct conf_table *table)
{
	table->bytes = mem_realloc(table->bytes, table->byte_count + 1);
	table->entries =
	    mem_realloc(table->entries, (table->entry_count + 1) * sizeof(*table->entries));
}

static void
read_lines(struct reading *reading)
{
	struct span rest = reading->file->text, line;

	if (span_starts(rest, SPAN("\xef\xbb\xbf")))
		rest = span_skip(rest, 3);
	while (!conf_errors_full(&reading->parser->errors) && span_cut(&rest, '\n', &line)) {
		reading->line++;
		if (!take_line(reading, line))
			reading->failed = true;
	}
}

static size_t
count_lines(struct span text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

struct conf_table *
conf_table_parse(struct conf_parser *parser, const struct conf_file *file, bool by_sender)
{
	struct reading reading = {.parser = parser, .file = file};
	size_t lines = count_lines(file->text);
	struct conf_table *table;

	if (lines > CONF_TABLE_LINES_MAX + 1) {
		conf_error_add(&parser->errors, (struct conf_place){file, 0},
		    "more than %d lines", (int)CONF_TABLE_LINES_MAX);
		return NULL;
	}
	table = reading.table = table_create(parser, file, lines);
	table->by_sender = by_sender;
	table->bytes = mem_alloc(file->text.len + 1);
	map_init(&reading.known, seed);
	read_lines(&reading);
	table->ways = arena_alloc(parser->arena, reading.ways.count * sizeof(*table->ways));
	check(table->ways != NULL);
	if (reading.ways.count > 0)
		memcpy(table->ways, reading.ways.items,
		    reading.ways.count * sizeof(*table->ways));
	table->way_count = reading.ways.count;
	map_fini(&reading.known);
	mem_free(reading.ways.items);
	mem_free(reading.ways.places);
	if (reading.failed) {
		conf_table_destroy(table);
		return NULL;
	}
	shrink(table);
	return table;
}

void
conf_table_destroy(struct conf_table *table)
{
	if (!table)
		return;
	mem_free(table->slots);
	mem_free(table->entries);
	mem_free(table->bytes);
	mem_free(table);
}

void
conf_drop_tables(struct conf *conf)
{
	for (size_t i = 0; i < conf->route_count; i++) {
		conf_table_destroy((struct conf_table *)conf->routes[i].table);
		conf->routes[i].table = NULL;
	}
}

bool
conf_table_takes_all(const struct conf_table *table)
{
	return conf_table_find(table, SPAN("*"), NULL) != NULL;
}

bool
conf_table_is_by_sender(const struct conf_table *table)
{
	return table && table->by_sender;
}

struct span
conf_table_path(const struct conf_table *table)
{
	return table->path;
}

size_t
conf_table_count(const struct conf_table *table)
{
	return table->entry_count;
}

uint64_t
conf_table_hash(const struct conf_table *table)
{
	return table->hash;
}

size_t
conf_table_way_count(const struct conf_table *table)
{
	return table->way_count;
}

const struct conf_route *
conf_table_way(const struct conf_table *table, size_t way)
{
	return &table->ways[way];
}

const struct conf_route *
conf_ways_next(const struct conf *conf, struct conf_ways *at)
{
	while (at->route < conf->route_count) {
		const struct conf_route *route = &conf->routes[at->route];

		if (route->kind != CONF_ROUTE_TABLE) {
			at->route++;
			return route;
		}
		if (route->table && at->way < route->table->way_count)
			return &route->table->ways[at->way++];
		at->way = 0;
		at->route++;
	}
	return NULL;
}
