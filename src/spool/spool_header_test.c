/*
 * Writes of segments' headers that fail half-way, at start-up after start-up: one copy of each
 * header is whole all the time, so a segment in which nothing ever was is never told as damage.
 *
 * The C library's pwritev() is replaced in this program.
 */
#include "spool/spool_fixture.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { MB = 1 << 20, HEAD_SECOND = 4096, HEAD_BYTES = 64, STARTS = 3, PLACES = 7 };

static struct {
	unsigned writes, fails_at; /* of headers, since this start; 0: none fails */
} disk;

static bool
is_header(const struct iovec *iov, int count, off_t offset)
{
	return count == 1 && iov->iov_len == HEAD_BYTES &&
	       (offset == 0 || offset == HEAD_SECOND);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (!is_header(iov, count, offset) || ++disk.writes != disk.fails_at)
		return syscall(SYS_pwritev, fd, iov, count, offset, 0);
	/* What is there afterwards is neither the old nor the new. */
	assert_int_equal(
	    syscall(SYS_pwrite64, fd, "torn", (size_t)4, offset + 20), 4);
	errno = EIO;
	return -1;
}

static void
no_header_loses_both_copies(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (unsigned turn = 0; turn < PLACES * PLACES * PLACES; turn++) {
		struct world world;
		unsigned places = turn;

		world_init(&world, MB);
		for (unsigned start = 0; start < STARTS; start++, places /= PLACES) {
			disk.writes = 0;
			disk.fails_at = places % PLACES;
			if (world_try_open(&world) == OK) {
				(void)flush(&world);
				world_close(&world);
			} else {
				failed++;
			}
			assert_int_equal(world.damage_count, 0);
		}
		disk.fails_at = 0;
		world_open(&world);
		assert_int_equal(world.damage_count, 0);
		assert_int_equal(put(&world, 1, 100), OK);
		world_fini(&world);
	}
	assert_true(failed > PLACES * PLACES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_header_loses_both_copies),
	};

	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
