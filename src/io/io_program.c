/*
 * Programs of others.  What one reads is memory without a name (memfd), whole and sealed before it
 * starts: should this process die, the program still reads all of it, and never takes a part for
 * the whole.  Its end is seen by a pidfd, so that whoever it leaves behind with its output open
 * keeps nobody waiting.
 *
 * Libuv's own way to start processes cannot tie one to the life of its parent.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	OUTPUT_READS = 16, /* at a time, before others have their turn */
	FAILED_STATUS = 127,
	KERNEL_SIGSET_BYTES = 8,
	KERNEL_SIGACTION_BYTES = 64, /* at least what the kernel takes of it */
};

/* One descriptor that is watched for the program. */
struct tap {
	struct io_watch watch;
	struct io_program *program;
	int fd;
};

struct io_program {
	struct io *io;
	struct list link; /* in io->programs, while it runs */
	int input;
	pid_t pid; /* 0: it does not run */
	bool signalled;
	struct io_op *op;
	struct buf *output;
	struct tap *ended, *said; /* NULL: not watched (any more) */
};

enum err
io_program_create(struct io *io, struct io_program **program)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_from_errno(errno);
	*program = mem_alloc(sizeof(**program));
	(*program)->io = io;
	(*program)->input = fd;
	return OK;
}

enum err
io_program_write(struct io_program *program, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t count = write(program->input, bytes.ptr, bytes.len);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return ERR_MEMORY;
		bytes = span_skip(bytes, (size_t)count);
	}
	return OK;
}

static void
tap_end(struct tap **tap)
{
	if (!*tap)
		return;
	io_watch_end((*tap)->program->io, (*tap)->fd, &(*tap)->watch);
	close((*tap)->fd);
	*tap = NULL;
}

/* Takes the descriptor. */
static struct tap *
tap_create(struct io_program *program, int fd, void (*ready)(struct io_watch *, uint32_t))
{
	struct tap *tap = mem_alloc(sizeof(*tap));

	tap->watch.ready = ready;
	tap->program = program;
	tap->fd = fd;
	if (io_watch_add(program->io, fd, &tap->watch, EPOLLIN))
		return tap;
	close(fd);
	mem_free(tap);
	return NULL;
}

