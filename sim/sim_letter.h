/*
 * Letters: the messages that well-behaved clients send, each with a number of its own and with
 * bytes that can be made again from it at any time, so that every copy that comes out somewhere
 * can be named and compared without being kept.
 *
 * The number is in each address of the envelope ("ann+T000017@...", and "eve+B000017@..." for the
 * sender), so that a letter without a single byte, or a bounce of one, can be told too.
 */
#pragma once

#include "base/buf.h"

enum {
	LETTER_RCPTS_MAX = 24,
	LETTER_BYTES_MAX = 2 << 20,
	LETTER_ADDRESS_BYTES = 160,
};

enum letter_shape {
	LETTER_PLAIN,
	LETTER_EMPTY,  /* not even a header */
	LETTER_DOTS,   /* every line begins with a dot or two, or is one */
	LETTER_LONG,   /* lines near the limit */
	LETTER_COMMANDS, /* a body that looks like a dialogue */
	LETTER_8BIT,
	LETTER_NO_BODY, /* a header alone, without the empty line */
	LETTER_SHAPE_COUNT,
};

/* The stream of numbers that a letter's bytes, or a seed's scenario, are made from. */
struct dice {
	uint64_t state;
};
uint64_t dice_next(struct dice *dice);
/* Below max; 0 where max is 0. */
uint64_t dice_below(struct dice *dice, uint64_t max);

struct letter {
	unsigned number; /* from 1 */
	uint64_t seed;
	enum letter_shape shape;
	size_t body_bytes; /* about */
	char from[LETTER_ADDRESS_BYTES]; /* reverse-path; "" is null */
};

/* Whether its sender asks, by DSN, to be told of success and of delay too. */
static inline bool
letter_asks(const struct letter *letter)
{
	return letter->seed % 3 == 0;
}

/* Adds the bytes of the letter, lines ending with CRLF, not stuffed. */
void letter_write(struct buf *out, const struct letter *letter);
/* The number behind a mark ("T000017", 'T': the letter; 'B': its sender); 0: there is none. */
unsigned letter_number_in(struct span text, char mark);
/* The rest without the fields that servers put in front: Received, Return-Path, Delivered-To. */
struct span letter_without_trace(struct span bytes);
/* A field of the trace in front of the letter, the nth of its name; "" where there is none. */
struct span letter_trace_field(struct span bytes, struct span name, unsigned nth);
/* True where the copy (without trace) is the letter; in a Maildir lines end with LF alone. */
bool letter_is_same(const struct letter *letter, struct span copy, bool maildir);
/*
 * Adds the copy of an 8-bit letter as it was before it was converted for a server without 8BITMIME;
 * false: it is no such copy, or not one of seven bits.
 */
bool letter_unconvert(struct buf *out, struct span copy);
