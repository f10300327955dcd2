#include "base/arena.h"
#include "check/check_session.h"
#include "check/test_check.h"

enum { NOW_S = 1800000000, DAY_S = 86400 };

struct world {
	struct check_session *session;
	struct check_report *report;
};

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	world->session = mem_alloc(sizeof(*world->session));
	world->report = check_report_create();
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	mem_free(world->session);
	check_report_destroy(world->report);
	mem_free(world);
	return 0;
}

static void
put(struct check_reply *reply, const char *text)
{
	size_t used;

	assert_int_equal(check_reply_take(span_str(text), reply, &used), OK);
}

static void
ask(struct check_ask *asked, const char *command, const char *text)
{
	asked->asked = true;
	snprintf(asked->command, sizeof(asked->command), "%s", command);
	put(&asked->reply, text);
}

static void
greet(struct check_session *session, const char *text)
{
	session->start = CHECK_START_GREETED;
	session->protocol = CHECK_PROTOCOL_SMTP;
	put(&session->greeting, text);
}

/* A session of a server with which nothing is wrong. */
static void
good(struct check_session *session)
{
	greet(session, "220 mx.example.org ESMTP\r\n");
	snprintf(session->host, sizeof(session->host), "mx.example.org");
	session->greeting_place = CHECK_PLACE_HERE;
	ask(&session->ehlo, "EHLO a", "250-mx\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n"
				      "250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n");
	ask(&session->starttls, "STARTTLS", "220 go on\r\n");
	session->tls_tried = session->tls_done = true;
	session->peer = (struct tls_peer){.chain_count = 2,
	    .name_fits = true,
	    .trusted = true,
	    .from_s = NOW_S - DAY_S,
	    .until_s = NOW_S + 60 * DAY_S,
	    .version = 0x0304};
	ask(&session->ehlo_tls, "EHLO a", "250-mx\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n"
					  "250 ENHANCEDSTATUSCODES\r\n");
	ask(&session->vrfy_known, "VRFY postmaster", "252 maybe\r\n");
	ask(&session->vrfy_unknown, "VRFY nobody", "252 maybe\r\n");
	ask(&session->expn, "EXPN postmaster", "502 no\r\n");
	session->lf_replies = 1;
}

static void
judged(struct world *world, const char *keys)
{
	check_report_destroy(world->report);
	world->report = check_report_create();
	check_session_judge(world->report, SPAN("mx"), world->session, NOW_S);
	assert_findings(world->report, keys);
	*world->session = (struct check_session){0};
	good(world->session);
}

static void
connections_are_told_apart(void **state)
{
	struct world *world = *state;

	world->session->wanted = true;
	world->session->connect = ERR_REFUSED;
	judged(world, "port-refused");
	*world->session = (struct check_session){.wanted = true, .connect = ERR_TIMEOUT};
	judged(world, "port-no-answer");
	*world->session = (struct check_session){.wanted = true, .connect = ERR_UNREACHABLE};
	judged(world, "port-unreachable");
	*world->session = (struct check_session){
	    .wanted = true, .connect = ERR_UNREACHABLE, .no_ipv6 = true};
	judged(world, "ipv6-not-here");
	*world->session = (struct check_session){.connect = ERR_REFUSED, .others_answer = true};
	judged(world, "port-not-served");
	*world->session = (struct check_session){.connect = ERR_REFUSED};
	judged(world, "port-refused");
}

