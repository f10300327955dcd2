/*
 * How many bytes of a message a second one core reads, and converts, for a server without 8BITMIME.
 *
 *	convert_bench [MEGABYTES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "mime/convert.h"

static double
seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A multipart of one part, as long as that, made of one line. */
static void
make(struct buf *message, const char *type, const char *line, size_t bytes)
{
	buf_init(message, bytes + 1000);
	buf_addf(message,
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Type: %s\r\n\r\n",
	    type);
	while (message->len < bytes)
		buf_add_str(message, line);
	/* So that there is something to convert. */
	buf_add_str(message, "\r\n--b\r\n\r\nGr\xc3\xa4n\r\n--b--\r\n");
	check(buf_finish(message) == OK);
}

static void
measure(const char *name, const char *type, const char *line, size_t bytes)
{
	struct survey *survey = survey_create(false);
	struct convert *convert;
	struct buf message, out;
	struct span rest;
	double from, read_s, convert_s;

	make(&message, type, line, bytes);
	from = seconds();
	for (rest = buf_span(&message); rest.len > 0; rest = span_skip(rest, 64 << 10))
		survey_take(survey, span_first(rest, 64 << 10));
	survey_finish(survey);
	read_s = seconds() - from;
	check(survey_verdict(survey, SURVEY_7BIT) == SURVEY_CONVERT);
	convert = convert_create(survey, SURVEY_7BIT);
	buf_init(&out, CONVERT_OUT_BYTES_MAX);
	from = seconds();
	for (rest = buf_span(&message); rest.len > 0; rest = span_skip(rest, 64 << 10)) {
		buf_reset(&out);
		convert_take(convert, span_first(rest, 64 << 10), &out);
	}
	check(convert_finish(convert, &out) == OK);
	convert_s = seconds() - from;
	printf("%-24s read %5.0f MB/s, converted %5.0f MB/s\n", name,
	    (double)message.len / read_s / 1e6, (double)message.len / convert_s / 1e6);
	convert_destroy(convert);
	survey_destroy(survey);
	buf_fini(&message);
	buf_fini(&out);
}

int
main(int argc, char **argv)
{
	size_t bytes = (size_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 100) << 20;

	measure("a part that stays", "text/plain",
	    "A line of text as it is in many a message, with nothing in it that needs more.\r\n",
	    bytes);
	measure("quoted-printable", "text/plain; charset=utf-8",
	    "Gr\xc3\xbc\xc3\x9f" "e aus der Stadt, und viele gute W\xc3\xbcnsche f\xc3\xbcr das neue Jahr "
	    "euch allen!\r\n",
	    bytes);
	measure("base64", "text/plain; charset=utf-8",
	    "\xd0\x94\xd0\xbe\xd0\xb1\xd1\x80\xd1\x8b\xd0\xb9 \xd0\xb4\xd0\xb5\xd0\xbd\xd1\x8c\r\n",
	    bytes);
	return EXIT_SUCCESS;
}
