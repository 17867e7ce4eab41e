import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Tests of the edge run inside workerd with real D1, R2, Queues, Workflows and Durable Objects. */
export default defineConfig({
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          PUBLIC_ORIGIN: "http://edge.test",
          POOLS: JSON.stringify([
            {
              ...{ name: "main", type: "cog", url: "http://cog.test", slots: 1000 },
              models: ["pp-ocr", "deepseek-ocr"],
            },
            // For the tests of dispatch, each model with pools of its own.
            ...[{ name: "narrow", type: "cog", url: "http://narrow.test", slots: 2 }].map(
              (pool) => ({
                ...{ ...pool, models: ["narrow"] },
              }),
            ),
            ...["one", "two"].map((name) => ({
              ...{ name, type: "cog", url: `http://${name}.test`, slots: 4, models: ["pair"] },
            })),
          ]),
          PRICES: JSON.stringify({ pair: 0.01 }),
          BOOTSTRAP_SECRET: "bootstrap-secret-of-the-tests",
          SIGNING_SECRET: "signing-secret-of-the-tests",
          WORKER_TOKEN: "worker-token-of-the-tests",
          MODELS: "pp-ocr,deepseek-ocr,narrow,pair",
          LOG_REQUESTS: "false",
          RATE_PER_MINUTE: "100000",
          MAX_FILE_BYTES: "20000000",
          TEST_MIGRATIONS: await readD1Migrations("src/edge/storage/migrations"),
        },
      },
    })),
  ],
  test: {
    include: ["test/edge/**/*.test.ts"],
    setupFiles: ["test/edge/setup.ts"],
    testTimeout: 20_000,
  },
});
