/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-1 (RFC 3174) of a small buffer in one call. Community IDs are defined over it; it protects
 * nothing here and must not be used to.
 */
#ifndef FLOWNER_SHA1_H
#define FLOWNER_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20

void sha1(const void *data, size_t size, uint8_t ret_digest[SHA1_BYTES]);

#endif
