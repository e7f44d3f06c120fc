// SPDX-License-Identifier: Apache-2.0
#include "agent/config.h"

#include <getopt.h>
#include <sys/utsname.h>

#include "lib/l7_wish.h"

#define DEFAULT_CONFIG "/etc/weir/agent.json"

enum kind { STRING, FLAG, U32, STRINGS, PREFIXES, LIST, OBJECT, L7 };

/* One row a setting: its name in the file and, with `arg`, on the command line (camelCase there is dashes here). */
static const struct setting {
	const char *key, *option, *arg, *help;
	enum kind kind;
	size_t offset;
} settings[] = {
#define AT(field) offsetof(struct config, field)
	{ NULL, "config", "FILE", "settings (default " DEFAULT_CONFIG ")", STRING, AT(config_file) },
	{ "objects", "objects", "DIR", "folder of manifests: Pods, Namespaces, NetworkPolicies", STRING, AT(objects) },
	{ "runDir", "run-dir", "DIR", "sockets (default /run/weir)", STRING, AT(run_dir) },
	{ "stateDir", "state-dir", "DIR", "endpoints and leases (default /var/lib/weir)", STRING, AT(state_dir) },
	{ "bpfDir", "bpf-dir", "DIR", "pinned maps, programs, links (default /sys/fs/bpf/weir)", STRING, AT(bpf_dir) },
	{ "nodeName", "node-name", "NAME", "name of this node (default the host's name)", STRING, AT(node_name) },
	{ "listen", "listen", "ADDR:PORT", "serve the flow API there too", STRING, AT(listen) },
	{ "tlsCert", "tls-cert", "FILE", "certificate chain for --listen; without it only on loopback", STRING,
	  AT(tls_cert) },
	{ "tlsKey", "tls-key", "FILE", "its private key", STRING, AT(tls_key) },
	{ "tlsClientCa", "tls-client-ca", "FILE", "clients need a certificate signed by one of these", STRING,
	  AT(tls_client_ca) },
	{ NULL, "metrics", "ADDR:PORT", "serve Prometheus there, in plain text", STRING, AT(metrics_listen) },
	{ "logLevel", "log-level", "L", "error, warn, info (default) or debug", STRING, AT(log_level) },
	{ "logFormat", "log-format", "F", "text (default) or json", STRING, AT(log_format) },
	{ NULL, "cleanup", NULL, "take everything of Weir out of the kernel, then exit", FLAG, AT(cleanup) },
	{ "uplinks", NULL, NULL, NULL, STRINGS, AT(uplinks) },
	{ "xdp", NULL, NULL, NULL, FLAG, AT(xdp) },
	{ "listenPlaintext", NULL, NULL, NULL, FLAG, AT(listen_plaintext) },
	{ "masquerade", NULL, NULL, NULL, FLAG, AT(masquerade) },
	{ "masqueradeExclude", NULL, NULL, NULL, PREFIXES, AT(masquerade_exclude) },
	{ "denyPrefixes", NULL, NULL, NULL, PREFIXES, AT(deny) },
	{ "flowsMax", NULL, NULL, NULL, U32, AT(flows_max) },
	{ "flowLogs", NULL, NULL, NULL, LIST, AT(flow_logs) },
	{ "otlp", NULL, NULL, NULL, OBJECT, AT(otlp) },
	{ "metrics", NULL, NULL, NULL, OBJECT, AT(metrics) },
	{ "l7", NULL, NULL, NULL, L7, AT(l7) },
	{ "ctTcpMax", NULL, NULL, NULL, U32, AT(ct_tcp_max) },
	{ "ctAnyMax", NULL, NULL, NULL, U32, AT(ct_any_max) },
	{ "policyMax", NULL, NULL, NULL, U32, AT(policy_max) },
	{ "ipcacheMax", NULL, NULL, NULL, U32, AT(ipcache_max) },
	{ "eventsBytes", NULL, NULL, NULL, U32, AT(events_bytes) },
	{ "busyPackets", NULL, NULL, NULL, U32, AT(busy_packets) },
#undef AT
};

