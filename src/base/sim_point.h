/*
 * Places that only the simulator's build knows: marks on rare paths, and
 * deliberate bugs.  In every other build both are nothing.
 *
 *     SIM_MARK("spool.torn_tail");            this path was taken
 *     if (SIM_BUG(REPLY_BEFORE_SYNC)) ...     constant false, unless the simulator chose it
 *
 *     SIM_SMALLER(256 << 20, 1 << 20)         a bound, and one that a simulation reaches
 *
 * A simulation over many seeds fails where a mark is never reached; a deliberate bug
 * shows that the simulator finds its kind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Each has a line that says what breaks; used once, where it says. */
#define SIM_BUGS(BUG)                                                                    \
	BUG(NONE, "no bug")                                                              \
	BUG(REPLY_BEFORE_SYNC, "a put is reported durable before the sync")              \
	BUG(SYNC_NOTHING, "the log's sync is left out")                                  \
	BUG(NO_DIRECTORY_SYNC, "a new file's directory is not synced")                   \
	BUG(BODY_NOT_SYNCED, "a body's own file is not synced before its record")        \
	BUG(SYNC_AGAIN, "a failed sync is tried again, and its success believed")        \
	BUG(REMOVE_BEFORE_REPLY, "a recipient ends before the other server replied")     \
	BUG(FORGET_RCPT, "recovery forgets a message's last recipient")                  \
	BUG(FORGET_MARK, "recovery forgets what was delivered")                          \
	BUG(BOUNCE_NOT_DURABLE, "recipients end before their bounce is durable")         \
	BUG(BOUNCE_A_BOUNCE, "a bounce that fails is bounced")                           \
	BUG(MAILDIR_NOT_SYNCED, "a Maildir's file is renamed without a sync")            \
	BUG(MAILDIR_NO_DIRECTORY_SYNC, "new/ is not synced after the rename")            \
	BUG(PROGRAM_IS_BELIEVED, "a program's exit status is not looked at")             \
	BUG(BODY_PIECE_TWICE, "a piece of a body is sent twice")                         \
	BUG(LOSE_ATTEMPT, "attempts of a delivery that died are not tried again")        \
	BUG(NO_CHECKSUM, "a body is given out without a look at its checksum")           \
	BUG(IDS_AGAIN, "ids begin anew after a restart")                                 \
	BUG(DOTS_TAKEN, "a line's own dot goes with the dot before it")                  \
	BUG(DOUBT_IS_DELIVERED, "a lost reply counts as delivered")                      \
	BUG(FORGET_DEFERRED, "who was deferred is forgotten at a restart")               \
	BUG(RELAY_FOR_ALL, "everybody may relay")                                        \
	BUG(FORGET_BEGUN, "whose attempt began before the queue died counts as ended")  \
	BUG(LEDGER_FORGETS, "the ledger is told of the end of the first recipient only") \
	BUG(LEDGER_NOT_SYNCED, "the ledger's file is not synced, and the log is freed")  \
	BUG(LMTP_ALL_GOOD, "LMTP: whatever a verdict says, it counts as good")           \
	BUG(LMTP_CUT_IS_GOOD, "LMTP: who has no verdict when the connection is lost is delivered") \
	BUG(BEHIND_SHARES_REPLY, "what is said of a message holds for the one behind it")   \
	BUG(FALL_BACK_FROM_ROUTES, "mail that a route sends elsewhere falls back too")   \
	BUG(SUPPRESS_ANY_REFUSAL, "an address is suppressed after any 5xx")              \
	BUG(REFUSED_IS_DISCARDED, "what a rule refuses is thrown away")

enum sim_bug {
#define SIM_BUG_ENUM(name, text) SIM_BUG_##name,
	SIM_BUGS(SIM_BUG_ENUM)
#undef SIM_BUG_ENUM
	    SIM_BUG_COUNT
};

#ifdef POSTRIDER_SIM

struct sim_mark {
	const char *name, *file;
	int line;
	uint64_t hits;
};

/* The linker gathers pointers to all marks into one section, which the simulator walks. */
#define SIM_MARK(text)                                                                   \
	do {                                                                             \
		static struct sim_mark sim_mark_here = {text, __FILE__, __LINE__, 0};    \
		static struct sim_mark *const sim_mark_pointer                           \
		    __attribute__((used, section("sim_marks"))) = &sim_mark_here;        \
		(void)sim_mark_pointer;                                                  \
		sim_mark_here.hits++;                                                    \
	} while (0)

#define SIM_BUG(name) sim_bug_is(SIM_BUG_##name)
#define SIM_SMALLER(usual, simulated) (simulated)

bool sim_bug_is(enum sim_bug bug);

#else

#define SIM_MARK(text) ((void)0)
#define SIM_BUG(name) (false)
#define SIM_SMALLER(usual, simulated) (usual)

#endif
