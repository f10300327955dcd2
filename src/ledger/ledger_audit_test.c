/* What balances, and each way in which it doesn't. */
#include "ledger/ledger_audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/check.h"

enum { BEGIN_MS = 1000 };

static const uint64_t seed[2] = {1, 2};

/*
 * A script: "a1/2@5" message 1 with 2 recipients is accepted at 5; "e1.0" its recipient 0 ends;
 * "d1.0" is deferred in doubt; "r1" is removed without a word; "|" what waits is asked for;
 * "w1/2" 2 recipients of 1 wait, "w1/0" some do, "w1/1@7" it arrived at 7.
 */
static struct ledger_audit *
play(const char *script, uint64_t since_ms, bool whole, uint64_t *faults)
{
	struct ledger_audit *audit = ledger_audit_create(since_ms, seed);
	struct span rest = span_str(script), word;
	bool asked = false;

	if (whole)
		ledger_audit_whole(audit);
	while (span_cut(&rest, ' ', &word)) {
		struct ledger_entry entry = {.wall_ms = BEGIN_MS};
		unsigned id = 0, number = 0, at = BEGIN_MS;

		assert_true(word.len > 0 && word.len < 20);
		(void)sscanf(word.ptr + 1, "%u%*[./]%u@%u", &id, &number, &at);
		entry.id = id;
		entry.wall_ms = at;
		if (word.ptr[0] == 'a') {
			entry.kind = LEDGER_ACCEPTED;
			entry.rcpt_count = number;
		} else if (word.ptr[0] == 'e') {
			entry.kind = LEDGER_ENDED;
			entry.end = LEDGER_RELAYED;
			entry.index = number;
		} else if (word.ptr[0] == 'd') {
			entry.kind = LEDGER_DEFERRED;
			entry.in_doubt = true;
			entry.index = number;
		} else if (word.ptr[0] == 'r') {
			entry.kind = LEDGER_REMOVED;
		} else if (word.ptr[0] == '|') {
			ledger_audit_waiting_begin(audit);
			asked = true;
			continue;
		} else {
			assert_int_equal(word.ptr[0], 'w');
			ledger_audit_waiting(audit, id, at, number);
			continue;
		}
		ledger_audit_entry(audit, &entry);
	}
	if (!asked)
		ledger_audit_waiting_begin(audit);
	*faults = ledger_audit_end(audit, BEGIN_MS);
	return audit;
}

