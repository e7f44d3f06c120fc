// SPDX-License-Identifier: Apache-2.0
#include "agent/export/flow_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#include "agent/flow/filter.h"
#include "agent/flow/to_proto.h"
#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/pbjson.h"

#define PERIOD_US 200000   /* between two looks at the store */
#define BATCH (256 * 1024) /* bytes written at once; a file grows no more than this beyond its limit */
#define TURN_MAX 4096      /* flows that one log looks at in a turn of the loop */
#define MIB (1024 * 1024)
#define HOUR_NS 3600000000000ull

struct filters {
	size_t n;
	Flow__FlowFilter **v;
};

struct flow_log {
	char *path;
	uint64_t max_size, max_age_ns;
	unsigned max_backups;
	bool compress;
	struct filters include, exclude;
	struct flow_filter *filter;
	struct flow_cursor cursor;
	int fd; /* -1: it could not be opened */
	uint64_t size, opened_ns;
	FILE *batch; /* lines that are not written yet: in text, of which flows are flows */
	char *text;
	size_t len;
	uint64_t flows;
	uint64_t written, lost;
	char problem[256];
};

struct flow_logs {
	struct flow_store *store;
	const struct flow_node *node;
	struct flow_msg *msg;
	sd_event_source *timer;
	size_t n;
	struct flow_log *log;
};

/* Told when it is news. */
static void set_problem(struct flow_log *l, const char *what, int error)
{
	char text[sizeof(l->problem)];

	snprintf(text, sizeof(text), "%s: cannot %s: %s", l->path, what, strerror(error));
	if (!streq(text, l->problem))
		log_error("flow log %s; flows that are not written are counted as lost", text);
	memcpy(l->problem, text, sizeof(text));
}

static void set_well(struct flow_log *l)
{
	if (l->problem[0])
		log_info("flow log %s is written again", l->path);
	l->problem[0] = '\0';
}

/* ---- files */

static bool open_file(struct flow_log *l)
{
	_cleanup_free_ char *copy = strdup(l->path);
	struct stat st;
	int fd;

	if (copy)
		fs_mkdir_p(dirname(copy), 0755); /* its failure is open's, too */
	fd = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) < 0) {
		set_problem(l, "open", errno);
		close_fd(fd);
		return false;
	}
	l->fd = fd;
	l->size = (uint64_t)st.st_size;
	l->opened_ns = clock_ns(CLOCK_REALTIME);
	return true;
}

static int copy_compressed(const char *from, const char *to)
{
	_cleanup_free_ char *buf = malloc(BATCH);
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	gzFile out;
	ssize_t n;

	if (!buf || in < 0)
		return -1;
	out = gzopen(to, "wbe");
	if (!out)
		return -1;
	while ((n = read(in, buf, BATCH)) > 0)
		if (gzwrite(out, buf, (unsigned)n) != n)
			break;
	return gzclose(out) == Z_OK && n == 0 ? 0 : -1;
}

/* In a thread of its own: megabytes of it would hold up the loop. Takes the name. */
static void *compress_main(void *userdata)
{
	char *from = userdata;
	char to[PATH_MAX], part[PATH_MAX];

	if ((size_t)snprintf(to, sizeof(to), "%s.gz", from) < sizeof(to) &&
	    (size_t)snprintf(part, sizeof(part), "%s.gz.part", from) < sizeof(part)) {
		if (copy_compressed(from, part) == 0 && rename(part, to) == 0)
			unlink(from);
		else
			unlink(part); /* uncompressed is better than gone */
	}
	free(from);
	return NULL;
}

static void compress_file(const char *name)
{
	char *copy = strdup(name);
	sigset_t all, old;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!copy || pthread_create(&thread, NULL, compress_main, copy) != 0)
		free(copy);
	else
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* "/var/log/flows.json" → folder, "flows-", ".json". */
static void split(const struct flow_log *l, char *dir, char *stem, char *ext)
{
	const char *slash = strrchr(l->path, '/'), *name = slash ? slash + 1 : l->path, *dot = strrchr(name, '.');
	int stem_len = (int)(dot && dot != name ? dot - name : (ptrdiff_t)strlen(name));

	snprintf(dir, PATH_MAX, "%.*s", slash ? (int)(slash - l->path) : 1, slash ? l->path : ".");
	snprintf(stem, NAME_MAX + 2, "%.*s-", stem_len, name);
	snprintf(ext, NAME_MAX + 2, "%s", name + stem_len);
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Removes what is too much; the names hold the times in an order that sorts. */
static void thin_out(const struct flow_log *l)
{
	char dir[PATH_MAX], stem[NAME_MAX + 2], ext[NAME_MAX + 2], path[PATH_MAX + NAME_MAX + 2];
	char **names = NULL;
	size_t n = 0;
	struct dirent *e;
	DIR *d;

	split(l, dir, stem, ext);
	d = l->max_backups ? opendir(dir) : NULL;
	while (d && (e = readdir(d))) {
		char **more;

		if (!str_prefix(e->d_name, stem) || !strstr(e->d_name + strlen(stem), ext) ||
		    e->d_name[strlen(stem)] < '0' || e->d_name[strlen(stem)] > '9')
			continue;
		more = reallocarray(names, n + 1, sizeof(*names));
		if (!more)
			break;
		names = more;
		names[n] = strdup(e->d_name);
		n += names[n] != NULL;
	}
	if (d)
		closedir(d);
	if (n)
		qsort(names, n, sizeof(*names), newest_first);
	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (i >= l->max_backups)
			unlink(path);
		free(names[i]);
	}
	free(names);
}

