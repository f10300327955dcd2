/* What operators call destinations: words that are read, printed, and what they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "route/name.h"

static struct conf_pipe robot = {.title = SPAN("robot"), .name = SPAN("list:robot")};
static struct conf_route routes[] = {
    {.kind = CONF_ROUTE_LMTP, .host = SPAN("/run/far")},
    {.host = SPAN("relay.example"), .port = 587},
};
static struct conf_provider providers[] = {{.name = SPAN(".hoster.example"), .is_host = true}};
static const struct conf conf = {
    .pipes = &robot,
    .routes = routes,
    .route_count = LEN(routes),
    .providers = providers,
    .provider_count = LEN(providers),
    .lmtp = {.kind = CONF_ROUTE_LMTP, .host = SPAN("/run/dovecot")},
};

/* selector NULL: it is no name. */
static const struct {
	const char *words, *selector;
} reads[] = {
    {"far.example", "far.example"},
    {"  .far.example ", ".far.example"},
    {"relay.example:587", "relay.example:587"},
    {"localhost", "localhost"},
    {"domain localhost", "mx:localhost"},
    {"rule old.example", "rule:old.example"},
    {"Server Relay.example:587", "host:relay.example:587"},
    {"server relay.example", "host:relay.example"},
    {"server 2001:db8::1", "host:[2001:db8::1]"},
    {"server [2001:DB8::1]:25", "host:[2001:db8::1]:25"},
    {"lmtp /run/dovecot", "lmtp:/run/dovecot"},
    {"lmtp relay:24", "lmtp:relay:24"},
    {"via relay.example", "via:relay.example"},
    {"/run/dovecot", "lmtp:/run/dovecot"},
    {"/run/far", "lmtp:/run/far"},
    {"/usr/bin/robot", "pipe:/usr/bin/robot"},
    {"program robot", "pipe:robot"},
    {"program list:/usr/bin/a b", "pipe:list:/usr/bin/a b"},
    {"mailboxes", "mailbox"},
    {"mailbox", "mailbox"},
    {"gmail", "provider:Gmail"},
    {"provider GMAIL", "provider:Gmail"},
    {"microsoft 365", "provider:Microsoft 365"},
    {"provider gmx and web.de", "provider:GMX and WEB.DE"},
    /* A domain, and the provider's hosts are others. */
    {"outlook.com", "outlook.com"},
    {"provider outlook.com", "provider:Outlook.com"},
    {"provider aspmx.l.google.com", "provider:Gmail"},
    {"provider mx1.hoster.example", "provider:.hoster.example"},
    {"provider Mx.Other.example", "provider:mx.other.example"},
    {"provider .Other.example", "provider:.other.example"},
    /* As the log and --json have them. */
    {"mx:far.example", "mx:far.example"},
    {"host:2001:db8::1:25", "host:2001:db8::1:25"},
    {"pipe:list:robot", "pipe:list:robot"},
    {"provider:gmail", "provider:Gmail"},
    {"", NULL},
    {"  ", NULL},
    {"provider", "provider"},
    {"provider nobody", NULL},
    {"far example", NULL},
    {"server a b", NULL},
    {"a\nb", NULL},
    {"mx:", NULL},
};

static void
words_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(reads); i++) {
		struct buf selector;
		bool good;

		buf_init(&selector, ROUTE_NAME_BYTES_MAX);
		good = route_name_read(&selector, span_str(reads[i].words), &conf);
		if (good != (reads[i].selector != NULL) ||
		    (good && !span_eq(buf_span(&selector), span_str(reads[i].selector))))
			fail_msg("\"%s\": %d \"%.*s\"", reads[i].words, good,
			    SPAN_ARGS(buf_span(&selector)));
		buf_fini(&selector);
	}
}

static const struct {
	const char *key, *words;
} names[] = {
    {"mx:far.example", "far.example"},
    {"mx:gmail", "domain gmail"},
    {"mx:[192.0.2.1]", "[192.0.2.1]"},
    {"host:relay.example:587", "server relay.example:587"},
    {"host:relay.example:0", "server relay.example"},
    {"host:2001:db8::1:25", "server [2001:db8::1]:25"},
    {"lmtp:127.0.0.1:24", "lmtp 127.0.0.1:24"},
    {"lmtp:/run/far", "lmtp /run/far"},
    {"via:relay.example:0", "via relay.example"},
    {"via:::1:2525", "via [::1]:2525"},
    {"rule:old.example", "rule old.example"},
    {"pipe:list:/usr/bin/robot#2", "program list:/usr/bin/robot#2"},
    {"pipe:list:robot", "program list:robot"},
    {"mailbox", "mailboxes"},
};

