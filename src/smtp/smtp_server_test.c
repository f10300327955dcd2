/* Dialogues: commands in each state, pipelining, BDAT, limits of a session. */
#include "smtp/test_smtp_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MAIL "EHLO a\r\nMAIL FROM:<x@a>\r\n"
#define RCPT MAIL "RCPT TO:<y@b>\r\n"
#define DATA RCPT "DATA\r\n"
#define CHUNKS RCPT "BDAT 2\r\nab"
#define IN_MAIL "mail x@a"
#define IN_RCPT IN_MAIL "; rcpt y@b"
#define IN_DATA IN_RCPT "; data"

struct dialogue {
	const char *name;
	const char *client;
	const char *events;
	const char *replies;
	void (*configure)(struct smtp_server_options *options);
};

static void
check_dialogue(const struct dialogue *dialogue, enum drive_split split)
{
	struct smtp_server_options options = drive_options();
	struct drive drive;

	if (dialogue->configure)
		dialogue->configure(&options);
	drive_init(&drive, &options);
	drive_pump(&drive);
	drive_send(&drive, span_str(dialogue->client), split);
	assert_string_equal(drive_text(&drive.events), dialogue->events);
	assert_string_equal(drive_text(&drive.replies), dialogue->replies);
	drive_fini(&drive);
}

static void
check_dialogues(const struct dialogue *dialogues, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		print_message("  %s\n", dialogues[i].name);
		for (int split = 0; split < DRIVE_SPLIT_COUNT; split++)
			check_dialogue(&dialogues[i], (enum drive_split)split);
	}
}

