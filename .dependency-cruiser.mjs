/**
 * The architecture of the edge, as rules (`npm run check`, docs/ARCHITECTURE.md). Each line is a layer,
 * the lowest first. A file may import from its own part and from every layer below; not from a layer
 * above, and not from another part of its own layer. Type imports count.
 */
const LAYERS = [
  ["domain"],
  ["leaves"],
  ["formats", "security"],
  ["storage"],
  ["signals"],
  ["buckets"],
  ["dispatch", "documents", "keys", "webhooks"],
  ["jobs"],
  ["extraction"],
  ["batches", "contexts"],
  ["outputs"],
  ["http"],
  ["mcp"],
  ["routes"],
  ["entry"],
];

const EDGE = "^src/edge/";
const LEAVES = "(bindings|context|problem|settings|telemetry)";

/** @param {string} part */
const path = (part) => {
  if (part === "leaves") return `${EDGE}${LEAVES}\\.ts$`;
  if (part === "entry") return `${EDGE}(?!${LEAVES}\\.ts)[^/]+\\.ts$`;
  return `${EDGE}${part}/`;
};

const downward = LAYERS.flatMap((layer, height) =>
  layer.map((part) => {
    const forbidden = [...layer, ...LAYERS.slice(height + 1).flat()].filter(
      (other) => other !== part,
    );
    return {
      name: `${part}-imports-downward`,
      severity: "error",
      from: { path: path(part) },
      to: { path: forbidden.map(path) },
    };
  }),
).filter(({ to }) => to.path.length > 0);

/** @param {string} name @param {string | string[]} from @param {object} to */
const never = (name, from, to) => ({ name, severity: "error", from: { path: from }, to });

export default {
  forbidden: [
    never("no-circle", EDGE, { circular: true }),
    ...downward,
    never("every-file-is-in-a-layer", `${EDGE}(?!(${LAYERS.flat().join("|")})/)[^/]+/`, {}),
    never("domain-is-pure", path("domain"), {
      pathNot: ["^src/edge/domain/", "^node_modules/(zod|ipaddr\\.js)/"],
    }),
    never("formats-know-the-domain-only", path("formats"), {
      pathNot: ["^src/edge/(domain|formats)/", "^node_modules/fflate/"],
    }),
    never("only-http-knows-hono", `${EDGE}(?!http/|routes/|app\\.ts|context\\.ts)`, {
      path: "^node_modules/(hono|@hono)/",
    }),
    never("only-mcp-knows-its-sdk", `${EDGE}(?!mcp/)`, {
      path: "^node_modules/@modelcontextprotocol/",
    }),
    never("the-edge-stands-alone", EDGE, { path: "^(src/(?!edge/)|test|scripts|bench)" }),
    never("everything-is-there", EDGE, { couldNotResolve: true, pathNot: "^cloudflare:" }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types"] },
  },
};
