// SPDX-License-Identifier: Apache-2.0
#include "lib/attachment.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/fs.h"

#define RECORD_MAX (1 << 20)
#define KEY_MAX 240 /* a file name with room for the dot and ".json" */

void attachment_free(struct attachment *a)
{
	if (!a)
		return;
	free(a->network);
	free(a->container_id);
	free(a->ifname);
	free(a->netns);
	free(a->pod_namespace);
	free(a->pod_name);
	free(a->pod_uid);
	free(a->port_mappings);
	free(a);
}

static uint64_t fnv1a(const char *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3;
	return h;
}

char *attachment_key(const char *container_id, const char *ifname)
{
	char *key, *hashed;

	if (asprintf(&key, "%s:%s", container_id, ifname) < 0)
		return NULL;
	if (strlen(key) <= KEY_MAX)
		return key;
	if (asprintf(&hashed, "%.128s~%016llx", key, (unsigned long long)fnv1a(key)) < 0)
		hashed = NULL;
	free(key);
	return hashed;
}

void attachment_hostif(const char *key, char ret_name[IFNAMSIZ])
{
	snprintf(ret_name, IFNAMSIZ, "weir%011llx", (unsigned long long)(fnv1a(key) >> 20));
}

static json_t *mac_to_json(const uint8_t m[6])
{
	char buf[MAC_STRLEN];

	return json_string(mac_to_str(m, buf));
}

static json_t *addr_to_json(const struct weir_addr *a)
{
	char buf[ADDR_STRLEN];

	return json_string(addr_is_zero(a) ? "" : addr_to_str(a, buf));
}

static const char *proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "sctp";
}

static json_t *mappings_to_json(const struct attachment *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_port_mappings; i++) {
		const struct port_mapping *m = &a->port_mappings[i];

		json_array_append_new(list, json_pack("{s:o, s:i, s:i, s:s}", "hostIp", addr_to_json(&m->host_ip),
						      "hostPort", m->host_port, "containerPort", m->container_port,
						      "protocol", proto_name(m->proto)));
	}
	return list;
}

int attachment_to_json(const struct attachment *a, json_t **ret_json, struct err *reterr)
{
	json_t *j = json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:I, s:s*, s:s*, s:s*, s:o}", "network", a->network,
	    "containerId", a->container_id, "ifname", a->ifname, "netns", a->netns, "hostIf", a->hostif, "ifindex",
	    (json_int_t)a->ifindex, "mac", mac_to_json(a->mac), "hostMac", mac_to_json(a->host_mac), "ipv4",
	    addr_to_json(&a->addr[0]), "ipv6", addr_to_json(&a->addr[1]), "mtu", (json_int_t)a->mtu, "podNamespace",
	    a->pod_namespace, "podName", a->pod_name, "podUid", a->pod_uid, "portMappings", mappings_to_json(a));

	if (!j)
		return err_set(reterr, -EINVAL, "attachment is not representable in JSON");
	*ret_json = j;
	return 0;
}

static int bad(struct err *reterr, const char *member, const char *wanted)
{
	return err_set(reterr, -EBADMSG, "%s: %s expected", member, wanted);
}

static int get_string(json_t *j, const char *member, bool optional, char **ret, struct err *reterr)
{
	json_t *v = json_object_get(j, member);
	char *s;

	if (!v && optional)
		return 0;
	if (!json_is_string(v))
		return bad(reterr, member, "string");
	s = strdup(json_string_value(v));
	if (!s)
		return err_oom(reterr);
	*ret = s;
	return 0;
}

static int get_u32(json_t *j, const char *member, uint32_t max, uint32_t *ret, struct err *reterr)
{
	json_t *v = json_object_get(j, member);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return bad(reterr, member, "number in range");
	*ret = json_integer_value(v);
	return 0;
}

static int get_mac(json_t *j, const char *member, uint8_t ret[6], struct err *reterr)
{
	const char *s = json_string_value(json_object_get(j, member));
	uint8_t m[6];
	int end = 0;

	if (!s ||
	    sscanf(s, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) != 6 ||
	    s[end])
		return bad(reterr, member, "MAC address");
	memcpy(ret, m, 6);
	return 0;
}

/* family: 4, 6, or 0 for either */
static int get_addr(json_t *j, const char *member, int family, struct weir_addr *ret, struct err *reterr)
{
	const char *s = json_string_value(json_object_get(j, member));

	if (s && !*s)
		return 0;
	if (!s || addr_parse(s, ret) < 0 || (family && addr_is_v4(ret) != (family == 4)))
		return bad(reterr, member, "address");
	return 0;
}

