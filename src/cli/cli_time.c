/* Days and times are taken apart word by word; nothing depends on a locale or a time zone. */
#include "cli/cli_time.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60000, HOUR_MS = 3600000, DAY_MS = 86400000 };

const char cli_time_forms[] = "09:07, 2026-11-26 09:07, 2026-11-26, yesterday 09:07, or 2h (ago)";

uint64_t
cli_time_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SECOND_MS + (uint64_t)now.tv_nsec / 1000000;
}

/* So many digits exactly, not more than max. */
static bool
digits(struct span text, size_t count, uint64_t max, uint64_t *value)
{
	return text.len == count && span_u64(text, max, value);
}

static bool
parse_day(struct span text, uint64_t now_ms, uint64_t *day_ms)
{
	uint64_t today = now_ms / DAY_MS * DAY_MS, year, month, day;
	struct tm tm = {0}, again;
	struct span part[3];
	time_t seconds;

	if (span_eq(text, SPAN("today")) || span_eq(text, SPAN("yesterday"))) {
		*day_ms = text.len == 5 ? today : today - DAY_MS;
		return true;
	}
	for (int i = 0; i < 3; i++)
		if (!span_cut(&text, '-', &part[i]))
			return false;
	if (text.len > 0 || !digits(part[0], 4, 9999, &year) || year < 1970 ||
	    !digits(part[1], 2, 12, &month) || !digits(part[2], 2, 31, &day))
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	seconds = timegm(&tm);
	/* 30 February would be 2 March. */
	if (!gmtime_r(&seconds, &again) || again.tm_mday != (int)day || seconds < 0)
		return false;
	*day_ms = (uint64_t)seconds * SECOND_MS;
	return true;
}

/* "09:07" or "09:07:30", within a day; length_ms is how exact it is. */
static bool
parse_clock(struct span text, uint64_t *at_ms, uint64_t *length_ms)
{
	struct span part[3] = {0};
	uint64_t hour, minute, second = 0;
	size_t count = 0;

	while (count < 3 && span_cut(&text, ':', &part[count]))
		count++;
	if (text.len > 0 || count < 2 || !(digits(part[0], 2, 23, &hour) ||
					     digits(part[0], 1, 9, &hour)) ||
	    !digits(part[1], 2, 59, &minute) ||
	    (count == 3 && !digits(part[2], 2, 59, &second)))
		return false;
	*at_ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
	*length_ms = count == 3 ? SECOND_MS : MINUTE_MS;
	return true;
}

/* "90s", "5m", "2h", "3d", also with "ago" or "min" behind. */
static bool
parse_ago(struct span text, uint64_t now_ms, struct cli_moment *moment)
{
	static const struct {
		struct span name;
		uint64_t ms;
	} units[] = {{{"s", 1}, SECOND_MS}, {{"m", 1}, MINUTE_MS}, {{"min", 3}, MINUTE_MS},
	    {{"h", 1}, HOUR_MS}, {{"d", 1}, DAY_MS}};
	size_t count = 0;
	uint64_t number;

	if (text.len > 4 && span_eq(span_skip(text, text.len - 4), SPAN(" ago")))
		text.len -= 4;
	while (count < text.len && ascii_is_digit(text.ptr[count]))
		count++;
	if (!span_u64(span_first(text, count), 100000, &number))
		return false;
	text = span_trim(span_skip(text, count));
	for (size_t i = 0; i < LEN(units); i++)
		if (span_eq(text, units[i].name) && number * units[i].ms <= now_ms) {
			moment->from_ms = now_ms - number * units[i].ms;
			moment->until_ms = now_ms;
			return true;
		}
	return false;
}

bool
cli_time_parse(const char *text, uint64_t now_ms, struct cli_moment *moment)
{
	struct span all = span_trim(span_str(text)), day = all, clock = SPAN("");
	uint64_t day_ms, at_ms = 0, length_ms = DAY_MS;
	size_t gap = span_find(all, ' ');

	if (gap == all.len && all.len > 10 && all.ptr[10] == 'T')
		gap = 10;
	if (parse_ago(all, now_ms, moment))
		return true;
	if (parse_clock(all, &at_ms, &length_ms)) {
		day_ms = now_ms / DAY_MS * DAY_MS;
		if (day_ms + at_ms > now_ms)
			day_ms -= DAY_MS;
	} else {
		if (gap < all.len) {
			day = span_first(all, gap);
			clock = span_trim(span_skip(all, gap + 1));
			if (clock.len > 0 && clock.ptr[clock.len - 1] == 'Z')
				clock.len--;
		}
		if (!parse_day(day, now_ms, &day_ms) ||
		    (clock.len > 0 && !parse_clock(clock, &at_ms, &length_ms)))
			return false;
	}
	moment->from_ms = day_ms + at_ms;
	moment->until_ms = moment->from_ms + length_ms - 1;
	return true;
}

void
cli_time_write(struct buf *out, uint64_t wall_ms, uint64_t now_ms)
{
	time_t seconds = (time_t)(wall_ms / SECOND_MS), now = (time_t)(now_ms / SECOND_MS);
	struct tm tm, today;
	char text[64];

	if (!gmtime_r(&seconds, &tm) || !gmtime_r(&now, &today)) {
		buf_add_str(out, "at an unknown time");
		return;
	}
	check(strftime(text, sizeof(text),
		  tm.tm_year == today.tm_year ? "%d %b %H:%M:%S UTC"
					      : "%d %b %Y %H:%M:%S UTC",
		  &tm) > 0);
	buf_add_str(out, text + (text[0] == '0'));
}

void
cli_time_write_json(struct buf *out, uint64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / SECOND_MS);
	struct tm tm;
	char text[64];

	check(gmtime_r(&seconds, &tm));
	check(strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
	buf_addf(out, "%s.%03uZ", text, (unsigned)(wall_ms % SECOND_MS));
}
