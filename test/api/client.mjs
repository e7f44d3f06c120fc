// SPDX-License-Identifier: Apache-2.0
// client.mjs ROOT TMP: every method of the flow API, over the Unix socket, TCP, TLS and mutual TLS.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { Server, Stream, clients, done, freePort, is, json, messages, ok, soon, stream, tmp, unary, weir } from "./api.mjs";

const { status } = grpc;
const UNIX = `unix:${tmp}/hubble.sock`;
const ALL = { number: "18446744073709551615" };
const T0 = 1700000000; // of the first flow, 123 ms later
const at = (s) => ({ seconds: T0 + s, nanos: 123000000 });
const serving = { code: status.OK, details: "", reply: { status: "SERVING" } };

// Flows by the number of their place in the store, which is the end of their UUIDs.
const numbers = (messages) => messages.filter((m) => m.flow).map((m) => parseInt(m.flow.uuid.slice(-12), 16));
const lost = (messages) => messages.reduce((n, m) => n + Number(m.lost_events?.num_events_lost ?? 0), 0);
async function flows(c, request) {
	const { code, details, messages } = await stream(c.observer, "GetFlows", request);
	return code === status.OK ? numbers(messages) : { code, details };
}
const parse = (lines) => lines.trim().split("\n").filter(Boolean).map((l) => JSON.parse(l));

async function everyTransport(name, c) {
	const got = await stream(c.observer, "GetFlows", ALL);
	is(`${name}: GetFlows, all, as weir prints them`, got.messages.map((m) => json(m)), parse(await weir("observe", "--all", "-o", "jsonpb")));
	const s = (await unary(c.observer, "ServerStatus")).reply;
	is(`${name}: ServerStatus`, [s.num_flows, s.max_flows, s.seen_flows, /^weir /.test(s.version), s.uptime_ns > 0], ["8", "65535", "8", true, true]);
	is(`${name}: health`, await unary(c.health, "Check"), serving);
	const nodes = (await unary(c.observer, "GetNodes")).reply.nodes;
	is(`${name}: GetNodes`, nodes.map((n) => [n.name, n.state, n.num_flows, n.max_flows]), [["node-1", "NODE_CONNECTED", "8", "65535"]]);
	is(`${name}: GetNamespaces`, (await unary(c.observer, "GetNamespaces")).reply, { namespaces: [{ cluster: "default", namespace: "default" }] });
	const events = await stream(c.observer, "GetAgentEvents", ALL);
	is(`${name}: GetAgentEvents`, events.messages.map((m) => m.agent_event.type), ["AGENT_STARTED", "ENDPOINT_CREATED"]);
	is(`${name}: GetDebugEvents`, (await stream(c.observer, "GetDebugEvents")).code, status.UNIMPLEMENTED);
	is(`${name}: the agent's own service`, (await unary(c.agent, "Status")).reply.node_name, "node-1");
	const watch = new Stream(c.peer, "Notify");
	await watch.count(1);
	is(`${name}: Notify tells of this node and stays`, [watch.messages.map((m) => [m.name, m.type]), await watch.cancel()],
		[[["node-1", "PEER_ADDED"]], status.CANCELLED]);
	return watch.messages[0];
}

