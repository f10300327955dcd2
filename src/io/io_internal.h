/*
 * Shared by the files that implement io.h over libuv; nobody else includes it.
 *
 * Sockets are watched by an epoll set of our own, and libuv's by the same set: a
 * turn of the loop waits once, tells the sockets that are ready, and runs libuv
 * (timers, work on threads, children, signals) where that has something to do.
 * All of these complete operations.  Before it waits again it runs the tasks that
 * were queued meanwhile, writes what streams keep, and writes the log.  Whatever
 * is queued by these waits for the next turn, so that a turn's work is bounded.
 *
 * Memory that holds a libuv handle is freed only by that handle's close
 * callback, never inside another callback of the same object; memory of a watch
 * only at the end of a turn, when no event of it is left to tell.
 */
#pragma once

#include <sys/socket.h>
#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/list.h"
#include "io/io.h"

enum {
	IO_CLOSE_MS = 5000, /* how long a closed stream may still write */
	IO_DNS_MS = 20000, /* how long a question may take */
	IO_ACCEPTS_PER_EVENT = 16,
	IO_EVENTS_PER_TURN = 256,
	IO_LOG_BYTES_MAX = 256 << 10,
	IO_THREADS = 8,
};

/* Something to do at the end of this turn; a member of what it is about. */
struct io_task {
	struct list link;
	void (*run)(struct io_task *task);
};

/* A descriptor in the epoll set; the first member of what it is about. */
struct io_watch {
	void (*ready)(struct io_watch *watch, uint32_t events);
	struct list grave; /* in io->graves, when it is over */
};

/*
 * A stream is in one of these states; set only by io_stream_move().
 *
 *   CONNECTING -> OPEN -> FLUSHING   io_close
 *                          -> LINGERING   all is written, input is unread
 *                 OPEN -> LOST       sending failed; what came in may be read
 *                          -> BROKEN
 *                 OPEN -> BROKEN     nothing is left
 *
 * Every state may go to GONE, by io_stream_destroy().
 */
enum io_stream_state {
	IO_STREAM_CONNECTING,
	IO_STREAM_OPEN,
	IO_STREAM_LOST,
	IO_STREAM_BROKEN,
	IO_STREAM_FLUSHING,
	IO_STREAM_LINGERING,
	IO_STREAM_GONE,
	IO_STREAM_STATE_COUNT,
};

/* A descriptor that goes with the byte at that place of a stream's buffer. */
struct io_passed {
	struct io_passed *next;
	size_t at;
	int fd;
};

struct io_stream {
	struct io_watch watch;
	struct io *io;
	struct list link; /* in io->streams */
	struct list dirty; /* in io->dirty */
	struct list closing; /* in io->closing */
	struct io_task input; /* completes connect, or a read that gets no bytes */
	struct io_task drained_task; /* completes drain */
	struct io_op *connect, *read, *drain;
	size_t drain_below;
	struct buf out; /* memory is held only while something is kept */
	size_t out_sent; /* bytes of out that are written */
	struct io_passed *passed; /* in order of their places */
	uint64_t deadline_ms; /* FLUSHING, LINGERING */
	int fd;
	bool watched; /* in the epoll set */
	bool watches_output; /* there also for when it can be written */
	bool readable; /* something may be there to read */
	bool ended;    /* nothing more will come than what is there; or it failed */
	bool drained;  /* all that was there is read */
	bool tcp;
	bool secret; /* what was read is wiped, and out is a secret buffer */
	enum io_stream_state state;
};

struct io_dns;
struct io_fetcher;

struct io {
	uv_loop_t loop;
	int epoll;
	struct io_fetcher *fetcher; /* NULL: nothing is fetched here */
	bool stopped;
	bool has_children; /* or had some */
	uv_timer_t awake; /* always active, so that libuv says how long to wait */
	uv_timer_t close_timer;
	struct list tasks; /* struct io_task */
	struct list dirty; /* streams to be written */
	struct list closing; /* streams by deadline, the first to end in front */
	struct list graves; /* watches that are over, freed at the end of the turn */
	struct list streams, listeners;
	struct list timers, timers_spare;
	struct list signals, children;
	struct list programs;
	struct list dirs, files;
	struct list locks;
	struct list foreign; /* descriptors of libraries that are watched */
	struct io_dns *dns; /* NULL: not asked for yet */
	uint64_t dns_timeout_ms;
	const char *dns_anchor; /* NULL: the root's keys, where no servers are named */
	char *read_bytes; /* IO_READ_BYTES, for whichever stream reads */
	bool ending; /* io_destroy runs: nothing completes any more */

