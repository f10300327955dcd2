/* What the files of the simulated world share; actors and properties use sim.h only. */
#pragma once

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "sim/sim.h"

enum {
	SIM_SECTOR = 512, /* what a disk writes whole or not at all */
	SIM_BLOCK = 4096, /* in which space is given out */
	SIM_FDS_MAX = 256,
	SIM_HOSTS_MAX = 256,
	SIM_PARTITIONS_MAX = 16,
};

/*
 * Something that will happen.  It is a member of what it is about; io says whose it is: when that
 * role dies, drop is called in the place of fire.
 */
struct sim_event {
	uint64_t at_us, number;
	size_t place; /* in the heap, from 1; 0: not there */
	void (*fire)(struct sim_event *event);
	void (*drop)(struct sim_event *event); /* NULL: nothing to do */
	struct io *io;                         /* NULL: the world's own */
	struct list link;                      /* in io->events */
	const char *name;
	bool critical; /* a moment at which to die is of more interest than at others */
};

/* A role's memory, freed at once at its death. */
struct sim_pool {
	struct list blocks;
	uint64_t bytes, peak, bytes_max;
};

struct sim_host {
	struct net_addr addr;
	size_t index;
	bool on;
	int64_t wall_offset_ms;
	uint64_t boot_us; /* when its monotonic clock began */
	uint16_t next_port;
	struct sim_server *server; /* NULL: an actor's */
	const struct sim_host *beside; /* what passes between them crosses no network; or NULL */
	struct list sockets;       /* listening */
};

enum sim_fd_kind { SIM_FD_NONE, SIM_FD_SOCKET, SIM_FD_STREAM };

struct sim_fd {
	enum sim_fd_kind kind;
	union {
		struct sim_socket *socket;
		struct io_stream *stream;
	};
};

struct io {
	struct sim *sim;
	struct sim_host *host;
	struct sim_life *life; /* NULL: an actor */
	struct sim_pool *pool; /* NULL: an actor */
	struct list link;      /* in sim->ios */
	unsigned number;
	struct list events, streams, listeners, files, dirs, locks;
	size_t descriptors; /* open */
	struct sim_fd fds[SIM_FDS_MAX];
	bool stopped;
	bool gone; /* nothing of it may run any more */
};

struct sim_partition {
	struct sim_host *a, *b;
	uint64_t until_us;
};

struct sim {
	struct sim_options options;
	uint64_t chance[4]; /* xoshiro256** */
	uint64_t now_us, number, steps, hash;
	uint64_t wall_base_ms;
	struct sim_event **heap; /* [1 ..] by (at_us, number) */
	size_t heap_count, heap_room;
	struct sim_pool pool; /* the world's own memory */
	struct sim_host *hosts[SIM_HOSTS_MAX];
	size_t host_count;
	struct list ios, servers;
	unsigned next_io;
	struct sim_partition partitions[SIM_PARTITIONS_MAX];
	uint64_t event_counts[SIM_EVENT_COUNT];
	void (*on_event)(
	    void *, enum sim_event_kind, struct sim_server *, enum proc);
	void *on_event_owner;
	void (*on_log)(void *, struct sim_server *, struct span);
	void *on_log_owner;
	void (*on_dns)(void *, struct span, enum io_dns_type, struct sim_dns_answer *);
	void *on_dns_owner;
	enum err (*on_fetch)(void *, struct span, struct buf *);
	void *on_fetch_owner;
	const struct sim_programs *programs; /* NULL: all end with 0 at once */
	struct sim_dns_answer dns_answer; /* while a question completes */
	struct io_dns_answer dns_given;
};

/* sim_memory.c: whose code runs, and what it may allocate. */
struct sim_current {
	struct sim *sim;
	struct io *io;
	struct sim_pool *pool; /* NULL: plain memory */
};
struct sim_current *sim_current(void);
/* While a property or an actor is told something, nothing is charged to the role that runs. */
static inline struct sim_current
sim_step_out(struct sim *sim)
{
	struct sim_current was = *sim_current();

	*sim_current() = (struct sim_current){.sim = sim};
	return was;
}
void sim_pool_init(struct sim_pool *pool, uint64_t bytes_max);
void sim_pool_free(struct sim_pool *pool);
/* The world's memory, whoever runs. */
void *sim_alloc(struct sim *sim, size_t bytes);
void *sim_grow(struct sim *sim, void *ptr, size_t bytes);
void sim_free(void *ptr);
char *sim_copy(struct sim *sim, const char *string);

