/* The answers of the control socket, as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "ipc/ages.h"
#include "proc/admin/admin_answer.h"

static void
assert_json(json_t *value, const char *wanted)
{
	json_t *same = json_loads(wanted, 0, NULL);

	assert_non_null(same);
	if (!json_equal(value, same)) {
		char *text = json_dumps(value, JSON_COMPACT);

		assert_string_equal(text, wanted);
	}
	json_decref(value);
	json_decref(same);
}

static void
test_recipient(void **state)
{
	const struct ipc_qa_rcpt rcpt = {
	    .id = 1,
	    .address = SPAN("a@b"),
	    .destination = SPAN("mx:b"),
	    .state = 1,
	    .why = IPC_WHY_RATE,
	    .at_wall_ms = 1,
	    .ahead = UINT32_MAX,
	    .limit = SPAN("rate 1 per 1 m, in queue"),
	    .active = 2,
	    .window = 3,
	    .tries = 4,
	    .in_doubt = 1,
	    .code = 450,
	    .status = SPAN("4.2.1"),
	    .remote = SPAN("\xff"),
	    .text = SPAN("No\nt"),
	    .route = SPAN("by mx, p.conf:3"),
	    .site = SPAN("QQ"),
	    .site_destinations = 8,
	};
	struct ipc_qa_rcpt strange = rcpt;

	(void)state;
	assert_json(admin_rcpt(&rcpt),
	    "{\"recipient\":{\"id\":\"1\",\"address\":\"a@b\",\"original\":\"\","
	    "\"destination\":\"mx:b\",\"state\":\"ready\",\"reason\":\"rate\","
	    "\"next_try\":\"1970-01-01T00:00:00.001Z\",\"ahead\":4294967295,"
	    "\"limit\":\"rate 1 per 1 m, in queue\",\"connections\":2,\"window\":3,"
	    "\"expires\":null,\"tries\":4,\"tried\":null,\"in_doubt\":true,\"code\":450,"
	    "\"status\":\"4.2.1\",\"host\":\"?\",\"reply\":\"No\\nt\",\"rule\":\"\","
	    "\"route\":\"by mx, p.conf:3\",\"site\":\"QQ\","
	    "\"site_destinations\":8}}");
	strange.state = 200;
	strange.why = IPC_WHY_COUNT;
	json_decref(admin_rcpt(&strange));
}

static void
test_message(void **state)
{
	const struct ipc_qa_message message = {
	    .id = 1, .arrival_wall_ms = 1, .aside = 1, .aside_text = SPAN("crashed")};

	(void)state;
	assert_json(admin_message(&message),
	    "{\"message\":{\"id\":\"1\",\"arrived\":\"1970-01-01T00:00:00.001Z\","
	    "\"expires\":null,\"size\":0,\"held\":false,\"aside\":true,"
	    "\"aside_text\":\"crashed\",\"from\":\"\",\"client\":\"\",\"login\":\"\","
	    "\"pool\":\"\",\"recipients\":0}}");
}

static void
test_destination(void **state)
{
	const struct ipc_qa_destination destination = {.destination = SPAN("mailbox"),
	    .state = IPC_DESTINATION_DOWN,
	    .why = IPC_WHY_DOWN,
	    .rcpt_count = 9,
	    .ready = 3,
	    .waiting = 4,
	    .parked = 2,
	    .oldest_id = 1,
	    .ages = SPAN("\1\0\0\0\0\2"),
	    .failures = 5,
	    .site = SPAN("Gmail")};

	(void)state;
	assert_json(admin_destination(&destination),
	    "{\"destination\":{\"destination\":\"mailbox\",\"state\":\"down\","
	    "\"reason\":\"down\",\"next_try\":null,\"limit\":\"\",\"recipients\":9,"
	    "\"ready\":3,\"waiting\":4,\"held\":2,\"connections\":0,\"window\":0,"
	    "\"oldest\":null,\"oldest_id\":\"1\",\"ages\":{\"5m\":1,\"20m\":0,\"1h\":0,"
	    "\"6h\":0,\"1d\":0,\"older\":2},\"failures\":5,\"replied\":null,"
	    "\"code\":0,\"status\":\"\",\"host\":\"\",\"reply\":\"\",\"rule\":\"\","
	    "\"site\":\"Gmail\"}}");
}

static void
test_tally(void **state)
{
	const struct ipc_qa_tally tally = {.kind = IPC_TALLY_REASON,
	    .name = SPAN("mailbox-full"),
	    .ages = SPAN("\1\0\0\0\0\2")};
	struct ipc_qa_tally strange = {.kind = IPC_TALLY_COUNT, .ages = SPAN("\xff")};

	(void)state;
	assert_json(admin_tally(&tally),
	    "{\"tally\":{\"kind\":\"reason\",\"name\":\"mailbox-full\",\"recipients\":3,"
	    "\"ages\":{\"5m\":1,\"20m\":0,\"1h\":0,\"6h\":0,\"1d\":0,\"older\":2}}}");
	json_decref(admin_tally(&strange));
}

static void
test_done(void **state)
{
	struct ipc_qa_done done = {.count = 1, .total = 2};

	(void)state;
	assert_json(admin_done(&done),
	    "{\"done\":{\"count\":1,\"total\":2,\"lost\":false,\"more\":false}}");
	done.more = 1;
	done.last = 10;
	assert_json(admin_done(&done),
	    "{\"done\":{\"count\":1,\"total\":2,\"lost\":false,\"more\":true,"
	    "\"last\":\"a\"}}");
	done = (struct ipc_qa_done){.count = 1, .total = 2, .rcpts = 3};
	assert_json(admin_done(&done),
	    "{\"done\":{\"count\":1,\"total\":2,\"lost\":false,\"more\":false,"
	    "\"recipients\":3}}");
}

static const struct {
	const char *names;
	uint32_t bits; /* 0: refused */
} reasons[] = {
    {"time", 1u << IPC_WHY_TIME},
    {"down", 1u << IPC_WHY_DOWN | 1u << IPC_WHY_PROBE},
    {"probe", 1u << IPC_WHY_PROBE},
    {"connections,rate", 1u << IPC_WHY_WINDOW | 1u << IPC_WHY_RATE},
    {"turn,held,aside", 1u << IPC_WHY_TURN | 1u << IPC_WHY_HELD | 1u << IPC_WHY_ASIDE},
    {"active,bouncing", 1u << IPC_WHY_ACTIVE | 1u << IPC_WHY_BOUNCING},
    {"", 0},
    {"down,", 1u << IPC_WHY_DOWN | 1u << IPC_WHY_PROBE},
    {"Down", 0},
    {"down, rate", 0},
};

