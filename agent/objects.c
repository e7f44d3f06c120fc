// SPDX-License-Identifier: Apache-2.0
#include "agent/objects.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/log.h"

#define SETTLE_US 10000            /* editors write a file in several steps: one look after the last */
#define RETRY_US 500000            /* while the folder is not there, or a want of memory or descriptors lasts */
#define FILE_MAX_BYTES (256 << 20) /* no manifest is larger; a mistake would be */

/* A file as it was when it was last read. */
struct file {
	char *path;
	struct stat st;
	bool seen, loaded;
	struct k8s_problems problems; /* of that reading */
	UT_hash_handle hh;
};

struct objects {
	sd_event_source *io, *timer;
	int watch;  /* inotify's number of the folder; a negative errno: it is not there, or not for us */
	bool again; /* something was not read that may be readable in a while, though nothing changes */
	char *dir, *keep_dir;
	struct k8s_store *store;
	struct file *files;
	struct k8s_problems duplicates; /* between files */
	void (*changed)(void *userdata);
	void *userdata;
};

/* By the time of the last change, too, which nobody can set: `cp -p` and `tar` give contents a time of their own. */
static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Is that an error of the moment? Others last until the file changes. */
static bool may_pass(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EIO;
}

static int read_file(const char *path, char **ret_text, size_t *ret_len, struct stat *ret_st)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK /* a FIFO is no reason to wait */);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_MAX_BYTES)
		return -EFBIG;
	text = malloc(st.st_size + 1);
	if (!text)
		return -ENOMEM;
	for (ssize_t n = 1; n > 0 && len < (size_t)st.st_size; len += MAX(n, 0)) {
		n = read(fd, text + len, st.st_size - len);
		if (n < 0)
			return -errno;
	}
	text[len] = 0;
	*ret_text = TAKE_PTR(text);
	*ret_len = len;
	*ret_st = st;
	return 0;
}

static void report(const struct k8s_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		log_warn("%s", p->v[i].text ?: "out of memory");
}

static bool same_problems(const struct k8s_problems *a, const struct k8s_problems *b)
{
	size_t i = 0;

	while (i < a->n && i < b->n && streq(a->v[i].text, b->v[i].text))
		i++;
	return i == a->n && i == b->n;
}

/* Told once, not with every change of another file. */
static void look_for_duplicates(struct objects *o)
{
	struct k8s_problems now = {};

	k8s_store_duplicates(o->store, &now);
	if (!same_problems(&now, &o->duplicates))
		report(&now);
	k8s_problems_done(&o->duplicates);
	o->duplicates = now;
}

static const char *name_of(const struct file *f)
{
	return strrchr(f->path, '/') + 1;
}

static int read_kept(const struct objects *o, const struct file *f, char **ret_text, size_t *ret_len)
{
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (asprintf(&path, "%s/%s", o->keep_dir, name_of(f)) < 0)
		return -ENOMEM;
	return read_file(path, ret_text, ret_len, &st);
}

static void keep(const struct objects *o, const struct file *f, const char *text, size_t len)
{
	_cleanup_free_ char *kept = NULL;
	size_t kept_len;
	struct err e;

	if (!f->loaded && read_kept(o, f, &kept, &kept_len) == 0 && kept_len == len && memcmp(kept, text, len) == 0)
		return;
	if (fs_write(o->keep_dir, name_of(f), text, len, false, &e) < 0)
		log_warn("%s: no copy is kept, so a mistake in it will count from the next start on: %s", f->path,
			 e.msg);
}

/* What an earlier agent read of this file, before it broke. */
static int load_kept(struct objects *o, struct file *f)
{
	_cleanup_free_ char *text = NULL;
	struct k8s_problems known = {};
	size_t len;
	int r = read_kept(o, f, &text, &len);

	if (r < 0)
		return r;
	log_info("%s: broken; its last good objects are in force", f->path);
	r = k8s_store_load_file(o->store, f->path, text, len, &known);
	k8s_problems_done(&known);
	return r;
}

static void no_problems(struct file *f)
{
	k8s_problems_done(&f->problems);
	f->problems = (struct k8s_problems){};
}