async function whichFlows(c) {
	for (const [what, request, want] of [
		["the last", { number: 2 }, [7, 8]],
		["the first", { number: 2, first: true }, [1, 2]],
		["everything without a number", {}, [1, 2, 3, 4, 5, 6, 7, 8]],
		["more than there is", { number: 1000 }, [1, 2, 3, 4, 5, 6, 7, 8]],
		["since", { since: at(5) }, [6, 7, 8]],
		["until", { until: at(1) }, [1, 2]],
		["since and until", { since: at(2), until: at(4) }, [3, 4, 5]],
		["the first since", { since: at(2), number: 2, first: true }, [3, 4]],
		["a follower until a time that is over", { follow: true, number: 3, until: at(7) }, [6, 7, 8]],
		["whitelist", { whitelist: [{ protocol: ["udp"] }, { protocol: ["sctp"] }] }, [4, 8]],
		["all fields of a filter", { whitelist: [{ source_pod: ["default/cl"], destination_port: ["80"], verdict: ["DROPPED"] }] }, [3]],
		["any value of a field", { whitelist: [{ destination_port: ["53", "443"] }] }, [4, 6]],
		["blacklist", { blacklist: [{ verdict: ["FORWARDED"] }] }, [3, 5, 6]],
		["whitelist and blacklist", { whitelist: [{ verdict: ["DROPPED"] }], blacklist: [{ ip_version: ["IPv6"] }] }, [3]],
		["the last that match", { number: 1, whitelist: [{ verdict: ["DROPPED"] }] }, [5]],
		["label", { whitelist: [{ source_label: ["app in (evil)"] }] }, [8]],
		["prefix", { whitelist: [{ destination_ip: ["fd00::/64"] }] }, [5, 6]],
		["identity", { whitelist: [{ destination_identity: [2] }] }, [6]],
		["reply", { whitelist: [{ reply: [true] }] }, [2]],
		["TCP flags", { whitelist: [{ tcp_flags: [{ SYN: true, ACK: true }, { FIN: true }] }] }, [2, 7]],
		["workload", { whitelist: [{ source_workload: [{ kind: "Deployment", name: "deploy" }], protocol: ["sctp"] }] }, [8]],
		["event type", { whitelist: [{ event_type: [{ type: 1 }] }] }, [3, 5]],
		["reason", { whitelist: [{ drop_reason_desc: ["POLICY_DENIED"] }] }, [3]],
		["node", { whitelist: [{ node_name: ["default/node-*"] }] }, [1, 2, 3, 4, 5, 6, 7, 8]],
		["another node", { whitelist: [{ node_name: ["node-2"] }] }, []],
		["UUID", { whitelist: [{ uuid: ["12345678-9abc-8ef0-8000-000000000003"] }] }, [3]],
		["an empty filter", { whitelist: [{}] }, [1, 2, 3, 4, 5, 6, 7, 8]],
		["an empty filter in the blacklist", { blacklist: [{}] }, []],
	])
		is(`GetFlows: ${what}`, await flows(c, request), want);
	const masked = (await stream(c.observer, "GetFlows", { number: 6, first: true, whitelist: [{ verdict: ["DROPPED"] }], field_mask: { paths: ["time", "source.pod_name"] } })).messages[0].flow;
	is("a field mask never hides verdict, direction, policies and reason",
		[masked.source.pod_name, masked.verdict, masked.traffic_direction, masked.drop_reason_desc, masked.ingress_denied_by?.[0].name],
		["client", "DROPPED", "INGRESS", "POLICY_DENIED", "deny-all"]);
}

