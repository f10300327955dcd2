/*
 * Every message of every link, made from the same lists as the codecs: what is encoded is
 * decoded as it was, and whatever is cut, longer or over a limit is refused.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"
#include "ipc/ipc.h"

enum {
	FIELDS_MAX = 48,
	MESSAGE_BYTES_MAX = 1024,
	WIRE_BYTES_MAX = 2 * IPC_FRAME_BYTES_MAX
};

/* A field of a message, as the list says it: a number of so many bytes, or a string (0). */
struct field {
	size_t bytes, offset, bytes_max;
};

struct shape {
	struct field fields[FIELDS_MAX];
	size_t count;
};

struct row {
	const char *name;
	unsigned type;
	size_t message_bytes;
	void (*describe)(struct shape *shape);
	enum err (*decode)(struct span wire, void *message);
	void (*encode)(struct buf *out, const void *message);
};

static void
add_field(struct shape *shape, size_t bytes, size_t offset, size_t bytes_max)
{
	assert_true(shape->count < FIELDS_MAX);
	shape->fields[shape->count++] = (struct field){bytes, offset, bytes_max};
}

#define U8(field) add_field(shape, 1, offsetof(message, field), 0);
#define U16(field) add_field(shape, 2, offsetof(message, field), 0);
#define U32(field) add_field(shape, 4, offsetof(message, field), 0);
#define U64(field) add_field(shape, 8, offsetof(message, field), 0);
#define STR(field, bytes_max) add_field(shape, 0, offsetof(message, field), bytes_max);
#define MSG(TYPE, name, fields)                                                          \
	static void IPC_PASTE(describe_, IPC_PREFIX, _, name)(struct shape * shape)      \
	{                                                                                \
		typedef struct IPC_PASTE(ipc_, IPC_PREFIX, _, name) message;             \
		fields                                                                   \
	}                                                                                \
	static enum err IPC_PASTE(decode_, IPC_PREFIX, _, name)(                         \
	    struct span wire, void *m)                                                   \
	{                                                                                \
		return IPC_PASTE(ipc_, IPC_PREFIX, _, name##_decode)(wire, m);           \
	}                                                                                \
	static void IPC_PASTE(encode_, IPC_PREFIX, _, name)(                             \
	    struct buf * out, const void *m)                                             \
	{                                                                                \
		IPC_PASTE(ipc_, IPC_PREFIX, _, name##_encode)(out, m);                   \
	}
#include "ipc/test_ipc_links.h"
#undef MSG

#define TEXT2(text) #text
#define TEXT(text) TEXT2(text)

static const struct row rows[] = {
#define MSG(TYPE, name, fields)                                                          \
	{TEXT(IPC_PASTE(IPC_, IPC_PREFIX, _, TYPE)),                                     \
	    IPC_PASTE(IPC_, IPC_PREFIX, _, TYPE),                                        \
	    sizeof(struct IPC_PASTE(ipc_, IPC_PREFIX, _, name)),                         \
	    IPC_PASTE(describe_, IPC_PREFIX, _, name),                                   \
	    IPC_PASTE(decode_, IPC_PREFIX, _, name),                                     \
	    IPC_PASTE(encode_, IPC_PREFIX, _, name)},
#include "ipc/test_ipc_links.h"
#undef MSG
};

/* How much a message of a test holds. */
enum fill { FILL_ZERO, FILL_SMALL, FILL_MOST, FILL_COUNT };

struct sample {
	const struct row *row;
	struct shape shape;
	_Alignas(16) char message[MESSAGE_BYTES_MAX];
	struct buf wire; /* as the list says that it looks, written field by field */
};

/* A byte of a string, different for each field and place; NUL and high bytes are among them. */
static char
pattern(size_t field, size_t at)
{
	return (char)(field * 41 + at * 7);
}

static uint64_t
number(size_t field, size_t bytes, enum fill fill)
{
	uint64_t all = UINT64_MAX >> (64 - 8 * bytes);

	if (fill == FILL_ZERO)
		return 0;
	return fill == FILL_MOST ? all - field : 0xa1b2c3d4e5f60718U * (field + 1) & all;
}

static void
fill_number(struct sample *sample, size_t index, uint64_t value)
{
	const struct field *field = &sample->shape.fields[index];
	char *at = sample->message + field->offset;
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	switch (field->bytes) {
	case 1:
		memcpy(at, &u8, 1);
		wire_u8(&sample->wire, u8);
		return;
	case 2:
		memcpy(at, &u16, 2);
		wire_u16(&sample->wire, u16);
		return;
	case 4:
		memcpy(at, &u32, 4);
		wire_u32(&sample->wire, u32);
		return;
	default:
		memcpy(at, &value, 8);
		wire_u64(&sample->wire, value);
	}
}

static void
fill_string(struct sample *sample, size_t index, size_t len)
{
	char *bytes = mem_alloc(len + 1);
	struct span span = {bytes, len};

	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern(index, i);
	memcpy(sample->message + sample->shape.fields[index].offset, &span, sizeof(span));
	wire_bytes(&sample->wire, span);
}

/* Makes a message; the string over is that much longer than it may be. */
static void
sample_init(struct sample *sample, const struct row *row, enum fill fill, size_t over,
    size_t over_bytes)
{
	*sample = (struct sample){.row = row};
	assert_true(row->message_bytes <= MESSAGE_BYTES_MAX);
	row->describe(&sample->shape);
	buf_init(&sample->wire, WIRE_BYTES_MAX);
	for (size_t i = 0; i < sample->shape.count; i++) {
		const struct field *field = &sample->shape.fields[i];
		size_t len = fill == FILL_ZERO	  ? 0
			     : fill == FILL_SMALL ? 3
						  : field->bytes_max;

		if (field->bytes > 0)
			fill_number(sample, i, number(i, field->bytes, fill));
		else
			fill_string(
			    sample, i, i == over ? field->bytes_max + over_bytes : len);
	}
	assert_int_equal(buf_finish(&sample->wire), OK);
}

static struct span
string_of(const char *message, const struct field *field)
{
	struct span span;

	memcpy(&span, message + field->offset, sizeof(span));
	return span;
}

static void
sample_fini(struct sample *sample)
{
	for (size_t i = 0; i < sample->shape.count; i++)
		if (sample->shape.fields[i].bytes == 0)
			mem_free((char *)(uintptr_t)string_of(
			    sample->message, &sample->shape.fields[i])
				     .ptr);
	buf_fini(&sample->wire);
}

static void
assert_same(const struct sample *sample, const char *decoded)
{
	for (size_t i = 0; i < sample->shape.count; i++) {
		const struct field *field = &sample->shape.fields[i];

		if (field->bytes > 0)
			assert_memory_equal(decoded + field->offset,
			    sample->message + field->offset, field->bytes);
		else
			assert_true(span_eq(string_of(decoded, field),
			    string_of(sample->message, field)));
	}
}

static enum err
decode(const struct row *row, struct span wire)
{
	_Alignas(16) char message[MESSAGE_BYTES_MAX];

	/* Exactly as large as the message, so that a sanitizer sees reads past it. */
	char *exact = mem_alloc(wire.len ? wire.len : 1);
	enum err err;

	if (wire.len > 0)
		memcpy(exact, wire.ptr, wire.len);
	err = row->decode(span_of(exact, wire.len), message);
	mem_free(exact);
	return err;
}

static void
each_field_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		for (enum fill fill = 0; fill < FILL_COUNT; fill++) {
			_Alignas(16) char decoded[MESSAGE_BYTES_MAX];
			struct sample sample;
			struct buf wire;

			sample_init(&sample, &rows[i], fill, SIZE_MAX, 0);
			buf_init(&wire, WIRE_BYTES_MAX);
			rows[i].encode(&wire, sample.message);
			assert_true(span_eq(buf_span(&wire), buf_span(&sample.wire)));
			assert_int_equal(rows[i].decode(buf_span(&wire), decoded), OK);
			assert_same(&sample, decoded);
			buf_fini(&wire);
			sample_fini(&sample);
		}
}

static void
what_is_cut_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		for (enum fill fill = 0; fill < FILL_MOST; fill++) {
			struct sample sample;
			struct span wire;

			sample_init(&sample, &rows[i], fill, SIZE_MAX, 0);
			wire = buf_span(&sample.wire);
			assert_int_equal(decode(&rows[i], wire), OK);
			for (size_t len = 0; len < wire.len; len++)
				assert_int_equal(
				    decode(&rows[i], span_first(wire, len)), ERR_SYNTAX);
			buf_add_char(&sample.wire, '\0');
			assert_int_equal(
			    decode(&rows[i], buf_span(&sample.wire)), ERR_SYNTAX);
			sample_fini(&sample);
		}
}

