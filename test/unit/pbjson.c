// SPDX-License-Identifier: Apache-2.0
#include "lib/pbjson.h"
#include "agent/flow/summary.h"
#include "agent/flow/to_proto.h"
#include "lib/proto/flow.pb-c.h"
#include "lib/proto/google.pb-c.h"
#include "test/unit.h"
#include "test/unit/flows.h"

static char *json(const ProtobufCMessage *msg)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	pbjson_write(f, msg);
	fclose(f);
	return text;
}

static void check_json(const void *msg, const char *want)
{
	_cleanup_free_ char *got = json(msg);

	ck_assert_str_eq(got, want);
}

START_TEST(defaults_are_left_out_and_wide_numbers_are_strings)
{
	Google__Protobuf__Int32Value cpu = GOOGLE__PROTOBUF__INT32_VALUE__INIT;
	Flow__LostEvent lost = FLOW__LOST_EVENT__INIT;

	check_json(&lost, "{}");
	lost.source = FLOW__LOST_EVENT_SOURCE__HUBBLE_RING_BUFFER;
	lost.num_events_lost = UINT64_MAX;
	lost.cpu = &cpu; /* a wrapper is there though its value is 0 */
	check_json(&lost, "{\"source\":\"HUBBLE_RING_BUFFER\",\"num_events_lost\":\"18446744073709551615\",\"cpu\":0}");
	lost.source = 99;
	lost.cpu = NULL;
	lost.num_events_lost = 0;
	check_json(&lost, "{\"source\":99}");
}
END_TEST

START_TEST(times_have_as_many_digits_as_they_need)
{
	Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	t.seconds = 1700000000;
	check_json(&t, "\"2023-11-14T22:13:20Z\"");
	t.nanos = 120000000;
	check_json(&t, "\"2023-11-14T22:13:20.120Z\"");
	t.nanos = 120001000;
	check_json(&t, "\"2023-11-14T22:13:20.120001Z\"");
	t.nanos = 1;
	check_json(&t, "\"2023-11-14T22:13:20.000000001Z\"");
}
END_TEST

START_TEST(text_is_escaped_and_bytes_are_base64)
{
	Flow__Workload w = FLOW__WORKLOAD__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

	w.name = (char *)"\"\\\n\x1b\x7f<caf\xc3\xa9>";
	check_json(&w, "{\"name\":\"\\\"\\\\\\n\\u001b\\u007f<caf\xc3\xa9>\"}");
	any.type_url = (char *)"type.googleapis.com/x.Y";
	any.value = (ProtobufCBinaryData){ 4, (uint8_t *)"\xff\x00\x10\x20" };
	check_json(&any, "{\"@type\":\"type.googleapis.com/x.Y\",\"value\":\"/wAQIA==\"}");
}
END_TEST

START_TEST(oneofs_show_the_one_that_is_set)
{
	Flow__Layer4 l4 = FLOW__LAYER4__INIT;
	Flow__UDP udp = FLOW__UDP__INIT;

	check_json(&l4, "{}");
	l4.protocol_case = FLOW__LAYER4__PROTOCOL_UDP;
	l4.udp = &udp;
	check_json(&l4, "{\"UDP\":{}}");
	udp.destination_port = 53;
	check_json(&l4, "{\"UDP\":{\"destination_port\":53}}");
}
END_TEST

