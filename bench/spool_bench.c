/*
 * The spool by itself, on a real disk:
 *
 *     spool_bench put DIR WRITERS SECONDS BODY_BYTES [SYNC_DELAY_MS [KEEP]]
 *         writers that put and remove as fast as they can (KEEP: every n-th message stays);
 *         each fdatasync takes longer by SYNC_DELAY_MS
 *     spool_bench fill DIR MESSAGES BODY_BYTES
 *         puts that many, 400 at a time, then a clean end
 *     spool_bench start DIR
 *         how long the opening takes, how the messages became known, and memory for each
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "spool/spool.h"

enum { ENVELOPE_BYTES = 150, DIGEST_BYTES = 64, WRITERS_MAX = 1000, SEGMENT = 64 << 20 };

struct bench {
	struct io *io;
	struct io_dir *dir;
	struct spool *spool;
	uint64_t next, until, done, under_way, keep;
	uint64_t *latencies; /* in microseconds, of puts */
	size_t latency_count, latency_room;
	uint64_t from_digest, from_log, marks, damaged;
	double end_at;
	struct span body;
	struct io_timer stop;
	bool stopped;
};

struct writer {
	struct spool_op op;
	struct bench *bench;
	uint64_t id;
	double began;
	bool removing;
	char envelope[ENVELOPE_BYTES];
};

static unsigned sync_delay_ms;

/* Stands before the C library's, so that a slow disk can be played. */
int fdatasync(int fd);

int
fdatasync(int fd)
{
	struct timespec delay = {.tv_nsec = (long)sync_delay_ms * 1000000};

	if (sync_delay_ms)
		nanosleep(&delay, NULL);
	return (int)syscall(SYS_fdatasync, fd);
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
found_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct bench *bench = owner;

	(void)envelope;
	(void)body_bytes;
	bench->from_log++;
	if (id >= bench->next)
		bench->next = id + 1;
}

static enum err
found_digest(void *owner, uint64_t id, struct span digest, uint64_t body_bytes)
{
	struct bench *bench = owner;

	(void)body_bytes;
	check(digest.len == DIGEST_BYTES);
	bench->from_digest++;
	if (id >= bench->next)
		bench->next = id + 1;
	return OK;
}

static void
found_mark(void *owner, uint64_t id, struct span mark)
{
	struct bench *bench = owner;

	(void)id;
	(void)mark;
	bench->marks++;
}

static void
found_damage(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	struct bench *bench = owner;

	(void)segment;
	(void)offset;
	(void)id;
	bench->damaged++;
}

static void
write_digest(void *owner, uint64_t id, struct buf *out)
{
	char digest[DIGEST_BYTES] = {0};

	(void)owner;
	memcpy(digest, &id, sizeof(id));
	buf_add(out, span_of(digest, sizeof(digest)));
}

static void
bench_open(struct bench *bench, const char *path)
{
	const struct spool_options options = {
	    .segment_bytes = SEGMENT,
	    .digest = write_digest,
	    .digest_owner = bench,
	};
	const struct spool_scan scan = {
	    .owner = bench,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	    .digest = found_digest,
	};
	enum err err;

	bench->next = 1;
	(void)mkdir(path, 0700);
	bench->io = io_create();
	err = io_dir_open(bench->io, path, &bench->dir);
	if (!err)
		err = spool_open(bench->io, bench->dir, &options, &scan, &bench->spool);
	if (err) {
		fprintf(stderr, "%s: %s\n", path, err_text(err));
		exit(1);
	}
}

static void
flushed(struct spool_op *op)
{
	struct bench *bench = op->owner;

	io_stop(bench->io);
}

static void
bench_close(struct bench *bench)
{
	struct spool_op op = {.done = flushed, .owner = bench};

	spool_flush(bench->spool, &op);
	io_run(bench->io);
	spool_close(bench->spool);
	io_dir_close(bench->dir);
	io_destroy(bench->io);
	mem_free(bench->latencies);
}

static void
remember(struct bench *bench, double seconds)
{
	if (bench->latency_count == bench->latency_room) {
		bench->latency_room = bench->latency_room * 2 + 1024;
		bench->latencies = mem_realloc(bench->latencies,
		    bench->latency_room * sizeof(*bench->latencies));
	}
	bench->latencies[bench->latency_count++] = (uint64_t)(seconds * 1e6);
}

static void
put_next(struct writer *writer)
{
	struct bench *bench = writer->bench;

	if (bench->stopped || (bench->until && bench->next > bench->until)) {
		if (--bench->under_way == 0)
			io_stop(bench->io);
		return;
	}
	writer->id = bench->next++;
	writer->removing = false;
	writer->began = now();
	spool_put(bench->spool, &writer->op, writer->id,
	    span_of(writer->envelope, ENVELOPE_BYTES), bench->body);
}

