/*
 * Programs that mail is handed to: "pipe mail ... to", "deliver to pipe", and "program", which
 * gives one a name that these, and tables of routes, call it by.  A table has names only: who may
 * write a table may not say what is run.  Their commands are cut into words here, once, and by no
 * shell; placeholders are filled in word by word later, so that whatever an address holds stays
 * within its word.
 */
#include "conf/conf_internal.h"

static const char *const placeholders[CONF_PLACEHOLDER_COUNT] = {
    [CONF_PLACEHOLDER_NONE] = "",
    [CONF_PLACEHOLDER_SENDER] = "sender",
    [CONF_PLACEHOLDER_RECIPIENT] = "recipient",
    [CONF_PLACEHOLDER_MAILBOX] = "mailbox",
    [CONF_PLACEHOLDER_LOCAL] = "local",
    [CONF_PLACEHOLDER_DETAIL] = "detail",
    [CONF_PLACEHOLDER_DOMAIN] = "domain",
    [CONF_PLACEHOLDER_ID] = "id",
};

/* The limits of a statement: rows without a place in the configuration. */
static const struct {
	struct conf_option option;
	size_t offset;
} limits[] = {
    {{.words = "time", .type = CONF_TIME, .preset = 300000, .min = 1000, .max = 86400000},
	offsetof(struct conf_pipe, time_ms)},
    {{.words = "output",
	 .type = CONF_SIZE,
	 .preset = 4096,
	 .min = 0,
	 .max = CONF_PIPE_OUTPUT_BYTES_MAX},
	offsetof(struct conf_pipe, output_bytes)},
    {{.words = "processes",
	 .type = CONF_COUNT,
	 .preset = 10,
	 .min = 1,
	 .max = CONF_PIPE_PROCESSES_MAX},
	offsetof(struct conf_pipe, processes_max)},
};

static uint64_t *
limit_of(struct conf_pipe *pipe, size_t which)
{
	return (uint64_t *)(void *)((char *)pipe + limits[which].offset);
}

bool
conf_pipe_cut(struct span *rest, struct span *text, enum conf_placeholder *placeholder)
{
	size_t open = span_find(*rest, '{'), close;
	struct span name;
	unsigned i = CONF_PLACEHOLDER_NONE + 1;

	if (rest->len == 0)
		return false;
	*placeholder = CONF_PLACEHOLDER_NONE;
	*text = span_first(*rest, open);
	*rest = span_skip(*rest, open);
	if (rest->len == 0)
		return true;
	if (span_starts(*rest, SPAN("{{"))) {
		*text = span_of(text->ptr, text->len + 1);
		*rest = span_skip(*rest, 2);
		return true;
	}
	close = span_find(*rest, '}');
	name = span_skip(span_first(*rest, close), 1);
	while (i < CONF_PLACEHOLDER_COUNT && !span_eq(name, span_str(placeholders[i])))
		i++;
	/* One that is not closed is none. */
	*placeholder = close < rest->len ? (enum conf_placeholder)i : CONF_PLACEHOLDER_COUNT;
	if (*placeholder == CONF_PLACEHOLDER_COUNT)
		*text = name;
	*rest = span_skip(*rest, close + 1);
	return true;
}

static bool
fail_placeholder(struct conf_parser *parser, struct conf_place place, struct span name)
{
	struct conf_nearest nearest = {0};

	for (unsigned i = CONF_PLACEHOLDER_NONE + 1; i < CONF_PLACEHOLDER_COUNT; i++)
		conf_nearest_offer(&nearest, name, placeholders[i]);
	if (nearest.word)
		return conf_parser_fail(parser, place,
		    "the command has no placeholder %s; did you mean {%s}?", conf_quote(name).text,
		    nearest.word);
	return conf_parser_fail(parser, place,
	    "the command has no placeholder %s; there are {sender}, {recipient}, {mailbox}, "
	    "{local}, {detail}, {domain} and {id}, and {{ is a brace",
	    conf_quote(name).text);
}