START_TEST(a_flow_as_hubble_has_it)
{
	static const struct flow_node node = { "node-1", 0x1122334455667788 };
	struct flow f =
	    new_flow(new_peer(1234, "default", "client", "k8s:app=client"), new_peer(2, NULL, NULL, "reserved:world"));
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();
	struct flow_face faces[FLOW_FACES_MAX];

	f.seq = 0x8000000000001;
	f.rule[WEIR_EGRESS] = new_rule(false, "out");
	f.ev.flags = WEIR_EVF_KNOWN_DIR;
	ck_assert_uint_eq(flow_faces(&f, faces), 2);
	check_json(
	    flow_msg_fill(m, &node, &f, &faces[0]),
	    "{\"flow\":{\"time\":\"2023-11-14T22:13:20.123456789Z\",\"verdict\":\"FORWARDED\",\"IP\":{\"source\":\"10."
	    "0.0.1\","
	    "\"destination\":\"10.0.0.2\",\"ipVersion\":\"IPv4\"},\"l4\":{\"TCP\":{\"source_port\":1000,\"destination_"
	    "port\":80,"
	    "\"flags\":{\"SYN\":true}}},\"source\":{\"identity\":1234,\"namespace\":\"default\",\"labels\":[\"k8s:app="
	    "client\"],"
	    "\"pod_name\":\"client\",\"cluster_name\":\"default\"},\"destination\":{\"identity\":2,\"labels\":["
	    "\"reserved:world\"]},"
	    "\"Type\":\"L3_L4\",\"node_name\":\"node-1\",\"event_type\":{\"type\":5},\"traffic_direction\":\"EGRESS\","
	    "\"is_reply\":false,\"uuid\":\"11223344-5566-8788-8008-000000000001\","
	    "\"egress_allowed_by\":[{\"name\":\"out\",\"namespace\":\"default\",\"kind\":\"NetworkPolicy\"}],"
	    "\"Summary\":\"TCP Flags: SYN\"},\"node_name\":\"node-1\",\"time\":\"2023-11-14T22:13:20.123456789Z\"}");
	flow_clear(&f);
}
END_TEST

static char *round_trip(const char *text, struct err *e)
{
	ProtobufCMessage *msg = NULL;
	json_t *root = json_loads(text, 0, NULL);
	char *back = NULL;

	ck_assert_ptr_nonnull(root);
	if (pbjson_read(root, &flow__flow_filter__descriptor, &msg, e) == 0) {
		back = json(msg);
		protobuf_c_message_free_unpacked(msg, NULL);
	}
	json_decref(root);
	return back;
}

static void check_round_trip(const char *text, const char *want)
{
	struct err e = {};
	_cleanup_free_ char *got = round_trip(text, &e);

	ck_assert_msg(got != NULL, "%s: %s", text, e.msg);
	ck_assert_str_eq(got, want);
}

static void check_refused(const char *text, const char *why)
{
	struct err e = {};
	_cleanup_free_ char *got = round_trip(text, &e);

	ck_assert_ptr_null(got);
	ck_assert_str_eq(e.msg, why);
}

START_TEST(filters_are_read_as_people_write_them)
{
	check_round_trip("{}", "{}");
	check_round_trip("{\"sourcePod\":[\"default/\",\"a/b\"],\"verdict\":[\"DROPPED\",2]}",
			 "{\"source_pod\":[\"default/\",\"a/b\"],\"verdict\":[\"DROPPED\",\"DROPPED\"]}");
	check_round_trip("{\"source_ip_xlated\":[\"1.2.3.4\"],\"reply\":[true,false],\"sourceIdentity\":[\"7\",8]}",
			 "{\"reply\":[true,false],\"source_identity\":[7,8],\"source_ip_xlated\":[\"1.2.3.4\"]}");
	check_round_trip("{\"ip_trace_id\":[\"18446744073709551615\"]}",
			 "{\"ip_trace_id\":[\"18446744073709551615\"]}");
	check_round_trip("{\"event_type\":[{\"type\":5,\"matchSubType\":true}],\"tcp_flags\":[{\"SYN\":true}]}",
			 "{\"event_type\":[{\"type\":5,\"match_sub_type\":true}],\"tcp_flags\":[{\"SYN\":true}]}");
	check_refused("[]", "must be an object");
	check_refused("{\"pod\":[\"x\"]}", "pod: unknown field");
	check_refused("{\"source_pod\":\"x\"}", "source_pod: must be a list");
	check_refused("{\"source_pod\":[\"x\",1]}", "source_pod: [1]: must be a string");
	check_refused("{\"source_pod\":[\"x\"],\"sourcePod\":[\"y\"]}", "sourcePod: given twice");
	check_refused("{\"verdict\":[\"LOST\"]}", "verdict: [0]: \"LOST\" is no Verdict");
	check_refused("{\"source_identity\":[-1]}", "source_identity: [0]: -1 is out of range");
	check_refused("{\"source_identity\":[\"4294967296\"]}",
		      "source_identity: [0]: \"4294967296\" is not a number that fits");
	check_refused("{\"event_type\":[{\"type\":2147483648}]}", "event_type: [0]: type: 2147483648 is out of range");
	check_refused("{\"reply\":[1]}", "reply: [0]: must be true or false");
}
END_TEST

