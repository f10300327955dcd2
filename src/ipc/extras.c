/*
 * u8 ret, var envid, var time to hold it until, u8 by; with by: u8 trace, var its time; u8 priority
 * (0: none, else 1 to 19); with a pool: var its name, which is not empty.
 */
#include "ipc/extras.h"

#include "base/check.h"

enum { PRIORITY_ZERO = IPC_PRIORITY_MAX + 1 };

bool
ipc_notify_is_right(unsigned notify)
{
	return notify == IPC_NOTIFY_NEVER ||
	    (notify & ~(unsigned)(IPC_NOTIFY_SUCCESS | IPC_NOTIFY_FAILURE | IPC_NOTIFY_DELAY)) == 0;
}

bool
ipc_extras_any(const struct ipc_extras *extras)
{
	return extras->ret != IPC_RET_UNSAID || extras->envid.len > 0 ||
	    extras->hold_until_wall_ms > 0 || extras->by != IPC_BY_NONE || extras->has_priority ||
	    extras->pool.len > 0;
}

void
ipc_extras_write(struct buf *out, const struct ipc_extras *extras)
{
	if (!ipc_extras_any(extras))
		return;
	check(extras->ret < IPC_RET_COUNT && extras->by < IPC_BY_COUNT);
	check(extras->priority >= -IPC_PRIORITY_MAX && extras->priority <= IPC_PRIORITY_MAX);
	wire_u8(out, (uint8_t)extras->ret);
	wire_var_bytes(out, span_first(extras->envid, IPC_ENVID_MAX));
	wire_var(out, extras->hold_until_wall_ms);
	wire_u8(out, (uint8_t)extras->by);
	if (extras->by != IPC_BY_NONE) {
		wire_u8(out, extras->by_trace);
		wire_var(out, extras->by_wall_ms);
	}
	wire_u8(out,
	    extras->has_priority ? (uint8_t)(extras->priority + PRIORITY_ZERO) : 0);
	if (extras->pool.len > 0)
		wire_var_bytes(out, span_first(extras->pool, IPC_POOL_MAX));
}

/* A number below count. */
static unsigned
read_below(struct reader *reader, unsigned count)
{
	unsigned value = reader_u8(reader);

	if (value < count)
		return value;
	reader->failed = true;
	return 0;
}

enum err
ipc_extras_read(struct span wire, struct ipc_extras *extras)
{
	struct reader reader = reader_init(wire);
	unsigned priority;

	*extras = (struct ipc_extras){0};
	if (wire.len == 0)
		return OK;
	extras->ret = (enum ipc_ret)read_below(&reader, IPC_RET_COUNT);
	extras->envid = reader_var_bytes(&reader, IPC_ENVID_MAX);
	extras->hold_until_wall_ms = reader_var(&reader, UINT64_MAX);
	extras->by = (enum ipc_by)read_below(&reader, IPC_BY_COUNT);
	if (extras->by != IPC_BY_NONE) {
		extras->by_trace = read_below(&reader, 2);
		extras->by_wall_ms = reader_var(&reader, UINT64_MAX);
	}
	priority = read_below(&reader, 2 * PRIORITY_ZERO);
	extras->has_priority = priority > 0;
	extras->priority = priority > 0 ? (int)priority - PRIORITY_ZERO : 0;
	if (reader.rest.len > 0) {
		extras->pool = reader_var_bytes(&reader, IPC_POOL_MAX);
		if (extras->pool.len == 0)
			reader.failed = true;
	}
	if (!ipc_extras_any(extras))
		reader.failed = true;
	return reader_finish(&reader);
}
