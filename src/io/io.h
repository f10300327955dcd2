/*
 * Everything that a role does to the outside world goes through here: clock,
 * timers, randomness, sockets, files, child processes, DNS, the log.  io_uv.c
 * and its neighbours implement it over libuv; the simulator has its own.
 *
 * Operations are completions: they start now and finish later, exactly once,
 * never inside the call that started them, by a call of op->done.  The caller
 * owns the op (usually a member of a larger struct) and what it points to, and
 * keeps both alive until then.  One op serves one operation at a time.
 *
 * A file operation whose op has no done function runs at once, in the call, and
 * leaves its result in the op.  That is for start-up and for tests only.
 */
#pragma once

#include "base/err.h"
#include "base/net.h"
#include "base/span.h"

enum {
	IO_WRITE_SPANS_MAX = 512, /* spans of one io_pwrite */
	IO_READ_BYTES = 65536,    /* the most that one io_read gives */
	IO_SEND_BYTES_MAX = 128 << 20, /* what a stream keeps for a slow peer */
};

struct io;
struct io_op;
struct io_stream;
struct io_listener;
struct io_file;
struct io_dir;
struct io_dns_answer;
struct buf;

typedef void io_done(struct io_op *op);

/* What is filled in depends on the operation; see each. */
struct io_op {
	io_done *done;
	void *owner; /* the caller's, untouched */
	enum err err;
	size_t count;
	struct span bytes;         /* io_read: valid until done returns */
	int fd;                    /* io_read: a descriptor that came along, or -1 */
	struct io_stream *stream;  /* io_accept, io_connect */
	struct net_addr peer;      /* io_accept */
	struct net_addr local;     /* io_accept: what the listener is bound to */
	struct io_file *file;      /* io_open */
	const struct io_dns_answer *answer; /* io_dns: valid until done returns */
	int status;                /* io_spawn: exit status, or 128 + signal */
	void *impl;                /* the implementation's, while under way */
};

/* Life.  A role gets its io ready made; programs make one. */
struct io *io_create(void);
void io_destroy(struct io *io);
/* Runs until io_stop, or until nothing is left to wait for. */
void io_run(struct io *io);
void io_stop(struct io *io);

/* Clock and chance. */
uint64_t io_now_ms(struct io *io);  /* never goes back; as of this turn of the loop */
uint64_t io_wall_ms(struct io *io); /* since 1970, UTC; may jump */
void io_random(struct io *io, void *bytes, size_t count);

/* One line for the log, without its line end.  Written soon, with others. */
void io_log(struct io *io, struct span line);
/* Where io_log writes: a descriptor (2 at first), and whether it is a syslog socket. */
void io_log_to(struct io *io, int fd, bool syslog);

/* Timers: one shot; the struct is the caller's. */
struct io_timer {
	void (*fired)(struct io_timer *timer);
	void *owner;
	void *impl;
};
/* Starts, or starts again with another delay. */
void io_timer_start(struct io *io, struct io_timer *timer, uint64_t delay_ms);
/* After this it doesn't fire; safe at any time. */
void io_timer_stop(struct io *io, struct io_timer *timer);

/* Listening.  The descriptor listens already (the supervisor made it); it stays open. */
MUST_USE enum err io_listener_open(struct io *io, int fd, struct io_listener **listener);
void io_listener_close(struct io_listener *listener);
/* Gives op->stream, op->peer, op->local (the listener's).  ERR_DESCRIPTORS: wait a little. */
void io_accept(struct io_listener *listener, struct io_op *op);

/*
 * Streams: TCP, or a socketpair to another role.
 *
 * io_send never blocks and never fails for the caller: bytes are kept and written at the end of
 * the turn.  A stream that keeps more than IO_SEND_BYTES_MAX, or whose peer is gone, is broken:
 * the next io_read ends with ERR_CLOSED (where the peer is gone, after what it had sent).
 * io_pending says how much is kept; whoever can produce without bound stops at a limit of its
 * own and waits with io_drain.
 */
/*
 * op->stream is set at once: io_abort of it gives the attempt up, and op doesn't complete.  Where
 * the attempt fails op->stream is NULL when op completes.
 */
void io_connect(struct io *io, struct io_op *op, const struct net_addr *to);
/* As io_connect, from an address of this host; ERR_NO_ADDRESS: it lacks that. */
void io_connect_from(struct io *io, struct io_op *op, const struct net_addr *to,
    const struct net_addr *from);
/* A stream on a connected socket; takes the descriptor. */
struct io_stream *io_stream_open(struct io *io, int fd);
/*
 * Waits for bytes: op->bytes, at most IO_READ_BYTES.  ERR_END: the peer closed its side.  At
 * most one read at a time.  While none is under way nothing is taken from the kernel.
 */