static void
starts_are_told_apart(void **state)
{
	static const struct {
		struct check_session session;
		const char *keys;
	} rows[] = {
	    {{.start = CHECK_START_SILENT}, "port-silent"},
	    {{.start = CHECK_START_SILENT, .tls_answers = true}, "tls-expected"},
	    {{.start = CHECK_START_SILENT, .protocol = CHECK_PROTOCOL_TLS}, "tls-expected"},
	    {{.start = CHECK_START_SILENT, .protocol = CHECK_PROTOCOL_HTTP}, "wrong-protocol"},
	    {{.start = CHECK_START_MALFORMED, .protocol = CHECK_PROTOCOL_SSH}, "wrong-protocol"},
	    {{.start = CHECK_START_MALFORMED}, "greeting-malformed"},
	    {{.start = CHECK_START_CLOSED}, "greeting-closed"},
	    {{.start = CHECK_START_ENDLESS}, "greeting-endless"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < LEN(rows); i++) {
		*world->session = rows[i].session;
		judged(world, rows[i].keys);
	}
}

static void
greetings_are_told_apart(void **state)
{
	static const struct {
		const char *greeting, *keys;
	} rows[] = {
	    {"421 busy\r\n", "greeting-421"},
	    {"521 never\r\n", "greeting-521"},
	    {"554 no\r\n", "greeting-554"},
	    {"250 hm\r\n", "greeting-other"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < LEN(rows); i++) {
		*world->session = (struct check_session){0};
		greet(world->session, rows[i].greeting);
		judged(world, rows[i].keys);
	}
}

#define FINE "greeting-good certificate-good vrfy-guarded"

static void
a_good_server_is_good(void **state)
{
	struct world *world = *state;

	good(world->session);
	judged(world, FINE);
	assert_int_equal(check_verdict(world->report), CHECK_GOOD);
}

static void
each_fault_has_its_finding(void **state)
{
	struct world *world = *state;
	struct check_session *session = world->session;

	good(session);
	put(&session->greeting, "220 ESMTP\r\n");
	judged(world, "greeting-good greeting-no-name certificate-good vrfy-guarded");
	session->greeting_place = CHECK_PLACE_ELSEWHERE;
	session->greeting_ms = CHECK_SLOW_GREETING_MS;
	judged(world, "greeting-good greeting-name-elsewhere greeting-slow certificate-good "
		      "vrfy-guarded");
	ask(&session->ehlo_tls, "EHLO a", "250-mx\r\n250 SIZE 1000\r\n");
	judged(world, "greeting-good pipelining-missing enhanced-missing size-small "
		      "certificate-good vrfy-guarded");
	ask(&session->starttls, "STARTTLS", "454 no\r\n");
	session->tls_tried = session->tls_done = false;
	judged(world, "greeting-good starttls-refused vrfy-guarded");
	session->tls_done = false;
	judged(world, "greeting-good tls-failed vrfy-guarded");
	ask(&session->ehlo, "EHLO a", "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
	judged(world, "greeting-good certificate-good auth-in-clear vrfy-guarded");
	session->tls_old = true;
	session->peer.version = 0x0303;
	judged(world, "greeting-good tls-old tls-no-13 certificate-good vrfy-guarded");
	session->broke = ERR_SYNTAX;
	judged(world, FINE " reply-malformed");
	session->broke = ERR_CLOSED;
	judged(world, FINE " session-broke");
	session->slowest_ms = CHECK_SLOW_REPLY_MS;
	judged(world, FINE " reply-slow");
	session->lf_replies = 2;
	judged(world, FINE " bare-lf-command");
}

static void
old_servers_are_told(void **state)
{
	struct world *world = *state;
	struct check_session *session = world->session;

	greet(session, "220 mx.example.org\r\n");
	ask(&session->ehlo, "EHLO a", "502 what\r\n");
	ask(&session->helo, "HELO a", "250 hello\r\n");
	judged(world, "greeting-good ehlo-refused");
	*session = (struct check_session){0};
	greet(session, "220 mx.example.org\r\n");
	ask(&session->ehlo, "EHLO a", "550 no\r\n");
	ask(&session->helo, "HELO a", "550 no\r\n");
	judged(world, "greeting-good helo-refused");
}

static void
ports_for_users_want_auth(void **state)
{
	struct world *world = *state;
	struct check_session *session = world->session;

	good(session);
	session->port = CHECK_PORT_SUBMISSION;
	judged(world, "greeting-good certificate-good auth-missing vrfy-guarded");
	session->port = CHECK_PORT_SUBMISSIONS;
	session->tls_implicit = true;
	ask(&session->ehlo, "EHLO a",
	    "250-mx\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN\r\n");
	session->ehlo_tls = (struct check_ask){0};
	session->starttls = (struct check_ask){0};
	judged(world, FINE);
	session->port = CHECK_PORT_SUBMISSIONS;
	session->tls_tried = session->tls_done = false;
	ask(&session->ehlo, "EHLO a", "250-mx\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n");
	session->ehlo_tls = session->starttls = (struct check_ask){0};
	judged(world, "plain-on-tls-port greeting-good starttls-missing vrfy-guarded");
	*session = (struct check_session){.port = CHECK_PORT_SUBMISSIONS,
	    .tls_implicit = true,
	    .tls_tried = true};
	judged(world, "tls-failed");
}

static void
certificates_are_judged(void **state)
{
	struct world *world = *state;
	struct check_session *session = world->session;

	good(session);
	session->peer.until_s = NOW_S - 1;
	judged(world, "greeting-good certificate-expired vrfy-guarded");
	session->peer.from_s = NOW_S + 1;
	judged(world, "greeting-good certificate-not-yet vrfy-guarded");
	session->peer.until_s = NOW_S + CHECK_SOON_S - 1;
	judged(world, "greeting-good certificate-expires-soon vrfy-guarded");
	session->peer.name_fits = false;
	judged(world, "greeting-good certificate-name vrfy-guarded");
	session->peer.trusted = false;
	judged(world, "greeting-good certificate-untrusted vrfy-guarded");
	session->peer.trusted = false;
	session->peer.self_signed = true;
	judged(world, "greeting-good certificate-self-signed vrfy-guarded");
	session->peer.weak_key = true;
	judged(world, "greeting-good certificate-good certificate-weak vrfy-guarded");
	session->host[0] = '\0';
	session->peer.name_fits = false;
	judged(world, FINE);
}

static void
leaks_are_told(void **state)
{
	static const struct {
		const char *known, *unknown;
		bool leaks;
	} rows[] = {
	    {"250 a\r\n", "550 b\r\n", true},
	    {"252 a\r\n", "550 b\r\n", true},
	    {"250 a\r\n", "252 b\r\n", true},
	    {"252 a\r\n", "252 b\r\n", false},
	    {"502 a\r\n", "502 b\r\n", false},
	    {"550 a\r\n", "550 b\r\n", false},
	    {"252 a\r\n", "450 b\r\n", false},
	    {"252 a\r\n", "503 b\r\n", false},
	};
	struct world *world = *state;
	struct check_session *session = world->session;

	good(session);
	for (size_t i = 0; i < LEN(rows); i++) {
		ask(&session->vrfy_known, "VRFY a", rows[i].known);
		ask(&session->vrfy_unknown, "VRFY b", rows[i].unknown);
		judged(world, rows[i].leaks ? "greeting-good certificate-good vrfy-leaks" : FINE);
	}
	ask(&session->expn, "EXPN a", "250 b\r\n");
	judged(world, FINE " expn-leaks");
}

static void
relays_are_told(void **state)
{
	static const struct {
		const char *mail, *first, *second, *key;
	} rows[] = {
	    {"250 a\r\n", "550 b\r\n", "250 c\r\n", "open-relay"},
	    {"250 a\r\n", "550 b\r\n", "554 c\r\n", "relay-refused"},
	    {"250 a\r\n", "450 b\r\n", "550 c\r\n", "relay-unclear"},
	    {"450 a\r\n", NULL, NULL, "relay-unclear"},
	    {"530 a\r\n", NULL, NULL, "relay-refused"},
	};
	struct world *world = *state;
	struct check_session *session = world->session;
	char keys[200];

	good(session);
	for (size_t i = 0; i < LEN(rows); i++) {
		ask(&session->relay_mail, "MAIL", rows[i].mail);
		if (rows[i].first) {
			ask(&session->relays[0], "RCPT 1", rows[i].first);
			ask(&session->relays[1], "RCPT 2", rows[i].second);
			session->relay_count = 2;
		}
		snprintf(keys, sizeof(keys), FINE " %s", rows[i].key);
		judged(world, keys);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(connections_are_told_apart),
	    TEST(starts_are_told_apart),
	    TEST(greetings_are_told_apart),
	    TEST(a_good_server_is_good),
	    TEST(each_fault_has_its_finding),
	    TEST(old_servers_are_told),
	    TEST(ports_for_users_want_auth),
	    TEST(certificates_are_judged),
	    TEST(leaks_are_told),
	    TEST(relays_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
