/* The time that a server's words give: see rules.h. */
#include "rules/rules.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
static const uint64_t day_ms = 24 * HOUR;

static uint64_t
unit_ms(struct span rest)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"sec", SECOND}, {"s", SECOND}, {"min", MINUTE}, {"m", MINUTE},
	    {"hour", HOUR}, {"hr", HOUR}, {"h", HOUR}};
	size_t bytes = 0;

	while (rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '-'))
		rest = span_skip(rest, 1);
	while (bytes < rest.len && ((rest.ptr[bytes] | 32) >= 'a' && (rest.ptr[bytes] | 32) <= 'z'))
		bytes++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct span name = span_str(units[i].name);

		/* A single letter stands alone; a word may go on ("seconds"). */
		if (bytes >= name.len && (name.len > 1 || bytes == 1) &&
		    span_eq_nocase(span_first(rest, name.len), name))
			return units[i].ms;
	}
	return 0;
}

static bool
cut_number(struct span *text, uint64_t *number)
{
	size_t digits = 0;

	while (digits < text->len && ascii_is_digit(text->ptr[digits]))
		digits++;
	if (digits == 0 || !span_u64(span_first(*text, digits), 86400, number))
		return false;
	*text = span_skip(*text, digits);
	return true;
}

/* "00:04:37" */
static uint64_t
clock_ms(struct span text)
{
	uint64_t parts[3];

	for (size_t i = 0; i < 3; i++) {
		if (i > 0) {
			if (text.len == 0 || text.ptr[0] != ':')
				return 0;
			text = span_skip(text, 1);
		}
		if (!cut_number(&text, &parts[i]) || parts[i] > (i == 0 ? 23 : 59))
			return 0;
	}
	return parts[0] * HOUR + parts[1] * MINUTE + parts[2] * SECOND;
}

static uint64_t
time_ms(struct span text)
{
	uint64_t number, found = clock_ms(text);

	if (found == 0 && cut_number(&text, &number))
		found = number * unit_ms(text);
	return found < day_ms ? found : day_ms;
}

uint64_t
rules_stated_ms(struct span text)
{
	static const char *const before[] = {"in ", "for ", "after ", "wait ", "another "};

	text = span_first(text, RULES_TEXT_BYTES_MAX);
	for (size_t at = 0; at < text.len; at++)
		for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
			struct span word = span_str(before[i]), rest = span_skip(text, at);
			uint64_t found;

			if (!span_eq_nocase(span_first(rest, word.len), word) ||
			    (at > 0 && text.ptr[at - 1] != ' '))
				continue;
			found = time_ms(span_skip(rest, word.len));
			if (found > 0)
				return found;
		}
	return 0;
}
