// SPDX-License-Identifier: Apache-2.0
#include "agent/cni_server.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "test/unit.h"

#define ATTACHMENT                                                                                             \
	"{\"network\":\"weir\",\"containerId\":\"c1\",\"ifname\":\"eth0\",\"netns\":\"/run/netns/"             \
	"x\",\"hostIf\":\"weir0\","                                                                            \
	"\"ifindex\":7,\"mac\":\"02:00:00:00:00:01\",\"hostMac\":\"02:00:00:00:00:02\",\"ipv4\":\"10.0.0.5\"," \
	"\"ipv6\":\"\","                                                                                       \
	"\"mtu\":1500,\"podNamespace\":\"x\",\"podName\":\"a\",\"portMappings\":[]}"
#define ADD "{\"op\":\"add\",\"attachment\":" ATTACHMENT "}"
#define CLIENTS_MAX 512 /* as in the server */

/* What the agent does, and what it was asked. */
static struct {
	int add_result, add_code;
	const char *state, *not_ready;
	char last[64]; /* "add c1:eth0", "del KEY" */
} agent;

static char dir[64];
static sd_event *event;
static struct cni_server *server;

static int on_add(_unused_ void *userdata, struct attachment **a, int *ret_code, struct err *reterr)
{
	snprintf(agent.last, sizeof(agent.last), "add %s:%s", (*a)->container_id, (*a)->ifname);
	*ret_code = agent.add_code ?: *ret_code;
	return agent.add_result < 0 ? err_set(reterr, agent.add_result, "no room") : agent.add_result;
}

static void on_del(_unused_ void *userdata, const char *key)
{
	snprintf(agent.last, sizeof(agent.last), "del %s", key);
}

static const char *on_state(_unused_ void *userdata, const char *key)
{
	return streq(key, "c1:eth0") ? agent.state : NULL;
}

static const char *on_not_ready(_unused_ void *userdata)
{
	return agent.not_ready;
}

static const struct cni_handler handler = {
	.add = on_add, .del = on_del, .state = on_state, .not_ready = on_not_ready
};