static void rotate(struct flow_log *l)
{
	char dir[PATH_MAX], stem[NAME_MAX + 2], ext[NAME_MAX + 2], when[32], to[2 * PATH_MAX];
	uint64_t now = clock_ns(CLOCK_REALTIME);
	time_t seconds = (time_t)(now / 1000000000);
	struct tm tm;

	l->fd = close_fd(l->fd);
	split(l, dir, stem, ext);
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H-%M-%S", &tm);
	snprintf(to, sizeof(to), "%s/%s%s.%03u%s", dir, stem, when, (unsigned)(now / 1000000 % 1000), ext);
	if (rename(l->path, to) < 0)
		set_problem(l, "rename", errno);
	else if (l->compress)
		compress_file(to);
	thin_out(l);
	open_file(l);
}

/* ---- lines */

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		buf += MAX(n, 0);
		len -= (size_t)MAX(n, 0);
	}
	return 0;
}

/* All lines or none: of a disk that became full, half a batch is taken back. */
static bool write_batch(struct flow_log *l)
{
	int r;

	if (l->fd < 0 && !open_file(l))
		return false;
	r = write_all(l->fd, l->text, l->len);
	if (r < 0) {
		set_problem(l, "write", -r);
		(void)!ftruncate(l->fd, (off_t)l->size);
		return false;
	}
	l->size += l->len;
	set_well(l);
	return true;
}

static void end_batch(struct flow_log *l)
{
	uint64_t flows = TAKE(l->flows, 0);

	if (!l->batch)
		return;
	if (fclose(TAKE_PTR(l->batch)) == EOF || !write_batch(l))
		l->lost += flows;
	else
		l->written += flows;
	free(TAKE_PTR(l->text));
	if (l->fd >= 0 && l->size >= l->max_size)
		rotate(l);
}

/* An ExportEvent has GetFlowsResponse's fields under the same names. */
static void write_line(struct flow_log *l, const Observer__GetFlowsResponse *msg, uint64_t flows)
{
	if (!l->batch)
		l->batch = open_memstream(&l->text, &l->len);
	if (!l->batch) {
		l->lost += flows;
		return;
	}
	pbjson_write(l->batch, &msg->base);
	fputc('\n', l->batch);
	l->flows += flows;
	if (ftell(l->batch) >= BATCH)
		end_batch(l);
}

static void write_item(struct flow_logs *logs, struct flow_log *l, const struct flow_item *item)
{
	struct flow_face face;

	if (item->kind == FLOW_ITEM_LOST) {
		if (item->lost.kind == FLOW_LOSS_STORE)
			l->lost += item->lost.count;
		write_line(l, flow_msg_fill_lost(logs->msg, logs->node, &item->lost), 0);
	} else if (flow_filter_match(l->filter, item->flow, &face)) {
		const Observer__GetFlowsResponse *msg = flow_msg_fill(logs->msg, logs->node, item->flow, &face);

		if (msg)
			write_line(l, msg, 1);
		else
			l->lost++;
	}
}

/* True: there is more. */
static bool advance(struct flow_logs *logs, struct flow_log *l, bool final)
{
	uint64_t now = clock_ns(CLOCK_REALTIME);
	unsigned n = 0;

	for (; n < TURN_MAX || final; n++) {
		struct flow_item item = flow_cursor_read(logs->store, &l->cursor, now, final);

		if (item.kind == FLOW_ITEM_NONE)
			break;
		write_item(logs, l, &item);
	}
	end_batch(l);
	if (l->fd >= 0 && l->max_age_ns && l->size && now - l->opened_ns >= l->max_age_ns)
		rotate(l);
	return n == TURN_MAX;
}

