/** Checks each row of the table in docs/SECURITY.md: whether a URL is refused, and with which message. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import security from "../../../docs/SECURITY.md?raw";
import { newApp } from "../../../src/edge/app.ts";
import { pdf } from "../samples.ts";
import { CogStub, env, json, newKey } from "../support.ts";

interface Row {
  tried: string;
  address: string;
  leadsTo: string;
  answer: string;
}

const rows = security
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split("|").map((cell) => cell.trim().replace(/^`(.*)`$/, "$1")))
  .filter((cells) => cells.length === 6 && cells[1] !== "tried")
  .map(([, tried, address, leadsTo, answer]) => ({ tried, address, leadsTo, answer }) as Row);

const cogAt = (url: string) => JSON.stringify([{ name: "main", type: "cog", url, slots: 1 }]);
/** Settings of the rows that need others. */
const SETTINGS: Record<string, Record<string, string>> = {
  own: { PUBLIC_ORIGIN: "https://fovea.io", POOLS: cogAt("https://gpu.io:8443") },
  development: {
    PUBLIC_ORIGIN: "http://127.0.0.1:8787",
    POOLS: cogAt("http://127.0.0.1:5000"),
    ALLOW_LOOPBACK: "true",
  },
};

const RESOLVER = "https://resolver.io/dns-query";
let cog: CogStub;
let key: string;

beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
});
afterEach(() => vi.restoreAllMocks());

/** The resolver's answers for the hosts of the table. Parts separated by `then` are consecutive answers. */
function dnsOf(row: Row): (host: string) => string {
  const [now = "", later] = row.leadsTo.split(", then ");
  let asked = 0;
  return (host) => {
    if (row.tried === "DNS" && host === new URL(row.address).hostname) return row.leadsTo;
    if (row.tried === "rebinding") return asked++ < 2 ? now : (later as string);
    return rows.find(({ tried, address }) => tried === "DNS" && new URL(address).hostname === host)
      ?.leadsTo as string;
  };
}

function stubResolver(row: Row): void {
  const answers = dnsOf(row);
  cog.elsewhere.set(RESOLVER, (request) => {
    const query = new URL(request.url).searchParams;
    const text = answers(query.get("name") as string);
    if (text === "error") return new Response(null, { status: 503 });
    const Answer = text
      .split(" ")
      .filter((data) => data !== "none")
      .map((data) => {
        if (data.startsWith("CNAME:")) return { type: 5, data: data.slice(6) };
        return { type: data.includes(":") ? 28 : 1, data };
      })
      .filter(({ type }) => type === 5 || type === (query.get("type") === "A" ? 1 : 28));
    return Response.json({ Status: 0, Answer });
  });
}

/** The web server of the hosts. Every allowed URL answers with a document. */
function stubHosts(row: Row): void {
  const document = () => new Response(pdf());
  for (const { tried, address, answer } of rows)
    if (
      ["as written", "DNS", "rebinding", "development"].includes(tried) &&
      answer.startsWith("read")
    )
      cog.elsewhere.set(at(address), document);
  cog.elsewhere.set("https://93.184.216.34/a.pdf", document);
  const hosts: Record<string, (request: Request) => Response> = {
    redirect: () => new Response(null, { status: 302, headers: { location: row.leadsTo } }),
    rebinding: () => new Response(null, { status: 302, headers: { location: row.address } }),
    size: () =>
      row.address.includes("announces")
        ? new Response(pdf(), { headers: { "content-length": "20000001" } })
        : new Response(endless()),
    type: () => new Response("{}", { headers: { "content-type": "application/json" } }),
    time: (request) => new Response(hanging(request.signal)),
  };
  const host = hosts[row.tried];
  if (host && row.answer !== "read") cog.elsewhere.set(at(row.address), host);
  if (row.tried === "redirect" || (row.tried in SETTINGS && row.leadsTo))
    cog.elsewhere.set(at(row.address), hosts.redirect as (request: Request) => Response);
  if (row.answer.startsWith("read, then")) cog.elsewhere.set(at(row.address), document);
}

const at = (address: string) => {
  const { origin, pathname } = new URL(address);
  return origin + pathname;
};
const endless = () =>
  new ReadableStream({ pull: (out) => out.enqueue(pdf("x".repeat(1_000_000))) });
/** Sends the beginning of a response and then nothing more. */
const hanging = (signal: AbortSignal) =>
  new ReadableStream({
    start(out) {
      out.enqueue(pdf());
      signal.addEventListener("abort", () => out.error(signal.reason));
    },
  });

async function ask(url: string, changed: Record<string, string> = {}): Promise<string> {
  const response = await newApp().request(
    "/v1/ocr",
    {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ url }),
    },
    { ...env, DNS_RESOLVER: RESOLVER, FETCH_TIMEOUT_S: "2", ...changed },
  );
  return response.status === 202 ? "read" : ((await json(response)).detail as string);
}

it("has a table to check", () => expect(rows.length).toBeGreaterThan(90));

it.each(rows)("$tried: $address $leadsTo", async (row) => {
  stubResolver(row);
  stubHosts(row);
  for (const answer of row.answer.split(", then "))
    expect(await ask(row.address, SETTINGS[row.tried])).toBe(answer);
});
