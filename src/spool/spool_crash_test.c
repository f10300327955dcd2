/*
 * What a crash or a bad disk leaves: ends of the log cut, zeroed and filled with
 * noise at every byte, bits flipped in each kind of record, files of a newer
 * version, writes that fail.
 */
#include "spool/spool_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/wire.h"
#include "spool/crc32c.h"
#include "spool/spool_record.h"

enum { MB = 1 << 20, RECORDS_MAX = 4096 };

/* One file's bytes. */
struct blob {
	char *bytes;
	size_t count;
};

struct place {
	uint64_t offset, end; /* without padding */
	struct spool_record record;
};

static void
path_of(const struct world *world, const char *name, char path[PATH_BYTES * 2])
{
	(void)snprintf(path, PATH_BYTES * 2, "%s/%s", world->path, name);
}

static struct blob
blob_read(const struct world *world, const char *name)
{
	char path[PATH_BYTES * 2];
	struct blob blob = {0};
	FILE *file;
	long size;

	path_of(world, name, path);
	file = fopen(path, "rb");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	assert_true(size >= 0);
	blob.count = (size_t)size;
	blob.bytes = mem_alloc(blob.count + 1);
	rewind(file);
	assert_int_equal(fread(blob.bytes, 1, blob.count, file), blob.count);
	fclose(file);
	return blob;
}

static void
blob_write(const struct world *world, const char *name, const char *bytes, size_t count)
{
	char path[PATH_BYTES * 2];
	FILE *file;

	path_of(world, name, path);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, count, file), count);
	assert_int_equal(fclose(file), 0);
}

/* All records of a segment in order. */
static size_t
find_records(const struct blob *segment, struct place places[RECORDS_MAX])
{
	struct spool_head head;
	struct spool_key key;
	uint64_t at = SPOOL_SEGMENT_DATA;
	size_t count = 0;

	if (spool_head_read(span_of(segment->bytes, segment->count), &head))
		return 0;
	key = spool_key_of(&head);
	while (at + SPOOL_RECORD_HEAD <= segment->count && count < RECORDS_MAX) {
		struct place *place = &places[count];
		struct span bytes = span_of(segment->bytes + at, segment->count - at);

		if (spool_record_read(bytes, key, at, &place->record))
			break;
		place->offset = at;
		place->end = at + SPOOL_RECORD_HEAD + spool_record_rest(&place->record);
		at += spool_record_bytes(&place->record);
		count++;
	}
	return count;
}

/* What the spool holds, in words: "1 a;b; / 4 /". */
static void
describe(const struct world *world, char out[1024])
{
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < world->seen_count; i++) {
		assert_true(world->seen[i].envelope_right);
		used += (size_t)snprintf(out + used, 1024 - used, "%d %s / ",
		    (int)world->seen[i].id, world->seen[i].marks);
		assert_true(used < 1024);
	}
}

enum harm { CUT, ZEROS, NOISE, HARM_COUNT };

static void
do_harm(struct blob *blob, enum harm harm, size_t at)
{
	unsigned noise = (unsigned)at * 2654435761u + 1;

	if (harm == CUT) {
		blob->count = at;
		return;
	}
	for (size_t i = at; i < blob->count; i++) {
		noise = noise * 1103515245u + 12345;
		blob->bytes[i] = harm == ZEROS ? 0 : (char)(noise >> 16);
	}
}

static const char *const prefixes[] = {
    "",
    "1  / ",
    "1  / 2  / ",
    "1 m1; / 2  / ",
    "1 m1; / 2  / 3  / ",
    "1 m1; / 3  / ",
    "1 m1; / 3 m3; / ",
    "1 m1;m2; / 3 m3; / ",
    "1 m1;m2; / 3 m3; / 4  / ",
};

/* Eight operations, each in a batch of its own. */
static void
write_prefixes(struct world *world)
{
	assert_int_equal(put(world, 1, 60), OK);
	assert_int_equal(put(world, 2, 10), OK);
	assert_int_equal(mark(world, 1, "m1"), OK);
	assert_int_equal(put(world, 3, 100), OK);
	assert_int_equal(drop(world, 2), OK);
	assert_int_equal(mark(world, 3, "m3"), OK);
	assert_int_equal(mark(world, 1, "m2"), OK);
	assert_int_equal(put(world, 4, 77), OK);
}

