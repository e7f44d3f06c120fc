// SPDX-License-Identifier: Apache-2.0
/* Calls of gRPC and gRPC-Web. */
#include "agent/l7/grpc.h"
#include "test/unit/app_world.h"

START_TEST(grpc_calls)
{
	struct http_header type = { "content-type", "application/grpc", 12, 16 },
			   trailer[] = { { "grpc-status", "5", 11, 1 },
					 { "grpc-message", "Task%20not%20found", 12, 18 } };
	struct http_head req = { .method = "POST",
				 .target = "/lf.a2a.v1.A2AService/GetTask",
				 .authority = "a",
				 .major = 2,
				 .headers = &type,
				 .n_headers = 1 };
	struct http_head ok = { .status = 200, .headers = &type, .n_headers = 1 },
			 end_ = { .headers = trailer, .n_headers = 2 };
	static const uint8_t messages[] = { 0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'c' };
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		x = http_app_request(w.app, &req, ++w.now);
		http_app_done(x, 0, true, ++w.now);
		http_app_answer(x, &ok, ++w.now);
		for (size_t i = 0; i < sizeof(messages); i += split_ + 1)
			http_app_body(x, 1, messages + i, MIN(split_ + 1, sizeof(messages) - i), ++w.now);
		http_app_trailers(x, 1, &end_, ++w.now);
		http_app_done(x, 1, true, ++w.now);
		http_app_close(x, 0, NULL, ++w.now);
		check(&w, 0, L7_A2A, L7_ERROR,
		      "rpc.system.name=grpc rpc.method=lf.a2a.v1.A2AService/GetTask rpc.status_code=NOT_FOUND "
		      "error.type=NOT_FOUND a2a.method.name=GetTask a2a.protocol.version=1.0 weir.stream.events=3");
		ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_RPC_MESSAGE), "Task not found");
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(a_hole_in_a_grpc_body)
{
	static const uint8_t head[] = { 0, 0, 0, 1, 0 }, next[] = { 0, 0, 0, 0, 1, 'x' };
	struct grpc_stream s = {};

	grpc_stream_feed(&s, head, sizeof(head));
	grpc_stream_gap(&s, 256); /* just the message */
	grpc_stream_feed(&s, next, sizeof(next));
	ck_assert_uint_eq(s.messages, 2);
	grpc_stream_gap(&s, 1);
	grpc_stream_feed(&s, next, sizeof(next));
	ck_assert_uint_eq(s.messages, 2);
	ck_assert(s.lost);
	grpc_stream_done(&s);
}
END_TEST

static void grpc_call(struct world *w, const char *head, int status, const char *answer_head, const char *data,
		      size_t len, bool complete)
{
	struct http_exchange *x = ask(w, "POST", "/p.S/M", head, NULL);
	struct http_header list[8];
	struct http_head h = { .status = status, .major = 2, .headers = list };
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", answer_head);
	h.n_headers = headers(copy, list);
	if (!complete)
		http_app_left(x);
	w->now += 5000000;
	if (status)
		http_app_answer(x, &h, ++w->now);
	for (size_t i = 0; i < len; i += w->split ?: len)
		http_app_body(x, 1, (const uint8_t *)data + i, MIN(w->split ?: len, len - i), ++w->now);
	http_app_done(x, 1, complete, ++w->now);
	http_app_close(x, 0, NULL, ++w->now);
}

