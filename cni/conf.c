// SPDX-License-Identifier: Apache-2.0
#include "cni/conf.h"

#include <ctype.h>
#include <net/if.h>
#include <netinet/in.h>

#include "cni/convert.h"
#include "lib/fs.h"

#define STDIN_MAX (1 << 20)

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v ?: "";
}

/* The alphabet of container IDs and network names. */
static bool is_name(const char *s)
{
	if (!isalnum((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!isascii((unsigned char)*s) || (!isalnum((unsigned char)*s) && !strchr("_.-", *s)))
			return false;
	return true;
}

static bool is_ifname(const char *s)
{
	if (!*s || strlen(s) >= IFNAMSIZ || streq(s, ".") || streq(s, ".."))
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || isspace((unsigned char)*s))
			return false;
	return true;
}

static int missing(const struct conf *c, unsigned needs, struct err *reterr)
{
	const struct {
		unsigned need;
		const char *value, *name;
	} vars[] = {
		{ NEED_CONTAINER_ID, c->container_id, "CNI_CONTAINERID" },
		{ NEED_NETNS, c->netns, "CNI_NETNS" },
		{ NEED_IFNAME, c->ifname, "CNI_IFNAME" },
		{ NEED_PATH, c->path, "CNI_PATH" },
	};
	char list[128] = "";

	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		if ((needs & vars[i].need) && !*vars[i].value) {
			strcat(list, *list ? "," : "");
			strcat(list, vars[i].name);
		}
	return *list ? err_set(reterr, CNI_BAD_ENV, "required env variables [%s] missing", list) : 0;
}

static void take_arg(struct conf *c, const char *key, const char *value, bool *lenient)
{
	const struct {
		const char *key, **var;
	} known[] = {
		{ "K8S_POD_NAMESPACE", &c->pod_namespace },
		{ "K8S_POD_NAME", &c->pod_name },
		{ "K8S_POD_UID", &c->pod_uid },
		{ "IP", &c->args_ip },
		{ "MAC", &c->args_mac },
	};

	if (strcasecmp(key, "IgnoreUnknown") == 0)
		*lenient = streq(value, "1") || strcasecmp(value, "true") == 0;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(key, known[i].key) && *value)
			*known[i].var = value;
}

/* Keys that we do not know are somebody else's. */
static int parse_args(struct conf *c, struct err *reterr)
{
	const char *malformed = NULL;
	bool lenient = false;
	char *save = NULL;

	c->args = strdup(env("CNI_ARGS"));
	if (!c->args)
		return err_set(reterr, CNI_FAILED, "out of memory");
	for (char *pair = strtok_r(c->args, ";", &save); pair; pair = strtok_r(NULL, ";", &save)) {
		char *eq = strchr(pair, '=');

		if (!eq || eq == pair) {
			malformed = pair;
			continue;
		}
		*eq = 0;
		take_arg(c, pair, eq + 1, &lenient);
	}
	return malformed && !lenient ? err_set(reterr, CNI_BAD_ENV, "CNI_ARGS: invalid pair \"%s\"", malformed) : 0;
}

int conf_read_env(struct conf *c, unsigned needs, struct err *reterr)
{
	int code;

	c->container_id = env("CNI_CONTAINERID");
	c->netns = env("CNI_NETNS");
	c->ifname = env("CNI_IFNAME");
	c->path = env("CNI_PATH");
	code = missing(c, needs, reterr);
	if (code)
		return code;
	if ((needs & NEED_CONTAINER_ID) && !is_name(c->container_id))
		return err_set(reterr, CNI_BAD_ENV, "invalid CNI_CONTAINERID \"%s\"", c->container_id);
	if ((needs & NEED_IFNAME) && !is_ifname(c->ifname))
		return err_set(reterr, CNI_BAD_ENV, "invalid CNI_IFNAME \"%s\"", c->ifname);
	return 0;
}

static int get_string(const struct conf *c, const char *member, const char **value, struct err *reterr)
{
	json_t *v = json_object_get(c->json, member);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return err_set(reterr, CNI_BAD_JSON, "network configuration: %s must be a string", member);
	*value = json_string_value(v);
	return 0;
}

static int read_version(struct conf *c, struct err *reterr)
{
	const char *version = "";
	int code = get_string(c, "cniVersion", &version, reterr);

	if (code)
		return code;
	if (!*version) {
		c->version = CNI_0_1_0;
		return 0;
	}
	if (cni_version_parse(version, &c->version) < 0)
		return err_set(reterr, CNI_BAD_VERSION, "incompatible CNI version \"%s\"", version);
	return 0;
}

static int get_dir(const struct conf *c, const char *member, const char **dir, const char *otherwise,
		   struct err *reterr)
{
	const char *v = otherwise;
	int code = get_string(c, member, &v, reterr);

	if (!code && *v != '/')
		code = err_set(reterr, CNI_BAD_CONFIG, "%s must be an absolute path", member);
	*dir = code ? otherwise : v;
	return code;
}