async function wrongRequests(c) {
	const invalid = (request) => stream(c.observer, "GetFlows", request).then(({ code, details }) => [code, details]);
	for (const [field, value] of [
		["source_ip", "10.0.0.0/33"], ["destination_ip", "::g"], ["source_ip_xlated", "x"],
		["destination_pod", ""], ["source_label", "app in ("], ["destination_label", "=="],
		["source_port", "http"], ["destination_port", "65536"], ["protocol", "ipx"], ["http_status_code", "6xx"],
		["http_path", "("], ["http_url", "["], ["dns_query", "*"], ["l7_kind", "smtp"], ["l7_outcome", "good"],
	]) {
		const [code, details] = await invalid({ whitelist: [{ verdict: ["DROPPED"] }, { [field]: [value] }] });
		ok(`invalid ${field}: the filter and the value are named`, code === status.INVALID_ARGUMENT && details.startsWith(`whitelist[1]: ${field}: `) && details.includes(`"${value}"`), code, details);
	}
	is("of a blacklist, too", await invalid({ blacklist: [{ source_ip: ["x"] }] }), [status.INVALID_ARGUMENT, 'blacklist[0]: source_ip: "x" is neither an address nor a prefix']);
	is("first with follow", await invalid({ first: true, follow: true }), [status.INVALID_ARGUMENT, "first cannot be specified with follow"]);
	is("an HTTP filter for flows that are none", await invalid({ whitelist: [{ http_method: ["GET"], event_type: [{ type: 4 }] }] }),
		[status.INVALID_ARGUMENT, "whitelist[0]: event_type: 4 goes not with an HTTP filter, which needs type 129 (l7)"]);
	const many = await invalid({ whitelist: [{ source_pod: Array.from({ length: 20000 }, (_, i) => `a/p${i}`) }] });
	ok("more values than a filter may have", many[0] === status.INVALID_ARGUMENT && /more than \d+ values/.test(many[1]), many);
	is("a request that is too long", (await invalid({ whitelist: [{ source_pod: ["x".repeat(300000)] }] }))[0], status.RESOURCE_EXHAUSTED);
	is("debug events", (await stream(c.observer, "GetDebugEvents")).code, status.UNIMPLEMENTED);
	is("an unknown method", await new Promise((r) => c.observer.makeUnaryRequest("/observer.Observer/Nothing", () => Buffer.alloc(0), String, {}, soon(), (e) => r(e.code))), status.UNIMPLEMENTED);
	is("not the message", await new Promise((r) => c.observer.makeUnaryRequest("/observer.Observer/ServerStatus", () => Buffer.from([0xff, 0xff]), String, {}, soon(), (e) => r(e.code))), status.INTERNAL);
	const gzip = clients(UNIX, undefined, { "grpc.default_compression_algorithm": 2 });
	is("compressed requests", (await unary(gzip.observer, "ServerStatus")).code, status.UNIMPLEMENTED);
	gzip.close();
	is("and the connection is as good as before", await unary(c.health, "Check"), serving);
}

async function healthNames(c) {
	for (const service of ["", "hubble.server.Observer", "observer.Observer", "weir.v1.Agent"]) is(`health of "${service}"`, await unary(c.health, "Check", { service }), serving);
	is("health of an unknown service", (await unary(c.health, "Check", { service: "nobody" })).code, status.NOT_FOUND);
	for (const [service, want] of [["hubble.server.Observer", "SERVING"], ["nobody", "SERVICE_UNKNOWN"]]) {
		const w = new Stream(c.health, "Watch", { service });
		await w.count(1);
		is(`Watch of "${service}"`, [w.messages, await w.cancel()], [[{ status: want }], status.CANCELLED]);
	}
}

// A client that knows nothing but the reflection protocol learns all of a service, file by file.
async function reflection(c) {
	const ask = (call, request) => new Promise((r) => (call.once("data", r), call.write(request)));
	const call = c.reflection.ServerReflectionInfo(soon());
	const ended = new Promise((r) => call.on("status", (s) => r(s.code)));
	call.on("error", () => {});
	const list = await ask(call, { host: "h", list_services: "*" });
	is("reflection: the services, while the stream is open", [list.valid_host, list.list_services_response.service.map((s) => s.name).sort()],
		["h", ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "observer.Observer", "peer.Peer", "weir.v1.Agent"]]);
	const files = new Map();
	const learn = async (answer) => {
		for (const data of answer.file_descriptor_response?.file_descriptor_proto ?? []) {
			const file = descriptor.FileDescriptorProto.decode(data);
			if (files.has(file.name)) continue;
			files.set(file.name, data);
			for (const name of file.dependency) await learn(await ask(call, { file_by_filename: name }));
		}
	};
	for (const { name } of list.list_services_response.service) await learn(await ask(call, { file_containing_symbol: name }));
	const learned = loader.loadFileDescriptorSetFromObject({ file: [...files.values()].map((f) => descriptor.FileDescriptorProto.toObject(descriptor.FileDescriptorProto.decode(f), { defaults: false })) }, {});
	is("reflection: what is learned has every method", Object.keys(learned["observer.Observer"]).sort(), Object.keys(messages["observer.Observer"]).sort());
	is("reflection: and every field of a flow", fields(learned, "flow.Flow"), fields(messages, "flow.Flow"));
	const found = async (symbol) => {
		const a = await ask(call, { file_containing_symbol: symbol });
		return a.error_response?.error_code ?? descriptor.FileDescriptorProto.decode(a.file_descriptor_response.file_descriptor_proto[0]).name;
	};
	for (const [symbol, want] of [["observer.Observer.GetFlows", "lib/proto/observer.proto"], ["flow.FlowFilter.Experimental", "lib/proto/flow.proto"], ["flow.Verdict", "lib/proto/flow.proto"],
		["flow.Flo", status.NOT_FOUND], ["flow.Flow.time", status.NOT_FOUND], ["flow", status.NOT_FOUND], ["", status.NOT_FOUND]])
		is(`reflection: "${symbol}"`, await found(symbol), want);
	is("reflection: no such file", (await ask(call, { file_by_filename: "../../etc/passwd" })).error_response.error_code, status.NOT_FOUND);
	is("reflection: extensions", (await ask(call, { all_extension_numbers_of_type: "flow.Flow" })).error_response.error_code, status.NOT_FOUND);
	is("reflection: nothing asked", (await ask(call, {})).error_response.error_code, status.INVALID_ARGUMENT);
	call.end();
	is("reflection: the stream ends well", await ended, status.OK);
}
const fields = (set, type) => set[type].type.field.map((f) => `${f.number} ${f.name.replace(/_/g, "").toLowerCase()}`).sort();

