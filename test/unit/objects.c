// SPDX-License-Identifier: Apache-2.0
#include "agent/objects.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/log.h"
#include "test/unit.h"

#define POLICY(spec) \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\nspec: " spec "\n"
#define CLOSED POLICY("{}")
#define OPEN POLICY("{ingress: [{}]}")
#define BROKEN POLICY("{ingress: [{form: []}]}")
#define POD "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\n"
#define QUIET_US 60000 /* longer than the time that changes settle in */

static char root[64];
static sd_event *event;
static struct k8s_store *store;
static struct objects *objects;
static unsigned changes;

static void on_changed(_unused_ void *userdata)
{
	changes++;
}

static char *path(const char *folder, const char *name)
{
	static char buf[256];

	snprintf(buf, sizeof(buf), "%s/%s/%s", root, folder, name);
	return buf;
}

static void start(void)
{
	struct err e;
	char dir[80], keep[80];

	snprintf(dir, sizeof(dir), "%s/dir", root);
	snprintf(keep, sizeof(keep), "%s/keep", root);
	store = k8s_store_new();
	ck_assert_ptr_nonnull(store);
	ck_assert_int_eq(sd_event_new(&event), 0);
	ck_assert_msg(objects_new(event, dir, keep, store, on_changed, NULL, &objects, &e) == 0, "%s", e.msg);
	changes = 0;
}

static void stop(void)
{
	objects_free(objects);
	k8s_store_free(store);
	sd_event_unref(event);
}

static void restart(void)
{
	stop();
	start();
}

static void make_folders(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
	strcpy(root, "/tmp/weir-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ck_assert_int_eq(mkdir(path("dir", ""), 0755), 0);
}

static void end(void)
{
	_cleanup_free_ char *cmd = NULL;

	stop();
	ck_assert(asprintf(&cmd, "rm -rf '%s'", root) > 0 && system(cmd) == 0);
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path("dir", name), "w");

	ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void move(const char *from, const char *to)
{
	_cleanup_free_ char *old = strdup(path("dir", from));

	ck_assert(old && rename(old, path("dir", to)) == 0);
}

static void take(const char *name)
{
	ck_assert_int_eq(unlink(path("dir", name)), 0);
}

/* Lets what happened to the folder be seen: until there is one more change, or for a while when none is due. */
static void run(bool due)
{
	unsigned before = changes;

	for (int i = 0; due && i < 100 && changes == before; i++)
		ck_assert_int_ge(sd_event_run(event, 50000), 0);
	ck_assert(!due || changes == before + 1);
	while (sd_event_run(event, QUIET_US) > 0)
		;
}

static bool has_pod(void)
{
	return k8s_store_find(store, K8S_POD, "x", "a");
}

/* Of the policy in force: 'o' open, 'c' closed, 'b' broken, '-' none. */
static char policy(void)
{
	const struct k8s_entry *e = k8s_store_find(store, K8S_NETWORK_POLICY, "x", "p");
	const struct k8s_network_policy *p = e ? (const struct k8s_network_policy *)e->object : NULL;

	if (!p)
		return '-';
	return p->broken ? 'b' : p->n_rules[WEIR_INGRESS] ? 'o' : 'c';
}

static void append(void *userdata, const struct k8s_problem *p)
{
	char *all = userdata;

	snprintf(all + strlen(all), 4096 - strlen(all), "%s\n", p->text);
}

/* What is wrong now, a line each. */
static const char *problems(void)
{
	static char all[4096];

	*all = 0;
	objects_each_problem(objects, append, all);
	return all;
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

START_TEST(files_are_read_at_start_and_followed)
{
	make_folders();
	put("p.yaml", CLOSED);
	start();
	ck_assert_int_eq(policy(), 'c');
	ck_assert(!has_pod());
	put("a.json",
	    "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"a\", \"namespace\": \"x\"}}");
	run(true);
	ck_assert(has_pod());
	put("p.yaml", OPEN);
	run(true);
	ck_assert_int_eq(policy(), 'o');
	take("p.yaml");
	run(true);
	ck_assert_int_eq(policy(), '-');
	ck_assert(has_pod());
	ck_assert_str_eq(problems(), "");
	end();
}
END_TEST

/* As `tar` and `cp -p` write it: over the former one, with a time of its own. */
START_TEST(a_file_of_the_same_size_and_time_is_another_one)
{
	struct stat st;

	make_folders();
	put("p.yaml", POLICY("{ingress: [{}]}"));
	start();
	ck_assert_int_eq(policy(), 'o');
	ck_assert_int_eq(stat(path("dir", "p.yaml"), &st), 0);
	put("p.yaml", POLICY("{ingress:   []}"));
	ck_assert_int_eq(utimensat(AT_FDCWD, path("dir", "p.yaml"), (struct timespec[]){ st.st_atim, st.st_mtim }, 0),
			 0);
	run(true);
	ck_assert_int_eq(policy(), 'c');
	end();
}
END_TEST

START_TEST(a_change_of_rights_is_seen)
{
	make_folders();
	put("p.yaml", OPEN);
	start();
	ck_assert_int_eq(chmod(path("dir", "p.yaml"), 0600), 0);
	run(true);
	ck_assert_int_eq(policy(), 'o');
	end();
}
END_TEST

START_TEST(what_cannot_be_read_for_want_of_descriptors_is_read_later)
{
	struct rlimit few, most;

	make_folders();
	put("p.yaml", OPEN);
	start();
	put("p.yaml", CLOSED);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &most), 0);
	few = (struct rlimit){ 3, most.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	run(false);
	ck_assert_int_eq(policy(), 'o');
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &most), 0);
	run(true); /* though nothing happens to the folder */
	ck_assert_int_eq(policy(), 'c');
	end();
}
END_TEST

