// SPDX-License-Identifier: Apache-2.0
// Imported before any SDK: gives every HTTP exchange and gRPC call of this program a trace, as instrumentation does, and writes it
// down as the program sees it, one JSON line each. L7_LOG is the file, L7_POOL the number of connections to a server.
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import grpc from '@grpc/grpc-js';
import { Agent, setGlobalDispatcher } from 'undici';

const log = fs.openSync(process.env.L7_LOG ?? '/dev/null', 'a');
const open = new Set();
setGlobalDispatcher(new Agent({ connections: Number(process.env.L7_POOL ?? 8) }));

export const newTrace = () => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
function begin(entry) {
	open.add(Object.assign(entry, { began: performance.now(), traceparent: newTrace(), times: {} }));
	return entry;
}
// The first and the last of the answer, in milliseconds from before the request was sent.
function note(entry) {
	entry.times.last = performance.now() - entry.began;
	entry.times.first ??= entry.times.last;
}
function write(entry, ended) {
	note(entry);
	if (open.delete(entry)) fs.writeSync(log, JSON.stringify({ ...entry, ended }) + '\n');
}
// What is still open then is open for the server, too: the process takes its connections with it.
process.on('exit', () => open.forEach((entry) => write(entry, 'open')));

const plainFetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
	if (init?.signal?.aborted) return plainFetch(input, init); // which sends nothing
	const copy = input instanceof Request ? input.clone() : new Request(input, { ...init, signal: undefined });
	const sent = copy.body ? await copy.text() : '';
	const entry = begin({ kind: 'http', method: copy.method, url: copy.url, sent, received: '' });
	const headers = new Headers(init?.headers ?? copy.headers);
	headers.set('traceparent', entry.traceparent);
	entry.request = Object.fromEntries(headers);
	let response;
	try {
		response = await plainFetch(input, { ...init, headers });
	} catch (error) {
		write(entry, error.name === 'AbortError' ? 'cancelled' : 'failed');
		throw error;
	}
	entry.status = response.status;
	entry.answer = Object.fromEntries(response.headers);
	const stream = /event-stream/.test(entry.answer['content-type']);
	if (!stream) note(entry);
	if (!response.body) {
		write(entry, 'complete');
		return response;
	}
	const reader = response.body.getReader();
	const decoder = new TextDecoder();
	const body = new ReadableStream({
		async pull(controller) {
			try {
				const { done, value } = await reader.read();
				if (!done) {
					note(entry);
					entry.received += decoder.decode(value, { stream: true });
					return controller.enqueue(value);
				}
				write(entry, 'complete');
				controller.close();
			} catch (error) {
				write(entry, 'cancelled');
				controller.error(error);
			}
		},
		// An answer that nobody reads may or may not be cut off on the wire: it is read, but for streams.
		async cancel(reason) {
			while (!stream && !(await reader.read()).done);
			write(entry, stream ? 'cancelled' : 'complete');
			return reader.cancel(reason);
		},
	});
	const observed = new Response(body, response);
	Object.defineProperty(observed, 'url', { value: response.url });
	return observed;
};

// An interceptor for the clients of @grpc/grpc-js.
export function recordCall(options, nextCall) {
	const entry = begin({ kind: 'grpc', path: options.method_definition.path, received: [] });
	return new grpc.InterceptingCall(nextCall(options), {
		start(metadata, listener, next) {
			metadata.set('traceparent', entry.traceparent);
			next(metadata, {
				onReceiveMessage(message, pass) {
					note(entry);
					if (message) entry.received.push(message);
					pass(message);
				},
				onReceiveStatus(status, pass) {
					entry.status = grpc.status[status.code];
					write(entry, 'complete');
					pass(status);
				},
			});
		},
		sendMessage(message, next) {
			entry.sent = message;
			next(message);
		},
	});
}

export const pool = Number(process.env.L7_POOL ?? 8);
// Works through jobs, at most as many at a time as there are connections.
export async function each(jobs) {
	const left = [...jobs];
	const worker = async () => {
		while (left.length) await left.shift()();
	};
	await Promise.all(Array.from({ length: pool }, worker));
}
// Until nothing is under way: who leaves earlier cannot tell whether the answer's end was there before.
export async function idle() {
	while (open.size) await new Promise((resolve) => setTimeout(resolve, 1));
}
// Of a call that must fail.
export async function fails(promise) {
	await promise.then(
		(value) => {
			throw new Error(`should have failed, said ${JSON.stringify(value)}`);
		},
		() => {},
	);
}
