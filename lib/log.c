// SPDX-License-Identifier: Apache-2.0
#include "lib/log.h"

#include <stdarg.h>
#include <time.h>

static enum log_level max_level = LOG_LEVEL_INFO;
static bool as_json;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};
static const int level_prio[] = { 3, 4, 6, 7 }; /* syslog's numbers, which systemd reads as <n> */

int log_level_from_str(const char *s, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (streq(s, level_names[i])) {
			*ret_level = i;
			return 0;
		}
	return -EINVAL;
}

void log_setup(enum log_level level, bool json)
{
	max_level = level;
	as_json = json;
}

static void put_json(FILE *f, const char *s)
{
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
}

static void put_text(FILE *f, const char *s)
{
	for (; *s; s++) /* one message stays one line, and cannot move the terminal's cursor */
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s, f);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char msg[2048];
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	flockfile(stderr);
	if (as_json) {
		struct timespec ts;
		struct tm tm;
		char when[32];

		clock_gettime(CLOCK_REALTIME, &ts);
		gmtime_r(&ts.tv_sec, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
		fprintf(stderr, "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"msg\":\"", when, ts.tv_nsec / 1000,
			level_names[level]);
		put_json(stderr, msg);
		fputs("\"}\n", stderr);
	} else {
		if (getenv("JOURNAL_STREAM"))
			fprintf(stderr, "<%d>", level_prio[level]);
		fprintf(stderr, "%s: ", level_names[level]);
		put_text(stderr, msg);
		fputc('\n', stderr);
	}
	fflush(stderr);
	funlockfile(stderr);
	errno = saved;
}