static void
an_end_torn_anywhere_leaves_a_prefix(void **state)
{
	static struct place places[RECORDS_MAX];
	struct world world;
	struct blob original, epoch;
	char found[1024];
	size_t count;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	write_prefixes(&world);
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	original = blob_read(&world, "seg-00000000.log");
	epoch = blob_read(&world, "epoch");
	count = find_records(&original, places);
	assert_int_equal(count, LEN(prefixes)); /* with the seal */
	original.count = (size_t)places[count - 1].end + 4096;
	for (enum harm harm = CUT; harm < HARM_COUNT; harm++)
		for (size_t at = (size_t)places[3].offset; at <= places[count - 1].end;
		     at++) {
			struct blob torn = {mem_alloc(original.count), original.count};
			size_t whole = 0;

			memcpy(torn.bytes, original.bytes, original.count);
			do_harm(&torn, harm, at);
			while (whole < count && places[whole].end <= torn.count &&
			       memcmp(torn.bytes, original.bytes, places[whole].end) == 0)
				whole++;
			empty_dir(world.path);
			assert_int_equal(mkdir(world.path, 0700), 0);
			blob_write(&world, "epoch", epoch.bytes, epoch.count);
			blob_write(&world, "seg-00000000.log", torn.bytes, torn.count);
			mem_free(torn.bytes);
			world_open(&world);
			describe(&world, found);
			assert_string_equal(found, prefixes[whole - 1]);
			assert_int_equal(world.damage_count, 0);
			world_close(&world);
			if (at % 16)
				continue;
			/* What comes after is found too, and nothing stale with it. */
			world_open(&world);
			assert_int_equal(put(&world, 5, 50), OK);
			world_reopen(&world);
			assert_int_equal(world.damage_count, 0);
			describe(&world, found);
			assert_memory_equal(
			    found, prefixes[whole - 1], strlen(prefixes[whole - 1]));
			assert_string_equal(found + strlen(prefixes[whole - 1]), "5  / ");
			assert_int_equal(flush(&world), OK);
			world_close(&world);
		}
	mem_free(original.bytes);
	mem_free(epoch.bytes);
	world_fini(&world);
}

/*
 * A torn record in the middle of the last batch: nobody was told of it, so it
 * isn't damage, neither now nor when more was written after it.
 */
static void
a_gap_in_the_last_batch_is_not_damage(void **state)
{
	static struct place places[RECORDS_MAX];
	struct waited waits[5];
	struct bytes bytes[5];
	struct world world;
	struct blob blob;
	char found[1024];

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	for (uint64_t i = 0; i < LEN(waits); i++) {
		waited_init(&waits[i], &world);
		bytes_init(&bytes[i], i + 1, 100);
		spool_put(world.spool, &waits[i].op, i + 1,
		    bytes_envelope(&bytes[i], i + 1), bytes_body(&bytes[i]));
	}
	for (size_t i = 0; i < LEN(waits); i++) {
		assert_int_equal(waited_end(&waits[i]), OK);
		mem_free(bytes[i].body);
	}
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	blob = blob_read(&world, "seg-00000000.log");
	assert_int_equal(find_records(&blob, places), 6);
	blob.bytes[places[3].offset] ^= 1;
	blob_write(&world, "seg-00000000.log", blob.bytes, blob.count);
	mem_free(blob.bytes);
	world_open(&world);
	assert_int_equal(world.damage_count, 0);
	assert_int_equal(put(&world, 6, 100), OK);
	assert_int_equal(put(&world, 7, 100), OK);
	for (int round = 0; round < 2; round++) {
		world_reopen(&world);
		describe(&world, found);
		assert_string_equal(found, "1  / 2  / 4  / 5  / 6  / 7  / ");
		assert_int_equal(world.damage_count, 0);
	}
	world_fini(&world);
}

/* A record is valid in its place, in its use of its segment, and nowhere else. */
static void
a_record_elsewhere_is_no_record(void **state)
{
	struct spool_head head = {.sequence = 7, .salt = 0x1234567890};
	struct spool_head others[] = {{.sequence = 8, .salt = 0x1234567890},
	    {.sequence = 7, .salt = 0x1234567891234}};
	struct spool_record record = {
	    .type = SPOOL_REMOVE, .id = 5, .durable = SPOOL_SEGMENT_DATA};
	char bytes[SPOOL_RECORD_HEAD] = {0};
	struct span span = span_of(bytes, sizeof(bytes));

	(void)state;
	spool_record_write(bytes, spool_key_of(&head), 9000, &record);
	assert_int_equal(spool_record_read(span, spool_key_of(&head), 9000, &record), OK);
	assert_int_equal(record.id, 5);
	assert_int_equal(
	    spool_record_read(span, spool_key_of(&head), 9008, &record), ERR_CORRUPT);
	for (size_t i = 0; i < LEN(others); i++)
		assert_int_equal(
		    spool_record_read(span, spool_key_of(&others[i]), 9000, &record),
		    ERR_CORRUPT);
}