void io_read(struct io_stream *stream, struct io_op *op);
void io_send(struct io_stream *stream, struct span bytes);
/*
 * What goes through the stream from now on is wiped from memory once it was written, or, of what is
 * read, once op->done has returned.
 */
void io_stream_secret(struct io_stream *stream);
/*
 * As io_send, with a descriptor beside the bytes (Unix sockets), of which there is at least one;
 * fd is duplicated.  The other side gets it with the read that gives the first of the bytes.
 */
void io_send_fd(struct io_stream *stream, struct span bytes, int fd);
/* Closes a descriptor that came along with a read and that nobody wants. */
void io_fd_close(int fd);
size_t io_pending(const struct io_stream *stream);
/* Completes when at most below bytes are kept, or with ERR_CLOSED. */
void io_drain(struct io_stream *stream, struct io_op *op, size_t below);
/*
 * Ends the stream: what is kept is still written for a while, then the socket is closed.
 * Operations under way on it never complete.  NULL is nothing.
 */
void io_close(struct io_stream *stream);
/* As io_close, but at once, with a TCP reset. */
void io_abort(struct io_stream *stream);
/*
 * Sends and waits, blocking the role, for exactly reply_bytes bytes: only for the keyring's
 * signatures, which stand in for a computation.  ERR_TIMEOUT, ERR_CLOSED.
 */
MUST_USE enum err io_call(struct io_stream *stream, struct span request, char *reply,
    size_t reply_bytes, uint64_t timeout_ms);

/*
 * Directories and files.  Names are relative to a directory that was opened before the role
 * gave up its rights; they hold no "/" at the start and no "..".
 */
MUST_USE enum err io_dir_open(struct io *io, const char *path, struct io_dir **dir);
void io_dir_close(struct io_dir *dir);
/* Bytes that an unprivileged user may still write on its file system. */
MUST_USE enum err io_dir_space(struct io_dir *dir, uint64_t *bytes_free);
/* Calls each once per name, in no order, at once; start-up only. */
MUST_USE enum err io_dir_list(struct io_dir *dir, const char *name,
    void (*each)(void *owner, const char *name), void *owner);
/* Takes the lock of a file in the directory for as long as the process lives; ERR_BUSY. */
MUST_USE enum err io_dir_lock(struct io_dir *dir, const char *name);

enum io_open_flags {
	IO_OPEN_READ = 1,
	IO_OPEN_WRITE = 2,   /* with READ */
	IO_OPEN_CREATE = 4,  /* ERR_EXISTS where it is there */
};
void io_open(struct io_dir *dir, struct io_op *op, const char *name, unsigned flags);
/* Closes, in no hurry; after a write its durability was io_sync's business. */
void io_file_close(struct io_file *file);
uint64_t io_file_bytes(struct io_file *file); /* size when opened, grown by writes */
/* Reads up to count bytes; op->count less than that only at the end of the file. */
void io_pread(struct io_file *file, struct io_op *op, void *into, size_t count,
    uint64_t offset);
/* Writes all spans (the array is copied, the bytes are not); short writes are continued. */
void io_pwrite(struct io_file *file, struct io_op *op, const struct span *spans,
    size_t span_count, uint64_t offset);
/* fdatasync.  An error means that what was written may be gone: never try again. */
void io_sync(struct io_file *file, struct io_op *op);
/* Makes the file at least so long, with blocks on the disk. */
void io_allocate(struct io_file *file, struct io_op *op, uint64_t bytes);
void io_truncate(struct io_file *file, struct io_op *op, uint64_t bytes);
void io_rename(struct io_dir *dir, struct io_op *op, const char *from, const char *to);
/* Gives the file a second name; ERR_EXISTS. */
void io_link(struct io_dir *dir, struct io_op *op, const char *from, const char *to);
void io_unlink(struct io_dir *dir, struct io_op *op, const char *name);
/* ERR_EXISTS where it is there. */
void io_mkdir(struct io_dir *dir, struct io_op *op, const char *name);
/* fsync of the directory itself (name NULL or ""), or of one below it. */
void io_dir_sync(struct io_dir *dir, struct io_op *op, const char *name);

/* DNS: one question, validated where the zone is signed. */
enum io_dns_type {
	IO_DNS_A = 1,
	IO_DNS_CNAME = 5,
	IO_DNS_PTR = 12,
	IO_DNS_MX = 15,
	IO_DNS_TXT = 16,
	IO_DNS_AAAA = 28,
	IO_DNS_TLSA = 52,
};
struct io_dns_answer {
	unsigned rcode;     /* 0: no error; 3: no such name */
	bool secure, bogus; /* DNSSEC */
	uint32_t ttl_s;
	struct span canonical; /* where aliases (CNAME) led; "": the name is none */
	const struct span *records; /* RDATA as on the wire, names uncompressed */
	size_t record_count;
};
/* Before the first io_dns: which servers to ask; none means those of /etc/resolv.conf. */
MUST_USE enum err io_dns_servers(
    struct io *io, const struct net_addr *servers, size_t count);
