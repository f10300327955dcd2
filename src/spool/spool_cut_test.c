/*
 * Power cuts: what a spool writes, syncs and names is recorded while writers put, mark
 * and remove with overlapping batches, large bodies, compaction and checkpoints.  Then, for
 * moments all over that record, a directory is made as a cut would leave it.  A start-up on it must
 * find all that was said to be durable, each mark once, and report no damage; the feed must
 * be whole.
 */
#include "spool/test_played_disk.h"

enum {
	MB = 1 << 20,
	IDS_MAX = 20000,
	WRITERS = 24,
	LOOK_MS = 50,
};

/* Each cut takes long there. */
#ifdef __SANITIZE_ADDRESS__
enum { CUTS = 4 };
#else
enum { CUTS = 40 };
#endif

/* The load. */

struct writer {
	struct spool_op op;
	struct load *load;
	uint64_t id;
	unsigned marks, marks_wanted;
	enum { PUTTING, MARKING, REMOVING } doing;
	bool stays;
	struct bytes bytes;
};

struct load {
	struct world world;
	struct writer writers[WRITERS];
	uint64_t next, chance, fed, released;
	struct io_timer stop, release;
	bool stopped, releasing;
	size_t under_way;
	unsigned asked[IDS_MAX]; /* marks asked for, by message */
};

static uint64_t
chance(struct load *load, uint64_t below)
{
	return played_chance(&load->chance, below);
}

static void
say(struct writer *writer, char what)
{
	struct event *event;

	pthread_mutex_lock(&notes.lock);
	event = note(EVENT_SAID);
	if (event) {
		event->id = writer->id;
		event->what = what;
		event->count = writer->marks;
		event->offset = writer->load->fed;
	}
	pthread_mutex_unlock(&notes.lock);
}

static size_t
cut_body_bytes(uint64_t id)
{
	return id % 131 == 0 ? MB + 3000 : (size_t)(id * 97 % 12000);
}

static void
next_put(struct writer *writer)
{
	struct load *load = writer->load;

	if (load->stopped || load->next == IDS_MAX) {
		if (--load->under_way == 0)
			io_stop(load->world.io);
		return;
	}
	writer->id = load->next++;
	writer->marks = 0;
	writer->marks_wanted = (unsigned)chance(load, 3);
	writer->stays = chance(load, 8) == 0;
	writer->doing = PUTTING;
	bytes_init(&writer->bytes, writer->id, cut_body_bytes(writer->id));
	spool_put(load->world.spool, &writer->op, writer->id,
	    bytes_envelope(&writer->bytes, writer->id), bytes_body(&writer->bytes));
}

static void
next_change(struct writer *writer)
{
	struct load *load = writer->load;
	char text[16];

	if (writer->marks < writer->marks_wanted) {
		writer->doing = MARKING;
		load->asked[writer->id] = ++writer->marks;
		(void)snprintf(text, sizeof(text), "%u", writer->marks);
		spool_mark(load->world.spool, &writer->op, writer->id, span_str(text));
	} else if (!writer->stays) {
		writer->doing = REMOVING;
		say(writer, 'r');
		spool_remove(load->world.spool, &writer->op, writer->id, SPAN("gone"));
	} else {
		next_put(writer);
	}
}

static void
writer_done(struct spool_op *op)
{
	struct writer *writer = op->owner;

	assert_int_equal(op->err, OK);
	switch (writer->doing) {
	case PUTTING:
		mem_free(writer->bytes.body);
		say(writer, 'P');
		next_change(writer);
		break;
	case MARKING:
		say(writer, 'M');
		next_change(writer);
		break;
	case REMOVING:
		say(writer, 'R');
		next_put(writer);
		break;
	}
}

static void
load_fed(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct load *load = owner;

	(void)type;
	(void)id;
	(void)payload;
	(void)body_bytes;
	assert_true(position > load->fed);
	load->fed = position;
}

static void
load_digest(void *owner, uint64_t id, struct buf *out)
{
	struct load *load = owner;

	if (id % 5)
		buf_addf(out, "%u", load->asked[id]);
}

