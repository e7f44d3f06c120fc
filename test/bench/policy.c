// SPDX-License-Identifier: Apache-2.0
/*
 * What the compiler costs: policy [POLICIES [PODS]]. Prints one JSON object: objects loaded (ms), everything
 * compiled from scratch with rule sets for all pods (ms, median of several), one pod relabelled (ms, median), memory.
 * The cluster: namespaces of 100 pods, 20 applications in each, every fifth pod with a label of its own; policies by
 * application with peers by pod, namespace and block, ports, ranges and names.
 */
#include <malloc.h>
#include <time.h>

#include "lib/k8s/store.h"
#include "lib/policy/policy.h"

#define PODS_PER_NS 100
#define APPS 20
#define ROUNDS 5
#define RELABELS 200

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double heap_mib(void)
{
	return mallinfo2().uordblks / 1048576.0 + mallinfo2().hblkhd / 1048576.0;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "policy bench: %s\n", what);
	exit(1);
}

static void write_pod(FILE *f, unsigned i, const char *version)
{
	unsigned ns = i / PODS_PER_NS, n = i % PODS_PER_NS, app = n % APPS;

	fprintf(f,
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"pod-%u\",\"namespace\":\"ns-%u\","
		"\"labels\":{"
		"\"app\":\"app-%u\",\"tier\":\"tier-%u\",\"version\":\"%s\",\"pod-template-hash\":\"%x\"",
		n, ns, app, app % 3, version, app * 7919 + ns);
	if (i % 5 == 0)
		fprintf(f, ",\"statefulset.kubernetes.io/pod-name\":\"pod-%u\"", n);
	fprintf(
	    f,
	    "}},\"spec\":{\"nodeName\":\"node-%u\",\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":%u,"
	    "\"name\":\"http\"}]}]},\"status\":{\"podIP\":\"10.%u.%u.%u\"}}\n",
	    i % 50, app % 2 ? 80 : 8080, ns / 250, ns % 250, n + 1);
}

static void write_policy(FILE *f, unsigned i, unsigned n_ns)
{
	unsigned ns = i % n_ns, app = i / n_ns % APPS;

	fprintf(
	    f,
	    "{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"NetworkPolicy\",\"metadata\":{\"name\":\"policy-%u\","
	    "\"namespace\":\"ns-%u\"},\"spec\":{\"podSelector\":{\"matchLabels\":{\"app\":\"app-%u\"}},"
	    "\"policyTypes\":[\"Ingress\",\"Egress\"],\"ingress\":["
	    "{\"from\":[{\"podSelector\":{\"matchLabels\":{\"app\":\"app-%u\"}}}],\"ports\":[{\"port\":\"http\"}]},"
	    "{\"from\":[{\"namespaceSelector\":{\"matchLabels\":{\"team\":\"t%u\"}},\"podSelector\":{\"matchLabels\":"
	    "{\"app\":\"app-%u\"}}}],\"ports\":[{\"port\":80},{\"port\":8000,\"endPort\":8999}]},"
	    "{\"from\":[{\"ipBlock\":{\"cidr\":\"172.%u.0.0/16\",\"except\":[\"172.%u.%u.0/"
	    "24\"]}}],\"ports\":[{\"port\":443}]}],"
	    "\"egress\":[{\"ports\":[{\"port\":53,\"protocol\":\"UDP\"},{\"port\":53}]},"
	    "{\"to\":[{\"podSelector\":{\"matchExpressions\":[{\"key\":\"tier\",\"operator\":\"In\",\"values\":[\"tier-"
	    "0\","
	    "\"tier-1\"]}]}}]}]}}\n",
	    i, ns, app, (app + 1) % APPS, ns % 10, (app + 2) % APPS, 16 + ns % 16, 16 + ns % 16, app);
}