/* The message of JSON text, as JSON again; NULL: refused. */
static char *lenient(const char *text, struct err *unknown, struct err *e)
{
	json_t *root = json_loads(text, 0, NULL);
	ProtobufCMessage *msg = NULL;
	char *back = NULL;

	ck_assert_msg(root != NULL, "%s", text);
	if (pbjson_read_lenient(root, &observer__get_flows_response__descriptor, &msg, unknown, e) == 0) {
		back = json(msg);
		protobuf_c_message_free_unpacked(msg, NULL);
	}
	json_decref(root);
	return back;
}

static void check_lenient(const char *text, const char *want, const char *want_unknown)
{
	struct err unknown, e = {};
	_cleanup_free_ char *got = lenient(text, &unknown, &e);

	ck_assert_msg(got != NULL, "%s: %s", text, e.msg);
	ck_assert_str_eq(got, want);
	ck_assert_str_eq(unknown.msg, want_unknown);
}

static void check_same(const char *text)
{
	check_lenient(text, text, "");
}

START_TEST(what_is_written_is_read)
{
	check_same(
	    "{\"flow\":{\"time\":\"2023-11-14T22:13:20.123456789Z\",\"is_reply\":true},\"time\":\"1970-01-01T00:00:"
	    "00Z\"}");
	check_same(
	    "{\"lost_events\":{\"source\":\"HUBBLE_RING_BUFFER\",\"num_events_lost\":\"18446744073709551615\",\"cpu\":"
	    "-1}}");
	check_same(
	    "{\"flow\":{\"extensions\":{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{\"a\":1.5,"
	    "\"b\":\"x\",\"c\":[true,null,{\"d\":{}}]}}}}");
	check_lenient("{\"flow\":{\"isReply\":false,\"policyLog\":null,\"verdict\":2},\"nodeName\":\"n\"}",
		      "{\"flow\":{\"verdict\":\"DROPPED\",\"is_reply\":false},\"node_name\":\"n\"}", "");
	check_lenient("{\"flow\":{\"extensions\":{\"@type\":\"x/other.Type\",\"z\":1}}}",
		      "{\"flow\":{\"extensions\":{\"@type\":\"x/other.Type\",\"value\":\"\"}}}", "");
}
END_TEST

START_TEST(nothing_in_json_moves_a_terminal)
{
	check_lenient("{\"node_name\":\"\\u001b[31m \\u009b31m \\u007f \\u00a0\"}",
		      "{\"node_name\":\"\\u001b[31m \\u009b31m \\u007f \xc2\xa0\"}", "");
}
END_TEST

START_TEST(what_is_not_known_is_passed_over_and_told)
{
	check_lenient("{\"flow\":{\"later\":[1],\"verdict\":\"MAYBE\"},\"other\":{}}", "{\"flow\":{}}",
		      "later: unknown field");
	check_lenient("{\"flow\":{\"verdict\":\"MAYBE\"}}", "{\"flow\":{}}", "\"MAYBE\" is no Verdict");
}
END_TEST

