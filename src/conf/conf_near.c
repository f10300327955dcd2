/*
 * The nearest word: Damerau-Levenshtein distance (a letter missing, too many, wrong, or
 * two swapped), without regard to case.  Long words may be further off than short ones.
 */
#include "conf/conf_internal.h"

enum { NEAR_BYTES_MAX = 48 };

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Three rows of the usual table: the one being filled and the two before it. */
static unsigned
distance_of(struct span a, struct span b)
{
	unsigned rows[3][NEAR_BYTES_MAX + 1];

	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *last = rows[(i + 2) % 3];
		const unsigned *before = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			char x = ascii_lower(a.ptr[i - 1]);
			char y = ascii_lower(b.ptr[j - 1]);

			row[j] =
			    least(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b.ptr[j - 2]) &&
			    ascii_lower(a.ptr[i - 2]) == y && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[a.len % 3][b.len];
}

bool
conf_near(struct span wrong, struct span right, unsigned *distance)
{
	unsigned distance_max = right.len <= 3 ? 1 : right.len <= 7 ? 2 : 3;

	if (wrong.len == 0 || wrong.len > NEAR_BYTES_MAX || right.len > NEAR_BYTES_MAX)
		return false;
	*distance = distance_of(wrong, right);
	return *distance <= distance_max;
}

void
conf_nearest_offer(struct conf_nearest *nearest, struct span wrong, const char *right)
{
	unsigned distance;

	if (conf_near(wrong, span_str(right), &distance) &&
	    (!nearest->word || distance < nearest->distance))
		*nearest = (struct conf_nearest){right, distance};
}
