/*
 * The spool on the real file system: what was put is found again, what was
 * removed is not, whatever moved, grew or was used again in between.
 */
#include "spool/spool_fixture.h"

#include <sys/mount.h>
#include <sys/wait.h>

enum { MB = 1 << 20 };

struct feed_seen {
	char words[512];
	uint64_t last;
};

static void
what_is_put_is_found_again(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 7, 8, 100, 2047, 2048, 2049, 4096, 70000, MB - 1, MB, MB + 1, 3 * MB};
	struct world world;

	(void)state;
	world_init(&world, 4 * MB);
	world_open(&world);
	assert_int_equal(spool_epoch(world.spool), 1);
	assert_int_equal(world.seen_count, 0);
	for (uint64_t i = 0; i < LEN(sizes); i++)
		assert_int_equal(put(&world, i + 1, sizes[i]), OK);
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < LEN(sizes); i++) {
			assert_int_equal(read_body(&world, i + 1, sizes[i], 65536), OK);
			assert_int_equal(read_body(&world, i + 1, sizes[i], 2 * MB), OK);
		}
		world_reopen(&world);
		assert_int_equal(spool_epoch(world.spool), (uint64_t)round + 2);
		assert_int_equal(world.seen_count, LEN(sizes));
		assert_int_equal(world.damage_count, 0);
		for (uint64_t i = 0; i < LEN(sizes); i++) {
			assert_int_equal(world.seen[i].id, i + 1);
			assert_true(world.seen[i].envelope_right);
			assert_int_equal(world.seen[i].body_bytes, sizes[i]);
		}
	}
	world_fini(&world);
}

static void
marks_and_removals_are_found_in_order(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	for (uint64_t id = 1; id <= 4; id++)
		assert_int_equal(put(&world, id, 100), OK);
	assert_int_equal(put(&world, 2, 100), ERR_EXISTS);
	assert_int_equal(mark(&world, 1, "a"), OK);
	assert_int_equal(mark(&world, 2, "b"), OK);
	assert_int_equal(mark(&world, 1, "c"), OK);
	assert_int_equal(mark(&world, 1, ""), OK);
	assert_int_equal(drop(&world, 3), OK);
	assert_int_equal(drop(&world, 3), ERR_NOT_FOUND);
	assert_int_equal(mark(&world, 3, "x"), ERR_NOT_FOUND);
	assert_int_equal(read_body(&world, 3, 0, 10), ERR_NOT_FOUND);
	world_reopen(&world);
	assert_int_equal(mark(&world, 1, "d"), OK);
	assert_int_equal(put(&world, 3, 200), OK);
	spool_mark(world.spool, NULL, 3, SPAN("later"));
	spool_remove(world.spool, NULL, 4, SPAN(""));
	assert_int_equal(put(&world, 5, 10), OK);
	world_reopen(&world);
	assert_int_equal(world.seen_count, 4);
	assert_string_equal(seen(&world, 1)->marks, "a;c;;d;");
	assert_string_equal(seen(&world, 2)->marks, "b;");
	assert_string_equal(seen(&world, 3)->marks, "later;");
	assert_null(seen(&world, 4));
	assert_int_equal(seen(&world, 3)->body_bytes, 200);
	assert_int_equal(world.damage_count, 0);
	world_fini(&world);
}

static void
envelopes_are_read_back(void **state)
{
	struct world world;
	struct buf buf;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	assert_int_equal(put(&world, 9, 5000), OK);
	for (int round = 0; round < 2; round++) {
		buf_init(&buf, 1000);
		assert_int_equal(spool_read_envelope(world.spool, 9, &buf), OK);
		assert_int_equal(buf.len, envelope_bytes(9));
		for (size_t i = 0; i < buf.len; i++)
			assert_int_equal(buf.ptr[i], envelope_byte(9, i));
		assert_int_equal(
		    spool_read_envelope(world.spool, 8, &buf), ERR_NOT_FOUND);
		buf_fini(&buf);
		world_reopen(&world);
	}
	world_fini(&world);
}

static enum err
read_message(struct world *world, uint64_t id, uint64_t body_bytes, size_t count)
{
	char *into = mem_alloc(count + 1);
	struct io_op op = {0};
	struct buf buf;

	buf_init(&buf, 1000);
	spool_read_message(world->spool, &op, id, &buf, into, count);
	if (!op.err) {
		assert_int_equal(op.count, body_bytes < count ? body_bytes : count);
		assert_int_equal(buf.len, envelope_bytes(id));
		for (size_t i = 0; i < buf.len; i++)
			assert_int_equal(buf.ptr[i], envelope_byte(id, i));
		for (size_t i = 0; i < op.count; i++)
			assert_int_equal(into[i], body_byte(id, i));
	}
	buf_fini(&buf);
	mem_free(into);
	return op.err;
}