static int get_mapping(json_t *j, struct port_mapping *m, struct err *reterr)
{
	const char *proto = json_string_value(json_object_get(j, "protocol"));
	uint32_t host, container;
	int r = get_addr(j, "hostIp", 0, &m->host_ip, reterr);

	r = r ?: get_u32(j, "hostPort", UINT16_MAX, &host, reterr);
	r = r ?: get_u32(j, "containerPort", UINT16_MAX, &container, reterr);
	if (r < 0)
		return r;
	m->host_port = host;
	m->container_port = container;
	if (!proto || (!streq(proto, "tcp") && !streq(proto, "udp") && !streq(proto, "sctp")))
		return bad(reterr, "protocol", "tcp, udp or sctp");
	m->proto = *proto == 't' ? IPPROTO_TCP : *proto == 'u' ? IPPROTO_UDP : IPPROTO_SCTP;
	return 0;
}

static int get_mappings(json_t *j, struct attachment *a, struct err *reterr)
{
	json_t *list = json_object_get(j, "portMappings"), *m;
	size_t i;

	if (!json_is_array(list))
		return bad(reterr, "portMappings", "array");
	a->port_mappings = calloc(json_array_size(list) ?: 1, sizeof(*a->port_mappings));
	if (!a->port_mappings)
		return err_oom(reterr);
	json_array_foreach (list, i, m) {
		int r = get_mapping(m, &a->port_mappings[i], reterr);

		if (r < 0)
			return err_prefix(reterr, r, "portMappings[%zu]", i);
	}
	a->n_port_mappings = json_array_size(list);
	return 0;
}

int attachment_from_json(json_t *j, struct attachment **ret_a, struct err *reterr)
{
	_cleanup_(attachment_freep) struct attachment *a = calloc(1, sizeof(*a));
	_cleanup_free_ char *hostif = NULL;
	int r = 0;

	if (!a)
		return err_oom(reterr);
	if (!json_is_object(j))
		return bad(reterr, "attachment", "object");
	r = r ?: get_string(j, "network", false, &a->network, reterr);
	r = r ?: get_string(j, "containerId", false, &a->container_id, reterr);
	r = r ?: get_string(j, "ifname", false, &a->ifname, reterr);
	r = r ?: get_string(j, "netns", false, &a->netns, reterr);
	r = r ?: get_string(j, "hostIf", false, &hostif, reterr);
	r = r ?: get_u32(j, "ifindex", INT32_MAX, &a->ifindex, reterr);
	r = r ?: get_mac(j, "mac", a->mac, reterr);
	r = r ?: get_mac(j, "hostMac", a->host_mac, reterr);
	r = r ?: get_addr(j, "ipv4", 4, &a->addr[0], reterr);
	r = r ?: get_addr(j, "ipv6", 6, &a->addr[1], reterr);
	r = r ?: get_u32(j, "mtu", UINT32_MAX, &a->mtu, reterr);
	r = r ?: get_string(j, "podNamespace", true, &a->pod_namespace, reterr);
	r = r ?: get_string(j, "podName", true, &a->pod_name, reterr);
	r = r ?: get_string(j, "podUid", true, &a->pod_uid, reterr);
	r = r ?: get_mappings(j, a, reterr);
	if (r < 0)
		return r;
	if (strlen(hostif) >= sizeof(a->hostif))
		return bad(reterr, "hostIf", "interface name");
	strcpy(a->hostif, hostif);
	*ret_a = TAKE_PTR(a);
	return 0;
}

/* Where records are, and the file name of one; false when the key would leave the folder. */
static bool record_path(const char *state_dir, const char *key, char dir[PATH_MAX], char name[256])
{
	return snprintf(dir, PATH_MAX, "%s/attachments", state_dir) < PATH_MAX && *key && *key != '.' &&
	       !strchr(key, '/') && snprintf(name, 256, "%s.json", key) < 255;
}

static int write_record(const char *state_dir, const struct attachment *a, bool exclusive, struct err *reterr)
{
	_cleanup_free_ char *key = attachment_key(a->container_id, a->ifname), *text = NULL;
	char dir[PATH_MAX], name[256];
	json_t *j;
	int r;

	if (!key)
		return err_oom(reterr);
	if (!record_path(state_dir, key, dir, name))
		return err_set(reterr, -EINVAL, "%s is no name for a file", key);
	r = attachment_to_json(a, &j, reterr);
	if (r < 0)
		return r;
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text ? fs_write(dir, name, text, strlen(text), exclusive, reterr) : err_oom(reterr);
}