/* Reads what it said; what its buffer has no room for goes. */
static void
take_output(struct io_program *program)
{
	struct io *io = program->io;

	for (int i = 0; i < OUTPUT_READS && program->said; i++) {
		ssize_t count = read(program->said->fd, io->read_bytes, IO_READ_BYTES);

		if (count < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (count <= 0)
			tap_end(&program->said);
		else
			buf_add(program->output,
			    span_first(span_of(io->read_bytes, (size_t)count),
				buf_space(program->output)));
	}
}

static void
output_ready(struct io_watch *watch, uint32_t events)
{
	(void)events;
	take_output(((struct tap *)(void *)watch)->program);
}

static void
ended(struct io_watch *watch, uint32_t events)
{
	struct io_program *program = ((struct tap *)(void *)watch)->program;
	int status = 0;

	(void)events;
	/* As long as it was not waited for, nobody else can have its number. */
	if (program->signalled)
		(void)kill(-program->pid, SIGKILL);
	if (waitpid(program->pid, &status, WNOHANG) != program->pid)
		return;
	program->op->status =
	    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	program->pid = 0;
	list_remove(&program->link);
	take_output(program);
	tap_end(&program->ended);
	tap_end(&program->said);
	program->op->done(program->op);
}

/*
 * All that may be ignored is not.  The kernel is asked, for the C library changes nothing about
 * the signals that it uses itself, and whoever started us by posix_spawn(3) ignores these.
 */
static void
reset_signals(void)
{
	static const unsigned char as_usual[KERNEL_SIGACTION_BYTES];

	for (int number = 1; number <= SIGRTMAX; number++)
		(void)syscall(SYS_rt_sigaction, number, as_usual, NULL, KERNEL_SIGSET_BYTES);
}

/* In the child, which has only itself: what fails before the program runs is told by failed. */
static _Noreturn void
become(const struct io_program *program, const struct io_program_options *options, pid_t parent,
    int output, int failed)
{
	sigset_t none;
	int errnum;

	sigemptyset(&none);
	reset_signals();
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(S_IRWXG | S_IRWXO);
	if (setsid() >= 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent &&
	    dup2(program->input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
	    dup2(output, STDERR_FILENO) >= 0 &&
	    (chdir(options->directory) == 0 || chdir("/") == 0))
		execve(options->argv[0], (char *const *)(uintptr_t)options->argv,
		    (char *const *)(uintptr_t)options->envp);
	errnum = errno;
	if (write(failed, &errnum, sizeof(errnum)) < 0)
		_exit(FAILED_STATUS);
	_exit(FAILED_STATUS);
}

/* Forks; *pid is of a program that runs, or an error of one that does not, which is gone. */
static enum err
launch(const struct io_program *program, const struct io_program_options *options, int output,
    pid_t *pid)
{
	const pid_t parent = getpid();
	int failed[2], errnum;
	ssize_t count;

	if (pipe2(failed, O_CLOEXEC))
		return err_from_errno(errno);
	*pid = fork();
	if (*pid == 0)
		become(program, options, parent, output, failed[1]);
	errnum = errno;
	close(failed[1]);
	if (*pid < 0) {
		close(failed[0]);
		return err_from_errno(errnum);
	}
	/* Ends when the program runs: its end was closed by that. */
	do
		count = read(failed[0], &errnum, sizeof(errnum));
	while (count < 0 && errno == EINTR);
	close(failed[0]);
	if (count != sizeof(errnum))
		return OK;
	(void)waitpid(*pid, NULL, 0);
	return err_from_errno(errnum);
}

/* Watches over a program that runs; takes the descriptor of its output. */
static enum err
watch(struct io_program *program, int output)
{
	int fd = (int)syscall(SYS_pidfd_open, program->pid, 0);

	program->said = tap_create(program, output, output_ready);
	if (fd >= 0)
		program->ended = tap_create(program, fd, ended);
	if (program->said && program->ended)
		return OK;
	tap_end(&program->said);
	tap_end(&program->ended);
	return fd < 0 ? err_from_errno(errno) : ERR_DESCRIPTORS;
}

static enum err
start(struct io_program *program, const struct io_program_options *options)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int output[2];
	enum err err;

	if (lseek(program->input, 0, SEEK_SET) != 0 ||
	    fcntl(program->input, F_ADD_SEALS, seals))
		return err_from_errno(errno);
	if (pipe2(output, O_CLOEXEC))
		return err_from_errno(errno);
	err = launch(program, options, output[1], &program->pid);
	close(output[1]);
	if (err || fcntl(output[0], F_SETFL, O_NONBLOCK)) {
		close(output[0]);
		program->pid = 0;
		return err ? err : ERR_IO;
	}
	err = watch(program, output[0]);
	if (!err)
		return OK;
	/* What nobody watches over must not run. */
	(void)kill(-program->pid, SIGKILL);
	(void)waitpid(program->pid, NULL, 0);
	program->pid = 0;
	return err;
}

void
io_program_start(struct io_program *program, struct io_op *op,
    const struct io_program_options *options)
{
	enum err err;

	check(op->done && !program->op);
	io_op_start(op);
	program->op = op;
	program->output = options->output;
	err = start(program, options);
	if (err)
		io_op_end(program->io, op, err);
	else
		list_push(&program->io->programs, &program->link);
}

void
io_program_signal(struct io_program *program, int number)
{
	if (program->pid == 0)
		return;
	program->signalled = true;
	(void)kill(-program->pid, number);
}

void
io_program_destroy(struct io_program *program)
{
	if (!program)
		return;
	check(program->pid == 0);
	close(program->input);
	mem_free(program);
}

bool
io_programs_wait(const struct io *io)
{
	return !list_empty(&io->programs);
}

void
io_programs_destroy(struct io *io)
{
	struct list *link;

	while ((link = list_pop(&io->programs))) {
		struct io_program *program = container_of(link, struct io_program, link);

		(void)kill(-program->pid, SIGKILL);
		(void)waitpid(program->pid, NULL, 0);
		program->pid = 0;
		tap_end(&program->ended);
		tap_end(&program->said);
	}
}
