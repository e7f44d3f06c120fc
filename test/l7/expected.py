# SPDX-License-Identifier: Apache-2.0
"""What Weir must have recorded of the conversations that the programs wrote down (record.mjs, serve.mjs): one dict for each record,
with its kind, its outcome and its attributes; "within" has bounds for its times, in milliseconds. Which protocol is spoken where is
known from the servers' paths, not from the messages."""
import json
import math
import re
from urllib.parse import parse_qs, urlsplit

STATES = ["UNSPECIFIED", "SUBMITTED", "WORKING", "COMPLETED", "FAILED", "CANCELED", "INPUT_REQUIRED", "REJECTED", "AUTH_REQUIRED"]
FAILED = ("TASK_STATE_FAILED", "TASK_STATE_REJECTED")
BEFORE_1_0 = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}
CARD = "/.well-known/agent-card.json"


def documents(text):
    """The JSON documents of a body: one, a stream of events, or one a line."""
    if text.startswith("["):
        return json.loads(text)
    if text.startswith("{"):
        return [json.loads(line) for line in text.splitlines() if line]
    found = []  # no event is in what is plain text
    for event in re.split(r"\r?\n\r?\n", text):
        data = "\n".join(line[5:].lstrip(" ") for line in event.splitlines() if line.startswith("data:"))
        if data.startswith("{"):
            found.append(json.loads(data))
    return found


def path_of(entry):
    return urlsplit(entry["url"]).path


def is_stream(entry):
    return "event-stream" in entry.get("answer", {}).get("content-type", "")


def traced(traceparent):
    return {"traceparent": traceparent, "trace_id": traceparent[3:35]} if traceparent else {}


def own(entry):
    """What the record of an exchange as such has from when it was: the server gave the bytes away before they passed, the client
    had them afterwards."""
    record = traced(entry.get("traceparent"))
    if entry["ended"] == "complete" and "times" in entry:
        least, most = entry["served"], entry["times"]
        record["within"] = {"weir.first_ms": (least["first"], most["first"]), "weir.latency_ms": (least["last"], most["last"])}
    return record


def http(entry):
    status = entry.get("status")
    record = {
        "kind": "http",
        "http.request.method": entry["method"],
        "url.path": path_of(entry),
        "http.response.status_code": status,
        "outcome": "ok" if entry["ended"] == "complete" else "cancelled" if status else "no_answer",
    }
    if status and status >= 400:
        record |= {"outcome": "error", "error.type": str(status)}
    if entry["method"] == "GET" and is_stream(entry):
        return record | {"long_lived": True} | traced(entry.get("traceparent"))
    return record | own(entry)


# ---- MCP


def session_of(entry):
    """What ties exchanges of one client together."""
    asked = parse_qs(urlsplit(entry["url"]).query).get("sessionId")
    if path_of(entry) == "/sse":
        return re.search(r"sessionId=(\S+)", entry["received"]).group(1)
    header = entry["request"].get("mcp-session-id") or entry.get("answer", {}).get("mcp-session-id")
    return asked[0] if asked else header


def answered(entry, where):
    """Bounds for the times of a message that was answered in the exchange `where`. Of several answers it is known only that none
    came before the first bytes, of one on another exchange not even that."""
    least, most = entry["served"], where["began"] + where["times"]["last"] - entry["began"]
    if where is not entry:
        return {"weir.first_ms": (0, most), "weir.latency_ms": (0, most)}
    answers = [message for message in documents(entry["received"]) if "method" not in message]
    return {"weir.first_ms": (least["first"], most), "weir.latency_ms": (least["last" if len(answers) == 1 else "first"], most)}


def outcome(answer):
    if "error" in answer:
        return {"outcome": "error", "error.type": str(answer["error"]["code"])}
    if answer["result"].get("isError"):
        return {"outcome": "tool_error", "error.type": "tool_error"}
    return {"outcome": "ok"}


def call(entry, message):
    """What a request or notification says of itself."""
    params = message.get("params", {})
    trace = params.get("_meta", {}).get("traceparent") or entry["traceparent"]
    names = {
        "tools/call": ("gen_ai.tool.name", params.get("name")),
        "prompts/get": ("gen_ai.prompt.name", params.get("name")),
        "resources/read": ("mcp.resource.uri", params.get("uri")),
        "resources/subscribe": ("mcp.resource.uri", params.get("uri")),
        "resources/unsubscribe": ("mcp.resource.uri", params.get("uri")),
        "notifications/resources/updated": ("mcp.resource.uri", params.get("uri")),
        "completion/complete": ("gen_ai.prompt.name", params.get("ref", {}).get("name")),
    }
    record = {"kind": "mcp", "http.request.method": entry["method"], "mcp.method.name": message["method"]}
    record |= {"mcp.session.id": session_of(entry)} | traced(trace)
    if message["method"] in names:
        key, value = names[message["method"]]
        record[key] = value
    if "id" in message:
        record["jsonrpc.request.id"] = str(message["id"])
    return record


