/*
 * Lines of the log, exactly: what values hold cannot end a line, forge a field or break the JSON,
 * and no line is cut in the middle of a field.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "event/event.h"

enum { TEXT_BYTES_MAX = 16384, TIMESTAMP_BYTES = 24 };

struct world {
	struct io *io;
	struct io_timer timer;
	struct event_log log;
	int fd;
	char text[TEXT_BYTES_MAX];
};

static void
stop(struct io_timer *timer)
{
	io_stop(((struct world *)timer->owner)->io);
}

static void
world_init(struct world *world, enum conf_log_format format)
{
	*world = (struct world){.io = io_create()};
	world->timer = (struct io_timer){.fired = stop, .owner = world};
	world->log = (struct event_log){world->io, "test", format};
	world->fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(world->fd >= 0);
	io_log_to(world->io, world->fd, false);
}

static void
world_fini(struct world *world)
{
	io_destroy(world->io);
	close(world->fd);
}

/* What was logged: one line, without its end and without the time stamp's digits. */
static struct span
logged(struct world *world)
{
	static const char stamp[] = "2026-11-24T03:04:05.123Z";
	const char *key = world->log.format == CONF_LOG_JSON ? "{\"time\":\"" : "time=";
	size_t start = strlen(key);
	ssize_t len;

	io_timer_start(world->io, &world->timer, 1);
	io_run(world->io);
	len = pread(world->fd, world->text, TEXT_BYTES_MAX, 0);
	assert_true(len > (ssize_t)start + TIMESTAMP_BYTES);
	assert_int_equal(world->text[len - 1], '\n');
	assert_memory_equal(world->text, key, start);
	for (size_t i = 0; i < TIMESTAMP_BYTES; i++) {
		char c = world->text[start + i];

		if (ascii_is_digit(stamp[i]))
			assert_true(ascii_is_digit(c));
		else
			assert_int_equal(c, stamp[i]);
	}
	return span_skip(span_of(world->text, (size_t)len - 1), start + TIMESTAMP_BYTES);
}

static void
assert_line(struct world *world, const char *name, const char *expected)
{
	struct span line = logged(world);

	if (!span_eq(line, span_str(expected)))
		fail_msg("%s: got %.*s, not %s", name, SPAN_ARGS(line), expected);
}

static void
write_all_kinds(struct world *world)
{
	struct net_addr addr = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 25};
	struct event event;

	event_begin(&event, &world->log, "accepted");
	event_id(&event, 33);
	event_u64(&event, "zero", 0);
	event_u64(&event, "most", UINT64_MAX);
	event_addr(&event, "client", &addr);
	event_str(&event, "text", "two words");
	event_str(&event, "none", "");
	event_str(&event, "null", NULL);
	event_err(&event, ERR_TIMEOUT);
	event_end(&event);
}

static void
logfmt_quotes_only_what_needs_it(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, CONF_LOG_LOGFMT);
	write_all_kinds(&world);
	assert_line(&world, "all kinds",
	    " role=test event=accepted id=11 zero=0 most=18446744073709551615"
	    " client=192.0.2.1 text=\"two words\" none=\"\" null=\"\""
	    " error=\"timed out\"");
	world_fini(&world);
}

static void
json_is_one_object(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, CONF_LOG_JSON);
	write_all_kinds(&world);
	assert_line(&world, "all kinds",
	    "\",\"role\":\"test\",\"event\":\"accepted\",\"id\":\"11\",\"zero\":0,"
	    "\"most\":18446744073709551615,\"client\":\"192.0.2.1\",\"text\":\"two words\","
	    "\"none\":\"\",\"null\":\"\",\"error\":\"timed out\"}");
	world_fini(&world);
}

static void
a_note_is_an_event(void **state)
{
	struct world world;

	(void)state;
	world_init(&world, CONF_LOG_LOGFMT);
	event_note(&world.log, "stopping", "no more");
	assert_line(&world, "a note", " role=test event=stopping text=\"no more\"");
	world_fini(&world);
}

