/* What the files of a sender share: sim_client.c is the dialogue, sim_client_wire.c the bytes. */
#pragma once

#include "base/arena.h"
#include "sim_actors.h"

enum { SENDER_JOBS_MAX = 1000, SENDER_WANTS_MAX = 64 };

/* What the next reply answers. */
enum want_kind {
	WANT_GREETING,
	WANT_EHLO,
	WANT_MAIL,
	WANT_RCPT,
	WANT_DATA,
	WANT_CHUNK,
	WANT_END,
	WANT_RESET,
	WANT_QUIT,
};

struct want {
	enum want_kind kind;
	unsigned rcpt;
};

struct job {
	struct oracle_letter *letter;
	uint32_t open_mask; /* recipients that are not settled */
	uint64_t due_ms;
	unsigned tries;
};

struct sender {
	struct sender_options options;
	struct job jobs[SENDER_JOBS_MAX];
	size_t job_count;
	struct job *job; /* under way */

	struct io_stream *stream;
	bool connecting;
	struct io_op connect, read, drain;
	struct io_timer timer; /* the reply is late; or, without a session, the next is due */
	struct io_timer pause;
	struct buf input, reply; /* bytes; the lines of the reply so far */
	struct want wants[SENDER_WANTS_MAX];
	size_t want_count;

	bool offers_pipelining, offers_chunking, offers_8bit, offers_dsn;
	bool pipelined, by_bdat, mail_ok;
	uint32_t accepted; /* recipients that got a 250 */
	struct buf body;
	size_t given, chunk_end;
	unsigned chunks;
	bool chunk_is_last, sending, draining;
	unsigned try;
	bool try_open;
};

struct sim *sender_sim(const struct sender *sender);
void sender_take_reply(struct sender *sender, unsigned code, struct span text);
void sender_session_over(struct sender *sender);

void sender_wire_init(struct sender *sender);
void sender_connect(struct sender *sender);
void sender_give_up(struct sender *sender);
