/* What the files of another server share: sim_remote.c, its connections, and its dialogue. */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "sim_actors.h"

enum { REMOTE_RCPTS_MAX = 100 };

struct remote {
	struct remote_options options;
	struct sim *sim;
	struct io_listener *listener;
	struct io_op accept;
	struct list visits;
	uint64_t faults;
};

/* One connection to it. */
struct visit {
	struct list node;
	struct remote *remote;
	struct io_stream *stream;
	struct io_op read;
	struct io_timer timer;
	struct buf input, output, body;
	size_t input_used; /* bytes of input that were taken */
	bool seven_bits;   /* nobody was told of 8BITMIME */
	bool hello, mail, in_body, reading, waiting, closing, half_closed;
	bool forgetting; /* what comes now is lost */
	size_t output_piece; /* a tarpit's: so many bytes at a time; 0: all */
	char from[LETTER_ADDRESS_BYTES];
	char rcpts[REMOTE_RCPTS_MAX][LETTER_ADDRESS_BYTES];
	size_t rcpt_count;
};

/* Where something can go wrong. */
enum step {
	STEP_GREET,
	STEP_HELLO,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_BODY,
	STEP_END,
	STEP_QUIT
};

/* sim_remote.c */
uint64_t remote_chance(const struct visit *visit, uint64_t below);
/* Whether the mood has something go wrong now. */
bool remote_errs(const struct visit *visit);
__attribute__((format(printf, 2, 3))) void remote_say(
    struct visit *visit, const char *format, ...);
/* Sends what is to be said now; false where the visit is over. */
bool remote_flush(struct visit *visit);
/* True where a fault took the place of the reply; the visit may be over, then it is NULL. */
bool remote_fault(struct visit **at, enum step step);
/* It thinks for a while, and loses what comes meanwhile. */
void remote_forget(struct visit *visit);
void remote_visit_over(struct visit *visit, bool reset);

/* sim_remote_mail.c: a command, or a line of a message; the visit may be over, then it is NULL. */
void remote_take_command(struct visit **at, struct span line);
void remote_take_body_line(struct visit **at, struct span line);
