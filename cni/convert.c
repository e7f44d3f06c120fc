// SPDX-License-Identifier: Apache-2.0
#include "cni/convert.h"

/* 0.1.0 and 0.2.0: one member a family, and no interfaces */
static const char *const families[2] = { "ip4", "ip6" };

/* The lists since 0.3.0, and what their elements have since 1.1.0 only. */
static const struct {
	const char *name, *newest[5];
} lists[] = {
	{ "interfaces", { "mtu", "socketPath", "pciID" } },
	{ "ips", {} },
	{ "routes", { "mtu", "advmss", "priority", "table", "scope" } },
};

static json_t *member(const json_t *j, const char *name)
{
	json_t *v = json_object_get(j, name);

	return json_is_null(v) ? NULL : v;
}

static bool is_v6(const json_t *j, const char *name)
{
	return strchr(json_string_value(json_object_get(j, name)) ?: "", ':');
}

static int check_list(const json_t *j, const char *name, struct err *reterr)
{
	json_t *list = member(j, name), *v;
	size_t i;

	if (list && !json_is_array(list))
		return err_set(reterr, CNI_BAD_JSON, "%s must be an array", name);
	json_array_foreach (list, i, v)
		if (!json_is_object(v))
			return err_set(reterr, CNI_BAD_JSON, "%s[%zu] must be an object", name, i);
	return 0;
}

static int check_version(const json_t *result, struct err *reterr)
{
	json_t *v = member(result, "cniVersion");
	enum cni_version ignored;

	if (v && !json_is_string(v))
		return err_set(reterr, CNI_BAD_JSON, "cniVersion must be a string");
	if (v && cni_version_parse(json_string_value(v), &ignored) < 0)
		return err_set(reterr, CNI_BAD_VERSION, "incompatible CNI version \"%s\"", json_string_value(v));
	return 0;
}

/* One family of an old result, to the lists of a newer one. */
static int take_family(const json_t *result, const char *family, json_t *ips, json_t *routes, struct err *reterr)
{
	json_t *old = member(result, family), *ip;
	int code;

	if (!old)
		return 0;
	if (!json_is_object(old))
		return err_set(reterr, CNI_BAD_JSON, "%s must be an object", family);
	if (member(result, "ips") || member(result, "routes"))
		return err_set(reterr, CNI_BAD_JSON, "%s does not go with ips and routes", family);
	code = check_list(old, "routes", reterr);
	if (code)
		return err_prefix(reterr, code, "%s", family);
	json_array_extend(routes, member(old, "routes"));
	ip = json_object();
	json_object_set(ip, "address", json_object_get(old, "ip"));
	json_object_set(ip, "gateway", json_object_get(old, "gateway"));
	json_array_append_new(ips, ip);
	return 0;
}

static int take_families(json_t *result, struct err *reterr)
{
	json_t *ips = json_array(), *routes = json_array();
	int code = 0;

	for (int f = 0; f < 2; f++)
		code = code ?: take_family(result, families[f], ips, routes, reterr);
	if (!code && json_array_size(ips)) {
		json_object_set(result, "ips", ips);
		json_object_set(result, "routes", routes);
	}
	json_decref(ips);
	json_decref(routes);
	return code;
}

int convert_to_newest(json_t *result, struct err *reterr)
{
	int code = check_version(result, reterr);
	json_t *ip;
	size_t i;

	code = code ?: take_families(result, reterr);
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		code = code ?: check_list(result, lists[i].name, reterr);
	if (code)
		return code;
	json_array_foreach (json_object_get(result, "ips"), i, ip)
		json_object_del(ip, "version");
	for (i = 0; i < 2; i++)
		json_object_del(result, families[i]);
	json_object_set_new(result, "cniVersion", json_string(cni_version_str(CNI_VERSION_NEWEST)));
	return 0;
}

static void leave_out_newest(json_t *result)
{
	json_t *v;
	size_t i;

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		json_array_foreach (json_object_get(result, lists[l].name), i, v)
			for (size_t m = 0; m < ARRAY_SIZE(lists[l].newest) && lists[l].newest[m]; m++)
				json_object_del(v, lists[l].newest[m]);
}

static void name_families(json_t *result)
{
	json_t *ip;
	size_t i;

	json_array_foreach (json_object_get(result, "ips"), i, ip)
		json_object_set_new(ip, "version", json_string(is_v6(ip, "address") ? "6" : "4"));
}

/* The first address of a family, with all of its routes. NULL: none. */
static json_t *old_family(const json_t *result, bool v6)
{
	json_t *old = NULL, *v, *routes = json_array();
	size_t i;

	json_array_foreach (json_object_get(result, "routes"), i, v)
		if (is_v6(v, "dst") == v6)
			json_array_append(routes, v);
	json_array_foreach (json_object_get(result, "ips"), i, v)
		if (!old && is_v6(v, "address") == v6)
			old = json_pack("{s:O, s:O*, s:O}", "ip", json_object_get(v, "address"), "gateway",
					json_object_get(v, "gateway"), "routes", routes);
	json_decref(routes);
	return old;
}

static void put_families(json_t *result)
{
	for (int f = 0; f < 2; f++) {
		json_t *old = old_family(result, f);

		if (old)
			json_object_set_new(result, families[f], old);
	}
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		json_object_del(result, lists[l].name);
}

void convert_from_newest(json_t *result, enum cni_version version)
{
	if (version < CNI_1_1_0)
		leave_out_newest(result);
	if (version < CNI_0_3_0)
		put_families(result);
	else if (version < CNI_1_0_0)
		name_families(result);
	json_object_set_new(result, "cniVersion", json_string(cni_version_str(version)));
}
