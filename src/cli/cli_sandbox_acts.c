/*
 * What an attacker would do first in a process that he took over, and what a role must be able
 * to do.  Each act is one that succeeds without a sandbox; where it would do harm it is asked for
 * with an argument that the kernel looks at only after it has agreed to the act itself.
 */
#include "cli/cli_sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

enum { PAGE = 4096, DESCRIPTORS_LOOKED_AT = 1024, X32_BIT = 0x40000000 };

/* The end of most acts: what a call gave. */
static int
result(long status)
{
	return status < 0 ? errno : 0;
}

/* The kernel agreed to the act, and then found the argument wrong, as it should. */
static int
reached(long status, int errnum)
{
	return status < 0 && errno != errnum ? errno : 0;
}

static int
read_file(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : result(read(fd, &byte, 1));
}

static int
read_passwd(const struct cli_sandbox_world *world)
{
	(void)world;
	return read_file("/etc/passwd");
}

static int
read_spool(const struct cli_sandbox_world *world)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file", world->spool);
	return read_file(path);
}

static int
read_policy(const struct cli_sandbox_world *world)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/file", world->policies);
	return read_file(path);
}

static int
read_mail(const struct cli_sandbox_world *world)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/file", world->mail);
	return read_file(path);
}

static int
read_key(const struct cli_sandbox_world *world)
{
	return read_file(world->key);
}

static int
read_other_memory(const struct cli_sandbox_world *world)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)world->victim);
	return read_file(path);
}

static int
leave_directory(const struct cli_sandbox_world *world)
{
	return result(openat(world->dir_fd, "../key.pem", O_RDONLY | O_CLOEXEC));
}

static int
write_file(const struct cli_sandbox_world *world)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/made", world->dir);
	return result(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
change_mode(const struct cli_sandbox_world *world)
{
	return result(fchmodat(world->dir_fd, "file", 0666, 0));
}

static int
execute(const struct cli_sandbox_world *world)
{
	char name[] = "/bin/true";
	char *argv[] = {name, NULL};

	(void)world;
	/* Where it works, that program's exit status says so. */
	execve(name, argv, argv + 1);
	return errno;
}

static int
fork_once(const struct cli_sandbox_world *world)
{
	pid_t pid = fork();

	(void)world;
	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
clone_namespace(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(unshare(CLONE_NEWUSER));
}

static void *
idle(void *argument)
{
	return argument;
}

static int
start_thread(const struct cli_sandbox_world *world)
{
	pthread_t thread;
	int status = pthread_create(&thread, NULL, idle, NULL);

	(void)world;
	return status ? status : pthread_join(thread, NULL);
}

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int
connect_tcp(const struct cli_sandbox_world *world)
{
	const struct sockaddr_in to = loopback(world->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? errno : result(connect(fd, (const struct sockaddr *)&to, sizeof(to)));
}

static int
connect_unix(const struct cli_sandbox_world *world)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", world->unix_socket);
	return fd < 0 ? errno : result(connect(fd, (const struct sockaddr *)&to, sizeof(to)));
}

/* A listening socket that was shut down may be given an address, and connects. */
static int
connect_listener(const struct cli_sandbox_world *world)
{
	const struct sockaddr_in to = loopback(world->port);

	if (shutdown(PROC_FD_LISTENERS, SHUT_RDWR))
		return errno;
	return reached(sendto(PROC_FD_LISTENERS, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
	                   (const struct sockaddr *)&to, sizeof(to)),
	    EINPROGRESS);
}

static int
bind_tcp(const struct cli_sandbox_world *world)
{
	const struct sockaddr_in at = loopback(0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)world;
	return fd < 0 ? errno : result(bind(fd, (const struct sockaddr *)&at, sizeof(at)));
}

static int
listen_tcp(const struct cli_sandbox_world *world)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)world;
	return fd < 0 ? errno : result(listen(fd, 1));
}

static int
send_udp(const struct cli_sandbox_world *world)
{
	const struct sockaddr_in to = loopback(world->port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	return result(sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)));
}

static int
open_raw(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

static int
open_netlink(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_ROUTE));
}

/* Any descriptor beside those of its table: the link of another role, a file, a socket. */
static int
write_other_link(const struct cli_sandbox_world *world)
{
	for (int fd = PROC_FD_LISTENERS; fd < DESCRIPTORS_LOOKED_AT; fd++)
		if (fd != world->dir_fd && send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
			return 0;
	return EBADF;
}

static int
trace(const struct cli_sandbox_world *world)
{
	return result(ptrace(PTRACE_SEIZE, world->victim, NULL, NULL));
}

static int
read_by_vm(const struct cli_sandbox_world *world)
{
	char byte;
	struct iovec here = {&byte, 1};
	struct iovec there = {(void *)(uintptr_t)&execute, 1};

	return result(process_vm_readv(world->victim, &here, 1, &there, 1, 0));
}

static int
signal_other(const struct cli_sandbox_world *world)
{
	return result(kill(world->victim, 0));
}

static int
steal_descriptor(const struct cli_sandbox_world *world)
{
	int pidfd = (int)syscall(SYS_pidfd_open, world->victim, 0);

	return pidfd < 0 ? errno : result(syscall(SYS_pidfd_getfd, pidfd, STDERR_FILENO, 0));
}

static int
map_code(const struct cli_sandbox_world *world)
{
	void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)world;
	return at == MAP_FAILED ? errno : 0;
}

