// A fastify server that validates bodies with ajv and answers each operation of an OpenAPI document with its example.
// node fastify_server.js MODULES DOCUMENT PORT
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");

const [modules, document, port] = process.argv.slice(2);
const fastify = createRequire(`${modules}/`)("fastify")({
  bodyLimit: 64 * 1024 * 1024,
  ajv: { customOptions: { allErrors: true, coerceTypes: false, removeAdditional: false, useDefaults: false } },
});
for (const [url, item] of Object.entries(JSON.parse(readFileSync(document)).paths)) {
  for (const [method, operation] of Object.entries(item)) {
    const body = operation.requestBody.content["application/json"].schema;
    const answer = operation.responses["200"].content["application/json"].example;
    fastify.route({ method: method.toUpperCase(), url, schema: { body }, handler: async () => answer });
  }
}
fastify.listen({ port: Number(port), host: "127.0.0.1" });
