/*
 * The read-only scan against start-up: of any spool, whole or hurt, both must say
 * the same, and the scan must change nothing and give the losses their names.
 */
#include "spool/spool_verify.h"

#include "base/wire.h"
#include "spool/crc32c.h"
#include "spool/spool_block.h"
#include "spool/spool_fixture.h"
#include "spool/spool_record.h"

enum { MB = 1 << 20, BIG = MB + 5000, IDS_MAX = 400 };

/* One look at a directory. */
struct look {
	struct io *io;
	struct io_dir *dir;
	struct spool_verify *verify;
	struct spool_verify_numbers numbers;
	uint64_t ids[IDS_MAX];
	size_t count, bad_envelopes, bad_bodies;
	char marks[IDS_MAX][SEEN_MARKS];
	uint64_t body_at;
};

static void
look_mark(void *owner, struct span mark)
{
	struct look *look = owner;
	size_t used = strlen(look->marks[look->count]);

	(void)snprintf(look->marks[look->count] + used, SEEN_MARKS - used, "%.*s;",
	    (int)mark.len, mark.ptr);
}

static void
look_piece(void *owner, struct span bytes)
{
	struct look *look = owner;

	for (size_t i = 0; i < bytes.len; i++)
		if (bytes.ptr[i] != body_byte(look->ids[look->count], look->body_at++))
			look->bad_bodies++;
}

static void
look_message(void *owner, const struct spool_verify_message *message)
{
	struct look *look = owner;
	struct buf envelope;

	assert_true(look->count < IDS_MAX);
	look->ids[look->count] = message->id;
	look->marks[look->count][0] = 0;
	buf_init(&envelope, 1 << 20);
	if (spool_verify_message(look->verify, message->id, &envelope, look_mark, look))
		look->bad_envelopes++;
	for (size_t i = 0; i < envelope.len; i++)
		look->bad_envelopes += envelope.ptr[i] != envelope_byte(message->id, i);
	look->body_at = 0;
	if (spool_verify_body(look->verify, message->id, look_piece, look))
		look->bad_bodies++;
	assert_true(look->bad_bodies || look->body_at == message->body_bytes);
	buf_fini(&envelope);
	look->count++;
}

static enum err
look_try(struct look *look, const char *path, bool running)
{
	const struct spool_verify_options options = {.running = running};
	enum err err;

	*look = (struct look){.io = io_create()};
	assert_int_equal(io_dir_open(look->io, path, &look->dir), OK);
	err = spool_verify_open(look->io, look->dir, &options, &look->verify);
	return err;
}

static void
look_all(struct look *look, const char *path)
{
	assert_int_equal(look_try(look, path, false), OK);
	assert_int_equal(spool_verify_pass(look->verify), OK);
	assert_int_equal(spool_verify_checkpoint(look->verify), OK);
	assert_int_equal(spool_verify_bodies(look->verify), OK);
	spool_verify_numbers(look->verify, &look->numbers);
	spool_verify_each(look->verify, look_message, look);
}

static void
look_end(struct look *look)
{
	spool_verify_close(look->verify);
	io_dir_close(look->dir);
	io_destroy(look->io);
}

static void
agree(const struct look *look, const struct world *world)
{
	assert_int_equal(look->count, world->seen_count);
	assert_int_equal(look->bad_envelopes, 0);
	for (size_t i = 0; i < look->count; i++) {
		assert_int_equal(look->ids[i], world->seen[i].id);
		assert_string_equal(look->marks[i], world->seen[i].marks);
		assert_true(world->seen[i].envelope_right);
	}
}

/* Messages of all kinds, moved and removed, over several segments. */
static void
fill(struct world *world)
{
	world_init(world, MB);
	world->options.checkpoint_log_bytes = MB;
	world_open(world);
	for (uint64_t id = 1; id <= 60; id++) {
		assert_int_equal(put(world, id, id % 13 == 0 ? BIG : 40000), OK);
		if (id % 3 == 0)
			assert_int_equal(mark(world, id, "first"), OK);
		if (id > 10 && id % 2)
			assert_int_equal(drop(world, id - 10), OK);
		if (id % 6 == 0)
			assert_int_equal(mark(world, id, "second"), OK);
	}
	assert_int_equal(flush(world), OK);
}

