// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* second screen, no cursor, long lines do not wrap */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static struct termios before, during;
static volatile sig_atomic_t is_open;

/* Both are called by signal handlers, too. */
static void leave(void)
{
	ssize_t n;

	if (!is_open)
		return;
	is_open = 0;
	n = write(STDOUT_FILENO, LEAVE, strlen(LEAVE));
	(void)n; /* there is nothing left to try */
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void enter(void)
{
	ssize_t n;

	tcsetattr(STDIN_FILENO, TCSANOW, &during);
	n = write(STDOUT_FILENO, ENTER, strlen(ENTER));
	(void)n;
	is_open = 1;
}

/* The handler is gone when it runs (SA_RESETHAND): the signal does to the process what it always does. */
static void on_end(int sig)
{
	leave();
	raise(sig);
}

static void on_stop(_unused_ int sig)
{
	int saved = errno;

	leave();
	raise(SIGSTOP);
	enter(); /* SIGCONT came */
	errno = saved;
}

static void on_resize(_unused_ int sig)
{
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
}

int screen_open(struct err *reterr)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV };

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return err_set(reterr, -ENOTTY, "this needs a terminal; --batch does not");
	during = before;
	during.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	during.c_cc[VMIN] = 1;
	during.c_cc[VTIME] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		handle(ends[i], on_end, (int)(SA_RESETHAND | SA_NODEFER));
	handle(SIGTSTP, on_stop, 0);
	handle(SIGWINCH, on_resize, 0); /* the wait for flows ends, and the screen is drawn anew */
	atexit(leave);
	enter();
	return 0;
}

void screen_close(void)
{
	leave();
}

void screen_size(unsigned *ret_rows, unsigned *ret_columns)
{
	struct winsize w;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row && w.ws_col;

	*ret_rows = known ? w.ws_row : 24;
	*ret_columns = known ? w.ws_col : 80;
}

/* Bytes of the line's first characters, no more than columns of them. */
static int fitting(const char *line, size_t len, unsigned columns)
{
	size_t n = 0;

	while (n < len) {
		if ((line[n] & 0xc0) != 0x80 && columns-- == 0)
			break;
		n++;
	}
	return (int)n;
}

static void put_lines(FILE *f, const char *text, unsigned bold_from, unsigned bold_to)
{
	unsigned rows, columns;

	screen_size(&rows, &columns);
	fputs("\033[H", f);
	for (unsigned i = 0; i < rows && *text; i++) {
		size_t len = strcspn(text, "\n");
		bool bold = i >= bold_from && i < bold_to;

		fprintf(f, "%s%s%.*s%s\033[K", i ? "\r\n" : "", bold ? "\033[1m" : "", fitting(text, len, columns),
			text, bold ? "\033[0m" : "");
		text += len + (text[len] == '\n');
	}
	fputs("\033[J", f);
}

int screen_draw(const char *text, unsigned bold_from, unsigned bold_to)
{
	_cleanup_free_ char *frame = NULL;
	size_t len;
	FILE *f = open_memstream(&frame, &len);

	if (!f)
		return -ENOMEM;
	put_lines(f, text, bold_from, bold_to);
	if (fclose(f) == EOF)
		return -ENOMEM;
	for (size_t pos = 0; pos < len;) {
		ssize_t n = write(STDOUT_FILENO, frame + pos, len - pos);

		if (n < 0 && errno != EINTR)
			return -errno;
		pos += (size_t)MAX(n, 0);
	}
	return 0;
}

ssize_t screen_keys(char *buf, size_t size)
{
	ssize_t n = read(STDIN_FILENO, buf, size);

	return n < 0 ? -errno : n;
}
