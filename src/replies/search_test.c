/* Words in, the entries that somebody means out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "replies/search.h"

static const char *
key_of(const struct search_found *found)
{
	return found->entry ? found->entry->code : found->topic->key;
}

static const struct {
	const char *words;
	const char *among; /* the first three; NULL: nothing is found */
} searches[] = {
    {"252", "252"},
    {"5.1.10", "X.1.10"},
    {"mailbox full", "X.2.2"},
    {"Mailbox FULL", "X.2.2"},
    {"  full   mailbox ", "X.2.2"},
    {"starttls", "STARTTLS"},
    {"system not accepting network", "X.3.2"},
    {"softfail", "spf=softfail"},
    {"certificate expired", "certificate-expired"},
    {"verify user", "252"},
    {"zzzzqqq", NULL},
    {"zzzzqqq STARTTLS", "STARTTLS"},
    {"", NULL},
    {"   ", NULL},
    {"\xff\xfe\xc3", NULL},
};

static void
test_searches(void **state)
{
	struct search_found found[SEARCH_FOUND_MAX];

	(void)state;
	for (size_t i = 0; i < LEN(searches); i++) {
		size_t count = search_catalogue(span_str(searches[i].words), NULL, found);
		bool met = false;

		if (!searches[i].among) {
			assert_int_equal(count, 0);
			continue;
		}
		for (size_t j = 0; j < count && j < 3; j++)
			met |= strcmp(key_of(&found[j]), searches[i].among) == 0;
		if (!met)
			fail_msg("\"%s\": %s is first of %zu", searches[i].words,
			    count ? key_of(&found[0]) : "nothing", count);
	}
}

static void
test_ranks_fall_and_are_bounded(void **state)
{
	struct search_found found[SEARCH_FOUND_MAX];
	size_t count = search_catalogue(SPAN("the server"), NULL, found);

	(void)state;
	assert_int_equal(count, SEARCH_FOUND_MAX);
	for (size_t i = 1; i < count; i++)
		assert_true(found[i].rank <= found[i - 1].rank);
}

/* Whatever the language, its own words and the English ones find the same entry. */
static void
test_other_languages(void **state)
{
	const struct language *language;
	struct search_found found[SEARCH_FOUND_MAX];

	(void)state;
	for (size_t i = 0; (language = language_at(i)) != NULL; i++) {
		const struct catalogue_entry *entry = catalogue_find(SPAN("X.2.2"));
		const char *own = language_text(language, entry->name);

		assert_true(search_catalogue(span_str(own), language, found) > 0);
		if (found[0].entry != entry)
			fail_msg("%s: %s finds %s", language_tag(language), own, key_of(&found[0]));
		assert_true(search_catalogue(SPAN("mailbox full"), language, found) > 0);
	}
	if (language_find(SPAN("ru"), &language)) {
		size_t large = search_catalogue(SPAN("\u042f\u0429\u0418\u041a"), language, found);
		size_t small = search_catalogue(SPAN("\u044f\u0449\u0438\u043a"), language, found);

		assert_true(large > 0 && large == small);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_searches),
	    cmocka_unit_test(test_ranks_fall_and_are_bounded),
	    cmocka_unit_test(test_other_languages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
