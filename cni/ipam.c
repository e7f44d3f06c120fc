// SPDX-License-Identifier: Apache-2.0
#include "cni/ipam.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>

#include "cni/result.h"
#include "lib/fs.h"

#define KEY_SIZE 256

typedef unsigned __int128 u128;

static u128 to_num(const struct weir_addr *a)
{
	u128 n = 0;

	for (int i = 0; i < 16; i++)
		n = n << 8 | a->b[i];
	return n;
}

static struct weir_addr from_num(u128 n)
{
	struct weir_addr a;

	for (int i = 15; i >= 0; i--, n >>= 8)
		a.b[i] = (uint8_t)n;
	return a;
}

static u128 last_of(const struct prefix *p)
{
	return to_num(&p->addr) | (p->len == 128 ? 0 : ~(u128)0 >> p->len);
}

/* Network and gateway are nobody's; an IPv4 subnet's last address is broadcast. */
static bool usable(const struct ipam_range *r, u128 n)
{
	return n >= to_num(&r->first) && n <= to_num(&r->last) && n != to_num(&r->subnet.addr) &&
	       n != to_num(&r->gateway) && (!prefix_is_v4(&r->subnet) || n != last_of(&r->subnet));
}

static int bad_subnet(struct err *reterr, const char *s)
{
	return err_set(reterr, CNI_BAD_CONFIG, "ipam: \"%s\" is no subnet of the form 10.0.0.0/24 or fd00::/64", s);
}

static int add_subnet(struct ipam *ipam, const char *s, struct ipam_range **ret_range, struct err *reterr)
{
	struct ipam_range *r = &ipam->ranges[ipam->n_ranges];
	unsigned bits;

	if (ipam->n_ranges == IPAM_RANGES_MAX)
		return err_set(reterr, CNI_BAD_CONFIG, "ipam: more than %d subnets", IPAM_RANGES_MAX);
	if (!s || prefix_parse(s, &r->subnet) < 0)
		return bad_subnet(reterr, s ?: "");
	bits = 128 - r->subnet.len;
	if (bits < 2 || (bits > 32 && prefix_is_v4(&r->subnet)))
		return err_set(reterr, CNI_BAD_CONFIG, "ipam: subnet %s is too small", s);
	for (size_t i = 0; i < ipam->n_ranges; i++)
		if (prefix_contains(&ipam->ranges[i].subnet, &r->subnet) ||
		    prefix_contains(&r->subnet, &ipam->ranges[i].subnet))
			return err_set(reterr, CNI_BAD_CONFIG, "ipam: subnet %s overlaps another", s);
	r->gateway = from_num(to_num(&r->subnet.addr) + 1);
	r->first = r->gateway;
	r->last = from_num(last_of(&r->subnet));
	ipam->n_ranges++;
	*ret_range = r;
	return 0;
}

static int get_bound(const json_t *j, const char *member, const struct prefix *subnet, struct weir_addr *bound,
		     struct err *reterr)
{
	json_t *v = json_object_get(j, member);
	struct weir_addr a;

	if (!v)
		return 0;
	if (!json_is_string(v) || addr_parse(json_string_value(v), &a) < 0 || !prefix_has_addr(subnet, &a))
		return err_set(reterr, CNI_BAD_CONFIG, "ipam: %s is no address of its subnet", member);
	*bound = a;
	return 0;
}

/* One range in host-local's form */
static int add_range(struct ipam *ipam, const json_t *j, struct err *reterr)
{
	struct ipam_range *r;
	int code = add_subnet(ipam, json_string_value(json_object_get(j, "subnet")), &r, reterr);

	code = code ?: get_bound(j, "rangeStart", &r->subnet, &r->first, reterr);
	code = code ?: get_bound(j, "rangeEnd", &r->subnet, &r->last, reterr);
	code = code ?: get_bound(j, "gateway", &r->subnet, &r->gateway, reterr);
	if (!code && to_num(&r->first) > to_num(&r->last))
		return err_set(reterr, CNI_BAD_CONFIG, "ipam: rangeStart is behind rangeEnd");
	return code;
}

static int add_subnets(struct ipam *ipam, const json_t *list, struct err *reterr)
{
	struct ipam_range *r;
	json_t *v;
	size_t i;

	if (list && !json_is_array(list))
		return err_set(reterr, CNI_BAD_JSON, "ipam: subnets must be an array");
	json_array_foreach (list, i, v) {
		int code = add_subnet(ipam, json_string_value(v), &r, reterr);

		if (code)
			return code;
	}
	return 0;
}

