/* A bounce being made: bounce.c lets it live, bounce_message.c writes it.  For them alone. */
#pragma once

#include "mime/dsn.h"
#include "proc/queue/queue_internal.h"

/*
 * One bounce being made: the envelope is read where it is not at hand, lookup is asked, the header
 * is read, the spool writes.
 */
struct bounce {
	struct queue *queue;
	struct message *message;
	struct list node; /* in queue->bounces */
	bool reading;     /* the envelope */
	unsigned told_of; /* bits of enum watch_due: it takes long; 0: recipients end */
	bool notice;      /* it is for postmaster, before the sender is told */
	bool noticed;     /* that is done, or is not to be done */
	const char *lost; /* why nobody else can be told; NULL: the sender can */
	uint64_t query;   /* 0: lookup is to be asked (again) */
	uint32_t *rcpts;  /* whom it tells of, by index; NULL: all that are BOUNCING */
	uint32_t rcpt_count;
	struct buf bytes; /* of the message's envelope, while it is read */
	struct buf targets;
	char *header;     /* or the whole message, where it is to be returned */
	enum dsn_action worst;
	bool is_8bit;
	struct io_op read;
	uint64_t id;
	struct buf envelope, body;
	struct store_op put;
};

/* bounce.c */

/* Those that are BOUNCING now; whoever fails later has a bounce of its own. */
void bounce_gather(struct bounce *bounce);
/* Whether its sender wants to be told of the recipient, which the bounce is about. */
bool bounce_is_told(const struct bounce *bounce, uint32_t index);
void bounce_get_rcpt(const struct bounce *bounce, uint32_t index, struct sched_rcpt *rcpt);
enum end_kind bounce_end_of(const struct bounce *bounce, const struct sched_rcpt *rcpt);

/* bounce_notice.c */

/* Whether postmaster gets a notice first; lost: why nobody else can be told, or NULL. */
bool bounce_is_noticed(struct bounce *bounce, const char *lost);
/* Adds his address. */
void bounce_write_postmaster(const struct queue *queue, struct buf *out);

/* bounce_message.c */

/* How much of the message is to be read, so as to return it or its header. */
size_t bounce_bytes_to_read(const struct bounce *bounce);
/*
 * Writes its body, from what was read of the message into header.  False: its sender is to be told
 * of nobody any more.
 */
bool bounce_write_body(struct bounce *bounce, size_t header_bytes);
void bounce_write_envelope(struct bounce *bounce);
