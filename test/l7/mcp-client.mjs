// SPDX-License-Identifier: Apache-2.0
// Uses all that mcp-server offers, through both lines of the official SDK: mcp-client.mjs BASE-URL [SHAPE...]
import { each, fails, pool } from './record.mjs';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const [base, ...wanted] = process.argv.slice(2);
const INFO = { name: 'l7-test', version: '0.9.0' };
const CAPABILITIES = { capabilities: { elicitation: { form: {} } } };
const accept = async () => ({ action: 'accept', content: { sure: true } });

function legacyClient() {
	const client = new Client(INFO, CAPABILITIES);
	client.setRequestHandler(ElicitRequestSchema, accept);
	return client;
}
function modernClient(versionNegotiation) {
	const client = new ModernClient(INFO, { ...CAPABILITIES, versionNegotiation });
	client.setRequestHandler('elicitation/create', accept);
	return client;
}
const url = (path) => new URL(base + path);
const shapes = {
	streams: () => [legacyClient(), new StreamableHTTPClientTransport(url('/mcp'))],
	json: () => [legacyClient(), new StreamableHTTPClientTransport(url('/json'))],
	sse: () => [legacyClient(), new SSEClientTransport(url('/sse'))],
	modern: () => [modernClient({ mode: { pin: '2026-07-28' } }), new ModernTransport(url('/modern'))],
	auto: () => [modernClient({ mode: 'auto' }), new ModernTransport(url('/modern'))],
	stateless: () => [modernClient(), new ModernTransport(url('/modern'))],
};

async function talk(shape) {
	const [client, transport] = shapes[shape]();
	await client.connect(transport);
	const call = (name, args, options) =>
		client instanceof ModernClient
			? client.callTool({ name, arguments: args }, options)
			: client.callTool({ name, arguments: args }, undefined, options);
	// What the server asks back needs a stream that stays open, which the stateless shape has not, nor plain JSON.
	const asks = !['stateless', 'json'].includes(shape);
	const sql = (table) => call('execute_sql', { query: `SELECT count(*) FROM ${table}` });
	await each([
		() => client.listTools(),
		() => call('add', { a: 1, b: 2 }),
		() => sql('orders'),
		() => sql('invoices'),
		() => call('nosuch', {}).catch(() => {}), // an error, or a result that says so: the two lines differ
		() => call('slow', { steps: 3 }, { onprogress() {} }),
		() => call('big', { bytes: 200000 }),
		() => call('add', { a: 1, b: 2, padding: 'y'.repeat(100000) }),
		...(asks ? [() => call('deploy', { env: 'größe' })] : []),
		() => client.listResources(),
		() => client.readResource({ uri: 'file:///etc/config.json' }),
		() => fails(client.readResource({ uri: 'file:///etc/none' })),
		() => client.listPrompts(),
		() => client.getPrompt({ name: 'review', arguments: { code: '{"method":"initialize"}' } }),
	]);
	if (transport.terminateSession && transport.sessionId) await transport.terminateSession();
	await client.close();
}

// A stream that stays open takes a connection for itself.
for (const shape of wanted.length ? wanted : Object.keys(shapes))
	if (pool > 1 || !['streams', 'json', 'sse'].includes(shape)) await talk(shape);
process.exit(0);