static const struct dialogue command_dialogues[] = {
    {"HELO gets one line", "HELO a\r\n", "", "220 250", NULL},
    {"commands in any case, with blanks behind", "ehlo a  \r\nnoop \t\r\nQuit\r\n",
	"close", "220 250 250 221", NULL},
    {"an empty name is refused", "EHLO\r\nHELO  \r\n", "refused 501; refused 501",
	"220 501 501", NULL},
    {"a name that would spoil a header is refused",
	"EHLO a(b)\r\nHELO a b\r\nEHLO <a>\r\n", "refused 501; refused 501; refused 501",
	"220 501 501 501", NULL},
    {"a literal is a name", "EHLO [IPv6:::1]\r\n", "", "220 250", NULL},
    {"unknown commands", "FOO\r\n\r\n MAIL\r\nEHLOa\r\nNO\r\n",
	"refused 500; refused 500; refused 500; refused 500; refused 500",
	"220 500 500 500 500 500", NULL},
    {"a message", DATA "hi\r\n.\r\nQUIT\r\n", IN_DATA "; end(hi|); close",
	"220 250 250 250 354 250 221", NULL},
    {"an empty message", DATA ".\r\n", IN_DATA "; end()", "220 250 250 250 354 250",
	NULL},
    {"dots are unstuffed", DATA "..\r\n.a\r\n...b\r\nc.\r\n.\r\n",
	IN_DATA "; end(.|a|..b|c.|)", "220 250 250 250 354 250", NULL},
    {"a second message", DATA ".\r\nMAIL FROM:<>\r\nRSET\r\n",
	IN_DATA "; end(); mail ; abort", "220 250 250 250 354 250 250 250", NULL},
    {"the caller refuses a message", DATA "no\r\n.\r\nNOOP\r\n", IN_DATA "; end(no|)",
	"220 250 250 250 354 550 250", NULL},
    {"the caller closes at the message", DATA "bye\r\n.\r\nNOOP\r\n",
	IN_DATA "; end(bye|); close", "220 250 250 250 354 421", NULL},
    {"the caller refuses the sender", "EHLO a\r\nMAIL FROM:<no@a>\r\nRCPT TO:<y@b>\r\n",
	"mail no@a; refused 503", "220 250 550 503", NULL},
    {"the caller closes at the recipient", MAIL "RCPT TO:<bye@b>\r\nNOOP\r\n",
	"mail x@a; rcpt bye@b; abort; close", "220 250 250 421", NULL},
    {"one of three recipients",
	MAIL "RCPT TO:<no@b>\r\nRCPT TO:<y@b>\r\nRCPT TO:<later@b>\r\nDATA\r\nx\r\n.\r\n",
	IN_MAIL "; rcpt no@b; rcpt y@b; rcpt later@b; data; end(x|)",
	"220 250 250 550 250 451 354 250", NULL},
    {"no recipient is left: the text is not swallowed, nor run as a message",
	MAIL "RCPT TO:<no@b>\r\nDATA\r\nRSET\r\nNOOP\r\n",
	IN_MAIL "; rcpt no@b; refused 554; abort", "220 250 250 550 554 250 250", NULL},
    {"a recipient that is no address was tried, too", MAIL "RCPT TO:<b>\r\nDATA\r\n",
	IN_MAIL "; refused 501; refused 554", "220 250 250 501 554", NULL},
    {"EHLO, HELO and QUIT drop the transaction",
	RCPT "EHLO b\r\nMAIL FROM:<x@a>\r\nHELO b\r\nMAIL FROM:<x@a>\r\nQUIT\r\n",
	IN_RCPT "; abort; " IN_MAIL "; abort; " IN_MAIL "; abort; close",
	"220 250 250 250 250 250 250 250 221", NULL},
    {"an EHLO that is refused does not", RCPT "EHLO\r\nDATA\r\n.\r\n",
	IN_RCPT "; refused 501; data; end()", "220 250 250 250 501 354 250", NULL},
    {"parameters of MAIL",
	"EHLO a\r\nMAIL FROM:<x@a> SIZE=77 BODY=8BITMIME SMTPUTF8 AUTH=<>\r\n",
	"mail x@a size=77 8bit utf8", "220 250 250", NULL},
    {"parameters in any case", "EHLO a\r\nMAIL from:<x@a>  size=1  body=7bit \r\n",
	"mail x@a size=1", "220 250 250", NULL},
    {"a blank after the colon", "EHLO a\r\nMAIL FROM: <x@a>\r\nRCPT TO:  <y@b>\r\n",
	IN_RCPT, "220 250 250 250", NULL},
    {"wrong syntax of MAIL",
	"EHLO a\r\nMAIL\r\nMAIL x@a\r\nMAIL FROM x@a\r\nMAIL FROM:x@a\r\nMAIL FROM:<x@a>S\r\n",
	"refused 501; refused 501; refused 501; refused 501; refused 501",
	"220 250 501 501 501 501 501", NULL},
    {"wrong parameters",
	"EHLO a\r\nMAIL FROM:<> SIZE\r\nMAIL FROM:<> SIZE=\r\nMAIL FROM:<> SIZE=-1\r\n"
	"MAIL FROM:<> SIZE=99999999999999999999\r\nMAIL FROM:<> BODY=BINARYMIME\r\n"
	"MAIL FROM:<> SMTPUTF8=1\r\nMAIL FROM:<> SIZE=1 SIZE=1\r\nMAIL FROM:<> AUTH=\r\n",
	"refused 501; refused 501; refused 501; refused 501; refused 501; refused 501; "
	"refused 501; refused 501",
	"220 250 501 501 501 501 501 501 501 501", NULL},
    {"AUTH of MAIL is looked at, and forgotten",
	"EHLO a\r\nMAIL FROM:<> AUTH=a\x7f\r\nMAIL FROM:<> AUTH=\x1f\r\n"
	"MAIL FROM:<x@a> AUTH=!+3D~\r\n",
	"refused 501; refused 501; mail x@a", "220 250 501 501 250", NULL},
    {"wrong syntax of RCPT", MAIL "RCPT\r\nRCPT y@b\r\nRCPT FROM:<y@b>\r\nDATA\r\n",
	IN_MAIL "; refused 501; refused 501; refused 501; refused 503",
	"220 250 250 501 501 501 503", NULL},
    {"unknown parameters",
	"EHLO a\r\nMAIL FROM:<> RET=FULL\r\n" MAIL
	"RCPT TO:<y@b> NOTIFY=NEVER\r\nRCPT TO:<y@b>x\r\n",
	"refused 555; mail x@a; refused 555; refused 501", "220 250 555 250 250 555 501",
	NULL},
    {"a SIZE that is too much",
	"EHLO a\r\nMAIL FROM:<> SIZE=100001\r\n"
	"MAIL FROM:<x@a> SIZE=100000\r\n",
	"refused 552; mail x@a size=100000", "220 250 552 250", NULL},
    {"an address that is not ASCII needs SMTPUTF8",
	"EHLO a\r\nMAIL FROM:<\xc3\xbc@a>\r\nMAIL FROM:<\xc3\xbc@a> SMTPUTF8\r\n"
	"RCPT TO:<y@\xc3\xbc.b>\r\n" MAIL "RCPT TO:<\xc3\xbc@b>\r\n",
	"refused 553; mail \xc3\xbc@a utf8; rcpt y@\xc3\xbc.b; abort; mail x@a; refused 553",
	"220 250 553 250 250 250 250 553", NULL},
    {"a malformed address is refused",
	"EHLO a\r\nMAIL FROM:<a b@c>\r\n" MAIL "RCPT TO:<>\r\nRCPT TO:<\xc0\xaf@b>\r\n",
	"refused 501; mail x@a; refused 501; refused 501", "220 250 501 250 250 501 501",
	NULL},
    {"postmaster needs no domain", MAIL "RCPT TO:<PostMaster>\r\n",
	IN_MAIL "; rcpt PostMaster", "220 250 250 250", NULL},
    {"VRFY and EXPN say the same of everybody",
	"VRFY x\r\nEXPN y\r\nVRFY <x@a>\r\nVRFY\r\nEXPN \r\n", "refused 501; refused 501",
	"220 252 252 252 501 501", NULL},
    {"HELP of all and of one", "HELP\r\nHELP bdat\r\nHELP me\r\n", "refused 504",
	"220 214 214 504",
	NULL},
    {"a bare LF ends the session", RCPT "NOOP\nNOOP\r\n",
	IN_RCPT "; abort; refused 500; close", "220 250 250 250 500", NULL},
    {"a bare CR ends the session", "NOOP\rNOOP\r\n", "refused 500; close", "220 500",
	NULL},
    {"two CRs are one bare", "NOOP\r\r\n", "refused 500; close", "220 500", NULL},
};

