/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether bytes are JSON (RFC 8259) in plain ASCII; a strict reader of its own. */
#ifndef JSON_CHECK_H
#define JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Each returns where its value ended, or NULL where there is none. */
static inline const char *json_check_value(const char *at, const char *end);

static inline const char *json_check_word(const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && !memcmp(at, word, length) ? at + length : NULL;
}

static inline const char *json_check_digits(const char *at, const char *end)
{
	const char *first = at;

	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at > first ? at : NULL;
}

/* Whole numbers only: nothing else is written. */
static inline const char *json_check_number(const char *at, const char *end)
{
	if (at < end && *at == '-')
		at++;
	if (at < end && *at == '0')
		return at + 1;
	return json_check_digits(at, end);
}

static inline const char *json_check_escape(const char *at, const char *end)
{
	if (at >= end)
		return NULL;
	if (*at != 'u')
		return strchr("\"\\/bfnrt", *at) && *at ? at + 1 : NULL;
	at++;
	for (int i = 0; i < 4; i++, at++)
		if (at >= end || !*at || !strchr("0123456789abcdef", *at))
			return NULL;
	return at;
}

static inline const char *json_check_string(const char *at, const char *end)
{
	if (at >= end || *at++ != '"')
		return NULL;
	while (at && at < end && *at != '"') {
		if (*at < ' ' || *at > '~') /* what is no ASCII is negative, or DEL */
			return NULL;
		at = *at == '\\' ? json_check_escape(at + 1, end) : at + 1;
	}
	return at && at < end ? at + 1 : NULL;
}

static inline const char *json_check_object(const char *at, const char *end)
{
	if (at >= end || *at++ != '{')
		return NULL;
	do {
		at = json_check_string(at, end);
		at = at && at < end && *at == ':' ? json_check_value(at + 1, end) : NULL;
	} while (at && at < end && *at == ',' && at++);
	return at && at < end && *at == '}' ? at + 1 : NULL;
}

static inline const char *json_check_value(const char *at, const char *end)
{
	if (at >= end)
		return NULL;
	switch (*at) {
	case '{':
		return json_check_object(at, end);
	case '"':
		return json_check_string(at, end);
	case 'n':
		return json_check_word(at, end, "null");
	case 't':
		return json_check_word(at, end, "true");
	case 'f':
		return json_check_word(at, end, "false");
	default:
		return json_check_number(at, end);
	}
}

/* Lines of one object each, of which there are `*lines`. */
static inline bool json_check_lines(const char *at, const char *end, size_t *lines)
{
	for (*lines = 0; at < end; ++*lines) {
		at = json_check_object(at, end);
		if (!at || at >= end || *at++ != '\n')
			return false;
	}
	return true;
}

#endif
