// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/worker.h"

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <pthread.h>

#include "agent/feed.h"
#include "agent/l7/cards.h"
#include "agent/l7/track.h"
#include "lib/clock.h"

#define TICK_NS 1000000000ull

struct l7_worker {
	struct l7_worker_params params;
	struct feed *feed; /* of packed records */
	struct track *track;
	struct cards *cards;
	uint64_t ticked_ns;
	struct l7_worker_stats stats; /* the thread's own */
	pthread_mutex_t lock;
	struct l7_worker_stats shown; /* under the lock */
};

static const struct l7_proto *proto_of(enum weir_l7 l7, uint8_t ipproto)
{
	switch (l7) {
	case WEIR_L7_HTTP1:
		return &l7_http1;
	case WEIR_L7_HTTP2:
		return &l7_http2;
	case WEIR_L7_TLS:
		return &l7_tls;
	case WEIR_L7_DNS:
		return ipproto == IPPROTO_UDP ? &l7_dns_udp : &l7_dns_tcp;
	default:
		return NULL;
	}
}

static void on_emit(void *userdata, struct l7_record *r)
{
	struct l7_worker *w = userdata;
	void *to;

	cards_apply(w->cards, r);
	to = feed_reserve(w->feed, l7_record_packed_size(r));
	if (to) {
		l7_record_pack(r, to);
		feed_commit(w->feed);
		w->stats.records[r->kind]++;
	} else {
		w->stats.records_lost++;
	}
	l7_record_free(r);
}

/* Nothing depends on it but how much is copied. */
static void on_wish(void *userdata, const struct weir_ct_key *key, const struct weir_l7_want *want)
{
	const struct l7_worker *w = userdata;

	if (want)
		bpf_map_update_elem(w->params.want_fd, key, want, BPF_ANY);
	else
		bpf_map_delete_elem(w->params.want_fd, key);
}

static void on_excerpt(_unused_ struct feed *f, const struct ring_record *rec, void *userdata)
{
	struct l7_worker *w = userdata;
	const struct weir_l7_excerpt *x = (const void *)rec->data;

	if (rec->len < sizeof(*x) || x->len > rec->len - sizeof(*x) || x->len > WEIR_L7_LARGE || x->total < x->len)
		return;
	w->stats.excerpts++;
	w->stats.bytes += x->len;
	track_excerpt(w->track, x, rec->data + sizeof(*x));
}

static void show_stats(struct l7_worker *w)
{
	struct track_stats t = track_stats(w->track);

	w->stats.gaps = t.gaps;
	w->stats.gap_bytes = t.gap_bytes;
	w->stats.connections = t.connections;
	w->stats.evicted = t.evicted;
	w->stats.memory = t.memory;
	pthread_mutex_lock(&w->lock);
	w->shown = w->stats;
	pthread_mutex_unlock(&w->lock);
}

static void on_pause(_unused_ struct feed *f, void *userdata)
{
	struct l7_worker *w = userdata;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - w->ticked_ns >= TICK_NS) {
		w->ticked_ns = now;
		track_tick(w->track, now);
	}
	show_stats(w);
}

/* Those of an earlier agent: nobody would take them back. */
static void forget_wishes(int fd)
{
	struct weir_ct_key key;

	while (bpf_map_get_next_key(fd, NULL, &key) == 0 && bpf_map_delete_elem(fd, &key) == 0)
		;
}

void l7_worker_stop(struct l7_worker *w)
{
	if (w->feed)
		feed_end(w->feed);
	if (w->track)
		track_free(w->track);
	if (w->cards)
		cards_free(w->cards);
	if (w->feed)
		feed_free(w->feed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int l7_worker_start(const struct l7_worker_params *p, struct l7_worker **ret_w, struct err *reterr)
{
	_cleanup_(l7_worker_stopp) struct l7_worker *w = calloc(1, sizeof(*w));
	struct track_params tracking;
	int r;

	if (!w)
		return err_oom(reterr);
	pthread_mutex_init(&w->lock, NULL);
	w->params = *p;
	tracking = (struct track_params){
		.settings = &w->params.settings,
		.memory_max = p->memory_max,
		.connections_max = p->connections_max,
		.userdata = w,
		.proto = proto_of,
		.emit = on_emit,
		.wish = on_wish,
	};
	w->track = track_new(&tracking);
	w->cards = cards_new();
	if (!w->track || !w->cards)
		return err_oom(reterr);
	r = feed_new(&(struct feed_params){ .ring_fds = p->ring_fds,
					    .n_rings = p->n_rings,
					    .userdata = w,
					    .record = on_excerpt,
					    .pause = on_pause },
		     &w->feed, reterr);
	if (r < 0)
		return r;
	forget_wishes(p->want_fd);
	r = feed_start(w->feed, reterr);
	if (r < 0)
		return r;
	*ret_w = TAKE_PTR(w);
	return 0;
}

int l7_worker_fd(const struct l7_worker *w)
{
	return feed_fd(w->feed);
}

void l7_worker_take(struct l7_worker *w, size_t max, void (*take)(const void *record, void *userdata), void *userdata)
{
	feed_take(w->feed, max, take, userdata);
}

void l7_worker_stats(struct l7_worker *w, struct l7_worker_stats *ret)
{
	pthread_mutex_lock(&w->lock);
	*ret = w->shown;
	pthread_mutex_unlock(&w->lock);
}
