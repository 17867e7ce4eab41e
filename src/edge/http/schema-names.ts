/**
 * The domain names its schemas with zod's `meta({ id })`. This file copies the names to the registry from which the
 * library builds the OpenAPI document.
 */
import { zodToOpenAPIRegistry } from "@asteasolutions/zod-to-openapi";
import type { ZodObject, ZodType } from "zod";
import { BatchTarget, LineDefaults } from "../domain/batches/batch.ts";
import { NewConnection } from "../domain/buckets/connection.ts";
import {
  Block,
  FailedPage,
  PageError,
  PageResult,
  StoredPageResult,
} from "../domain/pages/page-result.ts";

const nameOf = (schema: ZodType) => schema.meta()?.id;

/** @param base the schema that `schema` extends; the document refers to it */
function name(schema: ZodType, base?: ZodObject): void {
  zodToOpenAPIRegistry.add(schema, {
    _internal: {
      refId: nameOf(schema),
      ...(base && { extendedFrom: { refId: nameOf(base) as string, schema: base } }),
    },
  });
}

const NAMED = [PageError, Block, PageResult, FailedPage, LineDefaults, BatchTarget, NewConnection];
for (const schema of NAMED) name(schema);
name(StoredPageResult, PageResult);