static void usage(FILE *f)
{
	fputs("Usage: weir-agent [OPTION]...\n"
	      "The node agent of Weir: compiles network policies into the kernel and serves flows.\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];
		char left[64];

		if (!s->option)
			continue;
		snprintf(left, sizeof(left), "--%s %s", s->option, s->arg ? s->arg : "");
		fprintf(f, "  %-24s %s\n", left, s->help);
	}
	fputs("  --help, --version\n\nSettings of the configuration file: see docs/operations.md.\n", f);
}

static int set_string(char **p, const char *value, struct err *reterr)
{
	char *s = strdup(value);

	if (!s)
		return err_oom(reterr);
	free(*p);
	*p = s;
	return 0;
}

static void strings_free(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
}

static int set_strings(char ***p, json_t *array, struct err *reterr)
{
	char **v = calloc(json_array_size(array) + 1, sizeof(*v));
	size_t i;
	json_t *e;

	if (!v)
		return err_oom(reterr);
	json_array_foreach (array, i, e) {
		if (!json_is_string(e)) {
			strings_free(v);
			return err_set(reterr, -EINVAL, "[%zu]: a string is expected", i);
		}
		v[i] = strdup(json_string_value(e));
		if (!v[i]) {
			strings_free(v);
			return err_oom(reterr);
		}
	}
	strings_free(*p);
	*p = v;
	return 0;
}

static int set_prefixes(struct prefix_list *l, json_t *array, struct err *reterr)
{
	_cleanup_free_ struct prefix *v = calloc(json_array_size(array) + 1, sizeof(*v));
	size_t i;
	json_t *e;

	if (!v)
		return err_oom(reterr);
	json_array_foreach (array, i, e)
		if (!json_is_string(e) || prefix_parse(json_string_value(e), &v[i]) < 0)
			return err_set(reterr, -EINVAL, "[%zu]: a prefix such as \"10.0.0.0/8\" is expected", i);
	free(l->v);
	l->v = TAKE_PTR(v);
	l->n = json_array_size(array);
	return 0;
}

static bool is_power_of_two(json_int_t v)
{
	return v >= 4096 && v <= 1 << 30 && !(v & (v - 1));
}

static int set_l7(struct config_l7 *l, json_t *object, struct err *reterr)
{
	const char *by_default = "full";
	json_t *patterns = NULL;
	json_error_t je;
	int r;

	if (json_unpack_ex(object, &je, JSON_STRICT, "{s?b, s?s, s?b, s?b, s?b, s?b, s?o, s?I, s?I, s?I, s?I}",
			   "enabled", &l->enabled, "default", &by_default, "headersOnly", &l->headers_only,
			   "recordQuery", &l->record_query, "recordSession", &l->record_session, "recordTools",
			   &l->record_tools, "redact", &patterns, "budget", &l->budget, "ringBytes", &l->ring_bytes,
			   "memory", &l->memory_max, "connections", &l->connections) < 0)
		return err_set(reterr, -EINVAL, "%s", je.text);
	if (patterns && !json_is_array(patterns))
		return err_set(reterr, -EINVAL, "redact: a list of patterns is expected");
	r = patterns ? set_strings(&l->redact, patterns, reterr) : 0;
	if (r < 0)
		return err_prefix(reterr, r, "redact");
	l->by_default = l7_wish(by_default);
	if (!l->by_default)
		return err_set(reterr, -EINVAL, "default: " L7_WISH_WORDS " is expected");
	if (l->budget < 1024 || l->budget > 1 << 24)
		return err_set(reterr, -EINVAL, "budget: 1024 to 16777216 bytes");
	if (!is_power_of_two(l->ring_bytes))
		return err_set(reterr, -EINVAL, "ringBytes: a power of two, 4096 to 1073741824");
	if (l->memory_max < 1 << 20 || l->connections < 1 || l->connections > 1 << 20)
		return err_set(reterr, -EINVAL, "memory: at least 1048576 bytes; connections: 1 to 1048576");
	return 0;
}