static int read_mtu(struct conf *c, struct err *reterr)
{
	json_t *v = json_object_get(c->json, "mtu");

	if (!v)
		return 0;
	if (!json_is_integer(v))
		return err_set(reterr, CNI_BAD_JSON, "network configuration: mtu must be a number");
	if (json_integer_value(v) && (json_integer_value(v) < 68 || json_integer_value(v) > 65535))
		return err_set(reterr, CNI_BAD_CONFIG, "mtu %lld is not between 68 and 65535",
			       (long long)json_integer_value(v));
	c->mtu = json_integer_value(v);
	return 0;
}

static int read_prev_result(struct conf *c, struct err *reterr)
{
	json_t *v = json_object_get(c->json, "prevResult");
	int code;

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_object(v))
		return err_set(reterr, CNI_BAD_JSON, "network configuration: prevResult must be an object");
	code = convert_to_newest(v, reterr);
	if (code)
		return err_prefix(reterr, code, "prevResult");
	c->prev_result = v;
	return 0;
}

int conf_read_stdin(struct conf *c, struct err *reterr)
{
	json_error_t je;
	int r = fs_read_fd(STDIN_FILENO, STDIN_MAX, &c->text, &c->text_len), code;

	if (r == -EFBIG)
		return err_set(reterr, CNI_BAD_JSON, "network configuration is longer than %d bytes", STDIN_MAX);
	if (r < 0)
		return err_set(reterr, CNI_IO, "cannot read the network configuration: %s", strerror(-r));
	c->json = json_loadb(c->text, c->text_len, 0, &je);
	if (!json_is_object(c->json))
		return err_set(reterr, CNI_BAD_JSON, "network configuration, line %d: %s", c->json ? 1 : je.line,
			       c->json ? "an object is expected" : je.text);
	c->name = "";
	code = read_version(c, reterr);
	code = code ?: get_string(c, "name", &c->name, reterr);
	if (!code && !is_name(c->name))
		return err_set(reterr, CNI_BAD_CONFIG, "%s network name \"%s\"", *c->name ? "invalid" : "missing",
			       c->name);
	return code;
}

int conf_read_settings(struct conf *c, struct err *reterr)
{
	int args = parse_args(c, reterr);
	int run = get_dir(c, "runDir", &c->run_dir, "/run/weir", reterr);
	int state = get_dir(c, "stateDir", &c->state_dir, "/var/lib/weir", reterr);
	int bpf = get_dir(c, "bpfDir", &c->bpf_dir, "/sys/fs/bpf/weir", reterr);
	int mtu = read_mtu(c, reterr);
	int prev = read_prev_result(c, reterr);
	int ipam = ipam_parse(&c->ipam, c->json, reterr);

	return ipam ?: prev ?: mtu ?: bpf ?: state ?: run ?: args; /* reterr tells of the last */
}

static int parse_mac(struct conf *c, const char *s, struct err *reterr)
{
	uint8_t *m = c->mac;
	int end = 0;

	if (sscanf(s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) != 6 ||
	    s[end] || end != 17)
		return err_set(reterr, CNI_BAD_CONFIG, "mac: \"%s\" is no MAC address", s);
	if ((m[0] & 1) || !(m[0] | m[1] | m[2] | m[3] | m[4] | m[5]))
		return err_set(reterr, CNI_BAD_CONFIG, "mac: %s is not a single interface's address", s);
	c->has_mac = true;
	return 0;
}

static int read_mac(struct conf *c, const json_t *runtime, const json_t *args, struct err *reterr)
{
	json_t *v = json_object_get(runtime, "mac") ?: json_object_get(args, "mac");

	if (!v)
		return c->args_mac ? parse_mac(c, c->args_mac, reterr) : 0;
	if (!json_is_string(v))
		return err_set(reterr, CNI_BAD_JSON, "mac must be a string");
	return *json_string_value(v) ? parse_mac(c, json_string_value(v), reterr) : 0;
}

static int want_address(struct conf *c, const char *s, struct err *reterr)
{
	char text[ADDR_STRLEN + 5];
	struct weir_addr a;
	char *slash;
	int n = snprintf(text, sizeof(text), "%s", s);

	slash = strchr(text, '/');
	if (slash)
		*slash = 0;
	if (n >= (int)sizeof(text) || addr_parse(text, &a) < 0)
		return err_set(reterr, CNI_BAD_CONFIG, "ips: \"%s\" is no address", s);
	if (!addr_is_zero(&c->wanted[!addr_is_v4(&a)]))
		return err_set(reterr, CNI_BAD_CONFIG, "ips: more than one address of a family");
	c->wanted[!addr_is_v4(&a)] = a;
	return 0;
}

int conf_check_wanted(const struct conf *c, const struct weir_addr addr[2], struct err *reterr)
{
	char text[ADDR_STRLEN];

	for (int i = 0; i < 2; i++)
		if (!addr_is_zero(&c->wanted[i]) && addr_cmp(&c->wanted[i], &addr[i]) != 0)
			return err_set(
			    reterr, CNI_BAD_CONFIG,
			    "ips: %s is asked for, but another plugin gives the addresses here, and gave another",
			    addr_to_str(&c->wanted[i], text));
	return 0;
}

