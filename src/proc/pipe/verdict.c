#include "proc/pipe/verdict.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/utf8.h"

enum {
	SIGNALLED = 128,
	NOT_RUNNABLE = 126, /* what shells say of a program that they cannot run, */
	NOT_FOUND = 127,    /* or do not find */
	NUMBER_DIGITS_MAX = 3,
	OUTPUT_BYTES_MAX = 1400, /* of the text; the whole of it is in the log */
};

/* Mail is not returned for what an administrator, or time, can mend. */
static const struct {
	int status;
	const char *name, *code, *text;
} meanings[] = {
    {EX_USAGE, "EX_USAGE", "5.3.0",
	"it does not understand its command line; check the words of \"pipe\""},
    {EX_DATAERR, "EX_DATAERR", "5.6.0", "it does not understand the message"},
    {EX_NOINPUT, "EX_NOINPUT", "5.3.0",
	"a file that it reads is missing or may not be read; look for what it says"},
    {EX_NOUSER, "EX_NOUSER", "5.1.1", "it knows no such user"},
    {EX_NOHOST, "EX_NOHOST", "5.1.2", "it knows no such host"},
    {EX_UNAVAILABLE, "EX_UNAVAILABLE", "5.3.0",
	"something that it needs is not there; run it by hand to see what"},
    {EX_SOFTWARE, "EX_SOFTWARE", "5.3.0", "it found an error in itself; tell its makers"},
    {EX_OSERR, "EX_OSERR", "4.3.0",
	"the system refused it something (processes, memory); look at the limits of its user"},
    {EX_OSFILE, "EX_OSFILE", "4.3.5",
	"a file of the system is missing or damaged; mend it, and the mail goes on"},
    {EX_CANTCREAT, "EX_CANTCREAT", "5.2.0",
	"it cannot make its file; check folder and rights of its user"},
    {EX_IOERR, "EX_IOERR", "4.3.0", "reading or writing failed; check disk and quota"},
    {EX_TEMPFAIL, "EX_TEMPFAIL", "4.3.0", "it asks to be run again later"},
    {EX_PROTOCOL, "EX_PROTOCOL", "5.5.0", "another program answered it wrongly"},
    {EX_NOPERM, "EX_NOPERM", "5.7.0",
	"it, or its user, may not do that; check its rights, and whether the sender may"},
    {EX_CONFIG, "EX_CONFIG", "5.3.5", "its configuration is wrong; mend it"},
    {NOT_RUNNABLE, "by a shell: cannot be run", "4.3.5",
	"a program that it starts cannot be run; mend it, and the mail goes on"},
    {NOT_FOUND, "by a shell: not found", "4.3.5",
	"a program that it starts is not there; mend it, and the mail goes on"},
};

/* Takes digits and, but at the end, a dot; adds them. */
static bool
take_number(struct span *rest, struct buf *out, bool last)
{
	size_t len = 0;

	while (len < rest->len && ascii_is_digit(rest->ptr[len]))
		len++;
	if (len == 0 || len > NUMBER_DIGITS_MAX ||
	    (len > 1 && rest->ptr[0] == '0') ||
	    (!last && (len == rest->len || rest->ptr[len] != '.')))
		return false;
	len += !last;
	buf_add(out, span_first(*rest, len));
	*rest = span_skip(*rest, len);
	return true;
}

/* What the first line begins with is the program's own word for what became of it (RFC 3463). */
static bool
own_status(struct span output, char status[VERDICT_STATUS_BYTES])
{
	struct buf found;
	bool good;

	if (output.len < 2 || (output.ptr[0] != '4' && output.ptr[0] != '5') ||
	    output.ptr[1] != '.')
		return false;
	buf_init(&found, VERDICT_STATUS_BYTES);
	good = take_number(&output, &found, false) && take_number(&output, &found, false) &&
	    take_number(&output, &found, true) &&
	    (output.len == 0 || memchr(" \t\r\n", output.ptr[0], 4) != NULL);
	if (good)
		snprintf(status, VERDICT_STATUS_BYTES, "%.*s", SPAN_ARGS(buf_span(&found)));
	buf_fini(&found);
	return good;
}

