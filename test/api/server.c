// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's API server over a store of known flows, for the tests: server RUN-DIR [ADDR:PORT [CAPACITY [CERT KEY
 * [CA]]]]. Lines on stdin: "add N" stores N flows more, "tool N" N calls of a tool that failed, "lose N" notes a loss
 * of the ring, "generation N" an event of the agent; each is answered by "done". EOF ends.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <time.h>

#include "agent/api/api.h"
#include "lib/addr.h"
#include "lib/pb.h"

#define T0 1700000000123000000ull /* Nov 14 22:13:20.123 UTC */

struct state {
	sd_event *event;
	struct flow_store *store;
	struct agent_events *events;
	struct flow_peer *client, *server, *world, *evil;
	struct flow_rule *allow, *deny, *audit;
	struct api_server *api;
	struct {
		char name[32];
		struct weir_addr addr;
	} nodes[8];
	size_t n_nodes;
};

static struct flow_peer *peer(uint32_t identity, const char *ns, const char *pod, const char *label)
{
	struct flow_peer *p = calloc(1, sizeof(*p));

	p->refs = 1;
	p->identity = identity;
	p->labels = calloc(1, sizeof(*p->labels));
	p->labels[p->n_labels++] = strdup(label);
	if (ns) {
		p->ep_id = identity % 100;
		p->namespace = strdup(ns);
		p->pod_name = strdup(pod);
		p->workload_name = strdup("deploy");
		p->workload_kind = strdup("Deployment");
	}
	return p;
}

static struct flow_rule *rule(bool deny, uint8_t match_type, const char *name)
{
	struct flow_rule *r = calloc(1, sizeof(*r));

	r->refs = 1;
	r->default_deny = deny;
	r->match_type = match_type;
	r->n_policies = 1;
	r->policies = calloc(1, sizeof(*r->policies));
	r->policies[0] = (struct flow_policy){ strdup("NetworkPolicy"), strdup("default"), strdup(name) };
	return r;
}

static void add(struct state *s, unsigned at_ms, struct weir_event ev, struct flow_peer *src, struct flow_peer *dst,
		struct flow_rule *egress, struct flow_rule *ingress)
{
	struct flow f = { .ev = ev, .time_ns = T0 + at_ms * 1000000ull };

	f.src = flow_peer_ref(src);
	f.dst = flow_peer_ref(dst);
	f.rule[WEIR_EGRESS] = egress ? flow_rule_ref(egress) : NULL;
	f.rule[WEIR_INGRESS] = ingress ? flow_rule_ref(ingress) : NULL;
	if (egress && egress->default_deny)
		f.ev.rule[WEIR_EGRESS] = WEIR_RULE_DEFAULT_DENY;
	flow_store_add(s->store, &f);
}

static struct weir_event event(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t proto,
			       enum weir_event_type type)
{
	struct weir_event ev = { .sport = htons(sport),
				 .dport = htons(dport),
				 .proto = proto,
				 .type = type,
				 .verdict = WEIR_FORWARDED,
				 .flags = WEIR_EVF_KNOWN_DIR | WEIR_EVF_TO_POD };

	addr_parse(src, &ev.saddr);
	addr_parse(dst, &ev.daddr);
	return ev;
}

static void add_fixture(struct state *s)
{
	struct weir_event ev = event("10.0.0.1", 43210, "10.0.0.2", 80, IPPROTO_TCP, WEIR_EV_NEW);

	ev.tcp_flags = 2;
	add(s, 0, ev, s->client, s->server, NULL, NULL);
	ev = event("10.0.0.2", 80, "10.0.0.1", 43210, IPPROTO_TCP, WEIR_EV_FLAGS);
	ev.tcp_flags = 2 | 16;
	ev.flags |= WEIR_EVF_REPLY;
	add(s, 1000, ev, s->server, s->client, NULL, NULL);
	ev = event("10.0.0.1", 43210, "10.0.0.2", 80, IPPROTO_TCP, WEIR_EV_DROP);
	ev.tcp_flags = 2;
	ev.verdict = WEIR_DROPPED;
	ev.reason = WEIR_DROP_POLICY;
	ev.flags |= WEIR_EVF_INGRESS;
	add(s, 2000, ev, s->client, s->server, s->allow, s->deny);
	add(s, 3000, event("10.0.0.1", 5555, "10.0.0.2", 53, IPPROTO_UDP, WEIR_EV_NEW), s->client, s->server, s->allow,
	    NULL);
	ev = event("fd00::9", 0, "fd00::2", 0, IPPROTO_ICMPV6, WEIR_EV_DROP);
	ev.sport = htons(128);
	ev.verdict = WEIR_DROPPED;
	ev.reason = WEIR_DROP_SRC_IP;
	ev.flags = 0;
	add(s, 4000, ev, s->world, s->server, NULL, NULL);
	ev = event("fd00::1", 1234, "fd00::9", 443, IPPROTO_TCP, WEIR_EV_NEW);
	ev.tcp_flags = 2;
	ev.verdict = WEIR_AUDIT;
	ev.flags &= (uint8_t)~WEIR_EVF_TO_POD;
	add(s, 5000, ev, s->client, s->world, s->audit, NULL);
	ev = event("10.0.0.1", 43210, "10.0.0.2", 80, IPPROTO_TCP, WEIR_EV_END);
	ev.tcp_flags = 1 | 16;
	ev.duration_ms = 6000;
	ev.rtt_us = 250;
	ev.packets[0] = 4;
	ev.packets[1] = 3;
	ev.bytes[0] = 5000000000;
	ev.bytes[1] = 200;
	add(s, 6000, ev, s->client, s->server, NULL, NULL);
	add(s, 7000, event("10.0.0.7", 1, "10.0.0.2", 2, IPPROTO_SCTP, WEIR_EV_NEW), s->evil, s->server, NULL, NULL);
}

