/* Lists inside messages: they come back as they were, and no entry can lie about its size. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "ipc/targets.h"

enum { LIST_BYTES_MAX = 8192 };

static const struct ipc_target_entry targets[] = {
    {IPC_TARGET_MAILBOX, {"ann@example.org", 15}, {"ann", 3}},
    {IPC_TARGET_REMOTE, {"bob@example.net", 15}, {"", 0}},
    {IPC_TARGET_REMOTE, {"", 0}, {"a\0b", 3}},
};

static void
write_targets(struct buf *out)
{
	buf_init(out, LIST_BYTES_MAX);
	for (size_t i = 0; i < LEN(targets); i++)
		ipc_target_write(out, &targets[i]);
	assert_int_equal(buf_finish(out), OK);
}

static void
targets_come_back(void **state)
{
	struct ipc_target_entry target;
	struct reader reader;
	struct buf wire;

	(void)state;
	write_targets(&wire);
	reader = reader_init(buf_span(&wire));
	for (size_t i = 0; i < LEN(targets); i++) {
		assert_true(ipc_target_next(&reader, &target));
		assert_int_equal(target.kind, targets[i].kind);
		assert_true(span_eq(target.address, targets[i].address));
		assert_true(span_eq(target.mailbox, targets[i].mailbox));
	}
	assert_false(ipc_target_next(&reader, &target));
	assert_int_equal(reader_finish(&reader), OK);
	buf_fini(&wire);
}

/* Reads all; gives how many there were, or -1 for a fault. */
static int
count_targets(struct span wire)
{
	struct reader reader = reader_init(wire);
	struct ipc_target_entry target;
	int count = 0;

	while (ipc_target_next(&reader, &target))
		count++;
	return reader_finish(&reader) ? -1 : count;
}

static void
a_list_of_targets_that_is_cut_is_refused(void **state)
{
	size_t ends[LEN(targets) + 1] = {0};
	struct buf wire;

	(void)state;
	buf_init(&wire, LIST_BYTES_MAX);
	for (size_t i = 0; i < LEN(targets); i++) {
		ipc_target_write(&wire, &targets[i]);
		ends[i + 1] = wire.len;
	}
	for (size_t len = 0; len <= wire.len; len++) {
		int expected = -1;

		for (size_t i = 0; i < LEN(ends); i++)
			if (ends[i] == len)
				expected = (int)i;
		assert_int_equal(
		    count_targets(span_first(buf_span(&wire), len)), expected);
	}
	buf_fini(&wire);
}

static void
targets_have_bounds(void **state)
{
	static const char long_text[IPC_PATH_MAX + 1];
	const struct {
		const char *name;
		unsigned kind;
		size_t address, mailbox;
		int count;
	} cases[] = {
	    {"the longest", IPC_TARGET_MAILBOX, IPC_PATH_MAX, IPC_MAILBOX_MAX, 1},
	    {"no such kind", IPC_TARGET_COUNT, 1, 1, -1},
	    {"the last kind", 255, 1, 1, -1},
	    {"a long address", IPC_TARGET_REMOTE, IPC_PATH_MAX + 1, 0, -1},
	    {"a long mailbox", IPC_TARGET_MAILBOX, 1, IPC_MAILBOX_MAX + 1, -1},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct buf wire;

		buf_init(&wire, LIST_BYTES_MAX);
		wire_u8(&wire, (uint8_t)cases[i].kind);
		wire_bytes(&wire, span_of(long_text, cases[i].address));
		wire_bytes(&wire, span_of(long_text, cases[i].mailbox));
		if (count_targets(buf_span(&wire)) != cases[i].count)
			fail_msg("%s", cases[i].name);
		buf_fini(&wire);
	}
}

static void
make_host(struct ipc_host_entry *host, size_t addr_count)
{
	*host = (struct ipc_host_entry){.name = SPAN("mx.example.org"),
	    .preference = 0xfffe,
	    .addr_count = addr_count};
	for (size_t i = 0; i < addr_count; i++) {
		host->addrs[i].family = i % 2 ? 6 : 4;
		memset(host->addrs[i].bytes, (int)i + 1, i % 2 ? 16 : 4);
	}
	host->dane = addr_count % 3 == 0 ? IPC_DANE_RECORDS
	    : addr_count % 3 == 1        ? IPC_DANE_FAILED
	                                 : IPC_DANE_NONE;
	if (host->dane == IPC_DANE_RECORDS) {
		host->base = SPAN("other.example.org");
		host->tlsa = SPAN("\0\0\0\1x");
	}
}

