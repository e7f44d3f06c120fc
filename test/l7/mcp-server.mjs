// SPDX-License-Identifier: Apache-2.0
// One MCP server in every shape that is on the wire: mcp-server.mjs PORT
//   /mcp      Streamable HTTP with sessions (2025-03-26 to 2025-11-25), answers as events
//   /json     the same, answers as JSON
//   /resume   the same, with events that can be asked for again
//   /sse      HTTP+SSE (2024-11-05)
//   /modern   2026-07-28; older clients get stateless Streamable HTTP
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { acceptedContent, createMcpHandler, inputRequired, McpServer as ModernServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { app, filler, listen, pause } from './serve.mjs';

const INFO = { name: 'workbench', version: '3.1.4' };
const TABLES = { orders: 1284, customers: 377 };
const text = (t) => ({ content: [{ type: 'text', text: t }] });

// What both lines of the SDK register alike; shape, notify and confirm are what differs.
function offer(server, shape, notify, confirm) {
	server.registerTool('add', { inputSchema: shape({ a: z.number(), b: z.number() }) }, async ({ a, b }) => text(String(a + b)));
	server.registerTool('execute_sql', { inputSchema: shape({ query: z.string() }) }, async ({ query }) => {
		const table = query.split(' ').at(-1);
		if (table in TABLES) return text(String(TABLES[table]));
		return { ...text(`relation "${table}" does not exist`), isError: true };
	});
	server.registerTool('slow', { inputSchema: shape({ steps: z.number() }) }, async ({ steps }, context) => {
		for (let progress = 1; progress <= steps; progress++) {
			await pause(20);
			await notify(context, progress, steps);
		}
		return text('done');
	});
	server.registerTool('hang', {}, async (context) => {
		await notify(context, 1, 2);
		await once(context.signal ?? context.mcpReq.signal, 'abort');
		return text('never read');
	});
	server.registerTool('poll', {}, async (context) => {
		context.closeSSEStream?.(); // the client has to come again
		await pause(100);
		return text('done');
	});
	server.registerTool('touch', {}, async () => {
		modern.notify.toolsChanged();
		return text('touched');
	});
	server.registerTool('big', { inputSchema: shape({ bytes: z.number() }) }, async ({ bytes }) => text(filler(bytes)));
	server.registerTool('deploy', { inputSchema: shape({ env: z.string() }) }, async ({ env }, context) => {
		const answer = await confirm(context);
		return answer === true ? text(`deployed to ${env}`) : (answer ?? text('not deployed'));
	});
	server.registerResource('config', 'file:///etc/config.json', { mimeType: 'application/json' }, async (uri) => ({
		contents: [{ uri: uri.href, text: '{"name":"nested","method":"tools/call"}' }],
	}));
	server.registerPrompt('review', { argsSchema: shape({ code: z.string() }) }, ({ code }) => ({
		messages: [{ role: 'user', content: { type: 'text', text: `Review ${code}` } }],
	}));
	return server;
}

const question = {
	message: 'Deploy?',
	requestedSchema: { type: 'object', properties: { sure: { type: 'boolean' } }, required: ['sure'] },
};
const prompt = (maxTokens) => ({ messages: [{ role: 'user', content: { type: 'text', text: 'Is it Friday?' } }], maxTokens });
function legacyServer() {
	const server = new McpServer(INFO);
	return offer(
		server,
		(members) => members,
		(context, progress, total) =>
			context._meta?.progressToken !== undefined &&
			context.sendNotification({
				method: 'notifications/progress',
				params: { progressToken: context._meta.progressToken, progress, total },
			}),
		async (context) => {
			const stream = { relatedRequestId: context.requestId };
			await server.server.listRoots({}, stream);
			await server.server.createMessage(prompt(10), stream);
			await server.server.createMessage(prompt(1), stream).catch(() => {}); // the client refuses
			const answer = await server.server.elicitInput(question, stream);
			return answer.action === 'accept' && answer.content.sure;
		},
	);
}
const modernServer = () =>
	offer(
		new ModernServer(INFO),
		z.object,
		(context, progress, total) =>
			context.mcpReq._meta?.progressToken !== undefined &&
			context.mcpReq.notify({
				method: 'notifications/progress',
				params: { progressToken: context.mcpReq._meta.progressToken, progress, total },
			}),
		async (context) =>
			acceptedContent(context.mcpReq.inputResponses, 'sure')?.sure ??
			inputRequired({
				inputRequests: {
					sure: inputRequired.elicit(question),
					roots: inputRequired.listRoots(),
					friday: inputRequired.createMessage(prompt(10)),
				},
			}),
	);

// Events of a session, for those who come again.
function eventStore() {
	const events = [];
	const streamOf = (id) => events[Number(id)].stream;
	return {
		storeEvent: async (stream, message) => String(events.push({ stream, message }) - 1),
		getStreamIdForEventId: async (id) => streamOf(id),
		async replayEventsAfter(last, { send }) {
			for (const [id, { stream, message }] of events.entries())
				if (id > Number(last) && stream === streamOf(last) && message.jsonrpc) await send(String(id), message);
			return streamOf(last);
		},
	};
}

function streamable(path, options) {
	const transports = new Map();
	app.all(path, async (req, res) => {
		let transport = transports.get(req.headers['mcp-session-id']);
		if (!transport && req.body?.method === 'initialize') {
			transport = new StreamableHTTPServerTransport({
				sessionIdGenerator: randomUUID,
				...options(),
				onsessioninitialized: (id) => transports.set(id, transport),
			});
			await legacyServer().connect(transport);
		}
		if (!transport)
			return res.status(404).json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null });
		await transport.handleRequest(req, res, req.body);
	});
}
streamable('/mcp', () => ({}));
streamable('/json', () => ({ enableJsonResponse: true }));
streamable('/resume', () => ({ eventStore: eventStore(), retryInterval: 50 }));

const sse = new Map();
app.get('/sse', async (req, res) => {
	const transport = new SSEServerTransport('/messages', res);
	sse.set(transport.sessionId, transport);
	await legacyServer().connect(transport);
});
app.post('/messages', (req, res) => sse.get(req.query.sessionId).handlePostMessage(req, res, req.body));

const modern = createMcpHandler(modernServer);
const modernHandler = toNodeHandler(modern);
app.all('/modern', (req, res) => modernHandler(req, res, req.body));

listen();
