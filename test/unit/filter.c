// SPDX-License-Identifier: Apache-2.0
#include "test/unit/both.h"
#include "test/unit/flows.h"

static const struct flow_node node = { "node-1", 0x1122334455667788 };

static int passes(const Flow__FlowFilter *filter, bool black, const struct flow *f, struct flow_face *face,
		  struct err *e)
{
	return passes_both(filter, black, &node, f, face, e);
}

static struct flow fixture(void)
{
	struct flow_peer *src = new_peer(1234, "default", "client-7d5",
					 "k8s:app=client k8s:tier=3 k8s:io.kubernetes.pod.namespace=default");
	struct flow_peer *dst = new_peer(2, NULL, NULL, "reserved:world");
	struct flow f = new_flow(src, dst);

	src->workload_name = strdup("client");
	src->workload_kind = strdup("Deployment");
	f.seq = 7;
	return f;
}

/* One string field: value, and whether the fixture passes (-1: the value is refused). */
struct row {
	unsigned field;
	const char *value;
	int want;
};

static const struct row rows[] = {
	{ 1, "10.0.0.1", 1 },
	{ 1, "10.0.0.0/8", 1 },
	{ 1, "10.0.0.2", 0 },
	{ 1, "::/0", 0 },
	{ 1, "ten", -1 },
	{ 3, "10.0.0.2", 1 },
	{ 34, "10.0.0.1", 0 },
	{ 2, "default/client", 1 },
	{ 2, "client", 1 },
	{ 2, "default/", 1 },
	{ 2, "/client", 1 },
	{ 2, "kube/client", 0 },
	{ 2, "default/lient", 0 },
	{ 2, "defaul/client", 0 },
	{ 2, "", -1 },
	{ 2, "/", 1 },
	{ 4, "default/", 0 },
	{ 4, "/x", 0 },
	{ 4, "/", 1 },
	{ 7, "*.cluster.local*", 0 },
	{ 8, "x", 0 },
	{ 16, "default/x", 0 },
	{ 10, "app=client", 1 },
	{ 10, "k8s:app=client", 1 },
	{ 10, "any:app = client", 1 },
	{ 10, "container:app=client", 0 },
	{ 10, "app", 1 },
	{ 10, "!app", 0 },
	{ 10, "!nope,tier", 1 },
	{ 10, "app in (a, client)", 1 },
	{ 10, "app notin (a,client)", 0 },
	{ 10, "nope notin (a)", 1 },
	{ 10, "app!=client", 0 },
	{ 10, "nope!=x", 1 },
	{ 10, "tier>2", 1 },
	{ 10, "tier > 3", 0 },
	{ 10, "tier<4", 1 },
	{ 10, "app>1", 0 },
	{ 10, "io.kubernetes.pod.namespace=default", 1 },
	{ 10, "app=client,tier=4", 0 },
	{ 10, "app in", -1 },
	{ 10, "app in (a", -1 },
	{ 10, "app,", -1 },
	{ 10, "=x", -1 },
	{ 10, "a b", -1 },
	{ 10, "a==b==c", -1 },
	{ 11, "reserved:world", 1 },
	{ 11, "world", 1 },
	{ 11, "k8s:world", 0 },
	{ 37, "default", 1 },
	{ 37, "other", 0 },
	{ 38, "default", 0 },
	{ 12, "TCP", 1 },
	{ 12, "udp", 0 },
	{ 12, "icmp", 0 },
	{ 12, "http", 0 },
	{ 12, "ipx", -1 },
	{ 13, "1000", 1 },
	{ 13, "80", 0 },
	{ 14, "80", 1 },
	{ 14, "65536", -1 },
	{ 14, "http", -1 },
	{ 14, "", -1 },
	{ 14, "+80", -1 },
	{ 9, "404", 0 },
	{ 9, "5+", 0 },
	{ 9, "5", -1 },
	{ 9, "4040", -1 },
	{ 24, "node-1", 1 },
	{ 24, "node-*", 1 },
	{ 24, "default/node-1", 1 },
	{ 24, "other/node-1", 0 },
	{ 24, "def*/", 1 },
	{ 24, "node-2", 0 },
	{ 36, "a=b", 0 },
	{ 36, "!a", 1 },
	{ 28, "abc", 0 },
	{ 29, "11223344-5566-8788-8000-000000000007", 1 },
	{ 29, "11223344-5566-8788-8000-000000000008", 0 },
};

