// The same with uWebSockets.js, the fastest HTTP server that Node has: C++, with one call of JavaScript a request.
"use strict";
const uws = require("@trufflesuite/uws-js-unofficial");

if (!Object.keys(require.cache).some((name) => name.endsWith(".node"))) {
	throw new Error("this is the package's stand-in in JavaScript: Node 16, 18 or 20 has the real one");
}

const answer = '{"room":"bench","seq":1000000,"at":1763700001456,"durable":"memory"}\n';

uws
	.App()
	.post("/*", (response) => {
		response.onAborted(() => {});
		response.onData((_chunk, isLast) => {
			if (isLast) response.writeStatus("201 Created").writeHeader("Content-Type", "application/json").end(answer);
		});
	})
	.listen("127.0.0.1", 0, (listener) => {
		console.log(`listening http://127.0.0.1:${uws.us_socket_local_port(listener)}`);
	});
