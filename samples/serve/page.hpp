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
  :root { color-scheme: light dark; --accent: #2563eb; --line: color-mix(in srgb, CanvasText 18%, Canvas);
          --soft: color-mix(in srgb, CanvasText 7%, Canvas); --faint: color-mix(in srgb, CanvasText 62%, Canvas);
          --error: color-mix(in srgb, #f00000 70%, CanvasText); }
  * { box-sizing: border-box; }
  [hidden] { display: none !important; }
  body { margin: 0; height: 100dvh; display: flex; flex-direction: column; font: 16px/1.55 system-ui, sans-serif;
         background: Canvas; color: CanvasText; }
  header, main, form { padding: .6rem max(1rem, calc(50% - 23rem)); }
  header { display: flex; gap: .5rem; align-items: center; flex-wrap: wrap; border-bottom: 1px solid var(--line); }
  #model { margin-right: auto; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  main { flex: 1; overflow-y: auto; }
  form { display: flex; gap: .5rem; align-items: end; border-top: 1px solid var(--line); }

  .turn { white-space: pre-wrap; overflow-wrap: anywhere; margin: .6rem 0 1.2rem; }
  .user { width: fit-content; max-width: 85%; margin-left: auto; padding: .45rem .9rem; border-radius: 1.1rem;
          background: var(--soft); }
  .thought { color: var(--faint); border-left: 3px solid var(--line); padding-left: .7rem; margin-bottom: .5rem; }
  .thought:empty { display: none; }
  .note, #turns:empty::before { color: var(--faint); font-size: .85rem; }
  #turns:empty::before { content: "Write a message to begin."; display: block; padding-top: 30dvh; text-align: center; }
  .error { color: var(--error); }

  textarea, input, button { font: inherit; color: inherit; background: Canvas; border: 1px solid var(--line);
                            border-radius: .6rem; padding: .4rem .7rem; }
  textarea { flex: 1; min-width: 0; resize: none; max-height: 40dvh; field-sizing: content; }
  button { background: var(--soft); cursor: pointer; white-space: nowrap; }
  button:hover { border-color: var(--faint); }
  header button, #again { font-size: .9rem; padding: .25rem .6rem; }
  #send { background: var(--accent); border-color: var(--accent); color: white; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: -1px; }
  #controls { flex-basis: 100%; display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .6rem;
              padding: .2rem 0 .4rem; }
  #controls label { display: grid; gap: .1rem; font-size: .85rem; color: var(--faint); }
  #controls input { width: 100%; color: CanvasText; }
  #controls input[type=checkbox] { width: 1.2rem; }
</style>
</head>
<body>
<header>
  <b id="model">Sluice</b>
  <button id="clear">New chat</button>
  <button id="settings" aria-expanded="false" aria-controls="controls">Settings</button>
  <div id="controls" hidden>
    <label>Temperature <input name="temperature" type="number" min="0" step="0.05" value="0.8"></label>
    <label>Top p <input name="top_p" type="number" min="0" max="1" step="0.01" value="0.95"></label>
    <label>Top k <input name="top_k" type="number" min="0" step="1" value="40"></label>
    <label>Min p <input name="min_p" type="number" min="0" max="1" step="0.01" value="0.05"></label>
    <label>Seed <input name="seed" type="number" step="1" placeholder="any"></label>
    <label>Max tokens <input name="max_tokens" type="number" min="1" step="1" placeholder="no limit"></label>
    <label>API key <input id="key" type="password" autocomplete="off" placeholder="if asked for"></label>
    <label>Think first <input id="think" type="checkbox"></label>
  </div>
</header>
<main id="scroll">
  <div id="turns" role="log"></div>
  <button id="again" hidden>Regenerate</button>
</main>
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

// All text goes in as text nodes: nothing that a model writes is ever read as HTML.
function block(kind, text = "") {
  const element = document.createElement("div");
  element.className = kind;
  element.append(text);
  return element;
}

// Changes what is shown; whoever reads the end goes on to see the end.
function show(change) {
  const view = $("scroll"), at_end = view.scrollHeight - view.scrollTop - view.clientHeight < 40;
  change();
  if (at_end) view.scrollTop = view.scrollHeight;
}

function headers() {
  const key = $("key").value;
  return {"Content-Type": "application/json", ...(key && {Authorization: "Bearer " + key})};
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

function set_running(controller) {
  running = controller;
  $("stop").hidden = controller === null;
  $("send").hidden = controller !== null;
  $("again").hidden = controller !== null || messages.length === 0;
}

// "length · first token after 12 ms · 90 tokens · 310.5 tok/s", with what of it is known.
function summary(reason, usage, start, first, last) {
  const parts = [reason];
  if (first) parts.push("first token after " + Math.round(first - start) + " ms");
  if (usage) parts.push(usage.completion_tokens + " tokens");
  if (usage && first) {
    const since = last - first > 50 ? first : start;  // what comes in one packet has no rate of its own
    parts.push((usage.completion_tokens * 1000 / (last - since)).toFixed(1) + " tok/s");
  }
  return parts.join(" · ");
}

async function answer() {
  const conversation = messages;
  const turn = block("turn assistant");
  const thought = block("thought"), content = block("content"), note = block("note", "…");
  turn.append(thought, content, note);
  show(() => $("turns").append(turn));
  set_running(new AbortController());
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
      const {reasoning_content: thinks, content: says} = choice.delta;
      if (!thinks && !says) continue;
      last = performance.now();
      first ||= last;
      show(() => {
        if (thinks) thought.append(thinks);
        if (says) content.append(says);
      });
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      reason = "failed";
      turn.insertBefore(block("error", error.message), note);
    }
  }
  show(() => {
    note.textContent = summary(reason, usage, start, first, last);
    conversation.push({role: "assistant", content: content.textContent});
    set_running(null);
  });
}

$("form").addEventListener("submit", event => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (running || text === "") return;
  $("text").value = "";
  messages.push({role: "user", content: text});
  $("turns").append(block("turn user", text));
  $("again").hidden = true;
  $("scroll").scrollTop = $("scroll").scrollHeight;
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
$("settings").addEventListener("click", () => {
  $("controls").hidden = !$("controls").hidden;
  $("settings").ariaExpanded = !$("controls").hidden;
});
async function name_model() {
  const response = await fetch("v1/models", {headers: headers()});
  if (response.ok) document.title = $("model").textContent = (await response.json()).data[0].id;
}
$("key").addEventListener("change", name_model);
name_model();
</script>
</body>
</html>
)html";

}  // namespace samples
