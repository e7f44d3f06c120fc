// SPDX-License-Identifier: Apache-2.0
#include "agent/export/curl_load.h"

#include <dlfcn.h>
#include <stddef.h>

#define SONAME "libcurl.so.4"

static const struct {
	const char *symbol;
	size_t offset;
} functions[] = {
#define X(name) { "curl_" #name, offsetof(struct curl_functions, name) },
	CURL_FUNCTIONS(X)
#undef X
};

int curl_load(const struct curl_functions **ret, struct err *reterr)
{
	static struct curl_functions curl;
	static bool loaded;
	void *lib;

	if (loaded) {
		*ret = &curl;
		return 0;
	}
	lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!lib)
		return err_set(reterr, -ENOENT, "cannot load " SONAME " (package libcurl4): %s", dlerror());
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		void *f = dlsym(lib, functions[i].symbol);

		if (!f)
			return err_set(reterr, -ENOENT, SONAME " is too old: it has no %s", functions[i].symbol);
		memcpy((char *)&curl + functions[i].offset, &f, sizeof(f));
	}
	if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_oom(reterr);
	loaded = true;
	*ret = &curl;
	return 0;
}
