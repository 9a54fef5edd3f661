// What a POST costs in Node at the least: its own HTTP server discards the body and gives a fixed answer.
"use strict";
const http = require("node:http");

const answer = Buffer.from('{"room":"bench","seq":1000000,"at":1763700001456,"durable":"memory"}\n');
const fields = { "Content-Type": "application/json", "Content-Length": answer.length };

const server = http.createServer((request, response) => {
	request.resume();
	request.on("end", () => response.writeHead(201, fields).end(answer));
});
// Connections are kept for as long as the measurement takes.
server.keepAliveTimeout = 0;
server.requestTimeout = 0;
server.listen(0, "127.0.0.1", () => console.log(`listening http://127.0.0.1:${server.address().port}`));
