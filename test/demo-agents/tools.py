# SPDX-License-Identifier: Apache-2.0
"""A tool server, MCP of 2026-07-28 (stateless): list_tables, and execute_sql, which fails on a table that is not there.
tools.py PORT..."""
import sys
import threading
import time

import wire

TABLES = {"orders": 1284, "customers": 377}
TOOLS = [
    {"name": "list_tables", "inputSchema": {"type": "object"}},
    {"name": "execute_sql", "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}}},
    {"name": "drop_table", "inputSchema": {"type": "object", "properties": {"table": {"type": "string"}}}},
]
META = {"io.modelcontextprotocol/serverInfo": {"name": "warehouse", "version": "2.1.0"}}


def call(name, arguments):
    """What the tool says, and whether it failed."""
    if name == "list_tables":
        return ", ".join(TABLES), False
    if name == "execute_sql":
        time.sleep(0.03)
        table = arguments["query"].split()[-1]
        if table in TABLES:
            return str(TABLES[table]), False
        return f'relation "{table}" does not exist', True
    return f"dropped {arguments['table']}", False


class Tools(wire.Handler):
    def do_GET(self):
        self.answer({"status": "up"})

    def do_POST(self):
        request = self.message()
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "tools/list":
            result = {"tools": TOOLS}
        elif request["method"] == "tools/call":
            text, failed = call(request["params"]["name"], request["params"]["arguments"])
            result = {"content": [{"type": "text", "text": text}], "isError": failed}
        else:
            return self.answer({**reply, "error": {"code": -32601, "message": "Method not found"}}, 404)
        return self.answer({"result": {**result, "resultType": "complete", "_meta": META}, **reply})


for port in sys.argv[2:]:
    threading.Thread(target=wire.serve, args=(int(port), Tools), daemon=True).start()
wire.serve(int(sys.argv[1]), Tools)
