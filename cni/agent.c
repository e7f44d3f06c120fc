// SPDX-License-Identifier: Apache-2.0
#include "cni/agent.h"

#include <limits.h>

#include "lib/unixsock.h"

#define TIMEOUT_MS 2000
#define STATUS_TIMEOUT_MS 500 /* STATUS must never take a second */

/* Takes the request over. */
static int ask(const struct conf *c, json_t *request, unsigned timeout_ms, json_t **ret_answer, struct err *reterr)
{
	_cleanup_free_ char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	static char buf[CNI_SOCK_MAX];
	char path[PATH_MAX];
	json_t *answer;
	ssize_t n;
	int code;

	json_decref(request);
	if (!text)
		return err_set(reterr, CNI_FAILED, "out of memory");
	snprintf(path, sizeof(path), "%s/" CNI_SOCK_NAME, c->run_dir);
	n = unix_request(path, text, strlen(text), buf, sizeof(buf), timeout_ms, reterr);
	if (n < 0)
		return AGENT_AWAY;
	answer = json_loadb(buf, n, 0, NULL);
	if (json_is_true(json_object_get(answer, "ok"))) {
		*ret_answer = answer;
		return 0;
	}
	code = json_integer_value(json_object_get(answer, "code"));
	err_set(reterr, 0, "weir-agent: %s", json_string_value(json_object_get(answer, "error")) ?: "malformed answer");
	json_decref(answer);
	return code > 0 ? code : CNI_FAILED;
}

static int tell(const struct conf *c, json_t *request, struct err *reterr)
{
	json_t *answer = NULL;
	int code = ask(c, request, TIMEOUT_MS, &answer, reterr);

	json_decref(answer);
	return code;
}

int agent_add(const struct conf *c, const struct attachment *a, struct err *reterr)
{
	json_t *j;

	if (attachment_to_json(a, &j, reterr) < 0)
		return CNI_FAILED;
	return tell(c, json_pack("{s:s, s:o}", "op", "add", "attachment", j), reterr);
}

int agent_del(const struct conf *c, const char *key, struct err *reterr)
{
	return tell(c, json_pack("{s:s, s:s}", "op", "del", "key", key), reterr);
}

int agent_check(const struct conf *c, const char *key, struct err *reterr)
{
	return tell(c, json_pack("{s:s, s:s}", "op", "check", "key", key), reterr);
}

int agent_status(const struct conf *c, struct err *reterr)
{
	json_t *answer = NULL;
	int code = ask(c, json_pack("{s:s}", "op", "status"), STATUS_TIMEOUT_MS, &answer, reterr);

	if (code == 0 && !json_is_true(json_object_get(answer, "ready")))
		code = err_set(reterr, CNI_UNAVAILABLE, "weir-agent is not ready: %s",
			       json_string_value(json_object_get(answer, "reason")) ?: "");
	json_decref(answer);
	return code;
}
