/*
 * Defines the codecs of one link, as ipc_declare.h declares them.  Included once
 * for each link by ipc.c, on purpose without a guard.
 */
#define U8(field) message->field = reader_u8(&reader);
#define U16(field) message->field = reader_u16(&reader);
#define U32(field) message->field = reader_u32(&reader);
#define U64(field) message->field = reader_u64(&reader);
#define STR(field, bytes_max) message->field = reader_bytes(&reader, bytes_max);
#define MSG(TYPE, name, fields)                                                          \
	enum err IPC_PASTE(ipc_, IPC_PREFIX, _, name##_decode)(                          \
	    struct span wire, struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) * message)     \
	{                                                                                \
		struct reader reader = reader_init(wire);                                \
                                                                                         \
		fields return reader_finish(&reader);                                    \
	}
#include IPC_FILE
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef STR

#define U8(field) wire_u8(out, message->field);
#define U16(field) wire_u16(out, message->field);
#define U32(field) wire_u32(out, message->field);
#define U64(field) wire_u64(out, message->field);
#define STR(field, bytes_max) wire_bytes(out, span_first(message->field, bytes_max));
#define MSG(TYPE, name, fields)                                                          \
	void IPC_PASTE(ipc_, IPC_PREFIX, _, name##_encode)(struct buf * out,             \
	    const struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) * message)                 \
	{                                                                                \
		fields                                                                   \
	}                                                                                \
	void IPC_PASTE(ipc_, IPC_PREFIX, _, name##_send)(struct ipc_channel * channel,   \
	    const struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) * message)                 \
	{                                                                                \
		IPC_PASTE(ipc_, IPC_PREFIX, _, name##_encode)                            \
		(ipc_channel_begin(channel, IPC_PASTE(IPC_, IPC_PREFIX, _, TYPE)),       \
		    message);                                                            \
		ipc_channel_end(channel);                                                \
	}
#include IPC_FILE
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef IPC_PREFIX
#undef IPC_FILE
