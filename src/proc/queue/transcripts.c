/* See transcripts.h. */
#include "proc/queue/transcripts.h"

#include "base/arena.h"
#include "base/check.h"

void
transcripts_init(struct transcripts *transcripts)
{
	*transcripts = (struct transcripts){0};
	list_init(&transcripts->kept);
}

static size_t
bytes_of(const struct transcript_kept *kept)
{
	return sizeof(*kept) + kept->destination.len + kept->steps.len;
}

static void
forget_oldest(struct transcripts *transcripts)
{
	struct transcript_kept *oldest =
	    container_of(transcripts->kept.next, struct transcript_kept, node);

	list_remove(&oldest->node);
	transcripts->count--;
	transcripts->bytes -= bytes_of(oldest);
	mem_free(oldest);
}

void
transcripts_fini(struct transcripts *transcripts)
{
	while (transcripts->count > 0)
		forget_oldest(transcripts);
	check(transcripts->bytes == 0);
}

void
transcripts_keep(struct transcripts *transcripts, const struct transcript_kept *given,
    size_t count_max, size_t bytes_max)
{
	struct transcript_kept *kept = mem_alloc(bytes_of(given));
	char *bytes = (char *)(kept + 1);

	*kept = *given;
	kept->node = (struct list){0};
	memcpy(bytes, given->destination.ptr, given->destination.len);
	kept->destination = span_of(bytes, given->destination.len);
	bytes += given->destination.len;
	memcpy(bytes, given->steps.ptr, given->steps.len);
	kept->steps = span_of(bytes, given->steps.len);
	list_push(&transcripts->kept, &kept->node);
	transcripts->count++;
	transcripts->bytes += bytes_of(kept);
	while (transcripts->count > 0 &&
	    (transcripts->count > count_max || transcripts->bytes > bytes_max))
		forget_oldest(transcripts);
}
