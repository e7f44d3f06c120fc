/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when something is to be sent: with it come some twenty libraries, 4 MiB of an agent that sends
 * nothing. CURL->easy_init() is curl_easy_init().
 */
#ifndef WEIR_EXPORT_CURL_LOAD_H
#define WEIR_EXPORT_CURL_LOAD_H

#include <curl/curl.h>

#include "lib/err.h"

#define CURL_FUNCTIONS(X)      \
	X(global_init)         \
	X(easy_init)           \
	X(easy_setopt)         \
	X(easy_getinfo)        \
	X(easy_strerror)       \
	X(easy_cleanup)        \
	X(multi_init)          \
	X(multi_setopt)        \
	X(multi_add_handle)    \
	X(multi_remove_handle) \
	X(multi_socket_action) \
	X(multi_assign)        \
	X(multi_info_read)     \
	X(multi_cleanup)       \
	X(slist_append)        \
	X(slist_free_all)

struct curl_functions {
#define X(name) typeof(curl_##name) *name;
	CURL_FUNCTIONS(X)
#undef X
};

/* For the life of the process; main thread only. -ENOENT: reterr names the package that is missing. */
int curl_load(const struct curl_functions **ret, struct err *reterr);

#endif