static void start(void)
{
	struct err e;

	agent = (__typeof__(agent)){ .state = "ready" };
	strcpy(dir, "/tmp/weir-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(sd_event_new(&event), 0);
	ck_assert_msg(cni_server_new(event, dir, &handler, &server, &e) == 0, "%s", e.msg);
}

/* Nothing is left of the socket. */
static void end(void)
{
	cni_server_free(server);
	sd_event_unref(event);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/" CNI_SOCK_NAME, dir);
	return sun;
}

static int dial(void)
{
	struct sockaddr_un sun = address();
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* All that is due happens. */
static void run(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

/* What has come: "" when nothing has, "closed" when nothing will. */
static const char *answer(int fd)
{
	static char buf[4096];
	ssize_t n;

	run();
	n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	if (n < 0) {
		ck_assert_int_eq(errno, EAGAIN);
		return "";
	}
	buf[n] = 0;
	return n ? buf : "closed";
}

static const char *ask(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	return answer(fd);
}

START_TEST(an_add_is_answered_with_its_state)
{
	_cleanup_close_ int fd = -1;

	start();
	fd = dial();
	ck_assert_str_eq(ask(fd, ADD), "{\"ok\":true,\"state\":\"ready\"}");
	ck_assert_str_eq(agent.last, "add c1:eth0");
	agent.state = "waiting";
	ck_assert_str_eq(ask(fd, ADD), "{\"ok\":true,\"state\":\"waiting\"}");
	agent.add_result = -ENOSPC;
	ck_assert_str_eq(ask(fd, ADD), "{\"ok\":false,\"code\":100,\"error\":\"no room\"}");
	agent.add_code = 11;
	ck_assert_str_eq(ask(fd, ADD), "{\"ok\":false,\"code\":11,\"error\":\"no room\"}");
	end();
}
END_TEST

START_TEST(an_add_waits_for_its_policy)
{
	_cleanup_close_ int a = -1, b = -1, other = -1;

	start();
	a = dial();
	b = dial();
	other = dial();
	agent.add_result = 1;
	ck_assert_str_eq(ask(a, ADD), "");
	ck_assert_str_eq(ask(b, ADD), "");
	ck_assert_str_eq(ask(other, "{\"op\":\"status\"}"), "{\"ok\":true,\"ready\":true,\"reason\":\"\"}");
	cni_server_settle(server, NULL);
	ck_assert_str_eq(answer(a), "{\"ok\":true,\"state\":\"ready\"}");
	ck_assert_str_eq(answer(b), "{\"ok\":true,\"state\":\"ready\"}");
	ck_assert_str_eq(answer(other), "");
	cni_server_settle(server, NULL); /* once is enough */
	ck_assert_str_eq(answer(a), "");
	ck_assert_str_eq(ask(a, ADD), "");
	cni_server_settle(server, "the map is full");
	ck_assert_str_eq(answer(a), "{\"ok\":false,\"code\":100,\"error\":\"the map is full\"}");
	ck_assert_str_eq(ask(a, ADD), "");
	agent.state = NULL; /* deleted meanwhile */
	cni_server_settle(server, NULL);
	ck_assert_str_eq(answer(a),
			 "{\"ok\":false,\"code\":100,\"error\":\"the agent does not know this attachment\"}");
	end();
}
END_TEST

START_TEST(who_leaves_while_it_waits_is_forgotten)
{
	_cleanup_close_ int stays = -1;
	int leaves;

	start();
	leaves = dial();
	stays = dial();
	agent.add_result = 1;
	ck_assert_str_eq(ask(leaves, ADD), "");
	ck_assert_str_eq(ask(stays, ADD), "");
	close(leaves);
	run();
	cni_server_settle(server, NULL);
	ck_assert_str_eq(answer(stays), "{\"ok\":true,\"state\":\"ready\"}");
	ck_assert_str_eq(ask(stays, ADD), ""); /* and the server's end frees who waits still */
	end();
}
END_TEST

START_TEST(the_other_requests)
{
	_cleanup_close_ int fd = -1;

	start();
	fd = dial();
	ck_assert_str_eq(ask(fd, "{\"op\":\"del\",\"key\":\"c9:eth0\"}"), "{\"ok\":true}");
	ck_assert_str_eq(agent.last, "del c9:eth0");
	ck_assert_str_eq(ask(fd, "{\"op\":\"check\",\"key\":\"c1:eth0\"}"), "{\"ok\":true,\"state\":\"ready\"}");
	ck_assert_str_eq(ask(fd, "{\"op\":\"check\",\"key\":\"c9:eth0\"}"),
			 "{\"ok\":false,\"code\":100,\"error\":\"the agent does not know this attachment\"}");
	agent.not_ready = "no policy is in force";
	ck_assert_str_eq(ask(fd, "{\"op\":\"status\"}"),
			 "{\"ok\":true,\"ready\":false,\"reason\":\"no policy is in force\"}");
	end();
}
END_TEST

START_TEST(bad_requests_are_refused_and_reach_nobody)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "x", "not a JSON object" },
		{ "[]", "not a JSON object" },
		{ "{\"op\":\"status\"} {}", "not a JSON object" },
		{ "{}", "unknown request" },
		{ "{\"op\":7}", "unknown request" },
		{ "{\"op\":\"ADD\"}", "unknown request" },
		{ "{\"op\":\"del\"}", "unknown request" },
		{ "{\"op\":\"check\",\"key\":{}}", "unknown request" },
		{ "{\"op\":\"add\"}", "attachment" },
		{ "{\"op\":\"add\",\"attachment\":[]}", "attachment" },
		{ "{\"op\":\"add\",\"attachment\":{\"containerID\":\"c1\"}}", "" },
	};
	_cleanup_close_ int fd = -1;
	char *big = malloc(CNI_SOCK_MAX + 1);

	start();
	fd = dial();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = ask(fd, cases[i].text);

		ck_assert_msg(str_prefix(got, "{\"ok\":false,\"code\":100,\"error\":\"") && strstr(got, cases[i].error),
			      "%s: %s", cases[i].text, got);
	}
	memset(big, ' ', CNI_SOCK_MAX + 1);
	ck_assert_int_eq(send(fd, big, CNI_SOCK_MAX + 1, 0), CNI_SOCK_MAX + 1);
	ck_assert_str_eq(answer(fd), "{\"ok\":false,\"code\":100,\"error\":\"message too long\"}");
	memcpy(big, "{\"op\":\"status\"}", 15);
	ck_assert_int_eq(send(fd, big, CNI_SOCK_MAX, 0), CNI_SOCK_MAX);
	ck_assert_str_eq(answer(fd), "{\"ok\":true,\"ready\":true,\"reason\":\"\"}");
	ck_assert_str_eq(agent.last, "");
	free(big);
	end();
}
END_TEST