static const struct {
	const char *name;
	struct span value;
	const char *logfmt, *json;
} values[] = {
    {"plain", SPAN("ann@example.org"), "ann@example.org", "\"ann@example.org\""},
    {"a space", SPAN("a b"), "\"a b\"", "\"a b\""},
    {"an equals sign", SPAN("a=b"), "\"a=b\"", "\"a=b\""},
    {"quotes", SPAN("say \"hi\""), "\"say \\\"hi\\\"\"", "\"say \\\"hi\\\"\""},
    {"a quote alone", SPAN("\""), "\"\\\"\"", "\"\\\"\""},
    {"a backslash", SPAN("a\\b"), "\"a\\\\b\"", "\"a\\\\b\""},
    {"a line end", SPAN("a\r\nb"), "\"a\\x0d\\x0ab\"", "\"a\\u000d\\u000ab\""},
    {"a forged line", SPAN("x\ntime=1 event=accepted"), "\"x\\x0atime=1 event=accepted\"",
	"\"x\\u000atime=1 event=accepted\""},
    {"NUL, tab, DEL", SPAN("\0\t\x7f"), "\"\\x00\\x09\\x7f\"",
	"\"\\u0000\\u0009\\u007f\""},
    {"an escape sequence", SPAN("\x1b[2J"), "\"\\x1b[2J\"", "\"\\u001b[2J\""},
    {"two bytes", SPAN("\xc3\xa4"), "\"\xc3\xa4\"", "\"\xc3\xa4\""},
    {"three bytes", SPAN("\xe6\x97\xa5"), "\"\xe6\x97\xa5\"", "\"\xe6\x97\xa5\""},
    {"a dash", SPAN("\xe2\x80\x93"), "\"\xe2\x80\x93\"", "\"\xe2\x80\x93\""},
    {"a control of U+0085", SPAN("\xc2\x85"), "\"\\xc2\\x85\"", "\"\\u00c2\\u0085\""},
    {"cut UTF-8", SPAN("\xe6\x97"), "\"\\xe6\\x97\"", "\"\\u00e6\\u0097\""},
    {"cut UTF-8 and more", SPAN("\xe6\x97x"), "\"\\xe6\\x97x\"", "\"\\u00e6\\u0097x\""},
    {"a lone tail", SPAN("\xa5"), "\"\\xa5\"", "\"\\u00a5\""},
    {"too long a form", SPAN("\xc0\xaf\xe0\x80\xaf"), "\"\\xc0\\xaf\\xe0\\x80\\xaf\"",
	"\"\\u00c0\\u00af\\u00e0\\u0080\\u00af\""},
    {"a surrogate", SPAN("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"",
	"\"\\u00ed\\u00a0\\u0080\""},
    {"past the last character", SPAN("\xf4\x90\x80\x80\xff"),
	"\"\\xf4\\x90\\x80\\x80\\xff\"", "\"\\u00f4\\u0090\\u0080\\u0080\\u00ff\""},
    {"text turned round", SPAN("\xe2\x80\xaegnp.exe"), "\"\\xe2\\x80\\xaegnp.exe\"",
	"\"\\u00e2\\u0080\\u00aegnp.exe\""},
    {"text set apart", SPAN("\xe2\x81\xa6"), "\"\\xe2\\x81\\xa6\"",
	"\"\\u00e2\\u0081\\u00a6\""},
    {"a line separator", SPAN("\xe2\x80\xa8"), "\"\\xe2\\x80\\xa8\"",
	"\"\\u00e2\\u0080\\u00a8\""},
};

static void
values_are_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(values); i++)
		for (int json = 0; json < 2; json++) {
			char expected[200];
			struct world world;
			struct event event;

			world_init(&world, json ? CONF_LOG_JSON : CONF_LOG_LOGFMT);
			event_begin(&event, &world.log, "e");
			event_span(&event, "v", values[i].value);
			event_end(&event);
			if (json)
				snprintf(expected, sizeof(expected),
				    "\",\"role\":\"test\",\"event\":\"e\",\"v\":%s}",
				    values[i].json);
			else
				snprintf(expected, sizeof(expected),
				    " role=test event=e v=%s", values[i].logfmt);
			assert_line(&world, values[i].name, expected);
			world_fini(&world);
		}
}

/* Where a JSON string that starts there ends; it holds only what RFC 8259 lets it. */
static struct span
skip_string(struct span at)
{
	assert_true(at.len > 0 && at.ptr[0] == '"');
	for (at = span_skip(at, 1); at.len > 0 && at.ptr[0] != '"';
	     at = span_skip(at, 1)) {
		assert_true((uint8_t)at.ptr[0] >= 0x20);
		if (at.ptr[0] != '\\')
			continue;
		at = span_skip(at, 1);
		assert_true(at.len > 0 && strchr("\"\\u", at.ptr[0]) != NULL);
		if (at.ptr[0] != 'u')
			continue;
		assert_true(at.len > 4);
		for (int i = 1; i <= 4; i++)
			assert_true(strchr("0123456789abcdef", at.ptr[i]) != NULL);
	}
	assert_true(at.len > 0);
	return span_skip(at, 1);
}