static void load(struct k8s_store *s, const char *source, const char *text, size_t len)
{
	struct k8s_problems p = {};

	if (k8s_store_load_file(s, source, text, len, &p) < 0 || p.n_errors)
		die(p.n ? p.v[0].text : "cannot load the objects");
	k8s_problems_done(&p);
}

static void load_cluster(struct k8s_store *s, unsigned n_policies, unsigned n_pods, unsigned n_ns)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (unsigned i = 0; f && i < n_ns; i++)
		fprintf(f,
			"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"ns-%u\",\"labels\":{"
			"\"team\":"
			"\"t%u\"}}}\n",
			i, i % 10);
	for (unsigned i = 0; f && i < n_pods; i++)
		write_pod(f, i, "v1");
	for (unsigned i = 0; f && i < n_policies; i++)
		write_policy(f, i, n_ns);
	if (!f || fclose(f))
		die("no memory");
	load(s, "cluster", text, len);
	free(text);
}

static const struct policy_result *compile(struct policy_compiler *c, const struct k8s_store *s)
{
	const struct policy_result *r;
	struct err err;

	if (!c || policy_compiler_run(c, s, NULL, NULL, NULL, &r, &err) < 0)
		die(c ? err.msg : "no memory");
	return r;
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), cmp_double);
	return v[n / 2];
}

/* The pods that change are of a file of their own, as a watch or an edited manifest would have it. */
static double relabel(struct k8s_store *s, struct policy_compiler *c, unsigned n_pods, double *ret_worst)
{
	double ms[RELABELS];

	for (unsigned i = 0; i < RELABELS; i++) {
		_cleanup_free_ char *text = NULL;
		char version[16];
		size_t len;
		FILE *f = open_memstream(&text, &len);
		double start;

		if (!f)
			die("no memory");
		snprintf(version, sizeof(version), "v%u", i + 2);
		write_pod(f, n_pods + 3, version);
		fclose(f);
		start = now_ms();
		load(s, "one", text, len);
		compile(c, s);
		ms[i] = now_ms() - start;
	}
	*ret_worst = 0;
	for (unsigned i = 0; i < RELABELS; i++)
		*ret_worst = MAX(*ret_worst, ms[i]);
	return median(ms, RELABELS);
}

int main(int argc, char **argv)
{
	unsigned n_policies = argc > 1 ? atoi(argv[1]) : 1000, n_pods = argc > 2 ? atoi(argv[2]) : 5000;
	unsigned n_ns = MAX(n_pods / PODS_PER_NS, 1u);
	double empty = heap_mib(), start = now_ms(), loaded, objects, scratch[ROUNDS], one, worst, compiled;
	struct k8s_store *s = k8s_store_new();
	struct policy_compiler *c = NULL;
	const struct policy_result *r = NULL;
	size_t entries = 0;

	if (!s)
		die("no memory");
	load_cluster(s, n_policies, n_pods, n_ns);
	loaded = now_ms() - start;
	malloc_trim(0);
	objects = heap_mib() - empty;
	for (unsigned i = 0; i < ROUNDS; i++) {
		policy_compiler_free(c);
		start = now_ms();
		c = policy_compiler_new();
		r = compile(c, s);
		scratch[i] = now_ms() - start;
	}
	compiled = heap_mib() - empty - objects;
	for (size_t i = 0; i < r->n_rulesets; i++)
		entries += r->rulesets[i]->n_entries;
	printf("{\"identities\": %zu, \"rulesets\": %zu, \"entries\": %zu, ", r->n_identities, r->n_rulesets, entries);
	one = relabel(s, c, n_pods, &worst);
	printf("\"load_ms\": %.1f, \"scratch_ms\": %.1f, \"relabel_ms\": %.3f, \"relabel_worst_ms\": %.3f, "
	       "\"objects_mib\": %.1f, \"compiled_mib\": %.1f}\n",
	       loaded, median(scratch, ROUNDS), one, worst, objects, compiled);
	policy_compiler_free(c);
	k8s_store_free(s);
	return 0;
}
