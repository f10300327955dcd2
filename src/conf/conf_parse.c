/*
 * Files and statements: which row of the option table a statement belongs to, blocks,
 * includes, and how to go on after an error.  Nothing here recurses: files wait on a
 * stack, and there is one level of blocks.
 *
 * A statement that fails is left at once; reading goes on at the next line, or behind the
 * block that the statement opened.
 */
#include "conf/conf_internal.h"

void
conf_parser_advance(struct conf_parser *parser)
{
	parser->token = conf_lexer_next(&parser->lexer);
}

static bool
ends_statement(enum conf_token_kind kind)
{
	return kind == CONF_NEWLINE || kind == CONF_SEMICOLON || kind == CONF_CLOSE ||
	       kind == CONF_EOF;
}

/* Goes to the end of the line, past a list or a block that goes on after it. */
static void
recover(struct conf_parser *parser)
{
	enum conf_token_kind kind = CONF_NEWLINE, last;
	unsigned depth = 0;

	for (;; conf_parser_advance(parser)) {
		last = kind;
		kind = parser->token.kind;
		if (kind == CONF_NEWLINE && last == CONF_COMMA) {
			kind = CONF_COMMA; /* as are empty lines after it */
			continue;
		}
		if (kind == CONF_EOF || (kind == CONF_NEWLINE && depth == 0) ||
		    (kind == CONF_CLOSE && depth == 0 && parser->block))
			return;
		if (kind == CONF_OPEN)
			depth++;
		if (kind == CONF_CLOSE && depth > 0)
			depth--;
	}
}

/* The words at the current token, as far as they go; the parser does not move. */
static size_t
words_ahead(const struct conf_parser *parser, struct conf_token words[CONF_WORDS_MAX + 1])
{
	struct conf_lexer ahead = parser->lexer;
	size_t count = 0;

	ahead.errors = NULL;
	words[0] = parser->token;
	while (count < CONF_WORDS_MAX && words[count].kind == CONF_WORD)
		words[++count] = conf_lexer_next(&ahead);
	return count;
}

/* How many of the option's words stand here. */
static size_t
words_matched(const struct conf_option *option, const struct conf_token *words,
    size_t count, size_t *option_count)
{
	struct span rest = span_str(option->words);
	struct span word;
	size_t matched = 0;
	size_t at = 0;

	for (; span_cut(&rest, ' ', &word); at++)
		if (matched == at && at < count && span_eq_nocase(word, words[at].text))
			matched++;
	*option_count = at;
	return matched;
}

static bool
same_block(const char *a, const char *b)
{
	return span_eq(span_str(a), span_str(b));
}

/* The row with the most words that all stand here, inside the block or outside of it. */
static const struct conf_option *
option_here(const struct conf_parser *parser, bool inside, size_t *words_taken)
{
	struct conf_token words[CONF_WORDS_MAX + 1];
	size_t count = words_ahead(parser, words);
	const struct conf_option *best = NULL;

	*words_taken = 0;
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		size_t needed;
		size_t matched = words_matched(option, words, count, &needed);

		if (same_block(option->block, parser->block) == inside &&
		    matched == needed && needed > *words_taken) {
			best = option;
			*words_taken = needed;
		}
	}
	return best;
}

/* The first count words with one space between them; false where they are too long. */
static bool
phrase(const struct conf_token *words, size_t count, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(out, ' ');
		buf_add(out, words[i].text);
	}
	return buf_finish(out) == OK;
}

struct guess {
	const struct conf_option *option;
	size_t words;
	unsigned distance;
};

/* The row whose words are nearest to those here; those of this block are preferred. */
static struct guess
nearest_option(
    const struct conf_parser *parser, const struct conf_token *words, size_t count)
{
	struct guess best = {0};
	struct buf text;

	buf_init(&text, CONF_TEXT_MAX);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		unsigned distance;
		size_t needed;

		words_matched(option, words, count, &needed);
		if (needed > count || !phrase(words, needed, &text) ||
		    !conf_near(buf_span(&text), span_str(option->words), &distance))
			continue;
		distance = 2 * distance + !same_block(option->block, parser->block);
		if (!best.option || distance < best.distance ||
		    (distance == best.distance && needed > best.words))
			best = (struct guess){option, needed, distance};
	}
	buf_fini(&text);
	return best;
}