static void
strings_have_a_maximum(void **state)
{
	size_t strings = 0;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct shape shape = {0};

		rows[i].describe(&shape);
		for (size_t k = 0; k < shape.count; k++) {
			struct sample sample;

			if (shape.fields[k].bytes > 0)
				continue;
			strings++;
			sample_init(&sample, &rows[i], FILL_SMALL, k, 0);
			assert_int_equal(decode(&rows[i], buf_span(&sample.wire)), OK);
			sample_fini(&sample);
			sample_init(&sample, &rows[i], FILL_SMALL, k, 1);
			assert_int_equal(
			    decode(&rows[i], buf_span(&sample.wire)), ERR_SYNTAX);
			sample_fini(&sample);
		}
	}
	assert_true(strings > 20);
}

/* A length that says four gigabytes is refused like any other, wherever it stands. */
static void
lengths_that_lie_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct sample sample;
		size_t at = 0;

		sample_init(&sample, &rows[i], FILL_SMALL, SIZE_MAX, 0);
		for (size_t k = 0; k < sample.shape.count; k++) {
			const struct field *field = &sample.shape.fields[k];

			if (field->bytes == 0) {
				wire_put_u32(sample.wire.ptr + at, UINT32_MAX);
				assert_int_equal(
				    decode(&rows[i], buf_span(&sample.wire)), ERR_SYNTAX);
				wire_put_u32(sample.wire.ptr + at, 3);
			}
			at += field->bytes > 0 ? field->bytes : 4 + 3;
		}
		assert_int_equal(at, sample.wire.len);
		sample_fini(&sample);
	}
}