START_TEST(every_string_field)
{
	struct flow f = fixture();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const ProtobufCFieldDescriptor *d =
		    protobuf_c_message_descriptor_get_field(&flow__flow_filter__descriptor, rows[i].field);
		Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;
		char *value[] = { (char *)rows[i].value };
		struct err e = { 0 };
		struct flow_face face;
		int r;

		*(size_t *)((char *)&filter + d->quantifier_offset) = 1;
		*(char ***)((char *)&filter + d->offset) = value;
		r = passes(&filter, false, &f, &face, &e);
		ck_assert_msg(r == (rows[i].want < 0 ? -EINVAL : rows[i].want), "%s \"%s\": %d %s", d->name,
			      rows[i].value, r, e.msg);
		if (r < 0)
			ck_assert_msg(str_prefix(e.msg, "whitelist[0]: ") && strstr(e.msg, d->name) &&
					  strstr(e.msg, rows[i].value),
				      "%s", e.msg);
		else
			ck_assert_int_eq(passes(&filter, true, &f, &face, &e), !r);
	}
	flow_clear(&f);
}
END_TEST

/* A filter with one value in one field of numbers. */
static int number(struct flow *f, unsigned field, uint32_t value)
{
	const ProtobufCFieldDescriptor *d =
	    protobuf_c_message_descriptor_get_field(&flow__flow_filter__descriptor, field);
	Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;
	struct flow_face face;

	*(size_t *)((char *)&filter + d->quantifier_offset) = 1;
	*(uint32_t **)((char *)&filter + d->offset) = &value;
	return passes(&filter, false, f, &face, NULL);
}

START_TEST(fields_of_numbers)
{
	struct flow f = fixture();

	ck_assert(number(&f, 19, 1234) && !number(&f, 19, 2) && number(&f, 20, 2));
	ck_assert(number(&f, 5, FLOW__VERDICT__FORWARDED) && !number(&f, 5, FLOW__VERDICT__DROPPED));
	ck_assert(number(&f, 25, FLOW__IPVERSION__IPv4) && !number(&f, 25, FLOW__IPVERSION__IPv6));
	ck_assert(number(&f, 30, FLOW__TRAFFIC_DIRECTION__INGRESS) && !number(&f, 30, FLOW__TRAFFIC_DIRECTION__EGRESS));
	ck_assert(!number(&f, 33, 133));
	ck_assert(number(&f, 40, false) && !number(&f, 40, true));
	ck_assert(number(&f, 15, false) && !number(&f, 15, true)); /* reply: a new connection is none */
	f.ev.type = WEIR_EV_FLAGS;
	f.ev.flags |= WEIR_EVF_REPLY;
	ck_assert(!number(&f, 15, false) && number(&f, 15, true));
	f.ev.flags = 0; /* direction not known: neither, unless dropped */
	ck_assert(!number(&f, 15, false) && !number(&f, 15, true));
	f.ev.type = WEIR_EV_DROP;
	f.ev.verdict = WEIR_DROPPED;
	f.ev.reason = WEIR_DROP_POLICY;
	ck_assert(number(&f, 15, false) && !number(&f, 15, true));
	ck_assert(number(&f, 33, 133) && !number(&f, 33, 132));
	flow_clear(&f);
}
END_TEST

START_TEST(fields_of_messages)
{
	Flow__Workload w = FLOW__WORKLOAD__INIT, *ws[] = { &w };
	Flow__TCPFlags flags = FLOW__TCPFLAGS__INIT, *fs[] = { &flags };
	Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;
	struct flow f = fixture();
	struct flow_face face;

	filter.n_source_workload = 1;
	filter.source_workload = ws;
	w.kind = (char *)"Deployment";
	ck_assert(passes(&filter, false, &f, &face, NULL));
	w.name = (char *)"other";
	ck_assert(!passes(&filter, false, &f, &face, NULL));
	filter = (Flow__FlowFilter)FLOW__FLOW_FILTER__INIT;
	filter.n_tcp_flags = 1;
	filter.tcp_flags = fs;
	flags.syn = true;
	ck_assert(passes(&filter, false, &f, &face, NULL));
	flags.ack = true;
	ck_assert(!passes(&filter, false, &f, &face, NULL));
	f.ev.tcp_flags |= 16 | 8;
	ck_assert(passes(&filter, false, &f, &face, NULL));
	flow_clear(&f);
}
END_TEST

static int face_of(const struct flow *f, int type, struct flow_face *face)
{
	Flow__EventTypeFilter event = FLOW__EVENT_TYPE_FILTER__INIT, *events[] = { &event };
	Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;

	event.type = type;
	filter.n_event_type = 1;
	filter.event_type = events;
	return passes(&filter, false, f, face, NULL);
}

