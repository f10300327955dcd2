/*
 * Operating errors: what the world can do to us (disk full, peer gone, bytes
 * that do not parse).  Mail outcomes (4xx, 5xx) are data, never an enum err;
 * impossible states are check(), never an enum err.
 */
#pragma once

#define MUST_USE __attribute__((warn_unused_result))

#define ERR_LIST(ERR)                                                                    \
	ERR(OK, "no error")                                                              \
	ERR(ERR_END, "end of data")                                                      \
	ERR(ERR_AGAIN, "not yet")                                                        \
	ERR(ERR_SYNTAX, "malformed")                                                     \
	ERR(ERR_TOO_LONG, "too long")                                                    \
	ERR(ERR_LIMIT, "limit reached")                                                  \
	ERR(ERR_MEMORY, "out of memory")                                                 \
	ERR(ERR_IO, "input/output error")                                                \
	ERR(ERR_NO_SPACE, "no space left on device")                                     \
	ERR(ERR_NOT_FOUND, "not found")                                                  \
	ERR(ERR_EXISTS, "exists already")                                                \
	ERR(ERR_DENIED, "permission denied")                                             \
	ERR(ERR_BUSY, "in use")                                                          \
	ERR(ERR_TIMEOUT, "timed out")                                                    \
	ERR(ERR_CLOSED, "connection closed")                                             \
	ERR(ERR_REFUSED, "connection refused")                                           \
	ERR(ERR_UNREACHABLE, "host or network unreachable")                              \
	ERR(ERR_CORRUPT, "damaged")                                                      \
	ERR(ERR_VERSION, "made by a newer version")                                      \
	ERR(ERR_BROKEN, "stopped after an earlier failure")                              \
	ERR(ERR_CRYPTO, "cryptographic failure")                                         \
	ERR(ERR_DNS, "name server failure")                                              \
	ERR(ERR_DESCRIPTORS, "out of file descriptors")                                  \
	ERR(ERR_UNSUPPORTED, "not supported")                                            \
	ERR(ERR_NO_ADDRESS, "this host does not have the address")

enum err {
#define ERR_ENUM(name, text) name,
	ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
	    ERR_COUNT
};

/* The text of an error, for logs and people; a static string, never NULL. */
const char *err_text(enum err err);

/* The nearest error for an errno value; ERR_IO where none fits. */
enum err err_from_errno(int errnum);

/* Says that an error is dropped on purpose; why is for the reader of the code. */
static inline void
err_ignore(enum err err, const char *why)
{
	(void)err;
	(void)why;
}