static int read_ips(struct conf *c, const json_t *runtime, const json_t *args, struct err *reterr)
{
	json_t *list = json_object_get(args, "ips") ?: json_object_get(runtime, "ips"), *v;
	size_t i;

	if (!list)
		return c->args_ip ? want_address(c, c->args_ip, reterr) : 0;
	if (!json_is_array(list))
		return err_set(reterr, CNI_BAD_JSON, "ips must be an array");
	json_array_foreach (list, i, v) {
		int code = json_is_string(v) ? want_address(c, json_string_value(v), reterr)
					     : err_set(reterr, CNI_BAD_JSON, "ips[%zu] must be a string", i);

		if (code)
			return code;
	}
	return 0;
}

/* A member of what a runtime fills in. Go reads names without regard to case; containerd relies on it ("HostPort"). */
static json_t *any_case(const json_t *j, const char *name)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)j, key, v)
		if (strcasecmp(key, name) == 0)
			return v;
	return NULL;
}

static int read_mapping(const json_t *j, struct port_mapping *m, struct err *reterr)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };
	json_t *host = any_case(j, "hostPort"), *container = any_case(j, "containerPort");
	const char *ip = json_string_value(any_case(j, "hostIP"));
	const char *proto = json_string_value(any_case(j, "protocol"));

	if (!json_is_integer(host) || json_integer_value(host) < 1 || json_integer_value(host) > 65535)
		return err_set(reterr, CNI_BAD_CONFIG, "hostPort is not between 1 and 65535");
	if (!json_is_integer(container) || json_integer_value(container) < 1 || json_integer_value(container) > 65535)
		return err_set(reterr, CNI_BAD_CONFIG, "containerPort is not between 1 and 65535");
	if (ip && *ip && addr_parse(ip, &m->host_ip) < 0)
		return err_set(reterr, CNI_BAD_CONFIG, "hostIP: \"%s\" is no address", ip);
	m->host_port = json_integer_value(host);
	m->container_port = json_integer_value(container);
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (proto && strcasecmp(proto, protos[i].name) == 0)
			m->proto = protos[i].proto;
	return m->proto ? 0 : err_set(reterr, CNI_BAD_CONFIG, "protocol is not tcp, udp or sctp");
}

static int read_port_mappings(struct conf *c, const json_t *runtime, struct err *reterr)
{
	json_t *list = json_object_get(runtime, "portMappings"), *v;
	size_t i;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return err_set(reterr, CNI_BAD_JSON, "portMappings must be an array");
	c->port_mappings = calloc(json_array_size(list) ?: 1, sizeof(*c->port_mappings));
	if (!c->port_mappings)
		return err_set(reterr, CNI_FAILED, "out of memory");
	json_array_foreach (list, i, v) {
		int code = read_mapping(v, &c->port_mappings[i], reterr);

		if (code)
			return err_prefix(reterr, code, "portMappings[%zu]", i);
	}
	c->n_port_mappings = json_array_size(list);
	return 0;
}

/* Bursts mean nothing without a rate: containerd always sends one. */
static int refuse_bandwidth(const json_t *runtime, struct err *reterr)
{
	json_t *b = json_object_get(runtime, "bandwidth");

	if (json_number_value(any_case(b, "ingressRate")) || json_number_value(any_case(b, "egressRate")))
		return err_set(reterr, CNI_UNSUPPORTED,
			       "capability bandwidth is not supported: take it out of the configuration");
	return 0;
}

int conf_read_capabilities(struct conf *c, struct err *reterr)
{
	const json_t *runtime = json_object_get(c->json, "runtimeConfig");
	const json_t *args = json_object_get(json_object_get(c->json, "args"), "cni");
	int code;

	if (runtime && !json_is_object(runtime) && !json_is_null(runtime))
		return err_set(reterr, CNI_BAD_JSON, "runtimeConfig must be an object");
	code = read_mac(c, runtime, args, reterr);
	code = code ?: read_ips(c, runtime, args, reterr);
	code = code ?: read_port_mappings(c, runtime, reterr);
	return code ?: refuse_bandwidth(runtime, reterr);
}

void conf_done(struct conf *c)
{
	free(c->args);
	free(c->text);
	free(c->port_mappings);
	json_decref(c->json);
}

bool conf_gc_keeps(const struct conf *c, const char *key)
{
	json_t *list = json_object_get(c->json, "cni.dev/valid-attachments")
			   ?: json_object_get(c->json, "cni.dev/attachments"),
	       *v;
	size_t i;

	json_array_foreach (list, i, v) {
		const char *id = json_string_value(json_object_get(v, "containerID"));
		const char *ifname = json_string_value(json_object_get(v, "ifname"));
		_cleanup_free_ char *k = id && ifname ? attachment_key(id, ifname) : NULL;

		if (k && streq(k, key))
			return true;
	}
	return false;
}