def information(record, prefix, info):
    if info:
        record[f"mcp.{prefix}.name"] = info["name"]
        record[f"mcp.{prefix}.version"] = info["version"]


def mcp(entries):
    """Answers may be on other exchanges than their requests: those of one session are looked at together."""
    from_client, from_server, cancelled = {}, {}, set()
    for entry in entries:
        for side, text in ((from_client, entry["sent"]), (from_server, entry["received"])):
            for message in documents(text):
                # Without a session, a client's ids are its own only within an exchange.
                session = session_of(entry) or id(entry)
                if message.get("method") == "notifications/cancelled":
                    cancelled.add((session, message["params"]["requestId"]))
                elif "method" not in message and message.get("id") is not None:
                    side[(session, message["id"])] = (entry, message)
    for entry in entries:
        sent, received = documents(entry["sent"]), documents(entry["received"])
        session = session_of(entry) or id(entry)
        if not sent:
            yield http(entry)
        for message in sent:
            if "method" not in message:
                continue
            record = call(entry, message)
            meta = message.get("params", {}).get("_meta", {})
            version = meta.get("io.modelcontextprotocol/protocolVersion") or entry["request"].get("mcp-protocol-version")
            information(record, "client", meta.get("io.modelcontextprotocol/clientInfo"))
            if "id" not in message:
                record["outcome"] = "oneway"
            elif (session, message["id"]) not in from_server:
                left = entry["ended"] == "cancelled" or (session, message["id"]) in cancelled
                record["outcome"] = "cancelled" if left else "no_answer"
            else:
                where, answer = from_server[(session, message["id"])]
                record |= outcome(answer) | {"within": answered(entry, where)}
                result = answer.get("result", {})
                information(record, "server", result.get("_meta", {}).get("io.modelcontextprotocol/serverInfo"))
                if message["method"] == "initialize":
                    version = result["protocolVersion"]
                    information(record, "client", message["params"]["clientInfo"])
                    information(record, "server", result["serverInfo"])
            if version:
                record["mcp.protocol.version"] = version
            if message["method"] == "subscriptions/listen":
                record["long_lived"] = True
            yield record
        for message in received:
            if "method" in message:
                record = call(entry, message) | {"from_server": True}
                if "id" in message:
                    yield record | outcome(from_client[(session, message["id"])][1])
                else:
                    yield record | {"outcome": "oneway"}


# ---- A2A


def state_name(state):
    if isinstance(state, int):
        return f"TASK_STATE_{STATES[state]}"
    return state if state.startswith("TASK_STATE_") else "TASK_STATE_" + state.upper().replace("-", "_")


def follow(record, thing):
    """Takes from a task, or from an update of one, what it says."""
    for wrapper in ("task", "statusUpdate", "artifactUpdate", "message"):
        if isinstance(thing.get(wrapper), dict):
            thing = thing[wrapper]
            break
    if "payload" in thing:
        thing = thing["payload"]["value"]
    task = thing.get("taskId") or (thing.get("id") if "status" in thing else None)
    if task:
        record["a2a.task.id"] = task
    if thing.get("contextId"):
        record["gen_ai.conversation.id"] = thing["contextId"]
    if isinstance(thing.get("status"), dict):
        record["a2a.task.state"] = state_name(thing["status"]["state"])


def finish(record, error):
    state = record.get("a2a.task.state")
    if error:
        return record | {"outcome": "error", "error.type": error}
    if state in FAILED and record["a2a.method.name"] in ("SendMessage", "SendStreamingMessage", "SubscribeToTask"):
        return record | {"outcome": "error", "error.type": state}
    return record | {"outcome": "ok"}


def a2a_rpc(entry):
    (message,) = documents(entry["sent"])
    method, params = message["method"], message.get("params", {})
    record = own(entry) | {
        "kind": "a2a",
        "http.request.method": entry["method"],
        "a2a.method.name": BEFORE_1_0.get(method, method),
        "a2a.protocol.version": entry["request"].get("a2a-version", "0.3"),
        "jsonrpc.request.id": str(message["id"]),
    }
    if method in BEFORE_1_0:
        record["a2a.method.original"] = method
    if "taskId" in params or "id" in params:
        record["a2a.task.id"] = params.get("taskId") or params["id"]
    if "message" in params:
        record["a2a.message.id"] = params["message"]["messageId"]
    error = None
    for answer in documents(entry["received"]):
        if "error" in answer:
            error = str(answer["error"]["code"])
        elif isinstance(answer["result"], dict):
            follow(record, answer["result"])
    return finish(record, error)