static int
make_code(const struct cli_sandbox_world *world)
{
	void *at =
	    mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)world;
	return at == MAP_FAILED ? errno : result(mprotect(at, PAGE, PROT_READ | PROT_EXEC));
}

static int
become_root(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(setresuid(0, 0, 0));
}

static int
change_root(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(chroot("."));
}

static int
mount_nothing(const struct cli_sandbox_world *world)
{
	return reached(mount("none", world->dir, "no-such-kind", 0, NULL), ENODEV);
}

static int
load_module(const struct cli_sandbox_world *world)
{
	(void)world;
	return reached(syscall(SYS_finit_module, -1, "", 0), EBADF);
}

static int
make_bpf_map(const struct cli_sandbox_world *world)
{
	const union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY,
	    .key_size = sizeof(uint32_t),
	    .value_size = sizeof(uint64_t),
	    .max_entries = 1};

	(void)world;
	return result(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
}

static int
watch_performance(const struct cli_sandbox_world *world)
{
	const struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(event),
	    .config = PERF_COUNT_SW_TASK_CLOCK,
	    .exclude_kernel = 1};

	(void)world;
	return result(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
}

static int
use_io_uring(const struct cli_sandbox_world *world)
{
	(void)world;
	return reached(syscall(SYS_io_uring_setup, 1, NULL), EFAULT);
}

static int
use_kernel_keys(const struct cli_sandbox_world *world)
{
	(void)world;
	return reached(syscall(SYS_keyctl, 0x7fff, 0, 0, 0, 0), EOPNOTSUPP);
}

static int
type_into_terminal(const struct cli_sandbox_world *world)
{
	(void)world;
	return reached(ioctl(PROC_FD_LOG, TIOCSTI, "x"), ENOTTY);
}

static int
ignore_the_end(const struct cli_sandbox_world *world)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)world;
	return result(sigaction(SIGSYS, &ignore, NULL));
}

static int
allow_core(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int
raise_limits(const struct cli_sandbox_world *world)
{
	struct rlimit same = {0, 0};

	(void)world;
	return result(setrlimit(RLIMIT_CORE, &same));
}

static int
share_memory(const struct cli_sandbox_world *world)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);

	(void)world;
	return id < 0 ? errno : result(shmctl(id, IPC_RMID, NULL));
}

static int
use_x32(const struct cli_sandbox_world *world)
{
	(void)world;
#ifdef __x86_64__
	return result(syscall(X32_BIT | SYS_getpid));
#else
	return ENOSYS;
#endif
}

static int
use_32_bits(const struct cli_sandbox_world *world)
{
	(void)world;
#ifdef __x86_64__
	{
		long status = 20; /* getpid, in the old numbering */

		__asm__ volatile("int $0x80" : "+a"(status) : : "memory", "r8", "r9", "r10", "r11");
		return status > 0 ? 0 : (int)-status;
	}
#else
	return ENOSYS;
#endif
}

/* What roles must be able to do. */

static int
log_line(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(write(PROC_FD_LOG, "x\n", 2));
}

