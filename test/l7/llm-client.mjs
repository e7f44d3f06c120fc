// SPDX-License-Identifier: Apache-2.0
// Asks llm-server through the three providers' own SDKs, and as Ollama's clients do: llm-client.mjs BASE-URL
import { each, fails } from './record.mjs';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI, { AzureOpenAI } from 'openai';

const base = process.argv[2];
const openai = new OpenAI({ apiKey: 'none', baseURL: `${base}/v1`, maxRetries: 0 });
const anthropic = new Anthropic({ apiKey: 'none', baseURL: base, maxRetries: 0 });
const azure = new AzureOpenAI({ apiKey: 'none', endpoint: base, apiVersion: '2026-10-01', maxRetries: 0 });
const gemini = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: base } });
const long = 'word '.repeat(40000);

async function drain(stream) {
	for await (const _ of await stream);
}
async function leave(stream) {
	for await (const _ of await stream) break;
}
const ask = (content) => ({ messages: [{ role: 'user', content }] });
const ollama = (path, body) =>
	fetch(`${base}/api/${path}`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify(body),
	}).then((response) => response.text());
const usage = { stream_options: { include_usage: true } };

await each([
	() => openai.chat.completions.create({ model: 'gpt-5', ...ask('say 3') }),
	() => drain(openai.chat.completions.create({ model: 'gpt-5', ...ask('say 12'), stream: true, ...usage })),
	() => drain(openai.chat.completions.create({ model: 'gpt-5', ...ask('say 2'), stream: true })), // which tells no usage
	() => leave(openai.chat.completions.create({ model: 'gpt-5', ...ask('say 500'), stream: true, ...usage })),
	() => fails(drain(openai.chat.completions.create({ model: 'breaks', ...ask('say 2'), stream: true }))),
	() => openai.models.list(),
	() => openai.chat.completions.create({ model: 'gpt-5', ...ask(`${long}5`) }),
	() => openai.chat.completions.create({ model: 'gpt-5', ...ask('say 30000') }),
	() => openai.embeddings.create({ model: 'text-embedding-3-small', input: 'some text', encoding_format: 'float' }),
	() => openai.responses.create({ model: 'gpt-5-mini', input: 'say 4' }),
	() => drain(openai.responses.create({ model: 'gpt-5-mini', input: 'say 9', stream: true })),
	() => drain(openai.responses.create({ model: 'breaks', input: 'say 9', stream: true })), // which it says in an event
	() => azure.chat.completions.create({ model: 'gpt-5', ...ask('say 5') }),
	() => drain(azure.chat.completions.create({ model: 'gpt-5', ...ask('say 6'), stream: true, ...usage })),
	() => azure.embeddings.create({ model: 'text-embedding-3-large', input: 'some text', encoding_format: 'float' }),
	() => azure.responses.create({ model: 'gpt-5-mini', input: 'say 4' }),
	() => anthropic.messages.create({ model: 'claude-opus-5', max_tokens: 100, ...ask('say 6') }),
	() => drain(anthropic.messages.create({ model: 'claude-opus-5', max_tokens: 100, ...ask('say 11'), stream: true })),
	() => leave(anthropic.messages.create({ model: 'claude-opus-5', max_tokens: 900, ...ask('say 500'), stream: true })),
	() => fails(drain(anthropic.messages.create({ model: 'breaks', max_tokens: 100, ...ask('say 6'), stream: true }))),
	() => anthropic.messages.countTokens({ model: 'claude-opus-5', ...ask('say 6') }),
	...['missing', 'limited', 'wrong'].flatMap((model) => [
		() => fails(openai.chat.completions.create({ model, ...ask('say 2') })),
		() => fails(drain(openai.responses.create({ model, input: 'say 2', stream: true }))),
		() => fails(drain(azure.chat.completions.create({ model, ...ask('say 2'), stream: true }))),
		() => fails(anthropic.messages.create({ model, max_tokens: 100, ...ask('say 6') })),
		() => fails(drain(anthropic.messages.create({ model, max_tokens: 100, ...ask('say 6'), stream: true }))),
		() => fails(gemini.models.generateContent({ model, contents: 'say 7' })),
		() => fails(gemini.models.generateContentStream({ model, contents: 'say 8' })),
	]),
	() => gemini.models.generateContent({ model: 'gemini-3-flash', contents: 'say 7' }),
	async () => drain(await gemini.models.generateContentStream({ model: 'gemini-3-flash', contents: 'say 8' })),
	() => ollama('chat', { model: 'llama3.2', ...ask('say 5') }),
	() => ollama('chat', { model: 'llama3.2', ...ask('say 5'), stream: false }),
	() => ollama('generate', { model: 'llama3.2', prompt: 'say 4' }),
]);
process.exit(0);