static int set_json(struct config *c, const struct setting *s, json_t *v, struct err *reterr)
{
	void *field = (char *)c + s->offset;

	switch (s->kind) {
	case STRING:
		if (!json_is_string(v))
			return err_set(reterr, -EINVAL, "a string is expected");
		return set_string(field, json_string_value(v), reterr);
	case FLAG:
		if (!json_is_boolean(v))
			return err_set(reterr, -EINVAL, "true or false is expected");
		*(bool *)field = json_is_true(v);
		return 0;
	case U32:
		if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > INT32_MAX)
			return err_set(reterr, -EINVAL, "a positive number is expected");
		*(uint32_t *)field = json_integer_value(v);
		return 0;
	case L7:
		return set_l7(field, v, reterr);
	case OBJECT: /* what is in these two is the business of who reads them */
	case LIST:
		if (s->kind == OBJECT ? !json_is_object(v) : !json_is_array(v))
			return err_set(reterr, -EINVAL,
				       s->kind == OBJECT ? "an object is expected" : "a list is expected");
		json_decref(*(json_t **)field);
		*(json_t **)field = json_incref(v);
		return 0;
	case STRINGS:
	case PREFIXES:
		if (!json_is_array(v))
			return err_set(reterr, -EINVAL, "a list is expected");
		return s->kind == STRINGS ? set_strings(field, v, reterr) : set_prefixes(field, v, reterr);
	}
	return -EINVAL;
}

static int read_file(struct config *c, struct err *reterr)
{
	const char *path = c->config_file ? c->config_file : DEFAULT_CONFIG;
	json_error_t je;
	const char *key;
	json_t *root, *v;
	int r = 0;

	if (!c->config_file && access(path, F_OK) < 0)
		return 0;
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &je);
	if (!root)
		return err_set(reterr, -EINVAL, "%s:%d:%d: %s", path, je.line, je.column, je.text);
	if (!json_is_object(root))
		r = err_set(reterr, -EINVAL, "%s: an object is expected", path);
	else
		json_object_foreach (root, key, v) {
			const struct setting *s = NULL;

			for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
				if (settings[i].key && streq(settings[i].key, key))
					s = &settings[i];
			if (!s) {
				r = err_set(reterr, -EINVAL, "%s: unknown setting \"%s\"", path, key);
				break;
			}
			r = set_json(c, s, v, reterr);
			if (r < 0) {
				r = err_prefix(reterr, r, "%s: %s", path, key);
				break;
			}
		}
	json_decref(root);
	return r;
}

