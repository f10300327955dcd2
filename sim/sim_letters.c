/*
 * Which letters there are: who writes to whom, how much, and when.
 */
#include <stdio.h>

#include "sim_world.h"

/* Kinds of recipients; of each a letter has at most one for each town or domain. */
enum kind {
	KIND_MAILBOX,
	KIND_ALIAS,
	KIND_STRANGER, /* a mailbox only where there is a catch-all */
	KIND_PROGRAM,
	KIND_OTHER_TOWN,
	KIND_REMOTE,
	KIND_GONE,    /* an address elsewhere that is the same for all letters, and is nobody's */
	KIND_REFUSED, /* from here on only where there are rules */
	KIND_DISCARDED,
	KIND_ALIAS_OF_BOTH, /* of one that is refused and one that is discarded */
	KIND_COUNT,
};

struct choice {
	enum kind kind;
	size_t town;
	const char *local, *domain;
};

static const struct choice choices[] = {
    {KIND_MAILBOX, 0, "ann", NULL},
    {KIND_MAILBOX, 0, "bob", NULL},
    {KIND_MAILBOX, 0, "ann", NULL},
    {KIND_ALIAS, 0, "both", NULL},
    {KIND_STRANGER, 0, "stranger", NULL},
    {KIND_PROGRAM, 0, "bot", NULL},
    {KIND_PROGRAM, 0, "bot2", NULL},
    {KIND_OTHER_TOWN, 1, "ann", NULL},
    {KIND_OTHER_TOWN, 2, "bob", NULL},
    {KIND_REMOTE, 0, "joe", "one.example"},
    {KIND_REMOTE, 0, "sue", "one.example"},
    {KIND_REMOTE, 0, "nobody", "one.example"},
    {KIND_REMOTE, 0, "joe", "two.example"},
    {KIND_REMOTE, 0, "joe", "three.example"},
    {KIND_REMOTE, 0, "sue", "three.example"},
    {KIND_REMOTE, 0, "max", "three.example"},
    {KIND_REMOTE, 0, "joe", "late.example"},
    {KIND_REMOTE, 0, "joe", "dead.example"},
    {KIND_REMOTE, 0, "joe", "addr.example"},
    {KIND_REMOTE, 0, "joe", "null.example"},
    {KIND_REMOTE, 0, "joe", "nowhere.example"},
    {KIND_REMOTE, 0, "joe", "four.example"},
    {KIND_REMOTE, 0, "sue", "four.example"},
    {KIND_REMOTE, 0, "max", "four.example"},
    {KIND_REMOTE, 0, "nobody", "four.example"},
    {KIND_GONE, 0, "gone", "one.example"},
    {KIND_REFUSED, 0, "joe", "closed.example"},
    {KIND_DISCARDED, 0, "joe", "trash.example"},
    {KIND_ALIAS_OF_BOTH, 0, "rest", NULL},
};

static void
add_key(struct oracle_rcpt *rcpt, struct sim_server *server, const char *name)
{
	struct oracle_key *key = &rcpt->keys[rcpt->key_count++];

	check(rcpt->key_count <= ORACLE_KEYS_MAX);
	key->server = server;
	snprintf(key->name, sizeof(key->name), "%s", name);
	memcpy(key->address, rcpt->address, sizeof(key->address));
}

static bool
has_address(const struct oracle_letter *letter, const char *address)
{
	for (unsigned i = 0; i < letter->rcpt_count; i++)
		if (strcmp(letter->rcpts[i].address, address) == 0)
			return true;
	return false;
}

/* What becomes of one that the server takes. */
static void
add_keys(struct oracle_rcpt *rcpt, const struct town *at, const struct choice *choice)
{
	switch (choice->kind) {
	case KIND_REMOTE:
	case KIND_GONE:
	case KIND_PROGRAM:
		add_key(rcpt, NULL, rcpt->address);
		break;
	case KIND_DISCARDED:
		add_key(rcpt, NULL, rcpt->address);
		rcpt->keys[0].discarded = true;
		break;
	case KIND_ALIAS_OF_BOTH:
		add_key(rcpt, NULL, "copy@closed.example");
		add_key(rcpt, NULL, "copy@trash.example");
		rcpt->keys[1].discarded = true;
		break;
	case KIND_ALIAS:
		add_key(rcpt, at->server, "dave");
		add_key(rcpt, NULL, "copy@one.example");
		break;
	case KIND_STRANGER:
		add_key(rcpt, at->server, "catch");
		break;
	case KIND_MAILBOX:
	case KIND_OTHER_TOWN:
		add_key(rcpt, at->server, choice->local);
		break;
	case KIND_REFUSED:
	case KIND_COUNT:
		break;
	}
}

static enum expect
expect_of(const struct town *at, const struct choice *choice, bool inside)
{
	bool elsewhere = choice->domain != NULL || choice->kind == KIND_OTHER_TOWN;

	if (elsewhere && !inside)
		return EXPECT_NO_RELAY;
	if (choice->kind == KIND_REFUSED || (choice->kind == KIND_STRANGER && !at->catch_all))
		return EXPECT_UNKNOWN;
	return EXPECT_OK;
}

