// Signs what it is told with npm's jose: the order is JSON on the standard input, the tokens are JSON on the standard output.
import { CompactSign, importPKCS8 } from "jose";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { secrets, keys, rows } = JSON.parse(Buffer.concat(chunks).toString());
const bytes = (text) => new TextEncoder().encode(text);

async function sign({ alg, header, claims, by }) {
	const key = alg === "HS256" ? bytes(secrets[by]) : await importPKCS8(keys[by][alg], alg);
	// The library signs only critical extensions that it is told to know.
	return new CompactSign(bytes(JSON.stringify(claims))).setProtectedHeader({ ...header, alg }).sign(key, { crit: { b64: true } });
}

process.stdout.write(JSON.stringify(await Promise.all(rows.map(sign))));
