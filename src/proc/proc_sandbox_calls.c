/*
 * Seccomp: the calls that each bit of enum proc_may stands for.  What no row lets through ends
 * the process; a few calls that libraries try by themselves, and can live without, are only
 * refused.  Arguments are checked where that is cheap.
 *
 * The kernel compares 64 bits while it uses 32 of an int, so that a condition must name what is
 * allowed, never what is not: "not SIGSYS" would let through SIGSYS with a bit 33.
 */
#include "proc/proc_sandbox.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

enum {
	ALWAYS = 1 << MAY_BITS,
	MAY_USE_FILES = MAY_USE_SPOOL | MAY_USE_MAILDIRS | MAY_USE_POLICIES,
	MAY_CONNECT = MAY_CONNECT_TCP | MAY_CONNECT_UNIX | MAY_ASK_DNS,
	SANITIZERS = 1 << (MAY_BITS + 1), /* what their runtime does beside */
	CONDITIONS_MAX = 3,
	SOCKET_TYPE = 0xf,
	OPTIMIZE_BINARY_TREE = 2,
	/* Of the C library: cancelling a thread, changing the user in all threads. */
	SIGNAL_CANCEL = 32,
	SIGNAL_SETXID = 33,
};

/* Beside a new thread these would make a process, or another view of the system. */
#define THREAD_FLAGS (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_FLAGS_CHECKED                                                              \
	(THREAD_FLAGS | CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |      \
	    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PTRACE | CLONE_VFORK)

struct call {
	unsigned may; /* any of these lets it through */
	int number;
	const char *condition; /* in words, for people */
	unsigned when_count;
	struct scmp_arg_cmp when[CONDITIONS_MAX];
};

#define CALL(may, name) {may, SCMP_SYS(name), "", 0, {{0}}}
#define EQ(argument, value) {argument, SCMP_CMP_EQ, value, 0}
#define MASKED(argument, mask, value) {argument, SCMP_CMP_MASKED_EQ, mask, value}
#define CALL_IF(may, name, words, one) {may, SCMP_SYS(name), words, 1, {one}}
#define SOCKET(may, words, family, type, protocol)                                       \
	{may, SCMP_SYS(socket), words, 3,                                                \
	    {EQ(0, family), MASKED(1, SOCKET_TYPE, type), EQ(2, protocol)}}

