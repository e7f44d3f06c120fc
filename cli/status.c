// SPDX-License-Identifier: Apache-2.0
/* `weir status`: is the agent well, and what would an operator want to know. Exit 1 when it is not. */
#include "cli/flow_text.h"
#include "cli/table.h"
#include "lib/proto/weir.pb-c.h"

#define PRESSURE_BAD 90 /* percent of a map that is in use */

static unsigned pressure(const Weir__V1__MapInfo *m)
{
	return m->max_entries ? (unsigned)(100 * m->entries / m->max_entries) : 0;
}

/* LRU maps are full in good health; of a full one that is none, the next pod or policy finds no room. */
static bool is_lru(const Weir__V1__MapInfo *m)
{
	return str_prefix(m->name, "weir_ct") || streq(m->name, "weir_frag");
}

static bool map_is_full(const Weir__V1__MapInfo *m)
{
	return !is_lru(m) && pressure(m) >= PRESSURE_BAD;
}

static int judge(const ProtobufCMessage *msg)
{
	const Weir__V1__StatusResponse *s = (const Weir__V1__StatusResponse *)msg;

	for (size_t i = 0; i < s->n_maps; i++)
		if (map_is_full(s->maps[i]))
			return 1;
	for (size_t i = 0; i < s->n_uplinks; i++)
		if (!s->uplinks[i]->attached)
			return 1;
	return s->n_errors ? 1 : 0;
}

static const char *human(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1024 && i < ARRAY_SIZE(units) - 1; i++)
		v /= 1024;
	snprintf(buf, size, i ? "%.1f %s" : "%.0f %s", v, units[i]);
	return buf;
}

