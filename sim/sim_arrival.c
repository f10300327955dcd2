/*
 * What comes out: a message that another server took, or a file in a Maildir.  Whose letter it is,
 * whether it is the letter byte for byte, whether it may be there, and whether it may be there a
 * second time.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/id.h"
#include "sim_oracle.h"

const struct oracle_key *
arrival_find_key(struct oracle_letter *letter, struct sim_server *server, struct span name)
{
	for (unsigned i = 0; i < letter->rcpt_count; i++)
		for (unsigned j = 0; j < letter->rcpts[i].key_count; j++) {
			const struct oracle_key *key = &letter->rcpts[i].keys[j];

			if (key->server == server && span_eq(name, span_str(key->name)))
				return key;
		}
	return NULL;
}

/* The key of a recipient that a bounce names: an address elsewhere, or one of a Maildir. */
static const struct oracle_key *
find_named(struct oracle_letter *letter, struct span address)
{
	const struct oracle_key *key = arrival_find_key(letter, NULL, address);

	for (unsigned i = 0; i < letter->rcpt_count && !key; i++)
		for (unsigned j = 0; j < letter->rcpts[i].key_count && !key; j++)
			if (span_eq(address, span_str(letter->rcpts[i].keys[j].address)))
				key = &letter->rcpts[i].keys[j];
	return key;
}

static struct sim_server *
find_server(struct oracle *oracle, struct span host)
{
	struct sim_server *server;

	for (size_t i = 0; (server = sim_server_at(oracle_sim(oracle), i)) != NULL; i++)
		if (span_eq(host, span_str(sim_server_name(server))))
			return server;
	return NULL;
}

/* What follows a word in a text, up to a space, a semicolon or a line end. */
static struct span
word_after(struct span text, const char *before)
{
	const char *at = memmem(text.ptr, text.len, before, strlen(before));
	struct span rest;
	size_t end = 0;

	if (!at)
		return SPAN("");
	rest = span_skip(text, (size_t)(at - text.ptr) + strlen(before));
	while (end < rest.len && !strchr(" ;\r\n", rest.ptr[end]))
		end++;
	return span_first(rest, end);
}

static void
read_chain(struct oracle *oracle, struct span bytes, struct oracle_chain *chain)
{
	for (unsigned i = 0; chain->count < ORACLE_CHAIN_MAX; i++) {
		struct span received = letter_trace_field(bytes, SPAN("Received:"), i);
		struct sim_server *server = find_server(oracle, word_after(received, "\tby "));
		uint64_t id;

		if (!server || id_parse(word_after(received, " id "), &id) != OK)
			return;
		chain->hops[chain->count].server = server;
		chain->hops[chain->count++].id = id;
	}
}

static bool
same_chain(const struct oracle_chain *a, const struct oracle_chain *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (a->hops[i].server != b->hops[i].server || a->hops[i].id != b->hops[i].id)
			return false;
	return true;
}

/* A second copy by the same way: something must have happened between the two. */
static void
check_second(struct oracle *oracle, struct oracle_letter *letter,
    const struct oracle_copy *copy, unsigned before, const struct oracle_copy *last)
{
	struct sim_server *server = copy->chain.hops[0].server;
	uint64_t id = copy->chain.hops[0].id;
	const char *why = NULL;

	oracle_count(oracle)->duplicates++;
	if (copy->key->server) {
		if (witness_excuse_count(oracle_witness(oracle), server, id, copy->key) >= before)
			why = "counted";
	} else if (!last->replied) {
		why = "no reply was given";
	} else {
		why = witness_excuse(oracle_witness(oracle), server, id, copy->key, last->at_ms,
		    copy->at_ms);
	}
	if (!why)
		sim_fail(oracle_sim(oracle),
		    "property 2: a second copy of T%06u for <%s>, and no reason",
		    letter->letter.number, copy->key->address);
	sim_trace(oracle_sim(oracle), "second copy of T%06u: %s", letter->letter.number, why);
}

/* Two ids of one letter at a server, by one id at the server before it. */
static void
check_fork(struct oracle *oracle, struct oracle_letter *letter,
    const struct oracle_copy *copy, const struct oracle_copy *other)
{
	unsigned at = copy->chain.count - 1;

	if (copy->chain.count < 2 || other->chain.count != copy->chain.count ||
	    copy->chain.hops[at].id != other->chain.hops[at].id ||
	    copy->chain.hops[0].id == other->chain.hops[0].id)
		return;
	oracle_count(oracle)->duplicates++;
	if (witness_excuse_count(oracle_witness(oracle), copy->chain.hops[1].server,
	        copy->chain.hops[1].id, copy->key) == 0)
		sim_fail(oracle_sim(oracle),
		    "property 2: T%06u was handed on twice for <%s>, and no reason",
		    letter->letter.number, copy->key->address);
}

