// SPDX-License-Identifier: Apache-2.0
#include "cli/observe_print.h"

#include "lib/pbjson.h"

#define NODE_NAMES_LEN 50

static void print_lost(const struct printer *p, const Flow__LostEvent *lost, const struct flow_text *l)
{
	fprintf(p->out, "EVENTS LOST: %s CPU(%d) %llu\n", l->source, lost->cpu ? lost->cpu->value : 0,
		(unsigned long long)lost->num_events_lost);
}

/*
 * A reply is shown with its connection's ends in their places, and the arrow turned. Of an exchange of layer 7 caller
 * and callee are shown, and what it came to.
 */
static void print_compact(const struct printer *p, const struct flow_text *l)
{
	bool reply = streq(l->arrow, "<-");

	fputs(l->time, p->out);
	if (p->node_names)
		fprintf(p->out, " [%s]", l->node);
	if (*l->exchange) {
		fprintf(p->out, ": %s -> %s  %s\n", l->caller, l->callee, l->exchange);
		return;
	}
	fprintf(p->out, ": %s %s %s %s %s %s %s (%s)\n", reply ? l->destination : l->source,
		reply ? l->destination_id : l->source_id, l->arrow, reply ? l->source : l->destination,
		reply ? l->source_id : l->destination_id, l->type, l->verdict, l->summary);
}

static void print_dict(struct printer *p, const struct flow_text *l)
{
	if (p->begun)
		fputs("------------\n", p->out);
	p->begun = true;
	fprintf(p->out, "  TIMESTAMP: %s\n", l->time);
	if (p->node_names)
		fprintf(p->out, "       NODE: %s\n", l->node);
	fprintf(p->out, "     SOURCE: %s\n", l->source);
	if (l->arrow)
		fprintf(p->out, "DESTINATION: %s\n", l->destination);
	fprintf(p->out, "       TYPE: %s\n    VERDICT: %s\n    SUMMARY: %s\n", l->type, l->verdict, l->summary);
}

static size_t columns(const struct printer *p)
{
	return p->node_names ? 7 : 6;
}

static int add_cell(struct printer *p, const char *s)
{
	if ((p->n_cells & (p->n_cells - 1)) == 0) {
		char **rows = realloc(p->rows, (p->n_cells ? 2 * p->n_cells : 1) * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		p->rows = rows;
	}
	p->rows[p->n_cells] = strdup(s);
	return p->rows[p->n_cells++] ? 0 : -ENOMEM;
}

static int add_row(struct printer *p, const char *time, const char *node, const char *source, const char *destination,
		   const char *type, const char *verdict, const char *summary)
{
	const char *cells[] = { time, node, source, destination, type, verdict, summary };

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		if ((i != 1 || p->node_names) && add_cell(p, cells[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int table_row(struct printer *p, const struct flow_text *l)
{
	if (!p->n_cells && add_row(p, "TIMESTAMP", "NODE", "SOURCE", "DESTINATION", "TYPE", "VERDICT", "SUMMARY") < 0)
		return -ENOMEM;
	return add_row(p, l->time, l->node, l->source, l->destination, l->type, l->verdict, l->summary);
}

/* Three spaces between columns, none behind the last. */
void printer_end(struct printer *p)
{
	size_t n = columns(p), width[7] = { 0 };

	for (size_t i = 0; i < p->n_cells; i++)
		width[i % n] = MAX(width[i % n], strlen(p->rows[i]));
	for (size_t i = 0; i < p->n_cells; i++) {
		if (i % n == n - 1)
			fprintf(p->out, "%s\n", p->rows[i]);
		else
			fprintf(p->out, "%-*s", (int)width[i % n] + 3, p->rows[i]);
		free(p->rows[i]);
	}
	free(TAKE_PTR(p->rows));
	p->n_cells = 0;
}

/* Names up to a length, then how many more; one at least. */
static void some_names(char *const *names, size_t n, char *buf, size_t size)
{
	size_t len = 0, i = 0;
	char name[FLOW_CELL];

	*buf = '\0';
	for (; i < n && len < size && (i == 0 || len + 2 + strlen(names[i]) <= NODE_NAMES_LEN); i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
					printable(names[i], name, sizeof(name)));
	if (i < n && len < size)
		snprintf(buf + len, size - len, " (and %zu more)", n - i);
}

/* What Relay says about nodes behind it: on stderr, and trouble alone. */
static void node_status(const struct printer *p, const Observer__GetFlowsResponse *msg)
{
	const Relay__NodeStatusEvent *e = msg->node_status;
	char time[TIME_STRLEN], node[FLOW_CELL], names[FLOW_CELL], text[FLOW_CELL];

	if (p->silent)
		return;
	if (e->state_change != RELAY__NODE_STATE__NODE_ERROR && e->state_change != RELAY__NODE_STATE__NODE_UNAVAILABLE)
		return;
	if (p->output == OUTPUT_JSON) {
		pbjson_write(stderr, &msg->base);
		fputc('\n', stderr);
		return;
	}
	flow_time(&p->style, msg->time, time);
	printable(msg->node_name, node, sizeof(node));
	some_names(e->node_names, e->n_node_names, names, sizeof(names));
	if (e->state_change == RELAY__NODE_STATE__NODE_UNAVAILABLE)
		fprintf(stderr, "%s [%s]: %zu nodes are unavailable: %s\n", time, node, e->n_node_names, names);
	else
		fprintf(stderr, "%s [%s]: Error \"%s\" on %zu nodes: %s\n", time, node,
			printable(e->message, text, sizeof(text)), e->n_node_names, names);
}

int printer_flow(struct printer *p, const Observer__GetFlowsResponse *msg)
{
	struct flow_text l = { 0 };

	if (msg->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_NODE_STATUS) {
		node_status(p, msg);
		return 0;
	}
	if (p->output == OUTPUT_JSON) {
		pbjson_write(p->out, &msg->base);
		fputc('\n', p->out);
		return 0;
	}
	if (msg->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_FLOW)
		flow_text(&p->style, msg->flow, &l);
	else if (msg->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_LOST_EVENTS)
		flow_text_lost(msg, &l);
	else
		return 0;
	switch (p->output) {
	case OUTPUT_TABLE:
		return table_row(p, &l);
	case OUTPUT_DICT:
		print_dict(p, &l);
		return 0;
	default:
		if (l.arrow)
			print_compact(p, &l);
		else
			print_lost(p, msg->lost_events, &l);
		return 0;
	}
}
