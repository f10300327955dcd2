#include "proc/pipe/words.h"

#include "base/check.h"

/* A command has at most 1000 bytes, and so 125 placeholders of addresses. */
enum { WORDS_BYTES_MAX = 128 << 10 };

/* The parts of the recipient, and all else, by placeholder. */
struct values {
	struct span at[CONF_PLACEHOLDER_COUNT];
};

static void
find_values(struct values *values, const struct words_of *of)
{
	size_t at = span_find_last(of->recipient, '@');
	struct span local = span_first(of->recipient, at);
	size_t end = of->separator ? span_find(local, of->separator) : local.len;

	/* Nothing before it: it parts nothing. */
	if (end == 0)
		end = local.len;
	*values = (struct values){
	    .at = {
		[CONF_PLACEHOLDER_NONE] = SPAN(""),
		[CONF_PLACEHOLDER_SENDER] = of->sender,
		[CONF_PLACEHOLDER_RECIPIENT] = of->recipient,
		[CONF_PLACEHOLDER_MAILBOX] =
		    of->mailbox.len > 0 ? of->mailbox : span_first(local, end),
		[CONF_PLACEHOLDER_LOCAL] = local,
		[CONF_PLACEHOLDER_DETAIL] = span_skip(local, end + 1),
		[CONF_PLACEHOLDER_DOMAIN] = span_skip(of->recipient, at + 1),
		[CONF_PLACEHOLDER_ID] = of->id,
	    }};
}

static bool
has_nul(struct span value)
{
	return span_find(value, '\0') < value.len;
}

/* Adds a word and its NUL. */
static enum words_problem
add_word(struct buf *bytes, struct span word, const struct values *values)
{
	enum words_problem problem = WORDS_GOOD;
	enum conf_placeholder placeholder;
	size_t start = bytes->len;
	struct span text;

	while (conf_pipe_cut(&word, &text, &placeholder)) {
		check(placeholder < CONF_PLACEHOLDER_COUNT);
		buf_add(bytes, text);
		/* A dash that the administrator did not write. */
		if (bytes->len == start && span_starts(values->at[placeholder], SPAN("-")))
			problem = placeholder == CONF_PLACEHOLDER_SENDER ? WORDS_BAD_SENDER
									 : WORDS_BAD_RECIPIENT;
		buf_add(bytes, values->at[placeholder]);
	}
	buf_add_char(bytes, '\0');
	return problem;
}

static void
add_variable(struct buf *bytes, size_t *count, const char *name, struct span value)
{
	check(*count < WORDS_VARIABLES_MAX);
	(*count)++;
	buf_add_str(bytes, name);
	buf_add_char(bytes, '=');
	buf_add(bytes, value);
	buf_add_char(bytes, '\0');
}

static size_t
add_variables(struct buf *bytes, const struct words_of *of, const struct values *values)
{
	const struct {
		const char *name, *value;
	} own[] = {{"HOME", of->home}, {"LOGNAME", of->name}, {"USER", of->name},
	    {"SHELL", of->shell}, {"TZ", of->timezone}};
	size_t count = 0;

	add_variable(bytes, &count, "PATH", SPAN("/usr/local/bin:/usr/bin:/bin"));
	for (size_t i = 0; i < LEN(own); i++)
		if (own[i].value)
			add_variable(bytes, &count, own[i].name, span_str(own[i].value));
	add_variable(bytes, &count, "SENDER", of->sender);
	add_variable(bytes, &count, "RECIPIENT", of->recipient);
	add_variable(bytes, &count, "ORIGINAL_RECIPIENT", of->original);
	add_variable(bytes, &count, "MAILBOX", values->at[CONF_PLACEHOLDER_MAILBOX]);
	add_variable(bytes, &count, "LOCAL", values->at[CONF_PLACEHOLDER_LOCAL]);
	add_variable(bytes, &count, "EXTENSION", values->at[CONF_PLACEHOLDER_DETAIL]);
	add_variable(bytes, &count, "DOMAIN", values->at[CONF_PLACEHOLDER_DOMAIN]);
	add_variable(bytes, &count, "MESSAGE_ID", of->id);
	return count;
}

/* The bytes move while they grow, so that pointers come last. */
static const char *
point(const char *at, const char **pointers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		pointers[i] = at;
		at += strlen(at) + 1;
	}
	pointers[count] = NULL;
	return at;
}

enum words_problem
words_make(struct words *words, const struct conf_pipe *pipe, const struct words_of *of)
{
	enum words_problem found = WORDS_GOOD, problem;
	struct values values;
	size_t variables;

	*words = (struct words){0};
	buf_init(&words->bytes, WORDS_BYTES_MAX);
	if (has_nul(of->sender))
		return WORDS_BAD_SENDER;
	if (has_nul(of->recipient) || has_nul(of->original) || has_nul(of->mailbox))
		return WORDS_BAD_RECIPIENT;
	find_values(&values, of);
	for (size_t i = 0; i < pipe->word_count; i++) {
		problem = add_word(&words->bytes, pipe->words[i], &values);
		if (!found)
			found = problem;
	}
	variables = add_variables(&words->bytes, of, &values);
	check(buf_finish(&words->bytes) == OK);
	(void)point(point(words->bytes.ptr, words->argv, pipe->word_count), words->envp, variables);
	return found;
}

void
words_fini(struct words *words)
{
	buf_fini(&words->bytes);
}
