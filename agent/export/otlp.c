// SPDX-License-Identifier: Apache-2.0
#include "agent/export/otlp.h"

#include <sys/epoll.h>
#include <zlib.h>

#include "agent/export/curl_load.h"
#include "agent/export/otlp_build.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/pb.h"
#include "lib/pbjson.h"

#define PERIOD_US 1000000 /* a batch waits at most so long */
#define BATCH_MAX 512     /* spans or records */
#define SCAN_MAX 8192     /* flows looked at for one batch, in one go */
#define BACKOFF_MIN_US 1000000ull
#define BACKOFF_MAX_US 30000000ull
#define GIVE_UP_NS (300 * 1000000000ull)
#define RETRY_AFTER_MAX_US (120 * 1000000ull)
#define ANSWER_MAX (64 * 1024)

static const struct curl_functions *curl; /* from the first otlp_new() on */

static const struct {
	const char *name; /* in the log and the path */
	const char *rejected;
	const ProtobufCMessageDescriptor *request;
} signals[OTLP_SIGNALS] = {
	[OTLP_TRACES] = { "traces", "rejectedSpans", &otlp__traces_request__descriptor },
	[OTLP_LOGS] = { "logs", "rejectedLogRecords", &otlp__logs_request__descriptor },
	[OTLP_METRICS] = { "metrics", "rejectedDataPoints", &otlp__metrics_request__descriptor },
};

/* One signal: a position in the store (metrics have none), and one request at a time. */
struct stream {
	struct otlp *otlp;
	enum otlp_signal signal;
	bool on;
	char *url;
	struct flow_cursor cursor;
	sd_event_source *timer;
	CURL *easy;
	bool busy;     /* the request is on its way */
	uint8_t *body; /* what is on its way or waits for its next try */
	size_t body_len;
	uint64_t count; /* spans, records, data points in it */
	uint64_t first_try_ns, backoff_us;
	uint8_t *answer;
	size_t answer_len;
	uint64_t sent, dropped, retries;
	char problem[256];
	char curl_error[CURL_ERROR_SIZE];
};

struct otlp {
	sd_event *event;
	struct flow_store *store;
	const struct flow_node *node;
	struct registry *metrics;
	uint64_t interval_us; /* of metrics */
	char *ca, *cert, *key;
	long timeout_sec;
	bool gzip, json;
	struct curl_slist *headers;
	CURLM *multi;
	sd_event_source *multi_timer;
	struct stream stream[OTLP_SIGNALS];
};

