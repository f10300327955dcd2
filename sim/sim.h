/*
 * The simulated world: hosts with a network between them, Postrider servers
 * with all their roles and a disk each, actors that are clients and other servers, and the
 * faults that befall them.  All of it is one program in virtual time, driven by one seed: the
 * same seed and options give the same run, event by event.
 *
 * Roles and actors reach this world through io.h only.
 */
#pragma once

#include "base/sim_point.h"
#include "io/io.h"
#include "proc/proc.h"

struct sim;
struct sim_server;
struct queue;

/* What goes wrong, and how often.  Chances are in a million. */
struct sim_faults {
	/* At each completion, timer or message of a role; the first two eightfold at a file's. */
	uint32_t role_death; /* that role dies */
	uint32_t power_cut;  /* its machine loses power */
	uint32_t clock_jump; /* its machine's wall clock jumps, forward or back */
	uint32_t bit_rot;    /* a byte below /spool of its disk changes */
	/* At each operation on a file, where the spool is in its second segment or later. */
	uint32_t head_loss; /* its machine loses power, and both headers of the one before rot */
	/* At each operation of its kind. */
	uint32_t read_error;
	uint32_t write_error;
	uint32_t sync_error;
	uint32_t disk_stall; /* it takes seconds */
	/* At each piece of bytes between two hosts. */
	uint32_t net_reset;     /* both ends get a reset, what is under way is lost */
	uint32_t net_silence;   /* nothing comes through any more, and nobody is told */
	uint32_t net_partition; /* the two hosts do not reach each other for a while */
	uint32_t net_stall;     /* it takes seconds */
	/* At each connect. */
	uint32_t connect_refused;
	uint32_t connect_silence;
	/* At each question. */
	uint32_t dns_silence;
	uint32_t dns_error;
	/* At each read: less than there is is given. */
	uint32_t fragment;
};

struct sim_options {
	uint64_t seed;
	bool verbose;        /* the trace goes to standard output too */
	enum sim_bug bug;    /* a deliberate one */
	struct sim_faults faults;
	uint64_t disk_bytes; /* of each server */
	unsigned descriptors_max; /* open streams, files and directories of a role */
	uint64_t role_memory_max; /* bytes; more is a failed check */
	uint64_t sync_us_max, net_us_max, ipc_us_max; /* latencies are up to these */
};

/* A mix that the seed chooses: calm, one kind of fault, or many. */
struct sim_options sim_options_from_seed(uint64_t seed);

