/*
 * What an operator asks of the queue, through the admin role: to list, to sum up, to show, and to
 * act on messages (act.c).
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "proc/queue/ledger_feed.h"
#include "route/name.h"

enum { LIST_MAX = 1000, TRACE_MAX = 100 };

void
control_send_done(struct queue *queue, struct ipc_qa_done *done)
{
	if (done->total == 0)
		done->total = sched_message_count(queue->sched);
	ipc_qa_done_send(queue->admin, done);
}

static void
list_named(struct queue *queue, struct ipc_aq_list *asked)
{
	uint32_t slot = sched_message_first(queue->sched);

	if (asked->limit > LIST_MAX)
		asked->limit = LIST_MAX;
	if (asked->after) {
		slot = sched_message_find(queue->sched, asked->after);
		/* From the start again, the caller would see most messages twice. */
		if (slot == SCHED_NONE) {
			control_send_done(queue,
			    &(struct ipc_qa_done){.query = asked->query, .lost = true});
			return;
		}
		slot = sched_message_next(queue->sched, slot);
	}
	listing_start(queue, asked, slot);
}

static void
list(struct queue *queue, struct ipc_aq_list *asked)
{
	struct buf selector;

	buf_init(&selector, IPC_NAME_MAX);
	if (names_take(queue, asked->query, asked->match, &selector)) {
		asked->match = buf_span(&selector);
		list_named(queue, asked);
	}
	buf_fini(&selector);
}

static void
show(struct queue *queue, const struct ipc_aq_show *asked)
{
	uint32_t slot = sched_message_find(queue->sched, asked->id);

	if (slot == SCHED_NONE)
		control_send_done(queue, &(struct ipc_qa_done){.query = asked->query});
	else
		listing_start(queue,
		    &(struct ipc_aq_list){.query = asked->query, .limit = 1}, slot);
}

static bool
is_traced(const struct queue *queue, const struct transcript_kept *kept,
    const struct ipc_aq_trace *asked)
{
	return (asked->id == 0 || kept->id == asked->id) &&
	    route_name_fits(asked->match, kept->destination,
	        sites_of(&queue->sites, kept->destination));
}

/* The latest that are asked for, the oldest of them first. */
static void
trace_named(struct queue *queue, const struct ipc_aq_trace *asked)
{
	struct ipc_qa_done done = {.query = asked->query, .total = queue->transcripts.count};
	uint64_t found = 0, limit = asked->limit < TRACE_MAX ? asked->limit : TRACE_MAX;

	list_for_each (node, &queue->transcripts.kept)
		found += is_traced(queue, container_of(node, struct transcript_kept, node), asked);
	list_for_each (node, &queue->transcripts.kept) {
		const struct transcript_kept *kept =
		    container_of(node, struct transcript_kept, node);
		const struct ipc_qa_transcript answer = {asked->query, kept->id,
		    kept->began_wall_ms, kept->took_ms, kept->slow, kept->destination,
		    kept->steps};

		if (!is_traced(queue, kept, asked) || found-- > limit)
			continue;
		ipc_qa_transcript_send(queue->admin, &answer);
		done.count++;
	}
	ipc_qa_done_send(queue->admin, &done);
}

static void
trace(struct queue *queue, struct ipc_aq_trace *asked)
{
	struct buf selector;

	buf_init(&selector, IPC_NAME_MAX);
	if (names_take(queue, asked->query, asked->match, &selector)) {
		asked->match = buf_span(&selector);
		trace_named(queue, asked);
	}
	buf_fini(&selector);
}

static enum err
receive_of_destinations(struct queue *queue, unsigned type, struct span payload)
{
	struct ipc_aq_why why;
	struct ipc_aq_suppress suppress;
	struct ipc_aq_suppressed listed;
	struct ipc_aq_sources sources;

	switch (type) {
	case IPC_aq_SUPPRESS:
		if (ipc_aq_suppress_decode(payload, &suppress))
			return ERR_SYNTAX;
		suppress_act(queue, &suppress);
		return OK;
	case IPC_aq_SUPPRESSED:
		if (ipc_aq_suppressed_decode(payload, &listed))
			return ERR_SYNTAX;
		suppress_list(queue, &listed);
		return OK;
	case IPC_aq_SOURCES:
		if (ipc_aq_sources_decode(payload, &sources))
			return ERR_SYNTAX;
		sources_tell(queue, &sources);
		return OK;
	case IPC_aq_WHY:
		if (ipc_aq_why_decode(payload, &why))
			return ERR_SYNTAX;
		standing_tell(queue, &why);
		return OK;
	default:
		return ledger_answer(queue, type, payload);
	}
}

static enum err
receive(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct queue *queue = owner;
	struct ipc_aq_list asked;
	struct ipc_aq_summary summed;
	struct ipc_aq_show shown;
	struct ipc_aq_act acted;
	struct ipc_aq_trace traced;
	struct ipc_aq_reroute rerouted;
	struct ipc_aq_suspend suspended;
	struct ipc_aq_suspended listed;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (queue->listing_count >= QUEUE_LISTINGS_MAX)
		return ERR_LIMIT;
	switch (type) {
	case IPC_aq_LIST:
		if (ipc_aq_list_decode(payload, &asked))
			return ERR_SYNTAX;
		list(queue, &asked);
		return OK;
	case IPC_aq_SUMMARY:
		if (ipc_aq_summary_decode(payload, &summed))
			return ERR_SYNTAX;
		summary_start(queue, &summed);
		return OK;
	case IPC_aq_SHOW:
		if (ipc_aq_show_decode(payload, &shown))
			return ERR_SYNTAX;
		show(queue, &shown);
		return OK;
	case IPC_aq_TRACE:
		if (ipc_aq_trace_decode(payload, &traced))
			return ERR_SYNTAX;
		trace(queue, &traced);
		return OK;
	case IPC_aq_REROUTE:
		if (ipc_aq_reroute_decode(payload, &rerouted))
			return ERR_SYNTAX;
		reroute_start(queue, &rerouted);
		return OK;
	case IPC_aq_SUSPEND:
		if (ipc_aq_suspend_decode(payload, &suspended))
			return ERR_SYNTAX;
		suspend_act(queue, &suspended);
		return OK;
	case IPC_aq_SUSPENDED:
		if (ipc_aq_suspended_decode(payload, &listed))
			return ERR_SYNTAX;
		suspend_list(queue, &listed);
		return OK;
	case IPC_aq_ACT:
		if (ipc_aq_act_decode(payload, &acted) || acted.act >= IPC_ACT_COUNT)
			return ERR_SYNTAX;
		act_start(queue, &acted);
		return OK;
	default:
		return receive_of_destinations(queue, type, payload);
	}
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct queue *queue = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(queue->env, PROC_ADMIN, 0, err);
	listing_stop(queue);
	summary_stop(queue);
	reroute_stop(queue);
	act_stop(queue);
	ipc_channel_destroy(channel);
	queue->admin = NULL;
}

void
control_link(struct queue *queue, struct io_stream *stream)
{
	const struct ipc_handlers handlers = {queue, receive, closed};

	listing_stop(queue);
	summary_stop(queue);
	reroute_stop(queue);
	act_stop(queue);
	ipc_channel_destroy(queue->admin);
	queue->admin = ipc_channel_create(stream, &handlers);
}
