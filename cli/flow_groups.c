// SPDX-License-Identifier: Apache-2.0
#include "cli/flow_groups.h"

#include <ctype.h>

#include "cli/agents.h"
#include "cli/flow_text.h"
#include "cli/l7_view.h"
#include "lib/pbjson.h"

#define COLUMNS_MAX (TALLY_CELLS + 5)

const struct flow_group_info flow_groups[GROUP_COUNT] = {
	[GROUP_VERDICTS] = { "verdicts", { "VERDICT" }, "FLOWS", NULL, false },
	[GROUP_REASONS] = { "drops", { "REASON", "POLICY" }, "FLOWS", NULL, false },
	[GROUP_PROTOCOLS] = { "protocols", { "PROTOCOL" }, "FLOWS", "DROPPED", false },
	[GROUP_TALKERS] = { "talkers", { "SOURCE", "DESTINATION", "PROTOCOL" }, "FLOWS", "DROPPED", false },
	[GROUP_PODS] = { "pods", { "POD" }, "FLOWS", "DROPPED", false },
	[GROUP_DROPS] = { "drops", { "SOURCE", "DESTINATION", "REASON", "POLICY" }, "DROPS", NULL, false },
	[GROUP_TOOLS] = { "tools", { "CALLER", "CALLEE", "PROTOCOL", "WHAT" }, "CALLS", "ERRORS", true },
};

static const struct flow_style names = { .ip_translation = true };

static bool is_dropped(const Flow__Flow *f)
{
	return f->verdict == FLOW__VERDICT__DROPPED || f->verdict == FLOW__VERDICT__ERROR;
}

static int count(struct tally *t, const char *const cells[TALLY_CELLS], const Flow__Flow *f)
{
	struct tally_row *r;

	if (tally_row(t, cells, &r) < 0)
		return -ENOMEM;
	tally_count(r, is_dropped(f));
	return 0;
}

static int add_verdict(struct tally *t, const Flow__Flow *f)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&flow__verdict__descriptor, (int)f->verdict);
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)f->verdict);
	return count(t, (const char *[TALLY_CELLS]){ v ? v->name : number }, f);
}

static int add_reason(struct tally *t, const Flow__Flow *f)
{
	char reason[64], policies[FLOW_CELL];

	if (!is_dropped(f))
		return 0;
	flow_drop_reason(f, reason, sizeof(reason));
	flow_policies(f, policies, sizeof(policies));
	return count(t, (const char *[TALLY_CELLS]){ reason, policies }, f);
}

/* Of layer 7 when the flow tells of it, else "TCP", "UDP", … */
static void protocol(const Flow__Flow *f, char *buf, size_t size)
{
	const ProtobufCFieldDescriptor *d =
	    f->l4 ? protobuf_c_message_descriptor_get_field(&flow__layer4__descriptor, f->l4->protocol_case) : NULL;
	struct l7_view v;

	if (l7_view_open(f, &v)) {
		printable(l7_view_str(&v, "weir.kind"), buf, size);
		l7_view_close(&v);
		return;
	}
	if (f->l7 && f->l7->record_case)
		d = protobuf_c_message_descriptor_get_field(&flow__layer7__descriptor, f->l7->record_case);
	snprintf(buf, size, "%s", d ? d->name : "other");
}

static int add_protocol(struct tally *t, const Flow__Flow *f)
{
	char name[32];

	protocol(f, name, sizeof(name));
	return count(t, (const char *[TALLY_CELLS]){ name }, f);
}

/* Who began, and whom with which port it called: the same for both directions of a connection. */
static void ends(const Flow__Flow *f, char *client, char *server)
{
	bool turned = f->is_reply && f->is_reply->value;
	uint32_t port = flow_port(f, turned);
	size_t len;

	flow_host(&names, f, !turned, client, FLOW_CELL);
	flow_host(&names, f, turned, server, FLOW_CELL - 16);
	len = strlen(server);
	if (port && strchr(server, ':')) {
		memmove(server + 1, server, len + 1);
		*server = '[';
		snprintf(server + len + 1, 16, "]:%u", port);
	} else if (port) {
		snprintf(server + len, 16, ":%u", port);
	}
}

static int add_talker(struct tally *t, const Flow__Flow *f)
{
	char client[FLOW_CELL], server[FLOW_CELL], name[32];

	ends(f, client, server);
	protocol(f, name, sizeof(name));
	return count(t, (const char *[TALLY_CELLS]){ client, server, name }, f);
}

static int add_drop(struct tally *t, const Flow__Flow *f)
{
	char client[FLOW_CELL], server[FLOW_CELL], reason[64], policies[FLOW_CELL];

	if (!is_dropped(f))
		return 0;
	ends(f, client, server);
	flow_drop_reason(f, reason, sizeof(reason));
	flow_policies(f, policies, sizeof(policies));
	return count(t, (const char *[TALLY_CELLS]){ client, server, reason, policies }, f);
}

