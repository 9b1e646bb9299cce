/* SPDX-License-Identifier: BSD-2-Clause */
/* The name of a session that other tools have for it, too: no flow, no time, just its two ends. */
#ifndef FLOWNER_COMMUNITY_H
#define FLOWNER_COMMUNITY_H

#include "flowner/flow.h"

/* Community id v1, "1:" + base64(sha1): BUF has 31 bytes at least. */
#define COMMUNITY_ID_TEXT 31
const char *community_id(const struct fl_key *key, char *buf);

#endif
