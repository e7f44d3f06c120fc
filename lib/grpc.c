// SPDX-License-Identifier: Apache-2.0
#include "lib/grpc.h"

#include <ctype.h>

static const char *const status_names[] = {
	"OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
	"NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
	"Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
	"DataLoss", "Unauthenticated",
};
_Static_assert(ARRAY_SIZE(status_names) == GRPC_UNAUTHENTICATED + 1, "a status has no name");

const char *grpc_status_name(int status)
{
	return status >= 0 && (size_t)status < ARRAY_SIZE(status_names) ? status_names[status] : NULL;
}

int grpc_timeout_parse(const char *s, size_t len, uint64_t *ret_usec)
{
	static const struct {
		char unit;
		uint64_t nsec;
	} units[] = { { 'H', 3600000000000 }, { 'M', 60000000000 }, { 'S', 1000000000 },
		      { 'm', 1000000 },       { 'u', 1000 },        { 'n', 1 } };
	uint64_t v = 0;

	if (len < 2 || len > 9)
		return -EINVAL;
	for (size_t i = 0; i < len - 1; i++) {
		if (!isdigit((unsigned char)s[i]))
			return -EINVAL;
		v = v * 10 + (s[i] - '0');
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (units[i].unit == s[len - 1]) {
			*ret_usec = units[i].nsec >= 1000 ? v * (units[i].nsec / 1000) : v / 1000;
			return 0;
		}
	return -EINVAL;
}

void grpc_message_encode(const char *s, char *ret, size_t size)
{
	size_t n = 0;

	for (; *s && n + 4 <= size; s++) {
		unsigned char c = *s;

		if (c >= 0x20 && c <= 0x7e && c != '%')
			ret[n++] = c;
		else
			n += snprintf(ret + n, 4, "%%%02X", c);
	}
	ret[n] = '\0';
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* What is not a valid escape stays as it is. */
void grpc_message_decode(const char *s, size_t len, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		int high = s[i] == '%' && i + 2 < len ? hex(s[i + 1]) : -1, low = high < 0 ? -1 : hex(s[i + 2]);

		if (low >= 0) {
			ret[n++] = (char)(high << 4 | low);
			i += 2;
		} else {
			ret[n++] = s[i];
		}
	}
	ret[n] = '\0';
}

void grpc_prefix_put(uint8_t *buf, uint32_t len)
{
	buf[0] = 0;
	for (int i = 0; i < 4; i++)
		buf[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

/* 0 and the length of the whole message with its prefix. */
static int prefix_get(const struct grpc_reader *r, const uint8_t *p, size_t *ret_size)
{
	size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];

	if (p[0] > 1)
		return -EPROTO;
	if (p[0] == 1)
		return -ENOTSUP;
	if (len > r->max)
		return -EMSGSIZE;
	*ret_size = GRPC_PREFIX + len;
	return 0;
}

static int reserve(struct grpc_reader *r, size_t size)
{
	uint8_t *buf;

	if (size <= r->cap)
		return 0;
	buf = realloc(r->buf, size);
	if (!buf)
		return -ENOMEM;
	r->buf = buf;
	r->cap = size;
	return 0;
}

/* Complete the message that has begun; returns how many bytes that took. */
static ssize_t fill(struct grpc_reader *r, const uint8_t *data, size_t len)
{
	size_t want = GRPC_PREFIX, take;
	int ret;

	if (r->have >= GRPC_PREFIX && (ret = prefix_get(r, r->buf, &want)) < 0)
		return ret;
	if (reserve(r, want) < 0)
		return -ENOMEM;
	take = MIN(want - r->have, len);
	memcpy(r->buf + r->have, data, take);
	r->have += take;
	if (r->have < GRPC_PREFIX)
		return (ssize_t)take;
	ret = prefix_get(r, r->buf, &want);
	if (ret < 0 || r->have < want)
		return ret < 0 ? ret : (ssize_t)take;
	r->have = 0;
	ret = r->on_message(r->userdata, r->buf + GRPC_PREFIX, want - GRPC_PREFIX);
	return ret < 0 ? ret : (ssize_t)take;
}

/* A message that is whole in data needs no copy. Returns how many bytes it took; 0: it is not whole. */
static ssize_t direct(struct grpc_reader *r, const uint8_t *data, size_t len)
{
	size_t size;
	int ret;

	if (r->have || len < GRPC_PREFIX)
		return 0;
	ret = prefix_get(r, data, &size);
	if (ret < 0 || size > len)
		return ret;
	ret = r->on_message(r->userdata, data + GRPC_PREFIX, size - GRPC_PREFIX);
	return ret < 0 ? ret : (ssize_t)size;
}

int grpc_reader_feed(struct grpc_reader *r, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = direct(r, data, len);

		if (n == 0)
			n = fill(r, data, len);
		if (n < 0)
			return (int)n;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

void grpc_reader_clear(struct grpc_reader *r)
{
	free(r->buf);
	r->buf = NULL;
	r->have = r->cap = 0;
}
