/*
 * Letters, the tries to hand them over, and the account at the end.
 */
#include "sim_oracle.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/id.h"
#include "sim_audit.h"

enum { LETTERS_MAX = 2000, CLOSE_MS = 10 };

struct oracle {
	struct sim *sim;
	struct witness *witness;
	struct oracle_letter **letters;
	unsigned letter_count;
	struct oracle_numbers numbers;
	unsigned unexplained[ORACLE_SERVERS_MAX]; /* lost without the log naming them */
};

struct oracle *
oracle_create(struct sim *sim)
{
	struct oracle *oracle = mem_alloc(sizeof(*oracle));

	oracle->sim = sim;
	oracle->letters = mem_alloc(LETTERS_MAX * sizeof(struct oracle_letter *));
	oracle->witness = witness_create(oracle);
	return oracle;
}

void
oracle_destroy(struct oracle *oracle)
{
	for (unsigned i = 0; i < oracle->letter_count; i++) {
		struct list *node;

		while ((node = list_pop(&oracle->letters[i]->copies)) != NULL)
			mem_free(container_of(node, struct oracle_copy, node));
		mem_free(oracle->letters[i]);
	}
	witness_destroy(oracle->witness);
	mem_free(oracle->letters);
	mem_free(oracle);
}

struct oracle_numbers
oracle_numbers(const struct oracle *oracle)
{
	return oracle->numbers;
}

struct oracle_numbers *
oracle_count(struct oracle *oracle)
{
	return &oracle->numbers;
}

struct sim *
oracle_sim(struct oracle *oracle)
{
	return oracle->sim;
}

struct witness *
oracle_witness(struct oracle *oracle)
{
	return oracle->witness;
}

struct oracle_letter *
oracle_letter_add(struct oracle *oracle)
{
	struct oracle_letter *letter = mem_alloc(sizeof(*letter));

	if (oracle->letter_count == LETTERS_MAX)
		sim_fail(oracle->sim, "the oracle has too many letters");
	list_init(&letter->copies);
	oracle->letters[oracle->letter_count++] = letter;
	letter->letter.number = oracle->letter_count;
	return letter;
}

struct oracle_letter *
oracle_letter(struct oracle *oracle, unsigned number)
{
	return number > 0 && number <= oracle->letter_count ? oracle->letters[number - 1] : NULL;
}

unsigned
oracle_letter_count(const struct oracle *oracle)
{
	return oracle->letter_count;
}

void
oracle_rcpt_replied(
    struct oracle *oracle, struct oracle_letter *letter, unsigned rcpt, unsigned code)
{
	const struct oracle_rcpt *to = &letter->rcpts[rcpt];

	if (to->expect == EXPECT_OK && code >= 500 &&
	    !witness_may_suppress(
	        oracle->witness, span_str(to->address), letter->letter.from))
		sim_fail(oracle->sim, "property 6: <%s> is ours or may be relayed to, and got %u",
		    to->address, code);
	if (to->expect != EXPECT_OK && code < 400)
		sim_fail(oracle->sim, "property 6: <%s> must be refused, and got %u", to->address,
		    code);
}

unsigned
oracle_try_sent(struct oracle *oracle, struct oracle_letter *letter, uint32_t rcpt_mask)
{
	struct oracle_try *try;

	if (letter->try_count == ORACLE_TRIES_MAX)
		sim_fail(oracle->sim, "property 11: T%06u was tried %u times and not taken",
		    letter->letter.number, letter->try_count);
	try = &letter->tries[letter->try_count];
	try->rcpt_mask = rcpt_mask;
	try->sent_ms = sim_now_ms(oracle->sim);
	return letter->try_count++;
}