static void
a_message_is_read_in_one_go(void **state)
{
	static const size_t sizes[] = {0, 100, 5000, 300000, 2 * MB};
	struct world world;

	(void)state;
	world_init(&world, 4 * MB);
	world_open(&world);
	for (uint64_t i = 0; i < LEN(sizes); i++)
		assert_int_equal(put(&world, i + 1, sizes[i]), OK);
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < LEN(sizes); i++)
			for (int again = 0; again < 2; again++) {
				assert_int_equal(
				    read_message(&world, i + 1, sizes[i], 65536), OK);
				assert_int_equal(
				    read_message(&world, i + 1, sizes[i], 0), OK);
			}
		assert_int_equal(read_message(&world, 99, 0, 10), ERR_NOT_FOUND);
		world_reopen(&world);
	}
	world_fini(&world);
}

/* The feed, as words: "p1 m1(x) r1(why)". */
static void
fed(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct feed_seen *seen_feed = owner;
	size_t used = strlen(seen_feed->words);

	assert_true(position > seen_feed->last);
	seen_feed->last = position;
	if (type == SPOOL_PUT) {
		assert_int_equal(payload.len, envelope_bytes(id));
		assert_int_equal(body_bytes, 100);
	}
	(void)snprintf(seen_feed->words + used, sizeof(seen_feed->words) - used,
	    "%c%d(%.*s) ", "?p?mr"[type], (int)id,
	    type == SPOOL_PUT ? 0 : (int)payload.len, payload.ptr);
}

static void
the_feed_tells_all_in_order_and_again(void **state)
{
	struct feed_seen live = {0};
	uint64_t middle;
	struct world world;

	(void)state;
	world_init(&world, MB);
	world.options.feed = (struct spool_feed){.owner = &live, .record = fed};
	world_open(&world);
	assert_int_equal(put(&world, 1, 100), OK);
	assert_int_equal(mark(&world, 1, "a"), OK);
	middle = live.last;
	assert_int_equal(put(&world, 2, 100), OK);
	spool_remove(world.spool, NULL, 1, SPAN("done"));
	assert_int_equal(mark(&world, 2, "b"), OK);
	assert_string_equal(live.words, "p1() m1(a) p2() r1(done) m2(b) ");
	live = (struct feed_seen){0};
	world_reopen(&world);
	assert_string_equal(live.words, "p1() m1(a) p2() r1(done) m2(b) ");
	live = (struct feed_seen){0};
	world.since = middle;
	world_reopen(&world);
	assert_string_equal(live.words, "p2() r1(done) m2(b) ");
	world_fini(&world);
}

static void
an_envelope_larger_than_a_segment_makes_one_grow(void **state)
{
	struct world world;
	struct waited waited;
	struct buf buf;
	char *envelope = mem_alloc(3 * MB);

	(void)state;
	memset(envelope, 'e', 3 * MB);
	world_init(&world, MB);
	world_open(&world);
	assert_int_equal(put(&world, 1, 100), OK);
	waited_init(&waited, &world);
	spool_put(world.spool, &waited.op, 2, span_of(envelope, 3 * MB), SPAN("body"));
	assert_int_equal(waited_end(&waited), OK);
	assert_int_equal(put(&world, 3, 100), OK);
	world_reopen(&world);
	assert_int_equal(world.seen_count, 3);
	assert_int_equal(world.damage_count, 0);
	buf_init(&buf, 4 * MB);
	assert_int_equal(spool_read_envelope(world.spool, 2, &buf), OK);
	assert_int_equal(buf.len, 3 * MB);
	buf_fini(&buf);
	mem_free(envelope);
	world_fini(&world);
}

static void
writers_share_syncs(void **state)
{
	struct spool_numbers numbers;
	struct world world;

	(void)state;
	world_init(&world, 4 * MB);
	world_open(&world);
	put_many(&world, 1, 500, 4096);
	spool_numbers(world.spool, &numbers);
	assert_int_equal(numbers.puts, 500);
	assert_in_range(numbers.batches, 2, 6);
	world_reopen(&world);
	assert_int_equal(world.seen_count, 500);
	for (uint64_t id = 1; id <= 500; id += 97)
		assert_int_equal(read_body(&world, id, 4096, 4096), OK);
	world_fini(&world);
}

static size_t
files_in(const struct world *world, const char *below)
{
	char path[PATH_BYTES * 2];
	struct dirent *entry;
	size_t count = 0;
	DIR *listing;

	(void)snprintf(path, sizeof(path), "%s/%s", world->path, below);
	listing = opendir(path);
	while (listing && (entry = readdir(listing)))
		count += entry->d_name[0] != '.';
	if (listing)
		closedir(listing);
	return count;
}