static void arm(sd_event_source *timer, uint64_t usec)
{
	sd_event_source_set_time_relative(timer, usec);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void set_problem(struct stream *s, const char *text)
{
	if (!streq(s->problem, text)) /* once for each */
		log_warn("OTLP %s to %s: %s", signals[s->signal].name, s->url, text);
	snprintf(s->problem, sizeof(s->problem), "%s", text);
}

/* ---- batches */

static int add_flow(struct stream *s, void *req, const struct flow *f)
{
	return s->signal == OTLP_TRACES ? otlp_add_span(req, s->otlp->node, f) : otlp_add_log(req, s->otlp->node, f);
}

/* Spans, records, data points, or -ENOMEM. */
static int gather(struct stream *s, void *req)
{
	uint64_t now = clock_ns(CLOCK_REALTIME);
	int n = 0;

	if (s->signal == OTLP_METRICS)
		return otlp_add_metrics(req, s->otlp->node, s->otlp->metrics, now);
	for (int scanned = 0; scanned < SCAN_MAX && n < BATCH_MAX; scanned++) {
		struct flow_item item = flow_cursor_read(s->otlp->store, &s->cursor, now, false);
		int r;

		if (item.kind == FLOW_ITEM_NONE)
			break;
		if (item.kind == FLOW_ITEM_LOST) {
			s->dropped += item.lost.kind == FLOW_LOSS_STORE ? item.lost.count : 0;
			continue;
		}
		r = add_flow(s, req, item.flow);
		if (r < 0)
			return r;
		n += r;
	}
	return n;
}

static int compress_body(struct stream *s)
{
	z_stream z = { 0 };
	uint8_t *out;
	size_t room;
	int r;

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	room = deflateBound(&z, s->body_len);
	out = malloc(room);
	z.next_in = s->body;
	z.avail_in = (unsigned)s->body_len;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	r = out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	deflateEnd(&z);
	if (r != Z_STREAM_END) {
		free(out);
		return -ENOMEM;
	}
	free(s->body);
	s->body = out;
	s->body_len = z.total_out;
	return 0;
}

static int encode(struct stream *s, const ProtobufCMessage *req)
{
	FILE *f;

	if (!s->otlp->json) {
		s->body_len = protobuf_c_message_get_packed_size(req);
		s->body = malloc(s->body_len);
		if (s->body)
			protobuf_c_message_pack(req, s->body);
		return s->body ? 0 : -ENOMEM;
	}
	f = open_memstream((char **)&s->body, &s->body_len);
	if (!f)
		return -ENOMEM;
	pbjson_write_otlp(f, req);
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

/* The next batch as bytes in s->body; its count, 0: there is nothing to send, -ENOMEM: what it had is dropped. */
static int make_body(struct stream *s)
{
	ProtobufCMessage *req = pb_new(signals[s->signal].request);
	int n = req ? gather(s, req) : -ENOMEM;

	if (n > 0 && (encode(s, req) < 0 || (s->otlp->gzip && compress_body(s) < 0)))
		n = -ENOMEM;
	if (req)
		protobuf_c_message_free_unpacked(req, NULL);
	return n;
}

/* ---- one request */

static void drop_body(struct stream *s)
{
	free(TAKE_PTR(s->body));
	s->body_len = 0;
	s->count = 0;
}

static void submit(struct stream *s)
{
	curl->easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->body);
	curl->easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body_len);
	s->answer_len = 0;
	s->curl_error[0] = '\0';
	s->busy = curl->multi_add_handle(s->otlp->multi, s->easy) == CURLM_OK;
	if (!s->busy)
		arm(s->timer, BACKOFF_MAX_US);
}

/* Until there is something new to say. */
static void pause_stream(struct stream *s)
{
	arm(s->timer, s->signal == OTLP_METRICS ? s->otlp->interval_us : PERIOD_US);
}

static void next_batch(struct stream *s)
{
	int n = make_body(s);

	if (n > 0) {
		s->count = (uint64_t)n;
		s->first_try_ns = clock_ns(CLOCK_MONOTONIC);
		s->backoff_us = BACKOFF_MIN_US;
		submit(s);
		return;
	}
	if (n < 0) {
		drop_body(s);
		set_problem(s, "out of memory: a batch is dropped");
		s->dropped++;
	}
	pause_stream(s);
}

/* A batch's turn, or that of one that did not arrive. */
static int on_time(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct stream *s = userdata;

	if (s->body)
		submit(s);
	else
		next_batch(s);
	return 0;
}

static void give_up(struct stream *s)
{
	s->dropped += s->count;
	drop_body(s);
	pause_stream(s);
}

static void retry(struct stream *s)
{
	curl_off_t after = 0;
	uint64_t wait = s->backoff_us;

	if (clock_ns(CLOCK_MONOTONIC) - s->first_try_ns > GIVE_UP_NS) {
		give_up(s);
		return;
	}
	curl->easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &after);
	if (after > 0)
		wait = MIN((uint64_t)after * 1000000, RETRY_AFTER_MAX_US);
	s->backoff_us = MIN(s->backoff_us * 2, BACKOFF_MAX_US);
	s->retries++;
	arm(s->timer, wait);
}

struct partial {
	uint64_t rejected;
	char message[120];
};

static void read_answer(const struct stream *s, struct partial *ret)
{
	Otlp__ExportResponse *r = otlp__export_response__unpack(NULL, s->answer_len, s->answer);

	if (r && r->partial_success) {
		ret->rejected = (uint64_t)MAX(r->partial_success->rejected, 0);
		snprintf(ret->message, sizeof(ret->message), "%s", r->partial_success->error_message);
	}
	if (r)
		otlp__export_response__free_unpacked(r, NULL);
}