static const struct call calls[] = {
    /* What it holds: read, write, wait. */
    CALL(ALWAYS, read),
    CALL(ALWAYS, write),
    CALL(ALWAYS, readv),
    CALL(ALWAYS, writev),
    CALL(ALWAYS, pread64),
    CALL(ALWAYS, close),
    CALL(ALWAYS, recvmsg),
    CALL(ALWAYS, recvfrom),
    CALL_IF(ALWAYS, sendmsg, "not as a connect", MASKED(2, MSG_FASTOPEN, 0)),
    CALL_IF(ALWAYS, sendto, "not as a connect", MASKED(3, MSG_FASTOPEN, 0)),
    CALL(ALWAYS, epoll_create1),
    CALL(ALWAYS, epoll_ctl),
    CALL(ALWAYS, epoll_wait),
    CALL(ALWAYS, epoll_pwait),
    CALL(ALWAYS, poll),
    CALL(ALWAYS, ppoll),
    CALL(ALWAYS, select),
    CALL(ALWAYS, pselect6),
    CALL(ALWAYS, lseek),
    CALL(ALWAYS, fstat),
    CALL_IF(ALWAYS, newfstatat, "of a descriptor", EQ(3, AT_EMPTY_PATH)),
    CALL(ALWAYS, dup),
    CALL_IF(ALWAYS, fcntl, "F_DUPFD", EQ(1, F_DUPFD)),
    CALL_IF(ALWAYS, fcntl, "F_DUPFD_CLOEXEC", EQ(1, F_DUPFD_CLOEXEC)),
    CALL_IF(ALWAYS, fcntl, "F_GETFD", EQ(1, F_GETFD)),
    CALL_IF(ALWAYS, fcntl, "F_SETFD", EQ(1, F_SETFD)),
    CALL_IF(ALWAYS, fcntl, "F_GETFL", EQ(1, F_GETFL)),
    CALL_IF(ALWAYS, fcntl, "F_SETFL", EQ(1, F_SETFL)),
    CALL_IF(ALWAYS, ioctl, "FIONBIO", EQ(1, FIONBIO)),
    CALL_IF(ALWAYS, ioctl, "FIONREAD", EQ(1, FIONREAD)),
    CALL_IF(ALWAYS, ioctl, "FIOCLEX", EQ(1, FIOCLEX)),
    CALL(ALWAYS, getsockname),
    CALL(ALWAYS, getpeername),
    CALL(ALWAYS, getsockopt),
    CALL(ALWAYS, setsockopt),
    CALL_IF(ALWAYS, shutdown, "of sending", EQ(1, SHUT_WR)),
    CALL_IF(ALWAYS, pwrite64, "of its last words", EQ(0, PROC_FD_WORDS)),

    /* Memory, none of it ever to be run. */
    CALL(ALWAYS, brk),
    CALL(ALWAYS, munmap),
    CALL(ALWAYS, mremap),
    CALL(ALWAYS, madvise),
    CALL_IF(ALWAYS, mmap, "not to be run", MASKED(2, PROT_EXEC, 0)),
    CALL_IF(ALWAYS, mprotect, "not to be run", MASKED(2, PROT_EXEC, 0)),

    /* Time, chance, itself. */
    CALL(ALWAYS, clock_gettime),
    CALL(ALWAYS, clock_getres),
    CALL(ALWAYS, gettimeofday),
    CALL(ALWAYS, time),
    CALL(ALWAYS, nanosleep),
    CALL(ALWAYS, clock_nanosleep),
    CALL(ALWAYS, getrandom),
    CALL(ALWAYS, getpid),
    CALL(ALWAYS, getppid),
    CALL(ALWAYS, gettid),
    CALL(ALWAYS, getuid),
    CALL(ALWAYS, geteuid),
    CALL(ALWAYS, getgid),
    CALL(ALWAYS, getegid),
    CALL(ALWAYS, uname),
    CALL(ALWAYS, sysinfo),
    CALL(ALWAYS, getrusage),
    CALL(ALWAYS, sched_getaffinity),
    CALL(ALWAYS, sched_yield),
    CALL_IF(ALWAYS, prlimit64, "to ask", EQ(2, 0)),
    CALL(ALWAYS, futex),
    CALL(ALWAYS, restart_syscall),
    CALL(ALWAYS, exit),
    CALL(ALWAYS, exit_group),
    CALL(ALWAYS, rt_sigreturn),
    CALL(ALWAYS, rt_sigprocmask),
    CALL(ALWAYS, sigaltstack),
    CALL_IF(ALWAYS, rt_sigaction, "SIGABRT", EQ(0, SIGABRT)),
    CALL_IF(ALWAYS, rt_sigaction, "SIGPIPE", EQ(0, SIGPIPE)),

    CALL_IF(MAY_THREADS, clone, "of a thread", MASKED(0, CLONE_FLAGS_CHECKED, THREAD_FLAGS)),
    CALL(MAY_THREADS, set_robust_list),
    CALL(MAY_THREADS, rseq),
    CALL_IF(MAY_THREADS, rt_sigaction, "of the C library", EQ(0, SIGNAL_CANCEL)),
    CALL_IF(MAY_THREADS, rt_sigaction, "of the C library", EQ(0, SIGNAL_SETXID)),
    CALL_IF(MAY_THREADS, prctl, "PR_SET_NAME", EQ(0, PR_SET_NAME)),

    CALL(MAY_ACCEPT, accept4),

    SOCKET(MAY_CONNECT_TCP | MAY_ASK_DNS, "TCP, IPv4", AF_INET, SOCK_STREAM, 0),
    SOCKET(MAY_CONNECT_TCP | MAY_ASK_DNS, "TCP, IPv6", AF_INET6, SOCK_STREAM, 0),
    SOCKET(MAY_ASK_DNS, "TCP, IPv4", AF_INET, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(MAY_ASK_DNS, "TCP, IPv6", AF_INET6, SOCK_STREAM, IPPROTO_TCP),
    SOCKET(MAY_ASK_DNS, "UDP, IPv4", AF_INET, SOCK_DGRAM, 0),
    SOCKET(MAY_ASK_DNS, "UDP, IPv6", AF_INET6, SOCK_DGRAM, 0),
    SOCKET(MAY_ASK_DNS, "UDP, IPv4", AF_INET, SOCK_DGRAM, IPPROTO_UDP),
    SOCKET(MAY_ASK_DNS, "UDP, IPv6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
    SOCKET(MAY_CONNECT_UNIX, "Unix", AF_UNIX, SOCK_STREAM, 0),
    CALL(MAY_CONNECT, connect),
    CALL(MAY_ASK_DNS | MAY_CONNECT_FROM, bind),
    CALL(MAY_ASK_DNS, pipe2),

    /* By which libcurl wakes itself. */
    CALL_IF(MAY_USE_POLICIES, socketpair, "Unix", EQ(0, AF_UNIX)),

    CALL(MAY_USE_FILES, openat),
    CALL(MAY_USE_FILES, getdents64),
    CALL(MAY_USE_FILES, pwrite64),
    CALL(MAY_USE_FILES, preadv),
    CALL(MAY_USE_FILES, preadv2),
    CALL(MAY_USE_FILES, pwritev),
    CALL(MAY_USE_FILES, pwritev2),
    CALL(MAY_USE_FILES, fsync),
    CALL(MAY_USE_FILES, fdatasync),
    CALL(MAY_USE_FILES, fallocate),
    CALL(MAY_USE_FILES, ftruncate),
    CALL(MAY_USE_FILES, fstatfs),
    CALL(MAY_USE_FILES, flock),
    CALL(MAY_USE_FILES, renameat),
    CALL(MAY_USE_FILES, linkat),
    CALL(MAY_USE_FILES, unlinkat),
    CALL(MAY_USE_FILES, mkdirat),

    CALL(SANITIZERS, openat),
    CALL(SANITIZERS, readlink),
    CALL(SANITIZERS, mmap),
    CALL(SANITIZERS, mprotect),
    CALL(SANITIZERS, rt_sigaction),
    CALL(SANITIZERS, prctl),
    CALL(SANITIZERS, personality),
    CALL(SANITIZERS, pipe2),
    CALL(SANITIZERS, process_vm_readv),
};

/* Tried by the C library and others, who go on where it fails. */
static const struct call refused[] = {
    CALL(0, open),
    CALL(0, openat),
    CALL(0, access),
    CALL(0, faccessat),
    CALL(0, faccessat2),
    CALL(0, readlink),
    CALL(0, readlinkat),
    CALL(0, stat),
    CALL(0, lstat),
    CALL(0, statx),
    CALL_IF(0, newfstatat, "by name", EQ(3, 0)),
    CALL_IF(0, newfstatat, "by name", EQ(3, AT_SYMLINK_NOFOLLOW)),
    CALL_IF(0, ioctl, "of a terminal", EQ(1, TCGETS)),
};

/* Newer than some kernels, so that libraries have another way. */
static const struct call unknown[] = {
    CALL(0, clone3),
    CALL(0, io_uring_setup),
    CALL(0, epoll_pwait2),
    CALL(0, membarrier),
};

/*
 * What the supervisor gives up: neither it nor a role that it starts, nor a command that a role
 * starts, has a use for these, root or not.
 */
static const int never[] = {SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(unshare),
    SCMP_SYS(setns), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
    SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    SCMP_SYS(syslog), SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(open_by_handle_at),
    SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp), SCMP_SYS(vhangup),
    SCMP_SYS(fanotify_init), SCMP_SYS(lookup_dcookie), SCMP_SYS(modify_ldt),
    SCMP_SYS(move_pages), SCMP_SYS(migrate_pages), SCMP_SYS(mbind)};

/* Those that sanitizers use themselves. */
static const int never_unless_sanitized[] = {
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(personality)};

/* The set that counts: with what every role may, and, in their builds, the sanitizers'. */
static unsigned
all_bits(unsigned may)
{
#ifdef POSTRIDER_SANITIZE
	return may | ALWAYS | SANITIZERS;
#else
	return may | ALWAYS;
#endif
}

static enum err
err_from_seccomp(int status)
{
	return status == 0 ? OK : err_from_errno(-status);
}

static enum err
add(scmp_filter_ctx filter, uint32_t action, const struct call *call)
{
	return err_from_seccomp(seccomp_rule_add_array(
	    filter, action, call->number, call->when_count, call->when));
}

/* A process may end itself, and no other. */
static enum err
allow_own_end(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp itself = {0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};

	return err_from_seccomp(
	    seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &itself));
}

