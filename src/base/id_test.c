/* Ids go to text and back; other text is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/id.h"

static void
ids_survive_the_way_to_text_and_back(void **state)
{
	static const uint64_t ids[] = {1, 31, 32, 1ull << 40, 1ull << 63, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < LEN(ids); i++) {
		char text[ID_TEXT_MAX];
		uint64_t id = 0;

		assert_int_equal(id_parse(id_text(text, ids[i]), &id), OK);
		assert_true(id == ids[i]);
	}
}

static void
other_text_is_no_id(void **state)
{
	static const char *const texts[] = {
	    "", "0", "u", "a b", "zzzzzzzzzzzzz", "00000000000001", "../x"};

	(void)state;
	for (size_t i = 0; i < LEN(texts); i++) {
		uint64_t id;

		assert_int_equal(id_parse(span_str(texts[i]), &id), ERR_SYNTAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_survive_the_way_to_text_and_back),
	    cmocka_unit_test(other_text_is_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
