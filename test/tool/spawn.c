// SPDX-License-Identifier: Apache-2.0
/*
 * spawn: start programs and measure each, as small a parent as can be (a child's peak memory begins with its parent's).
 *   spawn <JOBS    each job is lines "in FILE", "out FILE", "env NAME=VALUE"…, "arg WORD"…, "go". A line "wait" waits
 * for all that run; at the end, too. Prints "microseconds peak-KiB status" of each, in the order of the jobs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS 4096
#define WORDS 64

static struct job {
	pid_t pid;
	double start, us;
	long kib;
	int status;
} jobs[JOBS];
static int n_jobs, running;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void reap(void)
{
	struct rusage use;
	int status;
	pid_t pid = wait4(-1, &status, 0, &use);

	for (int i = n_jobs - 1; i >= 0; i--)
		if (jobs[i].pid == pid) {
			jobs[i].us = now() - jobs[i].start;
			jobs[i].kib = use.ru_maxrss;
			jobs[i].status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			jobs[i].pid = 0;
			running--;
			return;
		}
}

static void start(char **argv, char **envp, const char *in, const char *out)
{
	struct job *j = &jobs[n_jobs++];
	int in_fd = open(in, O_RDONLY), out_fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	j->start = now();
	j->pid = vfork();
	if (!j->pid) {
		dup2(in_fd, 0);
		dup2(out_fd, 1);
		close(in_fd);
		close(out_fd);
		execve(argv[0], argv, envp);
		_exit(127);
	}
	close(in_fd);
	close(out_fd);
	running++;
}

int main(void)
{
	static char line[4096], *argv[WORDS], *envp[WORDS], in[sizeof(line)] = "/dev/null",
							    out[sizeof(line)] = "/dev/null";
	int n_arg = 0, n_env = 0;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "in ", 3))
			snprintf(in, sizeof(in), "%s", line + 3);
		else if (!strncmp(line, "out ", 4))
			snprintf(out, sizeof(out), "%s", line + 4);
		else if (!strncmp(line, "env ", 4) && n_env < WORDS - 1)
			envp[n_env++] = strdup(line + 4);
		else if (!strncmp(line, "arg ", 4) && n_arg < WORDS - 1)
			argv[n_arg++] = strdup(line + 4);
		else if (!strcmp(line, "go") && n_jobs < JOBS) {
			argv[n_arg] = envp[n_env] = NULL;
			start(argv, envp, in, out);
			n_arg = n_env = 0;
		} else if (!strcmp(line, "wait"))
			while (running)
				reap();
		else
			return 2;
	}
	while (running)
		reap();
	for (int i = 0; i < n_jobs; i++)
		printf("%.1f %ld %d\n", jobs[i].us, jobs[i].kib, jobs[i].status);
	return 0;
}
