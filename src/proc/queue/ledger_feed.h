/*
 * The spool's feed becomes the ledger's entries.  The feed is the only source, live and at
 * recovery, so that the ledger cannot say anything else than the spool.
 */
#pragma once

#include "store/store.h"

struct queue;
struct ledger_feed;

/* Opens the ledger beside the spool; NULL: it cannot be used, which the log says. */
struct ledger_feed *ledger_feed_create(struct queue *queue);
/* Fills in what the spool is to do for the ledger. */
void ledger_feed_spool(
    struct ledger_feed *feed, struct store_options *options, struct store_scan *scan);
/* The spool is open, and the scheduler knows what is in it. */
void ledger_feed_run(struct ledger_feed *feed);
void ledger_feed_reload(struct ledger_feed *feed);
/* Calls done(owner, err) when all that was fed until now is durable, or can't be for now. */
void ledger_feed_flush(
    struct ledger_feed *feed, void (*done)(void *owner, uint64_t query, enum err err),
    void *owner, uint64_t query);

/* ledger_answer.c: what admin asks for an audit; ERR_SYNTAX where it is no such message. */
MUST_USE enum err ledger_answer(struct queue *queue, unsigned type, struct span payload);
