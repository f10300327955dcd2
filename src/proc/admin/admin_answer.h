/*
 * The queue's answers as JSON, for admin.c.  Whatever a peer once said becomes UTF-8.
 */
#pragma once

#include <jansson.h>

#include "ipc/ipc.h"

/* Each gives a new reference to a whole line of the answer. */
json_t *admin_message(const struct ipc_qa_message *message);
json_t *admin_rcpt(const struct ipc_qa_rcpt *rcpt);
json_t *admin_destination(const struct ipc_qa_destination *destination);
json_t *admin_tally(const struct ipc_qa_tally *tally);
json_t *admin_transcript(const struct ipc_qa_transcript *transcript);
json_t *admin_suppression(const struct ipc_qa_suppression *suppression);
json_t *admin_standing(const struct ipc_qa_standing *standing);
json_t *admin_member(const struct ipc_qa_member *member);
json_t *admin_suspension(const struct ipc_qa_suspension *suspension);
json_t *admin_source(const struct ipc_qa_source *source);
json_t *admin_done(const struct ipc_qa_done *done);

/* Adds the bits of "down,rate" to reasons; false: one of them is none. */
bool admin_reasons(struct span names, uint32_t *reasons);
