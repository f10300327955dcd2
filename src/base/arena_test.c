/* Arenas: bounded, aligned, zeroed, and as good as new after a reset. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static void
memory_is_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = {1, 7, 16, 17, 1000, 1024, 1025, 5000, 3};
	char *given[LEN(sizes)];
	struct arena arena;

	(void)state;
	arena_init(&arena, 100000);
	for (size_t i = 0; i < LEN(sizes); i++) {
		given[i] = arena_alloc(&arena, sizes[i]);
		assert_non_null(given[i]);
		assert_int_equal((uintptr_t)given[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(given[i][k], 0);
		memset(given[i], (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < LEN(sizes); i++)
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(given[i][k], (char)(i + 1));
	arena_fini(&arena);
	arena_fini(NULL);
}

static void
the_hard_size_holds(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 64);
	assert_null(arena_alloc(&arena, 65));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_non_null(arena_alloc(&arena, 32));
	assert_null(arena_alloc(&arena, 48));
	assert_non_null(arena_alloc(&arena, 32));
	assert_null(arena_alloc(&arena, 1));
	arena_reset(&arena);
	assert_int_equal(arena.used, 0);
	assert_non_null(arena_alloc(&arena, 64));
	arena_fini(&arena);
}

static void
what_a_reset_gives_again_is_zeroed(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 4096);
	for (int round = 0; round < 3; round++) {
		char *bytes = arena_alloc(&arena, 256);

		for (size_t i = 0; i < 256; i++)
			assert_int_equal(bytes[i], 0);
		memset(bytes, 0x55, 256);
		arena_reset(&arena);
	}
	arena_fini(&arena);
}

static void
copies_end_with_nul_or_are_refused(void **state)
{
	struct arena arena;
	struct span copy = SPAN("untouched");

	(void)state;
	arena_init(&arena, 32);
	assert_true(arena_copy(&arena, SPAN("a\0b"), &copy));
	assert_true(span_eq(copy, SPAN("a\0b")));
	assert_int_equal(copy.ptr[3], '\0');
	assert_true(arena_copy(&arena, (struct span){NULL, 0}, &copy));
	assert_int_equal(copy.len, 0);
	assert_int_equal(copy.ptr[0], '\0');
	copy = SPAN("untouched");
	assert_false(arena_copy(&arena, SPAN("x"), &copy));
	assert_true(span_eq(copy, SPAN("untouched")));
	arena_fini(&arena);
}

static void
single_pieces_live_alone(void **state)
{
	char *copy = mem_copy(SPAN("a\0b"));
	uint8_t *bytes;

	(void)state;
	assert_memory_equal(copy, "a\0b", 4);
	mem_free(copy);
	mem_free(NULL);
	bytes = mem_alloc(0);
	assert_non_null(bytes);
	bytes = mem_realloc(bytes, 16);
	memset(bytes, 7, 16);
	bytes = mem_realloc(bytes, 4096);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(bytes[i], 7);
	mem_wipe(bytes, 16);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(bytes[i], 0);
	mem_wipe(NULL, 0);
	mem_free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
	    cmocka_unit_test(the_hard_size_holds),
	    cmocka_unit_test(what_a_reset_gives_again_is_zeroed),
	    cmocka_unit_test(copies_end_with_nul_or_are_refused),
	    cmocka_unit_test(single_pieces_live_alone),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