static int load_text(struct objects *o, struct file *f, const char *text, size_t len)
{
	no_problems(f);
	/* Of a writer that was killed, or of a full disk. */
	return len ? k8s_store_load_file(o->store, f->path, text, len, &f->problems) : -ENODATA;
}

/* A file that cannot be read leaves its former objects in force. */
static void load(struct objects *o, struct file *f)
{
	_cleanup_free_ char *text = NULL, *story = NULL;
	struct k8s_problems before = f->problems;
	size_t len = 0;
	int r = read_file(f->path, &text, &len, &f->st);

	f->problems = (struct k8s_problems){};
	if (r >= 0)
		r = load_text(o, f, text, len);
	if (r >= 0 && !f->problems.n_errors)
		keep(o, f, text, len);
	else if (!f->loaded && load_kept(o, f) >= 0 && r >= 0)
		r = load_text(o, f, text, len);
	f->loaded = true;
	if (r < 0 && asprintf(&story, "%s: cannot read: %s", f->path,
			      r == -ENODATA ? "it is empty (its objects go when the file does)" : strerror(-r)) >= 0)
		k8s_problems_add(&f->problems, K8S_ERROR, 0, TAKE_PTR(story));
	if (may_pass(r)) {
		f->st = (struct stat){}; /* like no file: it is read again */
		o->again = true;
	}
	if (!may_pass(r) || !same_problems(&before, &f->problems))
		report(&f->problems);
	k8s_problems_done(&before);
}

static void forget(struct objects *o, struct file *f)
{
	struct err e;

	k8s_store_remove_source(o->store, f->path);
	if (fs_remove(o->keep_dir, name_of(f), &e) < 0)
		log_warn("%s", e.msg);
	HASH_DEL(o->files, f);
	k8s_problems_done(&f->problems);
	free(f->path);
	free(f);
}