/* A spool with every kind of record, MOVEs too, and two things live. */
static void
write_all_kinds(struct world *world)
{
	for (uint64_t id = 1; id <= 6; id++)
		assert_int_equal(put(world, id, 500), OK);
	assert_int_equal(mark(world, 3, "kept"), OK);
	for (uint64_t id = 100; id < 1500; id++) {
		assert_int_equal(put(world, id, 5000), OK);
		if (id % 50)
			spool_remove(world->spool, NULL, id, SPAN(""));
		if (id == 1400)
			assert_int_equal(mark(world, 4, "late"), OK);
	}
	for (uint64_t id = 2000; id < 2003; id++) {
		assert_int_equal(put(world, id, 300), OK);
		assert_int_equal(mark(world, id, "x"), OK);
		assert_int_equal(mark(world, id, "y"), OK);
	}
	assert_int_equal(drop(world, 2001), OK);
	assert_int_equal(put(world, 3000, 10), OK);
}

/* Compares what is found now with what was found before, but for one id. */
static void
expect_neighbours(
    const struct world *world, const struct seen *before, size_t count, uint64_t but)
{
	size_t others = 0;

	for (size_t i = 0; i < count; i++) {
		const struct seen *now = seen(world, before[i].id);

		if (before[i].id == but)
			continue;
		others++;
		assert_non_null(now);
		assert_true(now->envelope_right);
		assert_string_equal(now->marks, before[i].marks);
		assert_int_equal(now->body_bytes, before[i].body_bytes);
	}
	for (size_t i = 0; i < world->seen_count; i++)
		if (world->seen[i].id != but)
			others--;
	assert_int_equal(others, 0);
}

/* So that the whole log is scanned. */
static void
forget_checkpoint(const struct world *world)
{
	char path[PATH_BYTES * 2];

	path_of(world, "checkpoint", path);
	(void)unlink(path);
}

static void
flip_and_open(
    struct world *world, const char *name, const struct place *place, uint64_t offset)
{
	struct blob blob = blob_read(world, name);
	bool reported = false;

	blob.bytes[offset] ^= 0x10;
	blob_write(world, name, blob.bytes, blob.count);
	forget_checkpoint(world);
	world_open(world);
	for (size_t i = 0; i < world->damage_count; i++)
		if (strcmp(world->damages[i].segment, name) == 0 &&
		    world->damages[i].offset == place->offset) {
			reported = true;
			/* A sound header names the message. */
			if (offset >= place->offset + SPOOL_RECORD_HEAD)
				assert_int_equal(world->damages[i].id, place->record.id);
			else
				assert_int_equal(world->damages[i].id, 0);
		}
	if (place->record.body_bytes && offset == place->end - 1 && !reported) {
		/* Bodies that are proven are checked when they are read. */
		assert_int_equal(world->damage_count, 0);
		assert_int_equal(
		    read_body(world, place->record.id, place->record.body_bytes, 65536),
		    ERR_CORRUPT);
	} else {
		assert_true(reported);
		assert_int_equal(world->damage_count, 1);
	}
	world_close(world);
	blob.bytes[offset] ^= 0x10;
	blob_write(world, name, blob.bytes, blob.count);
	mem_free(blob.bytes);
}

/* Flips a bit in a record's header, in its payload and in its last byte. */
static void
flip_record(struct world *world, const char *name, const struct place *place)
{
	uint64_t offsets[] = {place->offset, place->offset + 9,
	    place->offset + SPOOL_RECORD_HEAD, place->end - 1};
	struct seen *before = world->seen;
	size_t count = world->seen_count;

	world->seen = NULL;
	for (size_t i = 0; i < LEN(offsets); i++) {
		if (offsets[i] >= place->end)
			continue;
		flip_and_open(world, name, place, offsets[i]);
		expect_neighbours(world, before, count, place->record.id);
	}
	mem_free(world->seen);
	world->seen = before;
	world->seen_count = count;
}

static void
flipped_bits_are_damage_and_neighbours_live(void **state)
{
	static struct place places[RECORDS_MAX];
	unsigned flipped[SPOOL_SEAL + 1] = {0};
	struct world world;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	write_all_kinds(&world);
	world_reopen(&world);
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	assert_int_equal(world.damage_count, 0);
	for (unsigned number = 0; number < 12; number++) {
		char name[64];
		struct blob blob;
		size_t count;

		(void)snprintf(name, sizeof(name), "seg-%08x.log", number);
		if (faccessat(AT_FDCWD, world.path, F_OK, 0) || number >= 6)
			break;
		blob = blob_read(&world, name);
		count = find_records(&blob, places);
		for (size_t i = 0; i + 1 < count; i++) {
			enum spool_record_type type = places[i].record.type;

			/* Only live messages' records, twice each kind and file. */
			if (flipped[type] >= 2 * (number + 1) ||
			    (type != SPOOL_SEAL && type != SPOOL_REMOVE &&
				!seen(&world, places[i].record.id)))
				continue;
			if (type == SPOOL_REMOVE && number < 2)
				continue;
			flipped[type]++;
			flip_record(&world, name, &places[i]);
		}
		mem_free(blob.bytes);
	}
	for (int type = SPOOL_PUT; type <= SPOOL_SEAL; type++)
		assert_true(flipped[type] > 0);
	world_fini(&world);
}

