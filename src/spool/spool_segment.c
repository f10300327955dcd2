/* Segments: their states, what is alive in them, and that they are freed oldest first. */
#include "spool/spool_internal.h"

#include <stdio.h>

void
spool_segment_name(char name[NAME_BYTES], uint16_t number)
{
	(void)snprintf(name, NAME_BYTES, "seg-%08x.log", number);
}

struct segment *
spool_segment_add(struct spool *spool, uint16_t number)
{
	struct segment *segment = mem_alloc(sizeof(*segment));

	if (number >= spool->segment_count) {
		size_t count = (size_t)number + 1;

		spool->segments =
		    mem_realloc(spool->segments, count * sizeof(*spool->segments));
		for (size_t i = spool->segment_count; i < count; i++)
			spool->segments[i] = NULL;
		spool->segment_count = count;
	}
	check(!spool->segments[number]);
	spool->segments[number] = segment;
	segment->number = number;
	segment->state = SEGMENT_DEAD;
	return segment;
}

enum err
spool_segment_open_syncs(struct spool *spool, struct segment *segment)
{
	char name[NAME_BYTES];

	spool_segment_name(name, segment->number);
	for (size_t i = 0; i < BATCHES_MAX; i++) {
		struct io_op op = {0};

		if (segment->syncs[i])
			continue;
		io_open(spool->dir, &op, name, IO_OPEN_READ | IO_OPEN_WRITE);
		if (op.err)
			return op.err;
		segment->syncs[i] = op.file;
	}
	return OK;
}

void
spool_segment_close_syncs(struct segment *segment)
{
	for (size_t i = 0; i < BATCHES_MAX; i++) {
		io_file_close(segment->syncs[i]);
		segment->syncs[i] = NULL;
	}
}

void
spool_segment_drop(struct spool *spool, struct segment *segment)
{
	check(segment->pins == 0 && segment->message_count == 0);
	spool_segment_move(spool, segment, SEGMENT_DEAD);
	if (spool->fill == segment)
		spool->fill = NULL;
	spool->segments[segment->number] = NULL;
	spool_segment_close_syncs(segment);
	io_file_close(segment->file);
	mem_free(segment);
}

static void
count(struct spool *spool, enum segment_state state, bool more)
{
	size_t *counter = state == SEGMENT_FREE	   ? &spool->free_count
			  : state == SEGMENT_READY ? &spool->ready_count
			  : state == SEGMENT_USED  ? &spool->used_count
						   : NULL;

	if (counter)
		*counter = more ? *counter + 1 : *counter - 1;
}

/* The only place that writes segment->state once the spool is open. */
void
spool_segment_move(struct spool *spool, struct segment *segment, enum segment_state state)
{
	list_remove(&segment->link);
	count(spool, segment->state, false);
	segment->state = state;
	count(spool, state, true);
	switch (state) {
	case SEGMENT_FREE:
		list_push(&spool->free, &segment->link);
		break;
	case SEGMENT_READY:
		list_push(&spool->ready, &segment->link);
		break;
	case SEGMENT_USED:
		list_push(&spool->used, &segment->link);
		break;
	case SEGMENT_PREPARING:
	case SEGMENT_DEAD:
		break;
	}
}

uint64_t
spool_message_record_bytes(const struct spool_message *message)
{
	return (SPOOL_RECORD_HEAD + spool_message_rest_bytes(message) + 7) & ~(uint64_t)7;
}

uint64_t
spool_message_rest_bytes(const struct spool_message *message)
{
	return (uint64_t)message->envelope_bytes + message->merged_bytes +
	       (message->flags & SPOOL_IN_FILE ? 8 : message->body.bytes);
}

void
spool_segment_attach(struct spool *spool, struct segment *segment, uint32_t slot)
{
	struct spool_message *message = spool_index_at(&spool->index, slot);

	message->segment = segment->number;
	message->older = segment->last;
	message->newer = 0;
	if (segment->last)
		spool_index_at(&spool->index, segment->last)->newer = slot;
	else
		segment->first = slot;
	segment->last = slot;
	segment->message_count++;
	segment->live_bytes += spool_message_record_bytes(message);
	spool->live_bytes += spool_message_record_bytes(message);
}

void
spool_segment_detach(struct spool *spool, uint32_t slot)
{
	struct spool_message *message = spool_index_at(&spool->index, slot);
	struct segment *segment = spool->segments[message->segment];

	if (message->older)
		spool_index_at(&spool->index, message->older)->newer = message->newer;
	else
		segment->first = message->newer;
	if (message->newer)
		spool_index_at(&spool->index, message->newer)->older = message->older;
	else
		segment->last = message->older;
	spool_checkpoint_detach(spool, slot);
	message->older = message->newer = 0;
	check(segment->message_count > 0);
	segment->message_count--;
	segment->live_bytes -= spool_message_record_bytes(message);
	spool->live_bytes -= spool_message_record_bytes(message);
}

struct segment *
spool_segment_first(struct list *list)
{
	return list_empty(list) ? NULL : container_of(list->next, struct segment, link);
}

void
spool_segment_free_oldest(struct spool *spool)
{
	struct segment *segment;

	while ((segment = spool_segment_first(&spool->used)) && segment != spool->head &&
	       segment->message_count == 0 && segment->removals == 0 &&
	       segment->durable == segment->end &&
	       (!spool->options.want_release || segment->fed <= spool->released))
		spool_segment_move(spool, segment, SEGMENT_FREE);
}

void
spool_segment_advance(struct spool *spool)
{
	struct segment *segment = spool_segment_first(&spool->ready);

	check(segment != NULL);
	if (spool->head)
		spool->seal = (struct spool_seal){
		    .sequence = spool->head->head.sequence,
		    .end = spool->head->end,
		    .proven = spool_segment_proven(spool->head),
		    .torn = spool->head->gap != 0,
		};
	if (spool->head && spool->head->durable == spool->head->end)
		spool_segment_close_syncs(spool->head);
	if (spool->head)
		spool->head->filled = true;
	spool_segment_move(spool, segment, SEGMENT_USED);
	spool->head = segment;
	spool_segment_free_oldest(spool);
}