/* 1: the store may have changed; 0: not; -ENOMEM: nobody knows. A file that is there, but cannot be read, is seen. */
static int look_at(struct objects *o, const char *name)
{
	_cleanup_free_ char *path = NULL;
	struct stat st = {};
	struct file *f;

	if (!k8s_is_manifest(name))
		return 0;
	if (asprintf(&path, "%s/%s", o->dir, name) < 0)
		return -ENOMEM;
	if (stat(path, &st) < 0 && errno == ENOENT)
		return 0;
	HASH_FIND_STR(o->files, path, f);
	if (f) {
		f->seen = true;
		if (same(&f->st, &st))
			return 0;
		load(o, f);
		return 1;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->path = TAKE_PTR(path);
	f->seen = true;
	HASH_ADD_KEYPTR(hh, o->files, f->path, strlen(f->path), f);
	if (!hash_added(f)) {
		free(f->path);
		free(f);
		return -ENOMEM;
	}
	load(o, f);
	return 1;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* In the order of names: of two pods with one address the one that was read last has it, which must not be chance. */
static bool scan(struct objects *o)
{
	struct dirent **names = NULL;
	struct file *f, *tmp;
	bool changed = false, complete = true;
	int n = scandir(o->dir, &names, NULL, by_name);

	o->again = n < 0 && may_pass(-errno);
	if (n < 0) {
		log_warn("%s: cannot read: %m; its objects stay in force", o->dir);
		return false;
	}
	for (f = o->files; f; f = f->hh.next)
		f->seen = false;
	for (int i = 0; i < n; i++) {
		int r = look_at(o, names[i]->d_name);

		changed |= r > 0;
		complete &= r >= 0;
		free(names[i]);
	}
	free(names);
	o->again |= !complete;
	HASH_ITER (hh, o->files, f, tmp)
		if (!f->seen && complete) {
			forget(o, f);
			changed = true;
		}
	if (changed)
		look_for_duplicates(o);
	return changed;
}

/* Of files that went while no agent ran. */
static void drop_copies(const struct objects *o)
{
	struct dirent **names = NULL;
	int n = scandir(o->keep_dir, &names, NULL, NULL);

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;

		if (k8s_is_manifest(names[i]->d_name) && asprintf(&path, "%s/%s", o->dir, names[i]->d_name) >= 0 &&
		    access(path, F_OK) < 0 && errno == ENOENT)
			fs_remove(o->keep_dir, names[i]->d_name, NULL);
		free(names[i]);
	}
	free(names);
}

/* The folder of that name, which may be another one than before: then it has another number. */
static int watch(struct objects *o, int fd)
{
	int wd = inotify_add_watch(fd, o->dir,
				   IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_ATTRIB | IN_DELETE |
				       IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);

	if (wd < 0)
		wd = -errno;
	if (o->watch >= 0 && wd != o->watch)
		(void)inotify_rm_watch(fd, o->watch); /* nobody looks there any more; it may be gone */
	o->watch = wd;
	return wd < 0 ? wd : 0;
}

static void arm(struct objects *o, uint64_t usec)
{
	sd_event_source_set_time_relative(o->timer, usec);
	sd_event_source_set_enabled(o->timer, SD_EVENT_ONESHOT);
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct objects *o = userdata;
	bool was_there = o->watch >= 0;
	int r = watch(o, sd_event_source_get_io_fd(o->io));

	if (r < 0) {
		if (was_there)
			log_warn("%s: cannot watch: %s; its objects stay in force until it is back", o->dir,
				 strerror(-r));
		arm(o, RETRY_US);
		return 0;
	}
	if (!was_there)
		log_info("%s: is back", o->dir);
	if (scan(o))
		o->changed(o->userdata);
	if (o->again)
		arm(o, RETRY_US);
	return 0;
}

static int on_inotify(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
	struct objects *o = userdata;
	char buf[16384];

	while (read(fd, buf, sizeof(buf)) > 0)
		; /* which file it was is seen when all are looked at */
	arm(o, SETTLE_US);
	return 0;
}

int objects_new(sd_event *event, const char *dir, const char *keep_dir, struct k8s_store *store,
		void (*changed)(void *userdata), void *userdata, struct objects **ret_o, struct err *reterr)
{
	_cleanup_(objects_freep) struct objects *o = calloc(1, sizeof(*o));
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	int r;

	if (!o)
		return err_oom(reterr);
	o->store = store;
	o->watch = -ENOENT;
	o->changed = changed;
	o->userdata = userdata;
	o->dir = strdup(dir);
	o->keep_dir = strdup(keep_dir);
	if (!o->dir || !o->keep_dir)
		return err_oom(reterr);
	r = fd < 0 ? -errno : watch(o, fd);
	if (r < 0)
		return err_set(reterr, r, "cannot watch the objects folder %s: %m", dir);
	if (sd_event_add_io(event, &o->io, fd, EPOLLIN, on_inotify, o) < 0 ||
	    sd_event_add_time_relative(event, &o->timer, CLOCK_MONOTONIC, 0, 1000 /* us; 0 is 250 ms */, on_timer, o) <
		0)
		return err_oom(reterr);
	sd_event_source_set_io_fd_own(o->io, true);
	TAKE_FD(fd);
	sd_event_source_set_enabled(o->timer, SD_EVENT_OFF);
	scan(o);
	if (o->again)
		arm(o, RETRY_US);
	drop_copies(o);
	*ret_o = TAKE_PTR(o);
	return 0;
}

void objects_free(struct objects *o)
{
	struct file *f, *tmp;

	HASH_ITER (hh, o->files, f, tmp) {
		HASH_DEL(o->files, f);
		k8s_problems_done(&f->problems);
		free(f->path);
		free(f);
	}
	k8s_problems_done(&o->duplicates);
	sd_event_source_disable_unref(o->io);
	sd_event_source_disable_unref(o->timer);
	free(o->dir);
	free(o->keep_dir);
	free(o);
}

void objects_each_problem(const struct objects *o, void (*tell)(void *userdata, const struct k8s_problem *p),
			  void *userdata)
{
	_cleanup_free_ char *text = NULL;

	if (o->watch < 0 &&
	    asprintf(&text, "%s: cannot watch: %s; its objects stay in force", o->dir, strerror(-o->watch)) >= 0)
		tell(userdata, &(struct k8s_problem){ K8S_ERROR, 0, text });
	for (struct file *f = o->files; f; f = f->hh.next)
		for (size_t i = 0; i < f->problems.n; i++)
			tell(userdata, &f->problems.v[i]);
	for (size_t i = 0; i < o->duplicates.n; i++)
		tell(userdata, &o->duplicates.v[i]);
}