/* host-local has a list of lists; we give out one address of each family whatever the grouping. */
static int add_ranges(struct ipam *ipam, const json_t *sets, struct err *reterr)
{
	json_t *set, *v;
	size_t i, k;

	if (sets && !json_is_array(sets))
		return err_set(reterr, CNI_BAD_JSON, "ipam: ranges must be an array of arrays");
	json_array_foreach (sets, i, set) {
		if (!json_is_array(set))
			return err_set(reterr, CNI_BAD_JSON, "ipam: ranges[%zu] must be an array", i);
		json_array_foreach (set, k, v) {
			int code = add_range(ipam, v, reterr);

			if (code)
				return code;
		}
	}
	return 0;
}

static bool is_file_name(const char *s)
{
	return !strchr(s, '/') && !streq(s, ".") && !streq(s, "..");
}

int ipam_parse(struct ipam *ipam, const json_t *conf, struct err *reterr)
{
	json_t *j = json_object_get(conf, "ipam"), *type = json_object_get(j, "type");
	int code;

	if (!j || json_is_null(j))
		return 0;
	if (!json_is_object(j) || (type && !json_is_string(type)))
		return err_set(reterr, CNI_BAD_JSON, "ipam must be an object, its type a string");
	if (type && *json_string_value(type) && !streq(json_string_value(type), "weir")) {
		if (!is_file_name(json_string_value(type)))
			return err_set(reterr, CNI_BAD_CONFIG, "ipam: type \"%s\" is no plugin's name",
				       json_string_value(type));
		ipam->type = json_string_value(type);
		return 0;
	}
	code = add_subnets(ipam, json_object_get(j, "subnets"), reterr);
	if (!code && json_object_get(j, "subnet"))
		code = add_range(ipam, j, reterr);
	code = code ?: add_ranges(ipam, json_object_get(j, "ranges"), reterr);
	return code ?: add_ranges(ipam, json_object_get(json_object_get(conf, "runtimeConfig"), "ipRanges"), reterr);
}

int ipam_require_ranges(const struct ipam *ipam, struct err *reterr)
{
	return ipam->n_ranges ? 0 : err_set(reterr, CNI_BAD_CONFIG, "ipam: no subnet is configured");
}