static int
tell_supervisor(const struct cli_sandbox_world *world)
{
	(void)world;
	return result(send(PROC_FD_SUPERVISOR, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static int
take_memory(const struct cli_sandbox_world *world)
{
	const size_t bytes = 64 << 20;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)world;
	return at == MAP_FAILED ? errno : result(munmap(at, bytes));
}

static int
tell_time(const struct cli_sandbox_world *world)
{
	struct timespec now;

	(void)world;
	return result(syscall(SYS_clock_gettime, CLOCK_REALTIME, &now));
}

static int
accept_connection(const struct cli_sandbox_world *world)
{
	(void)world;
	return reached(accept4(PROC_FD_LISTENERS, NULL, NULL, SOCK_CLOEXEC), EAGAIN);
}

/* As a Maildir has it: made in one folder, moved to another. */
static int
use_directory(const struct cli_sandbox_world *world)
{
	const int at = world->dir_fd;
	int fd = openat(at, "tmp/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || pwrite(fd, "x", 1, 0) != 1 || fdatasync(fd) || ftruncate(fd, 0) ||
	    posix_fallocate(fd, 0, 1) || renameat(at, "tmp/a", at, "new/a") ||
	    linkat(at, "new/a", at, "new/b", 0) || unlinkat(at, "new/a", 0) ||
	    unlinkat(at, "new/b", 0) || close(fd))
		return errno;
	fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? errno : result(fsync(fd));
}

static int
end_itself(const struct cli_sandbox_world *world)
{
	(void)world;
	raise(SIGABRT);
	return EPERM;
}

static const struct cli_sandbox_act acts[] = {
    {.name = "read /etc/passwd", .run = read_passwd},
    {.name = "read the private key's file", .run = read_key},
    {.name = "read the spool by its path",
	.run = read_spool,
	.may = MAY_USE_SPOOL,
	.by_path = true},
    {.name = "read a TLS policy by its path",
	.run = read_policy,
	.may = MAY_USE_POLICIES | MAY_USE_SPOOL,
	.by_path = true},
    {.name = "read a Maildir by its path",
	.run = read_mail,
	.may = MAY_USE_MAILDIRS,
	.by_path = true},
    {.name = "leave its directory by ../", .run = leave_directory, .in_directory = true},
    {.name = "open its files to others", .run = change_mode, .in_directory = true},
    {.name = "write a file elsewhere", .run = write_file},
    {.name = "run another program", .run = execute, .may = MAY_RUN_PROGRAMS},
    {.name = "fork", .run = fork_once, .may = MAY_RUN_PROGRAMS},
    {.name = "start a thread", .run = start_thread, .may = MAY_THREADS},
    {.name = "connect over TCP", .run = connect_tcp, .may = MAY_CONNECT_TCP | MAY_ASK_DNS},
    {.name = "connect a listening socket",
	.run = connect_listener,
	.outside = OUTSIDE_DEPENDS},
    {.name = "connect to a Unix socket",
	.run = connect_unix,
	.may = MAY_CONNECT_UNIX,
	.by_path = true},
    {.name = "choose the address of a connection", .run = bind_tcp, .may = MAY_CONNECT_FROM},
    {.name = "listen on a TCP port", .run = listen_tcp},
    {.name = "accept a connection", .run = accept_connection, .may = MAY_ACCEPT},
    {.name = "send over UDP", .run = send_udp, .may = MAY_ASK_DNS},
    {.name = "open a raw socket",
	.run = open_raw,
	.outside = OUTSIDE_NEEDS_ROOT,
	.supervisor_too = true},
    {.name = "open a netlink socket", .run = open_netlink},
    {.name = "write to another role's link",
	.run = write_other_link,
	.programs_too = true},
    {.name = "signal another process", .run = signal_other},
    {.name = "trace another process",
	.run = trace,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "read another's memory",
	.run = read_by_vm,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "read another's environment",
	.run = read_other_memory,
	.outside = OUTSIDE_DEPENDS},
    {.name = "take another's descriptor",
	.run = steal_descriptor,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "map memory to be run", .run = map_code},
    {.name = "turn memory into code", .run = make_code},
    {.name = "become root again",
	.run = become_root,
	.outside = OUTSIDE_NEEDS_ROOT,
	.programs_too = true},
    {.name = "change the root directory",
	.run = change_root,
	.outside = OUTSIDE_NEEDS_ROOT,
	.programs_too = true},
    {.name = "make a namespace",
	.run = clone_namespace,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "mount",
	.run = mount_nothing,
	.outside = OUTSIDE_NEEDS_ROOT,
	.supervisor_too = true},
    {.name = "load a kernel module",
	.run = load_module,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "use BPF",
	.run = make_bpf_map,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "open performance events",
	.run = watch_performance,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "use io_uring",
	.run = use_io_uring,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "use the kernel's keys",
	.run = use_kernel_keys,
	.outside = OUTSIDE_DEPENDS,
	.supervisor_too = true},
    {.name = "share memory by System V", .run = share_memory},
    {.name = "type into a terminal", .run = type_into_terminal, .outside = OUTSIDE_DEPENDS},
    {.name = "outlive a forbidden call", .run = ignore_the_end},
    {.name = "allow core files again", .run = allow_core},
    {.name = "set resource limits", .run = raise_limits},
    {.name = "make calls of 32 bits", .run = use_32_bits, .outside = OUTSIDE_DEPENDS},
    {.name = "make calls of x32", .run = use_x32, .outside = OUTSIDE_DEPENDS},

    {.name = "write to the log", .run = log_line, .may = CLI_SANDBOX_ALL},
    {.name = "write to its supervisor", .run = tell_supervisor, .may = CLI_SANDBOX_ALL},
    {.name = "take memory", .run = take_memory, .may = CLI_SANDBOX_ALL},
    {.name = "tell the time", .run = tell_time, .may = CLI_SANDBOX_ALL},
    {.name = "end itself", .run = end_itself, .may = CLI_SANDBOX_ALL},
    {.name = "make and move files in its directory",
	.run = use_directory,
	.may = MAY_USE_SPOOL | MAY_USE_MAILDIRS | MAY_USE_POLICIES,
	.in_directory = true},
};

const struct cli_sandbox_act *
cli_sandbox_act(size_t index)
{
	return index < LEN(acts) ? &acts[index] : NULL;
}
