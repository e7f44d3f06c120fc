// SPDX-License-Identifier: Apache-2.0
// A model that speaks as OpenAI, Anthropic, Gemini and Ollama do: llm-server.mjs PORT. The last word of the question is the number of
// words to answer; models named "missing", "limited" and "wrong" answer with errors, "breaks" in mid-stream.
import { randomInt } from 'node:crypto';
import { app, listen, pause } from './serve.mjs';

const WORDS = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
const words = (question) => {
	const n = Number(String(question).split(' ').at(-1)) || 3;
	return Array.from({ length: n }, (_, i) => (i ? ' ' : '') + WORDS[randomInt(WORDS.length)]);
};
const tokensIn = (question) => 10 + String(question).split(' ').length;

// As each provider tells of errors: type, or what Gemini has in its place.
const ERRORS = {
	missing: [404, 'not_found_error', 'NOT_FOUND'],
	limited: [429, 'rate_limit_error', 'RESOURCE_EXHAUSTED'],
	wrong: [400, 'invalid_request_error', 'INVALID_ARGUMENT'],
};
function refuse(res, model, shape) {
	const [status, type, name] = ERRORS[model] ?? [];
	if (status) res.status(status).json(shape(type, status, name));
	return status;
}
const openaiError = (type) => ({ error: { message: 'no', type, param: null, code: null } });
const anthropicError = (type) => ({ type: 'error', error: { type, message: 'no' } });
const geminiError = (type, code, status) => ({ error: { code, status, message: 'no' } });

