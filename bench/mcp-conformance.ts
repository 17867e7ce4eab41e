/**
 * mcp-conformance.ts: runs the conformance tests of the Model Context Protocol (0.1.16, fetched by npx) against a stack of
 * its own, one scenario after the other, and prints a line for each check. The tests send no API key, so a proxy on
 * loopback adds it. Output of a run: docs/bench/mcp-conformance.txt
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { freePort, startStack } from "../scripts/stack.ts";

const PACKAGE = "@modelcontextprotocol/conformance@0.1.16";
/** The others need tools, prompts and resources of the tests' own, or features that the server does not have. */
const SCENARIOS = [
  "server-initialize",
  "ping",
  "tools-list",
  "resources-list",
  "dns-rebinding-protection",
];

/** The tests need this Node, not the one that npx finds by itself. */
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);

const data = mkdtempSync(join(tmpdir(), "fovea-mcp-"));
const port = await freePort();
const stack = await startStack({
  data,
  env: { edge: { MCP_ORIGINS: `http://localhost:${port}` } },
});
const edge = new URL(stack.origin);
const proxy = createServer((incoming, outgoing) => {
  const headers = { ...incoming.headers, authorization: `Bearer ${stack.key}` };
  const { method, url: path } = incoming;
  const onward = request(
    { host: edge.hostname, port: edge.port, method, path, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode as number, answer.headers);
      answer.pipe(outgoing);
    },
  );
  incoming.pipe(onward);
}).listen(port, "localhost");

const url = `http://localhost:${port}/mcp`;
let failed = 0;
for (const scenario of SCENARIOS) {
  const args = ["--yes", PACKAGE, "server", "--url", url, "--scenario", scenario];
  const run = promisify(execFile)("npx", args, {
    cwd: data,
    env: { ...process.env, PATH },
  });
  const { stdout, stderr } = await run.catch((error) => {
    failed++;
    return error as { stdout: string; stderr: string };
  });
  const plain = stripVTControlCharacters(`${stdout}${stderr}`).replaceAll(`:${port}/`, "/");
  console.log(`== ${scenario}\n${plain.trim()}\n`);
}
console.log(`${SCENARIOS.length - failed} of ${SCENARIOS.length} scenarios passed`);
proxy.close();
proxy.closeAllConnections();
await stack.stop();
rmSync(data, { recursive: true, force: true });
