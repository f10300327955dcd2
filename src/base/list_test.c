/* Lists: order, and what a walk may do meanwhile. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct item {
	char name;
	struct list link;
};

/* Holds the names of a list, walked both ways, against text. */
static void
assert_order(const struct list *head, const char *text)
{
	size_t count = 0;
	size_t len = strlen(text);

	list_for_each (node, head) {
		assert_true(count < len);
		assert_int_equal(
		    container_of(node, struct item, link)->name, text[count++]);
	}
	assert_int_equal(count, len);
	for (const struct list *node = head->prev; node != head; node = node->prev)
		assert_int_equal(
		    container_of(node, struct item, link)->name, text[--count]);
	assert_int_equal(count, 0);
	assert_int_equal(list_empty(head), len == 0);
}

static void
both_ends_and_the_middle(void **state)
{
	struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
	struct list head;

	(void)state;
	list_init(&head);
	assert_order(&head, "");
	assert_null(list_pop(&head));
	list_push_front(&head, &b.link);
	list_push(&head, &c.link);
	list_push_front(&head, &a.link);
	assert_order(&head, "abc");
	assert_true(list_linked(&b.link));
	list_remove(&b.link);
	assert_false(list_linked(&b.link));
	assert_order(&head, "ac");
	list_remove(&b.link);
	assert_order(&head, "ac");
	list_push(&head, &b.link);
	assert_order(&head, "acb");
	assert_ptr_equal(list_pop(&head), &a.link);
	assert_false(list_linked(&a.link));
	assert_ptr_equal(list_pop(&head), &c.link);
	assert_ptr_equal(list_pop(&head), &b.link);
	assert_order(&head, "");
}

static void
a_safe_walk_may_remove_where_it_is(void **state)
{
	struct item items[] = {
	    {.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};
	struct list head;

	(void)state;
	list_init(&head);
	for (size_t i = 0; i < LEN(items); i++)
		list_push(&head, &items[i].link);
	list_for_each_safe (node, &head)
		if (container_of(node, struct item, link)->name % 2)
			list_remove(node);
	assert_order(&head, "bd");
	list_for_each_safe (node, &head)
		list_remove(node);
	assert_order(&head, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_and_the_middle),
	    cmocka_unit_test(a_safe_walk_may_remove_where_it_is),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