static bool
fail_misplaced(struct conf_parser *parser, const struct conf_option *option)
{
	if (!option->block)
		return conf_parser_fail(parser, parser->token.place,
		    "\"%s\" belongs outside of the block \"%s\"", option->words,
		    parser->block);
	return conf_parser_fail(parser, parser->token.place,
	    "\"%s\" belongs in the block \"%s\"", option->words, option->block);
}

/* The words begin like a row's and then go on otherwise. */
static bool
fail_half_known(struct conf_parser *parser, const struct conf_token *words, size_t count)
{
	struct buf known, wanted;
	size_t longest = 0;

	buf_init(&known, CONF_TEXT_MAX);
	buf_init(&wanted, CONF_TEXT_MAX);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		struct span rest = span_str(option->words);
		struct span word;
		size_t needed;
		size_t matched = words_matched(option, words, count, &needed);

		if (!same_block(option->block, parser->block) || matched < longest ||
		    matched == 0)
			continue;
		if (matched > longest)
			buf_reset(&wanted);
		longest = matched;
		for (size_t at = 0; at <= matched; at++)
			check(span_cut(&rest, ' ', &word));
		buf_addf(
		    &wanted, "%s\"%.*s\"", wanted.len ? " or " : "", SPAN_ARGS(word));
	}
	if (longest > 0 && phrase(words, longest, &known))
		conf_parser_fail(parser, words[longest].place,
		    "expected %.*s after %s, not %s", SPAN_ARGS(buf_span(&wanted)),
		    conf_quote(buf_span(&known)).text,
		    conf_token_quote(&words[longest]).text);
	buf_fini(&known);
	buf_fini(&wanted);
	return longest > 0;
}

static bool
fail_unknown(struct conf_parser *parser)
{
	struct conf_token words[CONF_WORDS_MAX + 1];
	size_t count = words_ahead(parser, words);
	size_t taken;
	const struct conf_option *elsewhere = option_here(parser, false, &taken);
	struct guess guess = nearest_option(parser, words, count);
	const char *what = parser->block ? "option" : "statement";
	struct conf_quote wrong;
	struct buf text;

	if (elsewhere)
		return fail_misplaced(parser, elsewhere);
	if (!guess.option && fail_half_known(parser, words, count))
		return false;
	if (!guess.option)
		return conf_parser_fail(parser, parser->token.place,
		    "unknown %s %s; \"postrider config manual\" lists all", what,
		    conf_token_quote(&parser->token).text);
	buf_init(&text, CONF_TEXT_MAX);
	check(phrase(words, guess.words, &text));
	wrong = conf_quote(buf_span(&text));
	buf_fini(&text);
	if (same_block(guess.option->block, parser->block))
		return conf_parser_fail(parser, parser->token.place,
		    "unknown %s %s; did you mean \"%s\"?", what, wrong.text,
		    guess.option->words);
	return conf_parser_fail(parser, parser->token.place,
	    "unknown %s %s; did you mean \"%s\" %s%s%s?", what, wrong.text,
	    guess.option->words,
	    guess.option->block ? "in the block \"" : "outside of the block",
	    guess.option->block ? guess.option->block : "",
	    guess.option->block ? "\"" : "");
}

static bool
block_open(struct conf_parser *parser, const struct conf_option *option)
{
	if (option->type != CONF_BLOCK && !conf_destination_open(parser, option))
		return false;
	if (parser->token.kind != CONF_OPEN)
		return conf_parser_fail(parser, parser->token.place,
		    "expected \"{\" after \"%s\", not %s", option->words,
		    conf_token_quote(&parser->token).text);
	parser->block = option->words;
	parser->block_place = parser->token.place;
	conf_parser_advance(parser);
	return true;
}