static const struct spool_problem *
only_damage(const struct look *look)
{
	const struct spool_problem *found = NULL, *problem;

	assert_int_equal(look->numbers.damages, 1);
	for (size_t i = 0; (problem = spool_verify_problem(look->verify, i)); i++)
		if (spool_problem_is_damage(problem))
			found = problem;
	assert_non_null(found);
	return found;
}

static void
a_sound_spool_is_told_as_start_up_tells_it(void **state)
{
	struct world world;
	struct look look;

	(void)state;
	fill(&world);
	world_close(&world);
	look_all(&look, world.path);
	assert_int_equal(look.numbers.damages, 0);
	assert_int_equal(look.bad_bodies, 0);
	assert_int_equal(look.numbers.body_files, 2);
	assert_true(look.numbers.segments_live > 1);
	assert_int_equal(look.numbers.version_max, SPOOL_FORMAT_VERSION);
	assert_null(spool_verify_problem(look.verify, 0));
	world_open(&world);
	assert_int_equal(look.numbers.epoch + 1, spool_epoch(world.spool));
	agree(&look, &world);
	look_end(&look);
	world_fini(&world);
}

static void
what_is_no_spool_or_a_newer_one_is_refused(void **state)
{
	struct world world;
	struct look look;

	(void)state;
	world_init(&world, MB);
	assert_int_equal(look_try(&look, world.path, false), ERR_NOT_FOUND);
	io_dir_close(look.dir);
	io_destroy(look.io);
	world_open(&world);
	world_close(&world);
	look_all(&look, world.path);
	assert_int_equal(look.numbers.damages + look.count, 0);
	look_end(&look);
	world_fini(&world);
}

/* Flips one bit of a file. */
static void
flip(const struct world *world, const char *name, uint64_t offset)
{
	char path[PATH_BYTES * 2];
	int fd;
	char byte;

	(void)snprintf(path, sizeof(path), "%s/%s", world->path, name);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
}

struct sight {
	uint64_t id;
	struct spool_verify_message message;
};

static void
note_sight(void *owner, const struct spool_verify_message *message)
{
	struct sight *sight = owner;

	if (message->id == sight->id)
		sight->message = *message;
}

/* Where a message is. */
static struct spool_verify_message
where(const struct world *world, uint64_t id)
{
	struct sight sight = {.id = id};
	struct look look;

	look_all(&look, world->path);
	spool_verify_each(look.verify, note_sight, &sight);
	look_end(&look);
	assert_int_equal(sight.message.id, id);
	return sight.message;
}

static void
losses_have_their_names(void **state)
{
	static const struct {
		uint64_t into; /* bytes into the record of message 2 */
		enum spool_problem_kind kind;
		enum spool_loss loss;
		uint64_t id;
	} cases[] = {
	    /* Its envelope, its body, its header. */
	    {SPOOL_RECORD_HEAD + 2, SPOOL_BAD_RECORD, SPOOL_LOST_MESSAGE, 2},
	    {SPOOL_RECORD_HEAD + 900, SPOOL_BAD_BODY, SPOOL_LOST_MESSAGE, 2},
	    {12, SPOOL_BAD_RECORD, SPOOL_LOST_UNKNOWN, 0},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const struct spool_problem *problem;
		struct spool_verify_message message;
		struct world world;
		struct look look;

		world_init(&world, MB);
		world_open(&world);
		for (uint64_t id = 1; id <= 4; id++)
			assert_int_equal(put(&world, id, 1000), OK);
		assert_int_equal(flush(&world), OK);
		world_close(&world);
		message = where(&world, 2);
		flip(&world, message.segment, message.offset + cases[i].into);
		look_all(&look, world.path);
		problem = only_damage(&look);
		assert_int_equal(problem->kind, cases[i].kind);
		assert_int_equal(problem->loss, cases[i].loss);
		assert_int_equal(problem->id, cases[i].id);
		assert_int_equal(problem->offset, message.offset);
		assert_string_equal(problem->file, message.segment);
		assert_true(problem->bytes >= 1000 && problem->bytes < 1200);
		world_open(&world);
		assert_int_equal(world.damage_count, cases[i].kind == SPOOL_BAD_RECORD);
		agree(&look, &world);
		look_end(&look);
		world_fini(&world);
	}
}

