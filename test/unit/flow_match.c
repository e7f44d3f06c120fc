// SPDX-License-Identifier: Apache-2.0
/* FlowFilter over messages: what flows of the agent do not have; the rest is in filter.c and flow_l7.c. */
#include "cli/flow_match.h"

#include "lib/pbjson.h"
#include "test/unit.h"

static ProtobufCMessage *message(const char *text, const ProtobufCMessageDescriptor *d)
{
	json_t *root = json_loads(text, 0, NULL);
	ProtobufCMessage *msg = NULL;
	struct err e = {};

	ck_assert_msg(root && pbjson_read(root, d, &msg, &e) == 0, "%s: %s", text, e.msg);
	json_decref(root);
	return msg;
}

static bool passes(const char *flow, const char *filter)
{
	ProtobufCMessage *f = message(flow, &flow__flow__descriptor);
	Flow__FlowFilter *list[] = { (Flow__FlowFilter *)message(filter, &flow__flow_filter__descriptor) };
	_cleanup_(filter_set_freep) struct filter_set *set = NULL;
	struct err e = {};
	bool r;

	ck_assert_msg(filter_set_new(list, 1, NULL, 0, &message_evaluator, &set, &e) == 0, "%s", e.msg);
	r = flow_match(set, (Flow__Flow *)f);
	protobuf_c_message_free_unpacked(f, NULL);
	flow__flow_filter__free_unpacked(list[0], NULL);
	return r;
}

#define NAMES "{\"destination_names\":[\"a.example\",\"WWW.Example.COM.\"]}"
#define SERVICE "{\"source_service\":{\"namespace\":\"prod\",\"name\":\"api-v1\"}}"
#define HTTP                                                                                                \
	"{\"l7\":{\"http\":{\"code\":404,\"method\":\"GET\",\"url\":\"http://shop.example/v1/items?x=/y\"," \
	"\"headers\":[{\"key\":\"X-A\",\"value\":\"b\"}]}}}"
#define PACKET                                                                                                  \
	"{\"IP\":{\"source\":\"10.0.0.1\",\"source_xlated\":\"192.0.2.7\",\"encrypted\":true},"                 \
	"\"interface\":{\"index\":3,\"name\":\"eth0\"},\"node_name\":\"east/n1\",\"node_labels\":[\"zone=a\"]," \
	"\"ip_trace_id\":{\"trace_id\":\"77\"},\"source\":{\"cluster_name\":\"east\"}}"

static const struct {
	const char *flow, *filter;
	bool want;
} rows[] = {
	{ NAMES, "{\"destination_fqdn\":[\"*.example.com\"]}", true },
	{ NAMES, "{\"destination_fqdn\":[\"WWW.*\"]}", true },
	{ NAMES, "{\"destination_fqdn\":[\"example.com\"]}", false },
	{ NAMES, "{\"source_fqdn\":[\"*\"]}", false },
	{ SERVICE, "{\"source_service\":[\"prod/api\"]}", true },
	{ SERVICE, "{\"source_service\":[\"/api-v1\"]}", true },
	{ SERVICE, "{\"source_service\":[\"api\"]}", false },
	{ SERVICE, "{\"destination_service\":[\"prod/\"]}", false },
	{ HTTP, "{\"http_path\":[\"^/v[0-9]+/items$\"]}", true },
	{ HTTP, "{\"http_path\":[\"y\"]}", false },
	{ HTTP, "{\"http_url\":[\"[?]x=/y$\"]}", true },
	{ HTTP, "{\"http_method\":[\"get\"]}", true },
	{ HTTP, "{\"http_status_code\":[\"4+\"]}", true },
	{ HTTP, "{\"http_status_code\":[\"500\"]}", false },
	{ HTTP, "{\"http_header\":[{\"key\":\"x-a\",\"value\":\"b\"}]}", true },
	{ HTTP, "{\"http_header\":[{\"key\":\"x-a\",\"value\":\"c\"}]}", false },
	{ HTTP, "{\"l7_kind\":[\"HTTP\"]}", true }, /* of an agent that is not ours */
	{ HTTP, "{\"l7_kind\":[\"mcp\"]}", false },
	{ HTTP, "{\"l7_outcome\":[\"ok\"]}", false },
	{ HTTP, "{\"protocol\":[\"http\"]}", true },
	{ HTTP, "{\"protocol\":[\"tcp\"]}", false },
	{ "{\"l7\":{\"http\":{\"url\":\"/only/path#x\"}}}", "{\"http_path\":[\"^/only/path$\"]}", true },
	{ "{\"l7\":{\"http\":{\"url\":\"http://host\"}}}", "{\"http_path\":[\"^$\"]}", true },
	{ "{\"l7\":{\"dns\":{\"query\":\"a.example.\"}}}", "{\"l7_kind\":[\"dns\"],\"dns_query\":[\"^a[.]\"]}", true },
	{ "{\"l7\":{\"kafka\":{}}}", "{\"protocol\":[\"kafka\"]}", true },
	{ "{\"l4\":{\"IGMP\":{}}}", "{\"protocol\":[\"igmp\"]}", true },
	{ "{\"l4\":{\"VRRP\":{}}}", "{\"protocol\":[\"vrrp\"]}", true },
	{ PACKET, "{\"source_ip_xlated\":[\"192.0.2.0/24\"]}", true },
	{ PACKET, "{\"source_ip_xlated\":[\"10.0.0.1\"]}", false },
	{ PACKET, "{\"encrypted\":[true]}", true },
	{ PACKET, "{\"encrypted\":[false]}", false },
	{ PACKET, "{\"interface\":[{\"name\":\"eth0\"}]}", true },
	{ PACKET, "{\"interface\":[{\"name\":\"eth0\",\"index\":4}]}", false },
	{ PACKET, "{\"node_name\":[\"east/n*\"]}", true },
	{ PACKET, "{\"node_name\":[\"n1\"]}", false },
	{ PACKET, "{\"node_labels\":[\"zone in (a,b)\"]}", true },
	{ PACKET, "{\"node_labels\":[\"zone=b\"]}", false },
	{ PACKET, "{\"ip_trace_id\":[77]}", true },
	{ PACKET, "{\"ip_trace_id\":[7]}", false },
	{ PACKET, "{\"source_cluster_name\":[\"east\"]}", true },
	{ PACKET, "{\"source_pod\":[\"/\"]}", true },
	{ PACKET, "{\"destination_pod\":[\"x\"]}", false },
	/* of a flow that says nothing */
	{ "{}", "{\"source_ip\":[\"::/0\"]}", false },
	{ "{}", "{\"source_identity\":[0]}", true },
	{ "{}", "{\"source_label\":[\"!a\"]}", true },
	{ "{}", "{\"event_type\":[{\"type\":4}]}", false },
	{ "{}", "{\"drop_reason_desc\":[0]}", false },
	{ "{}", "{\"reply\":[false]}", false },
	{ "{}", "{\"source_port\":[\"0\"]}", false },
	{ "{}", "{\"tcp_flags\":[{}]}", false },
	{ "{}", "{\"ip_version\":[0]}", true },
	{ "{}", "{\"trace_id\":[\"\"]}", false },
	{ "{}", "{\"l7_agent\":[\"*\"]}", false },
};

START_TEST(what_only_messages_have)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg(passes(rows[i].flow, rows[i].filter) == rows[i].want, "%s %s", rows[i].filter,
			      rows[i].flow);
}
END_TEST

UNIT_MAIN(flow_match, what_only_messages_have)
