// SPDX-License-Identifier: Apache-2.0
/* What the agent tells of itself to Prometheus: figures of the moment, read when somebody asks, and times of passes. */

#include "agent/agent.h"
#include "lib/clock.h"
#include "lib/drop.h"

static const double pass_seconds[] = { 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5 };
#define PASS_BOUNDS pass_seconds, ARRAY_SIZE(pass_seconds)

/* name, type, unit, help, label or NULL, bounds */
#define FIGURES(X)                                                                                                   \
	X(INFO, "weir_agent_info", GAUGE, NULL, "1; the label says which version runs.", "version")                  \
	X(RESIDENT, "weir_agent_resident_memory_bytes", GAUGE, "bytes", "Resident memory of the agent.", NULL)       \
	X(CPU, "weir_agent_cpu_seconds", COUNTER, "seconds", "Processor time of the agent.", NULL)                   \
	X(READY, "weir_agent_ready", GAUGE, NULL, "1: policy is in force.", NULL)                                    \
	X(ENDPOINTS, "weir_endpoints", GAUGE, NULL, "Pods of this node.", "state")                                   \
	X(IDENTITIES, "weir_identities", GAUGE, NULL, "Identities in force.", NULL)                                  \
	X(RULESETS, "weir_rule_sets", GAUGE, NULL, "Rule sets in force.", NULL)                                      \
	X(RULES, "weir_rules", GAUGE, NULL, "Rules in force.", NULL)                                                 \
	X(MAP_ENTRIES, "weir_map_entries", GAUGE, NULL, "Entries of the datapath's maps.", "map")                    \
	X(MAP_CAPACITY, "weir_map_capacity", GAUGE, NULL, "Entries for which the datapath's maps have room.", "map") \
	X(FAILURES, "weir_policy_failures", COUNTER, NULL, "Passes that could not be brought into force.", NULL)     \
	X(EVENTS, "weir_datapath_events", COUNTER, NULL, "Flow events that the kernel made, lost ones too.", NULL)   \
	X(DROPPED, "weir_datapath_dropped_packets", COUNTER, NULL, "Packets that the kernel dropped.", "reason")     \
	X(RING_LOST, "weir_ring_lost", COUNTER, NULL, "Records that found their ring full.", "ring")                 \
	X(LOST_EVENTS, "hubble_lost_events", COUNTER, NULL, "Flow events that were lost.", "source")                 \
	X(L7_LOST, "weir_l7_records_lost", COUNTER, NULL, "Records of layer 7 that found their queue full.", NULL)   \
	X(L7_CONNECTIONS, "weir_l7_connections", GAUGE, NULL, "Connections whose payload is read.", NULL)            \
	X(L7_EVICTED, "weir_l7_evicted", COUNTER, NULL, "Connections given up for want of memory.", NULL)            \
	X(LOG_WRITTEN, "weir_flow_log_written", COUNTER, NULL, "Flows written to flow logs.", "path")                \
	X(LOG_LOST, "weir_flow_log_lost", COUNTER, NULL, "Flows that flow logs lack.", "path")                       \
	X(OTLP_SENT, "weir_otlp_sent", COUNTER, NULL, "Spans, log records, data points that a collector took.",      \
	  "signal")                                                                                                  \
	X(OTLP_DROPPED, "weir_otlp_dropped", COUNTER, NULL, "Spans, log records, data points given up.", "signal")   \
	X(OTLP_RETRIES, "weir_otlp_retries", COUNTER, NULL, "Batches sent again.", "signal")

enum figure {
#define X(id, name, type, unit, help, label) id,
	FIGURES(X)
#undef X
	    FIGURE_COUNT
};

static const struct metric_desc descs[] = {
#define X(id, name, type, unit, help, label) [id] = { name, help, unit, METRIC_##type, { label }, NULL, 0 },
	FIGURES(X)
#undef X
};
static const struct metric_desc times[] = {
	{ "weir_policy_compile_duration_seconds",
	  "Time that compiling policies took.",
	  "seconds",
	  METRIC_HISTOGRAM,
	  {},
	  PASS_BOUNDS },
	{ "weir_policy_apply_duration_seconds",
	  "Time that writing policies to the maps took.",
	  "seconds",
	  METRIC_HISTOGRAM,
	  {},
	  PASS_BOUNDS },
};

struct figures {
	struct metric *figure[FIGURE_COUNT], *compile, *apply;
	uint64_t failures;
};

static void set(const struct agent *a, enum figure id, const char *label, double v)
{
	metric_set(a->figures->figure[id], &label, v);
}

static double resident_bytes(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	return f && fscanf(f, "%*u %lu", &pages) == 1 ? (double)pages * (double)sysconf(_SC_PAGESIZE) : 0;
}

