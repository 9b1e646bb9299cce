/* SPDX-License-Identifier: BSD-2-Clause */
/* What people write for a length of time and for a size, to one number. Pure. */
#ifndef FLOWNER_QUANTITY_H
#define FLOWNER_QUANTITY_H

#include <stdint.h>

/* Digits, then *RET_REST; no sign, no space. -EINVAL, and for what 64 bits do not hold. */
int number_parse(const char *text, uint64_t *ret_value, const char **ret_rest);

/* "10m", "1h", "30s", "500ms" (ns, us, ms, s, m, h, d) to nanoseconds. -EINVAL. */
int duration_parse(const char *text, uint64_t *ret_ns);

/* "16MiB", "64KiB", "1GiB", "65536" to bytes. -EINVAL. */
int size_parse(const char *text, uint64_t *ret_bytes);

#endif
