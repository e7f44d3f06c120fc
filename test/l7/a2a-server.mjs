// SPDX-License-Identifier: Apache-2.0
// One agent behind every binding of A2A 1.0 and 0.3: a2a-server.mjs PORT ADDRESS. JSON-RPC on /rpc and REST on /rest of PORT, gRPC on
// PORT + 1; ADDRESS is what its card says. What the task comes to is told by the message: "fail", "ask", "big"; anything else completes, "slow"
// after a while. Who wants to be told is written down, and not told.
import { A2A_PROTOCOL_VERSION, AGENT_CARD_PATH, Role, TaskState } from '@a2a-js/sdk';
import { LegacyA2AService, legacyGrpcService } from '@a2a-js/sdk/compat/v0_3/server/grpc';
import { AgentEvent, DefaultRequestHandler, InMemoryPushNotificationStore, InMemoryTaskStore } from '@a2a-js/sdk/server';
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from '@a2a-js/sdk/server/express';
import { A2AService, grpcService } from '@a2a-js/sdk/server/grpc';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { app, filler, listen, pause } from './serve.mjs';

const port = Number(process.argv[2]);
const host = process.argv[3].includes(':') ? `[${process.argv[3]}]` : process.argv[3];
const at = (protocolBinding, url) => [A2A_PROTOCOL_VERSION, '0.3'].map((protocolVersion) => ({ url, protocolBinding, protocolVersion, tenant: '' }));
const card = {
	name: 'l7-agent',
	description: 'Answers what it is told to',
	version: '2.7.1',
	supportedInterfaces: [
		...at('JSONRPC', `http://${host}:${port}/rpc`),
		...at('HTTP+JSON', `http://${host}:${port}/rest`),
		...at('GRPC', `${host}:${port + 1}`),
	],
	capabilities: { streaming: true, pushNotifications: true, extendedAgentCard: true, extensions: [] },
	securitySchemes: {},
	securityRequirements: [],
	defaultInputModes: ['text/plain'],
	defaultOutputModes: ['text/plain'],
	skills: [],
	signatures: [],
};

const OUTCOMES = { fail: TaskState.TASK_STATE_FAILED, ask: TaskState.TASK_STATE_INPUT_REQUIRED };
const text = (value) => ({ content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: 'text/plain' });
const status = (state) => ({ state, message: undefined, timestamp: new Date().toISOString() });
const executor = {
	async execute({ taskId, contextId, userMessage, task }, bus) {
		const said = userMessage.parts[0].content.value;
		const ids = { taskId, contextId, metadata: undefined };
		bus.publish(
			AgentEvent.task(
				task ?? {
					id: taskId,
					contextId,
					status: status(TaskState.TASK_STATE_SUBMITTED),
					artifacts: [],
					history: [userMessage],
					metadata: undefined,
				},
			),
		);
		bus.publish(AgentEvent.statusUpdate({ ...ids, status: status(TaskState.TASK_STATE_WORKING) }));
		await pause(said === 'slow' ? 500 : 20);
		const artifact = { artifactId: 'answer', name: 'answer', description: '', metadata: undefined, extensions: [] };
		artifact.parts = [text(said === 'big' ? filler(200000) : `You said ${said}`)];
		bus.publish(AgentEvent.artifactUpdate({ ...ids, artifact, append: false, lastChunk: true }));
		bus.publish(AgentEvent.statusUpdate({ ...ids, status: status(OUTCOMES[said] ?? TaskState.TASK_STATE_COMPLETED) }));
		bus.finished();
	},
	async cancelTask(taskId, bus) {
		bus.publish(AgentEvent.statusUpdate({ taskId, contextId: '', metadata: undefined, status: status(TaskState.TASK_STATE_CANCELED) }));
		bus.finished();
	},
};

const pushed = new InMemoryPushNotificationStore();
const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), executor, undefined, pushed, { async send() {} }, card);
const options = { requestHandler, userBuilder: UserBuilder.noAuthentication, legacyCompat: { enabled: true } };
app.use(`/${AGENT_CARD_PATH}`, agentCardHandler({ agentCardProvider: requestHandler, legacyCompat: { enabled: true } }));
app.use('/rpc', jsonRpcHandler(options));
app.use('/rest', restHandler(options));

const server = new Server();
server.addService(A2AService, grpcService(options));
server.addService(LegacyA2AService, legacyGrpcService(options));
server.bindAsync(`[::]:${port + 1}`, ServerCredentials.createInsecure(), (error) => {
	if (error) throw error;
	listen();
});