static void set_process(const struct agent *a)
{
	set(a, INFO, WEIR_VERSION, 1);
	set(a, RESIDENT, NULL, resident_bytes());
	set(a, CPU, NULL, (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
	set(a, READY, NULL, !a->problem[0]);
	set(a, FAILURES, NULL, (double)a->figures->failures);
}

static void set_policy(const struct agent *a)
{
	unsigned n[2] = {};

	for (const struct endpoint *ep = a->endpoints.by_key; ep; ep = ep->hh.next)
		n[ep->ready]++;
	set(a, ENDPOINTS, "waiting", n[0]);
	set(a, ENDPOINTS, "ready", n[1]);
	set(a, IDENTITIES, NULL, (double)a->result->n_identities);
	set(a, RULESETS, NULL, (double)a->result->n_rulesets);
	set(a, RULES, NULL, (double)a->result->n_rules);
}

static void set_maps(const struct agent *a)
{
	struct maps_counts n = maps_counts(a->maps);
	const struct {
		const char *name;
		double entries;
	} maps[] = { { WEIR_MAP_EP, (double)n.endpoints },
		     { WEIR_MAP_IPCACHE, (double)n.ipcache },
		     { WEIR_MAP_POLICY, (double)n.policy },
		     { WEIR_MAP_CT_TCP, a->conns.tcp },
		     { WEIR_MAP_CT_ANY, a->conns.any } };

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		set(a, MAP_ENTRIES, maps[i].name, maps[i].entries);
		set(a, MAP_CAPACITY, maps[i].name, datapath_max_entries(a->datapath, maps[i].name));
	}
}

static void set_datapath(const struct agent *a)
{
	uint64_t stats[WEIR_STAT_COUNT];

	if (datapath_stats(a->datapath, stats, NULL) < 0)
		return;
	set(a, EVENTS, NULL, (double)stats[WEIR_STAT_EVENTS]);
	set(a, RING_LOST, "events", (double)stats[WEIR_STAT_EVENTS_LOST]);
	set(a, RING_LOST, "l7", (double)stats[WEIR_STAT_L7_LOST]);
	for (int reason = 1; reason < WEIR_DROP_COUNT; reason++)
		if (stats[WEIR_STAT_DROP + reason])
			set(a, DROPPED, drop_text(reason), (double)stats[WEIR_STAT_DROP + reason]);
	set(a, LOST_EVENTS, "perf_event_ring_buffer", (double)flow_store_lost(a->flows, FLOW_LOSS_RING));
	set(a, LOST_EVENTS, "observer_events_queue", (double)flow_store_lost(a->flows, FLOW_LOSS_QUEUE));
	set(a, LOST_EVENTS, "hubble_ring_buffer", (double)flow_store_lost(a->flows, FLOW_LOSS_STORE));
}

static void set_l7(const struct agent *a)
{
	struct l7_worker_stats w;

	if (!a->l7)
		return;
	l7_worker_stats(a->l7, &w);
	set(a, L7_LOST, NULL, (double)w.records_lost);
	set(a, L7_CONNECTIONS, NULL, (double)w.connections);
	set(a, L7_EVICTED, NULL, (double)w.evicted);
}

static void set_exporters(const struct agent *a)
{
	static const char *const signals[OTLP_SIGNALS] = {
		[OTLP_TRACES] = "traces", [OTLP_LOGS] = "logs", [OTLP_METRICS] = "metrics"
	};
	struct flow_log_stats log;
	struct otlp_stats otlp;

	for (size_t i = 0; flow_logs_stats(a->flow_logs, i, &log); i++) {
		set(a, LOG_WRITTEN, log.path, (double)log.written);
		set(a, LOG_LOST, log.path, (double)log.lost);
	}
	for (int i = 0; a->otlp && i < OTLP_SIGNALS; i++) {
		if (!otlp_stats(a->otlp, i, &otlp))
			continue;
		set(a, OTLP_SENT, signals[i], (double)otlp.sent);
		set(a, OTLP_DROPPED, signals[i], (double)otlp.dropped);
		set(a, OTLP_RETRIES, signals[i], (double)otlp.retries);
	}
}

static void collect(void *userdata)
{
	const struct agent *a = userdata;

	set_process(a);
	set_policy(a);
	set_maps(a);
	set_datapath(a);
	set_l7(a);
	set_exporters(a);
}

void agent_count_pass(const struct agent *a, bool failed)
{
	if (!a->figures)
		return;
	a->figures->failures += failed;
	if (failed) /* the times may be those of the pass before */
		return;
	metric_observe(a->figures->compile, NULL, (double)a->compile_us / 1e6);
	metric_observe(a->figures->apply, NULL, (double)a->apply_us / 1e6);
}

static const char *not_ready(void *userdata)
{
	const struct agent *a = userdata;

	return !a->cni ? "weir-cni is not served" : a->problem[0] ? a->problem : NULL;
}

static bool is_alive(void *userdata, const char *ns, const char *pod)
{
	const struct agent *a = userdata;
	const struct k8s_entry *e = k8s_store_find(a->store, K8S_POD, ns, pod);

	return (e && e->object) || endpoints_find_pod(&a->endpoints, ns, pod);
}

int agent_start_metrics(struct agent *a, struct err *reterr)
{
	const struct metrics_host host = { a, not_ready, is_alive };
	struct registry *r;

	if (metrics_new(a->event, a->config.metrics, a->config.metrics_listen, a->flows, &host, &a->metrics, reterr) <
	    0)
		return err_prefix(reterr, -EINVAL, "metrics");
	a->figures = calloc(1, sizeof(*a->figures));
	r = metrics_registry(a->metrics);
	if (!a->figures || registry_on_walk(r, collect, a) < 0)
		return err_oom(reterr);
	for (size_t i = 0; i < FIGURE_COUNT; i++)
		a->figures->figure[i] = registry_add(r, &descs[i]);
	a->figures->compile = registry_add(r, &times[0]);
	a->figures->apply = registry_add(r, &times[1]);
	agent_count_pass(a, false); /* the one at the start */
	return 0;
}

void agent_stop_metrics(struct agent *a)
{
	metrics_free(TAKE_PTR(a->metrics));
	free(TAKE_PTR(a->figures));
}
