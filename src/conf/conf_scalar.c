/* The values of rows that hold one value: parsing and ranges, both from the row. */
#include "conf/conf_internal.h"

static const char *
expected(const struct conf_option *option)
{
	switch (option->type) {
	case CONF_SIZE:
		return "a size like 10 MB";
	case CONF_TIME:
	case CONF_TIMES:
		return "a time like 5 m";
	case CONF_PERCENT:
		return "a part of a hundred like 10 %";
	case CONF_COUNT:
	case CONF_PROCESSES:
	case CONF_RATE:
		return "a number";
	case CONF_DOMAIN:
		return "a domain name";
	case CONF_MAILBOX:
		return "the name of a mailbox";
	case CONF_TEXT:
		return span_eq(span_str(option->syntax), SPAN("LIST"))
		    ? "a list in one word, with colons"
		    : "a word";
	case CONF_PATH:
		return "a path";
	case CONF_SEPARATOR:
		return "one character, one of + - = _ . ~ # % & !";
	case CONF_BOOL:
	case CONF_TLS_MODE:
	case CONF_LISTEN:
	case CONF_HTTP:
	case CONF_CERTIFICATE:
	case CONF_CLIENTS:
	case CONF_TLS_VERSION:
	case CONF_DOMAINS:
	case CONF_NETWORKS:
	case CONF_MAILDIR:
	case CONF_LMTP:
	case CONF_ROUTE:
	case CONF_ROUTES:
	case CONF_ROUTES_BY_SENDER:
	case CONF_SOURCE:
	case CONF_WARMUP:
	case CONF_VERP:
	case CONF_DISCARD:
	case CONF_REFUSE:
	case CONF_PROGRAM:
	case CONF_PIPE:
	case CONF_PIPE_MAILBOXES:
	case CONF_FALLBACK:
	case CONF_DNS:
	case CONF_LOG:
	case CONF_INCLUDE:
	case CONF_BLOCK:
	case CONF_DESTINATION:
	case CONF_PROVIDER:
	case CONF_TYPE_COUNT:
		break;
	}
	return "yes or no";
}