/* Reads all; gives how many addresses there were, or -1 for a fault. */
static int
count_addrs(struct span wire)
{
	struct reader reader = reader_init(wire);
	struct ipc_host_entry host;
	int count = 0;

	while (ipc_host_next(&reader, &host))
		count += (int)host.addr_count;
	return reader_finish(&reader) ? -1 : count;
}

static void
hosts_come_back(void **state)
{
	(void)state;
	for (size_t count = 0; count <= IPC_HOST_ADDRS_MAX; count++) {
		struct ipc_host_entry host, got;
		struct reader reader;
		struct buf wire;

		make_host(&host, count);
		buf_init(&wire, LIST_BYTES_MAX);
		ipc_host_write(&wire, &host);
		ipc_host_write(&wire, &host);
		reader = reader_init(buf_span(&wire));
		for (int i = 0; i < 2; i++) {
			assert_true(ipc_host_next(&reader, &got));
			assert_true(span_eq(got.name, host.name));
			assert_int_equal(got.preference, host.preference);
			assert_int_equal(got.addr_count, count);
			assert_int_equal(got.dane, host.dane);
			assert_true(span_eq(got.base, host.base));
			assert_true(span_eq(got.tlsa, host.tlsa));
			for (size_t k = 0; k < count; k++)
				assert_true(
				    net_addr_same_host(&got.addrs[k], &host.addrs[k]));
		}
		assert_false(ipc_host_next(&reader, &got));
		assert_int_equal(reader_finish(&reader), OK);
		for (size_t len = 0; len < wire.len; len++)
			if (len != 0 && len != wire.len / 2)
				assert_int_equal(
				    count_addrs(span_first(buf_span(&wire), len)), -1);
		buf_fini(&wire);
	}
}

static void
hosts_have_bounds(void **state)
{
	const struct {
		const char *name;
		size_t name_bytes;
		unsigned addr_count, family;
		int count;
		unsigned dane;
		size_t base_bytes, tlsa_bytes;
	} cases[] = {
	    {"the most", IPC_DOMAIN_MAX, IPC_HOST_ADDRS_MAX, 6, IPC_HOST_ADDRS_MAX, 0, 0, 0},
	    {"a long name", IPC_DOMAIN_MAX + 1, 1, 4, -1, 0, 0, 0},
	    {"one address too many", 1, IPC_HOST_ADDRS_MAX + 1, 4, -1, 0, 0, 0},
	    {"255 addresses", 1, 255, 4, -1, 0, 0, 0},
	    {"no family", 1, 1, 0, -1, 0, 0, 0},
	    {"no such family", 1, 1, 5, -1, 0, 0, 0},
	    {"no such state of TLSA", 1, 1, 4, -1, IPC_DANE_COUNT, 0, 0},
	    {"the most of TLSA", 1, 1, 4, 1, IPC_DANE_RECORDS, IPC_DOMAIN_MAX, IPC_TLSA_MAX},
	    {"a long base", 1, 1, 4, -1, IPC_DANE_RECORDS, IPC_DOMAIN_MAX + 1, 1},
	    {"long records", 1, 1, 4, -1, IPC_DANE_RECORDS, 1, IPC_TLSA_MAX + 1},
	};
	static const char bytes[IPC_TLSA_MAX + 1];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct buf wire;

		buf_init(&wire, LIST_BYTES_MAX);
		wire_bytes(&wire, span_of(bytes, cases[i].name_bytes));
		wire_u16(&wire, 10);
		wire_u8(&wire, (uint8_t)cases[i].addr_count);
		for (unsigned k = 0; k < cases[i].addr_count; k++) {
			wire_u8(&wire, (uint8_t)cases[i].family);
			buf_add(&wire, span_of(bytes, 16));
		}
		wire_u8(&wire, (uint8_t)cases[i].dane);
		if (cases[i].dane == IPC_DANE_RECORDS) {
			wire_bytes(&wire, span_of(bytes, cases[i].base_bytes));
			wire_bytes(&wire, span_of(bytes, cases[i].tlsa_bytes));
		}
		if (count_addrs(buf_span(&wire)) != cases[i].count)
			fail_msg("%s", cases[i].name);
		buf_fini(&wire);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(targets_come_back),
	    cmocka_unit_test(a_list_of_targets_that_is_cut_is_refused),
	    cmocka_unit_test(targets_have_bounds),
	    cmocka_unit_test(hosts_come_back),
	    cmocka_unit_test(hosts_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