	uv_timer_t log_timer;
	struct buf log;
	uint64_t log_lost; /* lines dropped that no line has told of yet */
	uint64_t log_lost_told; /* those that a line in the buffer tells of */
	int log_fd;
	bool log_syslog;
	bool log_cut; /* the last line written lacks its end so far */
	bool log_torn; /* and always will: the rest was dropped */
};

/* io_uv.c */
/* One turn of the loop; waits where there is nothing to do. */
void io_turn(struct io *io);
/* Prepares an op for a new operation. */
void io_op_start(struct io_op *op);
/* Watches a descriptor (EPOLL*); false where it cannot be. */
bool io_watch_add(struct io *io, int fd, struct io_watch *watch, uint32_t events);
void io_watch_change(struct io *io, int fd, struct io_watch *watch, uint32_t events);
/*
 * Forgets a descriptor before it is closed, and frees the watch a little later.  fd may be -1
 * where it is in no set, or where no other descriptor of it is left anywhere: to close the last
 * one takes it out.
 */
void io_watch_end(struct io *io, int fd, struct io_watch *watch);
void io_task_add(struct io *io, struct io_task *task);
/* Completes an op at the end of the turn, where it could not start or is done already. */
void io_op_end(struct io *io, struct io_op *op, enum err err);
/* A close callback: frees the handle's data. */
void io_handle_free(uv_handle_t *handle);
/* The error for libuv's negative errno. */
enum err io_err_from_uv(int status);

/* io_timer.c */
void io_timers_destroy(struct io *io);

/* io_stream.c */
/* A stream on a socket, or on -1 where there is none: that can only fail. */
struct io_stream *io_stream_create(
    struct io *io, int fd, enum io_stream_state state, bool tcp);
/* Whether an operation or output waits on it. */
bool io_stream_waits(const struct io_stream *stream);
void io_stream_move(struct io_stream *stream, enum io_stream_state next);
/* Ends it: closes the socket, forgets its operations, frees it a little later. */
void io_stream_destroy(struct io_stream *stream);
/* Has it written at the end of the turn. */
void io_stream_touch(struct io_stream *stream);
/* Nothing more can be sent: drops what is kept; drain, and soon read, end. */
void io_stream_fail(struct io_stream *stream, enum io_stream_state state);
/* What a connecting stream does once the socket is ready. */
void io_connect_finish(struct io_stream *stream);

/* io_send.c */
/* Writes what is kept, as far as the kernel takes it. */
void io_stream_write(struct io_stream *stream);
void io_stream_drop_output(struct io_stream *stream);
/* Completes drain where that is due. */
void io_stream_check_drain(struct io_stream *stream);

void io_streams_settle(struct io *io);
void io_streams_destroy(struct io *io);
/* When close_timer fires: ends the streams whose time is over. */
void io_streams_expire(uv_timer_t *timer);

/* io_listen.c */
/* The value of a socket address; family 0 for other than IP. */
struct net_addr io_addr_from(const struct sockaddr_storage *from);
struct net_addr io_addr_local(int fd);
void io_listeners_destroy(struct io *io);
bool io_listeners_wait(const struct io *io);

/* io_foreign.c */
void io_foreign_destroy(struct io *io);
void io_fetch_destroy(struct io *io);

/* io_spawn.c */
void io_children_destroy(struct io *io);

/* io_program.c */
void io_programs_destroy(struct io *io);
/* Whether one runs. */
bool io_programs_wait(const struct io *io);

/* io_file.c, io_dir.c */
void io_files_destroy(struct io *io);
void io_locks_destroy(struct io *io);

/* io_log.c */
void io_log_create(struct io *io);
/* Writes what the descriptor takes. */
void io_log_write(struct io *io);
/* The end of a turn: writes, or sees to it that it is written soon. */
void io_log_turn(struct io *io);
void io_log_destroy(struct io *io);

/* io_dns.c */
void io_dns_destroy(struct io *io);
