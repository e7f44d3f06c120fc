# SPDX-License-Identifier: Apache-2.0
"""Gives the agent at HOST:PORT one task, as an A2A 1.0 client does, and prints what it hears of it: planner.py HOST:PORT"""
import json
import sys
import uuid

import wire

peer = wire.Peer(sys.argv[1])
card = peer.get("/.well-known/agent-card.json")
print(f"found agent {card['name']} {card['version']}: {card['description']}")
message = {
    "messageId": str(uuid.uuid4()),
    "role": "ROLE_USER",
    "parts": [{"text": "How many orders and invoices are there? Then clean up."}],
}
request = {"jsonrpc": "2.0", "method": "SendStreamingMessage", "params": {"message": message, "configuration": {}}, "id": 1}
for data in peer.events("/", request, A2A_Version="1.0"):
    ((kind, value),) = json.loads(data)["result"].items()
    if kind == "task":
        print(f"task {value['id']} {value['status']['state']}")
    elif kind == "artifactUpdate":
        print(f"answer: {value['artifact']['parts'][0]['text']}")
    else:
        print(value["status"]["state"], *[part["text"] for part in value["status"].get("message", {}).get("parts", [])])
