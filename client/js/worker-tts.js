/**
 * A client of a worker-tts server, or of a RunPod endpoint that runs it: for browsers, Node 18 and newer, edge workers.
 *
 * No dependencies: `fetch`, streams and `AbortSignal` are all it needs. A server of ours answers `/run` with the job's
 * events as lines; RunPod answers with an id, which is then asked tightly. What may have arrived is never sent twice.
 */

const LINES = "application/x-ndjson";
const OPEN = new Set(["IN_QUEUE", "IN_PROGRESS", "RUNNING"]);
const FLOOR_SECONDS = 0.02;
const QUEUED_SECONDS = 0.25;
const LONGEST_PAUSE = 30;
const PAGE = 500;
const TYPES = { wav: "audio/wav", mp3: "audio/mpeg", opus: "audio/ogg", flac: "audio/flac", aac: "audio/aac" };

export class TTSError extends Error {
  constructor(message, { code = "internal", field = null, hint = null, position = null, retryable = false } = {}) {
    super([message, hint].filter(Boolean).join(" "));
    this.name = new.target.name;
    Object.assign(this, { code, field, hint, position, retryable });
  }
}
export class InvalidRequest extends TTSError {}
export class BadReference extends InvalidRequest {}
export class NotFound extends TTSError {}
export class NotSupported extends TTSError {}
export class Conflict extends TTSError {}
export class Unauthorised extends TTSError {}
export class Busy extends TTSError {}
export class TimedOut extends TTSError {}
export class Cancelled extends TTSError {}
export class ServerError extends TTSError {}
export class Unreachable extends TTSError {}

const FAMILIES = [
  [InvalidRequest, "invalid_input bad_markup text_too_long voice_unusable unsupported_language payload_too_large"],
  [BadReference, "reference_refused reference_unreachable reference_too_large reference_too_short reference_not_audio"],
  [NotFound, "not_found unknown_model model_not_in_this_worker unknown_voice unknown_lexicon"],
  [NotSupported, "not_supported not_installed"],
  [Conflict, "voice_exists key_conflict"],
  [Unauthorised, "unauthorised licence_not_accepted consent_required"],
  [Busy, "busy"],
  [TimedOut, "timed_out"],
  [Cancelled, "cancelled"],
  [ServerError, "storage_failed out_of_memory weights_missing misconfigured internal"],
  [Unreachable, "unreachable"],
];
export const CLASSES = new Map(FAMILIES.flatMap(([family, codes]) => codes.split(" ").map((code) => [code, family])));
const STATUSES = { 401: "unauthorised", 403: "unauthorised", 404: "not_found", 413: "payload_too_large", 429: "busy" };

export class Client {
  /** `address`: a server's, or one that ends in `/v2/...`; `seconds`: for one answer, cold start included. */
  constructor({ address = "http://127.0.0.1:8000", key = "", seconds = 600, tries = 4, fetch: own } = {}) {
    const trimmed = address.replace(/\/+$/, "");
    this.base = trimmed.includes("/v2/") ? trimmed : `${trimmed}/v2/tts`;
    this.key = key;
    this.seconds = seconds;
    this.tries = tries;
    this.fetch = own ?? globalThis.fetch.bind(globalThis);
  }

  /** Straight at a deployed RunPod endpoint. Never in a browser: the key would be everybody's. */
  static endpoint(id, key, more = {}) {
    return new this({ ...more, address: `https://api.runpod.ai/v2/${id}`, key });
  }

