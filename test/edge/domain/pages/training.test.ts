/** `fovea.corpus` writes the same records as the service: test/contract/records.json holds both to one example. */
import { expect, it } from "vitest";
import { pageKey, type ReadOptions } from "../../../../src/edge/domain/pages/page-key.ts";
import { StoredPageResult } from "../../../../src/edge/domain/pages/page-result.ts";
import { PLAIN, present } from "../../../../src/edge/domain/pages/presentation.ts";
import {
  LineRecord,
  PageRecord,
  TrainingRecord,
  trainingRecord,
} from "../../../../src/edge/domain/pages/training.ts";
import records from "../../../contract/records.json";

/** The tenant that stands for none. */
const NOBODY = "";

it.each(records.readings)("the id of a reading: $why", async (reading) => {
  const options = reading.options as ReadOptions;
  expect(await pageKey(NOBODY, reading.document_sha256, options, reading.page)).toBe(reading.id);
});

it("a pushed page in the plain form", () => {
  const { receipt, ...shown } = StoredPageResult.parse(
    present({ ...records.pushed, receipt: records.page.result.receipt } as never, PLAIN),
  );
  expect(shown).toEqual(records.shown);
  expect(receipt).toEqual(records.page.result.receipt);
});

it("training data of a page", () => {
  const line = LineRecord.parse(records.line);
  const page = PageRecord.parse(records.page);
  const made = trainingRecord(line, page);
  expect(made).toEqual(records.training);
  TrainingRecord.parse(made);
});

it("a record without a receipt is one of a corpus", () => {
  const { receipt: _, ...result } = records.page.result;
  const page = PageRecord.parse({ ...records.page, result });
  expect(trainingRecord(LineRecord.parse(records.line), page)?.provenance.receipt).toBeUndefined();
});
