/*
 * Any bytes, to every decoder of every link.  What is taken is written again as the very same
 * bytes: there is one form of a message, and nothing in it is overlooked.
 */
#include "base/check.h"
#include "ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fields need nothing; the lists want them defined. */
#define U8(field)
#define U16(field)
#define U32(field)
#define U64(field)
#define STR(field, bytes_max)
#define MSG(TYPE, name, fields)                                                          \
	static void IPC_PASTE(try_, IPC_PREFIX, _, name)(struct span wire)               \
	{                                                                                \
		struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) message;                     \
		struct buf again;                                                        \
                                                                                         \
		if (IPC_PASTE(ipc_, IPC_PREFIX, _, name##_decode)(wire, &message))       \
			return;                                                          \
		buf_init(&again, IPC_FRAME_BYTES_MAX);                                   \
		IPC_PASTE(ipc_, IPC_PREFIX, _, name##_encode)(&again, &message);         \
		check(span_eq(buf_span(&again), wire));                                  \
		buf_fini(&again);                                                        \
	}
#include "ipc/test_ipc_links.h"
#undef MSG

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span wire = {(const char *)data, size};

#define MSG(TYPE, name, fields) IPC_PASTE(try_, IPC_PREFIX, _, name)(wire);
#include "ipc/test_ipc_links.h"
#undef MSG
	return 0;
}