/* sim_event.c */
void sim_event_start(struct sim *sim, struct sim_event *event, uint64_t delay_us);
void sim_event_start_at(struct sim *sim, struct sim_event *event, uint64_t at_us);
void sim_event_stop(struct sim *sim, struct sim_event *event);
bool sim_event_waits(const struct sim_event *event);
struct sim_event *sim_event_next(struct sim *sim);
/* Drops every event of an io. */
void sim_events_drop(struct io *io);

/* sim.c */
void sim_hash(struct sim *sim, uint64_t value);
void sim_hash_bytes(struct sim *sim, struct span bytes);
void sim_happened(struct sim *sim, enum sim_event_kind kind, struct sim_server *server,
    enum proc proc);
/* 1 .. max, more often small. */
uint64_t sim_delay_us(struct sim *sim, uint64_t max);
/* For a trace line that is costly to make. */
static inline bool
sim_is_verbose(const struct sim *sim)
{
	return sim->options.verbose;
}

/* sim_clock.c */
struct io *sim_io_create(struct sim *sim, struct sim_host *host);
/* Nothing of it completes any more; kernel-side objects live on. */
void sim_io_kill(struct io *io, bool power_cut);
void sim_op_start(struct io_op *op);
/* Completes an op a little later with an error. */
void sim_op_fail(struct io *io, struct io_op *op, enum err err);
bool sim_has_descriptor(const struct io *io);

/* sim_fd.c */
int sim_fd_add(struct io *io, enum sim_fd_kind kind, void *object);
void sim_fd_set(struct io *io, int fd, enum sim_fd_kind kind, void *object);
struct sim_fd sim_fd_take(struct io *io, int fd);
struct sim_fd *sim_fd_get(struct io *io, int fd);
void sim_fds_close(struct io *io);

/* sim_net.c */
struct sim_host *sim_host_get(struct sim *sim, const struct net_addr *addr);
struct sim_host *sim_host_add(struct sim *sim, const struct net_addr *addr);
struct sim_socket *sim_socket_open(struct sim_host *host, uint16_t port);
void sim_sockets_close(struct sim_host *host);
void sim_listeners_kill(struct io *io);
/* Until when two hosts do not reach each other; 0: they do. */
uint64_t sim_partitioned_until(
    struct sim *sim, const struct sim_host *a, const struct sim_host *b);
void sim_partition(struct sim *sim, struct sim_host *a, struct sim_host *b);
uint64_t sim_net_delay_us(
    struct sim *sim, const struct sim_host *a, const struct sim_host *b);

