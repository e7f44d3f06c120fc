#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Exchanges between real programs become records: each one once, with what was asked and answered, over IPv4 and IPv6; after a
# restart of the agent in the middle of a connection, too; of pods that want it, only.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent

node_up n '["10.29.0.0/24","fd00:29::/64"]'
{ namespace_manifest a; pod_manifest a/client '{"app":"client"}'; pod_manifest a/server '{"app":"server"}'
  pod_manifest a/shy '{}' | jq -c '.metadata.annotations = {"weir.io/l7": "off"}'
  pod_manifest a/eager '{}' | jq -c '.metadata.annotations = {"weir.io/l7": "full"}'; } >"$TMP/n/objects/o.json"
mkdir "$TMP/www"
echo hello >"$TMP/www/small"
head -c 3000000 /dev/urandom >"$TMP/www/large"
agent_start n || { not_ok "the agent starts"; done_testing; }
mapfile -t server < <(pod_add n a/server)
pod_add n a/client >/dev/null && pod_add n a/shy >/dev/null && pod_add n a/eager >/dev/null || { not_ok "pods are added"; done_testing; }
background a/server python3 -m http.server --protocol HTTP/1.1 --bind :: --directory "$TMP/www" 80
for ((i = 0; i < 50; i++)); do
	in_pod a/shy curl -s -o /dev/null "http://${server[0]}/small" && break
	sleep 0.1
done

# Records that are there, as "METHOD URL CODE": all of them, or those with JQ-CONDITION.
records() { weir n observe -o json --all --type l7 | jq -r ".flow | select(${1:-true}) | \"\(.l7.http.method) \(.l7.http.url) \(.l7.http.code)\""; }
# become N PATTERN: there come to be so many records that match, and stay so.
become() {
	local i
	for ((i = 0; i < 50; i++)); do
		[ "$(records | grep -c "$2")" = "$1" ] && break
		sleep 0.1
	done
	sleep 0.2
	[ "$(records | grep -c "$2")" = "$1" ] && return 0
	records | sort | uniq -c | sed 's/^/# /'
	return 1
}

in_pod a/client curl -s -o /dev/null "http://${server[0]}/small?secret=1"
check "GET over IPv4, without its query" become 1 "^GET http://${server[0]}/small 200\$"
in_pod a/client curl -s -o /dev/null "http://[${server[1]}]/missing"
check "GET over IPv6, not found" become 1 "^GET http://\[${server[1]}\]/missing 404\$"
in_pod a/client curl -s -o /dev/null -d x "http://${server[0]}/post"
check "POST, refused" become 1 "/post 501\$"
in_pod a/client curl -s -o /dev/null "http://${server[0]}/large" --next -s -o /dev/null "http://${server[0]}/after-large"
check "a body beyond any budget" become 1 "/large 200\$"
check "what follows it on the same connection" become 1 "/after-large 404\$"
in_pod a/client curl -s "http://${server[0]}/many[1-300]" >/dev/null
check "300 exchanges of one connection, each once" become 300 "/many[0-9]* 404\$"
check "no two of them are the same" test "$(records | grep -c /many)" = "$(records | grep /many | sort -u | wc -l)"
check "they say who asked whom" test "$(records '.source.pod_name == "client" and .destination.pod_name == "server"' | wc -l)" = "$(records | wc -l)"
check_not "a pod that wants nothing read of it has no records" grep -q . < <(records '.source.pod_name == "shy" or .destination.pod_name == "shy"')

background a/server python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 53))
while True:
    q, peer = s.recvfrom(512)
    s.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" + socket.inet_aton(sys.argv[1]), peer)
