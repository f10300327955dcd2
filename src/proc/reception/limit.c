/*
 * Each limit is judged for the client's address, then for its network; what is refused counts
 * nowhere, but for failures, which are owed.
 */
#include "proc/reception/limit.h"

#include <assert.h>

#include "base/check.h"

enum {
	STRESS_PART = 10, /* time-outs are so many times shorter */
	STRESS_TIME_MIN_MS = 10000,
	STRESS_COUNT_PART = 4,
	STRESS_COUNT_MIN = 3,
	STRESS_END_PART = 4, /* it ends a quarter below where it begins */
};

static const struct {
	const char *name;
	enum reply_id reply; /* of what is judged here; else of the SMTP machine */
} limits[] = {
    [LIMIT_SESSIONS] = {"sessions", REPLY_TOO_MANY_SESSIONS},
    [LIMIT_SESSIONS_HOST] = {"sessions_per_host", REPLY_TOO_MANY_FROM_HOST},
    [LIMIT_SESSIONS_NETWORK] = {"sessions_per_network", REPLY_TOO_MANY_FROM_NETWORK},
    [LIMIT_CONNECTIONS_HOST] = {"connection_rate_per_host", REPLY_CONNECTS_TOO_OFTEN},
    [LIMIT_CONNECTIONS_NETWORK] = {"connection_rate_per_network", REPLY_CONNECTS_TOO_OFTEN},
    [LIMIT_MESSAGES_HOST] = {"message_rate_per_host", REPLY_MESSAGES_TOO_OFTEN},
    [LIMIT_MESSAGES_NETWORK] = {"message_rate_per_network", REPLY_MESSAGES_TOO_OFTEN},
    [LIMIT_RECIPIENTS_HOST] = {"recipient_rate_per_host", REPLY_RECIPIENTS_TOO_OFTEN},
    [LIMIT_RECIPIENTS_NETWORK] = {"recipient_rate_per_network", REPLY_RECIPIENTS_TOO_OFTEN},
    [LIMIT_FAILURES_HOST] = {"failure_rate_per_host", REPLY_TOO_MANY_FAILURES},
    [LIMIT_FAILURES_NETWORK] = {"failure_rate_per_network", REPLY_TOO_MANY_FAILURES},
    [LIMIT_MEMORY] = {"memory", REPLY_MEMORY_FULL},
    [LIMIT_EARLY_TALK] = {"greeting_delay", REPLY_TALKED_EARLY},
    [LIMIT_ERROR_DELAY] = {"error_delay", REPLY_COUNT},
    [LIMIT_ERRORS] = {"errors_per_session", REPLY_TOO_MANY_ERRORS},
    [LIMIT_AUTH_FAILURES] = {"authentication_failures", REPLY_TOO_MANY_AUTH_FAILURES},
    [LIMIT_COMMANDS] = {"commands_per_session", REPLY_TOO_MANY_COMMANDS},
    [LIMIT_IDLE_COMMANDS] = {"commands_without_mail", REPLY_NO_PROGRESS},
    [LIMIT_MESSAGES_SESSION] = {"messages_per_session", REPLY_TOO_MANY_MESSAGES},
    [LIMIT_RECIPIENTS] = {"recipients", REPLY_TOO_MANY_RECIPIENTS},
    [LIMIT_COMMAND_TIME] = {"command_timeout", REPLY_COMMAND_TIMEOUT},
    [LIMIT_DATA_TIME] = {"data_timeout", REPLY_DATA_TIMEOUT},
    [LIMIT_TRANSFER] = {"transfer_minimum", REPLY_DATA_TOO_SLOW},
    [LIMIT_MESSAGE_TIME] = {"message_timeout", REPLY_MESSAGE_TIMEOUT},
    [LIMIT_SESSION_TIME] = {"session_timeout", REPLY_SESSION_TIMEOUT},
    [LIMIT_HANDSHAKE_TIME] = {"handshake_timeout", REPLY_COUNT},
    [LIMIT_LINE_ENDS] = {"line_ends", REPLY_BARE_LINE_END_IN_DATA},
    [LIMIT_NUL] = {"nul", REPLY_NUL_IN_DATA},
    [LIMIT_LONG_LINES] = {"text_line", REPLY_TEXT_LINE_TOO_LONG},
    [LIMIT_SIZES] = {"message_size", REPLY_MESSAGE_TOO_BIG},
    [LIMIT_DESCRIPTORS] = {"descriptors", REPLY_COUNT},
};

