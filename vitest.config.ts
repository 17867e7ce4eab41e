import { availableParallelism } from "node:os";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { startExtractor } from "./test/extractor.ts";
import { startS3 } from "./test/s3.ts";

/** Far more than any test needs: how long one takes is not tested. */
const LIMIT_MS = 120_000;

/** Rules without I/O run in plain Node. */
const PURE = ["test/edge/domain/**/*.test.ts", "test/edge/formats/**/*.test.ts"];

/** Answers the extractions of the tests. */
const extractor = await startExtractor();
/** The buckets of the tests. */
const s3 = await startS3();

/** What is being installed: PUT sets it, as scripts/start.ts does by a file. */
let installing = "{}";
async function installation(request: Request): Promise<Response> {
  if (request.method === "PUT") installing = await request.text();
  return new Response(installing);
}

/** All else runs inside workerd with real D1, R2, Queues, Workflows and Durable Objects. */
export default defineConfig({
  test: {
    // Files wait for timers most of the time.
    maxWorkers: availableParallelism(),
    projects: [
      { test: { name: "rules", include: PURE, testTimeout: LIMIT_MS } },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              serviceBindings: { INSTALLATION: installation },
              bindings: {
                PUBLIC_ORIGIN: "http://edge.test",
                POOLS: JSON.stringify([
                  {
                    name: "main",
                    type: "cog",
                    url: "http://cog.test",
                    slots: 1000,
                    models: ["pp-ocr", "deepseek-ocr", "unlimited-ocr", "fovea-render"],
                  },
                  // For the tests of dispatch: each has a model and pools of its own.
                  ...["narrow", "down", "starting", "lost", "priced", "arriving"].map((name) => ({
                    name,
                    type: "cog",
                    url: `http://${name}.test`,
                    slots: 2,
                    models: [name],
                  })),
                  ...["one", "two"].map((name) => ({
                    name,
                    type: "cog",
                    url: `http://${name}.test`,
                    slots: 4,
                    models: ["pair"],
                  })),
                ]),
                PRICES: JSON.stringify({ priced: 0.01 }),
                BOOTSTRAP_SECRET: "bootstrap-secret-of-the-tests",
                SIGNING_SECRET: "signing-secret-of-the-tests",
                WORKER_TOKEN: "worker-token-of-the-tests",
                MODELS:
                  "pp-ocr,deepseek-ocr,unlimited-ocr,fovea-render,narrow,down,starting,lost,priced,arriving,pair",
                LOG_REQUESTS: "false",
                DNS_RESOLVER: "",
                R2_S3_ENDPOINT: "https://s3.test",
                R2_ACCESS_KEY_ID: "access-key-of-the-tests",
                R2_SECRET_ACCESS_KEY: "secret-of-the-tests",
                RATE_PER_MINUTE: "100000",
                MAX_FILE_BYTES: "20000000",
                MAX_BUCKETS: "12",
                BUCKET_TIMEOUT_S: "4",
                TEST_S3: s3.origin,
                // The tests of contexts take each step themselves.
                AGE_AFTER_S: "86400",
                EXTRACT_URL: extractor.url,
                EXTRACT_MODEL: "stand-in",
                EXTRACT_PRICES: JSON.stringify({ "stand-in": { input: 1, output: 10 } }),
                EXTRACT_KEY: "key-of-the-stand-in",
                TEST_MIGRATIONS: await readD1Migrations("src/edge/storage/migrations"),
              },
            },
          })),
        ],
        test: {
          name: "workerd",
          include: ["test/edge/**/*.test.ts", "test/client/**/*.test.ts"],
          exclude: PURE,
          setupFiles: ["test/edge/setup.ts"],
          testTimeout: LIMIT_MS,
          hookTimeout: LIMIT_MS,
        },
      },
    ],
  },
});
