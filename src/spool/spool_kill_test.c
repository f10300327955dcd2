/*
 * A process that puts, marks and removes as fast as it can is killed at random
 * moments; what it said was done must be there, round after round on the same spool.
 */
#include "spool/spool_fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

enum { MB = 1 << 20, KILLS = 30, WRITERS = 8 };

/* A writer that never stops: puts, marks and removes, and says what ended. */
struct endless {
	struct spool_op op;
	struct world *world;
	int pipe;
	enum { PUTTING, MARKING, REMOVING } doing;
	uint64_t id, *next;
	struct bytes bytes;
};

static size_t
body_bytes_of(uint64_t id)
{
	return id % 97 == 0 ? MB + 5000 : (size_t)(id * 37 % 9000);
}

static void
tell(const struct endless *endless, char what)
{
	char line[32];
	int bytes = snprintf(
	    line, sizeof(line), "%c%llu\n", what, (unsigned long long)endless->id);

	if (write(endless->pipe, line, (size_t)bytes) != bytes)
		_exit(1);
}

static void
endless_put(struct endless *endless)
{
	endless->doing = PUTTING;
	endless->id = (*endless->next)++;
	bytes_init(&endless->bytes, endless->id, body_bytes_of(endless->id));
	spool_put(endless->world->spool, &endless->op, endless->id,
	    bytes_envelope(&endless->bytes, endless->id), bytes_body(&endless->bytes));
}

static void
endless_done(struct spool_op *op)
{
	struct endless *endless = op->owner;

	if (op->err)
		_exit(1);
	switch (endless->doing) {
	case PUTTING:
		mem_free(endless->bytes.body);
		tell(endless, 'p');
		endless->doing = MARKING;
		spool_mark(endless->world->spool, op, endless->id, SPAN("tried"));
		break;
	case MARKING:
		tell(endless, 'm');
		if (endless->id % 10 == 0) {
			endless_put(endless);
			break;
		}
		endless->doing = REMOVING;
		tell(endless, 'r');
		spool_remove(endless->world->spool, op, endless->id, SPAN(""));
		break;
	case REMOVING:
		tell(endless, 'R');
		endless_put(endless);
		break;
	}
}

static void
write_until_killed(struct world *world, int fd, uint64_t next)
{
	static struct endless writers[WRITERS];

	world_open(world);
	for (size_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct endless){
		    .world = world,
		    .pipe = fd,
		    .next = &next,
		    .op = {.done = endless_done, .owner = &writers[i]},
		};
		endless_put(&writers[i]);
	}
	for (;;)
		io_run(world->io);
}

enum { IDS_MAX = 1 << 20 };

/* Remembers what the child said, and gives the highest id. */
static uint64_t
listen_until_killed(int fd, pid_t pid, char *said, unsigned delay_us)
{
	FILE *file = fdopen(fd, "r");
	uint64_t highest = 0;
	char line[32];

	/* On a busy machine its start takes long. */
	assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 30000), 1);
	usleep(delay_us);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (fgets(line, sizeof(line), file)) {
		uint64_t id = strtoull(line + 1, NULL, 10);

		/* The last line may be cut. */
		if (!strchr(line, '\n') || id >= IDS_MAX)
			continue;
		said[id] = line[0];
		highest = id > highest ? id : highest;
	}
	fclose(file);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return highest;
}

static void
check_said(struct world *world, const char *said, uint64_t highest)
{
	char *live = mem_alloc(IDS_MAX);

	for (size_t i = 0; i < world->seen_count; i++) {
		const struct seen *found = &world->seen[i];

		assert_true(found->envelope_right);
		assert_int_equal(found->body_bytes, body_bytes_of(found->id));
		assert_true(found->id < IDS_MAX);
		live[found->id] = found->marks[0] ? 'm' : 'p';
	}
	for (uint64_t id = 1; id <= highest; id++) {
		if (said[id] == 'p' || said[id] == 'm')
			assert_true(live[id]);
		if (said[id] == 'm')
			assert_int_equal(live[id], 'm');
		if (said[id] == 'R')
			assert_false(live[id]);
		if (live[id] && id % 7 == 0)
			assert_int_equal(
			    read_body(world, id, body_bytes_of(id), 65536), OK);
	}
	mem_free(live);
}

static void
killed_writers_lose_nothing_that_was_said(void **state)
{
	char *said = mem_alloc(IDS_MAX);
	uint64_t highest = 0, last;
	struct world world;
	unsigned noise = (unsigned)getpid();
	int fds[2];

	(void)state;
	world_init(&world, MB);
	for (int round = 0; round < KILLS; round++) {
		pid_t pid;

		noise = noise * 1103515245u + 12345;
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			write_until_killed(&world, fds[1], highest + 1000);
		}
		close(fds[1]);
		last =
		    listen_until_killed(fds[0], pid, said, 8000 + (noise >> 16) % 60000);
		highest = last > highest ? last : highest + 1000;
		world_open(&world);
		assert_int_equal(world.damage_count, 0);
		check_said(&world, said, highest);
		assert_int_equal(flush(&world), OK);
		world_close(&world);
	}
	assert_true(highest > KILLS * 1000 + 100);
	mem_free(said);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_writers_lose_nothing_that_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
