/* SPDX-License-Identifier: Apache-2.0 */
/* Exchanges of layer 7, as records and as flows, for the tests of the API and of the CLI. */
#ifndef WEIR_TEST_L7_FLOWS_H
#define WEIR_TEST_L7_FLOWS_H

#include "test/unit/flows.h"

#define MS 1000000ull

static _unused_ struct l7_record *record(enum l7_kind kind, enum l7_outcome outcome, unsigned ms)
{
	static const struct l7_ends ends;
	struct l7_record *r = l7_record_new(kind, &ends);

	r->outcome = outcome;
	r->first_ns = r->last_ns = ms * MS;
	return r;
}

static _unused_ void set(struct l7_record *r, enum l7_key key, const char *s)
{
	l7_record_str(r, key, s, strlen(s));
}

static _unused_ struct l7_record *http(int status)
{
	struct l7_record *r = record(L7_HTTP, status ? L7_OK : L7_NO_ANSWER, status ? 12 : 0);

	set(r, L7_KEY_HTTP_METHOD, "GET");
	if (status)
		l7_record_int(r, L7_KEY_HTTP_STATUS, status);
	set(r, L7_KEY_URL_PATH, "/v1/items");
	set(r, L7_KEY_HTTP_HOST, "shop.example");
	set(r, L7_KEY_USER_AGENT, "curl/8");
	set(r, L7_KEY_NETWORK_PROTOCOL, "http");
	set(r, L7_KEY_NETWORK_VERSION, "1.1");
	set(r, L7_KEY_TRACEPARENT, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	if (status)
		l7_record_int(r, L7_KEY_RESPONSE_SIZE, 321);
	return r;
}

static _unused_ struct l7_record *dns(int rcode)
{
	struct l7_record *r = record(L7_DNS, rcode ? L7_ERROR : L7_OK, 3);

	set(r, L7_KEY_DNS_QUERY, "example.com.");
	set(r, L7_KEY_DNS_QTYPE, "A");
	l7_record_int(r, L7_KEY_DNS_RCODE, rcode);
	if (rcode) {
		set(r, L7_KEY_ERROR_TYPE, "NXDOMAIN");
		return r;
	}
	set(r, L7_KEY_DNS_ADDRS, "10.0.0.1,10.0.0.2");
	set(r, L7_KEY_DNS_CNAMES, "edge.example.");
	l7_record_int(r, L7_KEY_DNS_TTL, 30);
	return r;
}

static _unused_ struct l7_record *tool_call(enum l7_outcome outcome)
{
	struct l7_record *r = record(L7_MCP, outcome, 41);

	set(r, L7_KEY_MCP_METHOD, "tools/call");
	set(r, L7_KEY_GEN_AI_TOOL, "execute_sql");
	if (outcome == L7_ERROR)
		set(r, L7_KEY_ERROR_TYPE, "-32602");
	return r;
}

static _unused_ struct l7_record *chat(void)
{
	struct l7_record *r = record(L7_LLM, L7_OK, 812);

	r->first_ns = 80 * MS;
	set(r, L7_KEY_GEN_AI_OPERATION, "chat");
	set(r, L7_KEY_GEN_AI_MODEL, "gpt-5");
	l7_record_int(r, L7_KEY_GEN_AI_INPUT, 1200);
	l7_record_int(r, L7_KEY_GEN_AI_OUTPUT, 340);
	l7_record_int(r, L7_KEY_GEN_AI_STREAM, 1);
	return r;
}

static _unused_ struct flow flow_of(struct l7_record *r)
{
	struct flow f =
	    new_flow(new_peer(1234, "prod", "planner-7d5", "k8s:app=planner"), new_peer(5678, "prod", "tools", NULL));

	f.ev.type = WEIR_EV_L7;
	f.ev.tcp_flags = 0;
	f.ev.flags = 0;
	f.src->workload_name = strdup("planner-deploy");
	f.src->workload_kind = strdup("Deployment");
	f.dst->ep_id = 4;
	f.seq = 7;
	f.l7 = r;
	return f;
}

#endif
