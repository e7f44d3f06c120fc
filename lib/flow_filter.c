// SPDX-License-Identifier: Apache-2.0
#include "lib/flow_filter.h"

struct term {
	const struct filter_field *field;
	filter_match_fn match; /* NULL: meets nothing */
	size_t n;
	union filter_value *values;
};

struct filter {
	size_t n;
	struct term *terms;
};

struct filter_set {
	const struct filter_evaluator *evaluator;
	size_t n_white, n_black;
	struct filter *white, *black;
};

/* Element i of a repeated field; messages and strings are pointers, the others numbers. */
static union filter_value element(const ProtobufCFieldDescriptor *d, const void *array, size_t i)
{
	switch (d->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return (union filter_value){ .text = ((char *const *)array)[i] };
	case PROTOBUF_C_TYPE_UINT64:
		return (union filter_value){ .number = ((const uint64_t *)array)[i] };
	default:
		return (union filter_value){ .number = ((const uint32_t *)array)[i] };
	}
}

static int compile_term(const ProtobufCFieldDescriptor *d, const Flow__FlowFilter *msg, struct term *t,
			struct err *reterr)
{
	size_t n = *(const size_t *)((const char *)msg + d->quantifier_offset);
	const void *array = *(void *const *)((const char *)msg + d->offset);
	int r;

	t->values = calloc(n, sizeof(*t->values));
	if (!t->values)
		return err_oom(reterr);
	for (size_t i = 0; i < n; i++) {
		union filter_value v = element(d, array, i);

		t->values[i] = v;
		if (!t->field->parse)
			t->n++;
		else if ((r = t->field->parse(v.text, &t->values[i], reterr)) < 0)
			return err_prefix(reterr, r, "%s", d->name);
		else
			t->n++;
	}
	return 0;
}

static void filters_free(struct filter *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < f[i].n; k++) {
			struct term *t = &f[i].terms[k];

			for (size_t v = 0; v < t->n; v++)
				filter_value_clear(t->field, &t->values[v]);
			free(t->values);
		}
		free(f[i].terms);
	}
	free(f);
}

/* http_* with an event_type filter that leaves out L7 (129) can never match: the client made a mistake. */
static int check_http(const Flow__FlowFilter *msg, struct err *reterr)
{
	bool http = msg->n_http_status_code || msg->n_http_method || msg->n_http_path || msg->n_http_url ||
		    msg->n_http_header;

	for (size_t i = 0; http && i < msg->n_event_type; i++)
		if (msg->event_type[i]->type != 129)
			return err_set(reterr, -EINVAL,
				       "event_type: %d goes not with an HTTP filter, which needs type 129 (l7)",
				       msg->event_type[i]->type);
	return 0;
}

static filter_match_fn match_of(const struct filter_evaluator *e, unsigned number)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->matches[i].number == number)
			return e->matches[i].match;
	return NULL;
}

static int compile_filter(const Flow__FlowFilter *msg, const struct filter_evaluator *e, struct filter *f,
			  struct err *reterr)
{
	const ProtobufCMessageDescriptor *d = msg->base.descriptor;
	int r = check_http(msg, reterr);

	if (r < 0)
		return r;
	if (msg->experimental && msg->experimental->n_cel_expression)
		return err_set(reterr, -EINVAL, "cel_expression: \"%s\": this kind of filter is not supported",
			       msg->experimental->cel_expression[0]);
	f->terms = calloc(d->n_fields, sizeof(*f->terms));
	if (!f->terms)
		return err_oom(reterr);
	for (unsigned i = 0; i < d->n_fields; i++) {
		const struct filter_field *field = filter_field(d->fields[i].id);

		if (!field || *(const size_t *)((const char *)msg + d->fields[i].quantifier_offset) == 0)
			continue;
		f->terms[f->n].field = field;
		f->terms[f->n].match = match_of(e, field->number);
		r = compile_term(&d->fields[i], msg, &f->terms[f->n++], reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What matching a flow may cost: filters and values, all together. */
static size_t weight(Flow__FlowFilter *const *msgs, size_t n)
{
	size_t sum = n;

	for (size_t i = 0; i < n; i++) {
		const ProtobufCMessageDescriptor *d = msgs[i]->base.descriptor;

		for (unsigned k = 0; k < d->n_fields; k++)
			if (d->fields[k].label == PROTOBUF_C_LABEL_REPEATED)
				sum += *(const size_t *)((const char *)msgs[i] + d->fields[k].quantifier_offset);
	}
	return sum;
}

static int compile_list(const char *name, Flow__FlowFilter *const *msgs, size_t n, const struct filter_evaluator *e,
			struct filter **ret, size_t *ret_n, struct err *reterr)
{
	int r;

	*ret = calloc(n ? n : 1, sizeof(**ret));
	if (!*ret)
		return err_oom(reterr);
	while (*ret_n < n) {
		size_t i = (*ret_n)++;

		r = compile_filter(msgs[i], e, &(*ret)[i], reterr);
		if (r < 0)
			return err_prefix(reterr, r, "%s[%zu]", name, i);
	}
	return 0;
}

int filter_set_new(Flow__FlowFilter *const *whitelist, size_t n_whitelist, Flow__FlowFilter *const *blacklist,
		   size_t n_blacklist, const struct filter_evaluator *e, struct filter_set **ret_set,
		   struct err *reterr)
{
	_cleanup_(filter_set_freep) struct filter_set *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_oom(reterr);
	if (weight(whitelist, n_whitelist) + weight(blacklist, n_blacklist) > FLOW_FILTER_MAX)
		return err_set(reterr, -EINVAL, "the filters have more than %d values", FLOW_FILTER_MAX);
	f->evaluator = e;
	r = compile_list("whitelist", whitelist, n_whitelist, e, &f->white, &f->n_white, reterr);
	if (r == 0)
		r = compile_list("blacklist", blacklist, n_blacklist, e, &f->black, &f->n_black, reterr);
	if (r < 0)
		return r;
	*ret_set = TAKE_PTR(f);
	return 0;
}

void filter_set_free(struct filter_set *f)
{
	if (!f)
		return;
	filters_free(f->white, f->n_white);
	filters_free(f->black, f->n_black);
	free(f);
}

static bool term_match(const struct term *t, const struct filter_evaluator *e, struct filter_subject *s)
{
	e->set_end(s, t->field->destination);
	for (size_t i = 0; t->match && i < t->n; i++)
		if (t->match(&t->values[i], s))
			return true;
	return false;
}

static bool any_match(const struct filter *filters, size_t n, const struct filter_evaluator *e,
		      struct filter_subject *s)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < filters[i].n && term_match(&filters[i].terms[k], e, s))
			k++;
		if (k == filters[i].n)
			return true;
	}
	return false;
}

bool filter_set_match(const struct filter_set *f, struct filter_subject *s)
{
	return (!f->n_white || any_match(f->white, f->n_white, f->evaluator, s)) &&
	       !any_match(f->black, f->n_black, f->evaluator, s);
}
