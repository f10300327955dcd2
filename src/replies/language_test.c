#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "replies/catalogue.h"

/* Every text that a page may show, once. */
struct texts {
	struct map seen;
	const struct language *language;
	size_t count, missing;
};

static void
want(struct texts *texts, const char *english)
{
	struct span key = span_str(english);

	if (key.len == 0 || map_get(&texts->seen, key))
		return;
	map_set(&texts->seen, key, texts);
	texts->count++;
	if (language_has(texts->language, english))
		return;
	texts->missing++;
	print_error("%s has no translation of: %s\n", language_tag(texts->language), english);
}

static void
want_topics(struct texts *texts)
{
	const struct catalogue_topic *topic;

	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++) {
		const char *const fields[] = {topic->name, topic->meaning, topic->when,
		    topic->sender, topic->admin, topic->developer};

		for (size_t j = 0; j < LEN(fields); j++)
			want(texts, fields[j]);
	}
}

static void
want_all(struct texts *texts)
{
	const struct catalogue_entry *entry;
	const struct catalogue_group *group;
	struct catalogue_pair_texts pair;

	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++) {
		const char *const fields[] = {entry->name, entry->meaning, entry->when,
		    entry->client, entry->sender, entry->admin, entry->developer,
		    entry->mistakes, entry->answers, entry->says, entry->next, entry->mail};

		for (size_t j = 0; j < LEN(fields); j++)
			want(texts, fields[j]);
	}
	for (size_t i = 0; (group = catalogue_group_at(i)) != NULL; i++) {
		const char *const fields[] = {group->name, group->meaning, group->says,
		    group->next, group->mail, group->client, group->fix};

		for (size_t j = 0; j < LEN(fields); j++)
			want(texts, fields[j]);
	}
	for (size_t i = 0; catalogue_pair_at(i, &pair); i++)
		for (size_t j = 0; j < LEN(pair.texts); j++)
			want(texts, pair.texts[j]);
	for (unsigned i = 0; i < WORD_COUNT; i++)
		want(texts, word_english((enum word)i));
	want_topics(texts);
}

static void
test_all_is_translated_and_nothing_is_stale(void **state)
{
	static const uint64_t seed[2] = {1, 2};
	const struct language *language;

	(void)state;
	for (size_t i = 0; (language = language_at(i)) != NULL; i++) {
		struct texts texts = {.language = language};

		map_init(&texts.seen, seed);
		want_all(&texts);
		assert_int_equal(texts.missing, 0);
		if (language_text_count(language) != texts.count)
			fail_msg("%s has %zu texts, and %zu are needed: some are stale",
			    language_tag(language), language_text_count(language), texts.count);
		map_fini(&texts.seen);
	}
}

/* What is filled in by a program must stand in each translation too. */
static void
test_braces_survive(void **state)
{
	static const char *const fields[] = {"{a}", "{b}", "{text}", "{other}", "{name}", "{host}",
	    "{port}", "{address}", "{domain}", "{number}", "{time}"};
	const struct language *language;

	(void)state;
	for (size_t i = 0; (language = language_at(i)) != NULL; i++)
		for (unsigned word = 0; word < WORD_COUNT; word++)
			for (size_t j = 0; j < LEN(fields); j++) {
				const char *text = word_text(language, (enum word)word);
				const char *english = word_english((enum word)word);

				if (!strstr(text, fields[j]) != !strstr(english, fields[j]))
					fail_msg("%s: %s", language_tag(language), text);
			}
}

static const struct {
	const char *tag;
	const char *found; /* NULL: none */
} tags[] = {
    {"en", "en"},
    {"EN", "en"},
    {"en_US.UTF-8", "en"},
    {"en-GB", "en"},
    {"", NULL},
    {"C", NULL},
    {"POSIX", NULL},
    {"C.UTF-8", NULL},
    {"xx", NULL},
    {"e", NULL},
    {"english", NULL},
};

