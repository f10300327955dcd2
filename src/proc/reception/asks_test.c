/* What clients may ask for, and what the queue is told of it. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "ipc/extras.h"
#include "proc/reception/reception_internal.h"

#define NOW_MS UINT64_C(1764000000000)

static const struct conf conf = {.hold_max_ms = 100000};

static struct ipc_extras
asked(const struct smtp_mail_parameters *mail, bool trusted)
{
	static char kept[IPC_EXTRAS_MAX];
	struct ipc_extras extras;
	struct buf out;

	buf_init(&out, IPC_EXTRAS_MAX);
	asks_write(&out, mail, &conf, trusted, NOW_MS);
	assert_int_equal(buf_finish(&out), OK);
	if (out.len > 0)
		memcpy(kept, out.ptr, out.len);
	assert_int_equal(ipc_extras_read(span_of(kept, out.len), &extras), OK);
	buf_fini(&out);
	return extras;
}

static void
holding_and_priority_are_for_those_who_may_relay(void **state)
{
	const struct smtp_mail_parameters mail = {
	    .hold_for_s = 60, .has_priority = true, .priority = -3, .ret = SMTP_RET_FULL};
	const struct conf never = {0};
	struct ipc_extras is = asked(&mail, true);

	(void)state;
	assert_int_equal(is.hold_until_wall_ms, NOW_MS + 60000);
	assert_true(is.has_priority);
	assert_int_equal(is.priority, -3);
	is = asked(&mail, false);
	assert_int_equal(is.hold_until_wall_ms, 0);
	assert_false(is.has_priority);
	assert_int_equal(is.ret, IPC_RET_FULL);
	assert_true(asks_offered(&conf, true) & SMTP_EXTENSION_FUTURERELEASE);
	assert_true(asks_offered(&conf, true) & SMTP_EXTENSION_MT_PRIORITY);
	assert_false(asks_offered(&conf, false) &
	    (SMTP_EXTENSION_FUTURERELEASE | SMTP_EXTENSION_MT_PRIORITY));
	assert_true(asks_offered(&conf, false) & SMTP_EXTENSION_DSN);
	assert_false(asks_offered(&never, true) & SMTP_EXTENSION_FUTURERELEASE);
}

static void
a_time_is_counted_from_now(void **state)
{
	static const struct {
		struct smtp_mail_parameters mail;
		uint64_t hold, by;
	} cases[] = {
	    {{.hold_until_wall_ms = NOW_MS + 5000}, NOW_MS + 5000, 0},
	    {{.hold_until_wall_ms = NOW_MS + 200000}, NOW_MS + 100000, 0}, /* as long as may be */
	    {{.by = SMTP_BY_RETURN, .by_s = 120}, 0, NOW_MS + 120000},
	    {{.by = SMTP_BY_NOTIFY, .by_s = -1}, 0, NOW_MS - 1000},
	    {{.by = SMTP_BY_NOTIFY, .by_s = INT64_C(-999999999999)}, 0, 1},
	    {{.by = SMTP_BY_NOTIFY, .by_s = 0}, 0, NOW_MS},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct ipc_extras is = asked(&cases[i].mail, true);

		assert_int_equal(is.hold_until_wall_ms, cases[i].hold);
		assert_int_equal(is.by_wall_ms, cases[i].by);
	}
}

static void
a_message_has_flags(void **state)
{
	const struct smtp_mail_parameters plain = {0}, eight = {.body = SMTP_BODY_8BITMIME},
	    binary = {.body = SMTP_BODY_BINARYMIME, .smtputf8 = true}, tls = {.requiretls = true};

	(void)state;
	assert_int_equal(asks_flags(&plain), 0);
	assert_int_equal(asks_flags(&eight), IPC_MESSAGE_8BIT);
	assert_int_equal(asks_flags(&binary), IPC_MESSAGE_BINARY | IPC_MESSAGE_SMTPUTF8);
	assert_int_equal(asks_flags(&tls), IPC_MESSAGE_REQUIRETLS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(holding_and_priority_are_for_those_who_may_relay),
	    cmocka_unit_test(a_time_is_counted_from_now),
	    cmocka_unit_test(a_message_has_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