struct sim *sim_create(const struct sim_options *options);
/* Everything ends at once; what roles allocated is freed. */
void sim_destroy(struct sim *sim);
/* One completion, timer or message; false: nothing is left to do. */
bool sim_step(struct sim *sim);
/* All faults off from now on, every machine on, disks large, clocks right, hosts connected. */
void sim_heal(struct sim *sim);
uint64_t sim_now_ms(const struct sim *sim);
uint64_t sim_now_us(const struct sim *sim);
uint64_t sim_steps(const struct sim *sim);
/* The 64-bit hash of all that happened. */
uint64_t sim_trace_hash(const struct sim *sim);
/* The world's seeded chance: 0 .. below - 1. */
uint64_t sim_chance(struct sim *sim, uint64_t below);
/* True once in a million / ppm times. */
bool sim_happens(struct sim *sim, uint32_t ppm);
/* Into the hash, and printed when verbose. */
void sim_trace(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The faults in force; may be changed at any time. */
struct sim_faults *sim_faults(struct sim *sim);

/* What befell whom, when it does. */
enum sim_event_kind {
	SIM_POWER_CUT,
	SIM_POWER_ON,
	SIM_ROLE_STARTED,
	SIM_ROLE_DIED,     /* by fault */
	SIM_ROLE_ENDED,    /* by itself: it stopped, or refused to work */
	SIM_SERVER_GAVE_UP, /* a role refused to work before it ever did; all start again later */
	SIM_CLOCK_JUMP,
	SIM_BIT_ROT,
	SIM_READ_ERROR,
	SIM_WRITE_ERROR,
	SIM_NO_SPACE,
	SIM_SYNC_ERROR,
	SIM_NET_RESET,
	SIM_NET_SILENCE,
	SIM_NET_PARTITION,
	SIM_EVENT_COUNT,
};
const char *sim_event_name(enum sim_event_kind kind);
/* server is NULL and proc PROC_COUNT where they say nothing. */
void sim_on_event(struct sim *sim,
    void (*happened)(void *owner, enum sim_event_kind kind, struct sim_server *server,
	enum proc proc),
    void *owner);
/* How often each happened. */
uint64_t sim_event_count(const struct sim *sim, enum sim_event_kind kind);

/*
 * A Postrider server: a machine with a disk and an address, and a supervisor that starts, links
 * and restarts its roles.  It powers on at once.  conf_text is its configuration, files what that
 * names (tables), by whole path; both are copied.  "listen smtp on *:25" listens on addr.
 */
struct sim_file {
	const char *path;
	struct span text;
};
struct sim_server *sim_server_add(struct sim *sim, const char *name,
    const struct net_addr *addr, struct span conf_text, const struct sim_file *files,
    size_t file_count);
const char *sim_server_name(const struct sim_server *server);
/* In the order in which they were added; NULL past the last. */
struct sim_server *sim_server_at(struct sim *sim, size_t index);
bool sim_server_is_on(const struct sim_server *server);
/* Every role has been started and none is waiting to be. */
bool sim_server_is_whole(const struct sim_server *server);
/* Everything that was not synced may be lost; nothing happens until it is powered on. */
void sim_server_power_cut(struct sim_server *server);
void sim_server_power_on(struct sim_server *server);
/* An operator was answered: where machines lose power, a good moment for it. */
void sim_faults_at_answer(struct sim_server *server);
/* The role's process ends now (SIGKILL), and is started again with a back-off. */
void sim_server_kill_role(struct sim_server *server, enum proc proc, unsigned instance);
/* As an operator does: the roles stop in good order, by ranks, and start again. */
void sim_server_restart(struct sim_server *server);
/* Another configuration; false where it is refused. */
bool sim_server_reload(struct sim_server *server, struct span conf_text);
/* Where the admin's control socket can be reached, as an address for io_connect. */
struct net_addr sim_server_control(const struct sim_server *server);
void sim_server_set_disk_bytes(struct sim_server *server, uint64_t bytes);

/* For properties: a look at a server from outside.  NULL while it does not run. */
struct queue *sim_server_queue(struct sim_server *server);
/* Bytes that a role has allocated now, and at most since its start. */
uint64_t sim_server_memory(
    const struct sim_server *server, enum proc proc, unsigned instance, uint64_t *peak);
/*
 * Every file below a folder of a server's disk, by its path below it: as it is, or what surely
 * survives a power cut now.  In the order of their names.
 */
void sim_server_each_file(struct sim_server *server, const char *folder, bool durable_only,
    void (*each)(void *owner, const char *name, struct span bytes), void *owner);
/*
 * An io beside the server's roles, as another program on its machine would have: for looks at its
 * files, at once and between two steps.  It reads also while the machine is off.
 */
struct io *sim_server_io(struct sim_server *server);
void sim_server_io_end(struct io *io);
/* The log lines of all servers' roles. */
void sim_on_log(struct sim *sim,
    void (*line)(void *owner, struct sim_server *server, struct span line), void *owner);

/*
 * Actors: hosts of the Internet.  One io for each actor; two with the same address are on one
 * host.  Never crashed by the world.  What an actor allocates is its own to free.
 */
struct io *sim_actor_io(struct sim *sim, const struct net_addr *addr);
/* One who sits at that server: between both bytes take as long as between two roles. */
struct io *sim_actor_io_beside(
    struct sim *sim, const struct net_addr *addr, const struct sim_server *server);
/* A listening socket of the actor's host: the descriptor for io_listener_open. */
int sim_listen(struct io *io, const struct net_addr *addr);
/* Two ends of a stream within the actor's host: descriptors for io_stream_open. */
void sim_pair(struct io *io, int fds[2]);
/* Ends the sending side only: the peer reads ERR_END, and can still send. */
void sim_stream_shutdown(struct io_stream *stream);
/* The actor's host vanishes: its peers hear nothing more.  Its io can't be used any longer. */
void sim_actor_vanish(struct io *io);

/* DNS: every question of every server comes here. */
enum { SIM_DNS_RECORDS_MAX = 32, SIM_DNS_BYTES_MAX = 4096 };
struct sim_dns_answer {
	enum err err; /* ERR_TIMEOUT, ERR_DNS: no answer */
	unsigned rcode;
	bool secure, bogus;
	uint32_t ttl_s;
	struct span records[SIM_DNS_RECORDS_MAX];
	size_t record_count;
	char bytes[SIM_DNS_BYTES_MAX]; /* of the records */
	size_t used;
};
/* out is an empty answer (OK, rcode 0, no records); without a callback every name is rcode 3. */
void sim_on_dns(struct sim *sim,
    void (*answer)(void *owner, struct span name, enum io_dns_type type,
	struct sim_dns_answer *out),
    void *owner);
/* HTTPS: every fetch of every server comes here; without a callback nothing can be reached. */
void sim_on_fetch(struct sim *sim,
    enum err (*answer)(void *owner, struct span host, struct buf *body), void *owner);
/*
 * Programs: every one that a server runs comes here.  plan says how it goes; took is told when it
 * takes what it reads, whatever becomes of whoever started it.
 */
struct sim_plan {
	enum err err;               /* it cannot be started */
	bool takes;                 /* what it reads, at a time before it ends */
	bool deaf;                  /* to all signals but SIGKILL */
	uint64_t takes_us, ends_us; /* after its start; ends_us 0: never by itself */
	int status;
	struct span says;
};
struct sim_programs {
	void *owner;
	/* envp as the program has it. */
	struct sim_plan (*plan)(void *owner, struct sim_server *server, const char *const *envp);
	void (*took)(void *owner, struct sim_server *server, const char *const *envp,
	    struct span input);
};
/* The struct is the caller's, and stays. */
void sim_on_program(struct sim *sim, const struct sim_programs *programs);
/* Add a record; names are plain text ("mx.example.net"). */
void sim_dns_add(struct sim_dns_answer *answer, struct span rdata);
void sim_dns_add_addr(struct sim_dns_answer *answer, const struct net_addr *addr);
void sim_dns_add_mx(struct sim_dns_answer *answer, unsigned preference, struct span host);
void sim_dns_add_txt(struct sim_dns_answer *answer, struct span text);

/* Marks: all that are in the program, and how often each was reached. */
size_t sim_mark_count(void);
const struct sim_mark *sim_mark_at(size_t index);
void sim_marks_reset(void);
/* Counts reached elsewhere (another process), added. */
void sim_mark_add(size_t index, uint64_t hits);
const char *sim_bug_name(enum sim_bug bug);
const char *sim_bug_text(enum sim_bug bug);

/*
 * A failed check, in the product or in the simulator: prints the seed, the step and the time, then
 * ends the process with SIM_EXIT_FAILED.
 */
enum { SIM_EXIT_FAILED = 3 };
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