static void
check_may_exist(struct oracle *oracle, struct oracle_letter *letter,
    const struct oracle_copy *copy)
{
	unsigned index = 0, possible = 0;

	while (index + 1 < letter->rcpt_count &&
	    !(copy->key >= letter->rcpts[index].keys &&
	        copy->key < letter->rcpts[index].keys + ORACLE_KEYS_MAX))
		index++;
	for (unsigned i = 0; i < letter->try_count; i++)
		possible += letter->tries[i].state != TRY_REFUSED &&
		    (letter->tries[i].rcpt_mask >> index & 1);
	if (possible == 0)
		sim_fail(oracle_sim(oracle),
		    "property 9: T%06u came out for <%s>, though no try was taken",
		    letter->letter.number, copy->key->address);
}

static void
add_copy(struct oracle *oracle, struct oracle_letter *letter, const struct oracle_copy *new)
{
	struct oracle_copy *copy = mem_alloc(sizeof(*copy));
	const struct oracle_copy *last = NULL;
	unsigned before = 0;

	*copy = *new;
	copy->at_ms = sim_now_ms(oracle_sim(oracle));
	list_for_each(node, &letter->copies)
	{
		struct oracle_copy *other = container_of(node, struct oracle_copy, node);

		if (other->key != copy->key || other->bounce != copy->bounce)
			continue;
		if (same_chain(&other->chain, &copy->chain)) {
			last = other;
			before++;
		} else if (!copy->bounce) {
			check_fork(oracle, letter, copy, other);
		}
	}
	if (!letter->loose)
		check_may_exist(oracle, letter, copy);
	if (last && !copy->bounce)
		check_second(oracle, letter, copy, before, last);
	list_push(&letter->copies, &copy->node);
}

/* What a notification says of the recipient that rest begins with; false: it ends by that. */
static bool
only_tells(struct oracle *oracle, const struct oracle_letter *letter, struct span rest)
{
	struct span action = word_after(rest, "\nAction: ");

	if (span_eq(action, SPAN("failed")))
		return false;
	if (!letter_asks(&letter->letter) || letter->loose)
		sim_fail(oracle_sim(oracle), "property 4: nobody asked to be told of T%06u: %.*s",
		    letter->letter.number, SPAN_ARGS(action));
	oracle_count(oracle)->notices++;
	return true;
}

/* A notification has come: each recipient that it says has failed has its end. */
static void
take_bounce(struct oracle *oracle, struct oracle_letter *letter,
    const struct oracle_mail *mail, const struct oracle_chain *way)
{
	struct sim *sim = oracle_sim(oracle);
	struct span rest = mail->bytes;
	struct span host = word_after(rest, "\nReporting-MTA: dns; ");
	struct oracle_copy copy = {.bounce = true, .replied = mail->replied};
	const char *header = memmem(rest.ptr, rest.len, "text/rfc822-headers", 19);
	unsigned named = 0, failed = 0;
	struct span address;

	(void)way;
	if (letter->letter.from[0] == '\0')
		sim_fail(sim, "property 5: a bounce for T%06u, which has a null reverse-path",
		    letter->letter.number);
	copy.chain.count = 1;
	copy.partial = true;
	copy.chain.hops[0].server = find_server(oracle, host);
	if (id_parse(word_after(rest, "\nX-Postrider-Queue-ID: "), &copy.chain.hops[0].id) ||
	    !copy.chain.hops[0].server)
		sim_fail(sim, "property 4: a bounce that does not say of what");
	if (header) {
		struct oracle_chain chain = {0};

		rest = span_skip(rest, (size_t)(header - rest.ptr) + 19);
		rest = span_skip(rest, rest.ptr[0] == '\r' ? 4 : 2);
		read_chain(oracle, rest, &chain);
		if (chain.count > 0) {
			copy.chain = chain;
			copy.partial = false;
		}
	}
	rest = mail->bytes;
	while ((address = word_after(rest, "\nFinal-Recipient: rfc822; ")).len > 0) {
		rest = span_skip(rest, (size_t)(address.ptr - rest.ptr));
		copy.key = find_named(letter, address);
		if (!copy.key)
			sim_fail(sim, "property 4: a bounce of T%06u names <%.*s>",
			    letter->letter.number, SPAN_ARGS(address));
		if (!only_tells(oracle, letter, rest)) {
			add_copy(oracle, letter, &copy);
			failed++;
		}
		named++;
	}
	if (named == 0)
		sim_fail(sim, "property 4: a bounce of T%06u names nobody", letter->letter.number);
	oracle_count(oracle)->bounces += failed > 0;
}