static int pool_path(const struct ipam_pool *pool, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/ipam/%s", pool->state_dir, pool->network) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int pool_open(const struct ipam_pool *pool, bool make, struct err *reterr)
{
	char path[PATH_MAX];
	int r = pool_path(pool, path), fd = -1;

	if (r == 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	if (r == -ENOENT && make) {
		r = fs_mkdir_p(path, 0700);
		if (r == 0) {
			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			r = fd < 0 ? -errno : 0;
		}
	}
	return r < 0 ? err_set(reterr, r, "cannot open the address pool %s: %m", path) : fd;
}

/* Does that lease exist, and whose is it? */
static int lease_owner(int dir, const char *name, char owner[KEY_SIZE])
{
	ssize_t n = readlinkat(dir, name, owner, KEY_SIZE - 1);

	if (n < 0)
		return -errno;
	owner[n] = 0;
	return 0;
}

/* -EEXIST: taken. */
static int lease_take(int dir, const struct weir_addr *a, const char *key)
{
	char name[ADDR_STRLEN];

	return symlinkat(key, dir, addr_to_str(a, name)) < 0 ? -errno : 0;
}

/* -EEXIST: somebody's. The counterpart of lease_take() that takes nothing. */
static int lease_probe(int dir, const struct weir_addr *a, _unused_ const char *key)
{
	char name[ADDR_STRLEN], owner[KEY_SIZE];
	int r = lease_owner(dir, addr_to_str(a, name), owner);

	return r == 0 ? -EEXIST : r == -ENOENT ? 0 : r;
}

typedef int (*lease_try_t)(int dir, const struct weir_addr *a, const char *key);

/* Every usable address of a range once, beginning at `start`. -EEXIST: all are taken. */
static int try_range(const struct ipam_range *r, int dir, u128 start, lease_try_t try, const char *key,
		     struct weir_addr *ret_addr)
{
	u128 first = to_num(&r->first), last = to_num(&r->last), n;

	if (start < first || start > last)
		start = first;
	n = start;
	do {
		struct weir_addr a = from_num(n);
		int res = usable(r, n) ? try(dir, &a, key) : -EEXIST;

		if (res != -EEXIST) {
			*ret_addr = a;
			return res;
		}
		n = n == last ? first : n + 1;
	} while (n != start);
	return -EEXIST;
}

/* Round robin over the ranges of one family, beginning behind `last`. -EEXIST: full. */
static int try_family(const struct ipam *ipam, bool v6, int dir, const struct weir_addr *last, lease_try_t try,
		      const char *key, struct weir_addr *ret_addr)
{
	size_t begin = 0;
	int r = -EEXIST;

	for (size_t i = 0; i < ipam->n_ranges; i++)
		if (prefix_has_addr(&ipam->ranges[i].subnet, last))
			begin = i;
	for (size_t i = 0; i < ipam->n_ranges && r == -EEXIST; i++) {
		const struct ipam_range *range = &ipam->ranges[(begin + i) % ipam->n_ranges];

		if (prefix_is_v4(&range->subnet) == !v6)
			r = try_range(range, dir, i ? 0 : to_num(last) + 1, try, key, ret_addr);
	}
	return r;
}

/* The address given out last, so that one that has just become free rests for as long as possible. Two that read the
 * same value merely meet at the next address. */
static int cursor_open(int dir, bool v6, struct weir_addr *last)
{
	int fd = openat(dir, v6 ? ".last6" : ".last4", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[ADDR_STRLEN] = "";

	if (fd < 0 || pread(fd, text, sizeof(text) - 1, 0) <= 0 || addr_parse(text, last) < 0)
		*last = (struct weir_addr){};
	return fd;
}

static void cursor_save(int fd, const struct weir_addr *last)
{
	char text[ADDR_STRLEN] = "";

	addr_to_str(last, text);
	/* a lost cursor only begins at the first address again */
	(void)!pwrite(fd, text, sizeof(text), 0);
}

static bool has_family(const struct ipam *ipam, bool v6)
{
	for (size_t i = 0; i < ipam->n_ranges; i++)
		if (prefix_is_v4(&ipam->ranges[i].subnet) == !v6)
			return true;
	return false;
}

static int alloc_any(const struct ipam *ipam, int dir, bool v6, const char *key, struct weir_addr *ret_addr,
		     struct err *reterr)
{
	_cleanup_close_ int cursor = -1;
	struct weir_addr last;
	int r;

	if (!has_family(ipam, v6))
		return 0;
	cursor = cursor_open(dir, v6, &last);
	r = try_family(ipam, v6, dir, &last, lease_take, key, ret_addr);
	if (r == 0)
		cursor_save(cursor, ret_addr);
	else if (r == -EEXIST)
		return err_set(reterr, CNI_NO_ADDRESS, "ipam: no free IPv%d address", v6 ? 6 : 4);
	else if (r < 0)
		return err_set(reterr, CNI_IO, "ipam: cannot write a lease: %s", strerror(-r));
	return 0;
}

static int alloc_wanted(const struct ipam *ipam, int dir, const struct weir_addr *wanted, const char *key,
			struct weir_addr *ret_addr, struct err *reterr)
{
	char text[ADDR_STRLEN];

	addr_to_str(wanted, text);
	for (size_t i = 0; i < ipam->n_ranges; i++) {
		int r;

		if (!prefix_has_addr(&ipam->ranges[i].subnet, wanted) || !usable(&ipam->ranges[i], to_num(wanted)))
			continue;
		r = lease_take(dir, wanted, key);
		if (r < 0)
			return err_set(reterr, r == -EEXIST ? CNI_NO_ADDRESS : CNI_IO, "ipam: %s: %s", text,
				       r == -EEXIST ? "taken" : strerror(-r));
		*ret_addr = *wanted;
		return 0;
	}
	return err_set(reterr, CNI_BAD_CONFIG, "ipam: %s is not for pods in any configured subnet", text);
}

int ipam_alloc(const struct ipam_pool *pool, const char *key, const struct weir_addr wanted[2],
	       struct weir_addr ret_addr[2], struct err *reterr)
{
	_cleanup_close_ int dir = pool_open(pool, true, reterr);
	struct weir_addr got[2] = {};
	int code = dir < 0 ? CNI_IO : 0;

	for (int f = 0; f < 2 && !code; f++)
		code = addr_is_zero(&wanted[f]) ? alloc_any(pool->ipam, dir, f, key, &got[f], reterr)
						: alloc_wanted(pool->ipam, dir, &wanted[f], key, &got[f], reterr);
	memcpy(ret_addr, got, sizeof(got)); /* also on failure: what there is to give back */
	return code;
}

/* With the folder locked: between looking and removing nobody else removes, so nobody else can have taken it anew. */
static int release_one(int dir, const char *name, const char *key)
{
	char owner[KEY_SIZE];
	int r = lease_owner(dir, name, owner);

	if (r < 0 || !streq(owner, key))
		return r == -ENOENT || r == 0 ? 0 : r;
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static bool is_other_key(const void *key, const char *owner)
{
	return !streq(key, owner);
}

static int collect(int fd, bool (*keeps)(const void *userdata, const char *key), const void *userdata)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *d;
	int first = 0;

	if (!dir) {
		close_fd(fd);
		return -errno;
	}
	while ((d = readdir(dir))) {
		char owner[KEY_SIZE];
		int r;

		if (*d->d_name == '.' || lease_owner(fd, d->d_name, owner) < 0 || keeps(userdata, owner))
			continue;
		r = release_one(fd, d->d_name, owner);
		first = first ?: r;
	}
	closedir(dir);
	return first;
}

int ipam_collect(const struct ipam_pool *pool, bool (*keeps)(const void *userdata, const char *key),
		 const void *userdata, struct err *reterr)
{
	_cleanup_close_ int lock = pool_open(pool, false, reterr);
	int fd, r;

	if (lock < 0)
		return lock == -ENOENT ? 0 : CNI_IO;
	if (flock(lock, LOCK_EX) < 0 || (fd = dup(lock)) < 0)
		return err_set(reterr, CNI_IO, "cannot lock the addresses of network %s: %m", pool->network);
	r = collect(fd, keeps, userdata);
	return r < 0
		   ? err_set(reterr, CNI_IO, "cannot release addresses of network %s: %s", pool->network, strerror(-r))
		   : 0;
}

int ipam_release(const struct ipam_pool *pool, const char *key, const struct weir_addr addr[2], struct err *reterr)
{
	_cleanup_close_ int dir = -1;
	char name[ADDR_STRLEN];

	if (addr_is_zero(&addr[0]) && addr_is_zero(&addr[1]))
		return ipam_collect(pool, is_other_key, key, reterr);
	dir = pool_open(pool, false, reterr);
	if (dir < 0)
		return dir == -ENOENT ? 0 : CNI_IO;
	if (flock(dir, LOCK_EX) < 0)
		return err_set(reterr, CNI_IO, "cannot lock the addresses of network %s: %m", pool->network);
	for (int f = 0; f < 2; f++) {
		int r = addr_is_zero(&addr[f]) ? 0 : release_one(dir, addr_to_str(&addr[f], name), key);

		if (r < 0)
			return err_set(reterr, CNI_IO, "cannot release %s: %s", name, strerror(-r));
	}
	return 0;
}

bool ipam_holds(const struct ipam_pool *pool, const char *key, const struct weir_addr *addr)
{
	_cleanup_close_ int dir = pool_open(pool, false, NULL);
	char name[ADDR_STRLEN], owner[KEY_SIZE];

	return dir >= 0 && lease_owner(dir, addr_to_str(addr, name), owner) == 0 && streq(owner, key);
}

int ipam_room(const struct ipam_pool *pool, struct err *reterr)
{
	_cleanup_close_ int dir = pool_open(pool, true, reterr);

	if (dir < 0)
		return CNI_UNAVAILABLE;
	for (int f = 0; f < 2; f++) {
		_cleanup_close_ int cursor = -1;
		struct weir_addr last, a;

		if (!has_family(pool->ipam, f))
			continue;
		cursor = cursor_open(dir, f, &last);
		if (try_family(pool->ipam, f, dir, &last, lease_probe, NULL, &a) == -EEXIST)
			return err_set(reterr, CNI_UNAVAILABLE, "ipam: no free IPv%d address", f ? 6 : 4);
	}
	return 0;
}