static void read_json_answer(const struct stream *s, struct partial *ret)
{
	json_t *root = json_loadb((const char *)s->answer, s->answer_len, 0, NULL);
	const json_t *p = json_object_get(root, "partialSuccess");
	const json_t *n = json_object_get(p, signals[s->signal].rejected);
	const char *message = json_string_value(json_object_get(p, "errorMessage"));
	long long rejected = json_is_string(n) ? atoll(json_string_value(n)) : json_integer_value(n);

	ret->rejected = (uint64_t)MAX(rejected, 0);
	snprintf(ret->message, sizeof(ret->message), "%s", message ?: "");
	json_decref(root);
}

/* The collector may have taken a part only; it says so in a good answer. */
static void accepted(struct stream *s)
{
	struct partial p = { 0 };
	char text[256];

	if (s->otlp->json)
		read_json_answer(s, &p);
	else
		read_answer(s, &p);
	if (p.rejected) {
		snprintf(text, sizeof(text), "the collector rejected some: %s", p.message);
		set_problem(s, text);
	} else {
		s->problem[0] = '\0';
	}
	p.rejected = MIN(p.rejected, s->count);
	s->dropped += p.rejected;
	s->sent += s->count - p.rejected;
	drop_body(s);
	if (s->signal == OTLP_METRICS)
		pause_stream(s);
	else
		next_batch(s);
}

static void finished(struct stream *s, CURLcode result)
{
	char text[256];
	long status = 0;

	s->busy = false;
	curl->easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK && status >= 200 && status < 300) {
		accepted(s);
		return;
	}
	if (result == CURLE_OK)
		snprintf(text, sizeof(text), "HTTP status %ld", status);
	else
		snprintf(text, sizeof(text), "%s", *s->curl_error ? s->curl_error : curl->easy_strerror(result));
	set_problem(s, text);
	if (result != CURLE_OK || status == 429 || status == 502 || status == 503 || status == 504)
		retry(s);
	else
		give_up(s);
}

/* ---- libcurl on the event loop */

static void collect_finished(struct otlp *o)
{
	struct CURLMsg *msg;
	int left;

	while ((msg = curl->multi_info_read(o->multi, &left))) {
		CURLcode result = msg->data.result;
		struct stream *s;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl->easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&s);
		curl->multi_remove_handle(o->multi, s->easy);
		finished(s, result);
	}
}

