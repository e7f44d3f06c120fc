// SPDX-License-Identifier: Apache-2.0
/*
 * A line of a flow log and, behind its first newline, a filter: what `weir observe --input-file` reads. A message that
 * was read is written as JSON that reads back as the same message; a filter over it says the same twice. sources:
 * lib/pbjson_read.c lib/pbjson.c lib/rfc3339.c lib/pb.c lib/err.c lib/addr.c lib/flow_filter.c lib/flow_filter_value.c
 * lib/label_selector.c lib/drop.c cli/filter_raw.c cli/flow_match.c cli/l7_view.c cli/flow_text.c cli/times.c
 * cli/flow_groups.c cli/tally.c cli/table.c cli/agents_graph.c cli/observe_filter.c cli/client.c cli/config.c
 * cli/options.c lib/fs.c lib/grpc.c lib/tls.c lib/log.c lib/k8s/text.c lib/k8s/yaml.c lib/k8s/yaml_scalar.c
 * build/gen/lib/proto/flow.pb-c.c build/gen/lib/proto/google.pb-c.c build/gen/lib/proto/observer.pb-c.c
 * build/gen/lib/proto/relay.pb-c.c
 */
#include "cli/filter_raw.h"
#include "cli/flow_groups.h"
#include "cli/flow_match.h"
#include "lib/pbjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ProtobufCMessage *read_message(const char *text, size_t len)
{
	json_t *json = json_loadb(text, len, 0, NULL);
	ProtobufCMessage *msg = NULL;
	struct err e, unknown;

	if (json)
		pbjson_read_lenient(json, &observer__get_flows_response__descriptor, &msg, &unknown, &e);
	json_decref(json);
	return msg;
}

static char *write_message(const ProtobufCMessage *msg, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	pbjson_write(f, msg);
	fclose(f);
	return text;
}

/* The first writing may differ from the second: -0 is 0. */
static void check_round_trip(const ProtobufCMessage *msg)
{
	size_t len, len2, len3;
	_cleanup_free_ char *text = write_message(msg, &len);
	ProtobufCMessage *again = read_message(text, len), *third;
	_cleanup_free_ char *text2 = again ? write_message(again, &len2) : NULL, *text3 = NULL;

	if (!again)
		abort();
	third = read_message(text2, len2);
	text3 = third ? write_message(third, &len3) : NULL;
	if (!text3 || !streq(text2, text3))
		abort();
	protobuf_c_message_free_unpacked(again, NULL);
	protobuf_c_message_free_unpacked(third, NULL);
}

static void check_filter(const Flow__Flow *f, const char *text)
{
	_cleanup_(filter_set_freep) struct filter_set *allow = NULL, *deny = NULL;
	struct raw_filters filters = { 0 };
	struct err e;

	if (filter_raw_parse(text, &filters, &e) == 0 && filters.n &&
	    filter_set_new(filters.v, filters.n, NULL, 0, &message_evaluator, &allow, &e) == 0) {
		if (filter_set_new(NULL, 0, filters.v, filters.n, &message_evaluator, &deny, &e) < 0 ||
		    flow_match(allow, f) == flow_match(deny, f))
			abort();
	}
	filter_raw_clear(&filters);
}

static void check_groups(const Flow__Flow *f)
{
	for (enum flow_group g = 0; g < GROUP_COUNT; g++) {
		struct tally t = { 0 };

		flow_group_add(g, &t, f);
		tally_clear(&t);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	size_t len = strcspn(text, "\n");
	ProtobufCMessage *msg = read_message(text, len);
	const Observer__GetFlowsResponse *r = (const Observer__GetFlowsResponse *)msg;

	if (!msg)
		return 0;
	check_round_trip(msg);
	if (r->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_FLOW) {
		check_filter(r->flow, text + len);
		check_groups(r->flow);
	}
	protobuf_c_message_free_unpacked(msg, NULL);
	return 0;
}