static void
block_close(struct conf_parser *parser)
{
	if (!parser->block)
		conf_error_add(
		    &parser->errors, parser->token.place, "this \"}\" closes no block");
	else if (same_block(parser->block, "destination") ||
		 same_block(parser->block, "provider"))
		conf_destination_close(parser);
	parser->block = NULL;
	conf_parser_advance(parser);
}

/* Remembers where a row was first used; fails where it may be used once. */
static bool
first_time(struct conf_parser *parser, const struct conf_option *option)
{
	size_t index = 0;
	struct conf_place *place;

	while (conf_option_at(index) != option)
		index++;
	place = &parser->places[index];
	if (place->file && !option->repeats)
		return conf_parser_fail(parser, parser->token.place,
		    "\"%s\" was said already, at %.*s:%u", option->words,
		    SPAN_ARGS(place->file->name), conf_place_line(*place));
	if (!place->file)
		*place = parser->token.place;
	return true;
}

static bool
statement(struct conf_parser *parser)
{
	const struct conf_option *option;
	size_t words;
	bool good;

	if (parser->token.kind != CONF_WORD)
		return conf_parser_fail(parser, parser->token.place,
		    "a statement begins with a word, not with %s",
		    conf_token_quote(&parser->token).text);
	option = option_here(parser, true, &words);
	if (!option)
		return fail_unknown(parser);
	if (!first_time(parser, option))
		return false;
	while (words-- > 0)
		conf_parser_advance(parser);
	if (conf_option_is_block(option))
		return block_open(parser, option);
	good = conf_option_is_number(option) || conf_option_is_text(option)
		   ? conf_scalar_parse(parser, option)
		   : conf_statement_parse(parser, option);
	if (good && !ends_statement(parser->token.kind))
		return conf_parser_fail(parser, parser->token.place,
		    "expected the end of the line, not %s",
		    conf_token_quote(&parser->token).text);
	return good;
}

/* Leaves a file for the one that it includes. */
static void
file_enter(struct conf_parser *parser)
{
	check(parser->depth < CONF_FILES_MAX);
	parser->stack[parser->depth].lexer = parser->lexer;
	parser->stack[parser->depth++].token = parser->token;
	conf_lexer_init(
	    &parser->lexer, parser->include, &parser->errors, &parser->scratch);
	parser->include = NULL;
	conf_parser_advance(parser);
}

/* Goes back to the file that waits; false where none does. */
static bool
file_leave(struct conf_parser *parser)
{
	if (parser->block)
		conf_error_add(&parser->errors, parser->block_place,
		    "the block \"%s\" is not closed; expected \"}\"", parser->block);
	parser->block = NULL;
	if (parser->depth == 0)
		return false;
	parser->lexer = parser->stack[--parser->depth].lexer;
	parser->token = parser->stack[parser->depth].token;
	return true;
}

static void
parse_files(struct conf_parser *parser)
{
	while (!conf_errors_full(&parser->errors)) {
		switch (parser->token.kind) {
		case CONF_EOF:
			if (!file_leave(parser))
				return;
			break;
		case CONF_NEWLINE:
		case CONF_SEMICOLON:
			conf_parser_advance(parser);
			break;
		case CONF_CLOSE:
			block_close(parser);
			break;
		case CONF_WORD:
		case CONF_STRING:
		case CONF_COMMA:
		case CONF_OPEN:
			if (!statement(parser))
				recover(parser);
			else if (parser->include)
				file_enter(parser);
			break;
		}
	}
}

/* The lists move into the conf's own memory. */
static void *
list_keep(struct conf_parser *parser, const struct conf_list *list, size_t item_bytes)
{
	void *items = arena_alloc(parser->arena, list->count * item_bytes);

	check(items != NULL);
	if (list->count)
		memcpy(items, list->items, list->count * item_bytes);
	return items;
}

static struct conf_networks
keep_networks(struct conf_parser *parser, struct conf_list *list)
{
	return (struct conf_networks){
	    .at = list_keep(parser, list, sizeof(struct net_prefix)), .count = list->count};
}

static void
list_fini(struct conf_list *list)
{
	mem_free(list->items);
	mem_free(list->places);
}