/*
 * Before io_dns_servers: the file with the keys that DNSSEC begins with, for servers that are
 * named; without it their answers are believed as they come.  The path is kept.
 */
void io_dns_anchor(struct io *io, const char *path);
/*
 * ERR_DNS, ERR_TIMEOUT: no answer; ERR_SYNTAX: no name; else OK and op->answer, whose rcode is 0
 * or 3, or, where it is bogus, 2 and without records.
 */
void io_dns(struct io *io, struct io_op *op, struct span name, enum io_dns_type type);

/*
 * HTTPS: one GET, by libcurl on another thread.  No redirects, no proxy, no name server: the caller
 * says where the host is.  The certificate is checked, for the host.
 */
enum { IO_FETCH_WHY_BYTES = 256 };
struct io_fetch {
	const char *host, *path; /* of the URL */
	struct net_addr addr;    /* where the host is, with the port */
	uint64_t timeout_ms;
	struct buf *body; /* has a maximum, and is empty */
	unsigned status;  /* set: of HTTP; 0: none came */
	char why[IO_FETCH_WHY_BYTES]; /* set: what failed, for people */
};
/*
 * Before the first io_fetch, while files can be read: loads the library.  roots: the issuers that
 * are trusted, in PEM, which stay; "": those of the system, read at each fetch.  ERR_NOT_FOUND.
 */
MUST_USE enum err io_fetch_prepare(struct io *io, struct span roots);
/*
 * OK: the body of a reply with status 200.  ERR_CRYPTO: no certificate that can be trusted;
 * ERR_TIMEOUT; ERR_TOO_LONG: the body; ERR_NOT_FOUND: another status; ERR_UNREACHABLE: all else.
 */
void io_fetch(struct io *io, struct io_op *op, struct io_fetch *fetch);

/* Runs work on another thread (the simulator: at once); it may touch only its argument. */
void io_work(struct io *io, struct io_op *op, void (*work)(void *argument), void *argument);

/* Child processes: the supervisor's roles, the mailbox's pipes. */
struct io_spawn_options {
	char *const *argv;      /* argv[0] is the path */
	char *const *envp;
	const int *fds;         /* descriptor i of the child is fds[i] of ours */
	size_t fd_count;
};
/* ERR_* where it can't start; else *pid is set, and op completes when it ends: op->status. */
MUST_USE enum err io_spawn(struct io *io, struct io_op *op,
    const struct io_spawn_options *options, int *pid);
MUST_USE enum err io_kill(struct io *io, int pid, int signal);

/*
 * Programs of others, which are given something to read and not believed (the pipe role's): each in
 * a session of its own, with nothing of ours but what it reads and where its words go.
 *
 *   create, write ...                what it reads from its standard input, in memory, complete
 *                                    before it starts: it never sees a part as if it were all
 *   start                            completes when it has ended
 *   destroy                          before the start, or when it has ended
 */
struct io_program;
struct io_program_options {
	const char *const *argv; /* argv[0] is the path; all end with NULL */
	const char *const *envp;
	const char *directory;   /* it starts there; where that cannot be, in "/" */
	struct buf *output;      /* what it says, with its maximum; what is more is thrown away */
};
/* ERR_DESCRIPTORS, ERR_MEMORY. */
MUST_USE enum err io_program_create(struct io *io, struct io_program **program);
/* ERR_MEMORY; then the program can only be destroyed. */
MUST_USE enum err io_program_write(struct io_program *program, struct span bytes);
/*
 * Completes when the program has ended, with op->status as io_spawn's, whoever still has its output
 * open; or with why it could not be started (ERR_NOT_FOUND, ERR_DENIED, ...).  What options points
 * to is needed in the call only, but for output.  When this process ends it gets SIGTERM.
 */
void io_program_start(struct io_program *program, struct io_op *op,
    const struct io_program_options *options);
/*
 * While it runs: a signal to it and to what it started in its process group; who of these is left
 * when it ends is killed then.
 */
void io_program_signal(struct io_program *program, int signal);
/* NULL is nothing. */
void io_program_destroy(struct io_program *program);
/* Calls fired in the loop for each delivery of the signal; io_run doesn't go on for that alone. */
void io_signal(struct io *io, int signal, void (*fired)(void *owner), void *owner);
/*
 * Calls ready in the loop whenever a descriptor can be read that is a library's own (the epoll set
 * of an HTTP server), until the io ends; io_run doesn't go on for that alone.
 */
MUST_USE enum err io_watch_fd(
    struct io *io, int fd, void (*ready)(void *owner), void *owner);
