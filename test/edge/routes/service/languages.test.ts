import { afterEach, expect, it, vi } from "vitest";
import { DIGEST, pdf } from "../../samples.ts";
import { CogStub, call, ended, json, newKey, post, upload } from "../../support.ts";

afterEach(() => vi.restoreAllMocks());

const languagesOf = async (key: string) =>
  (await json(call("/v1/models/pp-ocr", { key }))).fovea.languages;

it("lists a reader's languages as its worker reports them, and refuses others", async () => {
  const cog = new CogStub().install();
  const key = await newKey();
  const file = await upload(key, pdf());
  expect(await languagesOf(key)).toBeNull();
  const first = await json(post("/v1/ocr", key, { file: file.id, languages: ["pt-br", "en"] }));
  expect(first.languages).toEqual(["pt-BR", "en"]);
  const prediction = await cog.demand();
  expect(prediction.input).toMatchObject({ languages: "pt-BR,en" });
  const reported = await cog.push(prediction, "/document", {
    schema: 1,
    model: "pp-ocr",
    model_digest: DIGEST,
    page_count: 1,
    media_type: "application/pdf",
    languages: ["en", "ru", "zh-Hans"],
  });
  expect(reported.status).toBe(204);
  expect(await languagesOf(key)).toEqual(["en", "ru", "zh-Hans"]);

  const refused = await post("/v1/ocr", key, { file: file.id, languages: ["ru-RU", "th"] });
  expect(refused.status).toBe(422);
  expect(await json(refused)).toMatchObject({
    type: expect.stringContaining("unsupported-option"),
    detail: "pp-ocr does not have th; it has en, ru, zh-Hans.",
  });
  expect((await post("/v1/ocr", key, { file: file.id, languages: ["ru-RU", "zh"] })).status).toBe(
    202,
  );
  expect((await post("/v1/ocr", key, { file: file.id, languages: ["not a tag"] })).status).toBe(
    422,
  );
});

it("keeps the languages when pages are recorded", async () => {
  const cog = new CogStub().install();
  const key = await newKey();
  const file = await upload(key, pdf());
  const stop = cog.work(1);
  await ended(key, (await json(post("/v1/ocr", key, { file: file.id, pages: "1" }))).id);
  stop();
  expect(await languagesOf(key)).toEqual(["en", "ru", "zh-Hans"]);
});