/* sim_stream.c */
enum sim_stream_state {
	SIM_STREAM_CONNECTING,
	SIM_STREAM_OPEN,
	SIM_STREAM_LOST,   /* the peer is gone: what it sent can still be read */
	SIM_STREAM_BROKEN, /* nothing can be read or sent */
	SIM_STREAM_CLOSED, /* its owner closed it; what is kept is still sent */
	SIM_STREAM_GONE,
};
struct sim_chunk {
	struct list link; /* in the receiver's incoming */
	uint64_t at_us;
	struct span bytes;
	bool end;   /* of the stream */
	bool reset;
	struct sim_fd fd;
};
struct sim_bytes {
	char *ptr;
	size_t start, len, room; /* bytes are ptr[start .. start + len) */
};
struct io_stream {
	struct sim *sim;
	struct io *io; /* NULL: nobody's (closed, or waits to be accepted) */
	struct io_stream *peer;
	struct sim_host *host; /* NULL: within a host (a socketpair) */
	struct list link;      /* in io->streams */
	struct list waiting;   /* in a socket's backlog */
	enum sim_stream_state state;
	struct net_addr local, remote;
	struct sim_bytes out, in;
	struct sim_fd out_fd;   /* goes with the byte of out at out_fd_at */
	size_t out_fd_at;
	struct sim_fd in_fd;    /* came with the bytes at the start of in */
	struct list incoming;   /* chunks, in order */
	size_t incoming_bytes;
	uint64_t arrives_us;    /* of the last chunk */
	bool ended;             /* the peer's end arrived */
	bool end_wanted, end_sent;
	bool silent; /* what it sends is lost, and nobody is told */
	struct io_op *read, *drain, *connect;
	size_t drain_below;
	struct sim_event flush, arrive, ready, drained, connected;
	uint64_t closed_us;
};
struct io_stream *sim_stream_create(struct sim *sim, struct sim_host *host);
/* Two ends that know each other. */
void sim_stream_join(struct io_stream *a, struct io_stream *b);
void sim_stream_own(struct io_stream *stream, struct io *io);
/* Nobody has it: as the kernel closes what nobody accepted. */
void sim_stream_drop(struct io_stream *stream);
void sim_streams_kill(struct io *io, bool power_cut);
void sim_stream_connect_done(struct io_stream *stream, enum err err);
/* Both ends are told, bytes under way are lost. */
void sim_stream_reset(struct io_stream *stream);

/* sim_bytes.c */
void sim_bytes_add(struct sim *sim, struct sim_bytes *bytes, struct span span);
void sim_bytes_take(struct sim_bytes *bytes, size_t count);
void sim_bytes_free(struct sim_bytes *bytes);
static inline struct span
sim_bytes_span(const struct sim_bytes *bytes)
{
	return span_of(bytes->ptr ? bytes->ptr + bytes->start : "", bytes->len);
}

/* sim_inode.c: files and directories as they are, and as a power cut would leave them. */
struct sim_dirty {
	struct list link;
	uint64_t number;
	bool size_only; /* the file became bytes long */
	uint64_t offset, size;
	struct span bytes; /* whole sectors of the file, as they were after the write */
};
struct sim_inode {
	struct list link; /* in disk->inodes */
	struct sim_disk *disk;
	uint64_t number;
	bool is_dir;
	unsigned uses;    /* names, durable names, names under way, open files */
	unsigned names;   /* now */
	unsigned handles; /* open */
	/* A file: now, durably, and what lies between. */
	char *now, *durable;
	uint64_t now_len, now_room, durable_len, durable_room;
	struct list dirty;
	bool apart; /* now and durable differ though nothing is dirty: a sync failed */
	struct list entries; /* of a directory */
};
struct sim_entry {
	struct list link;
	struct sim_inode *now, *durable;
	char name[];
};
/* Names that changed together: all of them survive a power cut, or none. */
struct sim_change {
	struct sim_inode *dir;
	struct sim_inode *to; /* NULL: the name is gone */
	char *name;
};
struct sim_rename {
	struct list link; /* in disk->renames, in order */
	uint64_t number;
	struct sim_change changes[2];
	size_t count;
};
struct sim_disk {
	struct sim *sim;
	struct sim_server *server;
	struct sim_inode *root;
	struct list inodes, renames;
	uint64_t bytes_max, bytes_used, number;
};
struct sim_disk *sim_disk_create(struct sim *sim, struct sim_server *server);
struct sim_inode *sim_inode_create(struct sim_disk *disk, bool is_dir);
void sim_inode_use(struct sim_inode *inode, int by);
/* Changes of a file's bytes; ERR_NO_SPACE after as much as fits (*done). */
enum err sim_inode_write(
    struct sim_inode *inode, struct span bytes, uint64_t offset, size_t *done);
enum err sim_inode_resize(struct sim_inode *inode, uint64_t bytes);
void sim_inode_sync(struct sim_inode *inode, uint64_t number);
/* Linux's way: some of the pages are written, all are clean, whatever is on the disk. */
void sim_inode_sync_failed(struct sim_inode *inode);
void sim_inode_power_cut(struct sim_inode *inode, unsigned keep_percent);
void sim_inode_rot(struct sim_inode *inode, uint64_t at, unsigned bit);

