/*
 * What it would take to send a message to a server that takes less than it has: to one without
 * 8BITMIME (RFC 6152), which takes 7bit, or to one without BINARYMIME (RFC 3030), which takes
 * 8bit.  The message is read once, in any pieces; what is kept of it is an octet for each part.
 * convert.h then does it.
 *
 * Only contents of parts that need it are encoded, and never what a signature is over.  A part
 * needs it for what is in it, whatever it says of itself.
 */
#pragma once

#include "base/span.h"

struct survey;

enum { SURVEY_ENTITIES_MAX = 10000 };

enum survey_target { SURVEY_7BIT, SURVEY_8BIT, SURVEY_TARGET_COUNT };

enum survey_verdict {
	SURVEY_AS_IS,  /* nothing in it needs more */
	SURVEY_CONVERT,
	SURVEY_CANNOT, /* it needs more, and cannot be converted */
};

/* What is done with an entity. */
enum survey_action {
	SURVEY_KEEP,
	SURVEY_RELABEL, /* it says that it has more than is in it when all is done */
	SURVEY_QUOTE,   /* its content becomes quoted-printable */
	SURVEY_BASE64,
};

/*
 * is_binary: CR and LF may stand alone in it, and lines may have any length (BODY=BINARYMIME).  Of
 * other messages only octets above 127 matter.
 */
struct survey *survey_create(bool is_binary);
void survey_destroy(struct survey *survey);
void survey_take(struct survey *survey, struct span bytes);
/* The message is whole; the rest is to be asked after it. */
void survey_finish(struct survey *survey);

enum survey_verdict survey_verdict(const struct survey *survey, enum survey_target target);
/* Why it cannot be converted, for people, with the message as "it"; CANNOT only. */
const char *survey_why(const struct survey *survey, enum survey_target target);
/* Whether octets above 127 are in the message. */
bool survey_has_8bit(const struct survey *survey);
uint64_t survey_bytes(const struct survey *survey);
size_t survey_entity_count(const struct survey *survey);
/* Parts whose content is encoded. */
size_t survey_part_count(const struct survey *survey, enum survey_target target);
/* The converted message has no more bytes than these. */
uint64_t survey_bytes_max(const struct survey *survey, enum survey_target target);
/* For the entity of that index, in the order in which their headers begin; KEEP past the last. */
enum survey_action survey_action(
    const struct survey *survey, size_t index, enum survey_target target);