static int on_time(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct flow_logs *logs = userdata;
	bool more = false;

	for (size_t i = 0; i < logs->n; i++)
		more |= advance(logs, &logs->log[i], false);
	sd_event_source_set_time_relative(source, more ? 0 : PERIOD_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- configuration */

static int read_filters(const json_t *list, struct filters *ret, struct err *reterr)
{
	if (!list)
		return 0;
	if (!json_is_array(list))
		return err_set(reterr, -EINVAL, "must be a list of filters");
	ret->v = calloc(json_array_size(list) + 1, sizeof(*ret->v));
	if (!ret->v)
		return err_oom(reterr);
	for (size_t i = 0; i < json_array_size(list); i++) {
		int r = pbjson_read(json_array_get(list, i), &flow__flow_filter__descriptor,
				    (ProtobufCMessage **)&ret->v[i], reterr);

		if (r < 0)
			return err_prefix(reterr, r, "[%zu]", i);
		ret->n++;
	}
	return 0;
}

static int read_log(const json_t *config, struct flow_log *l, const struct flow_node *node, struct err *reterr)
{
	json_t *include = NULL, *exclude = NULL;
	int size = 10, age = 0, backups = 5, compress = 0, r;
	const char *path = NULL;
	json_error_t je;

	if (json_unpack_ex((json_t *)config, &je, JSON_STRICT, "{s:s, s?i, s?i, s?i, s?b, s?o, s?o}", "path", &path,
			   "maxSizeMb", &size, "maxAgeHours", &age, "maxBackups", &backups, "compress", &compress,
			   "include", &include, "exclude", &exclude) < 0)
		return err_set(reterr, -EINVAL, "%s", je.text);
	if (size < 1 || age < 0 || backups < 0 || *path != '/')
		return err_set(reterr, -EINVAL,
			       "path must be absolute, maxSizeMb at least 1, maxAgeHours and maxBackups not negative");
	l->path = strdup(path);
	if (!l->path)
		return err_oom(reterr);
	l->max_size = (uint64_t)size * MIB;
	l->max_age_ns = (uint64_t)age * HOUR_NS;
	l->max_backups = (unsigned)backups;
	l->compress = compress;
	r = read_filters(include, &l->include, reterr);
	if (r < 0)
		return err_prefix(reterr, r, "include");
	r = read_filters(exclude, &l->exclude, reterr);
	if (r < 0)
		return err_prefix(reterr, r, "exclude");
	return flow_filter_new(l->include.v, l->include.n, l->exclude.v, l->exclude.n, node, &l->filter, reterr);
}

static int read_config(struct flow_logs *logs, const json_t *config, struct err *reterr)
{
	if (!json_is_array(config))
		return err_set(reterr, -EINVAL, "must be a list");
	logs->log = calloc(json_array_size(config) + 1, sizeof(*logs->log));
	if (!logs->log)
		return err_oom(reterr);
	for (size_t i = 0; i < json_array_size(config); i++) {
		struct flow_log *l = &logs->log[logs->n++];
		int r;

		l->fd = -1;
		r = read_log(json_array_get(config, i), l, logs->node, reterr);

		if (r < 0)
			return err_prefix(reterr, r, "[%zu]", i);
	}
	return 0;
}

int flow_logs_new(sd_event *event, const json_t *config, struct flow_store *store, const struct flow_node *node,
		  struct flow_logs **ret_logs, struct err *reterr)
{
	_cleanup_(flow_logs_freep) struct flow_logs *logs = calloc(1, sizeof(*logs));
	int r;

	if (!logs)
		return err_oom(reterr);
	logs->node = node;
	r = read_config(logs, config, reterr);
	if (r < 0)
		return r;
	logs->store = store; /* from here on flow_logs_free writes */
	logs->msg = flow_msg_new();
	if (!logs->msg ||
	    sd_event_add_time_relative(event, &logs->timer, CLOCK_MONOTONIC, PERIOD_US, 0, on_time, logs) < 0)
		return err_oom(reterr);
	for (size_t i = 0; i < logs->n; i++) {
		logs->log[i].cursor = flow_cursor_at(store, flow_store_next(store), clock_ns(CLOCK_REALTIME));
		open_file(&logs->log[i]); /* one that cannot be opened is tried again with each line */
	}
	*ret_logs = TAKE_PTR(logs);
	return 0;
}

static void filters_free(struct filters *f)
{
	for (size_t i = 0; i < f->n; i++)
		flow__flow_filter__free_unpacked(f->v[i], NULL);
	free(f->v);
}

void flow_logs_free(struct flow_logs *logs)
{
	if (!logs)
		return;
	for (size_t i = 0; i < logs->n; i++) {
		struct flow_log *l = &logs->log[i];

		if (logs->msg && l->filter)
			advance(logs, l, true);
		close_fd(l->fd);
		if (l->filter)
			flow_filter_free(l->filter);
		filters_free(&l->include);
		filters_free(&l->exclude);
		free(l->path);
	}
	sd_event_source_disable_unref(logs->timer);
	if (logs->msg)
		flow_msg_free(logs->msg);
	free(logs->log);
	free(logs);
}

bool flow_logs_stats(const struct flow_logs *logs, size_t index, struct flow_log_stats *ret)
{
	const struct flow_log *l;

	if (!logs || index >= logs->n)
		return false;
	l = &logs->log[index];
	*ret = (struct flow_log_stats){ l->path, l->written, l->lost, l->problem[0] ? l->problem : NULL };
	return true;
}
