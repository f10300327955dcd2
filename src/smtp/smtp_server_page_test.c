#include "smtp/smtp_server_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/check.h"

/* The page in docs/ is what the table says; "postrider protocol --markdown" writes it anew. */
static void
the_page_in_docs_is_the_table(void **state)
{
	static char kept[SMTP_SERVER_PAGE_BYTES_MAX];
	struct buf out;
	size_t bytes;
	FILE *file = fopen(TEST_SOURCE_DIR "/docs/smtp-states.md", "r");

	(void)state;
	assert_non_null(file);
	bytes = fread(kept, 1, sizeof(kept), file);
	assert_int_equal(fclose(file), 0);
	buf_init(&out, SMTP_SERVER_PAGE_BYTES_MAX);
	smtp_server_page_write(&out, true);
	assert_int_equal(buf_finish(&out), OK);
	if (bytes != out.len || memcmp(kept, out.ptr, bytes) != 0)
		fail_msg("docs/smtp-states.md differs: postrider protocol --markdown > "
			 "docs/smtp-states.md");
	buf_fini(&out);
}

static void
the_plain_page_has_the_same(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, SMTP_SERVER_PAGE_BYTES_MAX);
	smtp_server_page_write(&out, false);
	assert_int_equal(buf_finish(&out), OK);
	buf_add_char(&out, '\0');
	assert_non_null(strstr(out.ptr, "\nDATA\n  greeted, ready, mail, chunks: out of order\n"
					"      503 5.5.1 Bad sequence of commands: ..."));
	assert_non_null(strstr(out.ptr, "  rcpt: nothing is wrong\n      354 End data with "
					"<CR><LF>.<CR><LF>\n      -> body\n"));
	assert_null(strchr(out.ptr, '|'));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_page_in_docs_is_the_table),
	    cmocka_unit_test(the_plain_page_has_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
