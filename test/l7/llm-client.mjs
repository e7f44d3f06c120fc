// SPDX-License-Identifier: Apache-2.0
// Asks llm-server through the three providers' own SDKs, and as Ollama's clients do: llm-client.mjs BASE-URL
import { each, fails } from './record.mjs';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';

const base = process.argv[2];
const openai = new OpenAI({ apiKey: 'none', baseURL: `${base}/v1`, maxRetries: 0 });
const anthropic = new Anthropic({ apiKey: 'none', baseURL: base, maxRetries: 0 });
const gemini = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: base } });
const long = 'word '.repeat(40000);

async function drain(stream) {
	for await (const _ of await stream);
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
	() => fails(openai.chat.completions.create({ model: 'missing', ...ask('say 2') })),
	() => openai.chat.completions.create({ model: 'gpt-5', ...ask(`${long}5`) }),
	() => openai.chat.completions.create({ model: 'gpt-5', ...ask('say 30000') }),
	() => openai.embeddings.create({ model: 'text-embedding-3-small', input: 'some text', encoding_format: 'float' }),
	() => openai.responses.create({ model: 'gpt-5-mini', input: 'say 4' }),
	() => drain(openai.responses.create({ model: 'gpt-5-mini', input: 'say 9', stream: true })),
	() => anthropic.messages.create({ model: 'claude-opus-5', max_tokens: 100, ...ask('say 6') }),
	() => drain(anthropic.messages.create({ model: 'claude-opus-5', max_tokens: 100, ...ask('say 11'), stream: true })),
	() => fails(anthropic.messages.create({ model: 'missing', max_tokens: 100, ...ask('say 6') })),
	() => gemini.models.generateContent({ model: 'gemini-3-flash', contents: 'say 7' }),
	async () => drain(await gemini.models.generateContentStream({ model: 'gemini-3-flash', contents: 'say 8' })),
	() => ollama('chat', { model: 'llama3.2', ...ask('say 5') }),
	() => ollama('chat', { model: 'llama3.2', ...ask('say 5'), stream: false }),
	() => ollama('generate', { model: 'llama3.2', prompt: 'say 4' }),
]);
process.exit(0);
