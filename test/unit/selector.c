// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/selector.h"

#include "test/unit.h"

static struct k8s_label labels[] = { { "app", "web" }, { "empty", "" }, { "example.com/k", "v" } };
static const struct k8s_labels object = { .n = ARRAY_SIZE(labels), .v = labels };

static bool holds(const char *key, enum k8s_operator op, size_t n, const char **values)
{
	struct k8s_requirement r = { key, op, n, values };

	return k8s_selector_matches(&(struct k8s_selector){ 1, &r }, &object);
}

#define VALUES(...)                                                                  \
	(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)), (const char *[]) \
	{                                                                            \
		__VA_ARGS__                                                          \
	}

START_TEST(operators_by_the_book)
{
	ck_assert(holds("app", K8S_IN, VALUES("db", "web")) && !holds("app", K8S_IN, VALUES("db", "Web")));
	ck_assert(!holds("nope", K8S_IN, VALUES("")) && holds("empty", K8S_IN, VALUES("x", "")));
	ck_assert(holds("nope", K8S_NOT_IN, VALUES("x")) && !holds("app", K8S_NOT_IN, VALUES("web")));
	ck_assert(holds("app", K8S_NOT_IN, VALUES("db")) && !holds("empty", K8S_NOT_IN, VALUES("")));
	ck_assert(holds("empty", K8S_EXISTS, 0, NULL) && !holds("nope", K8S_EXISTS, 0, NULL));
	ck_assert(holds("nope", K8S_DOES_NOT_EXIST, 0, NULL) && !holds("empty", K8S_DOES_NOT_EXIST, 0, NULL));
	ck_assert(holds("example.com/k", K8S_IN, VALUES("v")) && !holds("k", K8S_IN, VALUES("v")));
}
END_TEST

START_TEST(requirements_are_anded)
{
	struct k8s_requirement both[] = { { "app", K8S_EXISTS, 0, NULL }, { "app", K8S_DOES_NOT_EXIST, 0, NULL } };

	ck_assert(k8s_selector_matches(&(struct k8s_selector){ 1, both }, &object));
	ck_assert(!k8s_selector_matches(&(struct k8s_selector){ 2, both }, &object));
	ck_assert(k8s_selector_matches(&(struct k8s_selector){ 0, NULL }, &object));
	ck_assert(k8s_selector_matches(&(struct k8s_selector){}, &(struct k8s_labels){}));
}
END_TEST

START_TEST(texts_as_kubectl_takes_them)
{
	struct k8s_requirement r[] = {
		{ "app", K8S_IN, VALUES("web") }, { "tier", K8S_IN, VALUES("a", "b") },
		{ "x", K8S_NOT_IN, VALUES("y") }, { "z", K8S_NOT_IN, VALUES("1", "2") },
		{ "e", K8S_EXISTS, 0, NULL },     { "n", K8S_DOES_NOT_EXIST, 0, NULL },
	};
	static const char want[] = "app=web,tier in (a,b),x!=y,z notin (1,2),e,!n";
	char buf[100], small[8];

	ck_assert_uint_eq(k8s_selector_to_str(&(struct k8s_selector){ ARRAY_SIZE(r), r }, buf, sizeof(buf)),
			  strlen(want));
	ck_assert_str_eq(buf, want);
	ck_assert_uint_eq(k8s_selector_to_str(&(struct k8s_selector){ ARRAY_SIZE(r), r }, small, sizeof(small)),
			  strlen(want));
	ck_assert_str_eq(small, "app=web");
}
END_TEST

START_TEST(labels_sort_and_compare)
{
	struct k8s_label v[] = { { "b", "1" }, { "a", "2" } }, w[] = { { "a", "2" }, { "b", "x" } };
	struct k8s_labels a = { .n = 2, .v = v }, b = { .n = 2, .v = w };

	k8s_labels_sort(&a);
	ck_assert_str_eq(a.v[0].key, "a");
	ck_assert_str_eq(k8s_labels_get(&a, "b"), "1");
	ck_assert_ptr_null(k8s_labels_get(&a, "c"));
	ck_assert(!k8s_labels_equal(&a, &b));
	w[1].value = "1";
	ck_assert(k8s_labels_equal(&a, &b));
}
END_TEST

UNIT_MAIN(selector, operators_by_the_book, requirements_are_anded, texts_as_kubectl_takes_them, labels_sort_and_compare)
