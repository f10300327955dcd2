/* Which files a configuration needs, and a bundle as bytes. */
#include "conf/conf_test_kit.h"

/* Names relative to files, and what they mean. */
static const struct {
	const char *file, *name, *path;
} paths[] = {
    {"/etc/p/main.conf", "a", "/etc/p/a"},
    {"/etc/p/main.conf", "b/a", "/etc/p/b/a"},
    {"/etc/p/main.conf", "/a", "/a"},
    {"/etc/p/main.conf", "./a", "/etc/p/a"},
    {"/etc/p/main.conf", ".//./a", "/etc/p/a"},
    {"/etc/p/main.conf", "../a", "/etc/a"},
    {"/etc/p/main.conf", "../../../../a", "/a"},
    {"/etc/p/main.conf", "x/../a", "/etc/p/a"},
    {"/etc/p/main.conf", "x/y/../../..", "/etc"},
    {"/etc/p/main.conf", "..a/.b", "/etc/p/..a/.b"},
    {"/etc/p/main.conf", "a/", "/etc/p/a"},
    {"/etc/p/main.conf", "/", "/"},
    {"/main.conf", "a", "/a"},
    {"main.conf", "a", "a"},
    {"main.conf", "../a", "../a"},
    {"main.conf", "../../a", "../../a"},
    {"main.conf", "x/../../a", "../a"},
    {"main.conf", ".", "."},
    {"d/main.conf", "../../a", "../a"},
    {"main.conf", "//a", "/a"},
};

static void
names_are_relative_to_their_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(paths); i++) {
		struct conf_path path;

		assert_true(conf_bundle_path(
		    span_str(paths[i].file), span_str(paths[i].name), &path));
		kit_assert_span(span_of(path.bytes, path.len), paths[i].path);
	}
}

static void
a_path_has_a_name_and_a_length(void **state)
{
	static char name[CONF_PATH_BYTES_MAX + 1];
	struct conf_path path;

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_false(conf_bundle_path(SPAN("/a"), SPAN(""), &path));
	assert_true(conf_bundle_path(SPAN("/a"), span_of(name, 4094), &path));
	assert_int_equal(path.len, 4095);
	assert_false(conf_bundle_path(SPAN("/a"), span_of(name, 4095), &path));
}

static void
assert_wants(const struct conf_bundle *bundle, const char *name)
{
	struct span wanted;

	assert_true(conf_bundle_wants(bundle, &wanted));
	kit_assert_span(wanted, name);
}

static void
a_bundle_wants_includes_and_certificates(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct span wanted;

	(void)state;
	assert_false(conf_bundle_wants(bundle, &wanted));
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/main"),
		SPAN("hostname a # include no1\n"
		     "spool \" include no0\n include b; include \"sub/./b c\" # x\n"
		     "accept mail for x,\ninclude no2\n"
		     "limits { recipients 5 } Certificate c.pem key no3\n"
		     "include /e/main; include; include , no4\n")),
	    OK);
	assert_wants(bundle, "/e/b");
	assert_int_equal(conf_bundle_add(bundle, SPAN("/e/b"), SPAN("")), OK);
	assert_wants(bundle, "/e/sub/b c");
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/sub/b c"), SPAN("include d\n")), OK);
	assert_wants(bundle, "/e/c.pem");
	/* A certificate is not read for includes. */
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/c.pem"), SPAN("include no5\n")), OK);
	assert_wants(bundle, "/e/sub/d");
	assert_int_equal(
	    conf_bundle_add_unreadable(bundle, SPAN("/e/sub/d"), SPAN("include no6")),
	    OK);
	assert_false(conf_bundle_wants(bundle, &wanted));
	conf_bundle_destroy(bundle);
}

static void
a_bundle_wants_the_issuers_of_clients(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct span wanted;

	(void)state;
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/main"),
		SPAN("client certificates no0; client from no1\n"
		     "x client certificates from no2; certificates from no3\n"
		     "client include no4\n"
		     "client certificates from ca.pem no5\n")),
	    OK);
	assert_wants(bundle, "/e/ca.pem");
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/ca.pem"), SPAN("include no6\n")), OK);
	assert_false(conf_bundle_wants(bundle, &wanted));
	conf_bundle_destroy(bundle);
}

static void
a_file_may_come_before_it_is_wanted(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct span wanted;

	(void)state;
	assert_int_equal(conf_bundle_add(bundle, SPAN("m"), SPAN("include a\n")), OK);
	assert_int_equal(conf_bundle_add(bundle, SPAN("b"), SPAN("include c\n")), OK);
	assert_wants(bundle, "a");
	assert_int_equal(conf_bundle_add(bundle, SPAN("a"), SPAN("include b\n")), OK);
	assert_wants(bundle, "c");
	assert_int_equal(conf_bundle_add(bundle, SPAN("c"), SPAN("hostname c\n")), OK);
	assert_false(conf_bundle_wants(bundle, &wanted));
	conf_bundle_destroy(bundle);
}

