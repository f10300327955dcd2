/*
 * A client that does harm.  Each session is one of a list of evils; most end in the middle.  What
 * it smuggles names a letter that must never come out.
 */
#include <stdio.h>

#include "base/arena.h"
#include "sim_actors.h"

enum { PENDING_MAX = 256 << 10, SESSION_MS_MAX = 600 * 1000 };

enum evil {
	EVIL_GARBAGE,
	EVIL_ENDLESS_LINE,
	EVIL_DROP_ANYWHERE,
	EVIL_HALF_CLOSE,
	EVIL_SLOW_BYTES,
	EVIL_SMUGGLE,
	EVIL_AFTER_DATA,
	EVIL_BARE_LF,
	EVIL_RELAY,
	EVIL_MANY_COMMANDS,
	EVIL_BIG_CHUNK,
	EVIL_DEAF,
	EVIL_COUNT,
};

struct hostile {
	struct oracle *oracle;
	struct io *io;
	struct net_addr to;
	struct oracle_letter *bait, *smuggled;
	unsigned sessions;
	uint64_t every_ms;
	enum evil evil;
	struct io_stream *stream;
	bool connecting;
	struct io_op connect, read;
	struct io_timer timer, end;
	struct buf script; /* what is left to say */
	/* Without a 354 the lines of a message are commands, and nothing in them is smuggled. */
	bool waits; /* for it; so much of the script may be said before: */
	size_t before;
	bool in_line; /* of what is read */
	size_t piece_max;
};

static struct sim *
sim_of(const struct hostile *hostile)
{
	return oracle_sim(hostile->oracle);
}

static uint64_t
chance(const struct hostile *hostile, uint64_t below)
{
	return sim_chance(sim_of(hostile), below);
}

static void
session_over(struct hostile *hostile, bool reset)
{
	io_timer_stop(hostile->io, &hostile->timer);
	io_timer_stop(hostile->io, &hostile->end);
	if (hostile->connecting)
		io_abort(hostile->connect.stream);
	if (reset)
		io_abort(hostile->stream);
	else
		io_close(hostile->stream);
	hostile->stream = NULL;
	hostile->connecting = false;
	if (hostile->sessions > 0)
		io_timer_start(hostile->io, &hostile->timer,
		    hostile->every_ms / 2 + chance(hostile, hostile->every_ms));
}

static void
write_envelope_to(
    struct hostile *hostile, const struct oracle_letter *letter, const char *address)
{
	buf_addf(&hostile->script, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n",
	    letter->letter.from, address);
}

static void
write_envelope(struct hostile *hostile, const struct oracle_letter *letter)
{
	write_envelope_to(hostile, letter, letter->rcpts[0].address);
}

/* Ends of data for whoever takes less, or more, than CRLF "." CRLF for one. */
static void
write_smuggled(struct hostile *hostile)
{
	static const char *const ends[] = {"\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r",
	    "\r.\r\n", "\n\n.\r\n", "\r\n\0.\r\n", "\r\n.\0\r\n", "\n.\r\r\n"};
	static const uint8_t bytes[] = {3, 4, 3, 4, 4, 4, 5, 6, 6, 5};
	size_t which = chance(hostile, LEN(ends));

	write_envelope(hostile, hostile->bait);
	hostile->waits = true;
	hostile->before = hostile->script.len;
	buf_add_str(&hostile->script, "Subject: harmless\r\n\r\nbody");
	buf_add(&hostile->script, span_of(ends[which], bytes[which]));
	write_envelope(hostile, hostile->smuggled);
	buf_add_str(&hostile->script, "Subject: evil\r\n\r\nevil\r\n.\r\nQUIT\r\n");
}

static void
write_garbage(struct hostile *hostile, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		buf_add_char(&hostile->script, (char)chance(hostile, 256));
}

static void
write_script(struct hostile *hostile)
{
	struct buf *script = &hostile->script;

	buf_reset(script);
	hostile->waits = hostile->in_line = false;
	if (hostile->evil != EVIL_GARBAGE)
		buf_add_str(script, "EHLO evil.example\r\n");
	switch (hostile->evil) {
	case EVIL_GARBAGE:
		write_garbage(hostile, chance(hostile, 20000));
		break;
	case EVIL_ENDLESS_LINE:
		if (chance(hostile, 2))
			write_envelope(hostile, hostile->bait);
		for (size_t i = chance(hostile, 200000); i > 0; i--)
			buf_add_char(script, 'a');
		break;
	case EVIL_SMUGGLE:
		write_smuggled(hostile);
		break;
	case EVIL_AFTER_DATA:
		/* What follows an end of data in one go is commands, not another's mail. */
		write_envelope(hostile, hostile->bait);
		buf_addf(script, "a\r\n.\r\nXYZZY\r\nMAIL FROM:<%s> SIZE=99999999999\r\n",
		    hostile->smuggled->letter.from);
		buf_addf(script, "RCPT TO:<%s>\r\nDATA\r\nnot data\r\nRSET\r\n",
		    hostile->smuggled->rcpts[0].address);
		break;
	case EVIL_BARE_LF:
		buf_addf(script, "MAIL FROM:<%s>\nRCPT TO:<%s>\n", hostile->smuggled->letter.from,
		    hostile->bait->rcpts[0].address);
		buf_add_str(script, "DATA\nevil\n.\n");
		break;
	case EVIL_RELAY:
		write_envelope_to(hostile, hostile->smuggled, hostile->smuggled->rcpts[1].address);
		buf_add_str(script, "evil\r\n.\r\n");
		break;
	case EVIL_MANY_COMMANDS:
		for (unsigned i = 0; i < 3000; i++)
			buf_add_str(script, i % 7 ? "NOOP\r\n" : "VRFY ann\r\nFOO\r\n");
		break;
	case EVIL_BIG_CHUNK:
		buf_addf(script, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nBDAT 99999999999\r\n",
		    hostile->bait->letter.from, hostile->bait->rcpts[0].address);
		write_garbage(hostile, chance(hostile, 100000));
		break;
	case EVIL_DROP_ANYWHERE:
	case EVIL_HALF_CLOSE:
	case EVIL_SLOW_BYTES:
	case EVIL_DEAF:
	case EVIL_COUNT:
		write_envelope(hostile, hostile->bait);
		buf_add_str(script, "Subject: x\r\n\r\nsome text\r\nand more\r\n.\r\nQUIT\r\n");
	}
	if (hostile->evil == EVIL_DROP_ANYWHERE || chance(hostile, 4) == 0)
		script->len = chance(hostile, script->len + 1);
	if (hostile->before > script->len)
		hostile->before = script->len;
}

