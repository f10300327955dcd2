/*
 * The log: lines are gathered in one buffer and written at the end of a turn, those of
 * several turns at once: after LATE_MS, or when there are many.
 *
 * The log never blocks a role for good and never grows without bound.  Where
 * the descriptor takes no more, lines wait here; where they fill the buffer,
 * new ones are counted instead, and the count is logged once there is room.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <unistd.h>

enum { RETRY_MS = 100, LATE_MS = 10, MANY_BYTES = 16 << 10, SYSLOG_BYTES_MAX = 8192 };

static void
retry(uv_timer_t *timer)
{
	io_log_write(timer->data);
}

void
io_log_create(struct io *io)
{
	buf_init(&io->log, IO_LOG_BYTES_MAX);
	io->log_fd = STDERR_FILENO;
	uv_timer_init(&io->loop, &io->log_timer);
	io->log_timer.data = io;
	uv_unref((uv_handle_t *)&io->log_timer);
}

static void
add(struct io *io, struct span line)
{
	size_t at = io->log.len;

	buf_add(&io->log, line);
	/* A line end inside would let whoever chose these bytes forge a line. */
	for (; at < io->log.len; at++)
		if (io->log.ptr[at] == '\n')
			io->log.ptr[at] = ' ';
	buf_add_char(&io->log, '\n');
}

void
io_log(struct io *io, struct span line)
{
	if (line.len + 1 > buf_space(&io->log))
		io_log_write(io);
	if (line.len + 1 > buf_space(&io->log))
		io->log_lost++;
	else
		add(io, line);
}

/* Once the buffer is empty: a line about those that found it full. */
static void
tell_lost(struct io *io)
{
	struct buf line;

	io->log_lost_told = 0;
	if (io->log_lost == 0)
		return;
	buf_init(&line, 64);
	buf_add_str(&line, "event=log_lost count=");
	buf_add_u64(&line, io->log_lost);
	io->log_lost_told = io->log_lost;
	io->log_lost = 0;
	add(io, buf_span(&line));
	buf_fini(&line);
}

/* Gives up on what is kept from at on; all its lines are counted. */
static void
drop(struct io *io, size_t at)
{
	for (; at < io->log.len; at++)
		io->log_lost += io->log.ptr[at] == '\n';
	if (io->log_lost_told > 0)
		io->log_lost += io->log_lost_told - 1;
	io->log_lost_told = 0;
	buf_reset(&io->log);
	io->log_torn = io->log_cut;
}

static ssize_t
write_syslog_line(int fd, struct span line)
{
	/* Facility mail, severity info, as syslog(3) would send them. */
	static const char prefix[] = "<22>postrider: ";
	char packet[SYSLOG_BYTES_MAX];
	size_t len = sizeof(prefix) - 1;

	line = span_first(line, sizeof(packet) - len);
	memcpy(packet, prefix, len);
	if (line.len)
		memcpy(packet + len, line.ptr, line.len);
	return send(fd, packet, len + line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Writes some of the bytes; how many are settled, or -1 and errno. */
static ssize_t
write_some(struct io *io, struct span rest)
{
	size_t line_bytes;
	ssize_t wrote;

	if (io->log_syslog) {
		line_bytes = span_find(rest, '\n');
		if (write_syslog_line(io->log_fd, span_first(rest, line_bytes)) < 0)
			return -1;
		return (ssize_t)line_bytes + 1;
	}
	/* The next line is not to be glued to one that was given up in its middle. */
	if (io->log_torn) {
		wrote = write(io->log_fd, "\n", 1);
		io->log_torn = wrote != 1;
		return wrote < 0 ? -1 : 0;
	}
	wrote = write(io->log_fd, rest.ptr, rest.len);
	if (wrote > 0)
		io->log_cut = rest.ptr[wrote - 1] != '\n';
	return wrote;
}

void
io_log_write(struct io *io)
{
	size_t at = 0;

	while (at < io->log.len) {
		struct span rest = span_skip(buf_span(&io->log), at);
		ssize_t wrote = write_some(io, rest);

		if (wrote >= 0) {
			at += (size_t)wrote;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			if (!io->ending)
				uv_timer_start(&io->log_timer, retry, RETRY_MS, 0);
			break;
		} else if (errno != EINTR) {
			drop(io, at);
			return;
		}
		if (at == io->log.len) {
			buf_reset(&io->log);
			at = 0;
			tell_lost(io);
		}
	}
	buf_consume(&io->log, at);
	/* A burst leaves no large buffer behind. */
	if (io->log.len == 0 && io->log.room > IO_LOG_BYTES_MAX / 4)
		buf_fini(&io->log);
}

void
io_log_turn(struct io *io)
{
	if (io->log.len >= MANY_BYTES)
		io_log_write(io);
	else if (io->log.len > 0 && !uv_is_active((uv_handle_t *)&io->log_timer))
		uv_timer_start(&io->log_timer, retry, LATE_MS, 0);
}

void
io_log_to(struct io *io, int fd, bool syslog)
{
	io_log_write(io);
	io->log_cut = io->log_torn = false;
	io->log_fd = fd;
	io->log_syslog = syslog;
}

void
io_log_destroy(struct io *io)
{
	io_log_write(io);
	uv_close((uv_handle_t *)&io->log_timer, NULL);
	buf_fini(&io->log);
}
