/* SPDX-License-Identifier: BSD-2-Clause */
/* Values as Python's json module writes them: plain ASCII. Each function writes at `at` and returns
 * where it ended; up to 48 bytes beyond that may be overwritten.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The latest second that was written, as text. */
struct json_second {
	int64_t seconds;
	char text[20]; /* empty: none yet */
};

/* Texts of the latest IPv6 addresses. */
struct json_addresses {
	struct json_address {
		uint8_t packed[16];
		uint8_t length; /* 0: none yet */
		char    text[47];
	} latest[64];
};

static inline char *json_put(char *at, const char *text)
{
	size_t length = strlen(text);

	memcpy(at, text, length);
	return at + length;
}

/* Three digits, of which the first `zeros` are left out where a number begins with them. */
struct json_triple {
	char    digits[3];
	uint8_t zeros;
};

extern const struct json_triple json_triples[1000]; /* 0 to 999 */

/* For numbers of four digits and more. */
char *json_put_long(char *at, uint64_t number);

/* Most numbers of an event are small: those take no call. */
static inline char *json_put_number(char *at, uint64_t number)
{
	const struct json_triple *triple;

	if (number >= 1000)
		return json_put_long(at, number);
	triple = &json_triples[number];
	memcpy(at, (const char *)triple + triple->zeros, sizeof(*triple));
	return at + sizeof(triple->digits) - triple->zeros;
}

char *json_put_signed(char *at, int32_t number);

/* NUL-terminated bytes, at most `size`, in quotes; what is no UTF-8 shows as \xNN. */
char *json_put_text(char *at, const char *bytes, size_t size);

/* An address of family 4, else IPv6, as inet_ntop() writes it, in quotes. */
char *json_put_address(struct json_addresses *addresses, char *at, uint8_t family,
		       const uint8_t *packed);

/* UTC to the microsecond, without quotes: 2026-01-31T12:00:00.123456Z */
char *json_put_time(struct json_second *second, char *at, uint64_t ts_ns, int64_t wall_offset_ns);

#endif