/* Flows of which every second one is UDP, numbered by their source ports. */
static void add_many(struct state *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add(s, 10000 + i,
		    event("10.0.0.1", (uint16_t)i, "10.0.0.2", 9, i % 2 ? IPPROTO_UDP : IPPROTO_TCP, WEIR_EV_NEW),
		    s->client, s->server, NULL, NULL);
}

static struct l7_record *tool_call(void)
{
	static const struct l7_ends ends;
	struct l7_record *r = l7_record_new(L7_MCP, &ends);

	r->outcome = L7_TOOL_ERROR;
	r->first_ns = r->last_ns = 41000000;
	l7_record_str(r, L7_KEY_MCP_METHOD, "tools/call", strlen("tools/call"));
	l7_record_str(r, L7_KEY_GEN_AI_TOOL, "execute_sql", strlen("execute_sql"));
	return r;
}

/* The client calls a tool of the server. */
static void add_tool_calls(struct state *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct flow f = { .ev = event("10.0.0.1", 999, "10.0.0.2", 80, IPPROTO_TCP, WEIR_EV_L7),
				  .time_ns = T0 + 9000000000ull };

		f.src = flow_peer_ref(s->client);
		f.dst = flow_peer_ref(s->server);
		f.l7 = tool_call();
		flow_store_add(s->store, &f);
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* "node NAME ADDRESS": it is there; "node NAME -": no longer. */
static void set_node(struct state *s, const char *name, const char *address)
{
	size_t i = 0;

	while (i < s->n_nodes && strcmp(s->nodes[i].name, name) < 0)
		i++;
	if (i == s->n_nodes || !streq(s->nodes[i].name, name)) {
		memmove(&s->nodes[i + 1], &s->nodes[i], (s->n_nodes - i) * sizeof(*s->nodes));
		s->n_nodes++;
	}
	snprintf(s->nodes[i].name, sizeof(s->nodes[i].name), "%s", name);
	if (addr_parse(address, &s->nodes[i].addr) < 0) {
		s->n_nodes--;
		memmove(&s->nodes[i], &s->nodes[i + 1], (s->n_nodes - i) * sizeof(*s->nodes));
	}
	api_server_nodes_changed(s->api);
}

static bool node(void *userdata, size_t i, struct api_node *ret)
{
	const struct state *s = userdata;

	if (i >= s->n_nodes)
		return false;
	*ret = (struct api_node){ s->nodes[i].name, s->nodes[i].addr };
	return true;
}

static int on_stdin(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
	struct state *s = userdata;
	char line[64], name[32], address[32];
	unsigned n;
	ssize_t len = read(fd, line, sizeof(line) - 1);

	if (len <= 0)
		return sd_event_exit(s->event, 0);
	line[len] = '\0';
	if (sscanf(line, "add %u", &n) == 1)
		add_many(s, n);
	else if (sscanf(line, "tool %u", &n) == 1)
		add_tool_calls(s, n);
	else if (sscanf(line, "node %31s %31s", name, address) == 2)
		set_node(s, name, address);
	else if (sscanf(line, "lose %u", &n) == 1)
		flow_store_note_loss(s->store, FLOW_LOSS_RING, n, 0, now_ns());
	else if (sscanf(line, "generation %u", &n) == 1)
		agent_events_add(
		    s->events,
		    &(struct agent_event){ .type = FLOW__AGENT_EVENT_TYPE__POLICY_UPDATED, .number = n, .rules = 7 });
	puts("done");
	fflush(stdout);
	return 0;
}

static int status(_unused_ void *userdata, Weir__V1__StatusResponse *msg, _unused_ struct err *reterr)
{
	Weir__V1__MapInfo *map = pb_append(&msg->n_maps, &msg->maps, &weir__v1__map_info__descriptor);
	Weir__V1__Drop *drop = pb_append(&msg->n_drops, &msg->drops, &weir__v1__drop__descriptor);

	msg->pid = 42;
	msg->endpoints = 2;
	msg->endpoints_ready = msg->endpoints_waiting = 1;
	msg->events_generated = 100;
	msg->events_lost = 7;
	msg->uptime_ns = 3723000000000;
	map->max_entries = 1000;
	map->entries = 950;
	map->memory_bytes = 1536 * 1024;
	drop->packets = 3;
	pb_set_str(&msg->node_name, "node-1");
	pb_set_str(&map->name, "weir_policy");
	pb_set_str(&drop->reason, "Policy denied");
	return pb_append_str(&msg->n_errors, &msg->errors,
			     "a.yaml: NetworkPolicy default/x: spec.podSelector: not an object");
}

static int endpoints(_unused_ void *userdata, Weir__V1__ListEndpointsResponse *msg, _unused_ struct err *reterr)
{
	Weir__V1__Endpoint *e = pb_append(&msg->n_endpoints, &msg->endpoints, &weir__v1__endpoint__descriptor);

	e->id = 1;
	e->identity_v4 = 256;
	e->identity_v6 = 257;
	e->state = WEIR__V1__ENDPOINT_STATE__READY;
	e->ingress = WEIR__V1__ENFORCEMENT__ENFORCED;
	pb_set_str(&e->namespace_, "default");
	pb_set_str(&e->pod, "client");
	pb_set_str(&e->ipv4, "10.0.0.1");
	return pb_set_str(&e->ipv6, "fd00::1");
}

static int identities(_unused_ void *userdata, _unused_ Weir__V1__ListIdentitiesResponse *msg, struct err *reterr)
{
	return err_set(reterr, -EIO, "100 %% broken");
}

static void free_names(struct state *s)
{
	flow_peer_unref(s->client);
	flow_peer_unref(s->server);
	flow_peer_unref(s->world);
	flow_peer_unref(s->evil);
	flow_rule_unref(s->allow);
	flow_rule_unref(s->deny);
	flow_rule_unref(s->audit);
}

int main(int argc, char **argv)
{
	struct agent_events events = { 0 };
	struct state s = { 0 };
	struct api_config config = { .node = { "node-1", 0x123456789abcdef0 },
				     .events = &events,
				     .backend = { &s, status, endpoints, identities, node } };
	_cleanup_(flow_store_freep) struct flow_store *store = NULL;
	_cleanup_(api_server_freep) struct api_server *server = NULL;
	struct err e = { 0 };
	int r;

	config.run_dir = argv[1];
	config.listen = argc > 2 && *argv[2] ? argv[2] : NULL;
	if (argc > 5)
		config.tls = (struct tls_files){ argv[4], argv[5], argc > 6 ? argv[6] : NULL };
	if (sd_event_new(&s.event) < 0 || flow_store_new(argc > 3 ? (size_t)atol(argv[3]) : 65535, &store) < 0)
		return 1;
	s.store = config.store = store;
	s.client = peer(1234, "default", "client", "k8s:app=client");
	s.server = peer(5678, "default", "server", "k8s:app=server");
	s.world = peer(2, NULL, NULL, "reserved:world");
	s.evil = peer(666, "default", "evil\033[31m\r\n", "k8s:app=evil");
	s.allow = rule(false, 2, "allow-out");
	s.deny = rule(true, 0, "deny-all");
	s.audit = rule(true, 0, "audit-out");
	s.events = &events;
	add_fixture(&s);
	agent_events_add(&events,
			 &(struct agent_event){ .time_ns = T0, .type = FLOW__AGENT_EVENT_TYPE__AGENT_STARTED });
	agent_events_add(&events, &(struct agent_event){ .time_ns = T0 + 1000000000,
							 .type = FLOW__AGENT_EVENT_TYPE__ENDPOINT_CREATED,
							 .number = 34,
							 .namespace = "default",
							 .pod = "evil\033[31m" });
	r = api_server_new(s.event, &config, &server, &e);
	s.api = server;
	if (r < 0) {
		fprintf(stderr, "%s\n", e.msg);
	} else {
		sd_event_add_io(s.event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, &s);
		puts("ready");
		fflush(stdout);
		r = sd_event_loop(s.event);
	}
	server = (api_server_free(server), NULL);
	agent_events_done(&events);
	free_names(&s);
	sd_event_unref(s.event);
	return r < 0;
}