static bool
is_control(uint32_t character)
{
	return character < ' ' || (character >= 127 && character < 160);
}

void
verdict_write_output(struct buf *out, struct span output)
{
	struct span line;
	bool any = false;

	while (span_cut(&output, '\n', &line)) {
		line = span_trim(line);
		if (line.len == 0)
			continue;
		if (any)
			buf_add_str(out, "; ");
		any = true;
		while (line.len > 0) {
			uint32_t character;
			size_t len = utf8_take(line, &character);

			if (len == 0 || is_control(character))
				buf_add_char(out, line.ptr[0] == '\t' ? ' ' : '?');
			else
				buf_add(out, span_first(line, len));
			line = span_skip(line, len ? len : 1);
		}
	}
}

static void
set(struct verdict *verdict, enum ipc_outcome outcome, const char *status)
{
	verdict->outcome = outcome;
	snprintf(verdict->status, sizeof(verdict->status), "%s", status);
}

static void
find_not_started(
    const struct verdict_end *end, struct verdict *verdict, struct buf *text)
{
	set(verdict, IPC_DEFERRED, "4.3.5");
	buf_addf(text,
	    "the program %.*s cannot be run as %.*s: %s; see that it, and the interpreter that it "
	    "names, are there and that this user may run them",
	    SPAN_ARGS(end->program), SPAN_ARGS(end->user), err_text(end->err));
}

static void
find_by_status(
    const struct verdict_end *end, struct verdict *verdict, struct buf *text)
{
	size_t i = 0;

	while (i < LEN(meanings) && meanings[i].status != end->status)
		i++;
	buf_addf(text, "the program %.*s ended with status %d", SPAN_ARGS(end->program),
	    end->status);
	if (i < LEN(meanings))
		buf_addf(text, " (%s): %s", meanings[i].name, meanings[i].text);
	else
		buf_add_str(text, ", which means that it failed");
	set(verdict, IPC_FAILED, i < LEN(meanings) ? meanings[i].code : "5.3.0");
	err_ignore(own_status(end->output, verdict->status) ? OK : ERR_NOT_FOUND,
	    "without one of its own the exit status says it");
	if (verdict->status[0] == '4')
		verdict->outcome = IPC_DEFERRED;
}

void
verdict_find(const struct verdict_end *end, struct verdict *verdict, struct buf *text)
{
	struct buf said;

	*verdict = (struct verdict){0};
	if (end->err) {
		find_not_started(end, verdict, text);
		return;
	}
	buf_init(&said, OUTPUT_BYTES_MAX);
	verdict_write_output(&said, end->output);
	if (end->time_ms > 0) {
		set(verdict, IPC_DEFERRED, "4.3.0");
		verdict->in_doubt = true;
		buf_addf(text,
		    "the program %.*s was not done in %llu s, and was ended; give it more "
		    "\"time\", or see what it waits for",
		    SPAN_ARGS(end->program), (unsigned long long)(end->time_ms / 1000));
	} else if (end->status == EX_OK) {
		set(verdict, IPC_DELIVERED, "2.0.0");
		buf_addf(text, "%.*s", SPAN_ARGS(end->program));
	} else if (end->status > SIGNALLED) {
		set(verdict, IPC_DEFERRED, "4.3.0");
		verdict->in_doubt = true;
		buf_addf(text, "the program %.*s was ended by signal %d; run it by hand to see why",
		    SPAN_ARGS(end->program), end->status - SIGNALLED);
	} else {
		find_by_status(end, verdict, text);
	}
	if (said.len > 0)
		buf_addf(text, "; it said: %.*s", SPAN_ARGS(buf_span(&said)));
	buf_fini(&said);
}
