// SPDX-License-Identifier: Apache-2.0
#include "agent/export/flow_log.h"

#include <glob.h>
#include <time.h>

#include "test/unit.h"
#include "test/unit/flows.h"

static const struct flow_node node = { "node-1", 1 };

struct world {
	char dir[64];
	sd_event *event;
	struct flow_store *store;
	struct flow_logs *logs;
};

static int begin(struct world *w, const char *settings, struct err *e)
{
	char text[512];
	json_t *config;
	int r;

	*w = (struct world){ .dir = "/tmp/weir-flow-log-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	ck_assert_int_ge(sd_event_new(&w->event), 0);
	ck_assert_int_eq(flow_store_new(65535, &w->store), 0);
	snprintf(text, sizeof(text), "[{\"path\":\"%s/sub/flows.json\"%s}]", w->dir, settings);
	config = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(config);
	r = flow_logs_new(w->event, config, w->store, &node, &w->logs, e);
	json_decref(config);
	return r;
}

static void end(struct world *w)
{
	char command[256];

	flow_logs_free(w->logs);
	flow_store_free(w->store);
	sd_event_unref(w->event);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	ck_assert_int_eq(system(command), 0);
}

static void add(struct world *w, unsigned n, uint8_t verdict)
{
	for (unsigned i = 0; i < n; i++) {
		struct flow f = new_flow(new_peer(300, "default", "a", NULL), new_peer(301, "default", "b", NULL));

		f.ev.verdict = verdict;
		f.ev.reason = verdict == WEIR_DROPPED ? WEIR_DROP_POLICY : 0;
		f.time_ns = 1700000000000000000ull + i;
		flow_store_add(w->store, &f);
	}
}

/* Until the log has written or lost so many. */
static struct flow_log_stats run(struct world *w, uint64_t n)
{
	struct flow_log_stats s = {};

	for (int i = 0; i < 100 && s.written + s.lost < n; i++) {
		sd_event_run(w->event, 100000);
		ck_assert(flow_logs_stats(w->logs, 0, &s));
	}
	ck_assert_uint_eq(s.written + s.lost, n);
	return s;
}

/* Lines of all files that match, each of which must be a flow of node-1. */
static size_t count_lines(const struct world *w, const char *pattern, size_t *ret_files)
{
	char path[128], line[4096];
	size_t n = 0;
	glob_t g;

	snprintf(path, sizeof(path), "%s/sub/%s", w->dir, pattern);
	*ret_files = glob(path, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
	for (size_t i = 0; i < *ret_files; i++) {
		bool gz = strstr(g.gl_pathv[i], ".gz");
		char command[1024];
		FILE *f;

		snprintf(command, sizeof(command), "%s %s", gz ? "zcat" : "cat", g.gl_pathv[i]);
		f = popen(command, "r");
		for (; fgets(line, sizeof(line), f); n++) {
			json_t *j = json_loads(line, 0, NULL);

			ck_assert_str_eq(json_string_value(json_object_get(j, "node_name")), "node-1");
			ck_assert_ptr_nonnull(json_object_get(j, "flow"));
			json_decref(j);
		}
		ck_assert_int_eq(pclose(f), 0);
	}
	if (*ret_files)
		globfree(&g);
	return n;
}

START_TEST(flows_that_pass_the_filters_are_written)
{
	struct world w;
	struct err e = {};
	size_t files;

	ck_assert_int_eq(begin(&w, ",\"include\":[{\"verdict\":[\"DROPPED\"]}]", &e), 0);
	add(&w, 10, WEIR_FORWARDED);
	add(&w, 7, WEIR_DROPPED);
	ck_assert_uint_eq(run(&w, 7).lost, 0);
	ck_assert_uint_eq(count_lines(&w, "flows.json", &files), 7);
	add(&w, 2, WEIR_DROPPED); /* those that nobody waited for are written at the end */
	flow_logs_free(TAKE_PTR(w.logs));
	ck_assert_uint_eq(count_lines(&w, "flows.json", &files), 9);
	end(&w);
}
END_TEST

START_TEST(files_are_rotated_and_thinned_out)
{
	struct world w;
	struct err e = {};
	size_t files, lines;

	ck_assert_int_eq(begin(&w, ",\"maxSizeMb\":1,\"maxBackups\":2", &e), 0);
	for (int i = 0; i < 5; i++) {
		add(&w, 4000, WEIR_FORWARDED);
		ck_assert_uint_eq(run(&w, 4000 * (i + 1)).lost, 0);
	}
	lines = count_lines(&w, "flows*.json", &files);
	ck_assert_uint_eq(files, 3);
	ck_assert_uint_gt(lines, 4000);
	ck_assert_uint_lt(lines, 20000);
	end(&w);
}
END_TEST

START_TEST(rotated_files_are_compressed)
{
	struct world w;
	struct err e = {};
	size_t files = 0, lines = 0;

	ck_assert_int_eq(begin(&w, ",\"maxSizeMb\":1,\"compress\":true,\"maxBackups\":0", &e), 0);
	add(&w, 10000, WEIR_FORWARDED);
	run(&w, 10000);
	for (int i = 0; i < 100 && (!lines || files); i++) { /* until no rotated file is left uncompressed */
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
		lines = count_lines(&w, "flows-*.gz", &files);
		count_lines(&w, "flows-*.json", &files);
	}
	ck_assert_uint_gt(lines, 1000);
	ck_assert_uint_eq(lines + count_lines(&w, "flows.json", &files), 10000);
	end(&w);
}
END_TEST

START_TEST(a_full_disk_costs_counted_lines)
{
	struct world w = { 0 };
	struct err e = {};
	struct flow_log_stats s;
	json_t *config = json_loads("[{\"path\":\"/dev/full\"}]", 0, NULL);

	strcpy(w.dir, "/tmp/weir-flow-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w.dir));
	ck_assert_int_ge(sd_event_new(&w.event), 0);
	ck_assert_int_eq(flow_store_new(1000, &w.store), 0);
	ck_assert_int_eq(flow_logs_new(w.event, config, w.store, &node, &w.logs, &e), 0);
	json_decref(config);
	add(&w, 30, WEIR_FORWARDED);
	s = run(&w, 30);
	ck_assert_uint_eq(s.written, 0);
	ck_assert_str_eq(s.problem, "/dev/full: cannot write: No space left on device");
	end(&w);
}
END_TEST

START_TEST(what_the_store_lost_is_in_the_log)
{
	struct world w;
	struct err e = {};
	char command[256];

	ck_assert_int_eq(begin(&w, "", &e), 0);
	add(&w, 65535 + 100, WEIR_FORWARDED);
	ck_assert_uint_eq(run(&w, 65635).lost, 100);
	flow_logs_free(TAKE_PTR(w.logs));
	snprintf(command, sizeof(command), "cat %s/sub/flows*.json | grep -q '\"num_events_lost\":\"100\"'", w.dir);
	ck_assert_int_eq(system(command), 0);
	end(&w);
}
END_TEST

static void check_refused(const char *settings, const char *why)
{
	struct world w;
	struct err e = {};

	ck_assert_int_eq(begin(&w, settings, &e), -EINVAL);
	ck_assert_str_eq(e.msg, why);
	end(&w);
}

START_TEST(wrong_settings_are_named)
{
	check_refused(",\"maxSizeMb\":0",
		      "[0]: path must be absolute, maxSizeMb at least 1, maxAgeHours and maxBackups not negative");
	check_refused(",\"size\":1", "[0]: 1 object item(s) left unpacked: size");
	check_refused(",\"include\":[{\"verdict\":[\"LOST\"]}]",
		      "[0]: include: [0]: verdict: [0]: \"LOST\" is no Verdict");
}
END_TEST

UNIT_MAIN(flow_log, flows_that_pass_the_filters_are_written, files_are_rotated_and_thinned_out,
	  rotated_files_are_compressed, a_full_disk_costs_counted_lines, what_the_store_lost_is_in_the_log,
	  wrong_settings_are_named)
