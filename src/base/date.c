#include "base/date.h"

#define DAY_MS UINT64_C(86400000)
/* 9999-12-31T23:59:59.999Z */
#define LAST_MS UINT64_C(253402300799999)

static bool
is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned
month_days(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days before 1 January of the year, since 1970. */
static uint64_t
days_before(unsigned year)
{
	unsigned last = year - 1;

	return (uint64_t)(year - 1970) * 365 + (last / 4 - 1969 / 4) -
	       (last / 100 - 1969 / 100) + (last / 400 - 1969 / 400);
}

/* Cuts a number of so many digits off, and what stands behind it. */
static bool
cut_number(struct span *text, size_t digits, char behind, unsigned *number)
{
	uint64_t value;

	if (text->len < digits || !span_u64(span_first(*text, digits), 9999, &value))
		return false;
	*number = (unsigned)value;
	*text = span_skip(*text, digits);
	if (behind == '\0')
		return true;
	if (text->len == 0 || ascii_upper(text->ptr[0]) != behind)
		return false;
	*text = span_skip(*text, 1);
	return true;
}

/* "Z", "+hh:mm" or "-hh:mm"; what is to be added to get UTC. */
static bool
read_offset(struct span text, int64_t *offset_ms)
{
	unsigned hours, minutes;
	bool ahead;

	*offset_ms = 0;
	if (text.len == 1 && ascii_upper(text.ptr[0]) == 'Z')
		return true;
	if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-'))
		return false;
	ahead = text.ptr[0] == '+';
	text = span_skip(text, 1);
	if (!cut_number(&text, 2, ':', &hours) || !cut_number(&text, 2, '\0', &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*offset_ms = (int64_t)(hours * 60 + minutes) * 60000 * (ahead ? -1 : 1);
	return true;
}

/* ".123" and more digits, of which three count. */
static void
cut_fraction(struct span *text, unsigned *ms)
{
	unsigned unit = 100;

	*ms = 0;
	if (text->len < 2 || text->ptr[0] != '.' || !ascii_is_digit(text->ptr[1]))
		return;
	*text = span_skip(*text, 1);
	while (text->len > 0 && ascii_is_digit(text->ptr[0])) {
		*ms += unit * (unsigned)(text->ptr[0] - '0');
		unit /= 10;
		*text = span_skip(*text, 1);
	}
}

bool
date_read(struct span text, uint64_t *wall_ms)
{
	unsigned year, month, day, hour, minute, second, ms;
	uint64_t days;
	int64_t offset_ms, sum;

	if (!cut_number(&text, 4, '-', &year) || !cut_number(&text, 2, '-', &month) ||
	    !cut_number(&text, 2, 'T', &day) || !cut_number(&text, 2, ':', &hour) ||
	    !cut_number(&text, 2, ':', &minute) || !cut_number(&text, 2, '\0', &second))
		return false;
	cut_fraction(&text, &ms);
	/* 60 is a leap second. */
	if (year < 1970 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 ||
	    second > 60 || day > month_days(year, month) || !read_offset(text, &offset_ms))
		return false;
	days = days_before(year) + day - 1;
	for (unsigned i = 1; i < month; i++)
		days += month_days(year, i);
	sum = (int64_t)(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * UINT64_C(1000) +
			ms) +
	      offset_ms;
	*wall_ms = sum < 0 ? 0 : (uint64_t)sum;
	return true;
}

bool
date_read_day(struct span text, uint64_t *wall_ms)
{
	struct buf whole;
	bool good;

	buf_init(&whole, DATE_TEXT_BYTES);
	buf_add(&whole, text);
	buf_add_str(&whole, "T00:00:00Z");
	good = buf_finish(&whole) == OK && text.len == DATE_DAY_BYTES &&
	    date_read(buf_span(&whole), wall_ms);
	buf_fini(&whole);
	return good;
}

/* By counting from 1 March of the year 0: leap days then come last in their year, their century and
 * their 400 years. */
struct date
date_of(uint64_t wall_ms)
{
	uint64_t days, shifted, of_era, year_of_era, of_year, month, seconds;

	if (wall_ms > LAST_MS)
		wall_ms = LAST_MS;
	days = wall_ms / DAY_MS;
	seconds = wall_ms % DAY_MS / 1000;
	shifted = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
	of_era = shifted % 146097;
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * of_year + 2) / 153; /* from 0, March */
	return (struct date){
	    .year = (unsigned)(shifted / 146097 * 400 + year_of_era + (month >= 10)),
	    .month = (unsigned)(month < 10 ? month + 3 : month - 9),
	    .day = (unsigned)(of_year - (153 * month + 2) / 5 + 1),
	    .weekday = (unsigned)((days + 4) % 7),
	    .hour = (unsigned)(seconds / 3600),
	    .minute = (unsigned)(seconds / 60 % 60),
	    .second = (unsigned)(seconds % 60),
	    .ms = (unsigned)(wall_ms % 1000),
	};
}

void
date_write(struct buf *out, uint64_t wall_ms)
{
	struct date date = date_of(wall_ms);

	buf_addf(out, "%04u-%02u-%02uT%02u:%02u:%02uZ", date.year, date.month, date.day,
	    date.hour, date.minute, date.second);
}

void
date_write_ms(struct buf *out, uint64_t wall_ms)
{
	struct date date = date_of(wall_ms);

	buf_addf(out, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", date.year, date.month, date.day,
	    date.hour, date.minute, date.second, date.ms);
}

void
date_write_day(struct buf *out, uint64_t wall_ms)
{
	struct date date = date_of(wall_ms);

	buf_addf(out, "%04u-%02u-%02u", date.year, date.month, date.day);
}