static void
commands_do_what_they_say(void **state)
{
	(void)state;
	check_dialogues(command_dialogues, LEN(command_dialogues));
}

static void
a_nul_in_a_command_is_refused(void **state)
{
	struct smtp_server_options options = drive_options();
	struct drive drive;

	(void)state;
	for (int split = 0; split < DRIVE_SPLIT_COUNT; split++) {
		drive_init(&drive, &options);
		drive_send(&drive, SPAN("NOOP a\0b\r\nNO\0OP\r\nNOOP\r\n"),
		    (enum drive_split)split);
		assert_string_equal(
		    drive_text(&drive.events), "refused 500; refused 500");
		assert_string_equal(drive_text(&drive.replies), "220 500 500 250");
		drive_fini(&drive);
	}
}

/* Each command in each state: what it is answered, and what it does to the transaction. */
static const struct {
	const char *name;
	const char *prefix;
} matrix_states[] = {
    {"greeted", ""},
    {"ready", "EHLO a\r\n"},
    {"mail", MAIL},
    {"refused", MAIL "RCPT TO:<no@b>\r\n"},
    {"rcpt", RCPT},
    {"chunks", CHUNKS},
    {"after a message", DATA ".\r\n"},
};

static const struct {
	const char *command;
	const char *answers[LEN(matrix_states)];
} matrix[] = {
    {"HELO a\r\n",
	{"250", "250", "250 abort", "250 abort", "250 abort", "250 abort", "250"}},
    {"EHLO a\r\n",
	{"250", "250", "250 abort", "250 abort", "250 abort", "250 abort", "250"}},
    {"MAIL FROM:<z@a>\r\n",
	{"503", "250 mail z@a", "503", "503", "503", "503", "250 mail z@a"}},
    {"RCPT TO:<z@b>\r\n",
	{"503", "503", "250 rcpt z@b", "250 rcpt z@b", "250 rcpt z@b", "503", "503"}},
    {"DATA\r\n", {"503", "503", "503", "554", "354 data", "503", "503"}},
    {"BDAT 2\r\nab", {"503", "503", "503 abort", "554 abort", "250 data", "250", "503"}},
    {"BDAT 2 LAST\r\n\r\n", {"503", "503", "503 abort", "554 abort", "250 data end(|)",
				"250 end(ab|)", "503"}},
    {"BDAT 0\r\n", {"503", "503", "503 abort", "554 abort", "250 data", "250", "503"}},
    {"BDAT x\r\n", {"501 close", "501 close", "501 abort close", "501 abort close",
		       "501 abort close", "501 abort close", "501 close"}},
    {"RSET\r\n",
	{"250", "250", "250 abort", "250 abort", "250 abort", "250 abort", "250"}},
    {"NOOP\r\n", {"250", "250", "250", "250", "250", "250", "250"}},
    {"NOOP x\r\n", {"250", "250", "250", "250", "250", "250", "250"}},
    {"HELP\r\n", {"214", "214", "214", "214", "214", "214", "214"}},
    {"VRFY x\r\n", {"252", "252", "252", "252", "252", "252", "252"}},
    {"EXPN x\r\n", {"252", "252", "252", "252", "252", "252", "252"}},
    {"QUIT\r\n", {"221 close", "221 close", "221 abort close", "221 abort close",
		     "221 abort close", "221 abort close", "221 close"}},
    {"QUIT x\r\n", {"501", "501", "501", "501", "501", "501", "501"}},
    {"RSET x\r\n", {"501", "501", "501", "501", "501", "501", "501"}},
    {"DATA x\r\n", {"503", "503", "501", "501", "501", "503", "503"}},
    {"STARTTLS\r\n", {"454", "454", "503", "503", "503", "503", "454"}},
    {"AUTH PLAIN\r\n", {"503", "502", "503", "503", "503", "503", "502"}},
    {"XYZZY\r\n", {"500", "500", "500", "500", "500", "500", "500"}},
};