START_TEST(grpc_calls_without_a_status)
{
#define WEB "content-type: application/grpc-web+proto"
	static const char trailers[] = "\0\0\0\0\1x\x80\0\0\0\x27grpc-status: 5\r\nGrpc-Message:not%20here";
	struct world w;

	for_each_split(&w)
	{
		grpc_call(&w, GRPC, 503, "content-type: text/html", NULL, 0, true);
		grpc_call(&w, GRPC, 404, "content-type: text/html", NULL, 0, true);
		grpc_call(&w, GRPC, 200, GRPC, NULL, 0, true);
		grpc_call(&w, GRPC, 200, GRPC, NULL, 0, false);
		grpc_call(&w, GRPC "\ngrpc-timeout: 5m", 0, "", NULL, 0, false);
		grpc_call(&w, GRPC "\ngrpc-timeout: 10S", 0, "", NULL, 0, false);
		grpc_call(&w, GRPC, 200, GRPC "\ngrpc-status: 99", NULL, 0, true);
		grpc_call(&w, WEB, 200, WEB, trailers, sizeof(trailers) - 1, true);
		check(&w, 0, L7_GRPC, L7_ERROR,
		      "rpc.status_code=UNAVAILABLE error.type=UNAVAILABLE http.response.status_code=503");
		check(&w, 1, L7_GRPC, L7_ERROR, "rpc.status_code=UNIMPLEMENTED");
		check(&w, 2, L7_GRPC, L7_ERROR, "rpc.status_code=UNKNOWN");
		check(&w, 3, L7_GRPC, L7_CANCELLED, "rpc.status_code=");
		check(&w, 4, L7_GRPC, L7_ERROR, "rpc.status_code=DEADLINE_EXCEEDED weir.rpc.timeout_ms=5");
		check(&w, 5, L7_GRPC, L7_CANCELLED, "rpc.status_code= weir.rpc.timeout_ms=10000");
		check(&w, 6, L7_GRPC, L7_ERROR, "rpc.status_code=99 error.type=99");
		check(&w, 7, L7_GRPC, L7_ERROR, "rpc.status_code=NOT_FOUND weir.stream.events=1");
		ck_assert_str_eq(l7_record_get(w.got[7], L7_KEY_RPC_MESSAGE), "not here");
		ck_assert_uint_eq(w.n, 8);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(compressed_messages_of_grpc_are_not_read)
{
	static const char message[] = "\1\0\0\0\3abc";
	struct http_exchange *x;
	struct world w;

	for (int a2a = 0; a2a < 2; a2a++) {
		begin(&w, 0);
		x = ask(&w, "POST", a2a ? "/lf.a2a.v1.A2AService/GetTask" : "/p.S/M", GRPC, NULL);
		http_app_body(x, 0, (const uint8_t *)message, sizeof(message) - 1, ++w.now);
		answer(&w, x, 200, GRPC "\ngrpc-status: 0", NULL, true);
		ck_assert_uint_eq(w.n, 1);
		ck_assert_int_eq(w.got[0]->outcome, L7_OK);
		ck_assert(!!(w.got[0]->flags & L7_PARTIAL) == a2a); /* nothing in others would be looked at */
		ck_assert(!!l7_record_get(w.got[0], L7_KEY_REASON) == a2a);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(grpc_web_as_text)
{
#define TEXT "content-type: application/grpc-web-text+proto"
	/* a message and the trailers of the test above, each padded by itself */
	static const char trailers[] = "AAAAAAF4gAAAACdncnBjLXN0YXR1czogNQ0KR3JwYy1NZXNzYWdlOm5vdCUyMGhlcmU=",
			  apart[] = "AAAAAAF4\r\nAAAAAAA=gAAAABBncnBjLXN0YXR1czogMTMNCg==";
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		grpc_call(&w, TEXT, 200, TEXT, trailers, sizeof(trailers) - 1, true);
		grpc_call(&w, TEXT, 200, TEXT, apart, sizeof(apart) - 1, true);
		check(&w, 0, L7_GRPC, L7_ERROR, "rpc.status_code=NOT_FOUND weir.stream.events=1");
		check(&w, 1, L7_GRPC, L7_ERROR, "rpc.status_code=INTERNAL weir.stream.events=2");
		forget(&w);
		x = ask(&w, "POST", "/p.S/M", TEXT, "AAAAAAF4");
		http_app_body_gap(x, 0, 4, ++w.now);
		answer(&w, x, 200, TEXT, NULL, true);
		check(&w, 0, L7_GRPC, L7_UNKNOWN, "rpc.status_code=");
		forget(&w);
		end(&w);
	}
}
END_TEST

/* 1 is the beginning of 13. */
START_TEST(trailers_of_grpc_web_say_nothing_by_halves)
{
	static const char begin_[] = "\x80\0\0\0\x11grpc-status: 1", end_[] = "\x80\0\0\x20\0grpc-status: 5\r\nx: ";
	struct http_header type = { "content-type", "application/grpc-web", 12, 20 };
	struct http_head ok = { .status = 200, .major = 2, .headers = &type, .n_headers = 1 };
	struct http_exchange *x;
	char filler[8192];
	struct world w;

	begin(&w, 0);
	x = ask(&w, "POST", "/p.S/M", WEB, NULL);
	http_app_answer(x, &ok, ++w.now);
	http_app_body(x, 1, (const uint8_t *)begin_, sizeof(begin_) - 1, ++w.now);
	http_app_body_gap(x, 1, 3, ++w.now);
	http_app_done(x, 1, true, ++w.now);
	http_app_close(x, 0, NULL, ++w.now);
	check(&w, 0, L7_GRPC, L7_UNKNOWN, "rpc.status_code=");
	forget(&w);
	x = ask(&w, "POST", "/p.S/M", WEB, NULL);
	http_app_answer(x, &ok, ++w.now);
	http_app_body(x, 1, (const uint8_t *)end_, sizeof(end_) - 1, ++w.now);
	memset(filler, 'y', sizeof(filler));
	memcpy(filler + GRPC_MESSAGE_KEPT - (sizeof(end_) - 1 - 5) - 15, "\r\ngrpc-status:13\r\n", 18);
	http_app_body(x, 1, (const uint8_t *)filler, sizeof(filler) - 19, ++w.now);
	http_app_done(x, 1, true, ++w.now);
	http_app_close(x, 0, NULL, ++w.now);
	check(&w, 0, L7_GRPC, L7_ERROR, "rpc.status_code=NOT_FOUND");
	forget(&w);
	end(&w);
}
END_TEST

UNIT_MAIN(grpc_call, grpc_calls, a_hole_in_a_grpc_body, grpc_calls_without_a_status,
	  compressed_messages_of_grpc_are_not_read, grpc_web_as_text, trailers_of_grpc_web_say_nothing_by_halves)