START_TEST(files_that_are_renamed_are_seen)
{
	make_folders();
	put("p.tmp", CLOSED);
	start();
	move("p.tmp", "p.yml");
	run(true);
	ck_assert_int_eq(policy(), 'c');
	move("p.yml", "p.off");
	run(true);
	ck_assert_int_eq(policy(), '-');
	end();
}
END_TEST

/* Not one for each, though each is seen as it comes. */
START_TEST(a_burst_is_few_changes)
{
	char name[32];

	make_folders();
	start();
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%d.yaml", i);
		put(name, POD);
		while (sd_event_run(event, 0) > 0)
			;
	}
	ck_assert_uint_lt(changes, 20);
	run(true);
	ck_assert(has_pod());
	end();
}
END_TEST

START_TEST(other_files_are_none_of_its_business)
{
	make_folders();
	put("p.txt", CLOSED);
	put(".p.yaml", CLOSED);
	put(".yaml", CLOSED);
	start();
	put("q.yaml~", CLOSED);
	run(false);
	ck_assert_uint_eq(changes, 0);
	ck_assert_int_eq(policy(), '-');
	ck_assert_str_eq(problems(), "");
	end();
}
END_TEST

START_TEST(what_breaks_stays_as_it_was_across_a_restart_too)
{
	make_folders();
	put("p.yaml", OPEN);
	start();
	put("p.yaml", BROKEN);
	run(true);
	ck_assert_int_eq(policy(), 'o');
	ck_assert_ptr_nonnull(
	    strstr(problems(), "/dir/p.yaml:4: NetworkPolicy x/p: spec.ingress[0].form: unknown field"));
	restart();
	ck_assert_int_eq(policy(), 'o');
	ck_assert_uint_eq(lines(problems()), 1);
	put("p.yaml", CLOSED);
	run(true);
	ck_assert_int_eq(policy(), 'c');
	ck_assert_str_eq(problems(), "");
	end();
}
END_TEST

START_TEST(what_never_was_good_isolates)
{
	make_folders();
	put("p.yaml", BROKEN);
	start();
	ck_assert_int_eq(policy(), 'b');
	restart();
	ck_assert_int_eq(policy(), 'b');
	end();
}
END_TEST

/* Or a policy that was deleted and written anew with a mistake would be what it was before. */
START_TEST(copies_go_with_their_files)
{
	make_folders();
	put("p.yaml", OPEN);
	put("q.yaml", POD);
	start();
	ck_assert_int_eq(access(path("keep", "p.yaml"), F_OK), 0);
	take("p.yaml");
	run(true);
	ck_assert_int_lt(access(path("keep", "p.yaml"), F_OK), 0);
	ck_assert_int_eq(access(path("keep", "q.yaml"), F_OK), 0);
	take("q.yaml"); /* while no agent runs */
	restart();
	ck_assert_int_lt(access(path("keep", "q.yaml"), F_OK), 0);
	put("p.yaml", BROKEN);
	run(true);
	ck_assert_int_eq(policy(), 'b');
	end();
}
END_TEST

START_TEST(what_cannot_be_read_removes_nothing)
{
	make_folders();
	put("p.yaml", OPEN);
	start();
	put("p.yaml", "");
	run(true);
	ck_assert_int_eq(policy(), 'o');
	ck_assert_ptr_nonnull(strstr(problems(), "/dir/p.yaml: cannot read: it is empty"));
	put("p.yaml", POD "---\n[");
	run(true);
	ck_assert_int_eq(policy(), 'o'); /* it may stand behind the fault */
	ck_assert(has_pod());
	ck_assert_int_eq(truncate(path("dir", "p.yaml"), (256 << 20) + 1), 0);
	put("other.yaml", ""); /* truncate() tells nobody */
	run(true);
	ck_assert_int_eq(policy(), 'o');
	ck_assert_ptr_nonnull(strstr(problems(), "/dir/p.yaml: cannot read: File too large"));
	ck_assert_int_eq(mkdir(path("dir", "folder.yaml"), 0755), 0);
	ck_assert_int_eq(mkfifo(path("dir", "fifo.yaml"), 0644), 0);
	restart();
	ck_assert_int_eq(policy(), 'o');
	ck_assert_ptr_nonnull(strstr(problems(), "/dir/folder.yaml: cannot read: Invalid argument"));
	ck_assert_ptr_nonnull(strstr(problems(), "/dir/fifo.yaml: cannot read: Invalid argument"));
	end();
}
END_TEST