/* Whatever is printed means what it was printed of, and none of the others. */
static void
what_is_printed_can_be_typed(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(names); i++) {
		struct buf words, selector;

		buf_init(&words, ROUTE_NAME_BYTES_MAX);
		buf_init(&selector, ROUTE_NAME_BYTES_MAX);
		route_name_write(&words, span_str(names[i].key));
		if (!span_eq(buf_span(&words), span_str(names[i].words)))
			fail_msg("%s: \"%.*s\"", names[i].key, SPAN_ARGS(buf_span(&words)));
		assert_true(route_name_read(&selector, buf_span(&words), &conf));
		for (size_t j = 0; j < LEN(names); j++)
			if (route_name_fits(buf_span(&selector), span_str(names[j].key),
				SPAN("")) != (i == j) &&
			    /* Port 0 is printed as none, which is any. */
			    !(i != j && span_eq(span_str(names[i].words),
					    SPAN("server relay.example"))))
				fail_msg("%s means %s", names[i].words, names[j].key);
		/* So does its key. */
		assert_true(
		    route_name_fits(span_str(names[i].key), span_str(names[i].key), SPAN("")));
		buf_fini(&words);
		buf_fini(&selector);
	}
}

static const struct {
	const char *selector, *key, *site;
	bool fits;
} fits[] = {
    {"", "mailbox", "", true},
    {"A.example", "mx:a.example", "", true},
    {".example", "host:a.example:25", "", true},
    {".example", "lmtp:a.example:24", "", true},
    {"a.example", "via:a.example:0", "", true},
    {"example", "mx:a.example", "", false},
    {"a.example:25", "host:a.example:25", "", true},
    {"a.example:25", "host:a.example:26", "", false},
    {"a.example:25", "mx:a.example", "", false},
    {"2001:db8::1", "host:2001:db8::1:25", "", true},
    {"[2001:db8::1]:25", "host:2001:db8::1:25", "", true},
    {"[2001:db8::1]:26", "host:2001:db8::1:25", "", false},
    {"host:[2001:db8::1]", "host:2001:db8::1:25", "", true},
    {"host:a.example", "host:a.example:25", "", true},
    {"host:a.example", "lmtp:a.example:25", "", false},
    {"host:.example", "host:a.example:25", "", true},
    {"a.example", "rule:a.example", "", false},
    {"rule:.example", "rule:a.example", "", true},
    {"mx:.example", "mx:a.example", "", true},
    {"mx:a.example", "host:a.example:25", "", false},
    {"/run/far", "lmtp:/run/far", "", false},
    {"lmtp:/run/far", "lmtp:/run/far", "", true},
    {"lmtp:/run", "lmtp:/run/far", "", false},
    {"pipe:robot", "pipe:list:robot", "", true},
    {"pipe:Robot", "pipe:list:robot", "", true},
    {"pipe:list", "pipe:list:robot", "", false},
    {"pipe:other:robot", "pipe:list:robot", "", false},
    {"pipe:/b/a", "pipe:list:/b/a", "", true},
    {"pipe:/b/a", "pipe:list:/b/a#2", "", true},
    {"pipe:/b/a", "pipe:list:/b/ab", "", false},
    {"pipe:list:/b/a", "pipe:list:/b/a#12", "", true},
    {"pipe:/b/a#2", "pipe:list:/b/a#2", "", true},
    {"pipe:/b/a#2", "pipe:list:/b/a", "", false},
    {"mailbox", "mailbox", "", true},
    {"mailbox", "mx:mailbox", "", false},
    {"provider:Gmail", "mx:a.example", "Gmail", true},
    {"provider:gmail", "mx:a.example", "Gmail", true},
    {"provider:Gmail", "mx:a.example", "", false},
    {"provider:Gmail", "mx:gmail", "mx.example", false},
    {"provider:.x.example", "mx:a.example", "mx1.x.example", true},
    {"provider:.x.example", "mx:a.example", ".x.example", true},
    {"provider:mx1.x.example", "mx:a.example", ".x.example", false},
    {"provider:", "mx:a.example", "", false},
    {"mx:", "mx:a.example", "", false},
    {"host:", "host:a.example:25", "", false},
};

static void
selectors_fit(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(fits); i++)
		if (route_name_fits(span_str(fits[i].selector), span_str(fits[i].key),
			span_str(fits[i].site)) != fits[i].fits)
			fail_msg("%s, %s, %s", fits[i].selector, fits[i].key, fits[i].site);
}

static void
selectors_of_domains_and_sites_are_open(void **state)
{
	static const char *const open[] = {"a.example", "mx:a", "rule:a", "provider:a.b"};
	static const char *const closed[] = {
	    "a", "host:a.example", "via:a:1", "pipe:a.b", "mailbox"};
	struct span site;

	(void)state;
	for (size_t i = 0; i < LEN(open); i++)
		assert_true(route_name_is_open(span_str(open[i])));
	for (size_t i = 0; i < LEN(closed); i++)
		assert_false(route_name_is_open(span_str(closed[i])));
	assert_true(route_name_site(SPAN("provider:a.b"), &site) && span_eq(site, SPAN("a.b")));
	assert_false(route_name_site(SPAN("a.b"), &site));
	assert_true(span_eq(route_name_rest(SPAN("program  x y")), SPAN("x y")));
	assert_true(span_eq(route_name_rest(SPAN("programs x")), SPAN("programs x")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_are_read),
	    cmocka_unit_test(what_is_printed_can_be_typed),
	    cmocka_unit_test(selectors_fit),
	    cmocka_unit_test(selectors_of_domains_and_sites_are_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
