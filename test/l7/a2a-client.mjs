// SPDX-License-Identifier: Apache-2.0
// Gives a2a-server tasks over every binding, in 1.0 and, with the 0.3 line of the SDK, in 0.3: a2a-client.mjs BASE-URL
import { each, fails, pool, recordCall } from './record.mjs';
import { randomUUID } from 'node:crypto';
import { Role } from '@a2a-js/sdk';
import { ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from '@a2a-js/sdk/client';
import { GrpcTransportFactory } from '@a2a-js/sdk/client/grpc';
import * as old from 'a2a-js-sdk-0.3/client';
import * as oldGrpc from 'a2a-js-sdk-0.3/client/grpc';

const base = process.argv[2];
const options = { grpcCallOptions: { interceptors: [recordCall] } }; // means nothing to the others
async function drain(stream) {
	for await (const _ of stream);
}

// What differs between the two lines: how a message and the name of a task are put.
const now = {
	factory: (Transport) => new ClientFactory({ transports: [new Transport(options)] }),
	message: (said) => ({
		tenant: '',
		message: {
			messageId: randomUUID(),
			contextId: '',
			taskId: '',
			role: Role.ROLE_USER,
			parts: [{ content: { $case: 'text', value: said }, metadata: undefined, filename: '', mediaType: 'text/plain' }],
			metadata: undefined,
			extensions: [],
			referenceTaskIds: [],
		},
		configuration: undefined,
		metadata: undefined,
	}),
	task: (id) => ({ tenant: '', id }),
	taskOf: ({ payload }) => payload.value.id,
	async push(client, taskId) {
		const ids = { tenant: '', taskId, id: 'config-1' };
		await client.createTaskPushNotificationConfig({ ...ids, url: 'http://192.0.2.2/told', token: '', authentication: undefined });
		await client.getTaskPushNotificationConfig(ids);
		await client.listTaskPushNotificationConfig({ tenant: '', taskId, pageSize: 0, pageToken: '' });
		await client.deleteTaskPushNotificationConfig(ids);
	},
};
const before = {
	factory: (Transport) => new old.ClientFactory({ transports: [new Transport(options)] }),
	message: (said) => ({
		message: { kind: 'message', messageId: randomUUID(), role: 'user', parts: [{ kind: 'text', text: said }] },
	}),
	task: (id) => ({ id }),
	taskOf: ({ id }) => id,
	async push(client, id) {
		const config = { id, pushNotificationConfigId: 'config-1' };
		await client.setTaskPushNotificationConfig({
			taskId: id,
			pushNotificationConfig: { id: 'config-1', url: 'http://192.0.2.2/told' },
		});
		await client.getTaskPushNotificationConfig(config);
		await client.listTaskPushNotificationConfig({ id });
		await client.deleteTaskPushNotificationConfig(config);
	},
};

async function talk({ factory, message, task, taskOf, push }, Transport) {
	const client = await factory(Transport).createFromUrl(base);
	const watchTwice = async () => {
		let again;
		for await (const event of client.sendMessageStream(message('slow'))) again ??= drain(client.resubscribeTask(task(taskOf(event))));
		await again;
	};
	await client.getAgentCard(); // the extended one
	await each([
		() => client.sendMessage(message('hello')),
		() => client.sendMessage(message('fail')),
		() => client.sendMessage(message('ask')),
		() => client.sendMessage(message('big')),
		() => drain(client.sendMessageStream(message('hello'))),
		() => drain(client.sendMessageStream(message('fail'))),
		() => drain(client.sendMessageStream(message('big'))),
		async () => {
			const { id } = await client.sendMessage(message('ask'));
			await client.getTask(task(id));
			await client.cancelTask(task(id));
		},
		async () => {
			const { id } = await client.sendMessage(message('hello'));
			await fails(client.cancelTask(task(id)));
		},
		async () => push(client, (await client.sendMessage(message('ask'))).id),
		...(pool > 1 ? [watchTwice] : []), // each stream takes a connection
		() => fails(drain(client.resubscribeTask(task('none')))),
		() => fails(client.getTask(task('none'))),
		...(client.listTasks ? [() => client.listTasks({ tenant: '', contextId: '', status: 0, pageToken: '' })] : []),
	]);
}

for (const Transport of [JsonRpcTransportFactory, RestTransportFactory, GrpcTransportFactory]) await talk(now, Transport);
for (const Transport of [old.JsonRpcTransportFactory, old.RestTransportFactory, oldGrpc.GrpcTransportFactory])
	await talk(before, Transport);
process.exit(0);
