// SPDX-License-Identifier: Apache-2.0
#include "cli/flows.h"

#include <inttypes.h>
#include <sys/queue.h>

#include "cli/cli.h"
#include "cli/flow_match.h"
#include "cli/flow_text.h"
#include "cli/lines.h"
#include "lib/pbjson.h"

#define LAST_MAX 1000000
#define COMPLAINTS_MAX 20 /* lines that are named; the others are counted */

struct kept {
	STAILQ_ENTRY(kept) next;
	Observer__GetFlowsResponse *msg;
};

struct reading {
	const struct flow_query *q;
	struct filter_set *filter;
	struct lines *lines;
	uint64_t flows, bad;
	bool warned; /* of fields that are not known */
	uint64_t n_kept;
	STAILQ_HEAD(kept_list, kept) kept; /* --last */
};

static const char *name_of(const struct flow_query *q)
{
	return streq(q->file, "-") ? "stdin" : q->file;
}

static void complain(const struct reading *r, const char *what)
{
	char text[512];

	cli_fail("%s:%" PRIu64 ": %s", name_of(r->q), lines_number(r->lines), printable(what, text, sizeof(text)));
}

static void bad_line(struct reading *r, const char *what)
{
	if (r->bad++ < COMPLAINTS_MAX)
		complain(r, what);
}

static void response_free(Observer__GetFlowsResponse *m)
{
	observer__get_flows_response__free_unpacked(m, NULL);
}
DEFINE_CLEANUP(Observer__GetFlowsResponse *, response_free);

/* Logs have events that are no answer to GetFlows. */
static bool is_other_event(const json_t *line)
{
	return json_object_get(line, "agent_event") || json_object_get(line, "agentEvent") ||
	       json_object_get(line, "debug_event") || json_object_get(line, "debugEvent");
}

/* NULL: not a line of flows; said, if it should be one. */
static Observer__GetFlowsResponse *parse(struct reading *r, const char *line, size_t len)
{
	ProtobufCMessage *msg = NULL;
	struct err e = { 0 }, unknown;
	json_error_t je;
	json_t *json;

	if (strspn(line, " \t\r") == len)
		return NULL;
	json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &je);
	if (!json) {
		bad_line(r, je.text);
		return NULL;
	}
	if (!is_other_event(json) &&
	    pbjson_read_lenient(json, &observer__get_flows_response__descriptor, &msg, &unknown, &e) < 0)
		bad_line(r, e.msg);
	json_decref(json);
	if (msg && *unknown.msg && !TAKE(r->warned, true)) {
		complain(r, unknown.msg);
		cli_fail("from a newer program? What is not known here is passed over");
	}
	return (Observer__GetFlowsResponse *)msg;
}

static int compare(const Google__Protobuf__Timestamp *a, const Google__Protobuf__Timestamp *b)
{
	int64_t as = a ? a->seconds : 0, bs = b ? b->seconds : 0;
	int32_t an = a ? a->nanos : 0, bn = b ? b->nanos : 0;

	return as != bs ? (as < bs ? -1 : 1) : (an > bn) - (an < bn);
}

static bool is_flow(const Observer__GetFlowsResponse *m)
{
	return m->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_FLOW;
}

/* What a server would send for the request: losses are told whatever the filters say. */
static bool is_wanted(const struct reading *r, const Observer__GetFlowsResponse *m)
{
	const Observer__GetFlowsRequest *req = r->q->request;
	const Google__Protobuf__Timestamp *t = !m->time && is_flow(m) ? m->flow->time : m->time;

	if (m->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES__NOT_SET ||
	    (req->since && compare(t, req->since) < 0) || (req->until && compare(t, req->until) > 0))
		return false;
	return !is_flow(m) || flow_match(r->filter, m->flow);
}

static void drop_oldest(struct reading *r)
{
	struct kept *k = STAILQ_FIRST(&r->kept);

	STAILQ_REMOVE_HEAD(&r->kept, next);
	r->n_kept--;
	r->flows -= is_flow(k->msg);
	response_free(k->msg);
	free(k);
}