static void
release_later(struct io_timer *timer)
{
	struct load *load = timer->owner;
	struct event *event;

	load->releasing = false;
	pthread_mutex_lock(&notes.lock);
	event = note(EVENT_RELEASED);
	if (event)
		event->offset = load->released;
	pthread_mutex_unlock(&notes.lock);
	spool_release(load->world.spool, load->released);
}

static void
load_want(void *owner, uint64_t position)
{
	struct load *load = owner;

	assert_true(position <= load->fed);
	if (load->releasing)
		return;
	load->releasing = true;
	load->released = load->fed;
	io_timer_start(load->world.io, &load->release, 3);
}

static void
load_stop(struct io_timer *timer)
{
	struct load *load = timer->owner;
	struct spool_numbers numbers;

	spool_numbers(load->world.spool, &numbers);
	load->stopped = numbers.checkpoints >= 4 && numbers.puts >= 1000;
	io_timer_start(load->world.io, timer, LOOK_MS);
}

static void
run_load(struct load *load, struct spool_numbers *numbers)
{
	*load = (struct load){.next = 1, .chance = 7};
	world_init(&load->world, MB);
	notes.events = mem_alloc(EVENTS_MAX * sizeof(*notes.events));
	notes.delay_us = 2500;
	notes.on = true;
	load->world.options.feed = (struct spool_feed){.owner = load, .record = load_fed};
	load->world.options.digest = load_digest;
	load->world.options.digest_owner = load;
	load->world.options.want_release = load_want;
	load->world.options.release_owner = load;
	load->world.options.checkpoint_log_bytes = 2 * MB;
	load->release = (struct io_timer){.fired = release_later, .owner = load};
	load->stop = (struct io_timer){.fired = load_stop, .owner = load};
	world_open(&load->world);
	io_timer_start(load->world.io, &load->stop, LOOK_MS);
	load->under_way = WRITERS;
	for (size_t i = 0; i < WRITERS; i++) {
		struct writer *writer = &load->writers[i];

		writer->load = load;
		writer->op = (struct spool_op){.done = writer_done, .owner = writer};
		next_put(writer);
	}
	io_run(load->world.io);
	io_timer_stop(load->world.io, &load->stop);
	notes.on = false;
	spool_numbers(load->world.spool, numbers);
	(void)flush(&load->world);
	world_close(&load->world);
}

/* What start-up finds. */

struct found {
	uint64_t last_fed, since;
	bool live[IDS_MAX], from_digest[IDS_MAX], fed_put[IDS_MAX], fed_end[IDS_MAX];
	unsigned marks[IDS_MAX], fed_marks[IDS_MAX];
	size_t damaged, digests;
};

static void
found_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct found *found = owner;

	assert_true(id < IDS_MAX && !found->live[id]);
	assert_int_equal(envelope.len, envelope_bytes(id));
	assert_int_equal(body_bytes, cut_body_bytes(id));
	found->live[id] = true;
}

static enum err
found_digest(void *owner, uint64_t id, struct span digest, uint64_t body_bytes)
{
	struct found *found = owner;
	uint64_t marks;

	assert_true(id < IDS_MAX && !found->live[id]);
	assert_int_equal(body_bytes, cut_body_bytes(id));
	if (id % 7 == 0)
		return ERR_VERSION;
	assert_true(span_u64(digest, 100, &marks));
	found->live[id] = true;
	found->marks[id] = (unsigned)marks;
	found->digests++;
	return OK;
}

static void
found_mark(void *owner, uint64_t id, struct span mark)
{
	struct found *found = owner;
	uint64_t number;

	assert_true(found->live[id]);
	assert_true(span_u64(mark, 100, &number));
	assert_int_equal(number, ++found->marks[id]);
}

static void
found_fed(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct found *found = owner;

	(void)payload;
	(void)body_bytes;
	assert_true(position > found->since && position > found->last_fed);
	found->last_fed = position;
	found->fed_put[id] |= type == SPOOL_PUT;
	found->fed_end[id] |= type == SPOOL_REMOVE;
	found->fed_marks[id] += type == SPOOL_MARK;
}

static void
found_damage(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	struct found *found = owner;

	print_message("damage: %s %llu %llu\n", segment, (unsigned long long)offset,
	    (unsigned long long)id);
	found->damaged++;
}