static bool
fail_path(struct conf_parser *parser, struct conf_place place, struct span word)
{
	return conf_parser_fail(parser, place,
	    "%s is not the whole path of a program, as in /usr/local/bin/robot",
	    conf_quote(word).text);
}

static bool
check_word(struct conf_parser *parser, struct conf_place place, struct span word, bool first)
{
	enum conf_placeholder placeholder;
	struct span rest = word, text;

	for (size_t i = 0; i < word.len; i++)
		if ((unsigned char)word.ptr[i] < ' ' || word.ptr[i] == 127)
			return conf_parser_fail(parser, place,
			    "the command has a control character in it");
	if (first && (word.ptr[0] != '/' || word.ptr[word.len - 1] == '/'))
		return fail_path(parser, place, word);
	if (first && word.len > CONF_PIPE_PATH_BYTES_MAX)
		return conf_parser_fail(parser, place,
		    "the path of the program is longer than %d bytes",
		    (int)CONF_PIPE_PATH_BYTES_MAX);
	while (conf_pipe_cut(&rest, &text, &placeholder)) {
		if (placeholder == CONF_PLACEHOLDER_COUNT)
			return fail_placeholder(parser, place, text);
		if (first && placeholder != CONF_PLACEHOLDER_NONE)
			return conf_parser_fail(parser, place,
			    "a message must not choose which program is run: no placeholder may "
			    "stand in its path");
	}
	return true;
}

/* Takes the next word off; false: there is none.  *open: a quote was not closed. */
static bool
cut_word(struct span *rest, struct buf *word, bool *open)
{
	char quote = '\0';
	bool any = false;

	buf_reset(word);
	while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
		*rest = span_skip(*rest, 1);
	for (; rest->len > 0; *rest = span_skip(*rest, 1)) {
		char c = rest->ptr[0];

		if (!quote && (c == ' ' || c == '\t'))
			break;
		any = true;
		if (quote ? c == quote : c == '\'' || c == '"')
			quote = quote ? '\0' : c;
		else
			buf_add_char(word, c);
	}
	*open = quote != '\0';
	return any;
}

static bool
parse_command(struct conf_parser *parser, struct conf_pipe *pipe)
{
	struct conf_token value;
	struct buf word;
	struct span rest;
	bool good = true, open = false;

	if (!conf_parser_value(parser, "a command, in quotes", &value))
		return false;
	if (value.text.len > CONF_PIPE_COMMAND_BYTES_MAX)
		return conf_parser_fail(parser, value.place,
		    "the command is longer than %d bytes; put it into a script",
		    (int)CONF_PIPE_COMMAND_BYTES_MAX);
	check(arena_copy(parser->arena, value.text, &pipe->command));
	buf_init(&word, CONF_PIPE_COMMAND_BYTES_MAX);
	rest = pipe->command;
	while (good && cut_word(&rest, &word, &open)) {
		if (open)
			good = conf_parser_fail(
			    parser, value.place, "a quote in the command is not closed");
		else if (pipe->word_count == CONF_PIPE_WORDS_MAX)
			good = conf_parser_fail(parser, value.place,
			    "the command has more than %d words", (int)CONF_PIPE_WORDS_MAX);
		else if (word.len == 0 && pipe->word_count == 0)
			good = conf_parser_fail(parser, value.place, "the program has no name");
		else
			good = check_word(
			    parser, value.place, buf_span(&word), pipe->word_count == 0);
		if (good)
			check(arena_copy(parser->arena, buf_span(&word),
			    &pipe->words[pipe->word_count++]));
	}
	buf_fini(&word);
	if (good && pipe->word_count == 0)
		return conf_parser_fail(parser, value.place, "the command is empty");
	return good;
}

static bool
parse_user(struct conf_parser *parser, struct conf_pipe *pipe)
{
	struct conf *conf = parser->conf;
	struct conf_place place;

	if (!conf_parser_expect(parser, "as"))
		return false;
	place = parser->token.place;
	if (!conf_parser_user(parser, &pipe->user))
		return false;
	if (span_eq(pipe->user, SPAN("root")))
		return conf_parser_fail(parser, place,
		    "mail is handed to no program of root's: anybody can send it; name a user of "
		    "its own");
	for (size_t i = 0; i < conf->pipe_user_count; i++)
		if (span_eq(conf->pipe_users[i], pipe->user))
			return true;
	if (conf->pipe_user_count == CONF_PIPE_USERS_MAX)
		return conf_parser_fail(parser, place,
		    "programs run as at most %d different users", (int)CONF_PIPE_USERS_MAX);
	conf->pipe_users[conf->pipe_user_count++] = pipe->user;
	return true;
}

