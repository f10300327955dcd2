/* Addresses and networks: what is written parses to the same again. */
#include "base/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static struct net_addr
addr_of(const char *text)
{
	struct net_addr addr;

	assert_int_equal(net_addr_parse(span_str(text), &addr), OK);
	return addr;
}

static void
addresses_parse_and_print(void **state)
{
	static const struct {
		const char *text, *written, *literal;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1", "[192.0.2.1]"},
	    {"0.0.0.0", "0.0.0.0", "[0.0.0.0]"},
	    {"255.255.255.255", "255.255.255.255", "[255.255.255.255]"},
	    {"2001:DB8:0:0::1", "2001:db8::1", "[IPv6:2001:db8::1]"},
	    {"::", "::", "[IPv6:::]"},
	    {"::1", "::1", "[IPv6:::1]"},
	    {"::ffff:192.0.2.1", "192.0.2.1", "[192.0.2.1]"},
	    {"::FFFF:c000:201", "192.0.2.1", "[192.0.2.1]"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"[IPv6:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]"},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 128);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct net_addr addr = addr_of(rows[i].text);

		assert_int_equal(addr.port, 0);
		buf_reset(&out);
		net_addr_write(&out, &addr);
		assert_true(span_eq(buf_span(&out), span_str(rows[i].written)));
		buf_reset(&out);
		net_addr_write_literal(&out, &addr);
		assert_true(span_eq(buf_span(&out), span_str(rows[i].literal)));
	}
	buf_reset(&out);
	net_addr_write(&out, &(struct net_addr){0});
	assert_true(span_eq(buf_span(&out), SPAN("unknown")));
	buf_fini(&out);
}

static void
what_is_no_address_is_refused(void **state)
{
	static const struct span rows[] = {SPAN(""), {NULL, 0}, SPAN("192.0.2"),
	    SPAN("192.0.2.256"), SPAN("192.0.2.1 "), SPAN(" 192.0.2.1"),
	    SPAN("192.0.2.1\0"), SPAN("192.0.2.01"), SPAN("0x7f.0.0.1"),
	    SPAN("2130706433"), SPAN("[::1]"), SPAN("::1%lo"), SPAN(":::"),
	    SPAN("1:2:3:4:5:6:7"), SPAN("1:2:3:4:5:6:7:8:9"), SPAN("12345::"),
	    SPAN("localhost"), SPAN("::ffff:192.0.2.256"),
	    SPAN(
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000")};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct net_addr addr;

		assert_int_equal(net_addr_parse(rows[i], &addr), ERR_SYNTAX);
	}
}

static void
networks_hold_their_addresses_only(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool has;
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.0", true},
	    {"192.0.2.0/24", "192.0.2.255", true},
	    {"192.0.2.0/24", "192.0.3.0", false},
	    {"192.0.2.0/24", "::ffff:192.0.2.7", true},
	    {"192.0.2.128/25", "192.0.2.127", false},
	    {"192.0.2.128/25", "192.0.2.128", true},
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"192.0.2.1/32", "192.0.2.0", false},
	    {"0.0.0.0/0", "203.0.113.9", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"::/0", "2001:db8::1", true},
	    {"::/0", "192.0.2.1", false},
	    {"2001:db8::/33", "2001:db8:7fff::", true},
	    {"2001:db8::/33", "2001:db8:8000::", false},
	    {"2001:db8::1/128", "2001:db8::1", true},
	    {"2001:db8::1", "2001:db8::2", false},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct net_prefix prefix;
		struct net_addr addr = addr_of(rows[i].addr);

		assert_int_equal(net_prefix_parse(span_str(rows[i].prefix), &prefix), OK);
		assert_int_equal(net_prefix_has(&prefix, &addr), rows[i].has);
	}
}

static void
what_is_no_network_is_refused(void **state)
{
	static const char *const rows[] = {"", "/", "/24", "192.0.2.0/", "192.0.2.0/33",
	    "192.0.2.0/-1", "192.0.2.0/ 24", "192.0.2.0/24x", "192.0.2.1/24",
	    "192.0.2.0/22", "2001:db8::1/64", "::/129", "192.0.2.0/24/24",
	    "192.0.2.0/255.255.255.0"};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct net_prefix prefix;

		assert_int_equal(
		    net_prefix_parse(span_str(rows[i]), &prefix), ERR_SYNTAX);
	}
}

static void
the_same_host_is_told_whatever_the_port(void **state)
{
	struct net_addr a = addr_of("192.0.2.1");
	struct net_addr b = addr_of("::ffff:192.0.2.1");
	struct net_addr c = addr_of("2001:db8::1");
	struct net_addr d = addr_of("2001:db8::2");

	(void)state;
	b.port = 25;
	assert_true(net_addr_same_host(&a, &b));
	assert_false(net_addr_same_host(&a, &c));
	assert_false(net_addr_same_host(&c, &d));
	assert_true(net_addr_same_host(&c, &c));
}

static void
only_this_host_is_loopback(void **state)
{
	static const struct {
		struct span text;
		bool is;
	} rows[] = {
	    {SPAN("127.0.0.1"), true},
	    {SPAN("127.255.255.254"), true},
	    {SPAN("::1"), true},
	    {SPAN("::ffff:127.0.0.1"), true},
	    {SPAN("126.255.255.255"), false},
	    {SPAN("128.0.0.1"), false},
	    {SPAN("::"), false},
	    {SPAN("::2"), false},
	    {SPAN("7f00::1"), false},
	};
	struct net_addr addr = {0};

	(void)state;
	assert_false(net_addr_is_loopback(&addr));
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(net_addr_parse(rows[i].text, &addr), OK);
		assert_int_equal(net_addr_is_loopback(&addr), rows[i].is);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_parse_and_print),
	    cmocka_unit_test(what_is_no_address_is_refused),
	    cmocka_unit_test(networks_hold_their_addresses_only),
	    cmocka_unit_test(what_is_no_network_is_refused),
	    cmocka_unit_test(the_same_host_is_told_whatever_the_port),
	    cmocka_unit_test(only_this_host_is_loopback),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