' "${server[0]}"
resolve() { # POD
	in_pod "$1" python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
for i in range(50):
    s.sendto(b"\0\7\1\0\0\1\0\0\0\0\0\0\3api\7example\3com\0\0\1\0\1", (sys.argv[1], 53))
    try:
        s.recv(512)
        break
    except OSError:
        pass
' "${server[0]}"
}
# Flows to the server's port 80 that have the name it was asked for by.
named() { weir n observe -o json --all --to-fqdn api.example.com --to-port 80 | jq -r '.flow.destination_names[0]' | grep -c api.example.com; }
is_named() {
	local i
	for ((i = 0; i < 30; i++)); do
		[ "$(named)" -gt 0 ] && return 0
		in_pod a/client curl -s -o /dev/null "http://${server[0]}/named"
		sleep 0.1
	done
	return 1
}
check "no name before anybody asked for it" test "$(named)" = 0
resolve a/client
check "flows get the name that the client asked for" is_named

mkfifo "$TMP/go"
in_pod a/client python3 - "${server[0]}" "$TMP/go" <<-'EOP' &
	import http.client, sys
	c = http.client.HTTPConnection(sys.argv[1], timeout=20)
	for path in "/before", "/again":
	    c.request("GET", path)
	    c.getresponse().read()
	    open(sys.argv[2]).read()
EOP
client=$!
check "before the restart" become 1 "/before 404\$"
agent_stop "$AGENT_PID"
agent_start n || { not_ok "the agent starts again"; done_testing; }
echo >"$TMP/go"
check "the connection goes on to be read after it" become 1 "/again 404\$"
echo >"$TMP/go"
wait $client
check "nothing of it is told again" become 0 "/before"
check_not "nothing was lost" grep -q 'were lost' "$TMP/n/agent.log"

agent_stop "$AGENT_PID"
echo '{"l7":{"default":"off"}}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts with layer 7 off by default"; done_testing; }
in_pod a/client curl -s -o /dev/null "http://${server[0]}/quiet"
in_pod a/eager curl -s -o /dev/null "http://${server[0]}/eager"
in_pod a/shy curl -s -o /dev/null "http://${server[0]}/shy"
check "off by default, a pod that wants it is read" become 1 "/eager 404\$"
check "and no other" test "$(records | wc -l)" = 1

background a/server python3 -c '
from http.server import *
class Tool(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b"""{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\\"pass\\":\\"p2\\",\\"rows\\":3}"}]}}"""
        self.send_response(200)
        for name, value in ("Content-Type", "application/json"), ("Content-Length", str(len(body))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer(("", 8090), Tool).serve_forever()
'
call_tool() {
	in_pod a/client curl -s -o /dev/null --retry 20 --retry-connrefused --retry-delay 1 -H "Content-Type: application/json" \
		-d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"login","arguments":{"user":"u","PassWord":"p1"}}}' "http://${server[0]}:8090/mcp"
}
tool_data() { # "ARGUMENTS RESULT" of calls of tools
	weir n observe -o json --all --tool login | jq -r '.flow.extensions.value | "\(.["gen_ai.tool.call.arguments"]) \(.["gen_ai.tool.call.result"])"'
}
are_recorded() { # WANTED
	for ((i = 0; i < 50; i++)); do
		[ -n "$(tool_data)" ] && break
		sleep 0.1
	done
	[ "$(tool_data)" = "$1" ]
}
agent_stop "$AGENT_PID"
echo '{}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts with layer 7 as it is by default"; done_testing; }
call_tool
check "what tools are given and give is not recorded" are_recorded "null null"
agent_stop "$AGENT_PID"
echo '{"l7":{"recordTools":true,"redact":["*pass*"]}}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts with data of tools recorded"; done_testing; }
call_tool
check "but when configured, without secrets" are_recorded \
	'{"user":"u","PassWord":"[redacted]"} {"content":[{"type":"text","text":"{\"pass\":\"[redacted]\",\"rows\":3}"}]}'

agent_stop "$AGENT_PID"
echo '{"l7":{"enabled":false}}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts without layer 7"; done_testing; }
in_pod a/client curl -s -o /dev/null "http://${server[0]}/small"
sleep 0.5
check "switched off: no records" test -z "$(records)"
done_testing
