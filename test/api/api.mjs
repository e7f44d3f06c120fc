// SPDX-License-Identifier: Apache-2.0
// What the tests share: TAP, the server under test, calls, and messages in protobuf's JSON mapping.
import { spawn, execFile } from "node:child_process";
import { createInterface } from "node:readline";
import { createServer } from "node:net";
import { isDeepStrictEqual, inspect } from "node:util";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

export const [root, tmp] = process.argv.slice(2);
const files = ["observer", "peer", "health", "weir", "reflection"].map((f) => `lib/proto/${f}.proto`);
export const messages = loader.loadSync(files, { includeDirs: [root], keepCase: true, longs: String, enums: String, bytes: Buffer });
export const proto = grpc.loadPackageDefinition(messages);

// ---- TAP
let tests = 0;
let failed = 0;
export function ok(what, good, ...why) {
	console.log(`${good ? "ok" : "not ok"} ${++tests} - ${what}`);
	if (good) return;
	failed++;
	for (const w of why) console.log(inspect(w, { depth: 9, breakLength: 110 }).replace(/^/gm, "# "));
}
export const is = (what, got, want) => ok(what, isDeepStrictEqual(got, want), { got, want });
export const done = () => {
	console.log(`1..${tests}`);
	process.exit(failed ? 1 : 0);
};

// ---- the server under test (test/api/server.c)
export class Server {
	async start(listen = "", capacity = 65535, ...tls) {
		this.process = spawn(`${root}/build/test/api/server`, [tmp, listen, String(capacity), ...tls], { stdio: ["pipe", "pipe", "pipe"] });
		this.said = "";
		this.process.stderr.on("data", (d) => (this.said += d));
		this.ended = new Promise((r) => this.process.on("exit", (code, signal) => r(signal ?? code)));
		this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
		const { value } = await this.lines.next();
		if (value !== "ready") throw new Error(`the server does not start: ${this.said}`);
		return this;
	}
	async tell(line) {
		this.process.stdin.write(`${line}\n`);
		await this.lines.next();
	}
	// Without a leak or an undefined operation.
	async stop(what) {
		this.process.stdin.end();
		const status = await this.ended;
		ok(`${what}: the server ends clean`, status === 0, status, this.said);
	}
}

export const freePort = () =>
	new Promise((r) => {
		const s = createServer().listen(0, "127.0.0.1", () => {
			const { port } = s.address();
			s.close(() => r(port));
		});
	});

export const weir = (...args) =>
	new Promise((resolve) =>
		execFile(`${root}/build/weir`, args, { maxBuffer: 1 << 28, env: { ...process.env, WEIR_SERVER: `unix://${tmp}/hubble.sock` } }, (error, out) =>
			resolve(error ? `${error}` : out),
		),
	);

// ---- calls
export function clients(target, credentials = grpc.credentials.createInsecure(), options = {}) {
	// A connection of its own for each set of clients; no silent second try.
	const o = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_retries": 0, ...options };
	const channel = new grpc.Channel(target, credentials, o);
	const of = (Service) => new Service(target, credentials, { ...o, channelOverride: channel });
	return {
		observer: of(proto.observer.Observer),
		peer: of(proto.peer.Peer),
		health: of(proto.grpc.health.v1.Health),
		agent: of(proto.weir.v1.Agent),
		reflection: of(proto.grpc.reflection.v1.ServerReflection),
		close: () => channel.close(),
	};
}
export const soon = (ms = 20000) => ({ deadline: Date.now() + ms });

export const unary = (client, method, request = {}, options = soon()) =>
	new Promise((resolve) =>
		client[method](request, options, (error, reply) =>
			resolve({ code: error?.code ?? grpc.status.OK, details: error?.details ?? "", reply }),
		),
	);

// A stream of the server's that is read to its end, or until `enough` says so.
export class Stream {
	constructor(client, method, request = {}, options = {}) {
		this.messages = [];
		this.waiting = [];
		this.call = client[method](request, options);
		this.call.on("data", (m) => {
			this.messages.push(m);
			this.waiting = this.waiting.filter((f) => !f());
		});
		this.call.on("error", () => {}); // it is in the status, too
		this.ended = new Promise((r) => this.call.on("status", (s) => r({ code: s.code, details: s.details })));
	}
	until(enough) {
		return Promise.race([new Promise((r) => (enough(this.messages) ? r() : this.waiting.push(() => enough(this.messages) && (r(), true)))), this.ended]);
	}
	count(n) {
		return this.until((m) => m.length >= n);
	}
	async cancel() {
		this.call.cancel();
		return (await this.ended).code;
	}
}
export async function stream(client, method, request, options = soon()) {
	const s = new Stream(client, method, request, options);
	return { ...(await s.ended), messages: s.messages };
}

// ---- protobuf's JSON mapping, for comparison with `weir … -o jsonpb`
const wrapped = new Set(["is_reply", "cpu", "num_connected_nodes", "num_unavailable_nodes"]);
const times = new Set(["time", "first", "last"]);
const zero = { is_reply: false, cpu: 0 };

function time({ seconds = "0", nanos = 0 }) {
	const fraction = String(nanos).padStart(9, "0").replace(/(000){1,3}$/, "");
	return new Date(seconds * 1000).toISOString().replace(/\.000Z$/, fraction ? `.${fraction}Z` : "Z");
}
function any({ type_url, value }) {
	const message = messages[type_url.split("/")[1]].deserialize(value);
	return { "@type": type_url, value: struct(message) };
}
const struct = ({ fields = [] }) => Object.fromEntries(fields.map(({ key, value }) => [key, plain(value)]));
function plain(v) {
	if (v.struct_value) return struct(v.struct_value);
	if (v.list_value) return (v.list_value.values ?? []).map(plain);
	return Object.values(v)[0] ?? null;
}
export function json(m, key) {
	if (m === null || typeof m !== "object") return m;
	if (Array.isArray(m)) return m.map((e) => json(e));
	if (times.has(key)) return time(m);
	if (wrapped.has(key)) return m.value ?? zero[key] ?? 0;
	if (key === "extensions") return any(m);
	return Object.fromEntries(Object.entries(m).map(([k, v]) => [k, json(v, k)]));
}
