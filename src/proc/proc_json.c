#include "proc/proc_json.h"

#include "base/arena.h"
#include "base/check.h"

json_t *
proc_json_text(struct span text)
{
	json_t *string = json_stringn(text.ptr ? text.ptr : "", text.len);
	char *ascii;

	if (string)
		return string;
	ascii = mem_alloc(text.len);
	for (size_t i = 0; i < text.len; i++)
		ascii[i] = (char)(text.ptr[i] & 0x80 ? '?' : text.ptr[i]);
	string = json_stringn(ascii, text.len);
	mem_free(ascii);
	check(string != NULL);
	return string;
}