/* What is read in pieces is checked as a whole once, and may rot after that. */
static bool
may_have_rotted(
    struct oracle *oracle, const struct oracle_mail *mail, const struct oracle_chain *chain)
{
	enum { PIECE_BYTES = 60000 }; /* in a Maildir CRs are gone */

	for (unsigned i = 0; i < chain->count; i++)
		if (mail->bytes.len > PIECE_BYTES &&
		    witness_rot_count(oracle_witness(oracle), chain->hops[i].server) > 0)
			return true;
	return false;
}

/* It is the letter, or, at a server without 8BITMIME, decodes to it. */
static bool
is_letter(const struct letter *letter, const struct oracle_mail *mail, bool kept_here)
{
	struct span copied = letter_without_trace(mail->bytes);
	struct buf bytes;
	bool same;

	if (letter_is_same(letter, copied, kept_here))
		return true;
	if (letter->shape != LETTER_8BIT || !mail->seven_bits)
		return false;
	buf_init(&bytes, 2 * LETTER_BYTES_MAX);
	same = letter_unconvert(&bytes, copied) && letter_is_same(letter, buf_span(&bytes), false);
	buf_fini(&bytes);
	return same;
}

static void
take_letter(struct oracle *oracle, struct oracle_letter *letter,
    const struct oracle_mail *mail, bool kept_here, struct oracle_copy *copy)
{
	struct sim *sim = oracle_sim(oracle);

	if (letter->forbidden)
		sim_fail(sim, "property 7: T%06u must never come out, and is at %s",
		    letter->letter.number, mail->where);
	if (!letter->loose && !is_letter(&letter->letter, mail, kept_here) &&
	    !may_have_rotted(oracle, mail, &copy->chain))
		sim_fail(sim, "property 3: T%06u is not what was sent, at %s",
		    letter->letter.number, mail->where);
	if (!span_eq(mail->from, span_str(letter->letter.from)))
		sim_fail(sim, "property 3: T%06u has another sender, <%.*s>, at %s",
		    letter->letter.number, SPAN_ARGS(mail->from), mail->where);
	if (copy->chain.count == 0 ||
	    copy->chain.hops[copy->chain.count - 1].server != letter->first)
		sim_fail(sim, "property 3: T%06u does not say which way it came, at %s",
		    letter->letter.number, mail->where);
	oracle_count(oracle)->copies++;
	add_copy(oracle, letter, copy);
}

static struct oracle_letter *
letter_of(struct oracle *oracle, const struct oracle_mail *mail, struct span rcpt)
{
	unsigned number = letter_number_in(rcpt, 'T');

	if (number == 0)
		number = letter_number_in(mail->from, 'B');
	return oracle_letter(oracle, number);
}

void
arrival_take(struct oracle *oracle, const struct oracle_mail *mail, bool kept_here,
    const struct oracle_key *place)
{
	struct sim *sim = oracle_sim(oracle);
	struct oracle_chain chain = {0};

	read_chain(oracle, mail->bytes, &chain);
	for (size_t i = 0; i < mail->rcpt_count; i++) {
		struct span rcpt = mail->rcpts[i];
		struct oracle_letter *of = oracle_letter(oracle, letter_number_in(rcpt, 'B'));
		struct oracle_letter *letter = letter_of(oracle, mail, rcpt);
		struct oracle_copy copy = {.chain = chain, .replied = mail->replied};

		if (of && mail->from.len == 0) {
			take_bounce(oracle, of, mail, &chain);
			continue;
		}
		if (letter)
			copy.key = place ? arrival_find_key(letter, place->server,
			                       span_str(place->name))
			                 : arrival_find_key(letter, NULL, rcpt);
		if (letter && letter->forbidden)
			copy.key = &letter->rcpts[0].keys[0];
		if (!copy.key)
			sim_fail(sim, "property 7: nobody sent this to <%.*s> from <%.*s>, at %s",
			    SPAN_ARGS(rcpt), SPAN_ARGS(mail->from), mail->where);
		take_letter(oracle, letter, mail, kept_here, &copy);
	}
}
