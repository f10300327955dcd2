/* Names of errors, and the way from errno to them. */
#include "base/err.h"

#include <errno.h>

const char *
err_text(enum err err)
{
	static const char *const texts[ERR_COUNT] = {
#define ERR_TEXT(name, text) [name] = text,
	    ERR_LIST(ERR_TEXT)
#undef ERR_TEXT
	};

	if ((unsigned)err >= ERR_COUNT)
		return "unknown error";
	return texts[err];
}

enum err
err_from_errno(int errnum)
{
	static const struct {
		int errnum;
		enum err err;
	} rows[] = {
	    {0, OK},
	    {EAGAIN, ERR_AGAIN},
	    {ENOMEM, ERR_MEMORY},
	    {ENOBUFS, ERR_MEMORY},
	    {ENOSPC, ERR_NO_SPACE},
	    {EDQUOT, ERR_NO_SPACE},
	    {ENOENT, ERR_NOT_FOUND},
	    {ENOTDIR, ERR_NOT_FOUND},
	    {EEXIST, ERR_EXISTS},
	    {EACCES, ERR_DENIED},
	    {EPERM, ERR_DENIED},
	    {EROFS, ERR_DENIED},
	    {EADDRINUSE, ERR_BUSY},
	    {EBUSY, ERR_BUSY},
	    {ETIMEDOUT, ERR_TIMEOUT},
	    {EPIPE, ERR_CLOSED},
	    {ECONNRESET, ERR_CLOSED},
	    {ECONNABORTED, ERR_CLOSED},
	    {ENOTCONN, ERR_CLOSED},
	    {ECONNREFUSED, ERR_REFUSED},
	    {EHOSTUNREACH, ERR_UNREACHABLE},
	    {ENETUNREACH, ERR_UNREACHABLE},
	    {EADDRNOTAVAIL, ERR_UNREACHABLE},
	    {ENETDOWN, ERR_UNREACHABLE},
	    {EMFILE, ERR_DESCRIPTORS},
	    {ENFILE, ERR_DESCRIPTORS},
	    {ENAMETOOLONG, ERR_TOO_LONG},
	    {EAFNOSUPPORT, ERR_UNSUPPORTED},
	    {EOPNOTSUPP, ERR_UNSUPPORTED},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].errnum == errnum)
			return rows[i].err;
	return ERR_IO;
}