async function agentEvents(c, server) {
	const types = ({ messages }) => messages.map((m) => m.agent_event.type);
	const all = await stream(c.observer, "GetAgentEvents", ALL);
	is("GetAgentEvents", types(all), ["AGENT_STARTED", "ENDPOINT_CREATED"]);
	is("of an endpoint", all.messages[1].agent_event.endpoint_update, { id: "34", namespace: "default", pod_name: "evil\x1b[31m" });
	is("the last", types(await stream(c.observer, "GetAgentEvents", { number: 1 })), ["ENDPOINT_CREATED"]);
	is("the first", types(await stream(c.observer, "GetAgentEvents", { number: 1, first: true })), ["AGENT_STARTED"]);
	is("until", types(await stream(c.observer, "GetAgentEvents", { until: at(0) })), ["AGENT_STARTED"]);
	const follower = new Stream(c.observer, "GetAgentEvents", { number: 1, follow: true });
	await follower.count(1);
	for (let i = 1; i <= 3; i++) await server.tell(`generation ${i}`);
	await follower.count(4);
	is("as they come", [follower.messages.slice(1).map((m) => m.agent_event.policy_update?.revision), await follower.cancel()], [["1", "2", "3"], status.CANCELLED]);
}

async function followers(c, server) {
	const f = new Stream(c.observer, "GetFlows", { number: 1, follow: true, blacklist: [{ protocol: ["udp"] }] });
	await f.count(1);
	await server.tell("add 100"); // every second one is UDP
	await f.count(51);
	is("a follower gets what matches as it comes", numbers(f.messages).slice(1), Array.from({ length: 50 }, (_, i) => 9 + 2 * i));
	await server.tell("lose 5");
	await server.tell("lose 6");
	await f.until((m) => lost(m) === 11);
	is("and what was lost", f.messages.at(-1).lost_events.source, "PERF_EVENT_RING_BUFFER");
	is("cancelled", await f.cancel(), status.CANCELLED);
	is("a deadline", (await stream(c.observer, "GetFlows", { follow: true }, soon(300))).code, status.DEADLINE_EXCEEDED);
	await server.tell("tool 3");
	is("exchanges of layer 7, as weir prints them", (await stream(c.observer, "GetFlows", { whitelist: [{ event_type: [{ type: 129 }] }] })).messages.map((m) => json(m)),
		parse(await weir("observe", "--all", "-t", "l7", "-o", "jsonpb")));
	is("their filters", await flows(c, { whitelist: [{ l7_tool: ["execute_*"], l7_outcome: ["tool_error"] }] }), [109, 110, 111]);
	is("everything, as weir prints it", (await stream(c.observer, "GetFlows", ALL)).messages.map((m) => json(m)), parse(await weir("observe", "--all", "-o", "jsonpb")));
	is("an error of the agent's", await unary(c.agent, "ListIdentities"), { code: status.INTERNAL, details: "100 % broken", reply: undefined });
}