static void
senders_cut_what_is_too_long(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct shape shape = {0};

		rows[i].describe(&shape);
		for (size_t k = 0; k < shape.count; k++) {
			_Alignas(16) char decoded[MESSAGE_BYTES_MAX];
			struct sample sample;
			struct buf wire;

			if (shape.fields[k].bytes > 0)
				continue;
			sample_init(&sample, &rows[i], FILL_SMALL, k, 9);
			buf_init(&wire, WIRE_BYTES_MAX);
			rows[i].encode(&wire, sample.message);
			assert_int_equal(rows[i].decode(buf_span(&wire), decoded), OK);
			assert_int_equal(string_of(decoded, &shape.fields[k]).len,
			    shape.fields[k].bytes_max);
			buf_fini(&wire);
			sample_fini(&sample);
		}
	}
}

/* ipc_channel_end() checks it: no message may be able to end its sender. */
static void
the_largest_message_fits_a_frame(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct sample sample;

		sample_init(&sample, &rows[i], FILL_MOST, SIZE_MAX, 0);
		assert_true(sample.wire.len <= IPC_FRAME_BYTES_MAX);
		sample_fini(&sample);
	}
}

static void
types_count_from_one(void **state)
{
	(void)state;
	assert_int_equal(rows[0].type, 1);
	for (size_t i = 1; i < LEN(rows); i++)
		assert_true(rows[i].type == 1 || rows[i].type == rows[i - 1].type + 1);
}

static void
no_list_is_left_out(void **state)
{
	DIR *dir = opendir(TEST_SOURCE_DIR "/src/ipc/links");
	size_t files = 0, links = 0;
	struct dirent *entry;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		files += strstr(entry->d_name, ".def") != NULL;
	closedir(dir);
	for (size_t i = 0; i < LEN(rows); i++)
		links += rows[i].type == 1;
	assert_int_equal(links, files);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_field_comes_back),
	    cmocka_unit_test(what_is_cut_is_refused),
	    cmocka_unit_test(strings_have_a_maximum),
	    cmocka_unit_test(lengths_that_lie_are_refused),
	    cmocka_unit_test(senders_cut_what_is_too_long),
	    cmocka_unit_test(the_largest_message_fits_a_frame),
	    cmocka_unit_test(types_count_from_one),
	    cmocka_unit_test(no_list_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
