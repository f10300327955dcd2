/*
 * CRC-32C (Castagnoli), the checksum of all that the spool writes.  The
 * processor's instruction is used where there is one, found out at run time;
 * both ways give the same numbers.
 */
#pragma once

#include "base/span.h"

/* Continues a checksum with more bytes; starts at 0. */
uint32_t crc32c(uint32_t crc, struct span bytes);

/* The ways by themselves, for their tests.  The second only where the first says so. */
bool crc32c_has_instruction(void);
uint32_t crc32c_by_instruction(uint32_t crc, struct span bytes);
uint32_t crc32c_by_table(uint32_t crc, struct span bytes);
