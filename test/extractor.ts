/**
 * A stand-in for a model behind OpenAI's chat API, on a real HTTP server. It has no model: it copies into the schema what
 * the document has after labels that are the names of properties, and the rows of tables whose heads are. What it does
 * besides that, the instructions of a request say, as `stand-in: NAME`: see `TRICKS`. Of a figure it sees the type and
 * size of the picture; what it does besides that, the description of the schema says. A summary of messages has no
 * instructions: there a line of a message says it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

type Schema = {
  type?: string | string[];
  format?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  description?: string;
};

type Content = string | { type: string; text?: string; image_url?: { url: string } }[];

interface Asked {
  model: string;
  messages: { role: string; content: Content }[];
  response_format: {
    type: string;
    json_schema?: { name: string; schema: Schema; strict: boolean };
  };
}

type Trick = (asked: Asked, response: ServerResponse, times: number) => boolean;

const answered = (response: ServerResponse, status: number, body: unknown, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
  return true;
};

const completion = (asked: Asked, message: object, finish_reason = "stop") => ({
  object: "chat.completion",
  model: asked.model,
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
  usage: { prompt_tokens: 100, completion_tokens: 10 },
});

/** By name: what to do instead of answering. Each gets how often the same instructions were sent before. */
const TRICKS: Record<string, Trick> = {
  "not-json": (asked, response) =>
    answered(response, 200, completion(asked, { content: "Sure! Here is the data." })),
  "wrong-type": (asked, response) =>
    answered(response, 200, completion(asked, { content: '{"total": "secret words"}' })),
  "wrong-once": (asked, response, times) =>
    times === 0 && answered(response, 200, completion(asked, { content: '{"total": "x"}' })),
  fenced: (asked, response) => {
    const content = `\`\`\`json\n${JSON.stringify(fill(asked))}\n\`\`\``;
    return answered(response, 200, completion(asked, { content }));
  },
  invent: (asked, response) =>
    answered(response, 200, completion(asked, { content: '{"total": 987654.32}' })),
  refuse: (asked, response) =>
    answered(response, 200, completion(asked, { content: null, refusal: "I cannot do that." })),
  filtered: (asked, response) =>
    answered(response, 200, completion(asked, { content: "" }, "content_filter")),
  cut: (asked, response) =>
    answered(response, 200, completion(asked, { content: '{"total": 1' }, "length")),
  "not-chat": (_, response) => answered(response, 200, { hello: "world" }),
  "not-even-json": (_, response) => answered(response, 200, "<html>"),
  busy: (_, response) => answered(response, 429, { error: {} }, { "retry-after": "7" }),
  "busy-once": (_, response, times) =>
    times === 0 && answered(response, 429, { error: {} }, { "retry-after": "1" }),
  "busy-long": (_, response) => answered(response, 429, {}, { "retry-after": "86400" }),
  broken: (_, response) => answered(response, 500, "oh no"),
  "wrong-request": (_, response) =>
    answered(response, 400, { error: { message: "Invalid schema for response_format." } }),
  // As endpoints that have only JSON, or refuse a keyword. Those that have neither refuse again.
  "no-schemas": (asked, response) =>
    asked.response_format.type === "json_schema"
      ? answered(response, 400, { error: { message: "There is no json_schema." } })
      : false,
  "no-schemas-refuse": (asked, response) =>
    asked.response_format.type === "json_schema"
      ? answered(response, 400, { error: { message: "There is no json_schema." } })
      : answered(response, 200, completion(asked, { content: null, refusal: "No." })),
  "empty-once": (asked, response, times) =>
    times === 0 && answered(response, 200, completion(asked, { content: " " })),
  "wrong-key": (_, response) =>
    answered(response, 401, { error: { message: "Incorrect API key provided: sk-secret" } }),
  blind: (_, response) =>
    answered(response, 400, { error: { message: "This model does not support images." } }),
  "no-png": (asked, response) =>
    /\bpng\b/.test(textOfContent(asked.messages[1]?.content)) &&
    answered(response, 200, completion(asked, { content: null, refusal: "I cannot see it." })),
  elsewhere: (_, response) => answered(response, 307, "", { location: "http://cog.test/stolen" }),
  silent: () => true,
  slow: (asked, response) => {
    setTimeout(() => {
      answered(response, 200, completion(asked, { content: JSON.stringify(fill(asked)) }));
    }, 2000);
    return true;
  },
  endless: (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
    return true;
  },
};

export interface Extractor {
  /** Its base, for `EXTRACT_URL`. */
  url: string;
  close(): void;
}