// A hundred followers on one connection, as many as it may have, and a hundred on connections of their own. Each follows a port
// of its own, which one flow of each thousand has. One more stops reading, another goes away in the middle.
async function crowd() {
	const start = 9000, rounds = 20, capacity = 5000;
	const server = await new Server().start("", capacity);
	await server.tell(`add ${start - 1008}`);
	await server.tell("add 1000");
	const shared = clients(UNIX);
	const sets = Array.from({ length: 100 }, () => clients(UNIX));
	const follow = (c, request) => new Stream(c.observer, "GetFlows", { number: 1, follow: true, ...request });
	const crowd = [...sets, ...sets.map(() => shared)].map((c, i) => follow(c, { whitelist: [{ source_port: [`${100 + i}`] }] }));
	const lazy = follow(sets[0]);
	const leaver = follow(sets[1]);
	await Promise.all([...crowd, lazy, leaver].map((f) => f.count(1)));
	lazy.call.pause();
	for (let i = 0; i < rounds; i++) {
		await server.tell("add 1000");
		if (i === 5) leaver.call.cancel();
		await Promise.all(crowd.map((f) => f.count(2 + i))); // on a busy machine who follows may be five rounds behind, and lose
	}
	const wanted = (i) => Array.from({ length: 1 + rounds }, (_, round) => start - 999 + 100 + i + 1000 * round);
	is("200 followers, each gets its own", crowd.map((f) => numbers(f.messages)), crowd.map((_, i) => wanted(i)));
	is("and lost nothing", crowd.reduce((n, f) => n + lost(f.messages), 0), 0);
	is("who went away is told so", (await leaver.ended).code, status.CANCELLED);
	is("everybody is served while one does not read", (await flows(sets[2], ALL)).length, capacity);
	ok("who does not read has read little", lazy.messages.length < capacity, lazy.messages.length);
	lazy.call.resume();
	await lazy.until((m) => numbers(m).length + lost(m) > 1000 * rounds);
	is("when it reads again, it gets what is left and the number of the others",
		[numbers(lazy.messages).length + lost(lazy.messages), lost(lazy.messages) > 0, numbers(lazy.messages).at(-1)],
		[1 + 1000 * rounds, true, start + 1000 * rounds]);
	[shared, ...sets].forEach((c) => c.close());
	await server.stop("200 followers that go at once");
}

const pem = (name) => readFileSync(`${tmp}/${name}`);
const tls = (ca = "ca", client) => grpc.credentials.createSsl(pem(`${ca}.crt`), client && pem(`${client}.key`), client && pem(`${client}.crt`));
const as = (name) => ({ "grpc.ssl_target_name_override": name, "grpc.default_authority": name });
const version = (v) => grpc.credentials.createFromSecureContext(createSecureContext({ ca: pem("ca.crt"), minVersion: v, maxVersion: v }));
// The status of one call on a new connection.
async function attempt(target, credentials, options = as("first.example")) {
	const c = clients(target, credentials, options);
	const { code } = await unary(c.health, "Check");
	c.close();
	return code;
}
function identity(name) {
	copyFileSync(`${tmp}/${name}.key`, `${tmp}/server.key`);
	copyFileSync(`${tmp}/${name}.crt`, `${tmp}/server.crt`);
}