static int on_socket(_unused_ sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct otlp *o = userdata;
	int action = (revents & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
		     (revents & EPOLLOUT ? CURL_CSELECT_OUT : 0) | (revents & EPOLLERR ? CURL_CSELECT_ERR : 0);
	int running;

	curl->multi_socket_action(o->multi, fd, action, &running);
	collect_finished(o);
	return 0;
}

static int on_multi_time(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct otlp *o = userdata;
	int running;

	curl->multi_socket_action(o->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_finished(o);
	return 0;
}

static int set_timer(_unused_ CURLM *multi, long ms, void *userdata)
{
	struct otlp *o = userdata;

	if (ms < 0)
		sd_event_source_set_enabled(o->multi_timer, SD_EVENT_OFF);
	else
		arm(o->multi_timer, (uint64_t)ms * 1000);
	return 0;
}

static int watch_socket(_unused_ CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp)
{
	struct otlp *o = userdata;
	sd_event_source *source = socketp;
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(o->event, &source, fd, events, on_socket, o) < 0)
		return -1;
	curl->multi_assign(o->multi, fd, source);
	return 0;
}

static size_t on_answer(char *data, size_t size, size_t n, void *userdata)
{
	struct stream *s = userdata;
	size_t len = size * n;

	if (s->answer_len + len > ANSWER_MAX)
		return 0; /* libcurl ends the request: CURLE_WRITE_ERROR */
	memcpy(s->answer + s->answer_len, data, len);
	s->answer_len += len;
	return len;
}

/* ---- configuration */

static int copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int add_header(struct otlp *o, const char *header)
{
	struct curl_slist *l = curl->slist_append(o->headers, header);

	if (!l)
		return -ENOMEM;
	o->headers = l;
	return 0;
}

static int read_headers(struct otlp *o, const json_t *headers, struct err *reterr)
{
	const char *key;
	json_t *value;
	char line[1024];

	if (headers && !json_is_object(headers))
		return err_set(reterr, -EINVAL, "headers: must be an object");
	json_object_foreach ((json_t *)headers, key, value) {
		if (!json_is_string(value) || strpbrk(key, ":\r\n") || strpbrk(json_string_value(value), "\r\n"))
			return err_set(reterr, -EINVAL, "headers: %s: must be a string on one line", key);
		snprintf(line, sizeof(line), "%s: %s", key, json_string_value(value));
		if (add_header(o, line) < 0)
			return err_oom(reterr);
	}
	if (add_header(o, o->json ? "Content-Type: application/json" : "Content-Type: application/x-protobuf") < 0 ||
	    add_header(o, "Expect:") < 0 || (o->gzip && add_header(o, "Content-Encoding: gzip") < 0))
		return err_oom(reterr);
	return 0;
}

static int read_config(struct otlp *o, const json_t *config, struct err *reterr)
{
	int gzip = 1, timeout = 10, traces = 1, logs = 1, metrics = 0, interval = 60;
	const char *endpoint = NULL, *encoding = "protobuf", *ca = NULL, *cert = NULL, *key = NULL;
	json_t *headers = NULL;
	json_error_t je;
	size_t len;

	if (json_unpack_ex((json_t *)config, &je, JSON_STRICT,
			   "{s:s, s?s, s?o, s?b, s?i, s?s, s?s, s?s, s?b, s?b, s?b, s?i}", "endpoint", &endpoint,
			   "encoding", &encoding, "headers", &headers, "gzip", &gzip, "timeoutSec", &timeout, "caFile",
			   &ca, "certFile", &cert, "keyFile", &key, "traces", &traces, "logs", &logs, "metrics",
			   &metrics, "metricsIntervalSec", &interval) < 0)
		return err_set(reterr, -EINVAL, "%s", je.text);
	if (!str_prefix(endpoint, "http://") && !str_prefix(endpoint, "https://"))
		return err_set(reterr, -EINVAL, "endpoint: \"%s\" is no http:// or https:// address", endpoint);
	if (!streq(encoding, "protobuf") && !streq(encoding, "json"))
		return err_set(reterr, -EINVAL, "encoding: \"%s\" is neither protobuf nor json", encoding);
	if (timeout < 1 || timeout > 300)
		return err_set(reterr, -EINVAL, "timeoutSec: 1 to 300");
	if (interval < 1 || interval > 3600)
		return err_set(reterr, -EINVAL, "metricsIntervalSec: 1 to 3600");
	o->gzip = gzip;
	o->interval_us = (uint64_t)interval * 1000000;
	o->json = streq(encoding, "json");
	o->timeout_sec = timeout;
	o->stream[OTLP_TRACES].on = traces;
	o->stream[OTLP_LOGS].on = logs;
	o->stream[OTLP_METRICS].on = metrics && o->metrics;
	for (len = strlen(endpoint); len && endpoint[len - 1] == '/'; len--)
		;
	for (size_t i = 0; i < OTLP_SIGNALS; i++)
		if (asprintf(&o->stream[i].url, "%.*s/v1/%s", (int)len, endpoint, signals[i].name) < 0)
			return err_oom(reterr);
	if (copy(&o->ca, ca) < 0 || copy(&o->cert, cert) < 0 || copy(&o->key, key) < 0)
		return err_oom(reterr);
	return read_headers(o, headers, reterr);
}

static int start_stream(struct stream *s, struct err *reterr)
{
	struct otlp *o = s->otlp;

	s->easy = curl->easy_init();
	s->answer = malloc(ANSWER_MAX);
	if (!s->easy || !s->answer)
		return err_oom(reterr);
	curl->easy_setopt(s->easy, CURLOPT_URL, s->url);
	curl->easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(s->easy, CURLOPT_TIMEOUT, o->timeout_sec);
	curl->easy_setopt(s->easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
	curl->easy_setopt(s->easy, CURLOPT_HTTPHEADER, o->headers);
	curl->easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl->easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
	curl->easy_setopt(s->easy, CURLOPT_PRIVATE, s);
	curl->easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->curl_error);
	if (o->ca)
		curl->easy_setopt(s->easy, CURLOPT_CAINFO, o->ca);
	if (o->cert)
		curl->easy_setopt(s->easy, CURLOPT_SSLCERT, o->cert);
	if (o->key)
		curl->easy_setopt(s->easy, CURLOPT_SSLKEY, o->key);
	s->cursor = flow_cursor_at(o->store, flow_store_next(o->store), clock_ns(CLOCK_REALTIME));
	if (sd_event_add_time_relative(o->event, &s->timer, CLOCK_MONOTONIC, PERIOD_US, 0, on_time, s) < 0)
		return err_oom(reterr);
	return 0;
}

int otlp_new(sd_event *event, const json_t *config, struct flow_store *store, const struct flow_node *node,
	     struct registry *metrics, struct otlp **ret_otlp, struct err *reterr)
{
	_cleanup_(otlp_freep) struct otlp *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return err_oom(reterr);
	r = curl_load(&curl, reterr);
	if (r < 0)
		return r;
	o->event = event;
	o->store = store;
	o->node = node;
	o->metrics = metrics;
	for (size_t i = 0; i < OTLP_SIGNALS; i++) {
		o->stream[i].otlp = o;
		o->stream[i].signal = i;
	}
	r = read_config(o, config, reterr);
	if (r < 0)
		return r;
	o->multi = curl->multi_init();
	if (!o->multi ||
	    sd_event_add_time_relative(event, &o->multi_timer, CLOCK_MONOTONIC, 0, 0, on_multi_time, o) < 0)
		return err_oom(reterr);
	sd_event_source_set_enabled(o->multi_timer, SD_EVENT_OFF);
	curl->multi_setopt(o->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl->multi_setopt(o->multi, CURLMOPT_SOCKETDATA, o);
	curl->multi_setopt(o->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl->multi_setopt(o->multi, CURLMOPT_TIMERDATA, o);
	for (size_t i = 0; i < OTLP_SIGNALS; i++) {
		r = o->stream[i].on ? start_stream(&o->stream[i], reterr) : 0;
		if (r < 0)
			return r;
	}
	*ret_otlp = TAKE_PTR(o);
	return 0;
}

void otlp_free(struct otlp *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < OTLP_SIGNALS; i++) {
		struct stream *s = &o->stream[i];

		if (s->busy)
			curl->multi_remove_handle(o->multi, s->easy);
		if (s->easy)
			curl->easy_cleanup(s->easy);
		sd_event_source_disable_unref(s->timer);
		free(s->body);
		free(s->answer);
		free(s->url);
	}
	if (o->multi)
		curl->multi_cleanup(o->multi); /* closes what it kept, and says so to watch_socket */
	sd_event_source_disable_unref(o->multi_timer);
	if (o->headers)
		curl->slist_free_all(o->headers);
	free(o->ca);
	free(o->cert);
	free(o->key);
	free(o);
}

bool otlp_wants_metrics(const json_t *config)
{
	return json_is_true(json_object_get(config, "metrics"));
}

bool otlp_stats(const struct otlp *o, enum otlp_signal signal, struct otlp_stats *ret)
{
	const struct stream *s;

	if (!o || !o->stream[signal].on)
		return false;
	s = &o->stream[signal];
	*ret = (struct otlp_stats){ s->sent, s->dropped, s->retries, s->problem[0] ? s->problem : NULL };
	return true;
}
