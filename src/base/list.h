/* Doubly linked lists whose links live in the things listed; nothing allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct list {
	struct list *prev, *next; /* both NULL: in no list */
};

static inline void
list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool
list_linked(const struct list *node)
{
	return node->next != NULL;
}

/* Adds at the end. */
static inline void
list_push(struct list *head, struct list *node)
{
	check(!list_linked(node));
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Adds at the front. */
static inline void
list_push_front(struct list *head, struct list *node)
{
	list_push(head->next, node);
}

/* Takes a node out; one that is in no list is left alone. */
static inline void
list_remove(struct list *node)
{
	if (!list_linked(node))
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = NULL;
}

/* Takes the first node out; NULL where the list is empty. */
static inline struct list *
list_pop(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

/* The body may not remove nodes. */
#define list_for_each(node, head)                                                        \
	for (struct list *node = (head)->next; node != (head); node = node->next)

/* The body may remove the node that it is at. */
#define list_for_each_safe(node, head)                                                   \
	for (struct list *node = (head)->next, *node##_next = node->next;                \
	     node != (head); node = node##_next, node##_next = node->next)