static void
check_cell(size_t row, size_t column, enum drive_split split)
{
	struct smtp_server_options options = drive_options();
	struct drive drive;
	char answer[256];
	size_t used;
	struct span events;

	drive_init(&drive, &options);
	drive_pump(&drive);
	drive_send_str(&drive, matrix_states[column].prefix);
	buf_reset(&drive.events);
	buf_reset(&drive.replies);
	drive_send(&drive, span_str(matrix[row].command), split);
	used = drive.replies.len;
	assert_true(used > 0 && used < 100);
	memcpy(answer, drive.replies.ptr, used);
	/* The log's events stand for the 4xx and 5xx that are compared anyway. */
	events = buf_span(&drive.events);
	while (events.len > 0) {
		struct span event = span_first(events, span_find(events, ';'));

		events = span_skip(events, event.len + 2);
		if (span_starts(event, SPAN("refused")))
			continue;
		answer[used++] = ' ';
		memcpy(answer + used, event.ptr, event.len);
		used += event.len;
	}
	answer[used] = '\0';
	assert_string_equal(answer, matrix[row].answers[column]);
	drive_fini(&drive);
}

static void
each_command_in_each_state(void **state)
{
	(void)state;
	for (size_t row = 0; row < LEN(matrix); row++)
		for (size_t column = 0; column < LEN(matrix_states); column++) {
			print_message(
			    "  %s: %s", matrix_states[column].name, matrix[row].command);
			check_cell(row, column, DRIVE_WHOLE);
			check_cell(row, column, DRIVE_BYTES);
		}
}

