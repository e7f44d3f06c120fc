// SPDX-License-Identifier: Apache-2.0
#include "agent/export/expose.h"

#include <math.h>
#include <strings.h>

struct output {
	FILE *f;
	bool openmetrics;
};

/* ---- what the client accepts */

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		s[--n] = '\0';
	return s;
}

/* "a/b; version=1; q=0.5" → whether version is one that we write (or none is said), and q. */
static bool read_params(char *params, double *ret_q)
{
	bool fits = true;
	char *save = NULL;

	*ret_q = 1;
	for (char *p = strtok_r(params, ";", &save); p; p = strtok_r(NULL, ";", &save)) {
		p = trim(p);
		if (!strncasecmp(p, "q=", 2))
			*ret_q = strtod(p + 2, NULL);
		else if (!strncasecmp(p, "version=", 8))
			fits = streq(p + 8, "1.0.0") || streq(p + 8, "0.0.1");
	}
	return fits;
}

enum expose_format expose_choose(const char *accept)
{
	double openmetrics = 0, text = 0, q;
	char copy[1024], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", accept ?: "");
	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		char *params = strchrnul(one, ';'), *type = one;
		bool fits;

		if (*params)
			*params++ = '\0';
		fits = read_params(params, &q);
		type = trim(type);
		if (!strcasecmp(type, "application/openmetrics-text") && fits)
			openmetrics = MAX(openmetrics, q);
		else if (!strcasecmp(type, "text/plain"))
			text = MAX(text, q);
	}
	return openmetrics > 0 && openmetrics >= text ? EXPOSE_OPENMETRICS : EXPOSE_TEXT;
}

const char *expose_content_type(enum expose_format format)
{
	return format == EXPOSE_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
					    : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- writing */

static void put_escaped(FILE *f, const char *s, bool quotes)
{
	for (; *s; s++) {
		if (*s == '\n')
			fputs("\\n", f);
		else if (*s == '\\' || (*s == '"' && quotes))
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

/* The shortest text that reads back as the same number. */
static void put_number(FILE *f, double v)
{
	char text[32];

	if (v == floor(v) && fabs(v) < 1e15) {
		fprintf(f, "%.0f", v);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	fputs(isinf(v) ? (v > 0 ? "+Inf" : "-Inf") : isnan(v) ? "NaN" : text, f);
}

static void put_labels(const struct output *o, const struct metric_desc *desc, const char *const *values,
		       const double *le)
{
	const char *sep = "{";

	for (size_t i = 0; i < REGISTRY_LABELS_MAX && desc->labels[i]; i++, sep = ",") {
		fprintf(o->f, "%s%s=\"", sep, desc->labels[i]);
		put_escaped(o->f, values[i], true);
		fputc('"', o->f);
	}
	if (le) {
		fprintf(o->f, "%sle=\"", sep);
		put_number(o->f, *le);
		fputs(o->openmetrics && *le == floor(*le) && !isinf(*le) ? ".0\"" : "\"", o->f);
		sep = ",";
	}
	if (*sep == ',')
		fputc('}', o->f);
}

static void put_sample(const struct output *o, const struct metric_desc *desc, const char *suffix,
		       const char *const *values, const double *le, double v)
{
	fprintf(o->f, "%s%s", desc->name, suffix);
	put_labels(o, desc, values, le);
	fputc(' ', o->f);
	put_number(o->f, v);
	fputc('\n', o->f);
}

static void put_family(void *userdata, const struct metric_desc *desc)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const struct output *o = userdata;
	const char *suffix = desc->type == METRIC_COUNTER && !o->openmetrics ? "_total" : "";

	fprintf(o->f, "# TYPE %s%s %s\n", desc->name, suffix, types[desc->type]);
	if (desc->unit && o->openmetrics)
		fprintf(o->f, "# UNIT %s %s\n", desc->name, desc->unit);
	fprintf(o->f, "# HELP %s%s ", desc->name, suffix);
	put_escaped(o->f, desc->help, o->openmetrics);
	fputc('\n', o->f);
}

static void put_histogram(const struct output *o, const struct metric_desc *desc, const struct metric_point *p)
{
	uint64_t below = 0;

	for (size_t i = 0; i <= desc->n_bounds; i++) {
		double le = i < desc->n_bounds ? desc->bounds[i] : INFINITY;

		below += p->buckets[i];
		put_sample(o, desc, "_bucket", p->values, &le, (double)below);
	}
	put_sample(o, desc, "_sum", p->values, NULL, p->value);
	put_sample(o, desc, "_count", p->values, NULL, (double)p->count);
}

static void put_point(void *userdata, const struct metric_desc *desc, const struct metric_point *p)
{
	const struct output *o = userdata;

	if (desc->type == METRIC_HISTOGRAM)
		put_histogram(o, desc, p);
	else
		put_sample(o, desc, desc->type == METRIC_COUNTER ? "_total" : "", p->values, NULL, p->value);
}

void expose(struct registry *r, enum expose_format format, FILE *f)
{
	struct output o = { f, format == EXPOSE_OPENMETRICS };
	const struct registry_visitor v = { &o, put_family, put_point };

	registry_walk(r, &v);
	if (o.openmetrics)
		fputs("# EOF\n", f);
}
