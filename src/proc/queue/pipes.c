/*
 * The processes that run programs, one for each user.  A user keeps its place here for as long as
 * this queue lives, whatever instance its process is after a reload: destinations refer to it.  A
 * process says first for whom it is, and gets nobody else's mail.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

const struct peer *
pipes_find(const struct queue *queue, struct span user)
{
	for (size_t i = 0; user.len > 0 && i < QUEUE_PIPES_MAX; i++)
		if (span_eq(span_str(queue->pipes[i].user), user))
			return &queue->pipes[i];
	return NULL;
}

/* Where all places are taken, a restart makes room. */
void
pipes_reload(struct queue *queue)
{
	size_t free_at = 0;

	while (free_at < QUEUE_PIPES_MAX && queue->pipes[free_at].user[0])
		free_at++;
	for (size_t i = 0; i < queue->conf->pipe_user_count; i++) {
		struct span user = queue->conf->pipe_users[i];

		if (free_at == QUEUE_PIPES_MAX || pipes_find(queue, user))
			continue;
		check(user.len < sizeof(queue->pipes[free_at].user));
		memcpy(queue->pipes[free_at++].user, user.ptr, user.len);
	}
}

void
pipes_init(struct queue *queue)
{
	for (unsigned i = 0; i < QUEUE_PIPES_MAX; i++) {
		dispatch_peer_init(queue, &queue->pipes[i], PROC_PIPE);
		queue->pipe_links[i].queue = queue;
	}
	pipes_reload(queue);
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct pipe_link *link = owner;
	struct peer *peer = link->peer;

	link->peer = NULL;
	link->channel = NULL;
	if (peer) {
		dispatch_peer_gone(peer, err);
		return;
	}
	if (err != ERR_CLOSED)
		proc_bad_peer(link->queue->env, PROC_PIPE,
		    (unsigned)(link - link->queue->pipe_links), err);
	ipc_channel_destroy(channel);
}

/* Of two processes for one user the later one counts. */
static void
leave(struct queue *queue, struct peer *peer)
{
	for (size_t i = 0; i < QUEUE_PIPES_MAX; i++)
		if (queue->pipe_links[i].peer == peer)
			closed(&queue->pipe_links[i], queue->pipe_links[i].channel, ERR_CLOSED);
}

static enum err
take_hello(struct pipe_link *link, const struct ipc_pq_hello *hello)
{
	struct queue *queue = link->queue;
	const struct peer *found = pipes_find(queue, hello->user);
	struct peer *peer;

	/* One of an older configuration, which is about to end, gets nothing. */
	if (!found)
		return OK;
	peer = &queue->pipes[found - queue->pipes];
	leave(queue, peer);
	link->peer = peer;
	peer->channel = link->channel;
	peer->instance = (unsigned)(link - queue->pipe_links);
	dispatch(queue);
	return OK;
}

static enum err
take_result(struct peer *peer, const struct ipc_pq_result *local)
{
	return dispatch_one_result(peer,
	    &(struct ipc_dq_result){
		.attempt = local->attempt,
		.outcome = local->outcome,
		.status = local->status,
		.text = local->text,
		.in_doubt = local->in_doubt,
	    });
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct pipe_link *link = owner;
	struct ipc_pq_hello hello;
	struct ipc_pq_more more;
	struct ipc_pq_result result;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (!link->peer)
		return type != IPC_pq_HELLO || ipc_pq_hello_decode(payload, &hello)
		    ? ERR_SYNTAX
		    : take_hello(link, &hello);
	switch (type) {
	case IPC_pq_MORE:
		return ipc_pq_more_decode(payload, &more)
		    ? ERR_SYNTAX
		    : dispatch_more(link->peer, more.attempt, more.offset);
	case IPC_pq_RESULT:
		return ipc_pq_result_decode(payload, &result) ? ERR_SYNTAX
							      : take_result(link->peer, &result);
	default:
		return ERR_SYNTAX;
	}
}

void
pipes_link(struct queue *queue, unsigned instance, struct io_stream *stream)
{
	struct pipe_link *link;

	if (instance >= QUEUE_PIPES_MAX) {
		io_close(stream);
		return;
	}
	link = &queue->pipe_links[instance];
	if (link->channel)
		closed(link, link->channel, ERR_CLOSED);
	link->channel =
	    ipc_channel_create(stream, &(struct ipc_handlers){link, receive, closed});
}
