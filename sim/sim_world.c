/*
 * Who is there: servers with their configuration, clients inside and outside, other servers, and
 * the zone that names them all.
 */
#include "sim_world.h"

#include <stdio.h>

static const char *const town_names[WORLD_SERVERS_MAX] = {"alpha", "beta", "gamma"};

struct net_addr
world_addr(unsigned a, unsigned b, unsigned c)
{
	struct net_addr addr = {.family = 4, .port = 25};

	addr.bytes[0] = 10;
	addr.bytes[1] = (uint8_t)a;
	addr.bytes[2] = (uint8_t)b;
	addr.bytes[3] = (uint8_t)c;
	return addr;
}

/* Two addresses, of which the own one is new; what it may not send goes from the other. */
static void
write_sources(struct dice *dice, const struct town *town, struct buf *conf)
{
	unsigned share = 1 + (unsigned)dice_below(dice, 40);

	buf_addf(conf, "send from 10.0.0.%u weight 5\nsend from 10.0.9.%u, 10.0.9.%u\n",
	    town->addr.bytes[3], town->addr.bytes[3], town->addr.bytes[3] + 100);
	buf_addf(conf, "warm up 10.0.0.%u from 2020-01-01 with %u a day times 1 at most %u\n",
	    town->addr.bytes[3], share, share);
}

/* Beta sends some of its mail through alpha; the last town keeps strangers' mail. */
static void
write_conf(struct world *world, const struct town *town, size_t index, struct buf *conf)
{
	static const char *const waits[] = {"2 m, 5 m, 10 m, 1 h", "30 s, 1 m, 2 m", "4 m, 20 m"};
	struct dice *dice = &world->dice;

	buf_addf(conf, "hostname %s\naccept mail for %s, pipe.%s\n", town->host, town->domain,
	    town->domain);
	buf_addf(conf,
	    "pipe mail for pipe.%s to \"/bin/robot {sender} x{detail} {id}\" as robot time %u s "
	    "processes %u\n",
	    town->domain, 2 + (unsigned)dice_below(dice, 200), 1 + (unsigned)dice_below(dice, 5));
	buf_add_str(conf, "mailboxes from mailboxes\naliases from aliases\n");
	buf_add_str(conf, "deliver to maildir /mail as vmail\nlisten smtp on *:25\nspool /spool\n");
	buf_add_str(conf, "control socket /run/control\nlog as logfmt to stderr\n");
	buf_add_str(conf, "relay for 10.1.0.0/16, 10.0.0.0/16\n");
	if (dice_below(dice, 2))
		write_sources(dice, town, conf);
	buf_addf(conf, "reception processes %u\ndelivery processes %u\n",
	    1 + (unsigned)dice_below(dice, 2), 1 + (unsigned)dice_below(dice, 2));
	if (index == 1 && dice_below(dice, 2))
		buf_add_str(conf,
		    "send mail for one.example, two.example through mx.alpha.example\n");
	if (world->has_lmtp)
		buf_add_str(conf, "send mail for four.example by lmtp mx.four.example:25\n");
	if (world->has_spare)
		buf_add_str(conf, "fall back to mx.spare.example\n");
	if (world->has_rules)
		buf_add_str(conf,
		    "refuse mail for closed.example with 550 5.1.6 \"It is closed\"\n"
		    "discard mail for trash.example\n");
	buf_addf(conf, "limits {\n\tcommand timeout %u m\n\tdata timeout %u m\n}\n",
	    1 + (unsigned)dice_below(dice, 5), 1 + (unsigned)dice_below(dice, 5));
	buf_add_str(conf, "queue {\n\tsegment size 1 MB\n\tdisk reserve 1 MB\n");
	buf_addf(conf, "\tretry after %s\n", waits[dice_below(dice, LEN(waits))]);
	buf_add_str(conf, "\ttell of delay after 30 s\n");
	if (dice_below(dice, 2))
		buf_addf(
		    conf, "\tsuppress unknown addresses for %d m\n", ORACLE_SUPPRESS_MIN);
	if (dice_below(dice, 3) == 0)
		buf_addf(conf, "\tconnections per destination %u\n\tconnections at first 1\n",
		    1 + (unsigned)dice_below(dice, 2));
	buf_addf(conf, "\texpire after %llu m\n}\n",
	    (unsigned long long)(world->expire_ms / 60000));
	buf_addf(conf, "delivery {\n\treply timeout %u m\n\trecipients per transaction %u\n}\n",
	    1 + (unsigned)dice_below(dice, 5), 1 + (unsigned)dice_below(dice, 20));
}

