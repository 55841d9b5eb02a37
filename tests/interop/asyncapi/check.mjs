// Reads a document with AsyncAPI's own parser; anything worse than information is a failure.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [document, modules] = process.argv.slice(2);
const { Parser, fromFile } = createRequire(pathToFileURL(`${modules}/`))('@asyncapi/parser');
const INFORMATION = 2;
const read = await fromFile(new Parser(), document).parse();
for (const { code, message, path } of read.diagnostics) console.log(`${code} at ${path.join('.')}: ${message}`);
if (!read.document || read.diagnostics.some(({ severity }) => severity < INFORMATION)) process.exit(1);
const [channels, messages] = [read.document.channels().all(), read.document.messages().all()];
console.log(`AsyncAPI's parser reads ${channels.length} channels and ${messages.length} messages`);