START_TEST(a_record_shows_the_face_that_is_asked_for)
{
	struct flow f = fixture();
	struct flow_face face;

	f.rule[WEIR_EGRESS] = new_rule(false, "out");
	f.rule[WEIR_INGRESS] = new_rule(false, "in");
	ck_assert(face_of(&f, 0, &face) && face.type == FLOW_FACE_VERDICT && face.direction == 1);
	ck_assert(face_of(&f, FLOW_FACE_TRACE, &face) && face.type == FLOW_FACE_TRACE && face.sub_type == 0);
	ck_assert(!face_of(&f, FLOW_FACE_DROP, &face));
	f.ev.verdict = WEIR_AUDIT;
	f.ev.rule[WEIR_EGRESS] = WEIR_RULE_DEFAULT_DENY | 3; /* the side that would have denied comes first */
	ck_assert(face_of(&f, FLOW_FACE_VERDICT, &face) && face.direction == 2);
	f.ev.type = WEIR_EV_DROP;
	f.ev.verdict = WEIR_DROPPED;
	f.ev.reason = WEIR_DROP_POLICY;
	f.ev.flags = WEIR_EVF_INGRESS;
	ck_assert(face_of(&f, 0, &face) && face.type == FLOW_FACE_VERDICT && face.direction == 1);
	ck_assert(face_of(&f, FLOW_FACE_DROP, &face) && face.sub_type == 133);
	f.ev.reason = WEIR_DROP_SRC_IP; /* no policy decided that */
	ck_assert(face_of(&f, 0, &face) && face.type == FLOW_FACE_DROP && face.sub_type == 132);
	ck_assert(!face_of(&f, FLOW_FACE_VERDICT, &face));
	flow_clear(&f);
}
END_TEST

START_TEST(fields_are_and_values_are_or)
{
	char *ports[] = { (char *)"79", (char *)"80" }, *protocols[] = { (char *)"udp" };
	Flow__FlowFilter a = FLOW__FLOW_FILTER__INIT, b = FLOW__FLOW_FILTER__INIT, *both[] = { &a, &b };
	_cleanup_(flow_filter_freep) struct flow_filter *c = NULL;
	struct flow f = fixture();
	struct flow_face face;

	a.n_destination_port = 2;
	a.destination_port = ports;
	ck_assert(passes(&a, false, &f, &face, NULL));
	b.n_protocol = 1;
	b.protocol = protocols;
	ck_assert_int_eq(flow_filter_new(both, 2, NULL, 0, &node, &c, NULL), 0);
	ck_assert(flow_filter_match(c, &f, &face)); /* filters: or */
	flow_filter_free(TAKE_PTR(c));
	ck_assert_int_eq(flow_filter_new(both, 1, both, 1, &node, &c, NULL), 0);
	ck_assert(!flow_filter_match(c, &f, &face));
	a.n_protocol = 1;
	a.protocol = protocols;
	ck_assert(!passes(&a, false, &f, &face, NULL)); /* fields: and, whichever comes first */
	protocols[0] = (char *)"tcp";
	ck_assert(passes(&a, false, &f, &face, NULL));
	ports[1] = (char *)"81";
	ck_assert(!passes(&a, false, &f, &face, NULL));
	ck_assert(passes(&(Flow__FlowFilter)FLOW__FLOW_FILTER__INIT, false, &f, &face, NULL)); /* nothing asked: all */
	flow_clear(&f);
}
END_TEST

START_TEST(a_request_may_not_cost_everything)
{
	static char text[5000];
	char *ports[FLOW_FILTER_MAX], *labels[] = { text };
	Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;
	struct flow f = fixture();
	struct flow_face face;
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		ports[i] = (char *)"80";
	filter.destination_port = ports;
	filter.n_destination_port = FLOW_FILTER_MAX - 1; /* and the filter itself */
	ck_assert_int_eq(passes(&filter, false, &f, &face, &e), 1);
	filter.n_destination_port = FLOW_FILTER_MAX;
	ck_assert_int_eq(passes(&filter, false, &f, &face, &e), -EINVAL);
	filter = (Flow__FlowFilter)FLOW__FLOW_FILTER__INIT;
	memset(text, 'a', sizeof(text) - 1);
	filter.n_source_label = 1;
	filter.source_label = labels;
	ck_assert_int_eq(passes(&filter, false, &f, &face, &e), -EINVAL);
	flow_clear(&f);
}
END_TEST

UNIT_MAIN(filter, every_string_field, fields_of_numbers, fields_of_messages, a_record_shows_the_face_that_is_asked_for,
	  fields_are_and_values_are_or, a_request_may_not_cost_everything)