static void
a_damaged_body_file_is_named(void **state)
{
	struct spool_verify_message message;
	struct world world;
	struct look look;
	char path[PATH_BYTES * 2];

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	assert_int_equal(put(&world, 1, BIG), OK);
	assert_int_equal(put(&world, 2, 100), OK);
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	message = where(&world, 1);
	assert_true(message.body_file != 0);
	flip(&world, message.body, BIG / 2);
	look_all(&look, world.path);
	assert_int_equal(only_damage(&look)->kind, SPOOL_BAD_BODY);
	assert_int_equal(only_damage(&look)->id, 1);
	assert_int_equal(only_damage(&look)->loss, SPOOL_LOST_MESSAGE);
	look_end(&look);
	(void)snprintf(path, sizeof(path), "%s/%s", world.path, message.body);
	assert_int_equal(unlink(path), 0);
	look_all(&look, world.path);
	assert_int_equal(only_damage(&look)->kind, SPOOL_GONE_BODY);
	look_end(&look);
	world_fini(&world);
}

/* Start-up leaves bodies for later: those that the scan complains of cannot be read then. */
static uint64_t
check_bad_bodies(const struct look *look, struct world *world)
{
	const struct spool_problem *problem;
	uint64_t count = 0;

	for (size_t i = 0; (problem = spool_verify_problem(look->verify, i)); i++) {
		if (problem->kind != SPOOL_BAD_BODY)
			continue;
		count++;
		if (problem->loss == SPOOL_LOST_MESSAGE)
			assert_int_equal(
			    read_body(world, problem->id, 0, 1 << 16), ERR_CORRUPT);
	}
	return count;
}

/* Any bit anywhere: whatever start-up makes of it, the scan says the same. */
static void
hurt_at_random_both_say_the_same(void **state)
{
	unsigned noise = 7;
	unsigned hurt = 0;

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct world world;
		struct look look;

		world_init(&world, MB);
		world_open(&world);
		for (uint64_t id = 1; id <= 30; id++) {
			assert_int_equal(put(&world, id, 300 + id * 40), OK);
			if (id % 2)
				assert_int_equal(mark(&world, id, "m"), OK);
			if (id % 5 == 0)
				assert_int_equal(drop(&world, id - 3), OK);
		}
		assert_int_equal(flush(&world), OK);
		world_close(&world);
		for (unsigned i = 0; i < 1 + round % 4; i++) {
			noise = noise * 1103515245u + 12345;
			flip(&world, "seg-00000000.log",
			    SPOOL_SEGMENT_DATA + (noise >> 8) % 36000);
		}
		look_all(&look, world.path);
		world_open(&world);
		agree(&look, &world);
		assert_int_equal(look.numbers.damages > check_bad_bodies(&look, &world),
		    world.damage_count > 0);
		hurt += look.numbers.damages > 0;
		look_end(&look);
		world_fini(&world);
	}
	assert_true(hurt > 20);
}

/* A look at a spool in use: passes between writes, over segments that are used again. */
static void
a_spool_in_use_is_followed(void **state)
{
	struct world world;
	struct look look;
	uint64_t id = 0;

	(void)state;
	world_init(&world, MB);
	world.options.checkpoint_log_bytes = MB;
	world_open(&world);
	assert_int_equal(put(&world, ++id, 1000), OK);
	assert_int_equal(look_try(&look, world.path, true), OK);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(put(&world, ++id, i % 40 == 0 ? BIG : 50000), OK);
		if (id > 20)
			assert_int_equal(drop(&world, id - 15), OK);
		if (i % 7 == 0)
			assert_int_equal(spool_verify_pass(look.verify), OK);
		if (i % 50 == 0) {
			assert_int_equal(spool_verify_checkpoint(look.verify), OK);
			assert_int_equal(spool_verify_bodies(look.verify), OK);
		}
	}
	assert_int_equal(flush(&world), OK);
	assert_int_equal(spool_verify_pass(look.verify), OK);
	assert_int_equal(spool_verify_bodies(look.verify), OK);
	spool_verify_numbers(look.verify, &look.numbers);
	assert_int_equal(look.numbers.damages, 0);
	spool_verify_each(look.verify, look_message, &look);
	world_reopen(&world);
	agree(&look, &world);
	assert_int_equal(look.bad_bodies, 0);
	look_end(&look);
	world_fini(&world);
}

