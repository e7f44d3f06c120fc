# SPDX-License-Identifier: Apache-2.0
"""compare.py LOG PORT...: compares what the programs wrote into LOG (record.mjs and serve.mjs, or see suite) with the flows on
standard input (weir observe --type l7 -o json) of the connections to one of these ports. Prints what is missing, what is invented
and which times cannot be; exits 1 if there is any. L7_SESSIONS=clear: ids of sessions are recorded as they are, else hashed."""
import json
import os
import sys
from collections import Counter

import expected

# What is compared, for each kind: all of it, whether it is there or not.
ATTRIBUTES = {
    "http": "http.request.method url.path http.response.status_code error.type",
    "mcp": "http.request.method mcp.method.name gen_ai.tool.name gen_ai.prompt.name mcp.resource.uri jsonrpc.request.id mcp.protocol.version"
    " mcp.session.id mcp.client.name mcp.client.version mcp.server.name mcp.server.version error.type",
    "a2a": "http.request.method a2a.method.name a2a.method.original a2a.protocol.version a2a.task.id a2a.task.state"
    " a2a.message.id gen_ai.conversation.id jsonrpc.request.id rpc.method rpc.status_code error.type",
    "llm": "http.request.method gen_ai.provider.name gen_ai.operation.name gen_ai.request.model gen_ai.response.model"
    " gen_ai.request.stream gen_ai.response.finish_reasons gen_ai.usage.input_tokens gen_ai.usage.output_tokens"
    " gen_ai.usage.cache_read.input_tokens gen_ai.usage.cache_creation.input_tokens gen_ai.usage.reasoning.output_tokens error.type",
}
COMMON = ["kind", "outcome", "from_server", "long_lived", "traceparent", "trace_id"]
TRUNCATED = 0.001  # milliseconds that a recorded time may be short of


def project(record):
    keys = [*COMMON, *ATTRIBUTES.get(record["kind"], "").split()]
    plain = {key: int(record[key]) if isinstance(record[key], float) else record[key] for key in keys if key in record}
    return json.dumps({key: value for key, value in plain.items() if value is not None})


def recorded(lines, ports):
    for line in lines:
        flow = json.loads(line)["flow"]
        record = flow["extensions"]["value"]
        if ports & {flow["l4"]["TCP"]["source_port"], flow["l4"]["TCP"]["destination_port"]}:
            if record.get("weir.partial") or record.get("weir.unparseable"):
                print(f"not read whole: {json.dumps(record)}")
            names = {name: record.get(f"weir.{name}") for name in ("kind", "outcome", "from_server", "long_lived")}
            yield record | names | {"trace_id": flow.get("trace_context", {}).get("parent", {}).get("trace_id")}


def unhash(have, want):
    """Puts in place of each hash the session that has it. One that stands for two, or is one of two for the same, stays."""
    sessions = {record["traceparent"]: record["mcp.session.id"] for record in want if record.get("mcp.session.id")}
    hashes = {}
    for record in have:
        session, hashed = sessions.get(record.get("traceparent")), record.get("mcp.session.id")
        if session and hashed and session != hashed and session not in hashes.values():
            hashes.setdefault(hashed, session)
    return [record | {"mcp.session.id": hashes.get(record.get("mcp.session.id"), record.get("mcp.session.id"))} for record in have]


def impossible(have, want):
    """Where the programs know of bounds, which all but identical records have."""
    recorded_times = {project(record): record for record in have}
    for record in want:
        found = recorded_times.get(project(record), {})
        for name, (least, most) in record.get("within", {}).items():
            if name in found and not least - TRUNCATED <= found[name] <= most:
                yield f"{name} {found[name]}, not within {least:.3f} and {most:.3f}: {project(record)}"


with open(sys.argv[1], encoding="utf-8") as log:
    want = list(expected.expected(log))
have = list(recorded(sys.stdin, set(map(int, sys.argv[2:]))))
if os.environ.get("L7_SESSIONS") != "clear":
    have = unhash(have, want)
wanted, had = Counter(map(project, want)), Counter(map(project, have))
problems = list(impossible(have, want))
for name, records in (("missing", wanted - had), ("invented", had - wanted)):
    problems += [f"{name}{f' {n} times' if n > 1 else ''}: {record}" for record, n in sorted(records.items())]
print(f"{len(want)} expected, {len(have)} recorded", *problems, sep="\n")
sys.exit(1 if problems or not want else 0)
