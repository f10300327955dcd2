/*
 * For tests, by LD_PRELOAD: a role that ends when it writes a certain text, as one would that has
 * a mistake which some message meets.  POSTRIDER_TEST_CRASH is "ROLE:TEXT".  Where
 * POSTRIDER_TEST_FORBIDDEN is set it does not end by itself, but does what an attacker would: it
 * opens a connection of its own and writes to standard error that it could.  The queue ends only
 * when it writes it to another process, not to its spool.  Nothing of it is in the server.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *text;
static size_t text_bytes;
static bool sockets_only;
static bool forbidden;

/* Before the role gives up /proc with its rights. */
__attribute__((constructor)) static void
begin(void)
{
	const char *order = getenv("POSTRIDER_TEST_CRASH");
	const char *colon = order ? strchr(order, ':') : NULL;
	char arguments[4096], wanted[64] = "role";
	FILE *file = fopen("/proc/self/cmdline", "r");
	size_t count, role_bytes;

	if (!file)
		return;
	count = fread(arguments, 1, sizeof(arguments), file);
	fclose(file);
	role_bytes = colon ? (size_t)(colon - order) : sizeof(wanted);
	if (role_bytes > 30)
		return;
	/* Arguments end with a NUL each; so does what is looked for. */
	memcpy(wanted + 5, order, role_bytes);
	if (!memmem(arguments, count, wanted, 5 + role_bytes + 1))
		return;
	sockets_only = strncmp(order, "queue:", 6) == 0;
	forbidden = getenv("POSTRIDER_TEST_FORBIDDEN") != NULL;
	text = colon + 1;
	text_bytes = strlen(text);
}

static void
look(int fd, const void *bytes, size_t count)
{
	struct stat status;

	if (!text || !bytes || !memmem(bytes, count, text, text_bytes))
		return;
	if (sockets_only && (fstat(fd, &status) || !S_ISSOCK(status.st_mode)))
		return;
	if (!forbidden)
		raise(SIGKILL);
	text = NULL;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		fprintf(stderr, "crash_on: the sandbox let it through\n");
}

static void
look_at_all(int fd, const struct iovec *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++)
		look(fd, pieces[i].iov_base, pieces[i].iov_len);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t
write(int fd, const void *bytes, size_t count)
{
	look(fd, bytes, count);
	return REAL(write)(fd, bytes, count);
}

ssize_t
writev(int fd, const struct iovec *pieces, int count)
{
	look_at_all(fd, pieces, (size_t)count);
	return REAL(writev)(fd, pieces, count);
}

ssize_t
pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	look(fd, bytes, count);
	return REAL(pwrite)(fd, bytes, count, offset);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
	look(fd, bytes, count);
	return REAL(pwrite64)(fd, bytes, count, offset);
}

ssize_t
pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
	look_at_all(fd, pieces, (size_t)count);
	return REAL(pwritev)(fd, pieces, count, offset);
}

ssize_t
pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset)
{
	look_at_all(fd, pieces, (size_t)count);
	return REAL(pwritev64)(fd, pieces, count, offset);
}

ssize_t
send(int fd, const void *bytes, size_t count, int flags)
{
	look(fd, bytes, count);
	return REAL(send)(fd, bytes, count, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	look_at_all(fd, message->msg_iov, message->msg_iovlen);
	return REAL(sendmsg)(fd, message, flags);
}