static void put_loop(const char *name)
{
	ck_assert_int_eq(symlink(name, path("dir", "loop")), 0);
	move("loop", name);
}

START_TEST(what_cannot_be_looked_at_removes_nothing)
{
	make_folders();
	put("p.yaml", OPEN);
	start();
	put_loop("p.yaml");
	run(true);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(policy(), 'o');
		ck_assert_ptr_nonnull(
		    strstr(problems(), "/dir/p.yaml: cannot read: Too many levels of symbolic links"));
		restart();
	}
	take("p.yaml");
	run(true);
	ck_assert_int_eq(policy(), '-');
	end();
}
END_TEST

START_TEST(of_two_files_with_one_object_the_first_by_name_counts_live_and_after_a_restart)
{
	make_folders();
	put("b.yaml", OPEN);
	start();
	ck_assert_int_eq(policy(), 'o');
	put("a.yaml", CLOSED);
	run(true);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(policy(), 'c');
		ck_assert_uint_eq(lines(problems()), 1);
		ck_assert_ptr_nonnull(strstr(problems(), "/dir/b.yaml: NetworkPolicy x/p: is defined in "));
		ck_assert_ptr_nonnull(strstr(problems(), "/dir/a.yaml already"));
		restart();
	}
	put("a.yaml", POD);
	run(true);
	ck_assert_int_eq(policy(), 'o');
	ck_assert_str_eq(problems(), "");
	put("a.yaml", CLOSED);
	run(true);
	put("b.yaml", BROKEN); /* its last good version, which never was in force here */
	take("a.yaml");
	run(true);
	ck_assert_int_eq(policy(), 'o');
	restart();
	ck_assert_int_eq(policy(), 'o');
	end();
}
END_TEST

static void move_folder(const char *from, const char *to)
{
	_cleanup_free_ char *old = strdup(path(from, ""));

	ck_assert(old && rename(old, path(to, "")) == 0);
}

START_TEST(a_folder_that_is_another_one_now_is_followed)
{
	make_folders();
	put("p.yaml", CLOSED);
	start();
	move_folder("dir", "old");
	ck_assert_int_eq(mkdir(path("dir", ""), 0755), 0);
	put("p.yaml", OPEN);
	run(true);
	ck_assert_int_eq(policy(), 'o');
	put("p.yaml", CLOSED);
	run(true);
	ck_assert_int_eq(policy(), 'c');
	end();
}
END_TEST

START_TEST(a_folder_that_goes_takes_nothing_with_it_and_is_seen_when_it_is_back)
{
	make_folders();
	put("p.yaml", OPEN);
	start();
	move_folder("dir", "old");
	run(false);
	ck_assert_int_eq(policy(), 'o');
	ck_assert_uint_eq(changes, 0);
	ck_assert_ptr_nonnull(
	    strstr(problems(), "/dir: cannot watch: No such file or directory; its objects stay in force\n"));
	move_folder("old", "dir");
	put("p.yaml", CLOSED);
	run(true);
	ck_assert_int_eq(policy(), 'c');
	ck_assert_str_eq(problems(), "");
	take("p.yaml");
	ck_assert_int_eq(rmdir(path("dir", "")), 0);
	run(false);
	ck_assert_int_eq(policy(), 'c');
	ck_assert_int_eq(mkdir(path("dir", ""), 0755), 0);
	run(true);
	ck_assert_int_eq(policy(), '-');
	put("p.yaml", OPEN);
	run(true);
	ck_assert_int_eq(policy(), 'o');
	end();
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_told)
{
	struct objects *o = NULL;
	struct err e;

	make_folders();
	start();
	ck_assert_int_eq(objects_new(event, "/nowhere/objects", "/nowhere/keep", store, on_changed, NULL, &o, &e),
			 -ENOENT);
	ck_assert_str_eq(e.msg, "cannot watch the objects folder /nowhere/objects: No such file or directory");
	ck_assert_ptr_null(o);
	end();
}
END_TEST

UNIT_MAIN(objects, files_are_read_at_start_and_followed, a_file_of_the_same_size_and_time_is_another_one,
	  a_change_of_rights_is_seen, what_cannot_be_read_for_want_of_descriptors_is_read_later,
	  files_that_are_renamed_are_seen, a_burst_is_few_changes, other_files_are_none_of_its_business,
	  what_breaks_stays_as_it_was_across_a_restart_too, what_never_was_good_isolates, copies_go_with_their_files,
	  what_cannot_be_read_removes_nothing, what_cannot_be_looked_at_removes_nothing,
	  of_two_files_with_one_object_the_first_by_name_counts_live_and_after_a_restart,
	  a_folder_that_is_another_one_now_is_followed,
	  a_folder_that_goes_takes_nothing_with_it_and_is_seen_when_it_is_back, a_folder_that_is_not_there_is_told)