/* A checkpoint whose checksums are right, and which knows of no message; gives where it began. */
static uint64_t
forge_checkpoint(const struct world *world)
{
	char path[PATH_BYTES * 2], head[SPOOL_CHECKPOINT_HEAD], block_head[SPOOL_BLOCK_HEAD];
	struct spool_checkpoint_head read;
	struct spool_block block = {.kind = SPOOL_BLOCK_END, .entries_bytes = 8};
	char none[8] = {0};
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/checkpoint", world->path);
	file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fread(head, 1, sizeof(head), file), sizeof(head));
	assert_int_equal(
	    spool_checkpoint_head_read(span_of(head, sizeof(head)), &read), OK);
	block.entries_crc = crc32c(0, span_of(none, sizeof(none)));
	spool_block_write(block_head, read.salt, SPOOL_CHECKPOINT_HEAD, &block);
	assert_int_equal(fseek(file, SPOOL_CHECKPOINT_HEAD, SEEK_SET), 0);
	assert_int_equal(
	    fwrite(block_head, 1, sizeof(block_head), file), sizeof(block_head));
	assert_int_equal(fwrite(none, 1, sizeof(none), file), sizeof(none));
	assert_int_equal(fclose(file), 0);
	return read.begin;
}

struct before {
	uint64_t position, count;
};

static void
count_before(void *owner, const struct spool_verify_message *message)
{
	struct before *before = owner;

	before->count += (message->sequence << 32 | message->offset) < before->position;
}

static void
a_checkpoint_must_say_what_the_log_says(void **state)
{
	struct world world;
	struct look look;
	struct before before = {0};
	uint64_t messages;

	(void)state;
	fill(&world);
	world_reopen(&world);
	assert_int_equal(put(&world, 900, 2 * MB), OK);
	for (uint64_t id = 901; id < 930; id++)
		assert_int_equal(put(&world, id, 90000), OK);
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	look_all(&look, world.path);
	assert_int_equal(look.numbers.damages, 0);
	assert_true(look.numbers.checkpoint_messages > 0);
	messages = look.numbers.messages;
	look_end(&look);
	flip(&world, "checkpoint", SPOOL_CHECKPOINT_HEAD + SPOOL_BLOCK_HEAD + 5);
	look_all(&look, world.path);
	assert_int_equal(only_damage(&look)->kind, SPOOL_BAD_CHECKPOINT);
	assert_int_equal(only_damage(&look)->loss, SPOOL_LOST_NOTHING);
	look_end(&look);
	/* What came after its begin is found in the log. */
	before.position = forge_checkpoint(&world);
	look_all(&look, world.path);
	assert_int_equal(look.numbers.messages, messages);
	spool_verify_each(look.verify, count_before, &before);
	assert_true(before.count > 0);
	assert_int_equal(look.numbers.damages, before.count);
	assert_int_equal(spool_verify_problem(look.verify, 0)->loss, SPOOL_LOST_MESSAGE);
	look_end(&look);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sound_spool_is_told_as_start_up_tells_it),
	    cmocka_unit_test(what_is_no_spool_or_a_newer_one_is_refused),
	    cmocka_unit_test(losses_have_their_names),
	    cmocka_unit_test(a_damaged_body_file_is_named),
	    cmocka_unit_test(hurt_at_random_both_say_the_same),
	    cmocka_unit_test(a_spool_in_use_is_followed),
	    cmocka_unit_test(a_checkpoint_must_say_what_the_log_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