static const struct dialogue chunk_dialogues[] = {
    {"one chunk", RCPT "BDAT 4 LAST\r\nab\r\nQUIT\r\n", IN_DATA "; end(ab|); close",
	"220 250 250 250 250 221", NULL},
    {"chunks, cut inside a line end", RCPT "BDAT 3\r\nab\rBDAT 3 LAST\r\n\nc\rBDAT 0\r\n",
	IN_DATA "; abort; refused 554; refused 503", "220 250 250 250 250 554 503", NULL},
    {"chunks, cut inside a line end, right", RCPT "BDAT 3\r\nab\rBDAT 4 last\r\n\nc\r\n",
	IN_DATA "; end(ab|c|)", "220 250 250 250 250 250", NULL},
    {"a line that no CRLF ends gets one", RCPT "BDAT 2 LAST\r\nab", IN_DATA "; end(ab|)",
	"220 250 250 250 250", NULL},
    {"empty last chunk", RCPT "BDAT 2\r\nabBDAT 0 LAST\r\n", IN_DATA "; end(ab|)",
	"220 250 250 250 250 250", NULL},
    {"nothing at all", RCPT "BDAT 0 LAST\r\n", IN_DATA "; end()", "220 250 250 250 250",
	NULL},
    {"dots are not special", RCPT "BDAT 11 LAST\r\n..\r\n.\r\nx\r\n.",
	IN_DATA "; end(..|.|x|.|)", "220 250 250 250 250", NULL},
    {"commands in a chunk are text", RCPT "BDAT 12 LAST\r\nQUIT\r\nQUIT\r\nNOOP\r\n",
	IN_DATA "; end(QUIT|QUIT|)", "220 250 250 250 250 250", NULL},
    {"a bare LF is refused after the chunk", RCPT "BDAT 5\r\na\nb\r\nNOOP\r\n",
	IN_DATA "; abort; refused 554", "220 250 250 250 554 250", NULL},
    {"and the chunks that were under way with it",
	RCPT "BDAT 5\r\na\nb\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
	IN_DATA "; abort; refused 554; refused 503; refused 503",
	"220 250 250 250 554 503 503 250", NULL},
    {"a CR at the very end is bare", RCPT "BDAT 2 LAST\r\na\rNOOP\r\n",
	IN_DATA "; abort; refused 554", "220 250 250 250 554 250", NULL},
    {"DATA may not follow BDAT", CHUNKS "DATA\r\nBDAT 0 LAST\r\n",
	IN_DATA "; refused 503; end(ab|)", "220 250 250 250 250 503 250", NULL},
    {"RSET between chunks", CHUNKS "RSET\r\nBDAT 6 LAST\r\nQUIT\r\n" MAIL,
	IN_DATA "; abort; refused 503; " IN_MAIL, "220 250 250 250 250 250 503 250 250",
	NULL},
    {"a chunk that is too big is swallowed whole", RCPT "BDAT 100001 LAST\r\n",
	IN_DATA "; abort", "220 250 250 250", NULL},
    {"malformed BDAT ends the session", RCPT "BDAT 5 FIRST\r\nQUIT\r\n",
	IN_RCPT "; abort; refused 501; close", "220 250 250 250 501", NULL},
    {"BDAT without a number", RCPT "BDAT\r\nQUIT\r\n",
	IN_RCPT "; abort; refused 501; close", "220 250 250 250 501", NULL},
    {"BDAT with more than fits a number", RCPT "BDAT 18446744073709551616\r\nQUIT\r\n",
	IN_RCPT "; abort; refused 501; close", "220 250 250 250 501", NULL},
    {"BDAT with all that fits a number", CHUNKS "BDAT 18446744073709551615\r\nQUIT\r\n",
	IN_DATA "; abort", "220 250 250 250 250", NULL},
    {"the caller refuses chunks", RCPT "BDAT 2 LAST\r\nnoNOOP\r\n", IN_DATA "; end(no|)",
	"220 250 250 250 550 250", NULL},
};

static void
chunks_are_counted_not_read(void **state)
{
	(void)state;
	check_dialogues(chunk_dialogues, LEN(chunk_dialogues));
}

static void
few_recipients(struct smtp_server_options *options)
{
	options->rcpt_max = 2;
}

static void
few_errors(struct smtp_server_options *options)
{
	options->errors_max = 2;
}

static void
few_commands(struct smtp_server_options *options)
{
	options->commands_max = 3;
}

static void
few_messages(struct smtp_server_options *options)
{
	options->messages_max = 1;
}

static void
short_commands(struct smtp_server_options *options)
{
	options->command_bytes_max = 16;
}

#define NOOP_15 "NOOP abcdefgh\r\n"
#define NOOP_16 "NOOP abcdefghi\r\n"
#define NOOP_17 "NOOP abcdefghij\r\n"