static void
each_fault_is_found_and_nothing_else(void **state)
{
	static const struct {
		const char *name, *script;
		uint64_t since_ms;
		bool whole;
		uint64_t missing, strangers, twice, undead;
	} cases[] = {
	    {"nothing", "", 0, true, 0, 0, 0, 0},
	    {"all ended", "a1/2 e1.0 e1.1", 0, true, 0, 0, 0, 0},
	    {"one waits", "a1/2 e1.0 | w1/1", 0, true, 0, 0, 0, 0},
	    {"some number waits", "a1/2 e1.0 | w1/0", 0, true, 0, 0, 0, 0},
	    {"one is missing", "a1/2 e1.0 |", 0, true, 1, 0, 0, 0},
	    {"one of two that were open is missing", "a1/2 | w1/1", 0, true, 1, 0, 0, 0},
	    {"it ends while what waits is listed", "a1/1 | e1.0", 0, true, 0, 0, 0, 0},
	    {"it comes while what waits is listed", "| w1/1 a1/1", 0, true, 0, 0, 0, 0},
	    {"it comes and ends meanwhile", "| w1/1 a1/1 e1.0", 0, true, 0, 0, 0, 0},
	    {"it comes meanwhile and is not seen", "| a1/1", 0, true, 0, 0, 0, 0},
	    {"a stranger waits", "| w1/1", 0, true, 0, 1, 0, 0},
	    {"a stranger from before waits", "| w1/1@5", 0, false, 0, 0, 0, 0},
	    {"a stranger ends", "e1.0", 0, true, 0, 1, 0, 0},
	    {"one from before ends", "e1.0", 0, false, 0, 0, 0, 0},
	    {"a recipient that there is not ends", "a1/1 e1.3 | w1/1", 0, true, 0, 1, 0, 0},
	    {"it ends twice", "a1/1 e1.0 e1.0", 0, true, 0, 0, 1, 0},
	    {"one of two ends twice", "a1/2 e1.0 e1.0 | w1/1", 0, true, 0, 0, 1, 0},
	    {"it is accepted twice", "a1/1 a1/1 | w1/1", 0, true, 0, 0, 1, 0},
	    {"it is accepted again after its end", "a1/1 e1.0 a1/1", 0, true, 0, 0, 1, 0},
	    {"it waits after its end", "a1/1 e1.0 | w1/1", 0, true, 0, 0, 0, 1},
	    {"more wait than are open", "a1/3 e1.0 | w1/3", 0, true, 0, 0, 0, 1},
	    {"it is removed without a word", "a1/2 e1.0 r1", 0, true, 1, 0, 0, 0},
	    {"what came before is no matter", "a1/1@5 a2/1 e2.0", 10, false, 0, 0, 0, 0},
	    {"its end neither", "a1/1@5 e1.0 a2/1 e2.0", 10, false, 0, 0, 0, 0},
	    {"ids far apart", "a1/1 a4096/1 a4294967295/1 e4096.0 e1.0 | w4294967295/1", 0,
		true, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct ledger_sums sums;
		uint64_t faults;
		struct ledger_audit *audit =
		    play(cases[i].script, cases[i].since_ms, cases[i].whole, &faults);

		ledger_audit_sums(audit, &sums);
		if (sums.faults[LEDGER_MISSING] != cases[i].missing ||
		    sums.faults[LEDGER_STRANGER] != cases[i].strangers ||
		    sums.faults[LEDGER_TWICE] != cases[i].twice ||
		    sums.faults[LEDGER_UNDEAD] != cases[i].undead)
			fail_msg("%s: %u missing, %u strange, %u twice, %u undead",
			    cases[i].name, (unsigned)sums.faults[LEDGER_MISSING],
			    (unsigned)sums.faults[LEDGER_STRANGER],
			    (unsigned)sums.faults[LEDGER_TWICE],
			    (unsigned)sums.faults[LEDGER_UNDEAD]);
		assert_int_equal(faults,
		    cases[i].missing + cases[i].strangers + cases[i].twice +
			cases[i].undead);
		ledger_audit_destroy(audit);
	}
}

static void
it_counts(void **state)
{
	struct ledger_sums sums;
	uint64_t faults;
	struct ledger_audit *audit =
	    play("a1/2 a2/3 d1.0 d1.0 d2.1 e1.0 e1.1 e2.0 | w2/2", 0, true, &faults);

	(void)state;
	assert_int_equal(faults, 0);
	ledger_audit_sums(audit, &sums);
	assert_int_equal(sums.messages, 2);
	assert_int_equal(sums.rcpts, 5);
	assert_int_equal(sums.ended[LEDGER_RELAYED], 3);
	assert_int_equal(sums.open, 2);
	assert_int_equal(sums.open_messages, 1);
	assert_int_equal(sums.open_doubts, 1);
	ledger_audit_destroy(audit);
}

static void
faults_are_named(void **state)
{
	const struct ledger_fault *fault;
	uint64_t faults;
	struct ledger_audit *audit = play("a1/1 a2/2 | w1/1 a3/1", 0, true, &faults);

	(void)state;
	assert_int_equal(faults, 1);
	fault = ledger_audit_fault(audit, 0);
	assert_int_equal(fault->kind, LEDGER_MISSING);
	assert_int_equal(fault->id, 2);
	assert_int_equal(fault->rcpts, 2);
	assert_null(ledger_audit_fault(audit, 1));
	assert_int_equal(ledger_audit_suspects(audit), 1);
	ledger_audit_destroy(audit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_fault_is_found_and_nothing_else),
	    cmocka_unit_test(it_counts),
	    cmocka_unit_test(faults_are_named),
	};

	return cmocka_run_group_tests_name("ledger_audit", tests, NULL, NULL);
}