static bool
is_allowed(unsigned may, int number)
{
	for (size_t i = 0; i < LEN(calls); i++)
		if (calls[i].number == number && calls[i].when_count == 0 &&
		    (calls[i].may & may))
			return true;
	return false;
}

static enum err
add_rules(scmp_filter_ctx filter, unsigned may)
{
	enum err err = allow_own_end(filter);

	for (size_t i = 0; i < LEN(calls) && !err; i++)
		if (calls[i].may & may)
			err = add(filter, SCMP_ACT_ALLOW, &calls[i]);
	for (size_t i = 0; i < LEN(refused) && !err; i++)
		if (!is_allowed(may, refused[i].number))
			err = add(filter, SCMP_ACT_ERRNO(EACCES), &refused[i]);
	for (size_t i = 0; i < LEN(unknown) && !err; i++)
		err = add(filter, SCMP_ACT_ERRNO(ENOSYS), &unknown[i]);
	return err;
}

/* All threads that there are come under it, and all later ones. */
static enum err
load(scmp_filter_ctx filter)
{
	int status = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (status == 0)
		status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* Older libraries have no tree, and are a little slower. */
	err_ignore(err_from_seccomp(seccomp_attr_set(
	    filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_BINARY_TREE)), "slower, not weaker");
	return err_from_seccomp(status == 0 ? seccomp_load(filter) : status);
}

