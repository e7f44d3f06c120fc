// SPDX-License-Identifier: Apache-2.0
#include "test/bpf/packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>

struct cursor {
	uint8_t *at;
};

static void put8(struct cursor *c, uint8_t v)
{
	*c->at++ = v;
}

static void put16(struct cursor *c, uint16_t v)
{
	put8(c, v >> 8);
	put8(c, v & 0xff);
}

static void put32(struct cursor *c, uint32_t v)
{
	put16(c, v >> 16);
	put16(c, v & 0xffff);
}

static void put(struct cursor *c, const void *data, size_t len)
{
	if (data)
		memcpy(c->at, data, len);
	else
		memset(c->at, 0, len);
	c->at += len;
}

static void put_l4(struct cursor *c, const struct packet *p)
{
	switch (p->proto) {
	case IPPROTO_TCP:
		put16(c, p->sport);
		put16(c, p->dport);
		put32(c, 1 + p->seq);
		put32(c, 1 + p->ack);
		put8(c, 5 << 4);
		put8(c, p->flags);
		put(c, NULL, 6);
		return;
	case IPPROTO_UDP:
		put16(c, p->sport);
		put16(c, p->dport);
		put16(c, 8 + p->payload_len);
		put16(c, 0);
		return;
	case IPPROTO_SCTP:
		put16(c, p->sport);
		put16(c, p->dport);
		put(c, NULL, 8);
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put8(c, p->icmp_type);
		put8(c, p->icmp_code);
		put16(c, 0);
		put16(c, p->sport);
		put16(c, 1);
	}
}

/* Type of extension header i; of the first L4 byte when there are no more. */
static uint8_t next_header(const struct packet *p, int i)
{
	if (i < p->n_ext)
		return p->ext[i];
	if (i == p->n_ext && p->fragment)
		return IPPROTO_FRAGMENT;
	return p->proto;
}

static void put_ext(struct cursor *c, const struct packet *p, int i)
{
	uint8_t next = next_header(p, i + 1);

	put8(c, next);
	switch (next_header(p, i)) {
	case IPPROTO_FRAGMENT:
		put8(c, 0);
		put16(c, p->offset | p->more);
		put32(c, p->id);
		return;
	case IPPROTO_AH:
		put8(c, 4); /* 24 bytes */
		put(c, NULL, 22);
		return;
	default:
		put8(c, 0); /* 8 bytes */
		put8(c, 0);
		put8(c, next_header(p, i) == IPPROTO_ROUTING ? p->segments_left : 0);
		put(c, NULL, 4);
	}
}

static void put_v4(struct cursor *c, const struct packet *p)
{
	put8(c, 0x45 + p->options);
	put8(c, 0);
	put16(c, 0); /* length: at the end */
	put16(c, p->id);
	put16(c, p->fragment ? (p->more ? 0x2000 : 0) | p->offset / 8 : 0);
	put8(c, 64);
	put8(c, p->proto);
	put16(c, 0);
	put(c, &p->src.w[3], 4);
	put(c, &p->dst.w[3], 4);
	for (int i = 0; i < p->options * 4; i++)
		put8(c, 1);
}

static void put_v6(struct cursor *c, const struct packet *p)
{
	put32(c, 6u << 28);
	put16(c, 0);
	put8(c, next_header(p, 0));
	put8(c, 64);
	put(c, &p->src, 16);
	put(c, &p->dst, 16);
	for (int i = 0; i < p->n_ext + p->fragment; i++)
		put_ext(c, p, i);
}

size_t packet_build(const struct packet *p, uint8_t frame[FRAME_MAX])
{
	struct cursor c = { frame }, len;
	bool v6 = !addr_is_v4(&p->src);
	uint8_t *l3;

	put(&c, p->dmac, 6);
	put(&c, p->smac, 6);
	if (p->vlan) {
		put16(&c, p->vlan);
		put16(&c, p->tci);
	}
	put16(&c, v6 ? 0x86dd : 0x0800);
	l3 = c.at;
	if (v6)
		put_v6(&c, p);
	else
		put_v4(&c, p);
	if (!p->fragment || !p->offset)
		put_l4(&c, p);
	put(&c, p->payload, p->payload_len);
	len.at = l3 + (v6 ? 4 : 2);
	put16(&len, c.at - l3 - (v6 ? 40 : 0));
	return c.at - frame;
}

struct packet packet_reply(const struct packet *p, uint8_t flags)
{
	struct packet r = *p;

	r.src = p->dst;
	r.dst = p->src;
	r.sport = p->dport;
	r.dport = p->sport;
	r.flags = flags;
	if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) {
		r.sport = p->sport;
		r.icmp_type = p->proto == IPPROTO_ICMP ? 0 : 129;
	}
	return r;
}
