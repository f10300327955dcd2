/* Passwords come from a terminal or from standard input, never from arguments, which all see. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/arena.h"
#include "cli/cli_user_internal.h"
#include "sasl/sasl.h"

static bool
read_line(struct buf *password)
{
	char c;
	ssize_t count;

	while ((count = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		buf_add_char(password, c);
	if (password->len > 0 && password->ptr[password->len - 1] == '\r')
		password->len--;
	return count >= 0;
}

static bool
ask(const char *prompt, struct buf *password)
{
	struct termios old, quiet;
	bool good;

	if (tcgetattr(STDIN_FILENO, &old))
		return false;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fputs(prompt, stderr);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet))
		return false;
	good = read_line(password);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	fputc('\n', stderr);
	return good;
}

static bool
refuse(const char *why)
{
	fprintf(stderr, "postrider: %s\n", why);
	return false;
}

static bool
is_usable(const struct buf *password)
{
	if (buf_finish(password) || password->len > SASL_PASSWORD_BYTES_MAX)
		return refuse("the password is too long");
	if (password->len == 0)
		return refuse("there is no password on standard input");
	for (size_t i = 0; i < password->len; i++)
		if ((unsigned char)password->ptr[i] < 0x20 || password->ptr[i] == 0x7f)
			return refuse("the password has a control character");
	return true;
}

bool
user_password_read(struct buf *password)
{
	struct buf again;
	bool same;

	/* All of the room at once: a buffer that grows would leave a copy behind. */
	password->room = password->bytes_max;
	password->ptr = mem_alloc(password->room);
	if (!isatty(STDIN_FILENO))
		return (read_line(password) || refuse("cannot read standard input")) &&
		       is_usable(password);
	if (!ask("Password: ", password) || !is_usable(password))
		return false;
	buf_init(&again, password->bytes_max);
	again.room = again.bytes_max;
	again.ptr = mem_alloc(again.room);
	same = ask("Again: ", &again) && span_eq(buf_span(password), buf_span(&again));
	mem_wipe(again.ptr, again.room);
	buf_fini(&again);
	return same || refuse("the two are not the same");
}
