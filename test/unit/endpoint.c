// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint.h"
#include "test/unit.h"

static struct attachment *attachment(const char *id, const char *ns, const char *name, const char *v4)
{
	struct attachment *a = calloc(1, sizeof(*a));

	ck_assert(a);
	a->container_id = strdup(id);
	a->ifname = strdup("eth0");
	a->pod_namespace = ns ? strdup(ns) : NULL;
	a->pod_name = name ? strdup(name) : NULL;
	ck_assert_int_eq(addr_parse(v4, &a->addr[0]), 0);
	return a;
}

static struct endpoint *add(struct endpoints *eps, const char *id, const char *ns, const char *name, const char *v4)
{
	struct attachment *a = attachment(id, ns, name, v4);
	struct endpoint *ep = NULL;

	ck_assert_int_eq(endpoints_add(eps, &a, &ep, NULL), 0);
	ck_assert(!a && ep);
	return ep;
}

START_TEST(a_pod_made_anew_is_found_until_the_last_sandbox_goes)
{
	struct endpoints *eps = calloc(1, sizeof(*eps));
	struct endpoint *old = add(eps, "c1", "a", "p", "10.0.0.2"), *new = add(eps, "c2", "a", "p", "10.0.0.3");
	struct weir_addr addr;

	ck_assert_uint_ne(old->slot, new->slot);
	ck_assert_ptr_eq(endpoints_find_pod(eps, "a", "p"), new);
	ck_assert_int_eq(addr_parse("10.0.0.2", &addr), 0);
	ck_assert_ptr_eq(endpoints_find_addr(eps, &addr), old);
	ck_assert(endpoints_remove(eps, new->key));
	ck_assert_ptr_eq(endpoints_find_pod(eps, "a", "p"), old);
	ck_assert(endpoints_remove(eps, old->key));
	ck_assert_ptr_null(endpoints_find_pod(eps, "a", "p"));
	endpoints_done(eps);
	free(eps);
}
END_TEST

START_TEST(a_late_del_of_the_old_sandbox_leaves_the_new_one)
{
	struct endpoints *eps = calloc(1, sizeof(*eps));
	struct endpoint *old = add(eps, "c1", "a", "p", "10.0.0.2"), *new = add(eps, "c2", "a", "p", "10.0.0.3");

	ck_assert(endpoints_remove(eps, old->key));
	ck_assert_ptr_eq(endpoints_find_pod(eps, "a", "p"), new);
	ck_assert(!endpoints_remove(eps, "c1:eth0"));
	endpoints_done(eps);
	free(eps);
}
END_TEST

START_TEST(the_same_attachment_again_replaces_and_slots_are_reused)
{
	struct endpoints *eps = calloc(1, sizeof(*eps));
	uint32_t slot = add(eps, "c1", NULL, NULL, "10.0.0.2")->slot;

	ck_assert_uint_gt(slot, 0);
	ck_assert_uint_eq(add(eps, "c1", NULL, NULL, "10.0.0.9")->slot, slot);
	ck_assert_uint_eq(HASH_COUNT(eps->by_key), 1);
	endpoints_done(eps);
	free(eps);
}
END_TEST

/* As podman names its containers. */
START_TEST(a_name_alone_is_in_default)
{
	struct endpoints *eps = calloc(1, sizeof(*eps));
	struct endpoint *podman = add(eps, "c1", NULL, "p", "10.0.0.2");

	ck_assert_ptr_eq(endpoints_find_pod(eps, "default", "p"), podman);
	ck_assert_str_eq(podman->pod, "default/p");
	ck_assert_str_eq(podman->attachment->pod_namespace, "default");
	ck_assert(podman->outside);
	ck_assert(add(eps, "c2", NULL, NULL, "10.0.0.3")->outside);
	ck_assert(!add(eps, "c3", "default", "q", "10.0.0.4")->outside);
	endpoints_done(eps);
	free(eps);
}
END_TEST

START_TEST(a_node_can_be_full)
{
	struct endpoints *eps = calloc(1, sizeof(*eps));
	struct err e = {};
	struct attachment *a;
	char id[16];

	for (int i = 1; i < WEIR_EP_MAX; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		add(eps, id, NULL, NULL, "10.0.0.2");
	}
	a = attachment("one-more", NULL, NULL, "10.0.0.2");
	ck_assert_int_eq(endpoints_add(eps, &a, NULL, &e), -ENOSPC);
	ck_assert_ptr_null(a);
	ck_assert(strstr(e.msg, "already has"));
	endpoints_done(eps);
	free(eps);
}
END_TEST

UNIT_MAIN(endpoint, a_pod_made_anew_is_found_until_the_last_sandbox_goes,
	  a_late_del_of_the_old_sandbox_leaves_the_new_one, the_same_attachment_again_replaces_and_slots_are_reused,
	  a_name_alone_is_in_default, a_node_can_be_full)
