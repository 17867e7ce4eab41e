/** The page that a browser shows for an address that does not exist. Other clients get a problem. */
import type { Context } from "hono";
import { accepts } from "hono/accepts";

/** Whether the client prefers a page: browsers do when they follow a link. */
export const wantsPage = (c: Context): boolean =>
  accepts(c, {
    header: "Accept",
    supports: ["text/html", "application/problem+json", "application/json"],
    default: "application/problem+json",
  }) === "text/html";

const PAGE = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Not found · Fovea</title>
  <link rel="icon" href="/icon.svg">
  <link rel="stylesheet" href="/base.css">
</head>
<body>
  <header class="top">
    <a class="wordmark" href="/">Fovea</a>
    <nav aria-label="Site"><a href="/">Playground</a> <a href="/memory">Memory</a> <a href="/console/">Console</a> <a href="/docs">Reference</a> <a href="/guide">Guides</a></nav>
  </header>
  <main>
    <h1>There is no such page.</h1>
    <p>The address may be misspelt, or the page may have moved. The <a href="/">playground</a> reads documents, the
      <a href="/docs">reference</a> lists every operation of the API, and the <a href="/guide">guides</a> explain it.</p>
  </main>
</body>
</html>
`;

/** The page needs nothing but the style sheet and the icon of this origin. */
export const notFoundPage = (): Response =>
  new Response(PAGE, {
    status: 404,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy":
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      vary: "Accept",
      "x-content-type-options": "nosniff",
    },
  });
