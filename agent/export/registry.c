// SPDX-License-Identifier: Apache-2.0
#include "agent/export/registry.h"

#include <sys/random.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/vec.h"

#define KEY_MAX (sizeof(uint64_t) + REGISTRY_LABELS_MAX * (REGISTRY_VALUE_MAX + 1))

struct series {
	UT_hash_handle hh;
	uint64_t start_ns;
	uint64_t gone_ns; /* since when its pod is known to be gone; 0: it is not */
	double value;
	uint64_t count;
	uint64_t *buckets; /* behind the key */
	uint32_t key_len;
	char key[]; /* the registry's seed, then the values, each with its NUL */
};

/* The labels that name one pod. */
struct pod_labels {
	size_t ns, pod;
};

struct metric {
	struct registry *registry;
	struct metric_desc desc;
	size_t n_labels, n_pods;
	struct pod_labels pods[2];
	struct series *series;
};

struct collector {
	void (*collect)(void *userdata);
	void *userdata;
};

struct registry {
	uint64_t seed; /* hashes cannot be made to collide by who chooses label values */
	size_t max_series;
	VEC(struct metric *) metrics;
	VEC(struct collector) collectors;
	struct metric *overflows;
};

struct registry *registry_new(size_t max_series)
{
	static const struct metric_desc overflows = {
		.name = "weir_metrics_overflow",
		.help = "Updates that went to a family's overflow series, because it had its maximum of series.",
		.labels = { "metric" },
	};
	_cleanup_(registry_freep) struct registry *r = calloc(1, sizeof(*r));

	if (!r || getrandom(&r->seed, sizeof(r->seed), 0) != sizeof(r->seed))
		return NULL;
	r->max_series = max_series;
	r->overflows = registry_add(r, &overflows);
	return r->overflows ? TAKE_PTR(r) : NULL;
}

static void drop_series(struct metric *m, struct series *s)
{
	HASH_DEL(m->series, s);
	free(s);
}

void metric_clear(struct metric *m)
{
	struct series *s, *tmp;

	if (!m)
		return;
	HASH_ITER (hh, m->series, s, tmp)
		drop_series(m, s);
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->metrics.n; i++) {
		metric_clear(r->metrics.v[i]);
		free(r->metrics.v[i]);
	}
	free(r->metrics.v);
	free(r->collectors.v);
	free(r);
}

/* ---- families */

static size_t find_label(const struct metric *m, const char *prefix, const char *name)
{
	char label[64];
	size_t i;

	snprintf(label, sizeof(label), "%s%s", prefix, name);
	for (i = 0; i < m->n_labels && !streq(m->desc.labels[i], label); i++)
		;
	return i;
}

/* A metric names one pod, or those at both ends. */
static void find_pods(struct metric *m)
{
	static const char *const prefixes[] = { "", "source_", "destination_" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes) && m->n_pods < ARRAY_SIZE(m->pods); i++) {
		struct pod_labels p = { find_label(m, prefixes[i], "namespace"), find_label(m, prefixes[i], "pod") };

		if (p.ns < m->n_labels && p.pod < m->n_labels)
			m->pods[m->n_pods++] = p;
	}
}

struct metric *registry_add(struct registry *r, const struct metric_desc *desc)
{
	struct metric *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->registry = r;
	m->desc = *desc;
	while (m->n_labels < REGISTRY_LABELS_MAX && m->desc.labels[m->n_labels])
		m->n_labels++;
	find_pods(m);
	if (vec_add(&r->metrics, m) < 0) {
		free(m);
		return NULL;
	}
	if (!m->n_labels && desc->type != METRIC_HISTOGRAM)
		metric_add(m, NULL, 0);
	return m;
}

/* ---- series */