/* --last N: flows are counted, what is told between them stays with them; that is bounded, too. */
static int keep(struct reading *r, Observer__GetFlowsResponse **msg)
{
	struct kept *k = malloc(sizeof(*k));

	if (!k)
		return -ENOMEM;
	r->flows += is_flow(*msg);
	k->msg = TAKE_PTR(*msg);
	STAILQ_INSERT_TAIL(&r->kept, k, next);
	r->n_kept++;
	while (r->flows > r->q->request->number || r->n_kept > 2 * r->q->request->number + 100)
		drop_oldest(r);
	return 0;
}

/* 1: that was the last one that is wanted. */
static int take(struct reading *r, Observer__GetFlowsResponse **msg)
{
	const Observer__GetFlowsRequest *req = r->q->request;
	int result;

	if (!is_wanted(r, *msg))
		return 0;
	if (req->number && req->number != UINT64_MAX && !req->first)
		return keep(r, msg);
	result = r->q->on_message(r->q->userdata, &(*msg)->base);
	r->flows += is_flow(*msg);
	return result < 0 ? result : req->first && r->flows >= req->number;
}

/* 1: no more is wanted, or there. */
static int read_line(struct reading *r, struct err *reterr)
{
	_cleanup_(response_freep) Observer__GetFlowsResponse *msg = NULL;
	const char *line;
	size_t len;
	int n = lines_next(r->lines, &line, &len, reterr);

	if (n == 0)
		return 1;
	if (n == -E2BIG) {
		bad_line(r, reterr->msg);
		*reterr->msg = '\0';
		return 0;
	}
	if (n < 0)
		return *reterr->msg ? err_prefix(reterr, n, "%s", name_of(r->q)) : n;
	msg = parse(r, line, len);
	return msg ? take(r, &msg) : 0;
}

static int deliver_kept(struct reading *r)
{
	struct kept *k;
	int result = 0;

	STAILQ_FOREACH(k, &r->kept, next)
	if (result >= 0)
		result = r->q->on_message(r->q->userdata, &k->msg->base);
	return MIN(result, 0);
}

static int read_file(const struct flow_query *q, struct err *reterr)
{
	const Observer__GetFlowsRequest *req = q->request;
	_cleanup_(filter_set_freep) struct filter_set *filter = NULL;
	_cleanup_(lines_closep) struct lines *lines = NULL;
	struct reading r = { .q = q };
	int result, delivered = 0;

	STAILQ_INIT(&r.kept);
	if (req->number > LAST_MAX && req->number != UINT64_MAX && !req->first)
		return err_set(reterr, -EINVAL, "of a file at most the last %d flows can be asked for", LAST_MAX);
	result = filter_set_new(req->whitelist, req->n_whitelist, req->blacklist, req->n_blacklist, &message_evaluator,
				&filter, reterr);
	if (result == 0)
		result = lines_open(q->file, q->idle, q->userdata, &lines, reterr);
	if (result < 0)
		return result;
	r.filter = filter;
	r.lines = lines;
	while ((result = read_line(&r, reterr)) == 0)
		;
	result = MIN(result, 0);
	if (result == 0 || result == -EBADMSG) /* of a damaged file what came before the damage */
		delivered = deliver_kept(&r);
	while (r.n_kept)
		drop_oldest(&r);
	if (delivered < 0)
		return delivered;
	if (result == 0 && r.bad)
		return err_set(reterr, -EBADMSG, "%s: %" PRIu64 " %s could not be read", name_of(q), r.bad,
			       r.bad == 1 ? "line" : "lines");
	return result;
}

int flows_get(const struct flow_query *q, struct err *reterr)
{
	_cleanup_(client_closep) struct client *client = NULL;
	struct client_call call = { .path = "/observer.Observer/GetFlows",
				    .request = &q->request->base,
				    .response = &observer__get_flows_response__descriptor,
				    .on_message = q->on_message,
				    .idle = q->idle,
				    .tick = q->tick,
				    .tick_ms = q->tick_ms,
				    .input = q->input,
				    .fd = q->fd,
				    .userdata = q->userdata };
	int r;

	if (q->file)
		return read_file(q, reterr);
	r = client_connect(q->address, &client, reterr);
	return r < 0 ? r : client_call(client, &call, reterr);
}
