// SPDX-License-Identifier: Apache-2.0
// OpenAI's own client talks to serve.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import OpenAI, {AuthenticationError, BadRequestError, NotFoundError} from "openai";
import {Server} from "./serve.mjs";

const model = "story-Q4_K_M";
const messages = [{role: "user", content: "Tell me a story."}];
const sampling = {model, max_tokens: 24, temperature: 0.8, seed: 7};

let server, client;
const client_with = key => new OpenAI({baseURL: server.url + "/v1", apiKey: key, maxRetries: 0});
before(async () => {
  server = await Server.start("--api-key", "secret", "--parallel", "2");
  server.headers = {Authorization: "Bearer secret"};
  client = client_with("secret");
});
after(async () => assert.equal(await server.stop(), 0));

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

test("models", async () => {
  const models = await all(await client.models.list());
  assert.deepEqual(models.map(m => [m.id, m.object]), [[model, "model"]]);
});

test("a chat is the same text whole and streamed, with its usage", async () => {
  const request = {...sampling, messages};
  const whole = await client.chat.completions.create(request);
  const {message, finish_reason} = whole.choices[0];
  assert.equal(whole.object, "chat.completion");
  assert.equal(message.role, "assistant");
  assert.equal(finish_reason, "length");
  assert.ok(message.content.length > 24);
  assert.equal(whole.usage.completion_tokens, 24);
  assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + 24);

  const chunks = await all(await client.chat.completions.create(
      {...request, stream: true, stream_options: {include_usage: true}}));
  assert.ok(chunks.length >= 1 + 24 + 1);
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  const choices = chunks.flatMap(chunk => chunk.choices);
  assert.equal(choices.map(choice => choice.delta.content ?? "").join(""), message.content);
  assert.equal(choices.at(-1).finish_reason, "length");
  assert.equal(chunks.at(-1).usage.completion_tokens, 24);
  assert.deepEqual(new Set(chunks.map(chunk => chunk.id)).size, 1);
});

test("a completion is the same text whole and streamed", async () => {
  const request = {...sampling, prompt: "Once upon a time"};
  const whole = await client.completions.create(request);
  assert.equal(whole.object, "text_completion");
  assert.equal(whole.usage.completion_tokens, 24);
  const chunks = await all(await client.completions.create({...request, stream: true}));
  const text = chunks.flatMap(chunk => chunk.choices).map(choice => choice.text).join("");
  assert.equal(text, whole.choices[0].text);
  assert.ok(text.length > 24);
});

test("the client's own stream helper puts the message together", async () => {
  const seen = [];
  const stream = client.chat.completions.stream({...sampling, messages});
  stream.on("content", delta => seen.push(delta));
  const message = await stream.finalMessage();
  assert.ok(seen.length >= 8);
  assert.equal(message.content, seen.join(""));
});

test("errors are of the client's kinds, and name the field", async () => {
  const chat = more => client.chat.completions.create({model, messages, ...more});
  for (const [param, value] of [["temperature", -1], ["max_tokens", 0.5], ["seed", "x"], ["top_p", {}]]) {
    await assert.rejects(chat({[param]: value}), error => {
      assert.ok(error instanceof BadRequestError);
      assert.equal(error.param, param);
      assert.equal(error.type, "invalid_request_error");
      return true;
    });
  }
  await assert.rejects(chat({messages: [{role: "user", content: "long ".repeat(2000)}]}),
                       /400 .*tokens, but the context of/);
  await assert.rejects(client_with("wrong").models.list(), AuthenticationError);
  await assert.rejects(client.embeddings.create({model, input: "x"}), NotFoundError);
});

test("a stream that is aborted frees its slot, and the next request is answered", async () => {
  const cancelled = await server.metric("requests_cancelled_total");
  await server.slowly(async () => {
    const stream = await client.chat.completions.create(
        {model, messages, max_tokens: 900, stream: true, ignore_eos: true});
    let chunks = 0;
    for await (const _ of stream) {
      if (++chunks === 5) stream.controller.abort();
    }
    assert.ok(chunks >= 5 && chunks < 900);  // some more may have come already
  });
  await server.wait_for("requests_cancelled_total", cancelled + 1);
  assert.equal(await server.metric("slots_busy"), 0);
  const next = await client.chat.completions.create({...sampling, messages});
  assert.equal(next.usage.completion_tokens, 24);
});