static void
check_id_is_new(struct oracle *oracle, const struct oracle_letter *letter, uint64_t id)
{
	for (unsigned i = 0; i < oracle->letter_count; i++) {
		const struct oracle_letter *other = oracle->letters[i];

		if (other->first != letter->first)
			continue;
		for (unsigned j = 0; j < other->try_count; j++)
			if (other->tries[j].state == TRY_PROMISED && other->tries[j].id == id)
				sim_fail(oracle->sim, "property 8: one id for two messages");
	}
}

void
oracle_try_over(struct oracle *oracle, struct oracle_letter *letter, unsigned number,
    enum try_state state, uint64_t id)
{
	struct oracle_try *try = &letter->tries[number];
	char text[ID_TEXT_MAX];

	check(try->state == TRY_OPEN && state != TRY_OPEN);
	if (state == TRY_PROMISED) {
		check_id_is_new(oracle, letter, id);
		oracle->numbers.promised++;
		sim_trace(oracle->sim, "promised T%06u %.*s", letter->letter.number,
		    SPAN_ARGS(id_text(text, id)));
	} else if (state == TRY_DOUBT) {
		oracle->numbers.doubts++;
	}
	try->state = state;
	try->id = id;
	try->end_ms = sim_now_ms(oracle->sim);
}

void
oracle_remote_took(struct oracle *oracle, const struct oracle_mail *mail)
{
	arrival_take(oracle, mail, false, NULL);
}

void
oracle_remote_knows_not(struct oracle *oracle, struct span address, struct span from)
{
	witness_unknown(oracle->witness, address, from);
}

void
oracle_program_took(struct oracle *oracle, const struct oracle_mail *mail)
{
	arrival_take(oracle, mail, true, NULL);
}

void
oracle_audit(struct oracle *oracle, struct sim_server *server, bool drained)
{
	uint64_t live = 0;

	if (witness_was_hurt(oracle->witness, server))
		return;
	if (!audit_server(oracle->sim, server, &live) && drained)
		sim_fail(oracle->sim, "property 14: ledger and spool of %s cannot be read",
		    sim_server_name(server));
	if (drained && live > 0)
		sim_fail(oracle->sim,
		    "property 14: the spool of %s has %u messages, its queue has none",
		    sim_server_name(server), (unsigned)live);
}

/* One file of a server's Maildirs. */
struct reading {
	struct oracle *oracle;
	struct sim_server *server;
};

static void
read_file(void *owner, const char *name, struct span bytes)
{
	struct reading *reading = owner;
	struct oracle_key place = {.server = reading->server};
	struct span to = letter_trace_field(bytes, SPAN("Delivered-To:"), 0);
	struct span from = letter_trace_field(bytes, SPAN("Return-Path:"), 0);
	struct oracle_mail mail = {
	    .bytes = bytes,
	    .rcpts = &to,
	    .rcpt_count = 1,
	    .where = name,
	    .replied = true,
	};

	if (!strstr(name, "/new/"))
		return;
	snprintf(place.name, sizeof(place.name), "%.*s",
	    (int)span_find(span_str(name), '/'), name);
	if (from.len >= 2)
		from = span_of(from.ptr + 1, from.len - 2);
	mail.from = from;
	arrival_take(reading->oracle, &mail, true, &place);
}

bool
oracle_is_promised(const struct oracle_letter *letter, uint64_t id)
{
	for (unsigned i = 0; i < letter->try_count; i++)
		if (letter->tries[i].state == TRY_PROMISED && letter->tries[i].id == id)
			return true;
	return false;
}

static bool
is_end(const struct oracle_copy *copy, const struct oracle_letter *letter,
    const struct oracle_key *key, uint64_t id)
{
	unsigned last = copy->chain.count - 1;

	if (copy->key != key)
		return false;
	if (copy->partial && (copy->chain.hops[last].server != letter->first ||
	        !oracle_is_promised(letter, copy->chain.hops[last].id)))
		return true;
	return copy->chain.hops[last].id == id;
}

