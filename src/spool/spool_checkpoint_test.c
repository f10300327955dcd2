/*
 * Checkpoints on the real file system: used, damaged, foreign, too new for the feed;
 * releases that hold back segments; and a spool of version 1 that goes on.
 */
#include "spool/spool_fixture.h"

#include "base/wire.h"
#include "spool/crc32c.h"
#include "spool/spool_record.h"

enum { MB = 1 << 20, MESSAGES = 600 };

struct owner {
	struct world world;
	size_t digests, messages, damages, fed;
	uint64_t wanted;
	bool refuse; /* digests */
	char damaged[64];
};

static void
write_digest(void *owner, uint64_t id, struct buf *out)
{
	(void)owner;
	buf_addf(out, "digest %d", (int)id);
}

static void
owner_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct owner *state = owner;

	(void)body_bytes;
	assert_int_equal(envelope.len, envelope_bytes(id));
	state->messages++;
}

static void
owner_mark(void *owner, uint64_t id, struct span mark_bytes)
{
	(void)owner;
	(void)id;
	(void)mark_bytes;
}

static enum err
owner_digest(void *owner, uint64_t id, struct span digest, uint64_t body_bytes)
{
	struct owner *state = owner;
	char expected[32];

	(void)body_bytes;
	(void)snprintf(expected, sizeof(expected), "digest %d", (int)id);
	assert_true(span_eq(digest, span_str(expected)));
	if (state->refuse)
		return ERR_VERSION;
	state->digests++;
	return OK;
}

static void
owner_damaged(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	struct owner *state = owner;

	(void)offset;
	(void)id;
	state->damages++;
	(void)snprintf(state->damaged, sizeof(state->damaged), "%s", segment);
}

static void
owner_fed(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct owner *state = owner;

	(void)position;
	(void)type;
	(void)id;
	(void)payload;
	(void)body_bytes;
	state->fed++;
}

static void
owner_wants(void *owner, uint64_t position)
{
	struct owner *state = owner;

	state->wanted = position;
}

static void
owner_open(struct owner *owner)
{
	struct world *world = &owner->world;
	const struct spool_scan scan = {
	    .owner = owner,
	    .message = owner_message,
	    .mark = owner_mark,
	    .damaged = owner_damaged,
	    .digest = owner_digest,
	    .since = world->since,
	};

	owner->digests = owner->messages = owner->damages = owner->fed = 0;
	world->options.digest = write_digest;
	world->options.digest_owner = owner;
	world->options.release_owner = owner;
	world->io = io_create();
	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	assert_int_equal(
	    spool_open(world->io, world->dir, &world->options, &scan, &world->spool), OK);
}

static void
owner_close(struct owner *owner)
{
	(void)flush(&owner->world);
	world_close(&owner->world);
}

static void
put_messages(struct owner *owner, uint64_t first)
{
	for (uint64_t id = first; id < first + MESSAGES; id += 20) {
		struct waited waits[20];
		struct bytes bytes[20];

		for (size_t i = 0; i < 20; i++) {
			waited_init(&waits[i], &owner->world);
			bytes_init(&bytes[i], id + i, 4000);
			spool_put(owner->world.spool, &waits[i].op, id + i,
			    bytes_envelope(&bytes[i], id + i), bytes_body(&bytes[i]));
		}
		for (size_t i = 0; i < 20; i++) {
			assert_int_equal(waited_end(&waits[i]), OK);
			mem_free(bytes[i].body);
		}
	}
}

static void
flip(const struct owner *owner, const char *name, long offset)
{
	char path[PATH_BYTES * 2];
	FILE *file;
	int c;

	(void)snprintf(path, sizeof(path), "%s/%s", owner->world.path, name);
	file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
	c = fgetc(file);
	assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
	fputc(c ^ 1, file);
	fclose(file);
}

static void
a_start_knows_messages_by_their_digests(void **state)
{
	struct spool_numbers numbers;
	struct owner owner = {0};

	(void)state;
	world_init(&owner.world, MB);
	owner_open(&owner);
	put_messages(&owner, 1);
	assert_int_equal(flush(&owner.world), OK);
	spool_numbers(owner.world.spool, &numbers);
	assert_int_equal(numbers.checkpoints, 1);
	for (uint64_t id = 1; id <= 10; id++)
		assert_int_equal(drop(&owner.world, id), OK);
	assert_int_equal(put(&owner.world, 5000, 10), OK);
	owner_close(&owner);
	owner_open(&owner);
	assert_int_equal(owner.damages, 0);
	assert_int_equal(owner.digests, MESSAGES - 10);
	assert_int_equal(owner.messages, 1);
	assert_int_equal(read_body(&owner.world, 11, 4000, 5000), OK);
	owner_close(&owner);
	owner.refuse = true;
	owner_open(&owner);
	assert_int_equal(owner.digests, 0);
	assert_int_equal(owner.messages, MESSAGES - 9);
	owner_close(&owner);
	world_fini(&owner.world);
}

