// SPDX-License-Identifier: Apache-2.0
/* The one-line summary of a flow, in Cilium's words. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/flow/l7_text.h"
#include "agent/flow/summary.h"
#include "lib/addr.h"

struct icmp_type {
	uint8_t type;
	const char *name;
	const char *const *codes; /* NULL: the code says nothing */
	size_t n_codes;
};

#define CODES(...) (const char *const[]){ __VA_ARGS__ }, ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ }))

static const struct icmp_type icmp4[] = {
	{ 0, "EchoReply", NULL, 0 },
	{ 3, "DestinationUnreachable",
	  CODES("Net", "Host", "Protocol", "Port", "FragmentationNeeded", "SourceRoutingFailed", "NetUnknown",
		"HostUnknown", "SourceIsolated", "NetAdminProhibited", "HostAdminProhibited", "NetTOS", "HostTOS",
		"CommAdminProhibited", "HostPrecedence", "PrecedenceCutoff") },
	{ 4, "SourceQuench", NULL, 0 },
	{ 5, "Redirect", CODES("Net", "Host", "TOS+Net", "TOS+Host") },
	{ 8, "EchoRequest", NULL, 0 },
	{ 9, "RouterAdvertisement", NULL, 0 },
	{ 10, "RouterSolicitation", NULL, 0 },
	{ 11, "TimeExceeded", CODES("TTLExceeded", "FragmentReassemblyTimeExceeded") },
	{ 12, "ParameterProblem", CODES("PointerIndicatesError", "MissingOption", "BadLength") },
	{ 13, "TimestampRequest", NULL, 0 },
	{ 14, "TimestampReply", NULL, 0 },
};

static const struct icmp_type icmp6[] = {
	{ 1, "DestinationUnreachable",
	  CODES("NoRouteToDst", "AdminProhibited", "BeyondScopeOfSrc", "AddressUnreachable", "PortUnreachable",
		"SrcAddressFailedPolicy", "RejectRouteToDst") },
	{ 2, "PacketTooBig", NULL, 0 },
	{ 3, "TimeExceeded", CODES("HopLimitExceeded", "FragmentReassemblyTimeExceeded") },
	{ 4, "ParameterProblem", CODES("ErroneousHeaderField", "UnrecognizedNextHeader", "UnrecognizedIPv6Option") },
	{ 128, "EchoRequest", NULL, 0 },
	{ 129, "EchoReply", NULL, 0 },
	{ 130, "MLDv1MulticastListenerQueryMessage", NULL, 0 },
	{ 131, "MLDv1MulticastListenerReportMessage", NULL, 0 },
	{ 132, "MLDv1MulticastListenerDoneMessage", NULL, 0 },
	{ 133, "RouterSolicitation", NULL, 0 },
	{ 134, "RouterAdvertisement", NULL, 0 },
	{ 135, "NeighborSolicitation", NULL, 0 },
	{ 136, "NeighborAdvertisement", NULL, 0 },
	{ 137, "Redirect", NULL, 0 },
};

static void icmp_summary(const char *family, const struct icmp_type *types, size_t n, const struct weir_event *ev,
			 char *buf)
{
	unsigned type = ntohs(ev->sport), code = ntohs(ev->dport);

	for (size_t i = 0; i < n; i++) {
		if (types[i].type != type)
			continue;
		if (code < types[i].n_codes)
			snprintf(buf, FLOW_SUMMARY_MAX, "%s %s(%s)", family, types[i].name, types[i].codes[code]);
		else if (code == 0)
			snprintf(buf, FLOW_SUMMARY_MAX, "%s %s", family, types[i].name);
		else
			snprintf(buf, FLOW_SUMMARY_MAX, "%s %s(Code: %u)", family, types[i].name, code);
		return;
	}
	snprintf(buf, FLOW_SUMMARY_MAX, "%s %u(%u)", family, type, code);
}

static void tcp_summary(uint8_t flags, char *buf)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} order[] = { { 2, "SYN" }, { 16, "ACK" }, { 4, "RST" },  { 1, "FIN" },
		      { 8, "PSH" }, { 32, "URG" }, { 64, "ECE" }, { 128, "CWR" } };
	size_t len = snprintf(buf, FLOW_SUMMARY_MAX, "TCP Flags:");
	const char *sep = " ";

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		if (!(flags & order[i].bit))
			continue;
		len += snprintf(buf + len, FLOW_SUMMARY_MAX - len, "%s%s", sep, order[i].name);
		sep = ", ";
	}
}

void flow_summary(const struct flow *f, char *buf)
{
	const struct weir_event *ev = &f->ev;

	*buf = '\0';
	if (f->l7) {
		l7_summary(f->l7, buf, FLOW_SUMMARY_MAX);
		return;
	}
	switch (ev->proto) {
	case IPPROTO_TCP:
		tcp_summary(ev->tcp_flags, buf);
		break;
	case IPPROTO_UDP:
		strcpy(buf, "UDP");
		break;
	case IPPROTO_SCTP:
		strcpy(buf, "SCTP");
		break;
	case IPPROTO_ICMP:
		icmp_summary("ICMPv4", icmp4, ARRAY_SIZE(icmp4), ev, buf);
		break;
	case IPPROTO_ICMPV6:
		icmp_summary("ICMPv6", icmp6, ARRAY_SIZE(icmp6), ev, buf);
		break;
	}
}
