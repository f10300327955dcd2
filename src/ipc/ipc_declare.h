/*
 * Declares the messages of one link: IPC_PREFIX and IPC_FILE name it.  Included
 * once for each link by ipc.h, on purpose without a guard.
 */
#define U8(field) uint8_t field;
#define U16(field) uint16_t field;
#define U32(field) uint32_t field;
#define U64(field) uint64_t field;
#define STR(field, bytes_max) struct span field;

#define MSG(TYPE, name, fields) IPC_PASTE(IPC_, IPC_PREFIX, _, TYPE),
enum IPC_PASTE(ipc_, IPC_PREFIX, _, type) {
	IPC_PASTE(IPC_, IPC_PREFIX, _, NONE),
#include IPC_FILE
};
#undef MSG

#define MSG(TYPE, name, fields)                                                          \
	struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) {                                    \
		fields                                                                   \
	};                                                                               \
	MUST_USE enum err IPC_PASTE(ipc_, IPC_PREFIX, _, name##_decode)(                 \
	    struct span wire, struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) * message);    \
	void IPC_PASTE(ipc_, IPC_PREFIX, _, name##_send)(struct ipc_channel * channel,   \
	    const struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) * message);                \
	void IPC_PASTE(ipc_, IPC_PREFIX, _, name##_encode)(struct buf * out,             \
	    const struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) * message);
#include IPC_FILE
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef IPC_PREFIX
#undef IPC_FILE
