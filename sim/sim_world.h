/* What the files of a scenario share: who is there (sim_world.c), how it goes (sim_scenario.c). */
#pragma once

#include "base/arena.h"
#include "sim_actors.h"
#include "sim_scenario.h"

enum {
	WORLD_SERVERS_MAX = 3,
	WORLD_SENDERS_MAX = 4, /* of a server: half of them inside, half outside */
	WORLD_REMOTES_MAX = 9,
};

/* A Postrider server, with those who talk to it. */
struct town {
	struct sim_server *server;
	char domain[32], host[40];
	struct net_addr addr;
	struct sender *inside[WORLD_SENDERS_MAX], *outside[WORLD_SENDERS_MAX];
	size_t inside_count, outside_count;
	struct hostile *hostile;
	struct operator *operator;
	bool catch_all;
	struct oracle_letter *bait, *smuggled;
};

struct world {
	struct sim *sim;
	struct oracle *oracle;
	struct zone *zone;
	struct robots *robots;
	struct mood mood;
	struct dice dice; /* of what there is; what happens is the world's chance */
	struct town towns[WORLD_SERVERS_MAX];
	size_t town_count;
	struct remote *remotes[WORLD_REMOTES_MAX];
	size_t remote_count;
	bool is_restless; /* roles die all the time: a day of that takes too long */
	uint64_t duration_ms, expire_ms;
	bool has_lmtp;  /* four.example is given its mail by LMTP */
	bool has_spare; /* servers fall back to one that stands in for all the others */
	bool has_rules; /* mail for closed.example is refused, for trash.example discarded */
	bool is_old;  /* no host of one.example has 8BITMIME, and much mail needs it */
	bool is_bulk; /* much mail of some size, so that the spool has something to compact */
	uint64_t late_ms; /* when the server of late.example starts */
	struct town *filling; /* its disk is full, or about to be */
	unsigned filling_ticks;
	struct io *director;
	struct io_timer tick;
	uint64_t start_ms, healed_ms, quiet_ms;
	bool done;
};

struct net_addr world_addr(unsigned a, unsigned b, unsigned c);
void world_build(struct world *world);
void world_start_late(struct world *world);
void world_destroy(struct world *world);

/* sim_letters.c */
void world_write_letters(struct world *world);
