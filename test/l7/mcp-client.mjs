// SPDX-License-Identifier: Apache-2.0
// Uses all that mcp-server offers, through both lines of the official SDK: mcp-client.mjs BASE-URL [SHAPE...]
import { each, fails, idle, newTrace, pool } from './record.mjs';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
	CreateMessageRequestSchema,
	ElicitRequestSchema,
	EmptyResultSchema,
	ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

const [base, ...wanted] = process.argv.slice(2);
const several = pool > 1; // a stream that stays open takes a connection for itself
const INFO = { name: 'l7-test', version: '0.9.0' };
const CAPABILITIES = { capabilities: { elicitation: { form: {} }, sampling: {}, roots: { listChanged: true } } };
const accept = async () => ({ action: 'accept', content: { sure: true } });
const roots = async () => ({ roots: [{ uri: 'file:///home', name: 'home' }] });
async function sample({ params }) {
	if (params.maxTokens === 1) throw new Error('too few tokens');
	return { model: 'llama3.2', role: 'assistant', content: { type: 'text', text: 'No.' } };
}

function legacyClient() {
	const client = new Client(INFO, CAPABILITIES);
	client.setRequestHandler(ElicitRequestSchema, accept);
	client.setRequestHandler(ListRootsRequestSchema, roots);
	client.setRequestHandler(CreateMessageRequestSchema, sample);
	return client;
}
function modernClient(versionNegotiation) {
	const client = new ModernClient(INFO, { ...CAPABILITIES, versionNegotiation });
	client.setRequestHandler('elicitation/create', accept);
	client.setRequestHandler('roots/list', roots);
	client.setRequestHandler('sampling/createMessage', sample);
	return client;
}
const url = (path) => new URL(base + path);
const shapes = {
	streams: () => [legacyClient(), new StreamableHTTPClientTransport(url('/mcp'))],
	resume: () => [legacyClient(), new StreamableHTTPClientTransport(url('/resume'))],
	json: () => [legacyClient(), new StreamableHTTPClientTransport(url('/json'))],
	sse: () => [legacyClient(), new SSEClientTransport(url('/sse'))],
	modern: () => [modernClient({ mode: { pin: '2026-07-28' } }), new ModernTransport(url('/modern'))],
	auto: () => [modernClient({ mode: 'auto' }), new ModernTransport(url('/modern'))],
	stateless: () => [modernClient(), new ModernTransport(url('/modern'))],
};

async function talk(shape) {
	const [client, transport] = shapes[shape]();
	await client.connect(transport);
	const call = (name, args, options, _meta) =>
		client instanceof ModernClient
			? client.callTool({ name, arguments: args, _meta }, options)
			: client.callTool({ name, arguments: args, _meta }, undefined, options);
	// What the server asks back needs a stream that stays open, which the stateless shape has not, nor plain JSON.
	const asks = !['stateless', 'json'].includes(shape);
	const modern = ['modern', 'auto'].includes(shape);
	// The older way is to say so, the newer to leave the stream.
	const cancelled = () => {
		const stop = new AbortController();
		return fails(call('hang', {}, { signal: stop.signal, onprogress: () => stop.abort() }));
	};
	const subscribe = async () => {
		const changed = new Promise((resolve) => client.setNotificationHandler('notifications/tools/list_changed', resolve));
		const subscription = await client.listen({ toolsListChanged: true });
		await call('touch');
		await changed;
		await subscription.close();
	};
	const sql = (table) => call('execute_sql', { query: `SELECT count(*) FROM ${table}` });
	await each([
		() => client.listTools(),
		() => call('add', { a: 1, b: 2 }),
		() => call('add', { a: 1, b: 2 }, {}, { traceparent: newTrace() }),
		() => sql('orders'),
		() => sql('invoices'),
		() => call('nosuch', {}).catch(() => {}), // an error, or a result that says so: the two lines differ
		() => call('slow', { steps: 3 }, { onprogress() {} }),
		() => call('big', { bytes: 200000 }),
		() => call('add', { a: 1, b: 2, padding: 'y'.repeat(100000) }),
		...(asks ? [() => call('deploy', { env: 'größe' }), cancelled] : []),
		...(modern && several ? [subscribe] : []),
		...(modern ? [] : [() => client.ping(), () => client.sendRootsListChanged()]),
		...(shape === 'resume' ? [() => call('poll')] : []),
		...(client instanceof Client ? [() => fails(client.request({ method: 'no/such' }, EmptyResultSchema))] : []),
		() => fails(client.complete({ ref: { type: 'ref/prompt', name: 'review' }, argument: { name: 'code', value: 'x' } })),
		() => client.listResources(),
		() => client.listResourceTemplates(),
		() => client.readResource({ uri: 'file:///etc/config.json' }),
		() => fails(client.readResource({ uri: 'file:///etc/none' })),
		() => client.listPrompts(),
		() => client.getPrompt({ name: 'review', arguments: { code: '{"method":"initialize"}' } }),
	]);
	if (transport.terminateSession && transport.sessionId) {
		await transport.terminateSession(); // which ends its streams
		await idle();
	}
	await client.close();
}

// Several messages at once, as 2025-03-26 has them and no SDK sends them any more.
async function batches(path) {
	const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
	const message = (method, params, id) => ({ jsonrpc: '2.0', id, method, params });
	const post = async (body) => {
		const response = await fetch(url(path), { method: 'POST', headers, body: JSON.stringify(body) });
		await response.text();
		return response;
	};
	const hello = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: INFO };
	headers['mcp-session-id'] = (await post(message('initialize', hello, 1))).headers.get('mcp-session-id');
	await post([message('notifications/initialized')]);
	await post([
		message('ping', undefined, 2),
		message('tools/call', { name: 'slow', arguments: { steps: 2 } }, 'slow'),
		message('tools/call', { name: 'nosuch', arguments: {} }, 3),
		message('notifications/roots/list_changed'),
		message('no/such', {}, 4),
	]);
}

for (const shape of wanted.length ? wanted : Object.keys(shapes))
	if (several || !['streams', 'resume', 'json', 'sse'].includes(shape)) await talk(shape);
for (const path of ['/mcp', '/json']) await batches(path);
process.exit(0);
