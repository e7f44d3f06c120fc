// SPDX-License-Identifier: Apache-2.0
#include "lib/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "lib/log.h"

static const unsigned char alpn_h2[] = { 2, 'h', '2' };

struct tls_context {
	SSL_CTX *ctx;
	bool insecure;
	/* of a server, to read them again */
	char *cert, *key, *ca;
	struct timespec changed[3];
};

struct tls {
	SSL *ssl;
	uint32_t events;
};

/* What OpenSSL has to say about the latest failure. */
static const char *reason(void)
{
	unsigned long e = ERR_peek_error(); /* the first has the cause, the later ones what failed by it */
	const char *s = !e ? NULL : ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);

	ERR_clear_error();
	return s ? s : "the connection was closed";
}

static int choose_h2(_unused_ SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
		     unsigned int inlen, _unused_ void *userdata)
{
	unsigned char *p;

	if (SSL_select_next_proto(&p, outlen, alpn_h2, sizeof(alpn_h2), in, inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = p;
	return SSL_TLSEXT_ERR_OK;
}

static int load_identity(SSL_CTX *ctx, const char *cert, const char *key, struct err *reterr)
{
	if (!cert || !key)
		return err_set(reterr, -EINVAL, "a certificate and its key are needed, both");
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return err_set(reterr, -EINVAL, "%s: no usable certificate: %s", cert, reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return err_set(reterr, -EINVAL, "%s: not the key of %s: %s", key, cert, reason());
	return 0;
}

static SSL_CTX *context(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

static int server_context(const struct tls_files *f, SSL_CTX **ret_ctx, struct err *reterr)
{
	SSL_CTX *ctx = context(TLS_server_method());
	int r;

	if (!ctx)
		return err_oom(reterr);
	SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	r = load_identity(ctx, f->cert, f->key, reterr);
	if (r >= 0 && f->ca) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		if (SSL_CTX_load_verify_file(ctx, f->ca) != 1)
			r = err_set(reterr, -EINVAL, "%s: no usable certificates: %s", f->ca, reason());
	}
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	*ret_ctx = ctx;
	return 0;
}

/* True: one of them is not what it was. A file that is missing for a moment has not changed. */
static bool files_changed(struct tls_context *c)
{
	const char *const path[] = { c->cert, c->key, c->ca };
	bool changed = false;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(path); i++) {
		if (!path[i] || stat(path[i], &st) < 0)
			continue;
		changed |= memcmp(&c->changed[i], &st.st_mtim, sizeof(st.st_mtim)) != 0;
		c->changed[i] = st.st_mtim;
	}
	return changed;
}

static void reload(struct tls_context *c)
{
	struct err e = {};
	SSL_CTX *ctx;

	if (!c->cert || !files_changed(c))
		return;
	if (server_context(&(struct tls_files){ c->cert, c->key, c->ca }, &ctx, &e) < 0) {
		log_error("the changed certificate is not used, the one before stays: %s", e.msg);
		return;
	}
	log_info("%s was read again", c->cert);
	SSL_CTX_free(c->ctx);
	c->ctx = ctx;
}

int tls_server_new(const struct tls_files *f, struct tls_context **ret_ctx, struct err *reterr)
{
	_cleanup_(tls_context_freep) struct tls_context *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_oom(reterr);
	r = server_context(f, &c->ctx, reterr);
	if (r < 0)
		return r;
	c->cert = strdup(f->cert);
	c->key = strdup(f->key);
	c->ca = f->ca ? strdup(f->ca) : NULL;
	if (!c->cert || !c->key || (f->ca && !c->ca))
		return err_oom(reterr);
	files_changed(c);
	*ret_ctx = TAKE_PTR(c);
	return 0;
}

/* ca NULL: the system's. */
static int verify_peer(SSL_CTX *ctx, const char *ca, struct err *reterr)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if ((ca ? SSL_CTX_load_verify_file(ctx, ca) : SSL_CTX_set_default_verify_paths(ctx)) == 1)
		return 0;
	return err_set(reterr, -EINVAL, "%s: no usable certificates: %s", ca ?: "the system's CA files", reason());
}

int tls_client_new(const struct tls_files *f, bool insecure, struct tls_context **ret_ctx, struct err *reterr)
{
	_cleanup_(tls_context_freep) struct tls_context *c = calloc(1, sizeof(*c));

	if (!c)
		return err_oom(reterr);
	c->insecure = insecure;
	c->ctx = context(TLS_client_method());
	if (!c->ctx || SSL_CTX_set_alpn_protos(c->ctx, alpn_h2, sizeof(alpn_h2)) != 0)
		return err_oom(reterr);
	if ((f->cert || f->key) && load_identity(c->ctx, f->cert, f->key, reterr) < 0)
		return -EINVAL;
	if (!insecure && verify_peer(c->ctx, f->ca, reterr) < 0)
		return -EINVAL;
	*ret_ctx = TAKE_PTR(c);
	return 0;
}

void tls_context_free(struct tls_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ctx);
	free(c->cert);
	free(c->key);
	free(c->ca);
	free(c);
}