static bool
parse_limits(struct conf_parser *parser, struct conf_pipe *pipe)
{
	bool given[LEN(limits)] = {false};
	size_t which;

	for (size_t i = 0; i < LEN(limits); i++)
		*limit_of(pipe, i) = limits[i].option.preset;
	for (;;) {
		for (which = 0; which < LEN(limits); which++)
			if (!given[which] && conf_parser_is(parser, limits[which].option.words))
				break;
		if (which == LEN(limits))
			return true;
		conf_parser_advance(parser);
		given[which] = true;
		if (!conf_parser_number(
			parser, &limits[which].option, limit_of(pipe, which)))
			return false;
	}
}

/* Puts it behind the others, under a name that none of them has. */
static bool
add(struct conf_parser *parser, struct conf_place place, struct conf_pipe *pipe)
{
	struct conf_pipe **at = &parser->conf->pipes;
	unsigned count = 0, alike = 1;
	struct buf name;

	for (; *at; at = &(*at)->next, count++)
		alike += (*at)->title.len == 0 && span_eq((*at)->user, pipe->user) &&
		    span_eq((*at)->words[0], pipe->words[0]);
	if (count == CONF_PIPES_MAX)
		return conf_parser_fail(
		    parser, place, "at most %d programs", (int)CONF_PIPES_MAX);
	buf_init(&name, CONF_TEXT_MAX);
	buf_addf(&name, "%.*s:%.*s", SPAN_ARGS(pipe->user),
	    SPAN_ARGS(pipe->title.len > 0 ? pipe->title : pipe->words[0]));
	if (pipe->title.len == 0 && alike > 1)
		buf_addf(&name, "#%u", alike);
	check(buf_finish(&name) == OK &&
	    arena_copy(parser->arena, buf_span(&name), &pipe->name));
	buf_fini(&name);
	*at = pipe;
	return true;
}

/* What is run, as whom, and what it may. */
static bool
parse_rest(struct conf_parser *parser, struct conf_pipe *pipe)
{
	struct conf_place place = parser->token.place;

	return parse_command(parser, pipe) && parse_user(parser, pipe) &&
	       parse_limits(parser, pipe) && add(parser, place, pipe);
}

/* A title; a path is none, nor is a command. */
static bool
is_title(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_alnum(text.ptr[i]) && !memchr("-_", text.ptr[i], 2))
			return false;
	return text.len > 0 && text.len <= CONF_PIPE_TITLE_BYTES_MAX;
}

/* The program of that title, which may be declared later; NULL: there are too many, told. */
static struct conf_pipe *
titled(struct conf_parser *parser, const struct conf_token *title)
{
	char small[CONF_PIPE_TITLE_BYTES_MAX];
	struct conf_pipe *pipe;

	for (size_t i = 0; i < parser->programs.count; i++) {
		pipe = ((struct conf_pipe **)parser->programs.items)[i];
		if (span_eq_nocase(pipe->title, title->text))
			return pipe;
	}
	if (parser->programs.count == CONF_PIPES_MAX) {
		conf_parser_fail(
		    parser, title->place, "at most %d programs", (int)CONF_PIPES_MAX);
		return NULL;
	}
	pipe = arena_alloc(parser->arena, sizeof(*pipe));
	check(pipe && arena_copy(parser->arena, span_lower(small, title->text), &pipe->title));
	conf_list_add(&parser->programs, &pipe, sizeof(pipe), title->place);
	return pipe;
}