static void
writer_done(struct spool_op *op)
{
	struct writer *writer = op->owner;
	struct bench *bench = writer->bench;

	if (op->err) {
		fprintf(stderr, "put: %s\n", err_text(op->err));
		exit(1);
	}
	if (!writer->removing) {
		bench->done++;
		remember(bench, now() - writer->began);
		if (bench->keep != 1 && (!bench->keep || writer->id % bench->keep))
			spool_remove(bench->spool, NULL, writer->id, SPAN(""));
	}
	put_next(writer);
}

static void
time_is_up(struct io_timer *timer)
{
	struct bench *bench = timer->owner;

	bench->stopped = true;
}

static void
run_writers(struct bench *bench, size_t count)
{
	struct writer *writers = mem_alloc(count * sizeof(*writers));

	bench->under_way = count;
	for (size_t i = 0; i < count; i++) {
		writers[i].bench = bench;
		writers[i].op = (struct spool_op){.done = writer_done, .owner = &writers[i]};
		memset(writers[i].envelope, 'e', ENVELOPE_BYTES);
		put_next(&writers[i]);
	}
	io_run(bench->io);
	mem_free(writers);
}

static int
compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void
report_puts(struct bench *bench, double seconds)
{
	struct spool_numbers numbers;
	size_t count = bench->latency_count;

	spool_numbers(bench->spool, &numbers);
	qsort(bench->latencies, count, sizeof(*bench->latencies), compare);
	printf("puts/s %.0f, batches/s %.0f, put p50 %.2f ms, p99 %.2f ms, max %.2f ms\n",
	    (double)bench->done / seconds, (double)numbers.batches / seconds,
	    (double)bench->latencies[count / 2] / 1000,
	    (double)bench->latencies[count * 99 / 100] / 1000,
	    (double)bench->latencies[count - 1] / 1000);
	printf("messages %llu, disk bytes per message %.0f, segments %llu\n",
	    (unsigned long long)numbers.messages,
	    (double)numbers.disk_bytes / (double)(numbers.messages ? numbers.messages : 1),
	    (unsigned long long)numbers.segments);
}

static void
set_body(struct bench *bench, size_t bytes)
{
	char *body = mem_alloc(bytes + 1);

	memset(body, 'b', bytes);
	bench->body = span_of(body, bytes);
}

static void
run_put(int argc, char **argv)
{
	struct bench bench = {0};
	double began;

	set_body(&bench, (size_t)strtoull(argv[5], NULL, 10));
	sync_delay_ms = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0;
	bench.keep = argc > 7 ? strtoull(argv[7], NULL, 10) : 0;
	bench_open(&bench, argv[2]);
	bench.stop = (struct io_timer){.fired = time_is_up, .owner = &bench};
	io_timer_start(bench.io, &bench.stop, strtoull(argv[4], NULL, 10) * 1000);
	began = now();
	run_writers(&bench, (size_t)strtoull(argv[3], NULL, 10));
	report_puts(&bench, now() - began);
	bench_close(&bench);
}

static void
run_fill(char **argv)
{
	struct bench bench = {.keep = 1};
	double began;

	set_body(&bench, (size_t)strtoull(argv[4], NULL, 10));
	bench_open(&bench, argv[2]);
	bench.until = bench.next - 1 + strtoull(argv[3], NULL, 10);
	began = now();
	run_writers(&bench, 400);
	report_puts(&bench, now() - began);
	began = now();
	bench_close(&bench);
	printf("clean end %.2f s\n", now() - began);
}

static void
run_start(char **argv)
{
	struct bench bench = {0};
	struct spool_numbers numbers;
	struct rusage usage;
	double began = now(), seconds;
	long before_kb;

	getrusage(RUSAGE_SELF, &usage);
	before_kb = usage.ru_maxrss;
	bench_open(&bench, argv[2]);
	seconds = now() - began;
	spool_numbers(bench.spool, &numbers);
	getrusage(RUSAGE_SELF, &usage);
	printf("start %.2f s: %llu messages, %llu from digests, %llu from the log, %llu "
	       "marks, %llu damaged; %.1f bytes resident per message at most\n",
	    seconds, (unsigned long long)numbers.messages,
	    (unsigned long long)bench.from_digest, (unsigned long long)bench.from_log,
	    (unsigned long long)bench.marks, (unsigned long long)bench.damaged,
	    (double)(usage.ru_maxrss - before_kb) * 1024 /
		(double)(numbers.messages ? numbers.messages : 1));
	bench_close(&bench);
}

int
main(int argc, char **argv)
{
	if (argc >= 6 && strcmp(argv[1], "put") == 0)
		run_put(argc, argv);
	else if (argc == 5 && strcmp(argv[1], "fill") == 0)
		run_fill(argv);
	else if (argc == 3 && strcmp(argv[1], "start") == 0)
		run_start(argv);
	else
		return fprintf(stderr, "see the top of bench/spool_bench.c\n"), 2;
	return 0;
}
