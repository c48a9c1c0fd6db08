export interface ErrorParts {
  code?: string;
  field?: string | null;
  hint?: string | null;
  position?: number | null;
  retryable?: boolean;
}
export class TTSError extends Error {
  constructor(message: string, parts?: ErrorParts);
  readonly code: string;
  readonly field: string | null;
  readonly hint: string | null;
  readonly position: number | null;
  readonly retryable: boolean;
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
export const CLASSES: ReadonlyMap<string, typeof TTSError>;

export type Format = "wav" | "mp3" | "opus" | "ogg" | "flac" | "aac" | "pcm" | "mulaw" | "alaw";
export interface Options {
  signal?: AbortSignal;
}
/** The fields of `speak`, as docs/api.md has them. */
export interface SpeakFields extends Options {
  model?: string;
  voice?: string | Record<string, unknown>;
  language?: string;
  speed?: number;
  pitch?: number;
  format?: Format;
  sample_rate?: number;
  bitrate?: number;
  seed?: number | "random";
  take?: number;
  s3Config?: Record<string, unknown>;
  [field: string]: unknown;
}
export interface Audio {
  format: string;
  sample_rate: number;
  bytes: number;
  duration: number;
  sha256: string;
  url?: string;
  path?: string;
}
export interface SpeakAnswer {
  audio: Audio;
  model: string;
  voice: string;
  warnings?: string[];
  [field: string]: unknown;
}
export interface Speech {
  bytes: Uint8Array;
  blob: Blob;
  answer: SpeakAnswer;
}
export interface Event {
  event: "started" | "audio" | "progress" | "done";
  [field: string]: unknown;
}
export interface ClientOptions {
  /** A server's address, or one that ends in `/v2/...`. */
  address?: string;
  key?: string;
  /** For one answer, cold start included. */
  seconds?: number;
  tries?: number;
  fetch?: typeof globalThis.fetch;
}
export class Client {
  constructor(options?: ClientOptions);
  static endpoint(id: string, key: string, more?: Omit<ClientOptions, "address" | "key">): Client;
  say(text: string, fields?: SpeakFields): Promise<Speech>;
  stream(text: string, fields?: SpeakFields): Stream;
  voices(wanted?: Options & Record<string, unknown>): Promise<Record<string, unknown>[]>;
  models(wanted?: Options & Record<string, unknown>): Promise<Record<string, unknown>[]>;
  jobs(wanted?: Options & Record<string, unknown>): Promise<Record<string, unknown>[]>;
  ask(
    op: string,
    fields?: Options & Record<string, unknown>,
  ): Promise<{ answer: Record<string, unknown>; bytes: Uint8Array | null }>;
  events(op: string, fields?: Options & Record<string, unknown>): AsyncGenerator<Event, void, void>;
}
export class Stream implements AsyncIterable<Uint8Array> {
  readonly format: string;
  readonly started: Record<string, unknown> | null;
  readonly answer: SpeakAnswer | null;
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void>;
  blob(): Promise<Blob>;
  readable(): ReadableStream<Uint8Array>;
}
