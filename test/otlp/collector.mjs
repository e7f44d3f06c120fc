// SPDX-License-Identifier: Apache-2.0
// collector.mjs PORT OUT [CERTIFICATE KEY]: a collector of OTLP over HTTP. What comes is decoded by OpenTelemetry's own code (JSON is read as it
// is) and written to OUT, a line for each request. The first request of each signal is turned away with 503 and Retry-After.
import { appendFileSync, readFileSync } from "node:fs";
import { createServer as http } from "node:http";
import { createServer as https } from "node:https";
import { gunzipSync } from "node:zlib";
import root from "@opentelemetry/otlp-transformer/build/src/generated/root.js";

const [port, out, cert, key] = process.argv.slice(2);
const { collector } = root.opentelemetry.proto;
const types = {
	"/v1/traces": collector.trace.v1.ExportTraceServiceRequest,
	"/v1/logs": collector.logs.v1.ExportLogsServiceRequest,
	"/v1/metrics": collector.metrics.v1.ExportMetricsServiceRequest,
};
const turnedAway = new Map();

function decode(type, contentType, body) {
	if (contentType === "application/json") {
		const json = JSON.parse(body);
		const problem = type.verify(type.fromObject(json));
		return { json, problem };
	}
	const message = type.decode(body);
	// What protobuf.js does not know it skips: the same bytes again, or something was lost.
	const json = JSON.parse(JSON.stringify(type.toObject(message, { longs: String })), (key, v) => (v?.type === "Buffer" ? Buffer.from(v.data).toString("hex") : v));
	return { json, whole: type.encode(message).finish().length === body.length };
}

async function take(request, response) {
	const chunks = [];
	for await (const c of request) chunks.push(c);
	const type = types[request.url];
	if (!type || request.method !== "POST") return response.writeHead(404).end();
	if (!turnedAway.has(request.url)) {
		turnedAway.set(request.url, Date.now());
		return response.writeHead(503, { "Retry-After": "1" }).end("later");
	}
	const gzip = request.headers["content-encoding"] === "gzip";
	const bytes = Buffer.concat(chunks);
	const line = { url: request.url, gzip, type: request.headers["content-type"], team: request.headers["x-team"], waited: Date.now() - turnedAway.get(request.url) };
	try {
		Object.assign(line, decode(type, line.type, gzip ? gunzipSync(bytes) : bytes));
	} catch (e) {
		line.problem = String(e);
	}
	appendFileSync(out, `${JSON.stringify(line)}\n`);
	response.writeHead(200, { "Content-Type": line.type }).end(line.type === "application/json" ? "{}" : "");
}

const server = cert ? https({ cert: readFileSync(cert), key: readFileSync(key) }, take) : http(take);
server.listen(Number(port), "127.0.0.1");