static const struct dialogue limit_dialogues[] = {
    {"recipients",
	MAIL
	"RCPT TO:<1@b>\r\nRCPT TO:<no@b>\r\nRCPT TO:<2@b>\r\nRCPT TO:<3@b>\r\nDATA\r\n.\r\n",
	IN_MAIL "; rcpt 1@b; rcpt no@b; rcpt 2@b; refused 452; data; end()",
	"220 250 250 250 550 250 452 354 250", few_recipients},
    {"errors: the one past the limit ends the session",
	"A\r\nNOOP\r\nB\r\nNOOP\r\nC\r\nNOOP\r\n",
	"refused 500; refused 500; refused 500; refused 421; close",
	"220 500 250 500 250 500 421", few_errors},
    {"errors: refused recipients count, postponed ones do not",
	MAIL "RCPT TO:<later@b>\r\nRCPT TO:<later@b>\r\nRCPT TO:<later@b>\r\n"
	     "RCPT TO:<no1@b>\r\nRCPT TO:<no2@b>\r\nRCPT TO:<no3@b>\r\n",
	IN_MAIL "; rcpt later@b; rcpt later@b; rcpt later@b; rcpt no1@b; rcpt no2@b; "
		"rcpt no3@b; abort; refused 421; close",
	"220 250 250 451 451 451 550 550 550 421", few_errors},
    {"commands", "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n", "refused 421; close",
	"220 250 250 250 421", few_commands},
    {"messages", DATA ".\r\nNOOP\r\nMAIL FROM:<x@a>\r\n",
	IN_DATA "; end(); refused 421; close", "220 250 250 250 354 250 250 421",
	few_messages},
    {"messages: refused ones are none", DATA "no\r\n.\r\nMAIL FROM:<x@a>\r\n",
	IN_DATA "; end(no|); " IN_MAIL, "220 250 250 250 354 550 250", few_messages},
    {"a command line of just the limit", NOOP_15 NOOP_16 NOOP_15, "", "220 250 250 250",
	short_commands},
    {"a longer one is swallowed", NOOP_17 NOOP_17 NOOP_16, "refused 500; refused 500",
	"220 500 500 250", short_commands},
    {"a long line with a bare LF far behind", "NOOP abcdefghijklmnopqrstuvwxyz\nQUIT\r\n",
	"refused 500; close", "220 500", short_commands},
    {"a long line with a bare CR far behind", "NOOP abcdefghijklmnopqrstuvwxyz\rQUIT\r\n",
	"refused 500; close", "220 500", short_commands},
    {"a long line in a transaction changes nothing",
	"EHLO a\r\nMAIL FROM:<x>\r\n"
	"MAIL FROM:<>\r\n" NOOP_17 "RCPT TO:<a@b>\r\nRSET\r\n",
	"refused 501; mail ; refused 500; rcpt a@b; abort", "220 250 501 250 500 250 250",
	short_commands},
};

static void
a_name_has_a_limit(void **state)
{
	struct smtp_server_options options = drive_options();
	struct drive drive;
	char line[5 + 256 + 3] = "EHLO ";

	(void)state;
	drive_init(&drive, &options);
	assert_int_equal(smtp_server_helo(drive.server).len, 0);
	memset(line + 5, 'a', 256);
	memcpy(line + 5 + 256, "\r\n", 3);
	drive_send_str(&drive, line);
	memcpy(line + 5 + 255, "\r\n", 3);
	drive_send_str(&drive, line);
	assert_string_equal(drive_text(&drive.replies), "220 501 250");
	assert_int_equal(smtp_server_helo(drive.server).len, 255);
	assert_false(smtp_server_is_tls(drive.server));
	drive_fini(&drive);
}

