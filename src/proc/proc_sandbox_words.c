/*
 * The last words of a process that asked the kernel for what it may not.  The handler runs in
 * whatever state the process is, perhaps an attacker's: it makes two calls, of which both are on
 * every role's list, and dies.  No role may give SIGSYS another handler.
 */
#include "proc/proc_sandbox.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"

enum { WORDS_MAGIC = 0x53595343 };

struct words {
	uint32_t magic;
	int32_t call;
};

static void
say(int number, siginfo_t *info, void *context)
{
	const struct words words = {WORDS_MAGIC, info->si_syscall};
	ssize_t wrote = pwrite(PROC_FD_WORDS, &words, sizeof(words), 0);

	(void)wrote;
	(void)context;
	/* SA_RESETHAND has given the signal its default action back, which is the end. */
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

enum err
proc_words_listen(void)
{
	struct sigaction action = {
	    .sa_sigaction = say,
	    .sa_flags = (int)(SA_SIGINFO | SA_NODEFER | SA_RESETHAND),
	};

	return sigaction(SIGSYS, &action, NULL) ? err_from_errno(errno) : OK;
}

int
proc_words_create(void)
{
	return memfd_create("postrider-words", MFD_CLOEXEC);
}

int
proc_words_call(int fd)
{
	struct words words;

	if (fd < 0 || pread(fd, &words, sizeof(words), 0) != (ssize_t)sizeof(words) ||
	    words.magic != WORDS_MAGIC)
		return -1;
	return words.call;
}