static const char *uptime(uint64_t ns, char *buf, size_t size)
{
	uint64_t s = ns / 1000000000;

	if (s >= 86400)
		snprintf(buf, size, "%llud%lluh", (unsigned long long)(s / 86400), (unsigned long long)(s / 3600 % 24));
	else if (s >= 3600)
		snprintf(buf, size, "%lluh%llum", (unsigned long long)(s / 3600), (unsigned long long)(s / 60 % 60));
	else if (s < 60)
		snprintf(buf, size, "%llus", (unsigned long long)s);
	else
		snprintf(buf, size, "%llum%llus", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
	return buf;
}

static void print_lines(const char *label, char *const *lines, size_t n)
{
	char buf[1024];

	for (size_t i = 0; i < n; i++)
		printf("%-12s %s\n", i ? "" : label, printable(lines[i], buf, sizeof(buf)));
}

static void print_flows(const Weir__V1__StatusResponse *s)
{
	uint64_t lost = s->events_lost + s->queue_lost;

	printf("%-12s %llu of %llu in the store, %llu seen\n", "Flows:", (unsigned long long)s->store_num,
	       (unsigned long long)s->store_max, (unsigned long long)s->store_seen);
	printf("%-12s %llu generated, %llu lost", "Events:", (unsigned long long)s->events_generated,
	       (unsigned long long)lost);
	if (lost)
		printf(" (%llu in the kernel's ring, %llu in the agent's queue)", (unsigned long long)s->events_lost,
		       (unsigned long long)s->queue_lost);
	putchar('\n');
}

static void print_l7(const Weir__V1__Layer7 *l7)
{
	char bytes[24], memory[24], kind[32];

	if (!l7)
		return;
	printf("%-12s %llu excerpts, %s", "Layer 7:", (unsigned long long)l7->excerpts,
	       human(l7->bytes, bytes, sizeof(bytes)));
	if (l7->excerpts_lost)
		printf(", %llu LOST", (unsigned long long)l7->excerpts_lost);
	printf("; %llu connections, %s", (unsigned long long)l7->connections,
	       human(l7->memory_bytes, memory, sizeof(memory)));
	if (l7->gaps)
		printf("; %llu gaps", (unsigned long long)l7->gaps);
	if (l7->evicted)
		printf("; %llu connections given up", (unsigned long long)l7->evicted);
	putchar('\n');
	for (size_t i = 0; i < l7->n_records; i++)
		printf("%s%llu %s", i ? ", " : "             ", (unsigned long long)l7->records[i]->records,
		       printable(l7->records[i]->kind, kind, sizeof(kind)));
	if (l7->n_records)
		printf(" records%s", l7->records_lost ? "" : "\n");
	if (l7->records_lost)
		printf("%s%llu records LOST\n", l7->n_records ? ", " : "             ",
		       (unsigned long long)l7->records_lost);
}

static void print_uplinks(const Weir__V1__StatusResponse *s)
{
	char name[64], error[512];

	for (size_t i = 0; i < s->n_uplinks; i++)
		printf("%-12s %s: %s%s%s\n",
		       i ? "" : "Uplinks:", printable(s->uplinks[i]->interface, name, sizeof(name)),
		       s->uplinks[i]->attached ? "attached" : "NOT ATTACHED", *s->uplinks[i]->error ? ", " : "",
		       printable(s->uplinks[i]->error, error, sizeof(error)));
}

static void print_maps(const Weir__V1__StatusResponse *s)
{
	for (size_t i = 0; i < s->n_maps; i++) {
		const Weir__V1__MapInfo *m = s->maps[i];
		char name[64], memory[24];

		printf("%-12s %-16s %llu of %llu (%u %%), %s%s\n",
		       i ? "" : "Maps:", printable(m->name, name, sizeof(name)), (unsigned long long)m->entries,
		       (unsigned long long)m->max_entries, pressure(m), human(m->memory_bytes, memory, sizeof(memory)),
		       map_is_full(m) ? " FULL" : "");
	}
}

static void print_deny(const Weir__V1__StatusResponse *s)
{
	for (size_t i = 0; i < s->n_deny; i++) {
		const Weir__V1__DenyPrefix *d = s->deny[i];
		char prefix[128], bytes[24];

		printf("%-12s %s: %llu packets, %s dropped\n",
		       i ? "" : "Deny list:", printable(d->prefix, prefix, sizeof(prefix)),
		       (unsigned long long)d->packets, human(d->bytes, bytes, sizeof(bytes)));
	}
}

static void print_drops(const Weir__V1__StatusResponse *s)
{
	for (size_t i = 0; i < s->n_drops; i++) {
		char reason[128];

		printf("%-12s %llu %s\n", i ? "" : "Drops:", (unsigned long long)s->drops[i]->packets,
		       printable(s->drops[i]->reason, reason, sizeof(reason)));
	}
}

static int print_status(const ProtobufCMessage *msg)
{
	const Weir__V1__StatusResponse *s = (const Weir__V1__StatusResponse *)msg;
	char node[256], version[64], up[24], rss[24];

	printf("%-12s %s\n", "Health:", judge(msg) ? "NOT OK" : "ok");
	printf("%-12s %s, weir %s, pid %u, up %s, %s\n", "Node:", printable(s->node_name, node, sizeof(node)),
	       printable(s->version, version, sizeof(version)), s->pid, uptime(s->uptime_ns, up, sizeof(up)),
	       human(s->memory_rss, rss, sizeof(rss)));
	print_flows(s);
	print_l7(s->l7);
	printf("%-12s %u: %u ready, %u waiting", "Endpoints:", s->endpoints, s->endpoints_ready, s->endpoints_waiting);
	if (s->endpoints_busy)
		printf("; %u busy", s->endpoints_busy);
	putchar('\n');
	printf("%-12s %u policies, %u pods, %u namespaces\n", "Objects:", s->policies, s->pods, s->namespaces);
	printf("%-12s generation %u: %u identities, %u rule sets, %u rules; compiled in %llu us, applied in %llu us\n",
	       "Policy:", s->generation, s->identities, s->rulesets, s->rules, (unsigned long long)s->policy_compile_us,
	       (unsigned long long)s->policy_apply_us);
	print_uplinks(s);
	print_maps(s);
	print_deny(s);
	print_drops(s);
	print_lines("Errors:", s->errors, s->n_errors);
	print_lines("Warnings:", s->warnings, s->n_warnings);
	return 0;
}

int cmd_status(int argc, char **argv)
{
	static const struct cli_option options[] = { ASK_OPTIONS, { 0 } };
	static const struct cli_usage usage = {
		"status [-o text|json]",
		"Tell how the agent of this node is: flows, losses, endpoints, policy, maps, "
		"drops, errors. Exit status 1 when it is not well or not there.",
		options
	};
	Weir__V1__StatusRequest request = WEIR__V1__STATUS_REQUEST__INIT;

	return ask_and_print(&usage, argc, argv, "/weir.v1.Agent/Status", &request.base,
			     &weir__v1__status_response__descriptor, print_status, judge);
}