static void
add_senders(struct world *world, struct town *town, size_t index)
{
	struct sender_options options = {
	    .oracle = world->oracle, .mood = &world->mood, .to = town->addr};
	struct net_addr addr;

	town->inside_count = 1 + dice_below(&world->dice, WORLD_SENDERS_MAX);
	for (size_t i = 0; i < town->inside_count; i++) {
		addr = world_addr(1, (unsigned)index, (unsigned)i + 1);
		options.io = sim_actor_io(world->sim, &addr);
		options.name = "desk.client.example";
		town->inside[i] = sender_create(&options);
	}
	town->outside_count = 1 + dice_below(&world->dice, 2);
	for (size_t i = 0; i < town->outside_count; i++) {
		addr = world_addr(2, (unsigned)index, (unsigned)i + 1);
		options.io = sim_actor_io(world->sim, &addr);
		options.name = "mail.origin.example";
		town->outside[i] = sender_create(&options);
	}
}

static struct oracle_letter *
add_hostile_letter(struct world *world, const struct town *town, bool forbidden)
{
	struct oracle_letter *letter = oracle_letter_add(world->oracle);
	struct oracle_rcpt *rcpt = &letter->rcpts[0];

	letter->loose = true;
	letter->forbidden = forbidden;
	letter->first = town->server;
	snprintf(letter->letter.from, sizeof(letter->letter.from), "evil+B%06u@origin.example",
	    letter->letter.number);
	snprintf(rcpt->address, sizeof(rcpt->address), "eve+T%06u@%s", letter->letter.number,
	    town->domain);
	rcpt->keys[rcpt->key_count].server = town->server;
	snprintf(rcpt->keys[rcpt->key_count++].name, sizeof(rcpt->keys[0].name), "eve");
	memcpy(rcpt->keys[0].address, rcpt->address, sizeof(rcpt->keys[0].address));
	letter->rcpt_count = 1;
	snprintf(letter->rcpts[1].address, sizeof(rcpt->address), "joe+T%06u@one.example",
	    letter->letter.number);
	return letter;
}

static void
add_town(struct world *world, size_t index)
{
	struct town *town = &world->towns[index];
	char mailboxes[400], aliases[200];
	struct sim_file files[2] = {
	    {.path = "/etc/postrider/mailboxes"}, {.path = "/etc/postrider/aliases"}};
	struct buf conf;
	struct net_addr addr = world_addr(3, (unsigned)index, 1);

	snprintf(town->domain, sizeof(town->domain), "%s.example", town_names[index]);
	snprintf(town->host, sizeof(town->host), "mx.%s.example", town_names[index]);
	town->addr = world_addr(0, 0, (unsigned)index + 1);
	town->catch_all = dice_below(&world->dice, 3) == 0;
	snprintf(mailboxes, sizeof(mailboxes),
	    "ann@%s: ann\nbob@%s: bob\neve@%s: eve\n%s%s%s", town->domain, town->domain,
	    town->domain, town->catch_all ? "@" : "", town->catch_all ? town->domain : "",
	    town->catch_all ? ": catch\n" : "");
	snprintf(aliases, sizeof(aliases), "both@%s: dave, copy@one.example\n"
					 "rest@%s: copy@closed.example, "
					 "copy@trash.example\n",
	    town->domain, town->domain);
	files[0].text = span_str(mailboxes);
	files[1].text = span_str(aliases);
	buf_init(&conf, 8192);
	write_conf(world, town, index, &conf);
	town->server = sim_server_add(
	    world->sim, town->host, &town->addr, buf_span(&conf), files, LEN(files));
	buf_fini(&conf);
	zone_add_domain(world->zone, town->domain, ZONE_MX);
	zone_add_mx(world->zone, town->domain, 10, town->host);
	zone_add_host(world->zone, town->host, &town->addr);
	add_senders(world, town, index);
	town->bait = add_hostile_letter(world, town, false);
	town->smuggled = add_hostile_letter(world, town, true);
	town->hostile = hostile_create(world->oracle, sim_actor_io(world->sim, &addr), &town->addr,
	    town->bait, town->smuggled, (unsigned)dice_below(&world->dice, 12),
	    world->duration_ms / 12 + 1);
	addr = world_addr(4, (unsigned)index, 1);
	town->operator =
	    operator_create(world->oracle,
	        sim_actor_io_beside(world->sim, &addr, town->server), town->server);
}

