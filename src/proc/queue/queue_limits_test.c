/* Which limits are for which key, and what an operator is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "conf/conf_option.h"
#include "proc/queue/queue_limits.h"

static const char text[] = "hostname a\n"
			   "queue { retry after 1 m; connections per destination 7 }\n"
			   "destination slow.example, .slow.example { rate 5 per 1 m }\n"
			   "destination 2001:db8::1 { connections 2 }\n"
			   "provider mx.limited.example { connections 9; rate 7 per 1 m }\n";

static struct conf *
make_conf(struct conf_bundle *bundle)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf *conf;
	size_t count;

	assert_int_equal(conf_bundle_add(bundle, SPAN("main.conf"), span_str(text)), OK);
	assert_int_equal(conf_parse(bundle, &conf, errors, &count), OK);
	return conf;
}

static const struct {
	const char *key, *name;
	enum ipc_why why;
	const char *says;
	bool far;
} cases[] = {
    {"mx:fast.example", "fast.example", IPC_WHY_WINDOW,
	"connections per far destination automatic, in queue", true},
    {"mx:a.slow.example", "a.slow.example", IPC_WHY_WINDOW,
	"far connections automatic, in destination .slow.example", true},
    {"mx:fast.example", "fast.example", IPC_WHY_TIME, "retry after 1 m, in queue", true},
    {"mx:fast.example", "fast.example", IPC_WHY_TIME, "retry after 1 m, in queue", false},
    {"mx:fast.example", "fast.example", IPC_WHY_DOWN, "retry after 1 m, in queue", false},
    {"mx:fast.example", "fast.example", IPC_WHY_WINDOW,
	"connections per destination 7, in queue", false},
    {"mx:slow.example", "slow.example", IPC_WHY_RATE,
	"rate 5 per 1 m, in destination slow.example", false},
    {"mx:a.slow.example", "a.slow.example", IPC_WHY_WINDOW,
	"connections 7, in destination .slow.example", false},
    {"host:slow.example:25", "slow.example", IPC_WHY_RATE,
	"rate 5 per 1 m, in destination slow.example", false},
    {"host:2001:db8::1:25", "2001:db8::1", IPC_WHY_WINDOW,
	"connections 2, in destination 2001:db8::1", false},
    {"mailbox", "", IPC_WHY_TIME, "retry after 1 m, in queue", false},
    {"mailbox", "", IPC_WHY_WINDOW, "", false},
    {"mx:fast.example", "fast.example", IPC_WHY_TURN, "", false},
    {"mx:fast.example", "fast.example", IPC_WHY_HELD, "", false},
    {"mx:fast.example", "fast.example", IPC_WHY_BOUNCING, "", false},
};

static void
test_statements(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct conf *conf = make_conf(bundle);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct span key = span_str(cases[i].key);
		struct buf out;

		buf_init(&out, IPC_LIMIT_MAX);
		queue_limits_write(&out, conf, key, SPAN(""), cases[i].far, cases[i].why);
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, cases[i].says);
		assert_true(span_eq(queue_limits_name(key), span_str(cases[i].name)));
		assert_ptr_equal(queue_limits_of(conf, key),
		    route_limits(conf, span_str(cases[i].name)));
		buf_fini(&out);
	}
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
}

static void
test_sites(void **state)
{
	static const struct {
		const char *site;
		enum ipc_why why;
		const char *says;
	} sites[] = {
	    {"mx.far.example", IPC_WHY_SITE, "connections per mx host 50, in queue"},
	    {"Gmail", IPC_WHY_SITE, "connections 5, of \"postrider providers\""},
	    {"Yahoo Japan", IPC_WHY_SITE_RATE, "rate 10 per 1 s, of \"postrider providers\""},
	    {"mx.limited.example", IPC_WHY_SITE, "connections 9, in provider mx.limited.example"},
	    {"mx.limited.example", IPC_WHY_SITE_RATE,
	        "rate 7 per 1 m, in provider mx.limited.example"},
	    /* Only its words can have slowed it. */
	    {"mx.far.example", IPC_WHY_SITE_RATE, ""},
	};
	struct conf_bundle *bundle = conf_bundle_create();
	struct conf *conf = make_conf(bundle);

	(void)state;
	for (size_t i = 0; i < LEN(sites); i++) {
		struct buf out;

		buf_init(&out, IPC_LIMIT_MAX);
		queue_limits_write(&out, conf, SPAN("mx:a.example"),
		    span_str(sites[i].site), false, sites[i].why);
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, sites[i].says);
		buf_fini(&out);
	}
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
}

static void
test_programs(void **state)
{
	struct conf_pipe second = {.name = SPAN("list:/bin/x#2"), .processes_max = 7};
	struct conf_pipe first = {.next = &second, .name = SPAN("list:desk"),
	    .title = SPAN("desk"), .processes_max = 2};
	const struct conf conf = {.pipes = &first};
	static const char *const programs[][2] = {
	    {"pipe:list:desk", "processes 2, of program desk"},
	    {"pipe:list:/bin/x#2", "processes 7, of program list:/bin/x#2"},
	    {"pipe:list:gone", ""},
	};

	(void)state;
	for (size_t i = 0; i < LEN(programs); i++) {
		struct buf out;

		buf_init(&out, IPC_LIMIT_MAX);
		queue_limits_write(&out, &conf, span_str(programs[i][0]), SPAN(""), false,
		    IPC_WHY_WINDOW);
		assert_true(span_eq(buf_span(&out), span_str(programs[i][1])));
		buf_fini(&out);
	}
}

static void
test_hold_all(void **state)
{
	const struct conf conf = {.hold_all = true};
	struct buf out;

	(void)state;
	buf_init(&out, IPC_LIMIT_MAX);
	queue_limits_write(&out, &conf, SPAN("mailbox"), SPAN(""), false, IPC_WHY_HELD);
	assert_true(span_eq(buf_span(&out), SPAN("hold all mail")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_statements),
	    cmocka_unit_test(test_sites),
	    cmocka_unit_test(test_programs),
	    cmocka_unit_test(test_hold_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
