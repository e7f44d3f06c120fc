// SPDX-License-Identifier: Apache-2.0
#include "cni/delegate.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "cni/convert.h"
#include "lib/fs.h"

#define OUTPUT_MAX (1 << 20)

static int find_plugin(const struct conf *c, char path[PATH_MAX], struct err *reterr)
{
	const char *dir = c->path;

	while (*dir) {
		size_t len = strcspn(dir, ":");

		if (len && snprintf(path, PATH_MAX, "%.*s/%s", (int)len, dir, c->ipam.type) < PATH_MAX &&
		    access(path, X_OK) == 0)
			return 0;
		dir += len + (dir[len] == ':');
	}
	return err_set(reterr, CNI_BAD_CONFIG, "ipam plugin \"%s\" is not in CNI_PATH (%s)", c->ipam.type, c->path);
}

/* The configuration as a file, so that a plugin that does not read it cannot block us. */
static int stdin_of(const struct conf *c)
{
	_cleanup_close_ int fd = memfd_create("weir-cni", MFD_CLOEXEC);

	if (fd < 0 || write(fd, c->text, c->text_len) != (ssize_t)c->text_len || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int spawn(const char *path, int in, int out, pid_t *ret_pid)
{
	char *argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t fa;
	int r = posix_spawn_file_actions_init(&fa);

	r = r ?: posix_spawn_file_actions_adddup2(&fa, in, STDIN_FILENO);
	r = r ?: posix_spawn_file_actions_adddup2(&fa, out, STDOUT_FILENO);
	r = r ?: posix_spawn(ret_pid, path, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return -r;
}

/* Runs it to its end. Returns its wait status. */
static int run(const struct conf *c, const char *path, char **ret_out, size_t *ret_len)
{
	_cleanup_close_ int in = stdin_of(c), out_r = -1, out_w = -1;
	int pipe_fd[2], r, status;
	pid_t pid;

	if (in < 0 || pipe2(pipe_fd, O_CLOEXEC) < 0)
		return in < 0 ? in : -errno;
	out_r = pipe_fd[0];
	out_w = pipe_fd[1];
	r = spawn(path, in, out_w, &pid);
	if (r < 0)
		return r;
	out_w = close_fd(out_w);
	r = fs_read_fd(out_r, OUTPUT_MAX, ret_out, ret_len);
	out_r = close_fd(out_r);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return r < 0 ? r : status;
}

static int plugin_error(const struct conf *c, const json_t *out, int status, struct err *reterr)
{
	json_t *code = json_object_get(out, "code");
	const char *msg = json_string_value(json_object_get(out, "msg"));
	const char *details = json_string_value(json_object_get(out, "details"));

	if (json_is_integer(code) && json_integer_value(code) > 0 && json_integer_value(code) < INT_MAX)
		return err_set(reterr, json_integer_value(code), "ipam plugin %s: %s%s%s", c->ipam.type, msg ?: "",
			       details && *details ? ": " : "", details ?: "");
	return err_set(reterr, CNI_FAILED, "ipam plugin %s ended with %s %d and no error", c->ipam.type,
		       WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int delegate_run(const struct conf *c, const char *command, json_t **ret_result, struct err *reterr)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t len = 0;
	int status, code = find_plugin(c, path, reterr);
	json_t *out;

	if (code)
		return code;
	if (setenv("CNI_COMMAND", command, 1) < 0)
		return err_set(reterr, CNI_FAILED, "out of memory");
	status = run(c, path, &text, &len);
	if (status < 0)
		return err_set(reterr, CNI_FAILED, "cannot run the ipam plugin %s: %s", path, strerror(-status));
	out = json_loadb(text, len, 0, NULL);
	if (status != 0) {
		code = plugin_error(c, out, status, reterr);
		json_decref(out);
		return code;
	}
	*ret_result = out;
	return 0;
}

int delegate_add(const struct conf *c, struct weir_addr ret_addr[2], json_t **ret_result, struct err *reterr)
{
	struct weir_addr addr[2] = {};
	json_t *result = NULL;
	int code = delegate_run(c, "ADD", &result, reterr);

	if (!code) {
		code = convert_to_newest(result, reterr);
		code = code ?: result_addresses(result, addr, reterr);
		if (code)
			err_prefix(reterr, code, "ipam plugin %s", c->ipam.type);
	}
	if (code) {
		json_decref(result);
		return code;
	}
	memcpy(ret_addr, addr, sizeof(addr));
	*ret_result = result;
	return 0;
}
