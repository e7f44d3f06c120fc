// SPDX-License-Identifier: Apache-2.0
#include "cni/conf.h"

#include <netinet/in.h>
#include <sys/mman.h>

#include "test/unit.h"

static struct err e;

static void give(const char *text)
{
	int fd = memfd_create("conf", 0);

	ck_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text) && lseek(fd, 0, SEEK_SET) == 0);
	ck_assert(dup2(fd, STDIN_FILENO) == 0);
	close(fd);
}

/* Configuration with these further members; the code of the first step that fails. */
static int read_conf(struct conf *c, const char *members)
{
	_cleanup_free_ char *text = NULL;
	int code;

	ck_assert(asprintf(&text, "{\"cniVersion\":\"1.1.0\",\"name\":\"net\"%s%s}", *members ? "," : "", members) > 0);
	memset(c, 0, sizeof(*c));
	give(text);
	code = conf_read_env(c, 0, &e);
	code = code ?: conf_read_stdin(c, &e);
	code = code ?: conf_read_settings(c, &e);
	return code ?: conf_read_capabilities(c, &e);
}

static void expect(int code, const char *members)
{
	struct conf c;
	int got = read_conf(&c, members);

	ck_assert_msg(got == code, "%s: %d (%s), not %d", members, got, e.msg, code);
	conf_done(&c);
}

START_TEST(defaults)
{
	struct conf c;

	unsetenv("CNI_ARGS");
	ck_assert_int_eq(read_conf(&c, ""), 0);
	ck_assert_str_eq(c.run_dir, "/run/weir");
	ck_assert_str_eq(c.state_dir, "/var/lib/weir");
	ck_assert_str_eq(c.bpf_dir, "/sys/fs/bpf/weir");
	ck_assert(c.mtu == 0 && !c.prev_result && !c.has_mac && !c.pod_name && c.version == CNI_1_1_0);
	conf_done(&c);
}
END_TEST

START_TEST(capabilities_are_read)
{
	struct conf c;
	char text[ADDR_STRLEN];

	setenv("CNI_ARGS", "IP=10.0.0.9;MAC=02:00:00:00:00:09;K8S_POD_NAME=p", 1);
	ck_assert_int_eq(read_conf(&c, "\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:01\",\"ips\":[\"fd00::5/64\"],"
				       "\"portMappings\":[{\"hostPort\":1,\"containerPort\":2,\"protocol\":\"SCTP\","
				       "\"hostIP\":\"192.0.2.1\"}]}"),
			 0);
	ck_assert(c.has_mac && c.mac[5] == 1);
	ck_assert(addr_is_zero(&c.wanted[0]));
	ck_assert_str_eq(addr_to_str(&c.wanted[1], text), "fd00::5");
	ck_assert_int_eq(c.n_port_mappings, 1);
	ck_assert_int_eq(c.port_mappings[0].proto, IPPROTO_SCTP);
	ck_assert_str_eq(addr_to_str(&c.port_mappings[0].host_ip, text), "192.0.2.1");
	ck_assert_str_eq(c.pod_name, "p");
	conf_done(&c);
	ck_assert_int_eq(read_conf(&c, ""), 0);
	ck_assert_str_eq(addr_to_str(&c.wanted[0], text), "10.0.0.9");
	ck_assert_int_eq(c.mac[5], 9);
	conf_done(&c);
	unsetenv("CNI_ARGS");
}
END_TEST

START_TEST(wrong_members_have_their_codes)
{
	unsetenv("CNI_ARGS");
	expect(CNI_BAD_JSON, "\"mtu\":true");
	expect(CNI_BAD_CONFIG, "\"mtu\":-1");
	expect(CNI_BAD_CONFIG, "\"runDir\":\"run\"");
	expect(CNI_BAD_JSON, "\"prevResult\":[]");
	expect(0, "\"prevResult\":null");
	expect(CNI_BAD_JSON, "\"runtimeConfig\":[]");
	expect(CNI_BAD_JSON, "\"runtimeConfig\":{\"ips\":[1]}");
	expect(CNI_BAD_CONFIG, "\"runtimeConfig\":{\"ips\":[\"10.0.0\"]}");
	expect(CNI_BAD_CONFIG, "\"runtimeConfig\":{\"mac\":\"ff:ff:ff:ff:ff:ff\"}");
	expect(CNI_BAD_JSON, "\"runtimeConfig\":{\"portMappings\":{}}");
	expect(CNI_BAD_CONFIG, "\"runtimeConfig\":{\"portMappings\":[1]}");
	expect(CNI_UNSUPPORTED, "\"runtimeConfig\":{\"bandwidth\":{\"egressRate\":1}}");
	expect(0, "\"runtimeConfig\":{\"bandwidth\":{\"egressBurst\":1,\"egressRate\":0}}");
	expect(0, "\"runtimeConfig\":{\"portMappings\":null}");
}
END_TEST

START_TEST(the_list_of_gc)
{
	struct conf c;

	ck_assert_int_eq(
	    read_conf(&c, "\"cni.dev/valid-attachments\":[{\"containerID\":\"a\",\"ifname\":\"eth0\"},{}]"), 0);
	ck_assert(conf_gc_keeps(&c, "a:eth0") && !conf_gc_keeps(&c, "a:eth1") && !conf_gc_keeps(&c, "b:eth0"));
	conf_done(&c);
	ck_assert_int_eq(read_conf(&c, "\"cni.dev/attachments\":[{\"containerID\":\"b\",\"ifname\":\"eth0\"}]"), 0);
	ck_assert(conf_gc_keeps(&c, "b:eth0"));
	conf_done(&c);
}
END_TEST

UNIT_MAIN(conf, defaults, capabilities_are_read, wrong_members_have_their_codes, the_list_of_gc)
