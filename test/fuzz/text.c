// SPDX-License-Identifier: Apache-2.0
/*
 * The parsers of short texts, all on the same input: label selectors, times, gRPC's timeouts and messages, terminal
 * text. sources: lib/label_selector.c cli/times.c cli/flow_text.c cli/l7_view.c cli/observe_filter.c cli/filter_raw.c
 * cli/options.c cli/config.c lib/pb.c lib/pbjson.c lib/pbjson_read.c lib/rfc3339.c lib/drop.c lib/grpc.c lib/err.c
 * lib/fs.c lib/k8s/text.c lib/k8s/yaml.c lib/k8s/yaml_scalar.c build/gen/lib/proto/flow.pb-c.c
 * build/gen/lib/proto/google.pb-c.c build/gen/lib/proto/observer.pb-c.c build/gen/lib/proto/relay.pb-c.c
 */
#include "cli/flow_text.h"
#include "lib/grpc.h"
#include "lib/label_selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_selector(const char *text)
{
	static char *const labels[] = { (char *)"k8s:app=a", (char *)"reserved:host", (char *)"k8s:n=7" };
	_cleanup_(selector_freep) struct selector *s = NULL;
	struct err e;

	if (selector_parse(text, &s, &e) == 0)
		selector_match(s, labels, ARRAY_SIZE(labels));
}

/* What is encoded decodes to itself; what is printable has nothing left to neutralise. */
static void check_round_trips(const char *text)
{
	char wire[4096], back[4096], shown[4096], again[4096];

	if (3 * strlen(text) + 4 < sizeof(wire)) {
		grpc_message_encode(text, wire, sizeof(wire));
		grpc_message_decode(wire, strlen(wire), back, sizeof(back));
		if (!streq(back, text))
			abort();
	}
	printable(text, shown, sizeof(shown));
	if (4 * strlen(text) + 5 < sizeof(shown) && !streq(printable(shown, again, sizeof(again)), shown))
		abort();
	printable(text, again, MIN(strlen(text) + 6, 40));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	char buf[TIME_STRLEN];
	uint64_t v;

	check_selector(text);
	check_round_trips(text);
	grpc_timeout_parse(text, strlen(text), &v);
	if (time_parse(text, 1700000000000000000, &v) == 0)
		time_format(time_layout("RFC3339Nano"), v, buf);
	return 0;
}