static void
test_reasons(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(reasons); i++) {
		uint32_t bits = 0;
		bool good = admin_reasons(span_str(reasons[i].names), &bits);

		assert_int_equal(good, reasons[i].bits != 0);
		if (good)
			assert_int_equal(bits, reasons[i].bits);
	}
}

static void
test_suspension(void **state)
{
	const struct ipc_qa_suspension suspension = {
	    .match = SPAN(".b"), .who = SPAN("ann"), .since_wall_ms = 1};

	(void)state;
	assert_json(admin_suspension(&suspension),
	    "{\"suspension\":{\"destination\":\".b\",\"who\":\"ann\","
	    "\"since\":\"1970-01-01T00:00:00.001Z\",\"until\":null}}");
}

static void
test_standing(void **state)
{
	const struct ipc_qa_standing standing = {.destination = SPAN("mx:b"),
	    .state = IPC_DESTINATION_PAUSED,
	    .why = IPC_WHY_PAUSE,
	    .at_wall_ms = 1,
	    .rcpt_count = 5,
	    .asked = 2,
	    .asked_of_site = 1,
	    .strikes = 1,
	    .site = SPAN("Gmail"),
	    .site_destinations = 312,
	    .site_active = 4,
	    .site_window = 5,
	    .site_connections_max = 6,
	    .site_interval_ms = 7,
	    .rule = SPAN("r")};
	struct ipc_qa_standing strange = {.state = 200, .why = 200, .asked = 200};

	(void)state;
	assert_json(admin_standing(&standing),
	    "{\"standing\":{\"destination\":\"mx:b\",\"state\":\"paused\",\"reason\":\"pause\","
	    "\"next_try\":\"1970-01-01T00:00:00.001Z\",\"limit\":\"\",\"recipients\":5,"
	    "\"ready\":0,\"connections\":0,\"window\":0,\"window_max\":0,\"interval_ms\":0,"
	    "\"site\":{\"name\":\"Gmail\",\"destinations\":312,\"connections\":4,\"window\":5,"
	    "\"window_max\":6,\"interval_ms\":7},"
	    "\"failures\":0,\"left\":0,\"left_ms\":0,\"empty\":null,\"asked\":{\"kind\":\"slow\","
	    "\"rule\":\"r\",\"site\":\"Gmail\",\"times\":1,\"since\":null,\"until\":null},"
	    "\"replied\":null,\"code\":0,\"status\":\"\",\"host\":\"\",\"reply\":\"\"}}");
	json_decref(admin_standing(&strange));
}