async function events(res, list) {
	res.set('content-type', 'text/event-stream');
	for (const [name, data] of list) {
		res.write((name ? `event: ${name}\n` : '') + `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
		await pause(2);
	}
	res.end();
}

const azure = '/openai/deployments/:deployment';
app.post(['/v1/chat/completions', `${azure}/chat/completions`], async (req, res) => {
	const { model, messages, stream, stream_options } = req.body;
	if (refuse(res, model, openaiError)) return;
	const said = words(messages.at(-1).content);
	const input = tokensIn(messages.at(-1).content);
	const usage = {
		prompt_tokens: input,
		completion_tokens: said.length,
		total_tokens: input + said.length,
		prompt_tokens_details: { cached_tokens: 4 },
		completion_tokens_details: { reasoning_tokens: 2 },
	};
	const base = { id: `chatcmpl-${said.length}`, created: 1, model: `${model}-2026-11` };
	if (!stream)
		return res.json({
			...base,
			object: 'chat.completion',
			choices: [{ index: 0, message: { role: 'assistant', content: said.join('') }, finish_reason: 'stop' }],
			usage,
		});
	const chunk = (choices, u = null) => [null, { ...base, object: 'chat.completion.chunk', choices, usage: u }];
	if (model === 'breaks') return events(res, [chunk([]), [null, openaiError('server_error')]]);
	await events(res, [
		...said.map((content) => chunk([{ index: 0, delta: { content }, finish_reason: null }])),
		chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
		...(stream_options?.include_usage ? [chunk([], usage)] : []),
		[null, '[DONE]'],
	]);
});

app.post(['/v1/embeddings', `${azure}/embeddings`], (req, res) => {
	const input = tokensIn(req.body.input);
	res.json({
		object: 'list',
		model: req.body.model,
		data: [{ object: 'embedding', index: 0, embedding: Array.from({ length: 1536 }, (_, i) => i / 1536) }],
		usage: { prompt_tokens: input, total_tokens: input },
	});
});

app.get('/v1/models', (req, res) => res.json({ object: 'list', data: [{ id: 'gpt-5', object: 'model' }] }));

app.post(['/v1/responses', '/openai/responses'], async (req, res) => {
	const { model, input, stream } = req.body;
	if (refuse(res, model, openaiError)) return;
	const said = words(input);
	const content = [{ type: 'output_text', text: said.join(''), annotations: [] }];
	const base = { id: `resp_${said.length}`, object: 'response', created_at: 1, model, output: [], status: 'in_progress' };
	const done = {
		...base,
		status: 'completed',
		output: [{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content }],
		usage: {
			input_tokens: tokensIn(input),
			input_tokens_details: { cached_tokens: 3 },
			output_tokens: said.length,
			output_tokens_details: { reasoning_tokens: 1 },
			total_tokens: tokensIn(input) + said.length,
		},
	};
	if (!stream) return res.json(done);
	if (model === 'breaks') {
		const failed = { ...base, status: 'failed', error: { code: 'server_error', message: 'no' } };
		return events(res, [['response.failed', { type: 'response.failed', response: failed, sequence_number: 0 }]]);
	}
	const part = { item_id: 'msg_1', output_index: 0, content_index: 0 };
	const list = [
		{ type: 'response.created', response: base },
		...said.map((delta) => ({ type: 'response.output_text.delta', ...part, delta })),
		{ type: 'response.completed', response: done },
	];
	await events(res, list.map((e, i) => [e.type, { ...e, sequence_number: i }]));
});

app.post('/v1/messages', async (req, res) => {
	const { model, messages, stream } = req.body;
	if (refuse(res, model, anthropicError)) return;
	const said = words(messages.at(-1).content);
	const input = { input_tokens: tokensIn(messages.at(-1).content), cache_creation_input_tokens: 5, cache_read_input_tokens: 7 };
	const base = { id: `msg_${said.length}`, type: 'message', role: 'assistant', model, stop_sequence: null };
	if (!stream)
		return res.json({
			...base,
			content: [{ type: 'text', text: said.join('') }],
			stop_reason: 'end_turn',
			usage: { ...input, output_tokens: said.length },
		});
	const start = { type: 'message_start', message: { ...base, content: [], stop_reason: null, usage: { ...input, output_tokens: 1 } } };
	if (model === 'breaks') return events(res, [[start.type, start], ['error', anthropicError('overloaded_error')]]);
	const list = [
		start,
		{ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
		{ type: 'ping' },
		...said.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
		{ type: 'content_block_stop', index: 0 },
		{ type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: said.length } },
		{ type: 'message_stop' },
	];
	await events(res, list.map((e) => [e.type, e]));
});

app.post('/v1/messages/count_tokens', (req, res) => res.json({ input_tokens: tokensIn(req.body.messages.at(-1).content) }));

// /v1beta/models/NAME:generateContent; a colon means something in the paths of express.
app.post(/^\/v1(beta)?\/models\/([^/:]+):(generateContent|streamGenerateContent)$/, async (req, res) => {
	const [model, method] = [req.params[1], req.params[2]];
	if (refuse(res, model, geminiError)) return;
	const question = req.body.contents.at(-1).parts[0].text;
	const said = words(question);
	const answer = (text, n, finishReason) => ({
		candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, finishReason }],
		usageMetadata: {
			promptTokenCount: tokensIn(question),
			candidatesTokenCount: n,
			cachedContentTokenCount: 2,
			thoughtsTokenCount: 1,
			totalTokenCount: tokensIn(question) + n + 1,
		},
		modelVersion: `${model}-001`,
		responseId: `gemini-${said.length}`,
	});
	if (method === 'generateContent') return res.json(answer(said.join(''), said.length, 'STOP'));
	await events(
		res,
		said.map((text, i) => [null, answer(text, i + 1, i + 1 === said.length ? 'STOP' : undefined)]),
	);
});

// Ollama streams lines of JSON unless told not to.
app.post(['/api/chat', '/api/generate'], async (req, res) => {
	const { model, messages, prompt, stream } = req.body;
	const question = prompt ?? messages.at(-1).content;
	const said = words(question);
	const text = (t) => (prompt === undefined ? { message: { role: 'assistant', content: t } } : { response: t });
	const base = { model, created_at: '2026-11-24T00:00:00Z' };
	const end = {
		...base,
		done: true,
		done_reason: 'stop',
		total_duration: 5000,
		prompt_eval_count: tokensIn(question),
		eval_count: said.length,
	};
	if (stream === false) return res.json({ ...end, ...text(said.join('')) });
	res.set('content-type', 'application/x-ndjson');
	for (const t of said) {
		res.write(JSON.stringify({ ...base, ...text(t), done: false }) + '\n');
		await pause(2);
	}
	res.end(JSON.stringify({ ...end, ...text('') }) + '\n');
});

listen();