/* sim_disk.c: names */
struct sim_entry *sim_entry_find(struct sim_inode *dir, struct span name);
/* The entries in the order of their names. */
struct sim_entry *sim_entry_next(struct sim_inode *dir, const struct sim_entry *after);
struct sim_inode *sim_disk_walk(struct sim_inode *from, const char *path);
/* The directory that holds the last part of the path, and that part. */
struct sim_inode *sim_disk_parent(
    struct sim_inode *from, const char *path, struct span *last);
/* One or two names change at once (to NULL: the name goes); not yet durable. */
void sim_disk_change(struct sim_disk *disk, size_t count, struct sim_inode *const *dirs,
    const struct span *names, struct sim_inode *const *to);
/* Of what was changed up to a number. */
void sim_disk_sync_dir(struct sim_disk *disk, struct sim_inode *dir, uint64_t number);
/* Makes what stands below a path durable at once: for what was there before the world began. */
struct sim_inode *sim_disk_make(struct sim_disk *disk, const char *path, bool is_dir);
void sim_disk_power_cut(struct sim_disk *disk);
/* A bit of a file in the folder. */
void sim_disk_rot(struct sim_disk *disk, const char *folder);
/* A bit in each header of the last segment but one that has records; false: there is none. */
bool sim_disk_rot_heads(struct sim_disk *disk, const char *folder);

/* sim_job.c */
void sim_files_kill(struct io *io);

/* sim_server.c, sim_role.c: machines and their roles. */
enum sim_life_state { SIM_LIFE_DEAD, SIM_LIFE_STARTING, SIM_LIFE_RUNNING, SIM_LIFE_STOPPING };

struct sim_life {
	struct sim_server *server;
	enum proc proc;
	unsigned instance;
	enum sim_life_state state;
	struct io *io;
	struct sim_pool pool;
	struct proc_env env;
	void *role;
	struct sim_event start; /* the process begins, or begins again */
	struct sim_event noticed; /* the supervisor sees that it ended */
	struct sim_event killed;
	uint64_t started_us, wait_ms;
	uint64_t told_us; /* when the last message of the supervisor arrives */
	int status;       /* it ended with; negative: killed */
	bool restart;     /* told to stop only to start again */
	bool was_ready;
	bool died; /* the process before this one ended untold, and not with the machine */
};

enum { SIM_LIVES_MAX = 24 };

struct sim_server {
	struct sim *sim;
	struct list link;
	char *name;
	struct sim_host *host;
	struct sim_disk *disk;
	struct buf wire; /* the bundle, for the roles */
	struct conf_bundle *bundle;
	struct conf *conf; /* the supervisor's */
	const struct sim_file *files;
	size_t file_count;
	struct sim_life lives[SIM_LIVES_MAX];
	size_t life_count;
	struct sim_event power, again, cut, rank_late;
	bool stopping; /* by ranks, to start again */
	int rank;
};

enum { SIM_CONTROL_PORT = 1 };

void sim_server_boot(struct sim_server *server);
/* Every role ends now. */
void sim_server_down(struct sim_server *server, bool power_cut);
/* A role refused to work before it ever did. */
void sim_server_give_up(struct sim_server *server);
/* While it stops: the next rank, where one is over. */
void sim_server_settle(struct sim_server *server);
void sim_life_init(struct sim_server *server, enum proc proc, unsigned instance);
void sim_life_start(struct sim_life *life, uint64_t delay_us);
/* The role's process ends; a negative status: it was killed. */
void sim_life_end(struct sim_life *life, int status, bool power_cut);
/* As soon as whoever runs has finished. */
void sim_life_kill(struct sim_life *life);
void sim_life_stop(struct sim_life *life);
void sim_life_reload(struct sim_life *life);
bool sim_life_is_alive(const struct sim_life *life);
/* Links a role with all that it may talk to, or with one only. */
void sim_life_wire(struct sim_life *life, enum proc only);

/* sim_faults.c: what may befall whoever just ran. */
void sim_faults_after(struct sim *sim, struct io *io, bool critical);
/* What may befall bytes that are about to leave; true: they do not leave now. */
bool sim_faults_of_bytes(struct io_stream *stream);
