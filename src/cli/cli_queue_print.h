/* How the queue's answers are shown: to a person, or as one JSON document. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct queue_printer {
	bool json;
	bool show;     /* one message, in full */
	bool list;
	long messages; /* printed so far */
	json_t *message; /* being gathered, with its "recipients"; or NULL */
};

/* A "message" or "recipient" of an answer, in the order that the server gives them. */
void queue_print_part(struct queue_printer *printer, json_t *answer);
/* The end: count is how many an act was for, total how many are in the queue. */
void queue_print_end(struct queue_printer *printer, const char *verb, long long count,
    long long total);
