import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Tests of the edge and its client run inside workerd with real D1, R2, Queues, Workflows and Durable Objects. */
export default defineConfig({
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        bindings: {
          PUBLIC_ORIGIN: "http://edge.test",
          COG_SERVERS: JSON.stringify([{ url: "http://cog.test", slots: 1000 }]),
          BOOTSTRAP_SECRET: "bootstrap-secret-of-the-tests",
          SIGNING_SECRET: "signing-secret-of-the-tests",
          WORKER_TOKEN: "worker-token-of-the-tests",
          MODELS: "pp-ocr,deepseek-ocr",
          LOG_REQUESTS: "false",
          RATE_PER_MINUTE: "100000",
          MAX_FILE_BYTES: "20000000",
          TEST_MIGRATIONS: await readD1Migrations("src/edge/storage/migrations"),
        },
      },
    })),
  ],
  test: {
    include: ["test/edge/**/*.test.ts", "test/client/**/*.test.ts"],
    setupFiles: ["test/edge/setup.ts"],
    testTimeout: 20_000,
  },
});
