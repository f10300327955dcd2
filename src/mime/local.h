/*
 * A message as it is kept on this machine, in a Maildir or by a program: with fields in front that
 * say who it is from and for, and lines that end with LF.  A binary message (RFC 3030) has its
 * octets kept as they came.  Pure.
 */
#pragma once

#include "base/buf.h"

/* Adds "Return-Path: <...>" and "Delivered-To: ...". */
void local_write_fields(
    struct buf *out, struct span reverse_path, struct span recipient, bool binary);
/* Adds a piece of the body, cut anywhere: lines end with CRLF, and CR stands nowhere else. */
void local_write_body(struct buf *out, struct span bytes, bool binary);