static_assert(LEN(limits) == LIMIT_COUNT, "each limit has a name");

const char *
limit_name(enum limit limit)
{
	check(limit < LIMIT_COUNT);
	return limits[limit].name;
}

enum reply_id
limit_reply(enum limit limit)
{
	check(limit < LIMIT_COUNT && limits[limit].reply != REPLY_COUNT);
	return limits[limit].reply;
}

enum limit
limit_of_reply(enum reply_id reply)
{
	if (reply == REPLY_COUNT)
		return LIMIT_COUNT;
	/* Some limits have one more reply. */
	if (reply == REPLY_BARE_LINE_END)
		return LIMIT_LINE_ENDS;
	if (reply == REPLY_NUL_IN_COMMAND)
		return LIMIT_NUL;
	if (reply == REPLY_LINE_TOO_LONG)
		return LIMIT_LONG_LINES;
	if (reply == REPLY_HEADER_TOO_BIG)
		return LIMIT_SIZES;
	for (unsigned i = LIMIT_MEMORY; i < LIMIT_COUNT; i++)
		if (limits[i].reply == reply)
			return (enum limit)i;
	return LIMIT_COUNT;
}

/* An address, or what of it belongs to the network, as a key: 4 or 6, how many bits, bytes. */
static uint32_t
find_slot(struct limit_table *table, const struct net_addr *addr, uint64_t bits, uint64_t now_ms)
{
	char key[2 + sizeof(addr->bytes)] = {(char)addr->family, (char)bits};

	for (size_t i = 0; i < sizeof(addr->bytes) && bits > 0; i++) {
		unsigned part = bits < 8 ? (unsigned)bits : 8;

		key[2 + i] = (char)(addr->bytes[i] & (0xff00 >> part));
		bits -= part;
	}
	return limit_table_find(table, span_of(key, sizeof(key)), now_ms);
}

static struct rate_limit
rate_limit(const struct conf *conf, enum limit_rate rate, bool network)
{
	const uint64_t counts[LIMIT_RATE_COUNT][2] = {
	    [LIMIT_RATE_CONNECTIONS] = {conf->connections_per_host_rate,
		conf->connections_per_network_rate},
	    [LIMIT_RATE_MESSAGES] = {conf->messages_per_host_rate,
		conf->messages_per_network_rate},
	    [LIMIT_RATE_RECIPIENTS] = {conf->rcpts_per_host_rate,
		conf->rcpts_per_network_rate},
	    [LIMIT_RATE_FAILURES] = {conf->failures_per_host_rate,
		conf->failures_per_network_rate},
	};

	return (struct rate_limit){
	    .count = (uint32_t)counts[rate][network], .period_ms = conf->rate_period_ms};
}

static enum limit
judge(const struct limit_client *client, struct limit_table *table, const struct conf *conf,
    enum limit_rate rate, uint64_t now_ms)
{
	static const enum limit first[LIMIT_RATE_COUNT] = {LIMIT_CONNECTIONS_HOST,
	    LIMIT_MESSAGES_HOST, LIMIT_RECIPIENTS_HOST, LIMIT_FAILURES_HOST};
	const struct rate_limit host = rate_limit(conf, rate, false);
	const struct rate_limit network = rate_limit(conf, rate, true);

	if (!limit_table_may(table, client->host, rate, &host, now_ms))
		return first[rate];
	if (!limit_table_may(table, client->network, rate, &network, now_ms))
		return first[rate] + 1;
	return LIMIT_COUNT;
}

static void
charge(const struct limit_client *client, struct limit_table *table, const struct conf *conf,
    enum limit_rate rate, uint64_t now_ms)
{
	const struct rate_limit host = rate_limit(conf, rate, false);
	const struct rate_limit network = rate_limit(conf, rate, true);

	limit_table_charge(table, client->host, rate, &host, now_ms);
	limit_table_charge(table, client->network, rate, &network, now_ms);
}

static enum limit
judge_client(const struct limit_client *client, struct limit_table *table,
    const struct conf *conf, uint64_t now_ms)
{
	enum limit limit;

	if (limit_table_sessions(table, client->host) >= conf->sessions_per_host_max)
		return LIMIT_SESSIONS_HOST;
	if (limit_table_sessions(table, client->network) >= conf->sessions_per_network_max)
		return LIMIT_SESSIONS_NETWORK;
	limit = judge(client, table, conf, LIMIT_RATE_FAILURES, now_ms);
	if (limit != LIMIT_COUNT)
		return limit;
	return judge(client, table, conf, LIMIT_RATE_CONNECTIONS, now_ms);
}