REST = [
    ("POST", r"/message:send", "SendMessage"),
    ("POST", r"/message:stream", "SendStreamingMessage"),
    ("GET", r"/tasks", "ListTasks"),
    ("GET", r"/tasks/([^:/]+)", "GetTask"),
    ("POST", r"/tasks/([^:/]+):cancel", "CancelTask"),
    ("POST", r"/tasks/([^:/]+):subscribe", "SubscribeToTask"),
    ("GET", r"/tasks/([^:/]+):subscribe", "SubscribeToTask"),
    ("POST", r"/tasks/([^:/]+)/pushNotificationConfigs", "CreateTaskPushNotificationConfig"),
    ("GET", r"/tasks/([^:/]+)/pushNotificationConfigs", "ListTaskPushNotificationConfigs"),
    ("GET", r"/tasks/([^:/]+)/pushNotificationConfigs/[^:/]+", "GetTaskPushNotificationConfig"),
    ("DELETE", r"/tasks/([^:/]+)/pushNotificationConfigs/[^:/]+", "DeleteTaskPushNotificationConfig"),
    ("GET", r"/extendedAgentCard", "GetExtendedAgentCard"),
]


def a2a_rest(entry):
    path = path_of(entry).removeprefix("/rest").removeprefix("/v1")
    record = own(entry) | {
        "kind": "a2a",
        "http.request.method": entry["method"],
        "a2a.protocol.version": entry["request"].get("a2a-version", "0.3"),
    }
    for verb, pattern, method in REST:
        match = re.fullmatch(pattern, path)
        if match and verb == entry["method"]:
            record["a2a.method.name"] = method
            if match.groups():
                record["a2a.task.id"] = match.group(1)
    if record["a2a.method.name"].startswith("Send"):
        record["a2a.message.id"] = json.loads(entry["sent"])["message"]["messageId"]
    if entry["status"] >= 400:
        return finish(record, str(entry["status"]))
    for answer in documents(entry["received"]):
        follow(record, answer)
    return finish(record, None)


GRPC_NAMES = {"TaskSubscription": "SubscribeToTask", "GetAgentCard": "GetExtendedAgentCard",
              "ListTaskPushNotificationConfig": "ListTaskPushNotificationConfigs"}  # of 0.3
WORK_MS = 19  # a2a-server.mjs pauses for 20, as a timer does
GRPC_STATES = [None, "SUBMITTED", "WORKING", "COMPLETED", "FAILED", "CANCELED", "INPUT_REQUIRED", "REJECTED", "AUTH_REQUIRED"]


def grpc_task(record, task):
    """What a message with a task's identifiers says: Task, its events, Message."""
    for key, names in (("a2a.task.id", ("taskId",) if "taskId" in task else ("id",)), ("gen_ai.conversation.id", ("contextId",))):
        for name in names:
            if task.get(name):
                record[key] = task[name]
    state = (task.get("status") or {}).get("state")
    if state:
        record["a2a.task.state"] = "TASK_STATE_" + GRPC_STATES[state]


def a2a_grpc(entry):
    package, method = re.fullmatch(r"/(.*)\.A2AService/(.*)", entry["path"]).groups()
    name = GRPC_NAMES.get(method, method)
    record = {
        "kind": "a2a",
        "http.request.method": "POST",
        "within": {"weir.first_ms": (0, entry["times"]["first"]), "weir.latency_ms": (0, entry["times"]["last"])},
        "rpc.method": entry["path"][1:],
        "rpc.status_code": entry["status"],
        "a2a.method.name": name,
        "a2a.protocol.version": "1.0" if package == "lf.a2a.v1" else "0.3",
    } | traced(entry["traceparent"])
    if name != method:
        record["a2a.method.original"] = method
    sent = entry["sent"]
    if name.startswith("Send"):
        record["within"]["weir.latency_ms"] = (WORK_MS, entry["times"]["last"])
        message = sent.get("message") or sent["request"]
        record["a2a.message.id"] = message["messageId"]
        grpc_task(record, {k: message.get(k) for k in ("taskId", "contextId")})
    elif "Task" in name and name != "ListTasks":
        path = sent.get("name") or sent.get("parent") or ""  # tasks/ID/pushNotificationConfigs/ID, in 0.3
        record["a2a.task.id"] = sent.get("taskId") or sent.get("id") or path.split("/")[1]
    for answer in entry["received"] if not re.search("Config|Card|ListTasks", name) else []:
        grpc_task(record, answer["payload"]["value"] if "payload" in answer else answer)
    return finish(record, None if entry["status"] == "OK" else entry["status"])