static void
large_bodies_have_files(void **state)
{
	struct world world;
	struct waited waited;
	struct spool_body *body, *dropped;
	struct bytes bytes;
	struct spool_numbers numbers;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	bytes_init(&bytes, 7, 5 * MB);
	body = spool_body_begin(world.spool);
	dropped = spool_body_begin(world.spool);
	for (size_t at = 0; at < bytes.body_bytes; at += 10000) {
		struct span piece = span_first(span_skip(bytes_body(&bytes), at), 10000);

		spool_body_add(body, piece);
		spool_body_add(dropped, piece);
	}
	assert_true(spool_body_pending(body) > 0);
	spool_body_drop(dropped);
	waited_init(&waited, &world);
	spool_put_body(world.spool, &waited.op, 7, bytes_envelope(&bytes, 7), body);
	assert_int_equal(waited_end(&waited), OK);
	assert_int_equal(flush(&world), OK);
	assert_int_equal(files_in(&world, "body"), 1);
	assert_int_equal(read_body(&world, 7, 5 * MB, 65536), OK);
	/* A file of which the log knows nothing. */
	assert_int_equal(put(&world, 8, 2 * MB), OK);
	world_reopen(&world);
	assert_int_equal(world.seen_count, 2);
	assert_int_equal(read_body(&world, 7, 5 * MB, 100000), OK);
	spool_numbers(world.spool, &numbers);
	assert_in_range(numbers.live_bytes, 7 * MB, 7 * MB + 1000);
	assert_int_equal(drop(&world, 7), OK);
	assert_int_equal(flush(&world), OK);
	assert_int_equal(files_in(&world, "body"), 1);
	world_reopen(&world);
	assert_int_equal(world.seen_count, 1);
	mem_free(bytes.body);
	world_fini(&world);
}

static void
orphans_go_and_lost_files_are_damage(void **state)
{
	struct world world;
	char path[PATH_BYTES * 2];
	FILE *file;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	assert_int_equal(put(&world, 1, 2 * MB), OK);
	assert_int_equal(put(&world, 2, 2 * MB), OK);
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	(void)snprintf(path, sizeof(path), "%s/body/00000009abcdef01", world.path);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	(void)snprintf(path, sizeof(path), "%s/body/0000000100000001", world.path);
	assert_int_equal(truncate(path, MB), 0);
	world_open(&world);
	assert_int_equal(files_in(&world, "body"), 2);
	assert_int_equal(world.seen_count, 1);
	assert_int_equal(world.seen[0].id, 2);
	assert_int_equal(world.damage_count, 1);
	assert_int_equal(world.damages[0].id, 1);
	/* A flipped bit in a body file is found when it is read. */
	(void)snprintf(path, sizeof(path), "%s/body/0000000100000002", world.path);
	file = fopen(path, "r+");
	assert_non_null(file);
	fseek(file, MB, SEEK_SET);
	fputc(body_byte(2, MB) ^ 1, file);
	fclose(file);
	assert_int_equal(read_body(&world, 2, 2 * MB, 65536), ERR_CORRUPT);
	world_fini(&world);
}

static void
a_second_opener_is_refused(void **state)
{
	struct world world, other;
	int status;
	pid_t pid;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		other = (struct world){.options = world.options};
		(void)snprintf(other.path, sizeof(other.path), "%s", world.path);
		_exit(world_try_open(&other) == ERR_BUSY ? 42 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 42);
	world_fini(&world);
}

/* A full disk: puts are refused, marks and removals go on, and room comes back. */
static void
fill(struct world *world)
{
	uint64_t id = 0, last;
	enum err err;

	while ((err = put(world, ++id, 4096)) == OK)
		assert_true(id < 100000);
	assert_int_equal(err, ERR_NO_SPACE);
	last = id - 1;
	assert_true(last > 100);
	assert_false(spool_is_broken(world->spool));
	for (id = 1; id <= last; id++)
		assert_int_equal(mark(world, id, "deferred"), OK);
	world_reopen(world);
	assert_int_equal(world->seen_count, last);
	assert_int_equal(world->damage_count, 0);
	assert_int_equal(put(world, last + 1, 4096), ERR_NO_SPACE);
	for (id = 1; id <= last; id++)
		assert_int_equal(drop(world, id), OK);
	for (id = last + 2; id < last + 600; id++)
		assert_int_equal(put(world, id, 4096), OK);
	world_reopen(world);
	assert_int_equal(world->seen_count, 598);
}

static void
a_full_disk_refuses_puts_only(void **state)
{
	struct world world;
	uint64_t reserves[] = {0, 2 * MB};

	(void)state;
	for (size_t i = 0; i < LEN(reserves); i++) {
		world_init(&world, MB);
		if (mount("none", world.path, "tmpfs", 0, "size=12m")) {
			empty_dir(world.path);
			print_message("needs root, to mount a small file system\n");
			skip();
		}
		world.options.disk_reserve_bytes = reserves[i];
		world_open(&world);
		fill(&world);
		assert_int_equal(flush(&world), OK);
		world_close(&world);
		assert_int_equal(umount(world.path), 0);
		world_fini(&world);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_put_is_found_again),
	    cmocka_unit_test(marks_and_removals_are_found_in_order),
	    cmocka_unit_test(envelopes_are_read_back),
	    cmocka_unit_test(a_message_is_read_in_one_go),
	    cmocka_unit_test(the_feed_tells_all_in_order_and_again),
	    cmocka_unit_test(an_envelope_larger_than_a_segment_makes_one_grow),
	    cmocka_unit_test(writers_share_syncs),
	    cmocka_unit_test(large_bodies_have_files),
	    cmocka_unit_test(orphans_go_and_lost_files_are_damage),
	    cmocka_unit_test(a_second_opener_is_refused),
	    cmocka_unit_test(a_full_disk_refuses_puts_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