static void
help_tells_how_commands_are_written(void **state)
{
	static const struct {
		const char *client, *said;
	} rows[] = {
	    {"HELP\r\n",
		"214-2.0.0 Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT HELP VRFY "
		"EXPN STARTTLS AUTH\r\n214-2.0.0 HELP and a command tells how it is "
		"written\r\n214-2.0.0 Topics: address commands early header later limits "
		"lines lmtp login loop nomail parameters proxy recipient recipients relay "
		"sender size slow solicitation tls\r\n214 2.0.0 HELP and a topic or a code "
		"(550, 5.7.1) tells what a refusal with it means\r\n"},
	    {"help Solicitation\r\n",
		"214-2.0.0 No advertising, please.\r\n"
		"214-2.0.0 The server says that it does not want unasked-for advertising, "
		"perhaps with a list of kinds. A\r\n"
		"214-2.0.0 sender of such mail would mark it with SOLICIT= and be refused.\r\n"
		"214-2.0.0 Administrator: It keeps no spam away.\r\n"
		"214 2.0.0 Developer: Senders of bulk mail: do not send where the keyword "
		"stands.\r\n"},
	    {"HELP 5.8\r\n",
		"504 5.5.4 No help for that: HELP alone tells what there is help for "
		"(HELP commands)\r\n"},
	    {"HELP bdat\r\n", "214 2.0.0 BDAT octets [LAST]\r\n"},
	    {"DATA\r\n",
		"503 5.5.1 Bad sequence of commands: EHLO or HELO first (HELP commands)\r\n"},
	    {"VRFY\r\n", "501 5.5.4 Syntax: VRFY name (HELP commands)\r\n"},
	};
	struct smtp_server_options options = drive_options();
	struct drive drive;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		drive_init(&drive, &options);
		drive_pump(&drive);
		assert_string_equal(drive_text(&drive.output), "220 mx.test ESMTP\r\n");
		buf_reset(&drive.output);
		drive_send_str(&drive, rows[i].client);
		assert_string_equal(drive_text(&drive.output), rows[i].said);
		drive_fini(&drive);
	}
	options.software_in_greeting = true;
	drive_init(&drive, &options);
	drive_pump(&drive);
	assert_string_equal(drive_text(&drive.output), "220 mx.test ESMTP Postrider\r\n");
	drive_fini(&drive);
}

static void
all_extensions(struct smtp_server_options *options)
{
	options->extensions = UINT32_MAX;
	options->hold_max_s = 100;
	options->by_min_s = 10;
	options->solicit_refused = SPAN("a:ADV,b:ADV");
	options->wall_ms = 1795751306000;
}

static const struct dialogue extension_dialogues[] = {
    {"all that goes with MAIL, and with RCPT",
	"EHLO a\r\nMAIL FROM:<x@a> RET=HDRS ENVID=i HOLDFOR=9 BY=10;RT MT-PRIORITY=-3 "
	"SOLICIT=c\r\nRCPT TO:<y@b> NOTIFY=DELAY,FAILURE ORCPT=rfc822;z@b\r\n",
	"mail x@a hdrs envid=i for=9 by=10RT priority=-3 solicit=c; "
	"rcpt y@b notify=12 orcpt=rfc822;z@b",
	"220 250 250 250", all_extensions},
    {"what goes against the rules",
	"EHLO a\r\nMAIL FROM:<> HOLDFOR=101\r\nMAIL FROM:<> BY=9;R\r\n"
	"MAIL FROM:<> REQUIRETLS\r\nMAIL FROM:<> SOLICIT=c,b:adv\r\n",
	"refused 501; refused 550; refused 530; refused 550", "220 250 501 550 530 550",
	all_extensions},
    {"octets behind the header of a binary message",
	"EHLO a\r\nMAIL FROM:<x@a> BODY=BINARYMIME\r\nRCPT TO:<y@b>\r\n"
	"BDAT 5\r\na:b\r\nBDAT 9 LAST\r\n\r\na\nb\rc\r\rNOOP\r\n",
	"mail x@a binary; rcpt y@b; data; end(a:b||a\nb\rc\r\r)",
	"220 250 250 250 250 250 250", all_extensions},
    {"its header has lines",
	"EHLO a\r\nMAIL FROM:<x@a> BODY=BINARYMIME\r\nRCPT TO:<y@b>\r\n"
	"BDAT 8 LAST\r\na\nb\r\n\r\nx",
	"mail x@a binary; rcpt y@b; data; abort; refused 554", "220 250 250 250 554",
	all_extensions},
    {"it does not come with DATA, and the next message is none",
	"EHLO a\r\nMAIL FROM:<x@a> BODY=BINARYMIME\r\nRCPT TO:<y@b>\r\nDATA\r\nRSET\r\n"
	"MAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\nBDAT 5 LAST\r\n\r\na\nb",
	"mail x@a binary; rcpt y@b; refused 503; abort; " IN_DATA "; abort; refused 554",
	"220 250 250 250 503 250 250 250 554", all_extensions},
};

