/*
 * A disk that fails as it is told: preloaded into the server, it stands before
 * the C library's calls for files.  Orders come, and counts go, through a file
 * that is mapped before any role gives up its rights; test/e2e/faults.py has
 * the same struct.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct orders {
	uint64_t magic;
	uint64_t sync_lies; /* fdatasync and fsync do nothing, and say that they did */
	uint64_t sync_fails; /* those of sync_device fail with EIO */
	uint64_t sync_inode; /* ... of this file only; 0: of every file */
	uint64_t read_inode, read_start, read_end; /* reads that touch these bytes: EIO */
	uint64_t watch_inode; /* what is counted; 0: every file */
	/* Counts. */
	uint64_t syncs, syncs_failed, syncs_after_failure;
	uint64_t reads_failed, writes_after_failure;
};

enum { MAGIC = 0x46415553 };

static struct orders *orders;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("POSTRIDER_FAULTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED && ((struct orders *)at)->magic == MAGIC)
		orders = at;
}

static uint64_t
inode_of(int fd)
{
	struct stat file;

	return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

static void
count(uint64_t *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static uint64_t
look(const uint64_t *order)
{
	return __atomic_load_n(order, __ATOMIC_RELAXED);
}

/* Sockets and pipes are not asked about; directories are files here. */
static int
sync_as_told(int fd, int (*real)(int))
{
	uint64_t inode;

	if (!orders)
		return real(fd);
	inode = inode_of(fd);
	if (look(&orders->watch_inode) == 0 || look(&orders->watch_inode) == inode)
		count(look(&orders->syncs_failed) ? &orders->syncs_after_failure
						  : &orders->syncs);
	if (look(&orders->sync_lies))
		return 0;
	if (look(&orders->sync_fails) &&
	    (look(&orders->sync_inode) == 0 || look(&orders->sync_inode) == inode)) {
		count(&orders->syncs_failed);
		errno = EIO;
		return -1;
	}
	return real(fd);
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

int
fdatasync(int fd)
{
	return sync_as_told(fd, REAL(int (*)(int), "fdatasync"));
}

int
fsync(int fd)
{
	return sync_as_told(fd, REAL(int (*)(int), "fsync"));
}

static int
may_read(int fd, uint64_t bytes, int64_t offset)
{
	uint64_t start = (uint64_t)offset;

	if (!orders || look(&orders->read_inode) == 0 || offset < 0 ||
	    start >= look(&orders->read_end) || start + bytes <= look(&orders->read_start) ||
	    inode_of(fd) != look(&orders->read_inode))
		return 1;
	count(&orders->reads_failed);
	errno = EIO;
	return 0;
}

static uint64_t
iov_bytes(const struct iovec *iov, int n)
{
	uint64_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

ssize_t
pread(int fd, void *into, size_t bytes, off_t offset)
{
	return may_read(fd, bytes, offset)
		   ? REAL(ssize_t (*)(int, void *, size_t, off_t), "pread")(fd, into, bytes, offset)
		   : -1;
}

ssize_t
pread64(int fd, void *into, size_t bytes, off64_t offset)
{
	return pread(fd, into, bytes, offset);
}

ssize_t
preadv(int fd, const struct iovec *iov, int n, off_t offset)
{
	return may_read(fd, iov_bytes(iov, n), offset)
		   ? REAL(ssize_t (*)(int, const struct iovec *, int, off_t), "preadv")(
			 fd, iov, n, offset)
		   : -1;
}

ssize_t
preadv64(int fd, const struct iovec *iov, int n, off64_t offset)
{
	return preadv(fd, iov, n, offset);
}

ssize_t
preadv2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	return may_read(fd, iov_bytes(iov, n), offset)
		   ? REAL(ssize_t (*)(int, const struct iovec *, int, off_t, int), "preadv2")(
			 fd, iov, n, offset, flags)
		   : -1;
}

ssize_t
preadv64v2(int fd, const struct iovec *iov, int n, off64_t offset, int flags)
{
	return preadv2(fd, iov, n, offset, flags);
}

/* What a writer does to a log whose sync has failed. */
static void
watch_write(int fd)
{
	if (orders && look(&orders->syncs_failed) && look(&orders->watch_inode) &&
	    inode_of(fd) == look(&orders->watch_inode))
		count(&orders->writes_after_failure);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	watch_write(fd);
	return REAL(ssize_t (*)(int, const struct iovec *, int, off_t), "pwritev")(
	    fd, iov, n, offset);
}

ssize_t
pwritev64(int fd, const struct iovec *iov, int n, off64_t offset)
{
	return pwritev(fd, iov, n, offset);
}
