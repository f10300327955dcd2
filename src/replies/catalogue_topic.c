/* Looking topics up.  There are some hundreds: a look at each is fast enough. */
#include "base/check.h"
#include "replies/catalogue_internal.h"

static const struct {
	const char *key;
	enum word word;
} kinds[CATALOGUE_KIND_COUNT] = {
    [CATALOGUE_KEYWORD] = {"keyword", WORD_KIND_KEYWORD},
    [CATALOGUE_ACTION] = {"action", WORD_KIND_ACTION},
    [CATALOGUE_AUTH_RESULT] = {"auth-result", WORD_KIND_AUTH_RESULT},
    [CATALOGUE_TLS_RESULT] = {"tls-result", WORD_KIND_TLS_RESULT},
    [CATALOGUE_REASON] = {"reason", WORD_KIND_REASON},
    [CATALOGUE_FINDING] = {"finding", WORD_KIND_FINDING},
};

const struct catalogue_topic *
catalogue_topic_find(struct span key)
{
	for (size_t i = 0; i < catalogue_topic_count; i++)
		if (span_eq_nocase(key, span_str(catalogue_topics[i].key)))
			return &catalogue_topics[i];
	return NULL;
}

const struct catalogue_topic *
catalogue_topic(enum catalogue_kind kind, struct span key)
{
	for (size_t i = 0; i < catalogue_topic_count; i++)
		if (catalogue_topics[i].kind == kind &&
		    span_eq_nocase(key, span_str(catalogue_topics[i].key)))
			return &catalogue_topics[i];
	return NULL;
}

const struct catalogue_topic *
catalogue_topic_at(size_t index)
{
	return index < catalogue_topic_count ? &catalogue_topics[index] : NULL;
}

const char *
catalogue_kind_key(enum catalogue_kind kind)
{
	check(kind < CATALOGUE_KIND_COUNT);
	return kinds[kind].key;
}

enum word
catalogue_kind_word(enum catalogue_kind kind)
{
	check(kind < CATALOGUE_KIND_COUNT);
	return kinds[kind].word;
}