static int session(struct tls_context *c, int fd, struct tls **ret_tls)
{
	_cleanup_(tls_freep) struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->events = EPOLLIN;
	t->ssl = SSL_new(c->ctx);
	if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1)
		return -ENOMEM;
	*ret_tls = TAKE_PTR(t);
	return 0;
}

int tls_accept(struct tls_context *c, int fd, struct tls **ret_tls)
{
	reload(c);
	if (session(c, fd, ret_tls) < 0)
		return -ENOMEM;
	SSL_set_accept_state((*ret_tls)->ssl);
	return 0;
}

static bool is_address(const char *s)
{
	unsigned char buf[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, s, buf) == 1 || inet_pton(AF_INET6, s, buf) == 1;
}

/* An address is compared with the certificate's addresses and is not sent as SNI. */
static int expect_name(SSL *ssl, const char *name)
{
	if (is_address(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 ? 0 : -ENOMEM;
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1 ? 0 : -ENOMEM;
}

int tls_connect(struct tls_context *c, int fd, const char *server_name, struct tls **ret_tls)
{
	_cleanup_(tls_freep) struct tls *t = NULL;

	if (session(c, fd, &t) < 0 || expect_name(t->ssl, server_name) < 0)
		return -ENOMEM;
	SSL_set_connect_state(t->ssl);
	*ret_tls = TAKE_PTR(t);
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	ERR_clear_error();
	SSL_free(t->ssl);
	free(t);
}

static bool must_wait(struct tls *t, int r)
{
	int e = SSL_get_error(t->ssl, r);

	t->events = e == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

int tls_handshake(struct tls *t, struct err *reterr)
{
	const unsigned char *proto;
	unsigned int len;
	long verify;
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r != 1 && must_wait(t, r))
		return 0;
	verify = SSL_get_verify_result(t->ssl);
	if (r != 1 && verify != X509_V_OK)
		return err_set(reterr, -EPROTO, "the certificate is refused: %s",
			       X509_verify_cert_error_string(verify));
	if (r != 1)
		return err_set(reterr, -EPROTO, "TLS: %s", reason());
	SSL_get0_alpn_selected(t->ssl, &proto, &len);
	if (len != 2 || memcmp(proto, "h2", 2) != 0)
		return err_set(reterr, -EPROTO, "the other end does not offer HTTP/2 (ALPN h2)");
	return 1;
}

uint32_t tls_events(const struct tls *t)
{
	return t->events;
}

static ssize_t result(struct tls *t, int ok, size_t n)
{
	if (ok == 1)
		return (ssize_t)n;
	if (must_wait(t, ok))
		return -EAGAIN;
	ok = SSL_get_error(t->ssl, ok) == SSL_ERROR_ZERO_RETURN ? 0 : -ECONNRESET;
	ERR_clear_error();
	return ok;
}

ssize_t tls_recv(struct tls *t, void *buf, size_t len)
{
	size_t n = 0;
	int ok;

	ERR_clear_error();
	ok = SSL_read_ex(t->ssl, buf, len, &n);
	return result(t, ok, n);
}

ssize_t tls_send(struct tls *t, const void *buf, size_t len)
{
	size_t n = 0;
	int ok;

	ERR_clear_error();
	ok = SSL_write_ex(t->ssl, buf, len, &n);
	return result(t, ok, n);
}
