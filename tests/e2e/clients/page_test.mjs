// SPDX-License-Identifier: Apache-2.0
// The chat page of serve in Chromium, as people use it. Leaves page_*.png in $PICTURES, if that is set.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";
import {chromium} from "playwright-core";
import {Server} from "./serve.mjs";

let server, browser;
before(async () => {
  server = await Server.start();
  browser = await chromium.launch({executablePath: "/usr/bin/chromium", args: ["--no-sandbox"]});
});
after(async () => {
  await browser?.close();
  assert.equal(await server.stop(), 0);
});

// The page as a person sees it: names of things, not of elements.
async function open(options = {}) {
  const page = await browser.newPage({viewport: {width: 1000, height: 700}, ...options});
  page.setDefaultTimeout(30_000);
  page.requests = [];
  page.faults = [];
  page.on("request", request => page.requests.push(request));
  page.on("console", message => message.type() === "error" && page.faults.push(message.text()));
  page.on("pageerror", error => page.faults.push(error.message));
  await page.goto(server.url);
  await page.getByText("story-Q4_K_M").waitFor();
  return page;
}
const button = (page, name) => page.getByRole("button", {name});
const answers = page => page.locator(".assistant .content");
const notes = page => page.locator(".assistant .note");
const picture = (page, name) =>
    process.env.PICTURES && page.screenshot({path: `${process.env.PICTURES}/page_${name}.png`});

async function send(page, text) {
  await page.getByLabel("Message").fill(text);
  await page.keyboard.press("Enter");
}
const until_done = page => button(page, "Send").waitFor();

async function set(page, values) {
  await button(page, "Settings").click();
  for (const [name, value] of Object.entries(values)) await page.getByLabel(name, {exact: true}).fill(value);
  await button(page, "Settings").click();
}

// Answers the page's requests in the server's place.
const answer_with = (page, ...deltas) => page.route("**/v1/chat/completions", route => route.fulfill({
  contentType: "text/event-stream",
  body: deltas.map(delta => `data: ${JSON.stringify(delta)}\n\n`).join(""),
}));
const delta = content => ({choices: [{delta: content}]});

test("two turns stream, with their figures, and the page asks nobody but its server", async () => {
  const page = await open();
  await set(page, {"Max tokens": "60"});
  await page.evaluate(() => {
    window.lengths = new Set();
    new MutationObserver(() => {
      const content = document.querySelector(".assistant .content");
      if (content) window.lengths.add(content.textContent.length);
    }).observe(document.body, {childList: true, subtree: true});
  });
  await send(page, "Tell me a story about a little bird.");
  await until_done(page);
  const [first] = await answers(page).allTextContents();
  assert.ok(first.length > 20);
  assert.ok(await page.evaluate(() => window.lengths.size) > 5, "it must grow, not appear");
  assert.match(await notes(page).textContent(), /^(stop|length) · first token after \d+ ms · \d+ tokens · [\d.]+ tok\/s$/);

  await send(page, "And then?");
  await until_done(page);
  assert.equal(await answers(page).count(), 2);
  const {messages} = page.requests.at(-1).postDataJSON();
  assert.deepEqual(messages.map(m => m.role), ["user", "assistant", "user"]);
  assert.equal(messages[1].content, first);

  await picture(page, "light");
  assert.ok(page.requests.every(request => request.url().startsWith(server.url)));
  assert.deepEqual(page.faults, []);
  await button(page, "New chat").click();
  assert.equal(await answers(page).count(), 0);
  await page.close();
});

test("stop ends an answer, keeps its text and frees the slot", async () => {
  const page = await open();
  await set(page, {"Max tokens": "1000"});
  await page.route("**/v1/chat/completions", route => {
    const body = {...route.request().postDataJSON(), ignore_eos: true};
    return route.continue({postData: JSON.stringify(body)});
  });
  await server.slowly(async () => {
    await send(page, "Tell me a story.");
    await page.waitForFunction(() => document.querySelector(".content")?.textContent.length > 20);
    await button(page, "Stop").click();
  });
  await until_done(page);
  assert.match(await notes(page).textContent(), /^stopped/);
  assert.ok((await answers(page).textContent()).length > 20);
  await server.wait_for("requests_cancelled_total", 1);
  assert.equal(await server.metric("slots_busy"), 0);
  await page.close();
});

test("a seed gives the same text again, regenerated or in a new chat; another seed another", async () => {
  const page = await open();
  const text_of = async act => {
    await act();
    await until_done(page);
    assert.equal(await answers(page).count(), 1);
    return answers(page).textContent();
  };
  await set(page, {Seed: "5", Temperature: "1", "Max tokens": "40"});
  const first = await text_of(() => send(page, "Tell me a story."));
  assert.equal(page.requests.at(-1).postDataJSON().seed, 5);
  assert.match(await notes(page).textContent(), /40 tokens/);
  assert.equal(await text_of(() => button(page, "Regenerate").click()), first);
  await set(page, {Seed: "6"});
  assert.notEqual(await text_of(() => button(page, "Regenerate").click()), first);
  await page.close();
});

test("text of model, user and errors is never read as HTML", async () => {
  const page = await open();
  const hostile = `<img src=x onerror="window.hurt=1"><script>window.hurt=1</script><b>bold</b>`;
  await answer_with(page, delta({reasoning_content: hostile}), delta({content: hostile}), {error: {message: hostile}});
  await send(page, hostile);
  await until_done(page);
  for (const place of [".user", ".thought", ".content", ".error"]) {
    assert.equal(await page.locator(place).textContent(), hostile);
    assert.equal(await page.locator(`${place} *`).count(), 0);
  }
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  await page.close();
});

test("an error is shown, and the next message is answered", async () => {
  const page = await open();
  await set(page, {Temperature: "-1"});
  await send(page, "Hello");
  await until_done(page);
  assert.match(await page.locator(".error").textContent(), /^temperature: -1 is negative/);
  await set(page, {Temperature: "0", "Max tokens": "20"});
  await send(page, "Hello again");
  await until_done(page);
  assert.ok((await answers(page).last().textContent()).length > 5);
  await page.close();
});

test("it is dark where people want it dark, and fits a phone", async () => {
  const brightness = page => page.evaluate(
      () => getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).map(Number));
  const light = await open({colorScheme: "light"});
  assert.ok((await brightness(light)).every(value => value > 200));
  await light.close();

  const dark = await open({colorScheme: "dark", viewport: {width: 375, height: 667}, hasTouch: true, isMobile: true});
  assert.ok((await brightness(dark)).every(value => value < 60));
  await set(dark, {"Max tokens": "60"});
  await send(dark, "Tell me a story about a word of many letters: " + "x".repeat(200));
  await until_done(dark);
  await picture(dark, "phone");
  await button(dark, "Settings").tap();
  await dark.getByLabel("Seed").waitFor();
  await picture(dark, "settings");
  assert.equal(await dark.evaluate(() => document.documentElement.scrollWidth), 375);
  for (const name of ["Send", "New chat", "Settings"]) {
    const box = await button(dark, name).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 375, `${name} is on the screen`);
  }
  await dark.close();
});