/* A server of the chain says that it is damaged, or lost bytes that nobody could name. */
static bool
may_be_lost(struct oracle *oracle, struct oracle_letter *letter, uint64_t id)
{
	struct sim_server *server;

	if (witness_was_damaged(oracle->witness, letter->first, id))
		return true;
	for (size_t i = 0; (server = sim_server_at(oracle->sim, i)) != NULL; i++) {
		if (witness_lost_segment(oracle->witness, server))
			return true;
		if (oracle->unexplained[i] < witness_rot_count(oracle->witness, server)) {
			oracle->unexplained[i]++;
			return true;
		}
	}
	return false;
}

static void
check_promise(struct oracle *oracle, struct oracle_letter *letter,
    const struct oracle_try *try, const struct oracle_key *key)
{
	char text[ID_TEXT_MAX];

	list_for_each(node, &letter->copies)
	{
		struct oracle_copy *copy = container_of(node, struct oracle_copy, node);

		if (is_end(copy, letter, key, try->id))
			return;
	}
	if (witness_was_deleted(oracle->witness, letter->first, try->id) ||
	    witness_was_deleted_later(oracle->witness, letter) ||
	    witness_was_dropped(oracle->witness, letter, key, letter->first, try->id) ||
	    (key->discarded &&
	        witness_was_discarded(oracle->witness, key, letter->first, try->id)) ||
	    may_be_lost(oracle, letter, try->id))
		return;
	sim_fail(oracle->sim, "property 1: T%06u, promised as %.*s at %s to <%s>, has no end",
	    letter->letter.number, SPAN_ARGS(id_text(text, try->id)),
	    sim_server_name(letter->first), key->address);
}

/* Every id that a copy came with is of a try that may have been stored. */
static void
check_tries(struct oracle *oracle, struct oracle_letter *letter, const struct oracle_key *key)
{
	uint64_t unknown[ORACLE_TRIES_MAX];
	unsigned unknown_count = 0, doubts = 0;

	for (unsigned i = 0; i < letter->try_count; i++)
		doubts += letter->tries[i].state == TRY_DOUBT ||
		    letter->tries[i].state == TRY_OPEN;
	list_for_each(node, &letter->copies)
	{
		struct oracle_copy *copy = container_of(node, struct oracle_copy, node);
		uint64_t id = copy->chain.hops[copy->chain.count - 1].id;
		bool known = copy->key != key || copy->partial || oracle_is_promised(letter, id);

		for (unsigned i = 0; i < unknown_count && !known; i++)
			known = unknown[i] == id;
		if (known)
			continue;
		if (unknown_count == doubts)
			sim_fail(oracle->sim,
			    "property 9: T%06u came out for <%s>, though no try was taken",
			    letter->letter.number, key->address);
		unknown[unknown_count++] = id;
	}
}

void
oracle_check_end(struct oracle *oracle)
{
	struct sim_server *server;

	for (size_t i = 0; (server = sim_server_at(oracle->sim, i)) != NULL; i++) {
		struct reading reading = {oracle, server};

		sim_server_each_file(server, "/mail", true, read_file, &reading);
		oracle_audit(oracle, server, true);
	}
	for (unsigned i = 0; i < oracle->letter_count; i++) {
		struct oracle_letter *letter = oracle->letters[i];

		if (letter->loose)
			continue;
		for (unsigned j = 0; j < letter->rcpt_count; j++)
			for (unsigned k = 0; k < letter->rcpts[j].key_count; k++)
				check_tries(oracle, letter, &letter->rcpts[j].keys[k]);
		for (unsigned t = 0; t < letter->try_count; t++)
			for (unsigned j = 0; j < letter->rcpt_count; j++)
				for (unsigned k = 0; k < letter->rcpts[j].key_count &&
				     letter->tries[t].state == TRY_PROMISED &&
				     letter->tries[t].rcpt_mask >> j & 1;
				     k++)
					check_promise(oracle, letter, &letter->tries[t],
					    &letter->rcpts[j].keys[k]);
	}
}