static void check_unreadable(const char *text, const char *why)
{
	struct err unknown, e = {};
	_cleanup_free_ char *got = lenient(text, &unknown, &e);

	ck_assert_ptr_null(got);
	ck_assert_str_eq(e.msg, why);
}

START_TEST(what_makes_no_sense_is_refused)
{
	char deep[600] = "{\"flow\":{\"extensions\":{\"@type\":\"x/google.protobuf.Struct\",\"value\":{\"a\":";

	check_unreadable("{\"flow\":{},\"lost_events\":{}}", "lost_events: given twice");
	check_unreadable("{\"time\":\"yesterday\"}", "time: must be a time");
	check_unreadable("{\"time\":7}", "time: must be a time");
	check_unreadable("{\"flow\":{\"is_reply\":1}}", "flow: is_reply: must be true or false");
	check_unreadable("{\"flow\":{\"extensions\":{\"value\":{}}}}",
			 "flow: extensions: @type: must be the address of a type");
	check_unreadable("{\"flow\":{\"extensions\":{\"@type\":\"x/google.protobuf.Struct\"}}}",
			 "flow: extensions: value: is missing");
	check_unreadable("{\"flow\":{\"extensions\":{\"@type\":\"x/google.protobuf.Struct\",\"value\":[]}}}",
			 "flow: extensions: value: must be an object");
	for (int i = 0; i < 100; i++)
		strcat(deep, "[");
	strcat(deep, "1");
	for (int i = 0; i < 100; i++)
		strcat(deep, "]");
	strcat(deep, "}}}}");
	ck_assert_ptr_null(lenient(deep, &(struct err){}, &(struct err){}));
}
END_TEST

static void check_summary(uint8_t proto, unsigned type, unsigned code, uint8_t tcp_flags, const char *want)
{
	struct flow f = { .ev = { .proto = proto,
				  .sport = htons((uint16_t)type),
				  .dport = htons((uint16_t)code),
				  .tcp_flags = tcp_flags } };
	char buf[FLOW_SUMMARY_MAX];

	flow_summary(&f, buf);
	ck_assert_str_eq(buf, want);
}

START_TEST(summaries_in_cilium_s_words)
{
	check_summary(IPPROTO_TCP, 0, 0, 2 | 16, "TCP Flags: SYN, ACK");
	check_summary(IPPROTO_TCP, 0, 0, 255, "TCP Flags: SYN, ACK, RST, FIN, PSH, URG, ECE, CWR");
	check_summary(IPPROTO_UDP, 1, 2, 0, "UDP");
	check_summary(IPPROTO_SCTP, 1, 2, 0, "SCTP");
	check_summary(IPPROTO_ICMP, 8, 0, 0, "ICMPv4 EchoRequest");
	check_summary(IPPROTO_ICMP, 3, 3, 0, "ICMPv4 DestinationUnreachable(Port)");
	check_summary(IPPROTO_ICMP, 77, 1, 0, "ICMPv4 77(1)");
	check_summary(IPPROTO_ICMPV6, 128, 0, 0, "ICMPv6 EchoRequest");
	check_summary(IPPROTO_ICMPV6, 1, 4, 0, "ICMPv6 DestinationUnreachable(PortUnreachable)");
	check_summary(IPPROTO_ICMPV6, 136, 5, 0, "ICMPv6 NeighborAdvertisement(Code: 5)");
	check_summary(IPPROTO_ESP, 0, 0, 0, "");
}
END_TEST

UNIT_MAIN(pbjson, defaults_are_left_out_and_wide_numbers_are_strings, times_have_as_many_digits_as_they_need,
	  text_is_escaped_and_bytes_are_base64, oneofs_show_the_one_that_is_set, a_flow_as_hubble_has_it,
	  filters_are_read_as_people_write_them, what_is_written_is_read, nothing_in_json_moves_a_terminal,
	  what_is_not_known_is_passed_over_and_told, what_makes_no_sense_is_refused, summaries_in_cilium_s_words)
