/* What the tests of this folder share: text in, a conf or its errors as text out. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf_internal.h"

#define KIT_PEM "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

/* A whole configuration, for tests that are about one statement. */
#define KIT_BASE "hostname mail.example.org\n"

struct kit {
	struct conf_bundle *bundle;
	struct conf *conf;
	struct buf problems;
};

/* A bundle of that main file; certificates are there, whatever their name, and "X.routes". */
static inline struct conf_bundle *
kit_bundle(struct span text)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct span name;

	assert_int_equal(conf_bundle_add(bundle, SPAN("/etc/p/main.conf"), text), OK);
	while (conf_bundle_wants(bundle, &name))
		assert_int_equal(
		    conf_bundle_add(bundle, name,
			span_ends_nocase(name, SPAN(".routes")) ? SPAN("a: by mx\n")
								: SPAN(KIT_PEM)),
		    OK);
	return bundle;
}

/* Parses; a conf is there if and only if there are no problems. */
static inline void
kit_parse(struct kit *kit, struct conf_bundle *bundle)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	size_t count = 0;
	enum err err;

	*kit = (struct kit){.bundle = bundle};
	buf_init(&kit->problems, 1 << 20);
	err = conf_parse(bundle, &kit->conf, errors, &count);
	for (size_t i = 0; i < count; i++)
		conf_error_write(&kit->problems, &errors[i]);
	assert_int_equal(err, count == 0 ? OK : ERR_SYNTAX);
	assert_true((kit->conf != NULL) == (count == 0));
	buf_add_char(&kit->problems, '\0');
}

static inline void
kit_init(struct kit *kit, const char *text)
{
	kit_parse(kit, kit_bundle(span_str(text)));
}

static inline void
kit_fini(struct kit *kit)
{
	conf_destroy(kit->conf);
	conf_bundle_destroy(kit->bundle);
	buf_fini(&kit->problems);
}

static inline void
kit_assert_good(const struct kit *kit)
{
	assert_string_equal(kit->problems.ptr, "");
	assert_non_null(kit->conf);
}

static inline void
kit_assert_span(struct span got, const char *wanted)
{
	assert_int_equal(got.len, strlen(wanted));
	assert_memory_equal(got.len ? got.ptr : "", wanted, got.len);
}
