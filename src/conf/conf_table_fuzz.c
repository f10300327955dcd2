/*
 * Any bytes as a table of routes: reading ends, errors have a place, and of a good table each
 * line's pattern is found, with that line.
 */
#include "conf/conf_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_found(const struct conf_table *table, struct span pattern, unsigned number)
{
	unsigned line = 0;

	return conf_table_find(table, pattern, &line) && line == number;
}

/* The pattern of a line is some beginning of it. */
static void
look_up(const struct conf_table *table, struct span text)
{
	struct span line, pattern;
	unsigned number = 0;
	size_t count = 0;

	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_skip(text, 3);
	while (span_cut(&text, '\n', &line)) {
		bool found = false;

		number++;
		for (size_t at = 1; at <= line.len && !found; at++) {
			pattern = span_first(line, at);
			found = is_found(table, pattern, number);
		}
		count += found;
	}
	check(count == conf_table_count(table));
}

static void
fuzz(struct span text, const char *main)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf *conf;
	struct span name;
	struct buf out;
	size_t count;

	check(conf_bundle_add(bundle, SPAN("/main.conf"), span_str(main)) == OK);
	while (conf_bundle_wants(bundle, &name))
		check(conf_bundle_add(bundle, name, text) == OK);
	check((conf_parse(bundle, &conf, errors, &count) == OK) == (count == 0));
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < count; i++) {
		check(errors[i].line > 0 && errors[i].column > 0);
		conf_error_write(&out, &errors[i]);
	}
	buf_fini(&out);
	/* Nothing that a table says is run. */
	check(!conf || !conf->pipes ||
	    (!conf->pipes->next && span_eq(conf->pipes->command, SPAN("/p"))));
	if (conf)
		look_up(conf->routes[0].table, text);
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};

	fuzz(text, "hostname a\ncredentials from c\nroutes from r\nprogram p runs /p as v\n");
	fuzz(text, "hostname a\ncredentials from c\nroutes by sender from r\n");
	return 0;
}