static struct remote_options
remote_options(struct world *world, const char *host, unsigned number)
{
	return (struct remote_options){
	    .oracle = world->oracle,
	    .mood = &world->mood,
	    .name = host,
	    .addr = world_addr(5, 0, number),
	    .rcpt_max = dice_below(&world->dice, 4) ? 100 : 3,
	    .pipelining = dice_below(&world->dice, 2),
	    .seven_bits = dice_below(&world->dice, 3) == 0,
	    .slow_ppm = dice_below(&world->dice, 3) ? 0 : 100000,
	    .forgets = dice_below(&world->dice, 6) == 0,
	};
}

static void
open_remote(struct world *world, struct remote_options *options)
{
	check(world->remote_count < WORLD_REMOTES_MAX);
	options->io = sim_actor_io(world->sim, &options->addr);
	world->remotes[world->remote_count++] = remote_create(options);
}

static void
add_remote(struct world *world, const char *host, unsigned number, const char *first,
    const char *second)
{
	struct remote_options options = remote_options(world, host, number);

	options.domains[options.domain_count++] = first;
	if (second)
		options.domains[options.domain_count++] = second;
	options.seven_bits |= world->is_old && strcmp(first, "one.example") == 0;
	options.lmtp = world->has_lmtp && strcmp(first, "four.example") == 0;
	if (options.lmtp && dice_below(&world->dice, 2))
		options.cut_ppm = 100000;
	open_remote(world, &options);
}

/* It takes what other servers would, and nothing for the towns. */
static void
add_spare(struct world *world, const char *host, unsigned number)
{
	static const char *const domains[] = {"one.example", "two.example", "three.example",
	    "origin.example", "late.example", "dead.example", "addr.example"};
	struct remote_options options = remote_options(world, host, number);

	for (size_t i = 0; i < LEN(domains); i++)
		options.domains[options.domain_count++] = domains[i];
	options.stands_in = true;
	open_remote(world, &options);
}

void
world_start_late(struct world *world)
{
	add_remote(world, "mx.late.example", 9, "late.example", NULL);
	if (world->has_lmtp && world->has_spare)
		add_remote(world, "mx.four.example", 7, "four.example", NULL);
}

static void
add_domain(struct zone *zone, const char *domain, const char *host, const char *second)
{
	zone_add_domain(zone, domain, ZONE_MX);
	zone_add_mx(zone, domain, 10, host);
	if (second)
		zone_add_mx(zone, domain, 20, second);
}

