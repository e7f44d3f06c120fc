// SPDX-License-Identifier: Apache-2.0
#include "lib/addr.h"

#include <arpa/inet.h>
#include <ctype.h>

static const uint8_t v4_head[12] = { [10] = 0xff, [11] = 0xff };

bool addr_is_v4(const struct weir_addr *a)
{
	return memcmp(a->b, v4_head, sizeof(v4_head)) == 0;
}

bool addr_is_zero(const struct weir_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

int addr_cmp(const struct weir_addr *a, const struct weir_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

struct weir_addr addr_from_v4(uint32_t be)
{
	struct weir_addr a;

	memcpy(a.b, v4_head, sizeof(v4_head));
	a.w[3] = be;
	return a;
}

/* A decimal number of at most `max`, leading zeros allowed, as Go's parser reads what the API server stored. */
static int parse_decimal(const char **s, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	for (; isdigit((unsigned char)**s); (*s)++) {
		v = v * 10 + (**s - '0');
		if (v > max)
			return -EINVAL;
	}
	*ret = v;
	return 0;
}

static int parse_v4(const char *s, struct weir_addr *ret_addr)
{
	struct weir_addr a = addr_from_v4(0);

	for (int i = 0; i < 4; i++) {
		unsigned v;

		if ((i && *s++ != '.') || parse_decimal(&s, 255, &v) < 0)
			return -EINVAL;
		a.b[12 + i] = v;
	}
	if (*s)
		return -EINVAL;
	*ret_addr = a;
	return 0;
}

int addr_parse(const char *s, struct weir_addr *ret_addr)
{
	struct in6_addr in6;

	if (!strchr(s, ':'))
		return parse_v4(s, ret_addr);
	if (inet_pton(AF_INET6, s, &in6) != 1)
		return -EINVAL;
	memcpy(ret_addr->b, &in6, 16);
	return 0;
}

const char *addr_to_str(const struct weir_addr *a, char *buf)
{
	if (addr_is_v4(a))
		inet_ntop(AF_INET, &a->w[3], buf, ADDR_STRLEN);
	else
		inet_ntop(AF_INET6, a->b, buf, ADDR_STRLEN);
	return buf;
}

static void mask(struct weir_addr *a, unsigned len)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = len <= i * 8 ? 0 : MIN(len - i * 8, 8u);

		a->b[i] &= (uint8_t)(0xff00u >> keep);
	}
}

int prefix_parse(const char *s, struct prefix *ret_prefix)
{
	char text[ADDR_STRLEN + 8];
	const char *slash = strchr(s, '/');
	struct prefix p = {};
	unsigned len;
	bool v4;

	if (!slash || (size_t)(slash - s) >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, slash - s);
	text[slash - s] = 0;
	if (addr_parse(text, &p.addr) < 0)
		return -EINVAL;
	v4 = !strchr(text, ':');
	slash++;
	if (parse_decimal(&slash, v4 ? 32 : 128, &len) < 0 || *slash)
		return -EINVAL;
	p.len = v4 ? 96 + len : len;
	mask(&p.addr, p.len);
	*ret_prefix = p;
	return 0;
}

bool prefix_is_v4(const struct prefix *p)
{
	return p->len >= 96 && addr_is_v4(&p->addr);
}

const char *prefix_to_str(const struct prefix *p, char *buf)
{
	char a[ADDR_STRLEN];

	snprintf(buf, PREFIX_STRLEN, "%s/%u", addr_to_str(&p->addr, a), prefix_is_v4(p) ? p->len - 96u : p->len);
	return buf;
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int c = addr_cmp(&a->addr, &b->addr);

	return c ? c : (int)a->len - (int)b->len;
}

static bool same_bits(const struct weir_addr *a, const struct weir_addr *b, unsigned len)
{
	unsigned bytes = len / 8, bits = len % 8;

	if (memcmp(a->b, b->b, bytes) != 0)
		return false;
	return !bits || !((a->b[bytes] ^ b->b[bytes]) >> (8 - bits));
}

bool prefix_contains(const struct prefix *a, const struct prefix *b)
{
	return prefix_is_v4(a) == prefix_is_v4(b) && a->len <= b->len && same_bits(&a->addr, &b->addr, a->len);
}

bool prefix_has_addr(const struct prefix *p, const struct weir_addr *a)
{
	return prefix_is_v4(p) == addr_is_v4(a) && same_bits(&p->addr, a, p->len);
}

struct prefix prefix_of_addr(const struct weir_addr *a)
{
	return (struct prefix){ .addr = *a, .len = 128 };
}

struct weir_lpm_key prefix_to_lpm(const struct prefix *p)
{
	return (struct weir_lpm_key){ .prefixlen = p->len, .addr = p->addr };
}

const char *mac_to_str(const uint8_t mac[6], char *buf)
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return buf;
}
