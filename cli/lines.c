// SPDX-License-Identifier: Apache-2.0
#include "cli/lines.h"

#include <fcntl.h>
#include <zlib.h>

#define CHUNK 65536
#define GZIP_ANY (MAX_WBITS + 16)

struct lines {
	int fd; /* -1: stdin, which is not ours to close */
	int (*on_wait)(void *userdata);
	void *userdata;
	bool begun, inflating, ended;
	bool in_member; /* of the compressed stream */
	z_stream z;
	uint8_t in[CHUNK], out[CHUNK];
	const uint8_t *pos; /* plain bytes that are not yet taken */
	size_t left;
	char *line;
	size_t len, size;
	uint64_t number;
};

int lines_open(const char *path, int (*on_wait)(void *userdata), void *userdata, struct lines **ret_lines,
	       struct err *reterr)
{
	_cleanup_(lines_closep) struct lines *l = calloc(1, sizeof(*l));

	if (!l)
		return err_oom(reterr);
	l->fd = -1;
	if (!streq(path, "-")) {
		l->fd = open(path, O_RDONLY | O_CLOEXEC);
		if (l->fd < 0)
			return err_set(reterr, -errno, "cannot open %s: %m", path);
	}
	l->on_wait = on_wait;
	l->userdata = userdata;
	*ret_lines = TAKE_PTR(l);
	return 0;
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	if (l->inflating)
		inflateEnd(&l->z);
	close_fd(l->fd);
	free(l->line);
	free(l);
}

uint64_t lines_number(const struct lines *l)
{
	return l->number;
}

/* Bytes of the file into in[from…]: 0 at its end. */
static ssize_t read_more(struct lines *l, size_t from, struct err *reterr)
{
	int r = l->on_wait ? l->on_wait(l->userdata) : 0;
	ssize_t n;

	if (r < 0)
		return r;
	do
		n = read(l->fd < 0 ? STDIN_FILENO : l->fd, l->in + from, sizeof(l->in) - from);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_set(reterr, -errno, "cannot read: %m") : n;
}

/* The first two bytes tell whether the file is compressed. */
static int begin(struct lines *l, struct err *reterr)
{
	size_t have = 0;

	while (have < 2) {
		ssize_t n = read_more(l, have, reterr);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	l->begun = true;
	if (have < 2 || l->in[0] != 0x1f || l->in[1] != 0x8b) {
		l->pos = l->in;
		l->left = have;
		l->ended = have < 2;
		return 0;
	}
	if (inflateInit2(&l->z, GZIP_ANY) != Z_OK)
		return err_oom(reterr);
	l->inflating = true;
	l->z.next_in = l->in;
	l->z.avail_in = (unsigned)have;
	return 0;
}

/* Files that were compressed one by one and joined are one stream of several members. */
static int inflate_some(struct lines *l, struct err *reterr)
{
	int r;

	if (!l->in_member && inflateReset(&l->z) != Z_OK)
		return err_set(reterr, -EBADMSG, "cannot decompress");
	l->in_member = true;
	l->z.next_out = l->out;
	l->z.avail_out = sizeof(l->out);
	r = inflate(&l->z, Z_NO_FLUSH);
	if (r == Z_STREAM_END)
		l->in_member = false;
	else if (r != Z_OK && r != Z_BUF_ERROR)
		return err_set(reterr, -EBADMSG, "cannot decompress: %s", l->z.msg ?: "the data is damaged");
	l->pos = l->out;
	l->left = sizeof(l->out) - l->z.avail_out;
	return 0;
}

/* Plain bytes at pos; left 0 with ended: there are no more. */
static int fill(struct lines *l, struct err *reterr)
{
	ssize_t n;

	if (!l->begun)
		return begin(l, reterr);
	if (l->inflating && l->z.avail_in)
		return inflate_some(l, reterr);
	n = read_more(l, 0, reterr);
	if (n < 0)
		return (int)n;
	l->ended = n == 0;
	if (l->ended && l->in_member)
		return err_set(reterr, -EBADMSG, "the compressed file is cut off");
	if (l->inflating) {
		l->z.next_in = l->in;
		l->z.avail_in = (unsigned)n;
	} else {
		l->pos = l->in;
		l->left = (size_t)n;
	}
	return 0;
}

/* With room for a NUL behind it. */
static int append(struct lines *l, const uint8_t *data, size_t len)
{
	if (l->len + len + 1 > l->size) {
		size_t want = MAX(l->len + len + 1, 2 * l->size);
		char *p = realloc(l->line, want);

		if (!p)
			return -ENOMEM;
		l->line = p;
		l->size = want;
	}
	memcpy(l->line + l->len, data, len);
	l->len += len;
	l->line[l->len] = '\0';
	return 0;
}

int lines_next(struct lines *l, const char **ret_line, size_t *ret_len, struct err *reterr)
{
	bool complete = false, long_one = false, any = false;

	l->len = 0;
	while (!complete) {
		const uint8_t *end;
		size_t n;
		int r = l->left || l->ended ? 0 : fill(l, reterr);

		if (r < 0)
			return r;
		if (!l->left && !l->ended)
			continue;
		if (!l->left)
			break;
		end = memchr(l->pos, '\n', l->left);
		n = end ? (size_t)(end - l->pos) : l->left;
		long_one |= l->len + n > LINES_MAX;
		if (!long_one && append(l, l->pos, n) < 0)
			return err_oom(reterr);
		any = true;
		complete = end;
		l->pos += n + complete;
		l->left -= n + complete;
	}
	if (!any)
		return 0;
	l->number++;
	if (long_one)
		return err_set(reterr, -E2BIG, "the line is longer than %d bytes", LINES_MAX);
	*ret_line = l->line;
	*ret_len = l->len;
	return 1;
}