static void
add_rest_of_the_internet(struct world *world)
{
	static const char *const hosts[] = {"mx1.one.example", "mx2.one.example",
	    "mx.three.example", "addr.example", "mx.origin.example", "mx.dead.example",
	    "mx.four.example", "mx.spare.example"};
	struct zone *zone = world->zone;
	struct net_addr late = world_addr(5, 0, 9);

	for (unsigned i = 0; i < LEN(hosts); i++) {
		struct net_addr addr = world_addr(5, 0, i + 1);

		zone_add_host(zone, hosts[i], &addr);
	}
	zone_add_host(zone, "mx.late.example", &late);
	add_domain(zone, "one.example", "mx1.one.example", "mx2.one.example");
	add_domain(zone, "two.example", "mx1.one.example", NULL);
	add_domain(zone, "three.example", "mx.three.example", NULL);
	add_domain(zone, "origin.example", "mx.origin.example", NULL);
	add_domain(zone, "late.example", "mx.late.example", NULL);
	add_domain(zone, "dead.example", "mx.dead.example", NULL);
	add_domain(zone, "four.example", "mx.four.example", NULL);
	zone_add_domain(zone, "null.example", ZONE_NULL_MX);
	add_remote(world, hosts[0], 1, "one.example", "two.example");
	add_remote(world, hosts[1], 2, "one.example", NULL);
	add_remote(world, hosts[2], 3, "three.example", NULL);
	add_remote(world, hosts[3], 4, "addr.example", NULL);
	add_remote(world, hosts[4], 5, "origin.example", NULL);
	/* What a route sends there waits for it, and falls back to nobody. */
	if (!world->has_lmtp || !world->has_spare)
		add_remote(world, hosts[6], 7, "four.example", NULL);
	if (world->has_spare)
		add_spare(world, hosts[7], 8);
}

static void
choose_mood(struct world *world)
{
	static const uint32_t ppms[] = {0, 0, 1000, 20000, 100000};
	struct dice *dice = &world->dice;

	world->mood.client_ppm = ppms[dice_below(dice, LEN(ppms))] / 4;
	world->mood.remote_ppm = ppms[dice_below(dice, LEN(ppms))];
	world->mood.dns_ppm = ppms[dice_below(dice, LEN(ppms))];
	world->mood.program_ppm = 4 * ppms[dice_below(dice, LEN(ppms))];
	world->mood.dns_signed = dice_below(dice, 2) == 0;
}

void
world_build(struct world *world)
{
	/* Most are short, since an idle server costs as much as a busy one; few take a day. */
	static const uint64_t minutes[] = {2, 5, 5, 10, 10, 30, 60, 1440};
	static const uint64_t expiries[] = {5, 10, 20, 20, 60, 60, 240, 1440};
	bool is_long = dice_below(&world->dice, 40) == 0 && !world->is_restless;

	world->duration_ms = 60000 * minutes[dice_below(&world->dice, LEN(minutes) - !is_long)];
	world->expire_ms = 60000 * expiries[dice_below(&world->dice, LEN(expiries) - !is_long)];
	world->is_bulk = dice_below(&world->dice, 10) == 0;
	world->is_old = dice_below(&world->dice, 8) == 0;
	world->late_ms = dice_below(&world->dice, world->duration_ms);
	world->has_lmtp = dice_below(&world->dice, 3) > 0;
	world->has_spare = dice_below(&world->dice, 3) == 0;
	world->has_rules = dice_below(&world->dice, 2) == 0;
	choose_mood(world);
	world->zone = zone_create(world->sim, &world->mood);
	world->robots = robots_create(world->oracle, &world->mood);
	add_rest_of_the_internet(world);
	world->town_count = 1 + dice_below(&world->dice, WORLD_SERVERS_MAX);
	for (size_t i = 0; i < world->town_count; i++)
		add_town(world, i);
	world_write_letters(world);
}

void
world_destroy(struct world *world)
{
	for (size_t i = 0; i < world->town_count; i++) {
		struct town *town = &world->towns[i];

		for (size_t j = 0; j < town->inside_count; j++)
			sender_destroy(town->inside[j]);
		for (size_t j = 0; j < town->outside_count; j++)
			sender_destroy(town->outside[j]);
		hostile_destroy(town->hostile);
		operator_destroy(town->operator);
	}
	for (size_t i = 0; i < world->remote_count; i++)
		remote_destroy(world->remotes[i]);
	zone_destroy(world->zone);
	robots_destroy(world->robots);
	oracle_destroy(world->oracle);
}
