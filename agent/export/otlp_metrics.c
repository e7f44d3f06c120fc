// SPDX-License-Identifier: Apache-2.0
#include "agent/export/otlp_build.h"
#include "lib/pb.h"

struct building {
	Otlp__ScopeMetrics *scope;
	Otlp__Metric *metric;
	uint64_t now_ns;
	int n;
	bool oom; /* sticky */
};

static bool put_str(size_t *n, Otlp__KeyValue ***v, const char *key, const char *value)
{
	Otlp__KeyValue *kv = pb_append(n, v, &otlp__key_value__descriptor);

	if (!kv || pb_set_str(&kv->key, key) < 0)
		return false;
	kv->value = pb_new(&otlp__any_value__descriptor);
	if (!kv->value)
		return false;
	kv->value->string_value = strdup(value);
	if (!kv->value->string_value)
		return false;
	kv->value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	return true;
}

static bool set_labels(size_t *n, Otlp__KeyValue ***v, const struct metric_desc *d, const struct metric_point *p)
{
	for (size_t i = 0; i < REGISTRY_LABELS_MAX && d->labels[i]; i++) {
		if (!put_str(n, v, d->labels[i], p->values[i]))
			return false;
	}
	return true;
}

/* UCUM, as OpenTelemetry has it. */
static const char *unit_of(const struct metric_desc *d)
{
	if (!d->unit)
		return "1";
	return streq(d->unit, "seconds") ? "s" : streq(d->unit, "bytes") ? "By" : d->unit;
}

static bool set_data(Otlp__Metric *m, enum metric_type type)
{
	switch (type) {
	case METRIC_COUNTER:
		m->sum = pb_new(&otlp__sum__descriptor);
		if (!m->sum)
			return false;
		m->data_case = OTLP__METRIC__DATA_SUM;
		m->sum->is_monotonic = true;
		m->sum->aggregation_temporality = OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
		return true;
	case METRIC_GAUGE:
		m->gauge = pb_new(&otlp__gauge__descriptor);
		if (!m->gauge)
			return false;
		m->data_case = OTLP__METRIC__DATA_GAUGE;
		return true;
	case METRIC_HISTOGRAM:
		m->histogram = pb_new(&otlp__histogram__descriptor);
		if (!m->histogram)
			return false;
		m->data_case = OTLP__METRIC__DATA_HISTOGRAM;
		m->histogram->aggregation_temporality =
		    OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
		return true;
	}
	return false;
}

static void on_family(void *userdata, const struct metric_desc *d)
{
	struct building *b = userdata;

	if (b->oom)
		return;
	b->metric = pb_append(&b->scope->n_metrics, &b->scope->metrics, &otlp__metric__descriptor);
	b->oom = !b->metric || pb_set_str(&b->metric->name, d->name) < 0 ||
		 pb_set_str(&b->metric->description, d->help) < 0 || pb_set_str(&b->metric->unit, unit_of(d)) < 0 ||
		 !set_data(b->metric, d->type);
}

static bool add_number(Otlp__Metric *m, const struct metric_desc *d, const struct metric_point *p, uint64_t now_ns)
{
	bool counter = d->type == METRIC_COUNTER;
	Otlp__NumberDataPoint *point =
	    counter ? pb_append(&m->sum->n_data_points, &m->sum->data_points, &otlp__number_data_point__descriptor)
		    : pb_append(&m->gauge->n_data_points, &m->gauge->data_points, &otlp__number_data_point__descriptor);

	if (!point)
		return false;
	point->start_time_unix_nano = counter ? p->start_ns : 0;
	point->time_unix_nano = now_ns;
	point->value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
	point->as_double = p->value;
	return set_labels(&point->n_attributes, &point->attributes, d, p);
}

static bool add_histogram(Otlp__Histogram *h, const struct metric_desc *d, const struct metric_point *p,
			  uint64_t now_ns)
{
	Otlp__HistogramDataPoint *point =
	    pb_append(&h->n_data_points, &h->data_points, &otlp__histogram_data_point__descriptor);

	if (!point)
		return false;
	point->bucket_counts = malloc((d->n_bounds + 1) * sizeof(*point->bucket_counts));
	point->explicit_bounds = malloc((d->n_bounds + 1) * sizeof(*point->explicit_bounds));
	if (!point->bucket_counts || !point->explicit_bounds)
		return false;
	memcpy(point->bucket_counts, p->buckets, (d->n_bounds + 1) * sizeof(*point->bucket_counts));
	memcpy(point->explicit_bounds, d->bounds, d->n_bounds * sizeof(*point->explicit_bounds));
	point->n_bucket_counts = d->n_bounds + 1;
	point->n_explicit_bounds = d->n_bounds;
	point->start_time_unix_nano = p->start_ns;
	point->time_unix_nano = now_ns;
	point->count = p->count;
	point->is_there_case = OTLP__HISTOGRAM_DATA_POINT__IS_THERE_SUM;
	point->sum = p->value;
	return set_labels(&point->n_attributes, &point->attributes, d, p);
}

static void on_point(void *userdata, const struct metric_desc *d, const struct metric_point *p)
{
	struct building *b = userdata;

	if (b->oom)
		return;
	b->oom = d->type == METRIC_HISTOGRAM ? !add_histogram(b->metric->histogram, d, p, b->now_ns)
					     : !add_number(b->metric, d, p, b->now_ns);
	b->n++;
}

static bool set_resource(Otlp__ResourceMetrics *rm, const struct flow_node *node)
{
	rm->resource = pb_new(&otlp__resource__descriptor);
	return rm->resource &&
	       put_str(&rm->resource->n_attributes, &rm->resource->attributes, "service.name", "weir-agent") &&
	       put_str(&rm->resource->n_attributes, &rm->resource->attributes, "service.version", WEIR_VERSION) &&
	       put_str(&rm->resource->n_attributes, &rm->resource->attributes, "k8s.node.name", node->name);
}

int otlp_add_metrics(Otlp__MetricsRequest *req, const struct flow_node *node, struct registry *r, uint64_t now_ns)
{
	struct building b = { .now_ns = now_ns };
	const struct registry_visitor visitor = { &b, on_family, on_point };
	Otlp__ResourceMetrics *rm =
	    pb_append(&req->n_resource_metrics, &req->resource_metrics, &otlp__resource_metrics__descriptor);

	if (!rm || !set_resource(rm, node))
		return -ENOMEM;
	b.scope = pb_append(&rm->n_scope_metrics, &rm->scope_metrics, &otlp__scope_metrics__descriptor);
	if (!b.scope)
		return -ENOMEM;
	b.scope->scope = pb_new(&otlp__instrumentation_scope__descriptor);
	if (!b.scope->scope || pb_set_str(&b.scope->scope->name, "weir") < 0 ||
	    pb_set_str(&b.scope->scope->version, WEIR_VERSION) < 0)
		return -ENOMEM;
	registry_walk(r, &visitor);
	return b.oom ? -ENOMEM : b.n;
}
