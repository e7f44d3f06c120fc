# SPDX-License-Identifier: Apache-2.0
"""compare.py LOG PORT...: compares what the programs wrote into LOG (record.mjs, or see suite) with the flows on standard input
(weir observe --type l7 -o json) of the connections to one of these ports. Prints what is missing and what is invented; exits 1 if
there is any."""
import json
import sys
from collections import Counter

import expected

# What is compared, for each kind: all of it, whether it is there or not.
ATTRIBUTES = {
    "http": "http.request.method url.path http.response.status_code error.type",
    "mcp": "mcp.method.name gen_ai.tool.name gen_ai.prompt.name mcp.resource.uri jsonrpc.request.id mcp.protocol.version"
    " mcp.client.name mcp.client.version mcp.server.name mcp.server.version error.type",
    "a2a": "a2a.method.name a2a.method.original a2a.protocol.version a2a.task.id a2a.task.state a2a.message.id"
    " gen_ai.conversation.id jsonrpc.request.id rpc.method rpc.status_code error.type",
    "llm": "gen_ai.provider.name gen_ai.operation.name gen_ai.request.model gen_ai.response.model gen_ai.request.stream"
    " gen_ai.response.finish_reasons gen_ai.usage.input_tokens gen_ai.usage.output_tokens gen_ai.usage.cache_read.input_tokens"
    " gen_ai.usage.cache_creation.input_tokens gen_ai.usage.reasoning.output_tokens error.type",
}


def project(record):
    keys = ["kind", "outcome", "from_server", *ATTRIBUTES.get(record["kind"], "").split()]
    plain = {key: int(record[key]) if isinstance(record[key], float) else record[key] for key in keys if key in record}
    return json.dumps({key: value for key, value in plain.items() if value is not None})


def recorded(lines, ports):
    for line in lines:
        flow = json.loads(line)["flow"]
        record = flow["extensions"]["value"]
        if ports & {flow["l4"]["TCP"]["source_port"], flow["l4"]["TCP"]["destination_port"]}:
            if record.get("weir.partial") or record.get("weir.unparseable"):
                print(f"not read whole: {json.dumps(record)}")
            names = {name: record.get(f"weir.{name}") for name in ("kind", "outcome", "from_server")}
            yield record | names


with open(sys.argv[1], encoding="utf-8") as log:
    want = Counter(map(project, expected.expected(log)))
have = Counter(map(project, recorded(sys.stdin, set(map(int, sys.argv[2:])))))
missing, invented = want - have, have - want
print(f"{want.total()} expected, {have.total()} recorded")
for name, records in (("missing", missing), ("invented", invented)):
    for record, n in sorted(records.items()):
        print(f"{name}{f' {n} times' if n > 1 else ''}: {record}")
sys.exit(1 if missing or invented or not want else 0)
