/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_text.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <sys/socket.h>

#define NS_PER_S 1000000000

#define ONE(a, b, c)  { { '0' + a, '0' + b, '0' + c }, a ? 0 : b ? 1 : 2 },
#define TEN(a, b)     ONE(a, b, 0) ONE(a, b, 1) ONE(a, b, 2) ONE(a, b, 3) ONE(a, b, 4) \
		      ONE(a, b, 5) ONE(a, b, 6) ONE(a, b, 7) ONE(a, b, 8) ONE(a, b, 9)
#define HUNDRED(a)    TEN(a, 0) TEN(a, 1) TEN(a, 2) TEN(a, 3) TEN(a, 4) \
		      TEN(a, 5) TEN(a, 6) TEN(a, 7) TEN(a, 8) TEN(a, 9)

const struct json_triple json_triples[1000] = {
	HUNDRED(0) HUNDRED(1) HUNDRED(2) HUNDRED(3) HUNDRED(4)
	HUNDRED(5) HUNDRED(6) HUNDRED(7) HUNDRED(8) HUNDRED(9)
};

static char *put_pair(char *at, unsigned number)
{
	memcpy(at, json_triples[number].digits + 1, 2);
	return at + 2;
}

static char *put_triple(char *at, unsigned number)
{
	memcpy(at, &json_triples[number], sizeof(*json_triples));
	return at + 3;
}

static char *put_six(char *at, unsigned number)
{
	return put_triple(put_triple(at, number / 1000), number % 1000);
}

char *json_put_long(char *at, uint64_t number)
{
	if (number < 1000000) {
		at = json_put_number(at, (unsigned)number / 1000);
		return put_triple(at, (unsigned)number % 1000);
	}
	at = json_put_number(at, number / 1000000);
	return put_six(at, number % 1000000);
}

char *json_put_signed(char *at, int32_t number)
{
	if (number < 0)
		*at++ = '-';
	return json_put_number(at, number < 0 ? -(int64_t)number : number);
}

static char *put_code(char *at, unsigned code)
{
	static const char hex[] = "0123456789abcdef";

	at = json_put(at, "\\u");
	for (int shift = 12; shift >= 0; shift -= 4)
		*at++ = hex[code >> shift & 15];
	return at;
}

/* One that does not stand for itself. */
static char *put_letter(char *at, uint32_t letter)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *one = shorts; *one; one += 2)
		if (letter == (unsigned char)*one) {
			*at++ = '\\';
			*at++ = one[1];
			return at;
		}
	if (letter < 0x10000)
		return put_code(at, letter);
	at = put_code(at, 0xd7c0 + (letter >> 10));
	return put_code(at, 0xdc00 + (letter & 0x3ff));
}

/* How many bytes the letter has that begins here, and which it is; 0 where it is no UTF-8. */
static size_t decode(const uint8_t *bytes, size_t left, uint32_t *letter)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xc0 ? 0 : bytes[0] < 0xe0 ? 2 :
			bytes[0] < 0xf0 ? 3 : bytes[0] < 0xf8 ? 4 : 0;

	if (!length || length > left)
		return 0;
	*letter = length == 1 ? bytes[0] : bytes[0] & (0x7f >> length);
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*letter = *letter << 6 | (bytes[i] & 0x3f);
	}
	if (*letter < least[length] || *letter > 0x10ffff || (*letter >= 0xd800 && *letter < 0xe000))
		return 0;
	return length;
}

static char *put_raw(char *at, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";

	at = json_put(at, "\\\\x");
	*at++ = hex[byte >> 4];
	*at++ = hex[byte & 15];
	return at;
}

/* What stands for itself. */
static const bool plain[256] = {
	[' ' ... '!'] = true, ['"' + 1 ... '\\' - 1] = true, ['\\' + 1 ... '~'] = true,
};

char *json_put_text(char *at, const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text, *end = bytes + size;
	uint32_t letter;
	size_t took;

	*at++ = '"';
	while (bytes < end && *bytes) {
		if (plain[*bytes]) {
			*at++ = *bytes++;
			continue;
		}
		took = decode(bytes, strnlen((const char *)bytes, end - bytes), &letter);
		at = took ? put_letter(at, letter) : put_raw(at, *bytes);
		bytes += took ? took : 1;
	}
	*at++ = '"';
	return at;
}

/* inet_ntop() takes longer than all the rest of a line. */
static const struct json_address *six(struct json_addresses *addresses, const uint8_t *packed)
{
	struct json_address *place;
	uint32_t words[4];

	memcpy(words, packed, sizeof(words));
	place = &addresses->latest[((words[0] ^ words[1] ^ words[2] ^ words[3]) * 0x9e3779b1U) >> 26];
	if (place->length && !memcmp(place->packed, packed, sizeof(place->packed)))
		return place;
	memcpy(place->packed, packed, sizeof(place->packed));
	inet_ntop(AF_INET6, packed, place->text, sizeof(place->text));
	place->length = strlen(place->text);
	return place;
}

char *json_put_address(struct json_addresses *addresses, char *at, uint8_t family, const uint8_t *packed)
{
	const struct json_address *known;

	*at++ = '"';
	if (family == 4) {
		for (int i = 0; i < 4; i++) {
			at = json_put_number(at, packed[i]);
			*at++ = '.';
		}
		at--;
	} else {
		known = six(addresses, packed);
		memcpy(at, known->text, sizeof(known->text));
		at += known->length;
	}
	*at++ = '"';
	return at;
}

/* Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years begin in
 * March here, so that the leap day is a year's last. */
static void put_date(char *at, int64_t day)
{
	int64_t era, of_era, year, of_year, month;

	day += 719468; /* from 0000-03-01 */
	era = (day >= 0 ? day : day - 146096) / 146097;
	of_era = day - era * 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	year += era * 400 + (month >= 10);
	at = put_pair(put_pair(at, year / 100), year % 100);
	*at++ = '-';
	at = put_pair(at, month < 10 ? month + 3 : month - 9);
	*at++ = '-';
	put_pair(at, of_year - (153 * month + 2) / 5 + 1);
}

static void set_second(struct json_second *second, int64_t seconds)
{
	int64_t day = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
	unsigned left = seconds - day * 86400;

	memcpy(second->text, "yyyy-mm-ddThh:mm:ss", sizeof(second->text));
	put_date(second->text, day);
	put_pair(second->text + 11, left / 3600);
	put_pair(second->text + 14, left / 60 % 60);
	put_pair(second->text + 17, left % 60);
	second->seconds = seconds;
}

char *json_put_time(struct json_second *second, char *at, uint64_t ts_ns, int64_t wall_offset_ns)
{
	int64_t seconds = ts_ns / NS_PER_S, ns = ts_ns % NS_PER_S;
	unsigned micros;

	seconds += wall_offset_ns / NS_PER_S;
	ns += wall_offset_ns % NS_PER_S + 500; /* rounded to the nearest microsecond */
	if (ns < 0) {
		ns += NS_PER_S;
		seconds--;
	}
	seconds += ns / NS_PER_S;
	micros = ns % NS_PER_S / 1000;
	if (!second->text[0] || second->seconds != seconds)
		set_second(second, seconds);
	memcpy(at, second->text, 19);
	at[19] = '.';
	put_six(at + 20, micros);
	at[26] = 'Z';
	return at + 27;
}