/* Returns 0 or the errno of connect(); the request is then in the server's queue. */
static int ask_as_nobody(const char *text)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct sockaddr_un sun = address();
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

		if (setresuid(65534, 65534, 65534) < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
			_exit(errno);
		_exit(send(fd, text, strlen(text), MSG_NOSIGNAL) < 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(only_root_is_heard)
{
	static const char request[] = "{\"op\":\"del\",\"key\":\"c1:eth0\"}";
	struct stat st;

	if (geteuid() != 0)
		return;
	start();
	ck_assert(stat(address().sun_path, &st) == 0 && (st.st_mode & 07777) == 0600);
	ck_assert(chmod(dir, 0755) == 0);
	ck_assert_int_eq(ask_as_nobody(request), EACCES);
	ck_assert(chmod(address().sun_path, 0666) == 0); /* as if somebody had loosened it */
	ck_assert_int_eq(ask_as_nobody(request), 0);
	run();
	ck_assert_str_eq(agent.last, "");
	end();
}
END_TEST

START_TEST(beyond_the_most_clients_the_next_waits_its_turn)
{
	struct rlimit files = { 2 * CLIENTS_MAX + 100, 2 * CLIENTS_MAX + 100 };
	int fds[CLIENTS_MAX + 1];

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	start();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		run();
	}
	ck_assert_str_eq(ask(fds[0], "{\"op\":\"status\"}"), "{\"ok\":true,\"ready\":true,\"reason\":\"\"}");
	ck_assert_str_eq(ask(fds[CLIENTS_MAX], "{\"op\":\"status\"}"), "");
	close(fds[1]);
	ck_assert_str_eq(answer(fds[CLIENTS_MAX]), "{\"ok\":true,\"ready\":true,\"reason\":\"\"}");
	end();
	ck_assert_str_eq(recv(fds[0], (char[8]){}, 8, 0) ? "" : "closed", "closed");
}
END_TEST

START_TEST(a_socket_that_an_agent_left_is_replaced_and_folders_that_do_not_do_are_told)
{
	struct cni_server *second = NULL;
	char deep[200];
	struct err e;

	start();
	ck_assert_int_eq(cni_server_new(event, dir, &handler, &second, &e), 0);
	close(dial());
	run();
	cni_server_free(second);
	second = NULL;
	ck_assert_int_eq(cni_server_new(event, "/nowhere", &handler, &second, &e), -ENOENT);
	ck_assert_str_eq(e.msg, "cannot listen on /nowhere/cni.sock: No such file or directory");
	snprintf(deep, sizeof(deep), "/%0150d", 0);
	ck_assert_int_eq(cni_server_new(event, deep, &handler, &second, &e), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(e.msg, "is too long for a socket"));
	ck_assert_ptr_null(second);
	end();
}
END_TEST

UNIT_MAIN(cni_server, an_add_is_answered_with_its_state, an_add_waits_for_its_policy,
	  who_leaves_while_it_waits_is_forgotten, the_other_requests, bad_requests_are_refused_and_reach_nobody,
	  only_root_is_heard, beyond_the_most_clients_the_next_waits_its_turn,
	  a_socket_that_an_agent_left_is_replaced_and_folders_that_do_not_do_are_told)
