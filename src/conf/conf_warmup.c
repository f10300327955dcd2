/*
 * "warm up ADDRESS from DATE with N a day ...": how much a new address may send.  One row for
 * each address and provider.  What the numbers mean a day is worked out in route/warmup.h.
 */
#include "base/date.h"
#include "conf/conf_internal.h"
#include "providers/providers.h"

#define DAY_MS UINT64_C(86400000)

enum {
	FACTOR_PRESET = 200,
	FACTOR_MAX = 1000, /* percent */
	STEP_DAYS_MAX = 365,
	END_PRESET = 100000,
};

static bool
parse_date(struct conf_parser *parser, uint64_t *day)
{
	struct conf_token value;
	uint64_t wall_ms;

	if (!conf_parser_value(parser, "a date, as in 2026-12-01", &value))
		return false;
	if (!date_read_day(value.text, &wall_ms))
		return conf_parser_fail(parser, value.place,
		    "%s is not a date, as in 2026-12-01", conf_quote(value.text).text);
	*day = wall_ms / DAY_MS;
	return true;
}

static bool
parse_share(struct conf_parser *parser, uint64_t *share)
{
	struct conf_token value;

	if (!conf_parser_value(parser, "a number of recipients", &value))
		return false;
	if (!span_u64(value.text, CONF_SHARE_MAX, share) || *share == 0)
		return conf_parser_fail(parser, value.place, "%s is not a number from 1 to %d",
		    conf_quote(value.text).text, (int)CONF_SHARE_MAX);
	return true;
}

/* "1", "1.5", "1.25": in percent. */
static bool
read_factor(struct span text, uint64_t *percent)
{
	size_t point = span_find(text, '.');
	struct span fraction = span_skip(text, point < text.len ? point + 1 : text.len);
	uint64_t whole, hundredths = 0;

	if (!span_u64(span_first(text, point), FACTOR_MAX, &whole) || fraction.len > 2 ||
	    (point < text.len && !span_u64(fraction, 99, &hundredths)))
		return false;
	*percent = whole * 100 + (fraction.len == 1 ? hundredths * 10 : hundredths);
	return *percent >= 100 && *percent <= FACTOR_MAX;
}

static bool
parse_factor(struct conf_parser *parser, uint64_t *percent)
{
	struct conf_token value;

	if (!conf_parser_value(parser, "a factor, as in 1.5", &value))
		return false;
	if (!read_factor(value.text, percent))
		return conf_parser_fail(parser, value.place,
		    "%s is not a factor from 1 to %d, as in 1.5", conf_quote(value.text).text,
		    FACTOR_MAX / 100);
	return true;
}

static bool
parse_step(struct conf_parser *parser, uint64_t *days)
{
	struct conf_token value, unit;
	uint64_t ms;

	if (!conf_parser_value(parser, "a number of days, as in 2 d", &value) ||
	    !conf_parser_value(parser, "d, for days", &unit))
		return false;
	if (!conf_value_time(value.text, unit.text, &ms) || ms % DAY_MS > 0 || ms == 0 ||
	    ms / DAY_MS > STEP_DAYS_MAX)
		return conf_parser_fail(parser, value.place,
		    "a step is of 1 to %d days, as in 2 d", (int)STEP_DAYS_MAX);
	*days = ms / DAY_MS;
	return true;
}

/* "times", "every", and "until" or "at most", each once, in any order. */
static bool
parse_course(struct conf_parser *parser, struct conf_warmup *warmup)
{
	for (;;) {
		if (warmup->factor_percent == 0 && conf_parser_is(parser, "times")) {
			conf_parser_advance(parser);
			if (!parse_factor(parser, &warmup->factor_percent))
				return false;
		} else if (warmup->step_days == 0 && conf_parser_is(parser, "every")) {
			conf_parser_advance(parser);
			if (!parse_step(parser, &warmup->step_days))
				return false;
		} else if (warmup->end == 0 &&
		    (conf_parser_is(parser, "until") || conf_parser_is(parser, "at"))) {
			warmup->is_limit = conf_parser_is(parser, "at");
			conf_parser_advance(parser);
			if ((warmup->is_limit && !conf_parser_expect(parser, "most")) ||
			    !parse_share(parser, &warmup->end))
				return false;
		} else {
			return true;
		}
	}
}

/* "to": providers that are known, each of which has such a share. */
static bool
parse_providers(struct conf_parser *parser, struct conf_list *providers)
{
	struct conf_token value;

	if (!conf_parser_is(parser, "to"))
		return true;
	conf_parser_advance(parser);
	do {
		const struct provider *known;
		struct span name;

		if (!conf_parser_value(parser, "a provider", &value))
			return false;
		known = provider_named(value.text);
		if (!known)
			return conf_parser_fail(parser, value.place,
			    "%s is not a provider that is known; \"postrider providers\" lists "
			    "those that are",
			    conf_quote(value.text).text);
		name = span_str(known->name);
		conf_list_add(providers, &name, sizeof(name), value.place);
	} while (conf_parser_more(parser));
	return true;
}