static void
extensions_do_what_they_say(void **state)
{
	(void)state;
	check_dialogues(extension_dialogues, LEN(extension_dialogues));
}

/* Behind EHLO it may be the client itself that speaks, through a proxy that passes all on. */
static void
xclient_is_over_with_ehlo(void **state)
{
	struct smtp_server_options options = drive_options();
	struct drive drive;

	(void)state;
	options.xclient = true;
	drive_init(&drive, &options);
	drive_send_str(&drive, "EHLO a\r\nXCLIENT FOO=1\r\nXCLIENT ADDR=192.0.2.1\r\n"
			       "XCLIENT HELO=b\r\nEHLO b\r\nXCLIENT ADDR=192.0.2.2\r\n");
	assert_string_equal(drive_text(&drive.replies), "220 250 501 220 220 250 550");
	drive_fini(&drive);
}

static void
lmtp_has_names_of_its_own(void **state)
{
	struct smtp_server_options options = drive_options();
	struct drive drive;

	(void)state;
	options.lmtp = true;
	drive_init(&drive, &options);
	drive_send_str(&drive, "EHLO a\r\nLHLO a\r\n");
	assert_string_equal(drive_text(&drive.replies), "220 500 250");
	assert_string_equal(smtp_server_protocol(drive.server), "LMTP");
	drive_send_str(&drive, "MAIL FROM:<x@a> SMTPUTF8\r\nRCPT TO:<y@b>\r\n");
	assert_string_equal(smtp_server_protocol(drive.server), "UTF8LMTP");
	drive_fini(&drive);
}

static void
ehlo_tells_what_is_offered(void **state)
{
	struct smtp_server_options options = drive_options();
	struct drive drive;

	(void)state;
	options.tls_offered = true;
	all_extensions(&options);
	drive_init(&drive, &options);
	drive_pump(&drive);
	buf_reset(&drive.output);
	drive_send_str(&drive, "EHLO a\r\n");
	assert_string_equal(drive_text(&drive.output),
	    "250-mx.test greets you\r\n250-PIPELINING\r\n250-SIZE 100000\r\n"
	    "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
	    "250-BINARYMIME\r\n250-DSN\r\n250-FUTURERELEASE 100 2026-11-27T03:50:06Z\r\n"
	    "250-DELIVERBY 10\r\n250-MT-PRIORITY\r\n250-NO-SOLICITING a:ADV,b:ADV\r\n"
	    "250-LIMITS RCPTMAX=100\r\n"
	    "250-STARTTLS\r\n250-ETRN\r\n250 HELP\r\n");
	drive_send_str(&drive, "STARTTLS\r\n\x02");
	buf_reset(&drive.output);
	drive_send_str(&drive, "EHLO a\r\nMAIL FROM:<x@a> REQUIRETLS\r\n");
	assert_non_null(strstr(drive_text(&drive.output), "250-REQUIRETLS\r\n"));
	assert_string_equal(drive_text(&drive.events), "starttls; mail x@a requiretls");
	drive_fini(&drive);
}

static void
sessions_have_limits(void **state)
{
	(void)state;
	check_dialogues(limit_dialogues, LEN(limit_dialogues));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_do_what_they_say),
	    cmocka_unit_test(a_nul_in_a_command_is_refused),
	    cmocka_unit_test(each_command_in_each_state),
	    cmocka_unit_test(chunks_are_counted_not_read),
	    cmocka_unit_test(a_name_has_a_limit),
	    cmocka_unit_test(help_tells_how_commands_are_written),
	    cmocka_unit_test(extensions_do_what_they_say),
	    cmocka_unit_test(ehlo_tells_what_is_offered),
	    cmocka_unit_test(xclient_is_over_with_ehlo),
	    cmocka_unit_test(lmtp_has_names_of_its_own),
	    cmocka_unit_test(sessions_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
