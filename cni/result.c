// SPDX-License-Identifier: Apache-2.0
#include "cni/result.h"

#include "cni/convert.h"
#include "cni/link.h"

static const char *const versions[CNI_VERSION_COUNT] = {
	[CNI_0_1_0] = "0.1.0", [CNI_0_2_0] = "0.2.0", [CNI_0_3_0] = "0.3.0", [CNI_0_3_1] = "0.3.1",
	[CNI_0_4_0] = "0.4.0", [CNI_1_0_0] = "1.0.0", [CNI_1_1_0] = "1.1.0",
};

const char *cni_version_str(enum cni_version v)
{
	return versions[v];
}

int cni_version_parse(const char *s, enum cni_version *ret_version)
{
	for (size_t i = 0; i < CNI_VERSION_COUNT; i++)
		if (streq(s, versions[i])) {
			*ret_version = i;
			return 0;
		}
	return -EINVAL;
}

static json_t *mac_json(const uint8_t m[6])
{
	char buf[MAC_STRLEN];

	return json_string(mac_to_str(m, buf));
}

static const char *const gateway[2] = { LINK_GATEWAY4, LINK_GATEWAY6 };
static const char *const everywhere[2] = { "0.0.0.0/0", "::/0" };

static json_t *address_json(const struct attachment *a, int family)
{
	char buf[ADDR_STRLEN];

	return json_sprintf("%s/%d", addr_to_str(&a->addr[family], buf), family ? 128 : 32);
}

static json_t *interfaces_json(const struct attachment *a)
{
	return json_pack("[{s:s, s:o, s:I}, {s:s, s:o, s:s, s:I}]", "name", a->hostif, "mac", mac_json(a->host_mac),
			 "mtu", (json_int_t)a->mtu, "name", a->ifname, "mac", mac_json(a->mac), "sandbox", a->netns,
			 "mtu", (json_int_t)a->mtu);
}

static void add_ips(json_t *result, const struct attachment *a)
{
	json_t *ips = json_array(), *routes = json_array();

	for (int f = 0; f < 2; f++) {
		if (addr_is_zero(&a->addr[f]))
			continue;
		json_array_append_new(ips, json_pack("{s:o, s:s, s:i}", "address", address_json(a, f), "gateway",
						     gateway[f], "interface", 1));
		json_array_append_new(routes, json_pack("{s:s, s:s}", "dst", everywhere[f], "gw", gateway[f]));
	}
	json_object_set_new(result, "ips", ips);
	json_object_set_new(result, "routes", routes);
}

json_t *result_new(const struct attachment *a, enum cni_version version, const json_t *dns)
{
	json_t *result = json_pack("{s:o}", "interfaces", interfaces_json(a));

	if (!result)
		return NULL;
	add_ips(result, a);
	json_object_set_new(result, "dns", dns ? json_deep_copy(dns) : json_object());
	convert_from_newest(result, version);
	return result;
}

int result_address(const char *text, struct weir_addr *ret_addr, uint8_t *ret_len, struct err *reterr)
{
	char buf[PREFIX_STRLEN];
	struct prefix p = { .len = 128 };
	struct weir_addr a;
	char *slash;

	if (!text || snprintf(buf, sizeof(buf), "%s", text) >= (int)sizeof(buf))
		return err_set(reterr, CNI_FAILED, "an address is missing or too long");
	slash = strchr(buf, '/');
	if (slash)
		*slash = 0;
	if (addr_parse(buf, &a) < 0 || (slash && prefix_parse(text, &p) < 0))
		return err_set(reterr, CNI_FAILED, "\"%s\" is no address", text);
	*ret_addr = a;
	*ret_len = p.len;
	return 0;
}

/* The first of a family is the pod's; we have one address of each. */
static int take_address(const json_t *ip, struct weir_addr addr[2], struct err *reterr)
{
	struct weir_addr a;
	uint8_t len;
	int code = result_address(json_string_value(json_object_get(ip, "address")), &a, &len, reterr);

	if (!code && addr_is_zero(&addr[!addr_is_v4(&a)]))
		addr[!addr_is_v4(&a)] = a;
	return code;
}

int result_addresses(const json_t *result, struct weir_addr ret_addr[2], struct err *reterr)
{
	struct weir_addr addr[2] = {};
	json_t *ip;
	size_t i;
	int code = 0;

	json_array_foreach (json_object_get(result, "ips"), i, ip)
		code = code ?: take_address(ip, addr, reterr);
	if (!code && addr_is_zero(&addr[0]) && addr_is_zero(&addr[1]))
		return err_set(reterr, CNI_FAILED, "the result has no address");
	if (!code)
		memcpy(ret_addr, addr, sizeof(addr));
	return code;
}

bool result_print(json_t *result)
{
	_cleanup_free_ char *text = result ? json_dumps(result, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0, done = 0;

	json_decref(result);
	if (!text)
		return false;
	text[len++] = '\n'; /* in the place of the NUL */
	while (done < len) {
		ssize_t n = write(STDOUT_FILENO, text + done, len - done);

		if (n < 0 && errno != EINTR)
			return false;
		done += MAX(n, 0);
	}
	return true;
}

bool result_print_error(const char *version, int code, const char *msg, const char *details)
{
	json_t *j = json_pack("{s:s, s:i}", "cniVersion", version, "code", code);
	json_t *text = json_string(msg);

	/* what the kernel or a file name put into it need not be UTF-8 */
	json_object_set_new(j, "msg", text ?: json_string("error message is not UTF-8"));
	if (details)
		json_object_set_new(j, "details", json_string(details));
	return result_print(j);
}

bool result_print_versions(const char *version)
{
	json_t *list = json_array();

	for (size_t i = 0; i < CNI_VERSION_COUNT; i++)
		json_array_append_new(list, json_string(versions[i]));
	return result_print(json_pack("{s:s, s:o}", "cniVersion", version, "supportedVersions", list));
}