/* All that was said before the cut holds. */
static void
check_said(const struct found *found, size_t cut)
{
	static bool removing[IDS_MAX];

	memset(removing, 0, sizeof(removing));
	for (size_t i = 0; i < cut; i++)
		if (notes.events[i].kind == EVENT_SAID && notes.events[i].what == 'r')
			removing[notes.events[i].id] = true;
	for (size_t i = 0; i < cut; i++) {
		const struct event *event = &notes.events[i];

		if (event->kind != EVENT_SAID)
			continue;
		if ((event->what == 'P' || event->what == 'M') && !removing[event->id])
			assert_true(found->live[event->id]);
		if (event->what == 'M' && found->live[event->id])
			assert_true(found->marks[event->id] >= event->count);
		if (event->what == 'R')
			assert_false(found->live[event->id]);
		/* Whatever was fed and not released is fed again. */
		if (event->what == 'P' && event->offset > found->since)
			assert_true(found->fed_put[event->id]);
		if (event->what == 'R' && event->offset > found->since)
			assert_true(found->fed_end[event->id]);
		if (event->what == 'M' && event->offset > found->since)
			assert_true(found->fed_marks[event->id] > 0);
	}
}

/* Nothing is released here, so that the second start-up is fed the same. */
static void
never_release(void *owner, uint64_t position)
{
	(void)owner;
	(void)position;
}

static size_t
open_after_cut(const struct load *load, const char *path, size_t cut)
{
	struct found *found = mem_alloc(sizeof(*found));
	struct spool_options options = {
	    .segment_bytes = MB,
	    .feed = {.owner = found, .record = found_fed},
	    .want_release = never_release,
	};
	struct spool_scan scan = {
	    .owner = found,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	    .digest = found_digest,
	};
	struct world world = {0};
	size_t digests;

	(void)load;
	for (size_t i = 0; i < cut; i++)
		if (notes.events[i].kind == EVENT_RELEASED)
			found->since = notes.events[i].offset;
	scan.since = found->since;
	world.io = io_create();
	assert_int_equal(io_dir_open(world.io, path, &world.dir), OK);
	assert_int_equal(
	    spool_open(world.io, world.dir, &options, &scan, &world.spool), OK);
	assert_int_equal(found->damaged, 0);
	check_said(found, cut);
	for (uint64_t id = 1; id < IDS_MAX; id++)
		if (found->live[id])
			assert_int_equal(
			    read_body(&world, id, cut_body_bytes(id), 65536), OK);
	world_close(&world);
	digests = found->digests;
	mem_free(found);
	return digests;
}

static void
a_power_cut_anywhere_loses_nothing_that_was_said(void **state)
{
	static struct load load;
	struct spool_numbers numbers;
	struct disk *disk = mem_alloc(sizeof(*disk));
	size_t digests = 0;

	(void)state;
	run_load(&load, &numbers);
	assert_true(numbers.checkpoints > 2);
	assert_true(numbers.puts > 200);
	assert_true(notes.count < EVENTS_MAX);
	print_message("%zu events, %llu puts, %llu checkpoints\n", notes.count,
	    (unsigned long long)numbers.puts, (unsigned long long)numbers.checkpoints);
	for (size_t i = 0; i < notes.count; i++)
		notes.events[i].durable_at = find_durable(i);
	for (size_t i = 1; i <= CUTS; i++) {
		size_t cut = i == CUTS ? notes.count : chance(&load, notes.count);

		for (int how = 0; how < 3; how++) {
			make_disk(disk, &load.chance, cut, how);
			write_disk(disk, load.world.path);
			free_disk(disk);
			/* Twice: what the first start-up left is a spool too. */
			digests += open_after_cut(&load, load.world.path, cut);
			(void)open_after_cut(&load, load.world.path, cut);
		}
	}
	assert_true(digests > 0);
	mem_free(disk);
	for (size_t i = 0; i < notes.count; i++)
		free(notes.events[i].memory);
	mem_free(notes.events);
	world_fini(&load.world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_power_cut_anywhere_loses_nothing_that_was_said),
	};

	/* Syncs are played here, so memory will do. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