static void
parser_fini(struct conf_parser *parser)
{
	list_fini(&parser->domains);
	list_fini(&parser->relay_networks);
	list_fini(&parser->xclient_networks);
	list_fini(&parser->proxy_networks);
	list_fini(&parser->routes);
	list_fini(&parser->sources);
	list_fini(&parser->warmups);
	list_fini(&parser->verps);
	list_fini(&parser->destinations);
	list_fini(&parser->providers);
	list_fini(&parser->programs);
	list_fini(&parser->patterns);
	map_fini(&parser->seen);
	arena_fini(&parser->scratch);
	mem_free(parser);
}

/* A conf and the memory of all that it points to. */
struct holder {
	struct arena arena;
	struct conf conf;
};

/* The lists and strings of the largest configuration take less. */
static const size_t conf_bytes_max = (size_t)1 << 28;

enum err
conf_parse(struct conf_bundle *bundle, struct conf **conf,
    struct conf_error errors[CONF_ERRORS_MAX], size_t *error_count)
{
	static const uint64_t seed[2] = {0, 0};
	struct conf_parser *parser = mem_alloc(sizeof(*parser));
	struct holder *holder = mem_alloc(sizeof(*holder));

	check(bundle->count > 0);
	check(conf_option_count() <= CONF_OPTIONS_MAX);
	*conf = NULL;
	arena_init(&holder->arena, conf_bytes_max);
	parser->bundle = bundle;
	parser->conf = &holder->conf;
	parser->arena = &holder->arena;
	parser->errors = (struct conf_errors){.arena = &bundle->arena, .list = errors};
	arena_init(&parser->scratch, SIZE_MAX / 2);
	map_init(&parser->seen, seed);
	conf_option_presets(&holder->conf);
	conf_lexer_init(
	    &parser->lexer, &bundle->files[0], &parser->errors, &parser->scratch);
	parser->read[0] = (struct conf_place){&bundle->files[0], 0};
	conf_parser_advance(parser);
	parse_files(parser);

	holder->conf.domains = list_keep(parser, &parser->domains, sizeof(struct span));
	holder->conf.domain_count = parser->domains.count;
	holder->conf.relay_networks =
	    list_keep(parser, &parser->relay_networks, sizeof(struct net_prefix));
	holder->conf.relay_network_count = parser->relay_networks.count;
	holder->conf.xclient_networks = keep_networks(parser, &parser->xclient_networks);
	holder->conf.proxy_networks = keep_networks(parser, &parser->proxy_networks);
	conf_routes_settle(parser);
	holder->conf.routes =
	    list_keep(parser, &parser->routes, sizeof(struct conf_route));
	holder->conf.route_count = parser->routes.count;
	holder->conf.sources =
	    list_keep(parser, &parser->sources, sizeof(struct conf_source));
	holder->conf.source_count = parser->sources.count;
	holder->conf.warmups =
	    list_keep(parser, &parser->warmups, sizeof(struct conf_warmup));
	holder->conf.warmup_count = parser->warmups.count;
	holder->conf.verps = list_keep(parser, &parser->verps, sizeof(struct conf_verp));
	holder->conf.verp_count = parser->verps.count;
	holder->conf.destinations =
	    list_keep(parser, &parser->destinations, sizeof(struct conf_destination));
	holder->conf.destination_count = parser->destinations.count;
	holder->conf.providers =
	    list_keep(parser, &parser->providers, sizeof(struct conf_provider));
	holder->conf.provider_count = parser->providers.count;
	/* What is missing after an error may be what the error is about. */
	if (parser->errors.count == 0)
		conf_check(parser);
	*error_count = parser->errors.count;
	parser_fini(parser);
	if (*error_count > 0) {
		conf_destroy(&holder->conf);
		return ERR_SYNTAX;
	}
	*conf = &holder->conf;
	return OK;
}

void
conf_destroy(struct conf *conf)
{
	struct holder *holder;

	if (!conf)
		return;
	conf_drop_tables(conf);
	holder = container_of(conf, struct holder, conf);
	arena_fini(&holder->arena);
	mem_free(holder);
}