# ---- model calls


def llm(entry):
    path, body, answers = path_of(entry), json.loads(entry["sent"]), documents(entry["received"])
    model = body.get("model") or re.search(r"/models/([^:]+):", path).group(1)
    stream = bool(body.get("stream", path.startswith("/api/"))) or "streamGenerateContent" in path
    record = own(entry) | {"kind": "llm", "http.request.method": "POST"}
    record |= {"gen_ai.request.model": model, "gen_ai.request.stream": int(stream)}
    if path.endswith("/embeddings"):
        provider, operation = "openai", "embeddings"
    elif path.endswith(("/chat/completions", "/responses")):
        provider, operation = "openai", "chat"
    elif path.endswith("/messages"):
        provider, operation = "anthropic", "chat"
    elif "/models/" in path:
        provider, operation = "gcp.gemini", "generate_content"
    else:
        provider, operation = "ollama", "chat" if path == "/api/chat" else "text_completion"
    if path.startswith("/openai/"):
        provider = "azure.ai.openai"
    record |= {"gen_ai.provider.name": provider, "gen_ai.operation.name": operation}
    if entry["status"] >= 400:
        return record | {"outcome": "error", "error.type": str(entry["status"])}
    for answer in answers:
        answer = answer.get("response") if isinstance(answer.get("response"), dict) else answer.get("message", {}) | answer
        used(record, provider, answer)
        for key, name in (("model", "gen_ai.response.model"), ("modelVersion", "gen_ai.response.model")):
            if answer.get(key):
                record[name] = answer[key]
        reasons = [c.get("finish_reason") or c.get("finishReason") for c in answer.get("choices") or answer.get("candidates") or []]
        reasons += [answer.get("done_reason"), answer.get("stop_reason"), answer.get("delta", {}).get("stop_reason")
                    if isinstance(answer.get("delta"), dict) else None]
        for reason in filter(None, reasons):
            record["gen_ai.response.finish_reasons"] = reason
        if answer.get("error"):
            record |= {"outcome": "error", "error.type": answer["error"].get("type") or answer["error"]["code"]}
    # Some do not wait for the end of a stream when all is said.
    done = entry["ended"] == "complete" or "gen_ai.response.finish_reasons" in record
    return {"outcome": "ok" if done else "cancelled"} | record


def used(record, provider, answer):
    usage = answer.get("usage") or answer.get("usageMetadata") or {}
    if provider == "anthropic":
        if "input_tokens" in usage:
            read, write = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
            record["gen_ai.usage.input_tokens"] = usage["input_tokens"] + read + write
            record["gen_ai.usage.cache_read.input_tokens"] = read
            record["gen_ai.usage.cache_creation.input_tokens"] = write
        values = {"output_tokens": usage.get("output_tokens")}
    elif provider == "ollama":
        values = {"input_tokens": answer.get("prompt_eval_count"), "output_tokens": answer.get("eval_count")}
    elif provider == "gcp.gemini":
        values = {
            "input_tokens": usage.get("promptTokenCount"),
            # thoughts are counted apart, and belong to the sum
            "output_tokens": usage.get("candidatesTokenCount") and usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0),
            "cache_read.input_tokens": usage.get("cachedContentTokenCount"),
            "reasoning.output_tokens": usage.get("thoughtsTokenCount"),
        }
    else:
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
        thought = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
        values = {
            "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
            "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
            "cache_read.input_tokens": details.get("cached_tokens"),
            "reasoning.output_tokens": thought.get("reasoning_tokens"),
        }
    record |= {f"gen_ai.usage.{name}": value for name, value in values.items() if value is not None}


def expected(lines):
    talks, entries = [], [json.loads(line) for line in lines]
    served = {entry["traceparent"]: entry for entry in entries if entry["kind"] == "served"}
    for entry in entries:
        # What the server has not written yet makes all times impossible.
        entry["served"] = served.get(entry.get("traceparent"), {"first": math.inf, "last": math.inf})
        if entry["kind"] == "served":
            continue
        if entry["kind"] == "grpc":
            yield a2a_grpc(entry)
        elif path_of(entry) in ("/mcp", "/resume", "/json", "/sse", "/messages", "/modern"):
            talks.append(entry)
        elif path_of(entry) == "/rpc":
            yield a2a_rpc(entry)
        elif path_of(entry).startswith("/rest/") and not path_of(entry).endswith("/v1/card"):  # which others use, too
            yield a2a_rest(entry)
        elif re.match(r"/(v1|v1beta|api|openai)/", path_of(entry)) and not path_of(entry).endswith(("/models", "/count_tokens")):
            yield llm(entry)
        else:
            yield http(entry)
    yield from mcp(talks)
