#!/usr/bin/env bash
# Guess:   a library that reads PROXY headers tells the client's address, and what the client has said from its first byte
#          on, for each header that a proxy may send: version 2 with additions behind the addresses (TLVs, as haproxy's
#          `proxy-v2-options` and load balancers of clouds add them), and `PROXY UNKNOWN` for a connection of its own.
# Truth:   proxy-protocol-js tells the additions as the beginning of the client's data, though the header's own length
#          counts them, and says of `PROXY UNKNOWN\r\n`, the shortest valid header, that it is none. What its own
#          example makes, a header of version 2 without additions, is read right, and so is version 1 with addresses.
# Version: proxy-protocol-js 4.0.6 (npm). Source: what it tells, as printed; "The PROXY protocol", haproxy.org, 2.1 and 2.2.
# So:      behind a proxy whose headers have additions take something else, or have the proxy send none.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund proxy-protocol-js@4.0.6

cat >find.cjs <<'JAVASCRIPT'
const assert = require("node:assert/strict");
const { V1ProxyProtocol, V2ProxyProtocol } = require("proxy-protocol-js");

const SAID = Buffer.from("GET /room HTTP/1.1\r\n");

/** A header of version 2 for TCP over IPv4 from 192.0.2.1:4000 to 192.0.2.9:80, with these additions. */
function second(additions) {
	const addresses = Buffer.from([192, 0, 2, 1, 192, 0, 2, 9, 0x0f, 0xa0, 0, 80]);
	const length = Buffer.alloc(2);
	length.writeUInt16BE(addresses.length + additions.length);
	return Buffer.concat([Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x11"), length, addresses, Buffer.from(additions), SAID]);
}

/** What proxy-protocol-js tells: the client's address and what it has said. */
function read(bytes) {
	if (bytes[0] === "P".charCodeAt(0)) {
		try {
			const { source, data } = V1ProxyProtocol.parse(bytes.toString());
			return [source.ipAddress, data];
		} catch (error) {
			return [error.message];
		}
	}
	const { proxyAddress, data } = V2ProxyProtocol.parse(new Uint8Array(bytes));
	return [proxyAddress.sourceAddress.address.join("."), Buffer.from(data).toString()];
}

const first = (head) => Buffer.concat([Buffer.from(`PROXY ${head}\r\n`), SAID]);
const ALPN = [1, 0, 2, 0x68, 0x32];
const headers = {
	"version 1": [first("TCP4 192.0.2.1 192.0.2.9 4000 80"), ["192.0.2.1", `${SAID}`]],
	"version 2": [second([]), ["192.0.2.1", `${SAID}`]],
	"version 2, ALPN": [second(ALPN), ["192.0.2.1", `\x01\0\x02h2${SAID}`]],
	UNKNOWN: [first("UNKNOWN"), ["given data isn't suitable for V1 PROXY protocols definition"]],
};
for (const [name, [bytes, expected]] of Object.entries(headers)) {
	const told = read(bytes);
	console.log(name.padEnd(16), JSON.stringify(told));
	assert.deepEqual(told, expected, "it is told in another way now");
}
JAVASCRIPT
node find.cjs
echo "as found: proxy-protocol-js 4.0.6 tells the additions of a header as the client's data"
