/* Finding rows, and what a row stands for in a configuration. */
#include "conf/conf_rows.h"

#include <assert.h>

#include "base/check.h"

/* 5 minutes to 4 hours: soon at first, for greylisting; then in peace. */
static const uint64_t retry_presets[] = {
    5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR};

static const struct conf_option *(*const groups[])(size_t *count) = {
    conf_rows_general, conf_rows_limits, conf_rows_queue};

size_t
conf_option_count(void)
{
	size_t count, sum = 0;

	for (size_t i = 0; i < LEN(groups); i++) {
		groups[i](&count);
		sum += count;
	}
	return sum;
}

const struct conf_option *
conf_option_at(size_t index)
{
	const struct conf_option *rows = NULL;
	size_t count = 0;

	for (size_t i = 0; i < LEN(groups); i++) {
		rows = groups[i](&count);
		if (index < count)
			return &rows[index];
		index -= count;
	}
	check(false);
	return NULL;
}

const struct conf_option *
conf_option_find(const char *block, const char *words)
{
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		if (span_eq(span_str(option->block), span_str(block)) &&
		    span_eq(span_str(option->words), span_str(words)))
			return option;
	}
	return NULL;
}

bool
conf_option_is_number(const struct conf_option *option)
{
	return option->type == CONF_BOOL || option->type == CONF_COUNT ||
	       option->type == CONF_PROCESSES || option->type == CONF_SIZE ||
	       option->type == CONF_TIME || option->type == CONF_PERCENT ||
	       option->type == CONF_SEPARATOR || option->type == CONF_TLS_MODE;
}

bool
conf_option_is_limit(const struct conf_option *option)
{
	return span_eq(span_str(option->block), SPAN("destination")) ||
	       span_eq(span_str(option->block), SPAN("provider"));
}

bool
conf_option_is_said(const struct conf_limits *limits, const struct conf_option *option)
{
	if (option->type == CONF_TIMES)
		return limits->retry_count > 0;
	if (option->type == CONF_RATE)
		return limits->rate_count != CONF_UNSAID;
	return conf_option_number(limits, option) != CONF_UNSAID;
}

bool
conf_option_is_block(const struct conf_option *option)
{
	return option->type == CONF_BLOCK || option->type == CONF_DESTINATION ||
	       option->type == CONF_PROVIDER;
}

struct conf_limits *
conf_option_limits(void *holder, const struct conf_option *option)
{
	check(option->type == CONF_TIMES || option->type == CONF_RATE);
	return (struct conf_limits *)(void *)((char *)holder + option->offset);
}

bool
conf_option_is_text(const struct conf_option *option)
{
	return option->type == CONF_DOMAIN || option->type == CONF_PATH ||
	       option->type == CONF_MAILBOX || option->type == CONF_TEXT;
}

void
conf_option_presets(struct conf *conf)
{
	static_assert(LEN(retry_presets) <= CONF_RETRIES_MAX, "the defaults fit");

	for (size_t i = 0; i < conf_option_count(); i++) {
		/* A destination's come from the queue's; see conf_destination.c. */
		if (conf_option_is_limit(conf_option_at(i)))
			continue;
		if (conf_option_is_number(conf_option_at(i)))
			conf_option_set_number(conf, conf_option_at(i), conf_option_at(i)->preset);
		if (conf_option_is_text(conf_option_at(i)))
			conf_option_set_text(
			    conf, conf_option_at(i), span_str(conf_option_at(i)->preset_text));
	}
	memcpy(conf->limits.retry_ms, retry_presets, sizeof(retry_presets));
	conf->limits.retry_count = LEN(retry_presets);
	/* What all others may have is in the block "delivery". */
	conf->limits.messages_max = conf->limits.rcpts_max = CONF_UNSAID;
	conf->log_format = CONF_LOG_LOGFMT;
	conf->log_target = CONF_LOG_STDERR;
}

uint64_t
conf_option_number(const void *holder, const struct conf_option *option)
{
	const char *at = (const char *)holder + option->offset;
	uint64_t number;
	unsigned small;

	check(conf_option_is_number(option));
	if (option->type == CONF_BOOL)
		return *(const bool *)at;
	if (option->type == CONF_SEPARATOR)
		return (unsigned char)*at;
	if (option->type == CONF_PROCESSES) {
		memcpy(&small, at, sizeof(small));
		return small;
	}
	memcpy(&number, at, sizeof(number));
	return number;
}

void
conf_option_set_number(void *holder, const struct conf_option *option, uint64_t number)
{
	char *at = (char *)holder + option->offset;
	unsigned small = (unsigned)number;
	bool yes = number != 0;

	check(conf_option_is_number(option));
	if (option->type == CONF_BOOL)
		memcpy(at, &yes, sizeof(yes));
	else if (option->type == CONF_SEPARATOR)
		*at = (char)number;
	else if (option->type == CONF_PROCESSES)
		memcpy(at, &small, sizeof(small));
	else
		memcpy(at, &number, sizeof(number));
}

struct conf_networks
conf_option_networks(const struct conf *conf, const struct conf_option *option)
{
	check(option->type == CONF_NETWORKS);
	if (option->offset == offsetof(struct conf, xclient_networks))
		return conf->xclient_networks;
	if (option->offset == offsetof(struct conf, proxy_networks))
		return conf->proxy_networks;
	return (struct conf_networks){conf->relay_networks, conf->relay_network_count};
}

struct span
conf_option_text(const struct conf *conf, const struct conf_option *option)
{
	struct span text;

	check(conf_option_is_text(option));
	memcpy(&text, (const char *)conf + option->offset, sizeof(text));
	return text;
}

void
conf_option_set_text(
    struct conf *conf, const struct conf_option *option, struct span text)
{
	check(conf_option_is_text(option));
	memcpy((char *)conf + option->offset, &text, sizeof(text));
}