int attachment_create(const char *state_dir, const struct attachment *a, struct err *reterr)
{
	return write_record(state_dir, a, true, reterr);
}

int attachment_save(const char *state_dir, const struct attachment *a, struct err *reterr)
{
	return write_record(state_dir, a, false, reterr);
}

bool attachment_exists(const char *state_dir, const char *key)
{
	char dir[PATH_MAX], name[256], path[PATH_MAX + 512];

	if (!record_path(state_dir, key, dir, name))
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "%s/.%s", dir, name);
	return access(path, F_OK) == 0;
}

static int load_at(int dir, const char *name, struct attachment **ret_a, struct err *reterr)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *text = NULL;
	json_error_t je;
	json_t *j;
	size_t len;
	int r = fd < 0 ? -errno : fs_read_fd(fd, RECORD_MAX, &text, &len);

	if (r < 0)
		return err_set(reterr, r, "cannot read %s: %m", name);
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!j)
		return err_set(reterr, -EBADMSG, "%s: %s", name, je.text);
	r = attachment_from_json(j, ret_a, reterr);
	json_decref(j);
	if (r < 0)
		return err_prefix(reterr, r, "%s", name);
	(*ret_a)->ifindex =
	    if_nametoindex((*ret_a)->hostif); /* the record is older than the interface, and may outlive it */
	return 0;
}

int attachment_load(const char *state_dir, const char *key, struct attachment **ret_a, struct err *reterr)
{
	char path[PATH_MAX], name[256];
	_cleanup_close_ int dir = -1;

	if (!record_path(state_dir, key, path, name))
		return err_set(reterr, -EINVAL, "%s is no name for a file", key);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(reterr, -errno, "cannot open %s: %m", path);
	return load_at(dir, name, ret_a, reterr);
}

int attachment_remove(const char *state_dir, const char *key, struct err *reterr)
{
	char dir[PATH_MAX], name[256];

	if (!record_path(state_dir, key, dir, name))
		return err_set(reterr, -EINVAL, "%s is no name for a file", key);
	return fs_remove(dir, name, reterr);
}

int attachment_sweep(const char *state_dir, struct err *reterr)
{
	char path[PATH_MAX], name[256];
	const struct dirent *d;
	struct stat st;
	DIR *dir;

	if (!record_path(state_dir, "x", path, name))
		return err_set(reterr, -ENAMETOOLONG, "%s is too long", state_dir);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : err_set(reterr, -errno, "cannot open %s: %m", path);
	while ((d = readdir(dir)))
		if (*d->d_name == '.' && fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < time(NULL) - 60)
			unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	return 0;
}

static int append(struct attachment ***list, size_t *n, struct attachment *a)
{
	struct attachment **bigger = *list;

	if (!(*n & (*n - 1))) { /* full at every power of two */
		bigger = reallocarray(*list, *n ? *n * 2 : 1, sizeof(**list));
		if (!bigger)
			return -ENOMEM;
		*list = bigger;
	}
	bigger[(*n)++] = a;
	return 0;
}

int attachment_list(const char *state_dir, struct attachment ***ret_list, size_t *ret_n, size_t *ret_bad,
		    struct err *reterr)
{
	struct attachment **list = NULL, *a;
	size_t n = 0, unreadable = 0;
	char path[PATH_MAX], name[256];
	const struct dirent *d;
	int r = 0;
	DIR *dir;

	if (!record_path(state_dir, "x", path, name))
		return err_set(reterr, -ENAMETOOLONG, "%s is too long", state_dir);
	dir = opendir(path);
	if (!dir && errno != ENOENT)
		return err_set(reterr, -errno, "cannot open %s: %m", path);
	while (dir && r != -ENOMEM && (d = readdir(dir))) {
		if (*d->d_name == '.') /* being written */
			continue;
		r = load_at(dirfd(dir), d->d_name, &a, NULL);
		if (r < 0)
			unreadable += r != -ENOENT; /* removed meanwhile */
		else if ((r = append(&list, &n, a)) < 0)
			attachment_free(a);
	}
	if (dir)
		closedir(dir);
	if (r == -ENOMEM) {
		while (n)
			attachment_free(list[--n]);
		free(list);
		return err_oom(reterr);
	}
	*ret_list = list;
	*ret_n = n;
	*ret_bad = unreadable;
	return 0;
}
