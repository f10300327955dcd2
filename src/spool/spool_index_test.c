/* The index against a plain array, while its table grows and shrinks in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "spool/spool_index.h"

enum { IDS = 60000, STEPS = 400000 };

static void
adds_finds_and_removals_agree_with_an_array(void **state)
{
	uint32_t *slots = mem_alloc(IDS * sizeof(*slots));
	struct spool_index index;
	uint32_t count = 0;
	uint64_t noise = 5;

	(void)state;
	spool_index_init(&index);
	for (size_t i = 0; i < STEPS; i++) {
		uint64_t id;

		noise = noise * 6364136223846793005u + 1442695040888963407u;
		/* More and more of them. */
		id = (noise >> 33) % (64 + i % STEPS * IDS / STEPS) % IDS;
		if (id == 0)
			continue;
		assert_int_equal(spool_index_find(&index, id), slots[id]);
		if (!slots[id]) {
			slots[id] = spool_index_add(&index, id);
			count++;
		} else if (noise >> 60 < 7) {
			spool_index_remove(&index, slots[id]);
			slots[id] = 0;
			count--;
		}
		assert_int_equal(spool_index_find(&index, id), slots[id]);
		assert_int_equal(index.count, count);
	}
	for (uint64_t id = 1; id < IDS; id++)
		assert_int_equal(spool_index_find(&index, id), slots[id]);
	spool_index_fini(&index);
	mem_free(slots);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(adds_finds_and_removals_agree_with_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