/* Two rounds over argv: the first only to learn the file's name, the second to let options override the file. */
static int read_options(struct config *c, int argc, char **argv, bool only_file, enum config_action *ret_action,
			struct err *reterr)
{
	struct option longopts[ARRAY_SIZE(settings) + 4] = {};
	size_t n = 0;
	int o;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].option)
			longopts[n++] = (struct option){ settings[i].option,
							 settings[i].arg ? required_argument : no_argument, NULL,
							 256 + (int)i };
	longopts[n++] = (struct option){ "help", no_argument, NULL, 'h' };
	longopts[n++] = (struct option){ "version", no_argument, NULL, 'v' };
	longopts[n++] = (struct option){ "kubeconfig", optional_argument, NULL, 'k' };
	optind = 1;
	opterr = 0;
	while ((o = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		const struct setting *s;
		int r = 0;

		if (o == 'h' || o == 'v') {
			if (o == 'h')
				usage(stdout);
			else
				puts("weir-agent " WEIR_VERSION);
			*ret_action = CONFIG_EXIT;
			return 0;
		}
		if (o == 'k')
			return err_set(reterr, -EINVAL,
				       "--kubeconfig: there is no reading from an API server yet, only --objects DIR");
		if (o < 256)
			return err_set(reterr, -EINVAL, "unknown option or missing value: %s (see --help)",
				       argv[optind - 1]);
		s = &settings[o - 256];
		if (only_file != (s->offset == offsetof(struct config, config_file)))
			continue;
		if (s->kind == FLAG)
			*(bool *)((char *)c + s->offset) = true;
		else
			r = set_string((char **)((char *)c + s->offset), optarg, reterr);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return err_set(reterr, -EINVAL, "unexpected argument: %s (see --help)", argv[optind]);
	return 0;
}

/* Keys whose values are not recorded. */
/* clang-format off */
static const char *const secrets[] = {
	"*password*", "*passwd*", "*passphrase*", "*passcode*", "pass", "*pwd*", "*secret*", "*token*", "*cookie*",
	"*authorization*", "auth", "*bearer*", "*jwt*", "*credential*", "*signature*", "*connection*string*", "dsn",
	"otp", "pin", "cvv", "*api*key*", "*private*key*", "*access*key*", "*ssh*key*", "*encryption*key*",
	"*signing*key*", "*session*key*",
};
/* clang-format on */

static int set_defaults(struct config *c, struct err *reterr)
{
	/* What is private or inside most clusters sees the pod's address; the rest sees the node's. */
	json_t *exclude = json_pack("[sssssss]", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
				    "169.254.0.0/16", "fc00::/7", "fe80::/10");
	json_t *redact = json_array();
	struct utsname un;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		json_array_append_new(redact, json_string(secrets[i]));
	uname(&un);
	c->flows_max = 65535;
	c->busy_packets = 10000;
	c->l7 = (struct config_l7){ .by_default = WEIR_EP_L7_FULL,
				    .enabled = 1,
				    .budget = 256 << 10,
				    .ring_bytes = 8 << 20,
				    .memory_max = 64 << 20,
				    .connections = 20000 };
	c->masquerade = true;
	r = exclude ? set_prefixes(&c->masquerade_exclude, exclude, reterr) : err_oom(reterr);
	if (r >= 0)
		r = json_array_size(redact) == ARRAY_SIZE(secrets) ? set_strings(&c->l7.redact, redact, reterr)
								   : err_oom(reterr);
	json_decref(exclude);
	json_decref(redact);
	if (r < 0)
		return r;
	if (set_string(&c->run_dir, "/run/weir", reterr) < 0 ||
	    set_string(&c->state_dir, "/var/lib/weir", reterr) < 0 ||
	    set_string(&c->bpf_dir, "/sys/fs/bpf/weir", reterr) < 0 ||
	    set_string(&c->node_name, un.nodename, reterr) < 0 || set_string(&c->log_level, "info", reterr) < 0 ||
	    set_string(&c->log_format, "text", reterr) < 0)
		return -ENOMEM;
	return 0;
}

int config_parse(struct config *c, int argc, char **argv, enum config_action *ret_action, struct err *reterr)
{
	enum log_level level;
	int r;

	*c = (struct config){};
	*ret_action = CONFIG_RUN;
	r = set_defaults(c, reterr);
	if (r >= 0)
		r = read_options(c, argc, argv, true, ret_action, reterr);
	if (r < 0 || *ret_action == CONFIG_EXIT)
		return r;
	r = read_file(c, reterr);
	if (r >= 0)
		r = read_options(c, argc, argv, false, ret_action, reterr);
	if (r < 0)
		return r;
	if (log_level_from_str(c->log_level, &level) < 0)
		return err_set(reterr, -EINVAL, "log level \"%s\": one of error, warn, info, debug is expected",
			       c->log_level);
	if (!streq(c->log_format, "text") && !streq(c->log_format, "json"))
		return err_set(reterr, -EINVAL, "log format \"%s\": text or json is expected", c->log_format);
	log_setup(level, streq(c->log_format, "json"));
	if (c->deny.n && !c->xdp)
		return err_set(reterr, -EINVAL,
			       "denyPrefixes needs \"xdp\": true: it is the XDP program that drops them");
	if (!c->objects && !c->cleanup)
		return err_set(reterr, -EINVAL, "no source of objects: give --objects DIR");
	return 0;
}

void config_done(struct config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].kind == STRING)
			free(*(char **)((char *)c + settings[i].offset));
	strings_free(c->uplinks);
	strings_free(c->l7.redact);
	json_decref(c->flow_logs);
	json_decref(c->otlp);
	json_decref(c->metrics);
	free(c->masquerade_exclude.v);
	free(c->deny.v);
	*c = (struct config){};
}