/* Fields of a whole line of JSON. */
static size_t
count_fields(struct span line)
{
	size_t count = 0;

	assert_true(line.len > 0 && line.ptr[0] == '{');
	do {
		line = skip_string(span_skip(line, 1));
		assert_true(line.len > 1 && line.ptr[0] == ':');
		line = span_skip(line, 1);
		if (line.ptr[0] == '"')
			line = skip_string(line);
		else
			while (line.len > 0 && ascii_is_digit(line.ptr[0]))
				line = span_skip(line, 1);
		count++;
	} while (line.len > 0 && line.ptr[0] == ',');
	assert_true(span_eq(line, SPAN("}")));
	return count;
}

static void
every_byte_makes_json(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		char pair[] = {(char)byte, (char)byte, 'x'};
		struct world world;
		struct event event;

		world_init(&world, CONF_LOG_JSON);
		event_begin(&event, &world.log, "e");
		event_span(&event, "v", span_of(pair, sizeof(pair)));
		event_u64(&event, "after", byte);
		event_end(&event);
		logged(&world);
		assert_int_equal(
		    count_fields(span_of(world.text,
			span_find(span_of(world.text, TEXT_BYTES_MAX), '\n'))),
		    5);
		world_fini(&world);
	}
}

/* One value of many bytes takes part of the line, and leaves room for others. */
static void
a_long_value_is_cut(void **state)
{
	static const struct {
		char byte;
		size_t least, most; /* characters of it in the line */
	} cases[] = {
	    {'x', 700, 700}, {'\n', 200, 700}, {'"', 500, 700}, {'\xff', 200, 700}};
	char value[5000];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (int json = 0; json < 2; json++) {
			const char *end = json ? "\",\"after\":7}" : " after=7";
			struct world world;
			struct event event;
			struct span line;

			memset(value, cases[i].byte, sizeof(value));
			world_init(&world, json ? CONF_LOG_JSON : CONF_LOG_LOGFMT);
			event_begin(&event, &world.log, "e");
			event_span(&event, "v", span_of(value, sizeof(value)));
			event_u64(&event, "after", 7);
			event_end(&event);
			line = logged(&world);
			assert_true(line.len < EVENT_LINE_BYTES_MAX);
			assert_true(line.len > strlen(end));
			assert_memory_equal(
			    line.ptr + line.len - strlen(end), end, strlen(end));
			assert_true(line.len >= cases[i].least);
			if (cases[i].byte == 'x')
				assert_in_range(line.len, 700, 770);
			world_fini(&world);
		}
}

/* However many and however long, all of them hostile: the line is whole. */
static void
a_full_line_is_whole(void **state)
{
	static const char bytes[] = {'x', '\0', '"', '\\', '\xff', '\xe6', ' '};
	char value[1000];

	(void)state;
	for (size_t i = 0; i < LEN(bytes); i++)
		for (size_t fields = 1; fields < 120; fields += 7) {
			struct world world;
			struct event event;
			struct span all;

			memset(value, bytes[i], sizeof(value));
			world_init(&world, CONF_LOG_JSON);
			event_begin(&event, &world.log, "e");
			for (size_t k = 0; k < fields; k++) {
				event_span(&event, "some_long_key",
				    span_of(value, k % 2 ? sizeof(value) : 30));
				event_u64(&event, "number", UINT64_MAX);
			}
			event_end(&event);
			logged(&world);
			all = span_of(world.text, TEXT_BYTES_MAX);
			all = span_first(all, span_find(all, '\n'));
			assert_true(all.len < EVENT_LINE_BYTES_MAX + 100);
			assert_in_range(count_fields(all), 5, 3 + 2 * fields);
			world_fini(&world);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(logfmt_quotes_only_what_needs_it),
	    cmocka_unit_test(json_is_one_object),
	    cmocka_unit_test(a_note_is_an_event),
	    cmocka_unit_test(values_are_escaped),
	    cmocka_unit_test(every_byte_makes_json),
	    cmocka_unit_test(a_long_value_is_cut),
	    cmocka_unit_test(a_full_line_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