  /** The whole file: `{blob, bytes, answer}`. */
  async say(text, { signal, s3Config, ...fields } = {}) {
    const { answer, bytes } = await this.ask("speak", { signal, s3Config, text, ...fields });
    const whole = bytes ?? (await this.#fetched(answer, signal));
    return { bytes: whole, blob: new Blob([whole], { type: TYPES[answer.audio.format] ?? "" }), answer };
  }

  /** As it is made: `for await (const bytes of client.stream(...))`. Leaving the loop ends the job. */
  stream(text, { signal, s3Config, ...fields } = {}) {
    return new Stream(
      this.events("speak", { signal, s3Config, text, format: "mp3", ...fields, delivery: "stream" }),
      fields.format ?? "mp3",
    );
  }

  /** All of the library, page after page. */
  async voices({ signal, ...wanted } = {}) {
    const found = [];
    for (;;) {
      const page = found.length / PAGE + 1;
      const { answer } = await this.ask("voices.list", { signal, ...wanted, page: Math.floor(page), page_size: PAGE });
      found.push(...answer.voices);
      if (!answer.voices.length || found.length >= answer.total) return found;
    }
  }

  async models(wanted = {}) {
    return (await this.ask("models.list", wanted)).answer.models;
  }

  /** One page of the history. */
  async jobs(wanted = {}) {
    return (await this.ask("jobs.list", wanted)).answer.jobs;
  }

  /** Any operation: `{answer, bytes}`. Throws a TTSError. */
  async ask(op, fields = {}) {
    for await (const event of this.events(op, fields)) if (event.event === "done") return answerOf(event);
    throw new ServerError("The job ended without an answer.");
  }

  /** Every event of any operation, up to `done`. */
  async *events(op, { signal, s3Config, ...fields } = {}) {
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
    const body = { input: { op, ...given }, ...(s3Config ? { s3Config } : {}) };
    const talk = { id: "", next: 0, began: Date.now(), status: "", looks: 0 };
    const response = await this.#call("POST", "run", body, { signal, again: Boolean(given.key) });
    if (response.headers.get("content-type")?.startsWith(LINES)) {
      yield* listened(response, talk, signal);
      return;
    }
    talk.id = String((await object(response)).id ?? "");
    if (!talk.id) throw new ServerError("The server took the job and named no id.");
    try {
      yield* this.#polled(talk, signal);
    } finally {
      if (talk.id) await this.#send("POST", `cancel/${talk.id}`, {}).catch(() => null);
    }
  }

  async *#polled(talk, signal) {
    for (;;) {
      const told = await object(await this.#call("GET", `stream/${talk.id}`, undefined, { signal, again: true }));
      const said = (told.stream ?? []).map((each) => each.output);
      for (const event of said) {
        if (event?.event === "done") {
          yield await this.#ended(talk, event, signal);
          return;
        }
        followed(talk, event);
        if (event) yield event;
      }
      if (!OPEN.has(told.status) && !said.length) {
        yield await this.#ended(talk, null, signal);
        return;
      }
      await this.#pause(talk, told.status, signal);
    }
  }

  /** A stream's answer is whole in the stream; a file's, and one that was not seen there, is in the status. */
  async #ended(talk, done, signal) {
    if (done && talk.next && "segments" in done) {
      talk.id = "";
      return done;
    }
    for (;;) {
      const told = await object(await this.#call("GET", `status/${talk.id}`, undefined, { signal, again: true }));
      if (!OPEN.has(told.status)) {
        talk.id = "";
        return finalOf(told);
      }
      await this.#pause(talk, told.status, signal);
    }
  }

  async #pause(talk, status, signal) {
    if (Date.now() - talk.began > this.seconds * 1000) {
      throw new TimedOut(`There was no answer within ${this.seconds} s.`, { code: "timed_out", retryable: true });
    }
    talk.looks = status === talk.status ? talk.looks + 1 : 0;
    talk.status = status;
    const long = status === "IN_QUEUE" && talk.looks > 5;
    await slept(long ? Math.min(QUEUED_SECONDS, FLOOR_SECONDS * 1.2 ** talk.looks) : FLOOR_SECONDS, signal);
  }

  /** Sent again where it surely did nothing; where its answer was lost, if it may be. */
  async #call(method, path, body, { signal, again }) {
    for (let left = this.tries - 1; ; left--) {
      let response = null;
      try {
        response = await this.#send(method, path, body, signal);
      } catch (error) {
        signal?.throwIfAborted();
        // `fetch` does not say whether anything was sent: what may not be sent twice is not.
        if (!left || !again) {
          const said = again ? "" : " The job may be running all the same, so it was not sent again.";
          throw new Unreachable(`The server did not answer.${said}`, { code: "unreachable", retryable: true });
        }
      }
      if (response?.ok) return response;
      const later = response === null || response.status === 429 || (again && response.status >= 500);
      if (!left || !later) throw await refusal(response);
      const after = Number(response?.headers.get("retry-after") ?? NaN);
      await response?.body?.cancel();
      const wait = Number.isFinite(after) ? after : 0.25 * 2 ** (this.tries - left) * (0.5 + Math.random() / 2);
      await slept(Math.min(wait, LONGEST_PAUSE), signal);
    }
  }

  #send(method, path, body, signal) {
    const headers = { Accept: `${LINES}, application/json` };
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    if (body) headers["Content-Type"] = "application/json";
    return this.fetch(`${this.base}/${path}`, { method, headers, body: body && JSON.stringify(body), signal });
  }

  /** The key stays here: the file's address is signed. */
  async #fetched(answer, signal) {
    if (!answer.audio?.url) {
      throw new InvalidRequest("The file is too large for the endpoint's queue, and was left on its own volume.", {
        code: "payload_too_large",
        hint: "Ask for a stream or a smaller format, or set up a bucket on the endpoint.",
      });
    }
    const response = await this.fetch(answer.audio.url, { signal });
    if (!response.ok) throw new Unreachable("The finished file could not be fetched.", { code: "unreachable" });
    return new Uint8Array(await response.arrayBuffer());
  }
}