async function overTcp() {
	const target = `127.0.0.1:${await freePort()}`;
	const server = await new Server().start(target);
	const c = clients(target);
	const me = await everyTransport("TCP", c);
	is("TCP: Notify gives the address", [me.address, me.tls], [target, undefined]);
	const port = target.split(":")[1];
	const watch = new Stream(c.peer, "Notify");
	await watch.count(1);
	for (const line of ["node node-0 192.0.2.10", "node node-1 192.0.2.11", "node node-2 2001:db8::2", "node node-0 192.0.2.12", "node node-1 -", "node node-2 -"]) await server.tell(line);
	await watch.count(5);
	is("TCP: Notify tells of other nodes as they come, change and go", watch.messages.slice(1).map((m) => [m.type, m.name, m.address]), [["PEER_ADDED", "node-0", `192.0.2.10:${port}`],
		["PEER_ADDED", "node-2", `[2001:db8::2]:${port}`], ["PEER_UPDATED", "node-0", `192.0.2.12:${port}`], ["PEER_DELETED", "node-2", `[2001:db8::2]:${port}`]]);
	const late = new Stream(c.peer, "Notify");
	await late.count(2);
	is("TCP: and of all of them to who asks later", late.messages.map((m) => m.name), ["node-0", "node-1"]);
	is("TCP: both stay", [await watch.cancel(), await late.cancel()], [status.CANCELLED, status.CANCELLED]);
	is("TLS to a port in plain text", await attempt(target, tls()), status.UNAVAILABLE);
	c.close();
	await server.stop("TCP");
}

async function overTls() {
	const target = `127.0.0.1:${await freePort()}`;
	identity("first");
	const server = await new Server().start(target, 65535, `${tmp}/server.crt`, `${tmp}/server.key`);
	const c = clients(target, tls(), as("first.example"));
	const me = await everyTransport("TLS", c);
	is("TLS: Notify gives the name for Relay", [me.address, me.tls?.server_name], [target, "node-1.default.hubble-grpc.cilium.io"]);
	is("TLS: version 1.3", await attempt(target, version("TLSv1.3")), status.OK);
	is("TLS: version 1.2", await attempt(target, version("TLSv1.2")), status.UNAVAILABLE);
	is("TLS: another's name", await attempt(target, tls(), as("second.example")), status.UNAVAILABLE);
	is("TLS: another authority", await attempt(target, tls("other")), status.UNAVAILABLE);
	is("plain text to a TLS port", await attempt(target, grpc.credentials.createInsecure()), status.UNAVAILABLE);
	const f = new Stream(c.observer, "GetFlows", { number: 1, follow: true });
	await f.count(1);
	identity("second");
	is("TLS: a changed certificate is used without a restart", await attempt(target, tls(), as("second.example")), status.OK);
	is("TLS: the one before no longer", await attempt(target, tls()), status.UNAVAILABLE);
	writeFileSync(`${tmp}/server.crt`, "garbage");
	is("TLS: one that is broken is not", await attempt(target, tls(), as("second.example")), status.OK);
	await server.tell("add 3000");
	await f.count(3001);
	is("TLS: a follower from before lives on", [f.messages.length, await f.cancel()], [3001, status.CANCELLED]);
	c.close();
	await server.stop("TLS");
}

async function overMutualTls() {
	const target = `127.0.0.1:${await freePort()}`;
	identity("first");
	const server = await new Server().start(target, 65535, `${tmp}/server.crt`, `${tmp}/server.key`, `${tmp}/ca.crt`);
	const c = clients(target, tls("ca", "client"), as("first.example"));
	await everyTransport("mutual TLS", c);
	is("mutual TLS: no certificate", await attempt(target, tls()), status.UNAVAILABLE);
	is("mutual TLS: another authority's certificate", await attempt(target, tls("ca", "other")), status.UNAVAILABLE);
	is("mutual TLS: everybody else is served", await unary(c.health, "Check"), serving);
	c.close();
	await server.stop("mutual TLS");
}

async function overUnix() {
	const server = await new Server().start();
	const c = clients(UNIX);
	is("Unix: Notify gives the socket", [await everyTransport("Unix", c)].map((me) => [me.address, me.tls]), [[`unix://${tmp}/hubble.sock`, undefined]]);
	await whichFlows(c);
	await wrongRequests(c);
	await healthNames(c);
	await reflection(c);
	await agentEvents(c, server);
	await followers(c, server);
	const last = new Stream(c.observer, "GetFlows", { number: 1, follow: true });
	await last.count(1);
	await server.stop("Unix");
	is("its end is told to who follows", await last.ended, { code: status.UNAVAILABLE, details: "the agent is stopping" });
	c.close();
}

await overUnix();
await crowd();
await overTcp();
await overTls();
await overMutualTls();
done();