static bool
settle(struct conf_parser *parser, struct conf_warmup *warmup, struct conf_place place)
{
	if (warmup->factor_percent == 0)
		warmup->factor_percent = FACTOR_PRESET;
	if (warmup->step_days == 0)
		warmup->step_days = 1;
	if (warmup->end == 0)
		warmup->end = warmup->start < END_PRESET ? END_PRESET : warmup->start;
	if (warmup->end < warmup->start)
		return conf_parser_fail(parser, place,
		    "it begins with %llu a day, which is more than the %llu that it ends with",
		    (unsigned long long)warmup->start, (unsigned long long)warmup->end);
	if (warmup->factor_percent == 100 && !warmup->is_limit && warmup->end > warmup->start)
		return conf_parser_fail(parser, place,
		    "times 1 never grows to %llu; say \"at most %llu\" for a share that stays",
		    (unsigned long long)warmup->end, (unsigned long long)warmup->start);
	return true;
}

static bool
add_one(struct conf_parser *parser, const struct conf_warmup *warmup, struct conf_place place)
{
	struct buf key;
	bool first;

	if (parser->warmups.count == CONF_SOURCES_MAX)
		return conf_parser_fail(
		    parser, place, "at most %d schedules", (int)CONF_SOURCES_MAX);
	buf_init(&key, CONF_TEXT_MAX);
	buf_add_str(&key, "warm-up ");
	net_addr_write(&key, &warmup->addr);
	if (warmup->provider.len > 0)
		buf_addf(&key, " to %.*s", SPAN_ARGS(warmup->provider));
	first = conf_parser_once(parser, place, buf_span(&key));
	buf_fini(&key);
	if (first)
		conf_list_add(&parser->warmups, warmup, sizeof(*warmup), place);
	return first;
}

static bool
add(struct conf_parser *parser, struct conf_warmup *warmup, const struct conf_list *addrs,
    const struct conf_list *providers)
{
	size_t count = providers->count ? providers->count : 1;

	for (size_t i = 0; i < addrs->count; i++)
		for (size_t j = 0; j < count; j++) {
			warmup->addr = ((const struct net_addr *)addrs->items)[i];
			if (providers->count)
				warmup->provider = ((const struct span *)providers->items)[j];
			if (!add_one(parser, warmup, addrs->places[i]))
				return false;
		}
	return true;
}

bool
conf_warmup_parse(struct conf_parser *parser)
{
	struct conf_list addrs = {0}, providers = {0};
	struct conf_warmup warmup = {.provider = SPAN("")};
	struct conf_place place = parser->token.place;
	bool good = conf_source_addrs_parse(parser, &addrs) &&
	    conf_parser_expect(parser, "from") && parse_date(parser, &warmup.from_day) &&
	    conf_parser_expect(parser, "with") && parse_share(parser, &warmup.start) &&
	    conf_parser_expect(parser, "a") && conf_parser_expect(parser, "day") &&
	    parse_course(parser, &warmup) && settle(parser, &warmup, place) &&
	    parse_providers(parser, &providers) && add(parser, &warmup, &addrs, &providers);

	mem_free(addrs.items);
	mem_free(addrs.places);
	mem_free(providers.items);
	mem_free(providers.places);
	return good;
}

void
conf_warmup_check(struct conf_parser *parser)
{
	const struct conf *conf = parser->conf;

	for (size_t i = 0; i < conf->warmup_count; i++) {
		const struct net_addr *addr = &conf->warmups[i].addr;
		struct buf text;
		bool found = false;

		for (size_t j = 0; j < conf->source_count && !found; j++)
			found = net_addr_same_host(&conf->sources[j].addr, addr);
		if (found)
			continue;
		buf_init(&text, NET_TEXT_MAX);
		net_addr_write(&text, addr);
		conf_error_add(&parser->errors, parser->warmups.places[i],
		    "no mail leaves from %.*s; add \"send from %.*s\"",
		    SPAN_ARGS(buf_span(&text)), SPAN_ARGS(buf_span(&text)));
		buf_fini(&text);
	}
}

void
conf_warmup_show(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->warmup_count; i++) {
		const struct conf_warmup *warmup = &conf->warmups[i];
		bool v6 = warmup->addr.family == 6;

		buf_add_str(out, v6 ? "warm up [" : "warm up ");
		net_addr_write(out, &warmup->addr);
		buf_add_str(out, v6 ? "] from " : " from ");
		date_write_day(out, warmup->from_day * DAY_MS);
		buf_addf(out, " with %llu a day times %llu.%02llu every %llu d %s %llu",
		    (unsigned long long)warmup->start,
		    (unsigned long long)(warmup->factor_percent / 100),
		    (unsigned long long)(warmup->factor_percent % 100),
		    (unsigned long long)warmup->step_days,
		    warmup->is_limit ? "at most" : "until", (unsigned long long)warmup->end);
		if (warmup->provider.len > 0) {
			buf_add_str(out, " to ");
			conf_value_write_word(out, warmup->provider);
		}
		buf_add_char(out, '\n');
	}
}