/** Sound as it is made. `started` is known with the first bytes, `answer` in the end. */
export class Stream {
  #events;
  constructor(events, format) {
    this.#events = events;
    this.format = format;
    this.started = null;
    this.answer = null;
  }

  async *[Symbol.asyncIterator]() {
    for await (const event of this.#events) {
      if (event.event === "started") this.started = event;
      else if (event.event === "audio") yield decoded(event.data);
      else if (event.event === "done") this.answer = answerOf(event).answer;
    }
  }

  /** All of it, for an `<audio>` element. */
  async blob() {
    const parts = [];
    for await (const part of this) parts.push(part);
    return new Blob(parts, { type: TYPES[this.format] ?? "" });
  }

  /** For `new Response(...)` in an edge worker. */
  readable() {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => pieces.return(),
    });
  }
}

async function* listened(response, talk, signal) {
  for await (const line of linesOf(response, signal)) {
    if (!line.trim()) continue;
    const event = JSON.parse(line);
    followed(talk, event);
    yield event;
    if (event.event === "done") return;
  }
  throw new Unreachable("The server's answer broke off before its end.", { code: "unreachable", retryable: true });
}

/** Ends without an error where the connection does: whoever reads knows whether the last line was the last. */
async function* linesOf(response, signal) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let parts = [];
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true }));
      signal?.throwIfAborted();
      if (done) return;
      const pieces = decoder.decode(value, { stream: true }).split("\n");
      parts.push(pieces.shift());
      for (const piece of pieces) {
        yield parts.join("");
        parts = [piece];
      }
    }
  } finally {
    await reader.cancel().catch(() => null);
  }
}

/** Throws what the job failed with, and where its sound has a gap or a second beginning. */
function followed(talk, event) {
  if (event?.event === "error") {
    talk.id = "";
    throw errorOf(event) ?? new ServerError("The job failed, and does not say why.");
  }
  const broken = { code: "unreachable", retryable: true };
  if (event?.event === "started" && talk.next) {
    throw new Unreachable("The job's worker was lost, and another one began it anew.", broken);
  }
  if (event?.event === "audio" && event.seq !== talk.next++) {
    throw new Unreachable("A part of the sound was lost on the way.", broken);
  }
}

function finalOf(told) {
  const last = Array.isArray(told.output) ? told.output.at(-1) : null;
  if (told.status === "COMPLETED" && last) return last;
  if (told.status === "COMPLETED") {
    throw new ServerError("The platform dropped the job's answer: it loses what is over 10 MB.");
  }
  if (told.status === "FAILED") throw errorOf(told.error) ?? new ServerError("The job failed, and does not say why.");
  if (told.status === "TIMED_OUT") {
    throw new TimedOut("The endpoint's execution timeout ended the job.", { code: "timed_out", retryable: true });
  }
  throw new Cancelled("The job was cancelled.", { code: "cancelled" });
}

function answerOf({ event, ...answer }) {
  if (typeof answer.audio?.data !== "string") return { answer, bytes: null };
  const { data, ...audio } = answer.audio;
  return { answer: { ...answer, audio }, bytes: decoded(data) };
}

function errorOf(told) {
  try {
    const error = typeof told === "string" ? JSON.parse(told) : told;
    return typeof error?.code === "string"
      ? new (CLASSES.get(error.code) ?? ServerError)(String(error.message ?? ""), error)
      : null;
  } catch {
    return null;
  }
}

async function refusal(response) {
  const told = await response.json().catch(() => null);
  const code = STATUSES[response.status] ?? (response.status >= 500 ? "internal" : "invalid_input");
  const retryable = response.status === 429 || response.status >= 500;
  const own = new (CLASSES.get(code))(`The server answered ${response.status}.`, { code, retryable });
  return errorOf(told?.error) ?? own;
}

async function object(response) {
  const told = await response.json().catch(() => null);
  if (told === null || typeof told !== "object") throw new ServerError("The server answered something that is no job.");
  return told;
}

function decoded(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function slept(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