/* What comes out with no letter's number in its recipient is known by its sender. */
static bool
needs_sender(enum kind kind)
{
	return kind == KIND_ALIAS || kind == KIND_GONE || kind == KIND_ALIAS_OF_BOTH;
}

static void
add_rcpt(struct world *world, struct oracle_letter *letter, const struct town *town,
    const struct choice *choice, bool inside)
{
	struct oracle_rcpt *rcpt = &letter->rcpts[letter->rcpt_count];
	const struct town *at = town;
	char address[LETTER_ADDRESS_BYTES];

	if (choice->kind == KIND_OTHER_TOWN) {
		at = &world->towns[((size_t)(town - world->towns) + choice->town) %
		    WORLD_SERVERS_MAX];
		if (at >= world->towns + world->town_count)
			return;
	}
	if ((needs_sender(choice->kind) && letter->letter.from[0] == '\0') ||
	    (choice->kind >= KIND_REFUSED && !world->has_rules))
		return;
	if (choice->kind == KIND_GONE)
		snprintf(address, sizeof(address), "%s@%s", choice->local, choice->domain);
	else
		snprintf(address, sizeof(address), "%s+T%06u@%s%s", choice->local,
		    letter->letter.number, choice->kind == KIND_PROGRAM ? "pipe." : "",
		    choice->domain ? choice->domain : at->domain);
	if (letter->rcpt_count == LETTER_RCPTS_MAX || has_address(letter, address))
		return;
	*rcpt = (struct oracle_rcpt){0};
	memcpy(rcpt->address, address, sizeof(address));
	letter->rcpt_count++;
	rcpt->expect = expect_of(at, choice, inside);
	if (rcpt->expect == EXPECT_OK)
		add_keys(rcpt, at, choice);
}

static void
choose_sender(struct world *world, struct oracle_letter *letter, const struct town *town,
    bool inside)
{
	char *from = letter->letter.from;
	unsigned number = letter->letter.number;
	uint64_t kind = dice_below(&world->dice, 12);

	if (kind == 0)
		from[0] = '\0';
	else if (kind == 1)
		snprintf(from, LETTER_ADDRESS_BYTES, "eve+B%06u@nowhere.example", number);
	else if (kind == 2 && !town->catch_all)
		letter->bad_sender = snprintf(from, LETTER_ADDRESS_BYTES, "gone+B%06u@%s", number,
		    town->domain) > 0;
	else if (inside && kind < 8)
		snprintf(from, LETTER_ADDRESS_BYTES, "ann+B%06u@%s", number, town->domain);
	else
		snprintf(from, LETTER_ADDRESS_BYTES, "eve+B%06u@origin.example", number);
}

static size_t
choose_bytes(struct dice *dice, bool is_bulk)
{
	uint64_t kind = dice_below(dice, 100);

	if (is_bulk && kind < 80)
		return 20000 + dice_below(dice, 90000);
	if (kind == 0)
		return 1000000 + dice_below(dice, 500000);
	if (kind < 8)
		return dice_below(dice, 300000);
	return dice_below(dice, kind < 20 ? 40000 : 3000);
}

static void
write_letter(struct world *world, struct town *town)
{
	struct dice *dice = &world->dice;
	struct oracle_letter *letter = oracle_letter_add(world->oracle);
	bool inside = dice_below(dice, 4) > 0;
	uint64_t count = dice_below(dice, 3) ? 1 + dice_below(dice, 2) : 1 + dice_below(dice, 30);
	uint64_t at_ms = sim_now_ms(world->sim) + dice_below(dice, world->duration_ms);

	letter->first = town->server;
	letter->letter.seed = dice_next(dice);
	letter->letter.shape = dice_below(dice, 2) ? LETTER_PLAIN
	                                           : dice_below(dice, LETTER_SHAPE_COUNT);
	if (world->is_old && dice_below(dice, 2))
		letter->letter.shape = LETTER_8BIT;
	letter->letter.body_bytes = choose_bytes(dice, world->is_bulk);
	choose_sender(world, letter, town, inside);
	while (letter->rcpt_count == 0)
		for (uint64_t i = 0; i < count; i++)
			add_rcpt(world, letter, town, &choices[dice_below(dice, LEN(choices))],
			    inside);
	if (inside)
		sender_add(town->inside[dice_below(dice, town->inside_count)], letter, at_ms);
	else
		sender_add(town->outside[dice_below(dice, town->outside_count)], letter, at_ms);
}

void
world_write_letters(struct world *world)
{
	uint64_t count = 5 + dice_below(&world->dice, dice_below(&world->dice, 4) ? 40 : 150);

	if (world->is_bulk)
		count += 150;
	for (uint64_t i = 0; i < count; i++)
		write_letter(world, &world->towns[world->is_bulk ? 0
		                               : dice_below(&world->dice, world->town_count)]);
}
