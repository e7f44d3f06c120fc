// SPDX-License-Identifier: Apache-2.0
// What the servers share: an application that takes JSON, answers in gzip when L7_GZIP is set, and writes down, a line of JSON in
// L7_LOG each, how many milliseconds after a request came it gave away the first and the last bytes of the answer.
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { constants, createGzip } from 'node:zlib';
import express from 'express';

const log = fs.openSync(process.env.L7_LOG ?? '/dev/null', 'a');

// Streams are packed event by event, as servers do that want them read at once.
function pack(req, res, next) {
	const { writeHead, write, end } = res;
	let gzip;
	res.writeHead = (status, headers = {}) => {
		for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
		if (/json|event-stream/.test(res.getHeader('content-type'))) {
			gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
			gzip.on('data', (chunk) => write.call(res, chunk)).on('end', () => end.call(res));
			gzip.on('drain', () => res.emit('drain'));
			res.setHeader('content-encoding', 'gzip');
			res.removeHeader('content-length');
		}
		return writeHead.call(res, status);
	};
	for (const [name, plain] of Object.entries({ write, end }))
		res[name] = (...args) => {
			if (!res.headersSent) res.writeHead(res.statusCode);
			return gzip ? gzip[name](...args) : plain.apply(res, args);
		};
	next();
}

function watch(req, res, next) {
	const began = performance.now();
	const entry = { kind: 'served', traceparent: req.headers.traceparent };
	const { write, end } = res;
	const note = () => {
		entry.last = performance.now() - began;
		entry.first ??= entry.last;
	};
	res.write = (...args) => {
		note();
		return write.apply(res, args);
	};
	res.end = (chunk, ...rest) => {
		if (chunk?.length || !entry.last) note(); // what ends a stream is no message of it
		fs.writeSync(log, JSON.stringify(entry) + '\n'); // before the client can know the end
		return end.call(res, chunk, ...rest);
	};
	next();
}

export const app = express();
if (process.env.L7_GZIP) app.use(pack);
app.use(watch);
app.use(express.json({ limit: '8mb' }));

// Text that can be packed about as well as any.
export const filler = (length) => randomBytes(length / 2).toString('hex');
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const listen = () => app.listen(Number(process.argv[2]), '::', () => console.log('listening'));
