/*
 * Any bytes as a main file: parsing ends, and what is shown of a good configuration is a
 * good configuration that shows as the same.  And any bytes as an encoded bundle: what is
 * taken for one is encoded as the same bytes.
 */
#include "conf/conf_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every certificate that is wanted is there; so are includes, as the same text. */
static struct conf *
parse(struct conf_bundle *bundle)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf *conf;
	struct buf out;
	struct span name;
	size_t count;
	enum err err;

	while (conf_bundle_wants(bundle, &name))
		check(
		    conf_bundle_add(bundle, name,
			SPAN("#-----BEGIN CERTIFICATE\ninclude a; include b/../../c")) ==
		    OK);
	err = conf_parse(bundle, &conf, errors, &count);
	check((err == OK) == (count == 0) && (err == OK) == (conf != NULL));
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < count; i++) {
		check(errors[i].line > 0 && errors[i].column > 0);
		conf_error_write(&out, &errors[i]);
	}
	buf_fini(&out);
	return conf;
}

static void
show_and_parse(const struct conf *conf)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct buf shown, again;
	struct conf *same;

	buf_init(&shown, 1 << 24);
	buf_init(&again, 1 << 24);
	conf_show(&shown, conf);
	check(buf_finish(&shown) == OK);
	/* What is shown may be longer than a file may be. */
	if (conf_bundle_add(bundle, SPAN("main.conf"), buf_span(&shown)) == OK) {
		same = parse(bundle);
		check(same != NULL);
		conf_show(&again, same);
		check(span_eq(buf_span(&shown), buf_span(&again)));
		conf_destroy(same);
	}
	buf_fini(&shown);
	buf_fini(&again);
	conf_bundle_destroy(bundle);
}

static void
fuzz_text(struct span text)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct conf *conf;

	if (conf_bundle_add(bundle, SPAN("main.conf"), text) == OK) {
		conf = parse(bundle);
		if (conf)
			show_and_parse(conf);
		conf_destroy(conf);
	}
	conf_bundle_destroy(bundle);
}

static void
fuzz_wire(struct span wire)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct buf again;

	if (conf_bundle_decode(wire, bundle) == OK) {
		buf_init(&again, wire.len);
		conf_bundle_encode(bundle, &again);
		check(span_eq(buf_span(&again), wire));
		buf_fini(&again);
		conf_destroy(parse(bundle));
	}
	conf_bundle_destroy(bundle);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = {(const char *)data, size};

	fuzz_text(bytes);
	fuzz_wire(bytes);
	return 0;
}