static void
say_more(struct io_timer *timer)
{
	struct hostile *hostile = timer->owner;
	struct buf *script = &hostile->script;
	size_t bytes = 1 + chance(hostile, hostile->piece_max);
	size_t left = hostile->waits ? hostile->before : script->len;

	if (!hostile->stream)
		return;
	if (io_pending(hostile->stream) < PENDING_MAX) {
		if (bytes > left)
			bytes = left;
		hostile->before -= hostile->waits ? bytes : 0;
		io_send(hostile->stream, span_of(script->ptr, bytes));
		buf_consume(script, bytes);
	}
	if (hostile->waits && hostile->before == 0 && script->len > 0)
		return;
	if (script->len > 0) {
		io_timer_start(hostile->io, &hostile->timer,
		    hostile->piece_max < 10 ? 1 + chance(hostile, 3000) : chance(hostile, 20));
	} else if (hostile->evil == EVIL_HALF_CLOSE) {
		sim_stream_shutdown(hostile->stream);
	} else if (hostile->evil == EVIL_DROP_ANYWHERE) {
		session_over(hostile, chance(hostile, 2));
	}
}

/* False: the server takes no data, so there is nothing to smuggle it in. */
static bool
read_replies(struct hostile *hostile, struct span bytes)
{
	for (size_t i = 0; i < bytes.len && hostile->waits; i++) {
		char c = bytes.ptr[i];

		if (!hostile->in_line && (c == '4' || c == '5'))
			return false;
		if (!hostile->in_line && c == '3') {
			hostile->waits = false;
			io_timer_start(hostile->io, &hostile->timer, chance(hostile, 20));
		}
		hostile->in_line = c != '\n';
	}
	return true;
}

static void
read_done(struct io_op *op)
{
	struct hostile *hostile = op->owner;

	if (op->err || !read_replies(hostile, op->bytes))
		session_over(hostile, false);
	else
		io_read(hostile->stream, &hostile->read);
}

static void
connected(struct io_op *op)
{
	struct hostile *hostile = op->owner;

	hostile->connecting = false;
	if (op->err) {
		session_over(hostile, false);
		return;
	}
	hostile->stream = op->stream;
	write_script(hostile);
	if (hostile->evil != EVIL_DEAF)
		io_read(hostile->stream, &hostile->read);
	io_timer_start(hostile->io, &hostile->timer, chance(hostile, 1000));
}

static void
ended(struct io_timer *timer)
{
	session_over(timer->owner, true);
}

static void
begin(struct io_timer *timer)
{
	struct hostile *hostile = timer->owner;

	if (hostile->stream) {
		say_more(timer);
		return;
	}
	hostile->sessions--;
	hostile->evil = (enum evil)chance(hostile, EVIL_COUNT);
	hostile->piece_max = hostile->evil == EVIL_SLOW_BYTES ? 3 : 1 + chance(hostile, 5000);
	sim_trace(sim_of(hostile), "hostile %d", (int)hostile->evil);
	hostile->connecting = true;
	hostile->connect = (struct io_op){.done = connected, .owner = hostile};
	hostile->read = (struct io_op){.done = read_done, .owner = hostile};
	io_timer_start(hostile->io, &hostile->end, chance(hostile, SESSION_MS_MAX));
	io_connect(hostile->io, &hostile->connect, &hostile->to);
}

struct hostile *
hostile_create(struct oracle *oracle, struct io *io, const struct net_addr *to,
    struct oracle_letter *bait, struct oracle_letter *smuggled, unsigned sessions,
    uint64_t every_ms)
{
	struct hostile *hostile = mem_alloc(sizeof(*hostile));

	hostile->oracle = oracle;
	hostile->io = io;
	hostile->to = *to;
	hostile->bait = bait;
	hostile->smuggled = smuggled;
	hostile->sessions = sessions;
	hostile->every_ms = every_ms;
	hostile->timer = (struct io_timer){.fired = begin, .owner = hostile};
	hostile->end = (struct io_timer){.fired = ended, .owner = hostile};
	buf_init(&hostile->script, 1 << 20);
	if (sessions > 0)
		io_timer_start(io, &hostile->timer, every_ms);
	return hostile;
}

void
hostile_destroy(struct hostile *hostile)
{
	buf_fini(&hostile->script);
	mem_free(hostile);
}

bool
hostile_is_done(const struct hostile *hostile)
{
	return hostile->sessions == 0 && !hostile->stream && !hostile->connecting;
}
