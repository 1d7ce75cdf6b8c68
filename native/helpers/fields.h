/* SPDX-License-Identifier: BSD-2-Clause */
/* The layout of struct tcpretrans_event as a table. */
#ifndef FIELDS_H
#define FIELDS_H

#include "../libtcpretrans.h"

extern const struct tcpretrans_field event_fields[];
extern const size_t event_field_count;

#endif