enum err
proc_calls_forbid(unsigned may)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	enum err err;

	if (!filter)
		return ERR_MEMORY;
	err = add_rules(filter, all_bits(may));
	if (!err)
		err = load(filter);
	seccomp_release(filter);
	return err;
}

static enum err
forbid_all(scmp_filter_ctx filter, const int *numbers, size_t count)
{
	enum err err = OK;

	for (size_t i = 0; i < count && !err; i++)
		err = err_from_seccomp(
		    seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), numbers[i], 0, NULL));
	return err;
}

enum err
proc_calls_forbid_supervisor(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	const struct scmp_arg_cmp raw = {1, SCMP_CMP_MASKED_EQ, SOCKET_TYPE, SOCK_RAW};
	const struct scmp_arg_cmp packet = {0, SCMP_CMP_EQ, AF_PACKET, 0};
	enum err err;

	if (!filter)
		return ERR_MEMORY;
	err = forbid_all(filter, never, LEN(never));
	if (!err && all_bits(0) == ALWAYS)
		err = forbid_all(filter, never_unless_sanitized, LEN(never_unless_sanitized));
	if (!err)
		err = err_from_seccomp(seccomp_rule_add_array(
		    filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &raw));
	if (!err)
		err = err_from_seccomp(seccomp_rule_add_array(
		    filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &packet));
	if (!err)
		err = load(filter);
	seccomp_release(filter);
	return err;
}

void
proc_calls_list(unsigned may, void (*each)(void *owner, int number, const char *condition),
    void *owner)
{
	const unsigned bits = all_bits(may);

	for (size_t i = 0; i < LEN(calls); i++)
		if (calls[i].may & bits)
			each(owner, calls[i].number, calls[i].condition);
	each(owner, SCMP_SYS(tgkill), "itself");
}

char *
proc_call_name(int number)
{
	return seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
}
