// SPDX-License-Identifier: Apache-2.0
#include "lib/attachment.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "test/unit.h"

static char *state_dir(void)
{
	static char dir[64];

	strcpy(dir, "/tmp/weir-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	return dir;
}

static void clean(const char *dir)
{
	_cleanup_free_ char *cmd = NULL;

	ck_assert(asprintf(&cmd, "rm -rf '%s'", dir) > 0 && system(cmd) == 0);
}

static struct attachment *sample(const char *id)
{
	struct attachment *a = calloc(1, sizeof(*a));

	a->network = strdup("weir");
	a->container_id = strdup(id);
	a->ifname = strdup("eth0");
	a->netns = strdup("/run/netns/\"odd\"");
	strcpy(a->hostif, "weir0123456789a");
	a->ifindex = 4711;
	memcpy(a->mac, "\x02\x11\x22\x33\x44\xff", 6);
	memcpy(a->host_mac, "\x0a\x00\x00\x00\x00\x01", 6);
	ck_assert(!addr_parse("10.0.0.5", &a->addr[0]));
	a->mtu = 1450;
	a->pod_namespace = strdup("shop");
	a->pod_name = strdup("web-0");
	a->port_mappings = calloc(2, sizeof(*a->port_mappings));
	a->n_port_mappings = 2;
	a->port_mappings[0] = (struct port_mapping){ .host_port = 8080, .container_port = 80, .proto = IPPROTO_TCP };
	a->port_mappings[1] = (struct port_mapping){ .host_port = 53, .container_port = 5353, .proto = IPPROTO_SCTP };
	ck_assert(!addr_parse("192.0.2.1", &a->port_mappings[1].host_ip));
	return a;
}

START_TEST(a_record_comes_back_as_it_was)
{
	_cleanup_(attachment_freep) struct attachment *a = sample("c1"), *b = NULL;
	char *dir = state_dir();
	struct err e = {};

	ck_assert_int_eq(attachment_create(dir, a, &e), 0);
	ck_assert_int_eq(attachment_create(dir, a, &e), -EEXIST);
	a->mtu = 1451;
	ck_assert_int_eq(attachment_save(dir, a, &e), 0);
	ck_assert_msg(attachment_load(dir, "c1:eth0", &b, &e) == 0, "%s", e.msg);
	ck_assert_str_eq(a->netns, b->netns);
	ck_assert_str_eq(a->hostif, b->hostif);
	ck_assert_int_eq(b->mtu, 1451);
	ck_assert_int_eq(b->ifindex, 0); /* there is no such interface */
	ck_assert(!memcmp(a->mac, b->mac, 6) && !memcmp(a->host_mac, b->host_mac, 6));
	ck_assert(!memcmp(a->addr, b->addr, sizeof(a->addr)) && addr_is_zero(&b->addr[1]));
	ck_assert_str_eq(b->pod_name, "web-0");
	ck_assert_ptr_null(b->pod_uid);
	ck_assert_int_eq(b->n_port_mappings, 2);
	ck_assert(!memcmp(a->port_mappings, b->port_mappings, 2 * sizeof(*a->port_mappings)));
	ck_assert_int_eq(attachment_remove(dir, "c1:eth0", &e), 0);
	ck_assert_int_eq(attachment_remove(dir, "c1:eth0", &e), 0);
	attachment_freep(&b);
	b = NULL;
	ck_assert_int_eq(attachment_load(dir, "c1:eth0", &b, &e), -ENOENT);
	clean(dir);
}
END_TEST

START_TEST(keys_stay_in_their_folder)
{
	static const char *const bad[] = { "../x:eth0", "/etc/passwd", ".hidden:eth0", "", "a/b:eth0" };
	_cleanup_free_ char *id = malloc(301), *key = NULL, *other = NULL;
	struct attachment *a;
	char *dir = state_dir();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(attachment_load(dir, bad[i], &a, NULL), -EINVAL);
		ck_assert_int_eq(attachment_remove(dir, bad[i], NULL), -EINVAL);
	}
	memset(id, 'a', 300);
	id[300] = 0;
	key = attachment_key(id, "eth0");
	id[299] = 'b';
	other = attachment_key(id, "eth0");
	ck_assert_uint_le(strlen(key), 240);
	ck_assert_str_ne(key, other);
	a = sample(id);
	ck_assert_int_eq(attachment_create(dir, a, NULL), 0);
	attachment_free(a);
	ck_assert_int_eq(attachment_load(dir, other, &a, NULL), 0);
	attachment_free(a);
	clean(dir);
}
END_TEST

START_TEST(a_list_skips_and_counts_what_it_cannot_read)
{
	_cleanup_free_ char *path = NULL;
	struct attachment **list;
	size_t n, bad;
	char *dir = state_dir(), id[16];

	ck_assert_int_eq(attachment_list(dir, &list, &n, &bad, NULL), 0);
	ck_assert_int_eq(n, 0);
	for (int i = 0; i < 9; i++) {
		struct attachment *a;

		snprintf(id, sizeof(id), "c%d", i);
		a = sample(id);
		ck_assert_int_eq(attachment_create(dir, a, NULL), 0);
		attachment_free(a);
	}
	ck_assert(asprintf(&path, "%s/attachments/torn:eth0.json", dir) > 0);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(attachment_list(dir, &list, &n, &bad, NULL), 0);
	ck_assert_int_eq(n, 9);
	ck_assert_int_eq(bad, 1);
	while (n)
		attachment_free(list[--n]);
	free(list);
	clean(dir);
}
END_TEST

static void refuse(const char *member, json_t *value, const char *why)
{
	_cleanup_(attachment_freep) struct attachment *a = sample("c1"), *b = NULL;
	struct err e = {};
	json_t *j;

	ck_assert_int_eq(attachment_to_json(a, &j, &e), 0);
	if (value)
		json_object_set_new(j, member, value);
	else
		json_object_del(j, member);
	ck_assert_int_eq(attachment_from_json(j, &b, &e), -EBADMSG);
	ck_assert_msg(str_prefix(e.msg, why), "%s, not %s", e.msg, why);
	json_decref(j);
}

START_TEST(a_wrong_member_is_named)
{
	refuse("network", NULL, "network: string");
	refuse("ifindex", json_integer(-1), "ifindex: number");
	refuse("mac", json_string("02:11:22:33:44"), "mac: MAC");
	refuse("mac", json_string("02:11:22:33:44:55:66"), "mac: MAC");
	refuse("ipv4", json_string("fd00::1"), "ipv4: address");
	refuse("ipv6", json_string("10.0.0.1"), "ipv6: address");
	refuse("hostIf", json_string("a-name-that-is-too-long"), "hostIf: interface");
	refuse("portMappings", json_pack("[{s:i,s:i,s:s}]", "hostPort", 1, "containerPort", 70000, "protocol", "tcp"),
	       "portMappings[0]: hostIp");
	refuse("portMappings",
	       json_pack("[{s:s,s:i,s:i,s:s}]", "hostIp", "", "hostPort", 1, "containerPort", 70000, "protocol", "tcp"),
	       "portMappings[0]: containerPort");
	refuse("podName", json_integer(1), "podName: string");
}
END_TEST

UNIT_MAIN(attachment, a_record_comes_back_as_it_was, keys_stay_in_their_folder,
	  a_list_skips_and_counts_what_it_cannot_read, a_wrong_member_is_named)