bool
conf_program_parse(struct conf_parser *parser)
{
	struct conf_token title;
	struct conf_pipe *pipe;

	if (!conf_parser_value(parser, "a name for the program", &title))
		return false;
	if (!is_title(title.text))
		return conf_parser_fail(parser, title.place,
		    "%s is not a name for a program: at most %d letters, digits, and - _",
		    conf_quote(title.text).text, (int)CONF_PIPE_TITLE_BYTES_MAX);
	pipe = titled(parser, &title);
	if (!pipe)
		return false;
	if (pipe->word_count > 0)
		return conf_parser_fail(parser, title.place,
		    "the program %s was said already", conf_quote(title.text).text);
	return conf_parser_expect(parser, "runs") && parse_rest(parser, pipe);
}

bool
conf_program_named(struct conf_parser *parser, const struct conf_pipe **into)
{
	struct conf_token title;

	if (!conf_parser_value(parser, "the name of a program", &title))
		return false;
	if (!is_title(title.text))
		return conf_parser_fail(parser, title.place,
		    "a table has names of programs, and no commands; say \"program NAME runs "
		    "...\" in the configuration, and here \"pipe to NAME\"");
	*into = titled(parser, &title);
	return *into != NULL;
}

void
conf_programs_check(struct conf_parser *parser)
{
	for (size_t i = 0; i < parser->programs.count; i++) {
		const struct conf_pipe *pipe =
		    ((struct conf_pipe **)parser->programs.items)[i];
		struct conf_nearest nearest = {0};

		if (pipe->word_count > 0)
			continue;
		for (const struct conf_pipe *other = parser->conf->pipes; other;
		     other = other->next)
			if (other->title.len > 0)
				conf_nearest_offer(&nearest, pipe->title, other->title.ptr);
		conf_error_add(&parser->errors, parser->programs.places[i],
		    nearest.word ? "there is no program %s; did you mean \"%s\"?"
				 : "there is no program %s; say \"program %s runs "
				   "\"/PATH ...\" as USER\"",
		    conf_quote(pipe->title).text,
		    nearest.word ? nearest.word : pipe->title.ptr);
	}
}

bool
conf_pipe_parse(struct conf_parser *parser, const struct conf_pipe **into)
{
	const struct conf_token first = parser->token;
	struct conf_pipe *pipe;

	if (conf_parser_at_value(parser) && is_title(first.text)) {
		if (!conf_program_named(parser, into))
			return false;
		return !conf_parser_is(parser, "as") || fail_path(parser, first.place, first.text);
	}
	pipe = arena_alloc(parser->arena, sizeof(*pipe));
	check(pipe != NULL);
	*into = pipe;
	return parse_rest(parser, pipe);
}

bool
conf_pipe_mailboxes_parse(struct conf_parser *parser)
{
	return conf_pipe_parse(parser, &parser->conf->mailbox_pipe);
}

static void
show_rest(struct buf *out, const struct conf_pipe *pipe)
{
	conf_value_write_word(out, pipe->command);
	buf_add_str(out, " as ");
	conf_value_write_word(out, pipe->user);
	for (size_t i = 0; i < LEN(limits); i++) {
		buf_addf(out, " %s ", limits[i].option.words);
		conf_option_write_number(out, &limits[i].option,
		    *limit_of((struct conf_pipe *)(uintptr_t)pipe, i));
	}
}

void
conf_pipe_show(struct buf *out, const struct conf_pipe *pipe)
{
	if (pipe->title.len > 0)
		buf_add(out, pipe->title);
	else
		show_rest(out, pipe);
}

void
conf_programs_show(struct buf *out, const struct conf *conf)
{
	for (const struct conf_pipe *pipe = conf->pipes; pipe; pipe = pipe->next) {
		if (pipe->title.len == 0)
			continue;
		buf_addf(out, "program %.*s runs ", SPAN_ARGS(pipe->title));
		show_rest(out, pipe);
		buf_add_char(out, '\n');
	}
}

void
conf_pipe_mailboxes_show(struct buf *out, const struct conf *conf)
{
	if (!conf->mailbox_pipe)
		return;
	buf_add_str(out, "deliver to pipe ");
	conf_pipe_show(out, conf->mailbox_pipe);
	buf_add_char(out, '\n');
}