/* Gives a file head a later version, with a right checksum. */
static void
make_newer(char *at, size_t bytes)
{
	wire_put_u32(at + 8, SPOOL_FORMAT_VERSION + 1);
	wire_put_u32(at + 12, 0);
	wire_put_u32(at + 12, crc32c(0, span_of(at, bytes)));
}

static void
a_newer_version_is_refused_untouched(void **state)
{
	static const struct {
		const char *name;
		size_t offset, bytes;
	} cases[] = {
	    {"epoch", 0, SPOOL_EPOCH_BYTES},
	    {"seg-00000000.log", 0, SPOOL_HEAD_BYTES},
	    {"seg-00000001.log", SPOOL_HEAD_SECOND, SPOOL_HEAD_BYTES},
	};
	static const char *const files[] = {
	    "epoch", "seg-00000000.log", "seg-00000001.log", "seg-00000002.log"};
	struct blob before[LEN(files)];
	struct world world;

	(void)state;
	world_init(&world, MB);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct blob blob;

		world_open(&world);
		assert_int_equal(put(&world, i + 1, 100), OK);
		world_reopen(&world);
		assert_int_equal(flush(&world), OK);
		world_close(&world);
		blob = blob_read(&world, cases[i].name);
		make_newer(blob.bytes + cases[i].offset, cases[i].bytes);
		blob_write(&world, cases[i].name, blob.bytes, blob.count);
		for (size_t f = 0; f < LEN(files); f++)
			before[f] = blob_read(&world, files[f]);
		assert_int_equal(world_try_open(&world), ERR_VERSION);
		assert_int_equal(world.seen_count, 0);
		for (size_t f = 0; f < LEN(files); f++) {
			struct blob after = blob_read(&world, files[f]);

			assert_int_equal(after.count, before[f].count);
			assert_memory_equal(after.bytes, before[f].bytes, after.count);
			mem_free(after.bytes);
			mem_free(before[f].bytes);
		}
		mem_free(blob.bytes);
		empty_dir(world.path);
		assert_int_equal(mkdir(world.path, 0700), 0);
	}
	world_fini(&world);
}

static void
after_a_failed_write_nothing_is_taken(void **state)
{
	struct rlimit limit, small;
	struct world world;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	assert_int_equal(put(&world, 1, 100), OK);
	assert_int_equal(flush(&world), OK);
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = SPOOL_SEGMENT_DATA + 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(put(&world, 2, 1000), ERR_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_true(spool_is_broken(world.spool));
	assert_int_equal(put(&world, 3, 1000), ERR_BROKEN);
	assert_int_equal(mark(&world, 1, "x"), ERR_BROKEN);
	assert_int_equal(drop(&world, 1), ERR_BROKEN);
	assert_int_equal(flush(&world), ERR_BROKEN);
	assert_int_equal(read_body(&world, 1, 100, 1000), OK);
	assert_int_equal(read_body(&world, 2, 100, 1000), ERR_NOT_FOUND);
	world_reopen(&world);
	assert_int_equal(world.seen_count, 1);
	assert_int_equal(put(&world, 3, 1000), OK);
	world_fini(&world);
}

/* The first copy of a header is torn before the second is written: nothing was ever in there. */
static void
a_header_that_was_never_finished_is_no_damage(void **state)
{
	struct blob made = {mem_alloc(MB), MB};
	struct world world;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	assert_int_equal(put(&world, 1, 100), OK);
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	memset(made.bytes, 0, MB);
	memset(made.bytes, 'x', 30);
	blob_write(&world, "seg-00000009.log", made.bytes, made.count);
	world_open(&world);
	assert_int_equal(world.damage_count, 0);
	assert_int_equal(world.seen_count, 1);
	assert_int_equal(flush(&world), OK);
	world_close(&world);
	/* With both copies gone nobody knows what was there. */
	memset(made.bytes, 'x', MB);
	blob_write(&world, "seg-00000009.log", made.bytes, made.count);
	world_open(&world);
	assert_int_equal(world.damage_count, 1);
	assert_int_equal(world.seen_count, 1);
	mem_free(made.bytes);
	assert_int_equal(flush(&world), OK);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_end_torn_anywhere_leaves_a_prefix),
	    cmocka_unit_test(a_gap_in_the_last_batch_is_not_damage),
	    cmocka_unit_test(a_header_that_was_never_finished_is_no_damage),
	    cmocka_unit_test(a_record_elsewhere_is_no_record),
	    cmocka_unit_test(flipped_bits_are_damage_and_neighbours_live),
	    cmocka_unit_test(a_newer_version_is_refused_untouched),
	    cmocka_unit_test(after_a_failed_write_nothing_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