static void
test_tags(void **state)
{
	const struct language *language;

	(void)state;
	for (size_t i = 0; i < LEN(tags); i++) {
		bool found = language_find(span_str(tags[i].tag), &language);

		assert_null(language);
		assert_int_equal(found, tags[i].found != NULL);
	}
	for (size_t i = 0; language_at(i); i++) {
		const struct language *expected = language_at(i);
		char tag[32];

		assert_true(language_find(span_str(language_tag(expected)), &language));
		assert_ptr_equal(language, expected);
		snprintf(tag, sizeof(tag), "%s_ZZ.UTF-8@x", language_tag(expected));
		assert_true(language_find(span_str(tag), &language));
		assert_ptr_equal(language, expected);
		snprintf(tag, sizeof(tag), "xx;q=1, %s-ZZ;q=0.7, en;q=0.3",
		    language_tag(expected));
		assert_ptr_equal(language_accept(span_str(tag)), expected);
		snprintf(tag, sizeof(tag), "%s;q=0.2,en", language_tag(expected));
		assert_null(language_accept(span_str(tag)));
		snprintf(tag, sizeof(tag), "%s;q=0", language_tag(expected));
		assert_null(language_accept(span_str(tag)));
	}
	assert_null(language_accept(SPAN("")));
	assert_null(language_accept(SPAN(",,;;q=,")));
	assert_string_equal(language_tag(NULL), "en");
	assert_string_equal(language_text(NULL, "some text"), "some text");
	assert_false(language_is_right_to_left(NULL));
}

static void
test_filling_in(void **state)
{
	const struct word_fields fields = {
	    .a = SPAN("220"), .b = SPAN("252"), .text = SPAN("{b}"), .other = SPAN("no")};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	word_add(&out, NULL, WORD_NEXT_EACH, &fields);
	assert_true(span_eq(buf_span(&out), SPAN("After 220 it {b}. After 252 it no.")));
	buf_reset(&out);
	word_fill(&out, "nothing", &fields);
	assert_true(span_eq(buf_span(&out), SPAN("nothing")));
	buf_fini(&out);
}

static const struct {
	const char *po;
	const char *fault; /* NULL: none */
} catalogues[] = {
    {"msgid \"\"\nmsgstr \"\"\n\"Language: de\\n\"\n\nmsgid \"a\"\nmsgstr \"b\"\n", NULL},
    {"#, fuzzy\nmsgid \"a\"\nmsgstr \"b\"\n", NULL},
    {"msgid \"a\"\nmsgstr \"b\\n\\\"c\\\" \\\\\"\n", NULL},
    {"msgid \"a\"\n\"b\"\nmsgstr \"\"\n\"c\"\n", NULL},
    {"msgid \"a\"\nmsgstr \"b\"\n\nmsgid \"a\"\nmsgstr \"c\"\n", "stands twice"},
    {"msgid \"a\"\n", ":1: a msgid without msgstr"},
    {"msgstr \"a\"\n", ":1: a msgstr without msgid"},
    {"msgid a\nmsgstr \"b\"\n", ":1: expected a string"},
    {"msgid \"a\nmsgstr \"b\"\n", ":1: expected a string"},
    {"msgid \"a\"b\"\nmsgstr \"b\"\n", ":1: a quote inside"},
    {"msgid \"a\"\nmsgstr \"\\x41\"\n", ":2: unknown escape"},
    {"hello\n", ":1: expected a string"},
    {"", ":0: cannot be read"},
};

/* Runs the generator on a file; the exit status, and what it said. */
static int
generate(char *source, char *target, char *said, size_t said_bytes)
{
	char *const argv[] = {(char[]){"po_gen"}, target, source, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], status = -1;
	size_t bytes = 0;
	ssize_t count;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	assert_int_equal(posix_spawn(&pid, PO_GEN, &actions, NULL, argv, (char *[]){NULL}), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while ((count = read(ends[0], said + bytes, said_bytes - 1 - bytes)) > 0)
		bytes += (size_t)count;
	said[bytes] = 0;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_generator(void **state)
{
	char folder[] = "/tmp/language_test.XXXXXX";
	char source[64], target[64], said[4096];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(source, sizeof(source), "%s/de.po", folder);
	snprintf(target, sizeof(target), "%s/out.c", folder);
	for (size_t i = 0; i < LEN(catalogues); i++) {
		const char *fault = catalogues[i].fault;
		FILE *file = fopen(source, "w");
		int status;

		assert_non_null(file);
		fputs(catalogues[i].po, file);
		fclose(file);
		status = generate(source, target, said, sizeof(said));
		if (status != (fault ? 1 : 0) || (fault && !strstr(said, fault)))
			fail_msg("catalogue %zu: %d, %s", i, status, said);
		assert_int_equal(access(target, F_OK), fault ? -1 : 0);
		if (!fault)
			unlink(target);
	}
	unlink(source);
	rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_is_translated_and_nothing_is_stale),
	    cmocka_unit_test(test_braces_survive),
	    cmocka_unit_test(test_tags),
	    cmocka_unit_test(test_filling_in),
	    cmocka_unit_test(test_generator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