static int add_pods(struct tally *t, const Flow__Flow *f)
{
	char first[FLOW_CELL] = "", name[FLOW_CELL];

	for (size_t i = 0; i < 2; i++) {
		const Flow__Endpoint *ep = i ? f->destination : f->source;

		if (!ep || !*ep->pod_name)
			continue;
		flow_host(&names, f, !i, name, sizeof(name));
		if (streq(name, first)) /* a pod that talks to itself */
			continue;
		if (count(t, (const char *[TALLY_CELLS]){ name }, f) < 0)
			return -ENOMEM;
		strcpy(first, name);
	}
	return 0;
}

static int add_tool(struct tally *t, const Flow__Flow *f)
{
	return graph_tally(t, f, true);
}

int flow_group_add(enum flow_group g, struct tally *t, const Flow__Flow *f)
{
	static int (*const add[GROUP_COUNT])(struct tally *, const Flow__Flow *) = {
		[GROUP_VERDICTS] = add_verdict, [GROUP_REASONS] = add_reason, [GROUP_PROTOCOLS] = add_protocol,
		[GROUP_TALKERS] = add_talker,   [GROUP_PODS] = add_pods,      [GROUP_DROPS] = add_drop,
		[GROUP_TOOLS] = add_tool,
	};

	return add[g](t, f);
}

/* ---- output */

static size_t cells_of(const struct flow_group_info *info)
{
	size_t n = 0;

	while (n < TALLY_CELLS && info->cells[n])
		n++;
	return n;
}

static size_t put_head(const struct flow_group_info *info, bool rates, char *rate, size_t size, const char **ret_cells)
{
	size_t n = cells_of(info);

	memcpy(ret_cells, info->cells, n * sizeof(*ret_cells));
	snprintf(rate, size, "%s/S", info->count);
	if (rates)
		ret_cells[n++] = rate;
	ret_cells[n++] = info->count;
	if (info->bad)
		ret_cells[n++] = info->bad;
	if (info->latency) {
		ret_cells[n++] = "P50";
		ret_cells[n++] = "P95";
	}
	return n;
}

static int put_row(const struct flow_group_info *info, struct tally_row *r, bool rates, struct table *t)
{
	char rate[32], all[24], bad[24], p50[L7_DURATION_MAX] = "", p95[L7_DURATION_MAX] = "";
	const char *cells[COLUMNS_MAX];
	size_t n = cells_of(info);

	memcpy(cells, r->cells, n * sizeof(*cells));
	snprintf(rate, sizeof(rate), "%.1f", r->rate);
	snprintf(all, sizeof(all), "%llu", (unsigned long long)r->count);
	snprintf(bad, sizeof(bad), "%llu", (unsigned long long)r->bad);
	if (rates)
		cells[n++] = rate;
	cells[n++] = all;
	if (info->bad)
		cells[n++] = bad;
	if (info->latency && r->latency.n) {
		l7_duration(tally_percentile(r, 50), p50);
		l7_duration(tally_percentile(r, 95), p95);
	}
	if (info->latency) {
		cells[n++] = p50;
		cells[n++] = p95;
	}
	return table_add(t, cells);
}

int flow_group_table(enum flow_group g, struct tally *t, size_t max, bool rates, FILE *f)
{
	const struct flow_group_info *info = &flow_groups[g];
	const char *cells[COLUMNS_MAX];
	struct table table = { 0 };
	char rate[32];
	int r;

	table.columns = put_head(info, rates, rate, sizeof(rate), cells);
	r = table_add(&table, cells);
	for (struct tally_row *row = t->rows; row && max && r == 0; row = row->hh.next, max--)
		r = put_row(info, row, rates, &table);
	table_print(&table, f);
	return r;
}

static void json_key(FILE *f, const char *heading)
{
	fputc('"', f);
	for (; *heading; heading++)
		fputc(tolower((unsigned char)*heading), f);
	fputs("\":", f);
}

void flow_group_json(enum flow_group g, struct tally *t, size_t max, FILE *f)
{
	const struct flow_group_info *info = &flow_groups[g];
	const char *sep = "";

	fputc('[', f);
	for (struct tally_row *r = t->rows; r && max; r = r->hh.next, max--) {
		fprintf(f, "%s{", sep);
		sep = ",";
		for (size_t i = 0; i < cells_of(info); i++) {
			json_key(f, info->cells[i]);
			pbjson_write_str(f, r->cells[i]);
			fputc(',', f);
		}
		json_key(f, info->count);
		fprintf(f, "%llu", (unsigned long long)r->count);
		if (info->bad) {
			fputc(',', f);
			json_key(f, info->bad);
			fprintf(f, "%llu", (unsigned long long)r->bad);
		}
		if (info->latency && r->latency.n)
			fprintf(f, ",\"p50_ms\":%.3f,\"p95_ms\":%.3f", tally_percentile(r, 50),
				tally_percentile(r, 95));
		fputc('}', f);
	}
	fputc(']', f);
}