/* Bytes of s that are kept: the beginning, in whole characters. */
static size_t value_len(const char *s)
{
	size_t len = strnlen(s, REGISTRY_VALUE_MAX + 1);

	if (len <= REGISTRY_VALUE_MAX)
		return len;
	len = REGISTRY_VALUE_MAX;
	while (len && ((uint8_t)s[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static size_t make_key(const struct metric *m, const char *const *values, char *key)
{
	size_t len = sizeof(m->registry->seed);

	memcpy(key, &m->registry->seed, len);
	for (size_t i = 0; i < m->n_labels; i++) {
		const char *s = values && values[i] ? values[i] : "";
		size_t n = value_len(s);

		memcpy(key + len, s, n);
		key[len + n] = '\0';
		len += n + 1;
	}
	return len;
}

static struct series *series_new(struct metric *m, const char *key, size_t len)
{
	size_t end = (offsetof(struct series, key) + len + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
	size_t n_buckets = m->desc.type == METRIC_HISTOGRAM ? m->desc.n_bounds + 1 : 0;
	struct series *s = calloc(1, MAX(end, sizeof(*s)) + n_buckets * sizeof(*s->buckets));

	if (!s)
		return NULL;
	s->start_ns = clock_ns(CLOCK_REALTIME);
	s->buckets = (uint64_t *)(void *)((char *)s + end);
	s->key_len = (uint32_t)len;
	memcpy(s->key, key, len);
	HASH_ADD(hh, m->series, key, len, s);
	if (hash_added(s))
		return s;
	free(s);
	return NULL;
}

static struct series *overflow_series(struct metric *m)
{
	const char *values[REGISTRY_LABELS_MAX];
	char key[KEY_MAX];
	struct series *s;
	size_t len;

	for (size_t i = 0; i < m->n_labels; i++)
		values[i] = REGISTRY_OVERFLOW;
	if (m != m->registry->overflows)
		metric_add(m->registry->overflows, &m->desc.name, 1);
	len = make_key(m, values, key);
	HASH_FIND(hh, m->series, key, len, s);
	return s ?: series_new(m, key, len);
}

static struct series *find_series(struct metric *m, const char *const *values)
{
	char key[KEY_MAX];
	struct series *s;
	size_t len;

	if (!m)
		return NULL;
	len = make_key(m, values, key);
	HASH_FIND(hh, m->series, key, len, s);
	if (s)
		return s;
	return HASH_COUNT(m->series) < m->registry->max_series ? series_new(m, key, len) : overflow_series(m);
}

void metric_add(struct metric *m, const char *const *values, double more)
{
	struct series *s = find_series(m, values);

	if (s)
		s->value += more;
}

void metric_set(struct metric *m, const char *const *values, double value)
{
	struct series *s = find_series(m, values);

	if (s)
		s->value = value;
}

void metric_observe(struct metric *m, const char *const *values, double value)
{
	struct series *s = find_series(m, values);
	size_t i = 0;

	if (!s)
		return;
	while (i < m->desc.n_bounds && value > m->desc.bounds[i])
		i++;
	s->buckets[i]++;
	s->count++;
	s->value += value;
}

/* ---- expiry */

static void split(const struct metric *m, const struct series *s, const char **ret_values)
{
	const char *p = s->key + sizeof(m->registry->seed);

	for (size_t i = 0; i < m->n_labels; i++, p += strlen(p) + 1)
		ret_values[i] = p;
}

static bool names_gone_pod(const struct metric *m, const struct series *s, registry_alive_t alive, void *userdata)
{
	const char *values[REGISTRY_LABELS_MAX];

	split(m, s, values);
	for (size_t i = 0; i < m->n_pods; i++) {
		const char *ns = values[m->pods[i].ns], *pod = values[m->pods[i].pod];

		if (*pod && !streq(pod, REGISTRY_OVERFLOW) && !alive(userdata, ns, pod))
			return true;
	}
	return false;
}

static void expire(struct metric *m, uint64_t now_ns, uint64_t grace_ns, registry_alive_t alive, void *userdata)
{
	struct series *s, *tmp;

	HASH_ITER (hh, m->series, s, tmp) {
		if (!names_gone_pod(m, s, alive, userdata))
			s->gone_ns = 0;
		else if (!s->gone_ns)
			s->gone_ns = MAX(now_ns, 1ul);
		else if (now_ns - s->gone_ns >= grace_ns)
			drop_series(m, s);
	}
}

void registry_expire(struct registry *r, uint64_t now_ns, uint64_t grace_ns, registry_alive_t alive, void *userdata)
{
	for (size_t i = 0; i < r->metrics.n; i++)
		if (r->metrics.v[i]->n_pods)
			expire(r->metrics.v[i], now_ns, grace_ns, alive, userdata);
}

/* ---- reading */

int registry_on_walk(struct registry *r, void (*collect)(void *userdata), void *userdata)
{
	return vec_add(&r->collectors, (struct collector){ collect, userdata });
}

static void walk_series(const struct metric *m, const struct series *s, const struct registry_visitor *v)
{
	const char *values[REGISTRY_LABELS_MAX];
	const struct metric_point p = { .values = values,
					.start_ns = s->start_ns,
					.value = s->value,
					.count = s->count,
					.buckets = m->desc.type == METRIC_HISTOGRAM ? s->buckets : NULL };

	split(m, s, values);
	v->point(v->userdata, &m->desc, &p);
}

void registry_walk(struct registry *r, const struct registry_visitor *v)
{
	for (size_t i = 0; i < r->collectors.n; i++)
		r->collectors.v[i].collect(r->collectors.v[i].userdata);
	for (size_t i = 0; i < r->metrics.n; i++) {
		const struct metric *m = r->metrics.v[i];

		if (v->family)
			v->family(v->userdata, &m->desc);
		for (const struct series *s = m->series; s && v->point; s = s->hh.next)
			walk_series(m, s, v);
	}
}
