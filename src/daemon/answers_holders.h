/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One flow, answered when it is found who has its socket open.
 *
 * Who sees all is told every holder. Others are told those of their own user, as /proc and ss(8)
 * would, and of the rest only how many there are: the socket is theirs, and that somebody else has
 * it is their business; who runs what is not, where /proc hides it (hidepid).
 */
#ifndef FLOWNER_ANSWERS_HOLDERS_H
#define FLOWNER_ANSWERS_HOLDERS_H

#include "daemon/request.h"
#include <flowner/flow.h>

/* OBJECT is the flow's, whose reference is taken. NULL: no memory. */
enum MHD_Result reply_with_holders(struct request *request, const struct fl_flow *flow,
				   json_t *object);

#endif