export async function startExtractor(): Promise<Extractor> {
  /** The requests so far, by their instructions. */
  const asked = new Map<string, { authorization: string | undefined; body: Asked }[]>();
  const server: Server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://stand.in");
    if (pathname === "/asked") {
      answered(response, 200, asked.get(searchParams.get("instructions") ?? "") ?? []);
      return;
    }
    if (request.method !== "POST" || pathname !== "/v1/chat/completions") {
      answered(response, 404, {});
      return;
    }
    const body = JSON.parse(await textOf(request)) as Asked;
    const [rules = "", document = ""] = body.messages.map(({ content }) => textOfContent(content));
    const instructions = (/Instructions for this extraction:\n([\s\S]*)$/.exec(rules)?.[1] ??
      schemaIn(body).description ??
      /^stand-in: .*$/m.exec(document)?.[0]) as string;
    const before = asked.get(instructions) ?? [];
    asked.set(instructions, [...before, { authorization: request.headers.authorization, body }]);
    const trick = TRICKS[/stand-in: ([\w-]+)/.exec(instructions ?? "")?.[1] ?? ""];
    if (trick?.(body, response, before.length)) return;
    answered(response, 200, completion(body, { content: JSON.stringify(fill(body)) }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Images as lines that say what they are. */
function textOfContent(content: Content = ""): string {
  if (typeof content === "string") return content;
  const lines = content.map(({ text, image_url }) => {
    if (!image_url) return text;
    const [, type, data = ""] = /^data:image\/(\w+);base64,(.+)$/.exec(image_url.url) ?? [];
    return `Kind: ${type}\nBytes: ${Buffer.from(data, "base64").length}`;
  });
  return lines.join("\n");
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

/** Fills the schema of a request from its document. */
function fill(asked: Asked): unknown {
  const document = textOfContent(asked.messages.find(({ role }) => role === "user")?.content);
  return filled(schemaIn(asked), [], document);
}

/** Of the request, or of its messages, which have it too. */
function schemaIn({ messages, response_format }: Asked): Schema {
  const line = /^JSON Schema:\n(.*)$/m.exec(textOfContent(messages[0]?.content))?.[1];
  return response_format.json_schema?.schema ?? JSON.parse(line ?? "{}");
}

const words = (name: string) => name.toLowerCase().match(/[a-z0-9]+/g) ?? [];

function filled(given: Schema, names: string[], document: string): unknown {
  const schema = given.anyOf?.find(({ type }) => type !== "null") ?? given;
  const types = [schema.type ?? "object"].flat();
  if (types.includes("object"))
    return Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, inner]) => [
        name,
        filled(inner, [...names, name], document),
      ]),
    );
  if (types.includes("array")) return rowsOf(schema.items ?? {}, document);
  return typed(labelled(words(names.at(-1) as string), document), schema);
}

/** What a line has after a label with these words and a colon. */
function labelled(label: string[], document: string): string | null {
  for (const line of document.split("\n")) {
    const [, before = "", after = ""] = /^\W*([^:]+):\s*(.+?)\s*$/.exec(line) ?? [];
    if (words(before).join(" ") === label.join(" ")) return after;
  }
  return null;
}

function rowsOf(items: Schema, document: string): unknown[] {
  const names = Object.entries(items.properties ?? {});
  return Array.from(document.matchAll(/<table>(.*?)<\/table>/gs), ([, table = ""]) => {
    const rows = Array.from(table.matchAll(/<tr>(.*?)<\/tr>/gs), ([, row = ""]) =>
      Array.from(row.matchAll(/<t[dh]>(.*?)<\/t[dh]>/gs), ([, cell = ""]) => cell),
    );
    const [head = [], ...body] = rows;
    return body.map((row) =>
      Object.fromEntries(
        names.map(([name, schema]) => {
          const column = head.findIndex((cell) => words(cell).join(" ") === words(name).join(" "));
          return [name, typed(row[column] ?? null, schema)];
        }),
      ),
    );
  }).flat();
}

const MONTHS =
  "january february march april may june july august september october november december".split(
    " ",
  );

function typed(text: string | null, schema: Schema): unknown {
  const types = [schema.type].flat();
  if (text === null) return types.includes("null") ? null : types.includes("string") ? "" : 0;
  if (types.includes("number") || types.includes("integer")) {
    const number = Number(text.replaceAll(",", "").match(/-?\d+(\.\d+)?/)?.[0]);
    return Number.isNaN(number) ? null : number;
  }
  const [, day = "", month = "", year] = /^(\d+) (\w+) (\d{4})$/.exec(text) ?? [];
  if (schema.format !== "date" || !year) return text;
  const number = MONTHS.indexOf(month.toLowerCase()) + 1;
  return `${year}-${String(number).padStart(2, "0")}-${day.padStart(2, "0")}`;
}
