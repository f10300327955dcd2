/*
 * The spool's feed becomes the ledger's entries.  The feed is the only source, live and at
 * recovery, so that the ledger cannot say anything else than the spool.
 */
#pragma once

#include "spool/spool.h"

struct queue;
struct ledger_feed;

/* Opens the ledger beside the spool; NULL: it cannot be used, which the log says. */
struct ledger_feed *ledger_feed_create(struct queue *queue);
/* Fills in what the spool is to do for the ledger. */
void ledger_feed_spool(
    struct ledger_feed *feed, struct spool_options *options, struct spool_scan *scan);
/* A live message that was found at the start, perhaps older than the ledger. */
void ledger_feed_found(struct ledger_feed *feed, uint64_t id, struct span envelope,
    uint64_t body_bytes);
/* The spool is open. */
void ledger_feed_run(struct ledger_feed *feed);
void ledger_feed_reload(struct ledger_feed *feed);
/* Calls done(owner, err) when all that was fed until now is durable, or can't be for now. */
void ledger_feed_flush(
    struct ledger_feed *feed, void (*done)(void *owner, uint64_t query, enum err err),
    void *owner, uint64_t query);
