/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: families of counters, gauges and histograms, each with a series per combination of label values. What labels
 * say is chosen by strangers: a family that has its maximum of series puts what is new into one that has OVERFLOW in
 * all labels, and counts that. Exporters see everything through registry_walk(). Lives on the main loop.
 */
#ifndef WEIR_EXPORT_REGISTRY_H
#define WEIR_EXPORT_REGISTRY_H

#include "lib/err.h"

#define REGISTRY_LABELS_MAX 20
#define REGISTRY_VALUE_MAX 128 /* bytes that a label keeps; longer ones are cut between characters */
#define REGISTRY_OVERFLOW "_overflow"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_desc {
	const char *name; /* of counters without _total */
	const char *help;
	const char *unit; /* "seconds", "bytes": the name ends in it; or NULL */
	enum metric_type type;
	const char *labels[REGISTRY_LABELS_MAX]; /* as many as there are */
	const double *bounds;                    /* of a histogram: upper ones, ascending, without infinity; n_bounds */
	size_t n_bounds;
};

struct registry;
/* max_series: of each family. NULL: out of memory. */
struct registry *registry_new(size_t max_series);
void registry_free(struct registry *r);
DEFINE_CLEANUP(struct registry *, registry_free);

/* The strings must live as long as the registry, *desc need not. A family without labels has its series at once. NULL:
 * out of memory. */
struct metric;
struct metric *registry_add(struct registry *r, const struct metric_desc *desc);

/*
 * values: one for each label; NULL, or one that is NULL, says "". m may be NULL: nothing happens, so that a caller need
 * not look at each registry_add(); so it is when memory runs out.
 */
void metric_add(struct metric *m, const char *const *values, double more); /* counters, gauges */
void metric_set(struct metric *m, const char *const *values,
		double value); /* counters that somebody else counts, too */
void metric_observe(struct metric *m, const char *const *values, double value); /* histograms */
void metric_clear(struct metric *m);                                            /* all series of it go */

/* Called before each walk, in the order in which they were given: gauges are set there. */
int registry_on_walk(struct registry *r, void (*collect)(void *userdata), void *userdata);

/*
 * Series that name a pod (labels pod, source_pod, destination_pod and the namespace of the same prefix) which is gone
 * since `grace_ns` go. To be called now and then; now_ns: any clock that does not go back.
 */
typedef bool (*registry_alive_t)(void *userdata, const char *ns, const char *pod);
void registry_expire(struct registry *r, uint64_t now_ns, uint64_t grace_ns, registry_alive_t alive, void *userdata);

struct metric_point {
	const char *const *values; /* as desc.labels */
	uint64_t start_ns;         /* CLOCK_REALTIME: when the series began */
	double value;              /* of a histogram: the sum */
	uint64_t count;            /* the rest is a histogram's */
	const uint64_t *buckets;   /* n_bounds + 1, each without the ones below */
};

struct registry_visitor {
	void *userdata;
	/* NULL: not asked for. Each family, then its series. */
	void (*family)(void *userdata, const struct metric_desc *desc);
	void (*point)(void *userdata, const struct metric_desc *desc, const struct metric_point *p);
};
void registry_walk(struct registry *r, const struct registry_visitor *v);

#endif