enum limit
limit_enter(struct limit_client *client, struct limit_table *table, const struct conf *conf,
    const struct net_addr *addr, bool exempt, uint64_t now_ms)
{
	bool four = addr->family == 4;
	enum limit limit;

	limit_leave(client, table);
	*client = (struct limit_client){.host = LIMIT_NO_SLOT, .network = LIMIT_NO_SLOT,
	    .exempt = exempt};
	if (exempt || addr->family == 0)
		return LIMIT_COUNT;
	client->host = find_slot(table, addr, four ? 32 : 128, now_ms);
	client->network = find_slot(
	    table, addr, four ? conf->ipv4_network_bits : conf->ipv6_network_bits, now_ms);
	limit = judge_client(client, table, conf, now_ms);
	if (limit != LIMIT_COUNT)
		return limit;
	charge(client, table, conf, LIMIT_RATE_CONNECTIONS, now_ms);
	limit_table_enter(table, client->host);
	limit_table_enter(table, client->network);
	client->entered = true;
	return LIMIT_COUNT;
}

void
limit_leave(struct limit_client *client, struct limit_table *table)
{
	if (!client->entered)
		return;
	limit_table_leave(table, client->host);
	limit_table_leave(table, client->network);
	client->entered = false;
}

enum limit
limit_take(const struct limit_client *client, struct limit_table *table,
    const struct conf *conf, enum limit_rate rate, uint64_t now_ms)
{
	enum limit limit;

	if (client->exempt || !client->entered)
		return LIMIT_COUNT;
	limit = judge(client, table, conf, rate, now_ms);
	if (limit == LIMIT_COUNT)
		charge(client, table, conf, rate, now_ms);
	return limit;
}

void
limit_failed(const struct limit_client *client, struct limit_table *table,
    const struct conf *conf, uint64_t now_ms)
{
	if (!client->exempt && client->entered)
		charge(client, table, conf, LIMIT_RATE_FAILURES, now_ms);
}

uint64_t
limit_error_delay_ms(const struct conf *conf, uint64_t before, uint64_t now)
{
	uint64_t first = conf->errors_before_delay, delay_ms = 0;

	/* The first error past the number costs one delay, the next one two. */
	for (uint64_t i = before > first ? before : first;
	     i < now && delay_ms < conf->error_delay_max_ms; i++)
		delay_ms += (i + 1 - first) * conf->error_delay_ms;
	return delay_ms < conf->error_delay_max_ms ? delay_ms : conf->error_delay_max_ms;
}

/* Whether a part of the most there may be is reached. */
static bool
is_near(uint64_t value, uint64_t max, uint64_t percent)
{
	return max > 0 && value >= max / 100 * percent + max % 100 * percent / 100 && value > 0;
}

bool
limit_stress_update(struct limit_stress *stress, const struct conf *conf, uint64_t sessions,
    uint64_t memory_bytes, uint64_t now_ms)
{
	uint64_t percent = conf->stress_percent;
	bool near;

	if (stress->on)
		percent -= percent / STRESS_END_PART;
	near = conf->stress_percent > 0 &&
	    (is_near(sessions, conf->sessions_max, percent) ||
		is_near(memory_bytes, conf->reception_bytes_max, percent));
	if (near == stress->on)
		return false;
	stress->on = near;
	if (near)
		stress->since_ms = now_ms;
	return true;
}

uint64_t
limit_stress_time(const struct limit_stress *stress, uint64_t timeout_ms)
{
	uint64_t short_ms = timeout_ms / STRESS_PART;

	if (short_ms < STRESS_TIME_MIN_MS)
		short_ms = STRESS_TIME_MIN_MS;
	return stress->on && short_ms < timeout_ms ? short_ms : timeout_ms;
}

uint64_t
limit_stress_count(const struct limit_stress *stress, uint64_t count)
{
	uint64_t fewer = count / STRESS_COUNT_PART;

	if (fewer < STRESS_COUNT_MIN)
		fewer = STRESS_COUNT_MIN;
	return stress->on && count > 0 && fewer < count ? fewer : count;
}
