/** A parser for Server-Sent Events (WHATWG HTML, 9.2.6) as the service sends them: no bare CR ends a line. */
import { ConnectionError } from "./errors.ts";

export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/**
 * The events of a response body.
 * @param idleMs longer than the service's interval between comments
 * @param id of the last event before the stream: events without an id have the id of the one before
 * @throws ConnectionError when the stream breaks or no byte arrives for `idleMs`
 */
export async function* serverEvents(
  body: ReadableStream<Uint8Array>,
  idleMs: number,
  id: string,
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await within(idleMs, reader.read());
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const events = text.split(/\r?\n\r?\n/);
      text = events.pop() as string;
      for (const block of events) {
        const fields = { event: "message", data: [] as string[] };
        for (const line of block.split(/\r?\n/)) {
          const [, name, content = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
          if (name === "id") id = content;
          else if (name === "event") fields.event = content;
          else if (name === "data") fields.data.push(content);
        }
        if (fields.data.length > 0) yield { id, event: fields.event, data: fields.data.join("\n") };
      }
    }
  } catch (error) {
    throw error instanceof ConnectionError
      ? error
      : new ConnectionError("The event stream broke off.", { cause: error });
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new ConnectionError(`No data from the event stream for ${ms / 1000} s.`)),
      ms,
    );
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