/* Each byte that is hit makes the whole useless, or one block's digests; nothing is lost. */
static void
a_damaged_checkpoint_is_reported_and_all_is_scanned(void **state)
{
	static const long offsets[] = {0, 30, 45, 64, 70, 100, 130, 1000, -1, -30, -60};
	struct owner owner = {0};
	size_t reported = 0;

	(void)state;
	world_init(&owner.world, MB);
	owner_open(&owner);
	put_messages(&owner, 1);
	owner_close(&owner);
	for (size_t i = 0; i < LEN(offsets); i++) {
		flip(&owner, "checkpoint", offsets[i]);
		owner_open(&owner);
		assert_int_equal(owner.digests + owner.messages, MESSAGES);
		if (owner.damages) {
			assert_int_equal(owner.damages, 1);
			assert_string_equal(owner.damaged, "checkpoint");
			assert_int_equal(owner.digests, 0);
			reported++;
		}
		world_close(&owner.world);
		flip(&owner, "checkpoint", offsets[i]);
	}
	assert_true(reported >= LEN(offsets) - 3);
	/* Of another spool: the salts of its segments are others. */
	for (long copy = 40; copy <= SPOOL_HEAD_SECOND + 40; copy += SPOOL_HEAD_SECOND)
		flip(&owner, "seg-00000000.log", copy);
	owner_open(&owner);
	assert_true(owner.damages > 0);
	owner_close(&owner);
	world_fini(&owner.world);
}

static void
nothing_goes_before_it_is_released(void **state)
{
	struct spool_numbers numbers;
	struct owner owner = {0};

	(void)state;
	world_init(&owner.world, MB);
	owner.world.options.want_release = owner_wants;
	owner.world.options.feed.owner = &owner;
	owner.world.options.feed.record = owner_fed;
	owner.world.options.checkpoint_log_bytes = MB;
	owner_open(&owner);
	for (int round = 0; round < 3; round++) {
		put_messages(&owner, 1);
		for (uint64_t id = 1; id <= MESSAGES; id++)
			spool_remove(owner.world.spool, NULL, id, SPAN("x"));
	}
	assert_int_equal(flush(&owner.world), OK);
	spool_numbers(owner.world.spool, &numbers);
	assert_int_equal(numbers.checkpoints, 0);
	assert_true(numbers.segments >= 8);
	assert_true(owner.wanted > 0);
	/* All of it is fed again: there is no checkpoint, and no segment was used again. */
	world_close(&owner.world);
	owner_open(&owner);
	assert_int_equal(owner.fed, 6 * MESSAGES);
	put_messages(&owner, 1);
	spool_release(owner.world.spool, owner.wanted);
	put_messages(&owner, 2000);
	assert_int_equal(flush(&owner.world), OK);
	spool_release(owner.world.spool, owner.wanted);
	put_messages(&owner, 4000);
	spool_release(owner.world.spool, owner.wanted);
	assert_int_equal(flush(&owner.world), OK);
	spool_numbers(owner.world.spool, &numbers);
	assert_true(numbers.checkpoints > 0);
	owner_close(&owner);
	/* A feed that wants more than the checkpoint leaves: all is scanned, nothing reported. */
	owner.world.since = 0;
	owner_open(&owner);
	assert_int_equal(owner.damages, 0);
	assert_int_equal(owner.digests, 0);
	assert_int_equal(owner.messages, 3 * MESSAGES);
	owner_close(&owner);
	world_fini(&owner.world);
}

/* Gives all heads in a file the first version: the rest of the bytes is the same. */
static void
make_old(const struct owner *owner, const char *name, size_t bytes)
{
	char path[PATH_BYTES * 2], head[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", owner->world.path, name);
	file = fopen(path, "r+b");
	assert_non_null(file);
	for (long at = 0; at <= 4096; at += 4096) {
		fseek(file, at, SEEK_SET);
		assert_int_equal(fread(head, 1, bytes, file), bytes);
		if (wire_get_u32(head + 8) == 0)
			continue;
		wire_put_u32(head + 8, 1);
		wire_put_u32(head + 12, 0);
		wire_put_u32(head + 12, crc32c(0, span_of(head, bytes)));
		fseek(file, at, SEEK_SET);
		assert_int_equal(fwrite(head, 1, bytes, file), bytes);
	}
	fclose(file);
}

static void
a_spool_of_version_1_goes_on(void **state)
{
	struct owner owner = {0};
	char path[PATH_BYTES * 2], head[64];
	struct world *world = &owner.world;
	FILE *file;

	(void)state;
	world_init(world, MB);
	world_open(world);
	for (uint64_t id = 1; id <= 5; id++)
		assert_int_equal(put(world, id, 500), OK);
	assert_int_equal(mark(world, 1, "a"), OK);
	spool_remove(world->spool, NULL, 2, SPAN(""));
	assert_int_equal(flush(world), OK);
	world_close(world);
	make_old(&owner, "epoch", SPOOL_EPOCH_BYTES);
	make_old(&owner, "seg-00000000.log", SPOOL_HEAD_BYTES);
	make_old(&owner, "seg-00000001.log", SPOOL_HEAD_BYTES);
	for (int round = 0; round < 2; round++) {
		world_open(world);
		assert_int_equal(world->damage_count, 0);
		assert_int_equal(world->seen_count, 4 + (size_t)round);
		assert_string_equal(seen(world, 1)->marks, round ? "a;b;" : "a;");
		if (round == 0) {
			assert_int_equal(mark(world, 1, "b"), OK);
			assert_int_equal(put(world, 6, 100), OK);
		}
		assert_int_equal(flush(world), OK);
		world_close(world);
	}
	/* What is old stays as it is; what is new is in a segment of its own. */
	(void)snprintf(path, sizeof(path), "%s/seg-00000000.log", world->path);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fread(head, 1, sizeof(head), file), sizeof(head));
	assert_int_equal(wire_get_u32(head + 8), 1);
	fclose(file);
	world_fini(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_knows_messages_by_their_digests),
	    cmocka_unit_test(a_damaged_checkpoint_is_reported_and_all_is_scanned),
	    cmocka_unit_test(nothing_goes_before_it_is_released),
	    cmocka_unit_test(a_spool_of_version_1_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