static bool
fail_range(struct conf_parser *parser, const struct conf_option *option,
    const struct conf_token *value, struct span said)
{
	struct buf text;

	buf_init(&text, CONF_TEXT_MAX);
	buf_addf(&text, "\"%s\" is from ", option->words);
	conf_option_write_number(
	    &text, &(struct conf_option){.type = option->type}, option->min);
	buf_add_str(&text, " to ");
	conf_option_write_number(&text, option, option->max);
	if (option->zero)
		buf_addf(&text, ", or \"%s\"", option->zero);
	buf_addf(&text, ", not %.*s", SPAN_ARGS(span_first(said, 40)));
	conf_parser_fail(parser, value->place, "%.*s", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
	return false;
}

static size_t
digits_of(struct span text)
{
	size_t len = 0;

	while (len < text.len && ascii_is_digit(text.ptr[len]))
		len++;
	return len;
}

/* "35MB", "35 MB", "0"; fills said with the whole as the user wrote it. */
static bool
quantity(struct conf_parser *parser, const struct conf_option *option, uint64_t *number,
    struct span *said)
{
	struct conf_token value, unit = {0};
	struct span digits;
	bool good;

	if (!conf_parser_value(parser, expected(option), &value))
		return false;
	digits = span_first(value.text, digits_of(value.text));
	unit.text = span_skip(value.text, digits.len);
	*said = value.text;
	if (digits.len > 0 && unit.text.len == 0 && parser->token.kind == CONF_WORD) {
		unit = parser->token;
		conf_parser_advance(parser);
		said->len = (size_t)(unit.text.ptr + unit.text.len - value.text.ptr);
	}
	good = option->type == CONF_SIZE ? conf_value_size(digits, unit.text, number)
					 : conf_value_time(digits, unit.text, number);
	if (good)
		return true;
	if (digits.len == 0)
		return conf_parser_fail(parser, value.place, "expected %s, not %s",
		    expected(option), conf_quote(value.text).text);
	if (unit.text.len == 0)
		return conf_parser_fail(parser, value.place,
		    "the number %.*s needs a unit, one of %s",
		    SPAN_ARGS(span_first(digits, 40)),
		    option->type == CONF_SIZE ? "B, KB, MB, GB" : "ms, s, m, h, d");
	if (conf_value_size(SPAN("1"), unit.text, number) ||
	    conf_value_time(SPAN("1"), unit.text, number))
		return conf_parser_fail(parser, value.place, "expected %s, not %s",
		    expected(option), conf_quote(*said).text);
	return conf_parser_fail(parser, unit.place.file ? unit.place : value.place,
	    "unknown unit %s; expected one of %s", conf_quote(unit.text).text,
	    option->type == CONF_SIZE ? "B, KB, MB, GB" : "ms, s, m, h, d");
}

/* The sign may stand by itself or at the number, which is left without it. */
static bool
take_percent(struct conf_parser *parser, struct span *said)
{
	if (span_ends_nocase(*said, SPAN("%"))) {
		said->len--;
		return true;
	}
	if (!conf_parser_is(parser, "%"))
		return false;
	conf_parser_advance(parser);
	return true;
}

static bool
is_zero(const struct conf_parser *parser, const struct conf_option *option)
{
	return option->zero && conf_parser_is(parser, option->zero);
}

bool
conf_parser_number(
    struct conf_parser *parser, const struct conf_option *option, uint64_t *number)
{
	struct conf_token value = parser->token;
	struct span said;

	if (is_zero(parser, option)) {
		*number = 0;
		conf_parser_advance(parser);
		return true;
	}
	if (option->type == CONF_SIZE || option->type == CONF_TIME ||
	    option->type == CONF_TIMES) {
		if (!quantity(parser, option, number, &said))
			return false;
	} else {
		if (!conf_parser_value(parser, expected(option), &value))
			return false;
		said = value.text;
		if (option->type == CONF_PERCENT && !take_percent(parser, &said))
			return conf_parser_fail(parser, value.place,
			    "expected %s, not %s", expected(option),
			    conf_quote(value.text).text);
		if (said.len == 0 || digits_of(said) < said.len)
			return conf_parser_fail(parser, value.place,
			    "expected %s, not %s", expected(option),
			    conf_quote(said).text);
		if (!span_u64(said, UINT64_MAX, number))
			return fail_range(parser, option, &value, said);
	}
	if (*number == 0 && option->zero)
		return true;
	if (*number < option->min || *number > option->max)
		return fail_range(parser, option, &value, said);
	return true;
}

/* Without a value it means yes: "hold all mail". */
static bool
parse_bool(struct conf_parser *parser, uint64_t *number)
{
	static const struct {
		const char *word;
		bool yes;
	} words[] = {{"yes", true}, {"no", false}, {"on", true}, {"off", false}};

	*number = 1;
	if (!conf_parser_at_value(parser))
		return true;
	for (size_t i = 0; i < LEN(words); i++) {
		if (!conf_parser_is(parser, words[i].word))
			continue;
		*number = words[i].yes;
		conf_parser_advance(parser);
		return true;
	}
	return conf_parser_fail(parser, parser->token.place,
	    "expected yes or no (or nothing, for yes), not %s",
	    conf_token_quote(&parser->token).text);
}

static bool
parse_separator(
    struct conf_parser *parser, const struct conf_option *option, uint64_t *number)
{
	struct conf_token value;

	*number = 0;
	if (conf_parser_is(parser, option->zero)) {
		conf_parser_advance(parser);
		return true;
	}
	if (!conf_parser_value(parser, expected(option), &value))
		return false;
	if (value.text.len != 1 || !conf_value_separator(value.text.ptr[0]))
		return conf_parser_fail(parser, value.place,
		    "expected %s, or \"%s\"; not %s", expected(option), option->zero,
		    conf_quote(value.text).text);
	*number = (unsigned char)value.text.ptr[0];
	return true;
}

static bool
parse_text(
    struct conf_parser *parser, const struct conf_option *option, struct span *text)
{
	struct conf_token value;
	const char *problem;

	if (option->type == CONF_PATH)
		return conf_parser_path(
		    parser, expected(option), (size_t)option->max, text);
	if (!conf_parser_value(parser, expected(option), &value))
		return false;
	if (option->type == CONF_DOMAIN)
		problem = conf_value_domain_problem(value.text);
	else if (value.text.len < option->min || value.text.len > option->max)
		problem = "it is empty or too long";
	else if (option->type == CONF_TEXT)
		problem = conf_value_text_problem(value.text);
	else
		problem = conf_value_mailbox_problem(value.text);
	if (problem)
		return conf_parser_fail(parser, value.place, "%s is not %s: %s",
		    conf_quote(value.text).text, expected(option), problem);
	check(arena_copy(parser->arena, value.text, text));
	return true;
}

static const char *
tls_mode_name(unsigned mode)
{
	return conf_tls_name((enum conf_tls)mode);
}

/* Servers found by MX have no port for TLS from the first byte. */
static bool
parse_tls_mode(struct conf_parser *parser, uint64_t *number)
{
	struct conf_place place = parser->token.place;
	unsigned mode;

	if (!conf_parser_choice(parser, tls_mode_name, CONF_TLS_COUNT, &mode))
		return false;
	*number = mode;
	if (mode == CONF_TLS_IMPLICIT)
		return conf_parser_fail(parser, place,
		    "\"implicit\" is for one server; say it with \"send mail through\"");
	return true;
}

/* The struct that the rows of this block are about. */
static void *
holder_of(struct conf_parser *parser, const struct conf_option *option)
{
	return conf_option_is_limit(option) ? (void *)&parser->limits
					    : (void *)parser->conf;
}

/* "retry after 5 m, 15 m, 1 h" */
static bool
parse_times(struct conf_parser *parser, const struct conf_option *option)
{
	struct conf_limits *limits =
	    conf_option_limits(holder_of(parser, option), option);

	limits->retry_count = 0;
	do {
		if (limits->retry_count == CONF_RETRIES_MAX)
			return conf_parser_fail(parser, parser->token.place,
			    "at most %d times; the last one repeats",
			    (int)CONF_RETRIES_MAX);
		if (!conf_parser_number(
			parser, option, &limits->retry_ms[limits->retry_count]))
			return false;
		limits->retry_count++;
	} while (conf_parser_more(parser));
	return true;
}

/* "100 per 1 m", "100 per minute", "unlimited" */
static bool
parse_rate(struct conf_parser *parser, const struct conf_option *option)
{
	const struct conf_option count = {.words = option->words,
	    .type = CONF_COUNT,
	    .zero = option->zero,
	    .min = 1,
	    .max = CONF_RATE_COUNT_MAX};
	const struct conf_option period = {.words = "per",
	    .type = CONF_TIME,
	    .min = CONF_RATE_PERIOD_MS_MIN,
	    .max = CONF_RATE_PERIOD_MS_MAX};
	struct conf_limits *limits =
	    conf_option_limits(holder_of(parser, option), option);

	limits->rate_period_ms = 0;
	if (!conf_parser_number(parser, &count, &limits->rate_count))
		return false;
	if (limits->rate_count == 0)
		return true;
	if (!conf_parser_expect(parser, "per"))
		return false;
	if (parser->token.kind == CONF_WORD &&
	    conf_value_time(SPAN("1"), parser->token.text, &limits->rate_period_ms) &&
	    limits->rate_period_ms >= period.min) {
		conf_parser_advance(parser);
		return true;
	}
	return conf_parser_number(parser, &period, &limits->rate_period_ms);
}

bool
conf_scalar_parse(struct conf_parser *parser, const struct conf_option *option)
{
	struct span text;
	uint64_t number;
	bool good;

	if (option->type == CONF_TIMES)
		return parse_times(parser, option);
	if (option->type == CONF_RATE)
		return parse_rate(parser, option);
	if (conf_option_is_text(option)) {
		if (!parse_text(parser, option, &text))
			return false;
		conf_option_set_text(parser->conf, option, text);
		return true;
	}
	if (option->type == CONF_BOOL)
		good = parse_bool(parser, &number);
	else if (option->type == CONF_SEPARATOR)
		good = parse_separator(parser, option, &number);
	else if (option->type == CONF_TLS_MODE)
		good = parse_tls_mode(parser, &number);
	else
		good = conf_parser_number(parser, option, &number);
	if (good)
		conf_option_set_number(holder_of(parser, option), option, number);
	return good;
}
