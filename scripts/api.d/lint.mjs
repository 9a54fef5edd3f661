// Requires that the two documents are what they say they are: OpenAPI by Redocly's linter, AsyncAPI by its own parser.
import { readFile } from "node:fs/promises";
import asyncapi from "@asyncapi/parser";
import { createConfig, lint } from "@redocly/openapi-core";

const [, , openapiPath, asyncapiPath] = process.argv;
// The server listens on loopback by HTTP; refusals are described once for all statuses, by `default`.
const rules = { "no-server-example.com": "off", "operation-4xx-response": "off", "info-license": "error" };
const config = await createConfig({ extends: ["recommended"], rules });
const found = await lint({ ref: openapiPath, config });
for (const { severity, ruleId, message, location } of found) console.error(`${severity} ${ruleId}: ${message} at ${location?.[0]?.pointer}`);

const { document, diagnostics } = await new asyncapi.Parser().parse(await readFile(asyncapiPath, "utf8"));
// Hints say what a newer version of the format would be.
const faults = diagnostics.filter(({ severity }) => severity < 2);
for (const { code, message, path } of faults) console.error(`${code}: ${message} at ${path.join("/")}`);
const isWhole = document?.operations().length > 35;
if (!isWhole) console.error("the AsyncAPI document has too few operations");
process.exit(found.length || faults.length || !isWhole ? 1 : 0);
