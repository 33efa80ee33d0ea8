// SPDX-License-Identifier: Apache-2.0
//! The chat page that `serve` shows at "/": one static document that asks nobody but its own server.
#pragma once

#include <string_view>

namespace samples {

inline constexpr std::string_view chat_page = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice</title>
<style>
  :root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 20%, Canvas);
          --soft: color-mix(in srgb, CanvasText 7%, Canvas); --accent: #2563eb; }
  * { box-sizing: border-box; }
  body { margin: 0; height: 100dvh; display: flex; flex-direction: column; font: 16px/1.5 system-ui, sans-serif;
         background: Canvas; color: CanvasText; }
  header, form { padding: .6rem max(1rem, calc(50% - 24rem)); border: solid var(--line); border-width: 0 0 1px; }
  form { border-width: 1px 0 0; display: flex; gap: .5rem; align-items: end; }
  header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
  header b { margin-right: auto; }
  main { flex: 1; overflow-y: auto; padding: 1rem max(1rem, calc(50% - 24rem)); }
  .turn { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 1rem; }
  .user { background: var(--soft); border-radius: .8rem; padding: .5rem .8rem; margin-left: 15%; }
  .thought { color: GrayText; border-left: 3px solid var(--line); padding-left: .7rem; margin-bottom: .5rem; }
  .thought:empty { display: none; }
  .note { color: GrayText; font-size: .85rem; }
  .error { color: #dc2626; }
  textarea, input { font: inherit; color: inherit; background: Canvas; border: 1px solid var(--line);
                    border-radius: .5rem; padding: .4rem .6rem; }
  textarea { flex: 1; resize: none; max-height: 40dvh; }
  button { font: inherit; border: 1px solid var(--line); border-radius: .5rem; padding: .4rem .9rem;
           background: var(--soft); color: inherit; cursor: pointer; }
  button[type=submit] { background: var(--accent); border-color: var(--accent); color: white; }
  [hidden] { display: none !important; }
  .controls { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .5rem; padding: .5rem 0; }
  .controls label { display: grid; font-size: .85rem; }
  .controls input { width: 100%; }
  details { width: 100%; }
</style>
</head>
<body>
<header>
  <b id="model">Sluice</b>
  <button id="again" hidden>Regenerate</button>
  <button id="clear">New chat</button>
  <details>
    <summary>Settings</summary>
    <div class="controls" id="controls">
      <label>Temperature <input name="temperature" type="number" min="0" step="0.05" value="0.8"></label>
      <label>Top p <input name="top_p" type="number" min="0" max="1" step="0.01" value="0.95"></label>
      <label>Top k <input name="top_k" type="number" min="0" step="1" value="40"></label>
      <label>Min p <input name="min_p" type="number" min="0" max="1" step="0.01" value="0.05"></label>
      <label>Seed (empty: any) <input name="seed" type="number" step="1"></label>
      <label>Most tokens <input name="max_tokens" type="number" min="1" step="1"></label>
      <label>API key <input id="key" type="password" autocomplete="off"></label>
      <label>Think first <input id="think" type="checkbox"></label>
    </div>
  </details>
</header>
<main id="turns" aria-live="polite"></main>
<form id="form">
  <textarea id="text" rows="1" placeholder="Write a message" aria-label="Message" autofocus></textarea>
  <button id="send" type="submit">Send</button>
  <button id="stop" type="button" hidden>Stop</button>
</form>
<script>
"use strict";
const $ = id => document.getElementById(id);
let messages = [];
let running = null;  // the AbortController of the answer that streams

// All text goes in by textContent: nothing that a model writes is ever read as HTML.
function add(kind, text = "") {
  const element = document.createElement("div");
  element.className = kind;
  element.textContent = text;
  return element;
}

function headers() {
  const key = $("key").value;
  return key ? {"Content-Type": "application/json", Authorization: "Bearer " + key} : {"Content-Type": "application/json"};
}

function request() {
  const body = {messages, stream: true, stream_options: {include_usage: true},
                chat_template_kwargs: {enable_thinking: $("think").checked}};
  for (const input of $("controls").querySelectorAll("input[name]")) {
    if (input.value !== "") body[input.name] = Number(input.value);
  }
  return JSON.stringify(body);
}

// The objects of an event stream, in order.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const {done, value} = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      if (part.startsWith("data: ") && part !== "data: [DONE]") yield JSON.parse(part.slice(6));
    }
  }
}

function show_running(controller) {
  running = controller;
  $("stop").hidden = controller === null;
  $("send").hidden = controller !== null;
  $("again").hidden = controller !== null || messages.length === 0;
}

async function answer() {
  const conversation = messages;
  const turn = add("turn assistant"), thought = add("thought"), content = add("content"), note = add("note", "…");
  turn.append(thought, content, note);
  $("turns").append(turn);
  show_running(new AbortController());
  const start = performance.now();
  let first = 0, last = 0, usage = null, reason = "stopped";
  try {
    const response = await fetch("v1/chat/completions",
                                 {method: "POST", headers: headers(), body: request(), signal: running.signal});
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      usage = event.usage ?? usage;
      const choice = event.choices[0];
      if (!choice) continue;
      reason = choice.finish_reason ?? reason;
      const {reasoning_content, content: text} = choice.delta;
      if (reasoning_content === undefined && text === undefined || choice.delta.role) continue;
      last = performance.now();
      first ||= last;
      thought.textContent += reasoning_content ?? "";
      content.textContent += text ?? "";
      turn.scrollIntoView({block: "end"});
    }
  } catch (error) {
    if (error.name !== "AbortError") turn.append(add("error", error.message));
  }
  const parts = [reason];
  if (first) parts.push("first token after " + Math.round(first - start) + " ms");
  if (usage) parts.push(usage.completion_tokens + " tokens");
  if (usage && last > first) {
    parts.push(((usage.completion_tokens - 1) * 1000 / (last - first)).toFixed(1) + " tok/s");
  }
  note.textContent = parts.join(" · ");
  conversation.push({role: "assistant", content: content.textContent});
  show_running(null);
}

$("form").addEventListener("submit", event => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (running || text === "") return;
  $("text").value = "";
  messages.push({role: "user", content: text});
  $("turns").append(add("turn user", text));
  answer();
});
$("text").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("form").requestSubmit();
});
$("stop").addEventListener("click", () => running?.abort());
$("again").addEventListener("click", () => {
  if (running || messages.length === 0) return;
  messages.pop();
  $("turns").lastElementChild.remove();
  answer();
});
$("clear").addEventListener("click", () => {
  running?.abort();
  messages = [];
  $("turns").replaceChildren();
  $("again").hidden = true;
});
fetch("v1/models", {headers: headers()}).then(r => r.json())
    .then(list => $("model").textContent = list.data[0].id).catch(() => {});
</script>
</body>
</html>
)html";

}  // namespace samples
