// The JavaScript client, run by `node --test` against what test_javascript.py has started.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Busy, CLASSES, Client, NotFound, TTSError, Unauthorised, Unreachable } from "../../client/js/worker-tts.js";

const { TTS_ADDRESS: address, TTS_KEY: key, TTS_CODES: codes } = process.env;
const client = new Client({ address, key });
const LONG = "One sentence after the other. ".repeat(200);

async function quiet() {
  // No job is left running: where the place is one server's, its health says so.
  for (;;) {
    const { jobs } = await (await fetch(`${client.base}/health`, { headers: { Authorization: `Bearer ${key}` } })).json();
    if (!jobs.inProgress && !jobs.inQueue) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("a whole file comes as bytes and as a blob", async () => {
  const speech = await client.say("Hello there.", { format: "flac", voice: "low" });
  assert.equal(new TextDecoder().decode(speech.bytes.slice(0, 4)), "fLaC");
  assert.equal(speech.blob.type, "audio/flac");
  assert.equal(speech.blob.size, speech.answer.audio.bytes);
  assert.equal(speech.answer.voice, "low");
});

test("a stream is iterated, and tells its answer in the end", async () => {
  const stream = client.stream("One sentence. And a second one.", { format: "pcm" });
  let bytes = 0;
  for await (const piece of stream) bytes += piece.length;
  assert.equal(stream.started.model, "tone");
  assert.equal(bytes, stream.answer.audio.bytes);
});

test("a stream is a blob and a ReadableStream", async () => {
  assert.ok((await client.stream("Hello.").blob()).size > 100);
  const whole = await new Response(client.stream("Hello.", { format: "wav" }).readable()).arrayBuffer();
  assert.equal(new TextDecoder().decode(whole.slice(0, 4)), "RIFF");
});

test("voices and models are lists", async () => {
  assert.deepEqual(await client.voices(), []);
  assert.ok((await client.models()).some((model) => model.id === "hibari"));
});

test("refusals are thrown by their family", async () => {
  await assert.rejects(client.say("Hello.", { voice: "nobody" }), (error) => {
    assert.ok(error instanceof NotFound && error instanceof TTSError);
    assert.deepEqual([error.code, error.field, error.retryable], ["unknown_voice", "voice", false]);
    return true;
  });
  await assert.rejects(new Client({ address, key: "wrong" }).say("Hello."), Unauthorised);
  await assert.rejects(new Client({ address: "http://127.0.0.1:9", tries: 1 }).say("Hello."), Unreachable);
});

test("every code of the contract has its class", () => {
  for (const code of codes.split(",")) assert.ok(CLASSES.has(code), code);
});

test("leaving the loop ends the job", async () => {
  for await (const piece of client.stream(LONG, { format: "pcm" })) {
    assert.ok(piece.length);
    break;
  }
  await quiet();
});

test("an AbortSignal ends it, and what it threw is the signal's reason", async () => {
  const abort = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of client.stream(LONG, { format: "pcm", signal: abort.signal })) abort.abort(new Error("enough"));
    },
    { message: "enough" },
  );
  await quiet();
});

test("429 is tried again after the time that it names", async () => {
  const answers = [429, 429, 200];
  const times = [];
  const fetch = (url, options) => {
    times.push(Date.now());
    const status = answers.shift();
    if (status === 429) return Promise.resolve(new Response("{}", { status, headers: { "Retry-After": "0" } }));
    return globalThis.fetch(url, options);
  };
  assert.ok((await new Client({ address, key, fetch }).say("Hello.")).bytes.length);
  assert.ok(times.length >= 3);
  const full = () => Promise.resolve(new Response("{}", { status: 429, headers: { "Retry-After": "0" } }));
  await assert.rejects(new Client({ address, key, fetch: full }).say("Hello."), Busy);
});

test("what may have arrived is not sent twice", async () => {
  let sent = 0;
  const fetch = () => {
    sent += 1;
    return Promise.reject(new TypeError("network"));
  };
  await assert.rejects(new Client({ address, key, fetch }).say("Hello."), /not sent again/);
  assert.equal(sent, 1);
});