static void
test_suppression(void **state)
{
	const struct ipc_qa_suppression row = {.address = SPAN("a@b"),
	    .sender = SPAN("*"),
	    .since_wall_ms = 1,
	    .code = 550,
	    .who = SPAN("mx"),
	    .text = SPAN("no")};

	(void)state;
	assert_json(admin_suppression(&row),
	    "{\"suppression\":{\"address\":\"a@b\",\"from\":\"*\","
	    "\"since\":\"1970-01-01T00:00:00.001Z\",\"until\":null,\"who\":\"mx\","
	    "\"code\":550,\"reply\":\"no\"}}");
}

static void
test_transcript(void **state)
{
	const struct ipc_qa_transcript transcript = {.id = 1,
	    .began_wall_ms = 1,
	    .took_ms = 312,
	    .slow = 1,
	    .destination = SPAN("mx:b"),
	    .steps = SPAN("\x05\x00\x01" "a\x2a\x02\x02" "b\xff\x2b\x03\x02" "12")};

	(void)state;
	assert_json(admin_transcript(&transcript),
	    "{\"transcript\":{\"id\":\"1\",\"destination\":\"mx:b\","
	    "\"began\":\"1970-01-01T00:00:00.001Z\",\"took_ms\":312,\"slow\":true,"
	    "\"steps\":[{\"ms\":5,\"kind\":\"fact\",\"text\":\"a\"},"
	    "{\"ms\":42,\"kind\":\"got\",\"text\":\"b?\"},"
	    "{\"ms\":43,\"kind\":\"gap\",\"text\":\"12\"}]}}");
}

static void
test_source(void **state)
{
	const struct ipc_qa_source warm = {.address = SPAN("192.0.2.7"),
	    .pool = SPAN("bulk"),
	    .helo = SPAN("a.example"),
	    .weight = 2,
	    .used = 45,
	    .pending = 3,
	    .warms = true,
	    .share = 50,
	    .number = 1,
	    .free_wall_ms = UINT64_C(1795823999000),
	    .next_wall_ms = UINT64_C(1795824000000),
	    .next_share = UINT64_MAX};
	const struct ipc_qa_source failed = {.address = SPAN("::1"), .why = SPAN("not here")};

	(void)state;
	assert_json(admin_source(&warm),
	    "{\"source\":{\"address\":\"192.0.2.7\",\"pool\":\"bulk\",\"senders\":\"\","
	    "\"provider\":\"\",\"helo\":\"a.example\",\"weight\":2,\"used\":45,\"under_way\":3,"
	    "\"warm_up\":{\"day\":1,\"share\":50,\"free\":0,"
	    "\"next_free\":\"2026-11-27T23:59:59.000Z\",\"next\":\"2026-11-28T00:00:00.000Z\","
	    "\"next_share\":null},\"failed\":null}}");
	assert_json(admin_source(&failed),
	    "{\"source\":{\"address\":\"::1\",\"pool\":\"\",\"senders\":\"\","
	    "\"provider\":\"\",\"helo\":\"\","
	    "\"weight\":0,\"used\":0,\"under_way\":0,\"warm_up\":null,"
	    "\"failed\":{\"error\":\"not here\",\"next_try\":null}}}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_recipient),
	    cmocka_unit_test(test_standing),
	    cmocka_unit_test(test_source),
	    cmocka_unit_test(test_suppression),
	    cmocka_unit_test(test_transcript),
	    cmocka_unit_test(test_suspension),
	    cmocka_unit_test(test_message),
	    cmocka_unit_test(test_destination),
	    cmocka_unit_test(test_tally),
	    cmocka_unit_test(test_done),
	    cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