static void
what_cannot_go_into_a_bundle(void **state)
{
	static char large[CONF_FILE_BYTES_MAX + 1];
	struct conf_bundle *bundle = conf_bundle_create();
	struct span wanted;
	struct buf name;

	(void)state;
	memset(large, '\n', sizeof(large));
	assert_int_equal(conf_bundle_add(bundle, SPAN(""), SPAN("")), ERR_SYNTAX);
	assert_int_equal(conf_bundle_add(bundle, SPAN("a\0b"), SPAN("")), ERR_SYNTAX);
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("a"), span_of(large, sizeof(large))),
	    ERR_TOO_LONG);
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("a"), span_of(large, sizeof(large) - 1)), OK);
	assert_int_equal(conf_bundle_add(bundle, SPAN("a"), SPAN("")), ERR_EXISTS);
	assert_int_equal(
	    conf_bundle_add(bundle, span_of(large, CONF_PATH_BYTES_MAX + 1), SPAN("")),
	    ERR_TOO_LONG);
	buf_init(&name, 16);
	for (unsigned i = 1; i < CONF_FILES_MAX; i++) {
		buf_reset(&name);
		buf_addf(&name, "f%u", i);
		assert_int_equal(conf_bundle_add(bundle, buf_span(&name), SPAN("")), OK);
	}
	assert_int_equal(conf_bundle_add(bundle, SPAN("g"), SPAN("")), ERR_LIMIT);
	assert_false(conf_bundle_wants(bundle, &wanted));
	buf_fini(&name);
	conf_bundle_destroy(bundle);
	conf_bundle_destroy(NULL);
}

static void
too_many_includes_are_said_where_they_stand(void **state)
{
	struct buf text;
	struct kit kit;

	(void)state;
	buf_init(&text, 1 << 16);
	buf_add_str(&text, KIT_BASE);
	for (unsigned i = 1; i <= CONF_FILES_MAX; i++)
		buf_addf(&text, "certificate f%u key k\n", i);
	kit_parse(&kit, kit_bundle(buf_span(&text)));
	assert_int_equal(kit.bundle->count, CONF_FILES_MAX);
	kit_fini(&kit);

	buf_reset(&text);
	buf_add_str(&text, KIT_BASE);
	for (unsigned i = 1; i <= CONF_FILES_MAX; i++)
		buf_addf(&text, "include f%u\n", i);
	kit = (struct kit){.bundle = conf_bundle_create()};
	assert_int_equal(conf_bundle_add(kit.bundle, SPAN("/m"), buf_span(&text)), OK);
	for (struct span name; conf_bundle_wants(kit.bundle, &name);)
		assert_int_equal(conf_bundle_add(kit.bundle, name, SPAN("")), OK);
	kit_parse(&kit, kit.bundle);
	assert_string_equal(kit.problems.ptr,
	    "/m:65:9: a configuration has at most 64 files\n"
	    "    include f64\n"
	    "            ^\n");
	kit_fini(&kit);
	buf_fini(&text);
}

static void
includes_say_what_is_wrong_with_them(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct kit kit;

	(void)state;
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/m"),
		SPAN(
		    "hostname a\ninclude a; spool /x\ninclude s/b\ninclude a\ninclude c\n"
		    "certificate k key k\n")),
	    OK);
	assert_int_equal(conf_bundle_add(bundle, SPAN("/e/a"), SPAN("include s/b")), OK);
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/s/b"), SPAN("limits {\ninclude ../m\n")),
	    OK);
	assert_int_equal(
	    conf_bundle_add_unreadable(bundle, SPAN("/e/c"), SPAN("Permission denied")),
	    OK);
	assert_int_equal(conf_bundle_add(bundle, SPAN("/e/k"),
			     SPAN(KIT_PEM "-----BEGIN PRIVATE KEY-----\n")),
	    OK);
	kit_parse(&kit, bundle);
	assert_string_equal(kit.problems.ptr,
	    "/e/s/b:2:1: \"include\" belongs outside of the block \"limits\"\n"
	    "    include ../m\n"
	    "    ^\n"
	    "/e/s/b:1:8: the block \"limits\" is not closed; expected \"}\"\n"
	    "    limits {\n"
	    "           ^\n"
	    "/e/m:3:9: \"/e/s/b\" was included already, at /e/a:1\n"
	    "    include s/b\n"
	    "            ^\n"
	    "/e/m:4:9: \"/e/a\" was included already, at /e/m:2\n"
	    "    include a\n"
	    "            ^\n"
	    "/e/m:5:9: cannot read /e/c: Permission denied\n"
	    "    include c\n"
	    "            ^\n"
	    "/e/m:6:13: \"/e/k\" holds a private key too; keep it in a file of its own\n"
	    "    certificate k key k\n"
	    "                ^\n");
	kit_fini(&kit);
}

