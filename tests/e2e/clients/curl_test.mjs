// SPDX-License-Identifier: Apache-2.0
// curl talks to serve.
import assert from "node:assert/strict";
import {execFile} from "node:child_process";
import {after, before, test} from "node:test";
import {promisify} from "node:util";
import {Server} from "./serve.mjs";

let server;
before(async () => server = await Server.start());
after(async () => assert.equal(await server.stop(), 0));

// What curl prints.
const curl = async (path, ...flags) =>
    (await promisify(execFile)("curl", ["--silent", "--show-error", "--no-buffer", ...flags, server.url + path])).stdout;
const body = more => JSON.stringify({prompt: "Once upon a time", max_tokens: 8, seed: 1, ignore_eos: true, ...more});

test("streams an event a token, and [DONE]", async () => {
  const events = (await curl("/v1/completions", "--data", body({stream: true}))).trimEnd().split("\n\n");
  assert.ok(events.length >= 8 + 2);
  assert.ok(events.every(event => event.startsWith("data: ")));
  assert.equal(events.pop(), "data: [DONE]");
  const text = events.map(event => JSON.parse(event.slice(6)).choices[0].text).join("");
  assert.equal(text, JSON.parse(await curl("/v1/completions", "--data", body())).choices[0].text);
});

test("--fail sees an error", async () => {
  await assert.rejects(curl("/v1/completions", "--fail", "--data", "{}"), /\b400\b/);
});

test("reads the server's other pages", async () => {
  assert.deepEqual(JSON.parse(await curl("/health")), {status: "ok"});
  assert.match(await curl("/metrics"), /^sluice_slots 4$/m);
  const {tokens} = JSON.parse(await curl("/tokenize", "--json", '{"content": "Hello"}'));
  assert.deepEqual(JSON.parse(await curl("/detokenize", "--json", JSON.stringify({tokens}))), {content: "Hello"});
});
