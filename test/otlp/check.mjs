// SPDX-License-Identifier: Apache-2.0
// check.mjs OUT WHAT ENCODING GZIP: what the collector wrote, against OpenTelemetry's conventions and what was said. TAP goes to stdout.
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import * as stable from "@opentelemetry/semantic-conventions";
import * as incubating from "@opentelemetry/semantic-conventions/incubating";

const [file, what, encoding, gzip] = process.argv.slice(2);
const requests = readFileSync(file, "utf8").trim().split("\n").map((l) => JSON.parse(l));
const json = encoding === "json";
let n = 0;
function ok(name, good, why) {
	console.log(`${good ? "ok" : "not ok"} ${++n} - ${what}: ${name}`);
	if (!good) console.log(inspect(why, { depth: 9 }).replace(/^/gm, "# "));
}

const known = new Set([...Object.values(stable), ...Object.values(incubating)].filter((v) => typeof v === "string"));
// OpenTelemetry has none for A2A, for who the ends of MCP say they are, and for what only Weir knows. Headers' names are made of a template's.
const own = /^(weir|a2a|jsonrpc)\.|^mcp\.(server|client)\.(name|version)$|^http\.(request|response)\.header\./;
const ints = new Set(["http.response.status_code", "http.request.body.size", "http.response.body.size", "server.port", "client.port", "source.port", "destination.port", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"]);
const attributes = (list = []) => Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue]));
function* all(list, a, b, c) {
	for (const r of requests) for (const x of r.json?.[list] ?? []) for (const y of x[a]) for (const z of y[b]) yield { ...z, resource: attributes(x.resource.attributes), scope: y.scope, schema: y.schemaUrl };
}
const spans = [...all("resourceSpans", "scopeSpans", "spans")];
const logs = [...all("resourceLogs", "scopeLogs", "logRecords")];
const metrics = [...all("resourceMetrics", "scopeMetrics", "metrics")];

ok("every request is understood, to its last byte", requests.every((r) => !r.problem && r.whole !== false), requests.filter((r) => r.problem || r.whole === false));
ok("its encoding", requests.every((r) => r.type === (json ? "application/json" : "application/x-protobuf") && r.gzip === (gzip === "gzip")));
ok("the header of the configuration", requests.every((r) => r.team === "net"));
ok("Retry-After is honoured", requests.every((r) => r.waited >= 990), requests.map((r) => r.waited));

const wrongNames = [...spans, ...logs].flatMap((i) => [...(i.attributes ?? []).map((a) => a.key), ...Object.keys(i.resource)]).filter((k) => !known.has(k) && !own.test(k));
ok("names are OpenTelemetry's", wrongNames.length === 0, [...new Set(wrongNames)]);
const wrongTypes = [...spans, ...logs].flatMap((i) => i.attributes ?? []).filter((a) => ints.has(a.key) !== (a.value.intValue !== undefined));
ok("integers are integers, and nothing else", wrongTypes.filter((a) => !own.test(a.key)).length === 0, wrongTypes);

const tool = (name) => spans.filter((s) => attributes(s.attributes)["gen_ai.tool.name"] === name);
ok("a span for each call", tool("list_tables").length === 2 && tool("execute_sql").length === 1, spans.map((s) => s.name));
const [sql] = tool("execute_sql");
const a = attributes(sql?.attributes);
ok("its name and kind", sql?.name === "tools/call execute_sql" && (sql.kind === 3 || sql.kind === "SPAN_KIND_CLIENT"), sql);
ok("its parent is the request's", sql?.traceId === "0af7651916cd43dd8448eb211c80319c" && sql?.parentSpanId === "b7ad6b7169203331", sql);
ok("an id of its own", /^[0-9a-f]{16}$/.test(sql?.spanId ?? "") && new Set(spans.map((s) => s.spanId)).size === spans.length);
ok("without a parent it is a root", tool("list_tables").every((s) => !s.parentSpanId && /^[0-9a-f]{32}$/.test(s.traceId) && s.traceId !== sql?.traceId));
ok("a tool's error is an error", (sql?.status?.code === 2 || sql?.status?.code === "STATUS_CODE_ERROR") && a[stable.ATTR_ERROR_TYPE] === "tool_error", sql?.status);
ok("MCP", a[incubating.ATTR_MCP_METHOD_NAME] === "tools/call" && a[incubating.ATTR_MCP_PROTOCOL_VERSION] === "2026-07-28" && a[incubating.ATTR_GEN_AI_OPERATION_NAME] === "execute_tool", a);
ok("it takes time", BigInt(sql?.endTimeUnixNano ?? 0) > BigInt(sql?.startTimeUnixNano ?? 0));
ok("resources are pods", sql?.resource[stable.ATTR_SERVICE_NAME] === "client" && sql.resource[incubating.ATTR_K8S_POD_NAME] === "client" && sql.resource[incubating.ATTR_K8S_NAMESPACE_NAME] === "a", sql?.resource);
ok("schema and scope", spans.every((s) => /^https:\/\/opentelemetry.io\/schemas\/1\./.test(s.schema) && s.scope.name === "weir"));

const denial = logs.find((l) => attributes(l.attributes)[incubating.ATTR_DESTINATION_PORT ?? "destination.port"] == 81);
ok("a denial is a log record", attributes(denial?.attributes)["weir.verdict"] === "dropped" && (denial.severityNumber === 13 || denial.severityNumber === "SEVERITY_NUMBER_WARN"), logs);
ok("that names the policy", /tools/.test(denial?.body?.stringValue ?? "") || Object.values(attributes(denial?.attributes)).some((v) => /tools/.test(v)), denial);

const metric = (name) => metrics.filter((m) => m.name === name).at(-1);
const calls = metric("weir_mcp_tool_calls");
const sum = calls?.sum?.dataPoints?.reduce((t, p) => t + p.asDouble, 0);
ok("metrics: tool calls", sum === 3 && calls.sum.isMonotonic && [2, "AGGREGATION_TEMPORALITY_CUMULATIVE"].includes(calls.sum.aggregationTemporality), calls);
const time = metric("weir_mcp_tool_call_duration_seconds");
const points = time?.histogram?.dataPoints ?? [];
ok("metrics: histograms add up", time?.unit === "s" && points.length > 0 && points.every((p) => p.bucketCounts.length === p.explicitBounds.length + 1 && p.bucketCounts.reduce((t, c) => t + Number(c), 0) === Number(p.count)), time);
ok("metrics: gauges", metric("weir_agent_resident_memory_bytes")?.gauge?.dataPoints?.[0].asDouble > 1e6 && metric("weir_agent_resident_memory_bytes").unit === "By");
ok("metrics: the resource is the agent", calls?.resource[stable.ATTR_SERVICE_NAME] === "weir-agent", calls?.resource);
console.log(`1..${n}`);