static void
statements_go_on_after_an_include(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct kit kit;

	(void)state;
	assert_int_equal(conf_bundle_add(bundle, SPAN("/e/m"),
			     SPAN("include d/a; spool s\ninclude c")),
	    OK);
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/d/a"), SPAN("mailboxes from m\ninclude b")),
	    OK);
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/e/d/b"), SPAN("deliver to maildir ../x")), OK);
	assert_int_equal(conf_bundle_add(bundle, SPAN("/e/c"), SPAN("hostname h")), OK);
	kit_parse(&kit, bundle);
	kit_assert_good(&kit);
	kit_assert_span(kit.conf->mailboxes_path, "/e/d/m");
	kit_assert_span(kit.conf->maildir_path, "/e/x");
	kit_assert_span(kit.conf->spool_path, "/e/s");
	kit_assert_span(kit.conf->hostname, "h");
	kit_fini(&kit);
}

static void
a_certificate_must_be_one(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct kit kit;

	(void)state;
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/m"), SPAN(KIT_BASE "certificate c key k")),
	    OK);
	assert_int_equal(conf_bundle_add(bundle, SPAN("/c"), SPAN("hello")), OK);
	kit_parse(&kit, bundle);
	assert_string_equal(kit.problems.ptr,
	    "/m:2:13: \"/c\" holds no certificate in PEM "
	    "(\"-----BEGIN CERTIFICATE-----\")\n"
	    "    certificate c key k\n"
	    "                ^\n");
	kit_fini(&kit);

	bundle = conf_bundle_create();
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/m"), SPAN(KIT_BASE "certificate c key k")),
	    OK);
	kit_parse(&kit, bundle);
	assert_non_null(
	    strstr(kit.problems.ptr, "/m:2:13: the file \"/c\" was not read\n"));
	kit_fini(&kit);
}

static void
a_bundle_survives_the_wire(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct conf_bundle *copy = conf_bundle_create();
	struct buf wire, again;
	struct span wanted;

	(void)state;
	buf_init(&wire, 1 << 20);
	buf_init(&again, 1 << 20);
	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("m"), SPAN("include a; include b; include c")),
	    OK);
	assert_int_equal(conf_bundle_add(bundle, SPAN("a"), SPAN("\0\n")), OK);
	assert_int_equal(conf_bundle_add_unreadable(bundle, SPAN("b"), SPAN("no")), OK);
	conf_bundle_encode(bundle, &wire);
	assert_int_equal(conf_bundle_decode(buf_span(&wire), copy), OK);
	assert_true(conf_bundle_wants(copy, &wanted));
	kit_assert_span(wanted, "c");
	conf_bundle_encode(copy, &again);
	assert_true(span_eq(buf_span(&wire), buf_span(&again)));
	conf_bundle_destroy(copy);

	/* No file, and a file that is neither there nor not. */
	copy = conf_bundle_create();
	assert_int_equal(conf_bundle_decode(SPAN("PRCB\1\0\0\0\0"), copy), ERR_SYNTAX);
	conf_bundle_destroy(copy);
	copy = conf_bundle_create();
	assert_int_equal(
	    conf_bundle_decode(SPAN("PRCB\1\1\0\0\0\2\1\0\0\0m\0\0\0\0"), copy),
	    ERR_SYNTAX);
	conf_bundle_destroy(copy);

	/* Any cut, and anything more, is not a bundle. */
	for (size_t len = 0; len < wire.len; len++) {
		copy = conf_bundle_create();
		assert_int_equal(
		    conf_bundle_decode(span_of(wire.ptr, len), copy), ERR_SYNTAX);
		conf_bundle_destroy(copy);
	}
	buf_add_char(&wire, 0);
	copy = conf_bundle_create();
	assert_int_equal(conf_bundle_decode(buf_span(&wire), copy), ERR_SYNTAX);
	conf_bundle_destroy(copy);
	conf_bundle_destroy(bundle);
	buf_fini(&wire);
	buf_fini(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_relative_to_their_file),
	    cmocka_unit_test(a_path_has_a_name_and_a_length),
	    cmocka_unit_test(a_bundle_wants_includes_and_certificates),
	    cmocka_unit_test(a_bundle_wants_the_issuers_of_clients),
	    cmocka_unit_test(a_file_may_come_before_it_is_wanted),
	    cmocka_unit_test(what_cannot_go_into_a_bundle),
	    cmocka_unit_test(too_many_includes_are_said_where_they_stand),
	    cmocka_unit_test(includes_say_what_is_wrong_with_them),
	    cmocka_unit_test(statements_go_on_after_an_include),
	    cmocka_unit_test(a_certificate_must_be_one),
	    cmocka_unit_test(a_bundle_survives_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
