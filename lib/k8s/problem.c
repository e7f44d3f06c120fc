// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/problem.h"

void k8s_problems_add(struct k8s_problems *p, enum k8s_severity severity, unsigned line, char *text)
{
	p->n_errors += severity == K8S_ERROR;
	if (!text || p->n == K8S_PROBLEMS_MAX)
		goto lost;
	if (p->n == p->size) {
		size_t size = p->size ? p->size * 2 : 8;
		struct k8s_problem *v = realloc(p->v, size * sizeof(*v));

		if (!v)
			goto lost;
		p->v = v;
		p->size = size;
	}
	p->v[p->n++] = (struct k8s_problem){ severity, line, text };
	return;
lost:
	p->n_lost++;
	free(text);
}

void k8s_problems_done(struct k8s_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].text);
	free(p->v);
	*p = (struct k8s_problems){};
}

const char *k8s_severity_name(enum k8s_severity s)
{
	static const char *const names[] = {
		[K8S_ERROR] = "error", [K8S_WARNING] = "warning", [K8S_NOTICE] = "notice"
	};

	return names[s];
}
