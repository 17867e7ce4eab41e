/** Every route, in the order of the docs. */
import type { App } from "../context.ts";
import { auditList } from "./account/audit.ts";
import { tenantSettings } from "./account/settings.ts";
import { usage } from "./account/usage.ts";
import { batches, batchesControl } from "./batches/batches.ts";
import { batchesCreate } from "./batches/create.ts";
import { batchesFailures } from "./batches/failures.ts";
import { manifestsCreate } from "./batches/manifests.ts";
import { batchesMistral } from "./batches/mistral.ts";
import { batchesOutput } from "./batches/output.ts";
import { buckets } from "./buckets/buckets.ts";
import { callbacks } from "./callbacks/callbacks.ts";
import { chatCompletions } from "./chat/completions.ts";
import { compress } from "./compress/compress.ts";
import { fidelity } from "./compress/fidelity.ts";
import { contextsAge } from "./contexts/age.ts";
import { contexts, contextsCreate } from "./contexts/contexts.ts";
import { contextsExport } from "./contexts/export.ts";
import { contextsImages } from "./contexts/images.ts";
import { contextsImport } from "./contexts/import.ts";
import { contextsMessages } from "./contexts/messages.ts";
import { contextsRecall } from "./contexts/recall.ts";
import { contextsSearch } from "./contexts/search.ts";
import { contextsSegments } from "./contexts/segments.ts";
import { contextsView } from "./contexts/show.ts";
import { doclingConvert } from "./docling/convert.ts";
import { doclingTasks } from "./docling/tasks.ts";
import { filesContent } from "./files/content.ts";
import { filesCreate } from "./files/create.ts";
import { filesDelete, filesGet, filesList } from "./files/files.ts";
import { filesTokens } from "./files/tokens.ts";
import { jobsEvents } from "./jobs/events.ts";
import { jobsExtract, jobsExtraction } from "./jobs/extract.ts";
import { jobsCancel, jobsDelete, jobsGet, jobsList } from "./jobs/jobs.ts";
import { jobsFigure, jobsImage, jobsOverlay, jobsTokens } from "./jobs/pages.ts";
import { jobsResult } from "./jobs/result.ts";
import { tokensCreate } from "./keys/browser-tokens.ts";
import { keysCreate } from "./keys/create.ts";
import { keysChange, keysDelete, keysList, whoami } from "./keys/keys.ts";
import { keysRotate } from "./keys/rotate.ts";
import { mcp } from "./mcp/mcp.ts";
import { ocrCreate } from "./ocr/create.ts";
import { jobsDelivery } from "./ocr/delivery.ts";
import { responses } from "./responses/responses.ts";
import { healthRoutes } from "./service/health.ts";
import { metrics } from "./service/metrics.ts";
import { models } from "./service/models.ts";
import { openapi } from "./service/openapi.ts";
import { pools } from "./service/pools.ts";
import { receiptKeys } from "./service/receipt-key.ts";
import { uploads, uploadsCreate } from "./uploads/uploads.ts";
import { deliveries, deliveriesReplay, jobsDeliveries } from "./webhooks/deliveries.ts";
import {
  endpoints,
  endpointsCreate,
  endpointsRotate,
  endpointsTest,
  webhookSecretRoute,
} from "./webhooks/endpoints.ts";

export const routes: ((app: App) => void)[] = [
  filesCreate,
  filesList,
  filesGet,
  filesDelete,
  filesContent,
  filesTokens,
  uploadsCreate,
  uploads,
  ocrCreate,
  doclingConvert,
  doclingTasks,
  jobsList,
  jobsGet,
  jobsEvents,
  jobsExtract,
  jobsExtraction,
  jobsResult,
  jobsOverlay,
  jobsTokens,
  jobsImage,
  jobsFigure,
  jobsDelivery,
  jobsDeliveries,
  jobsCancel,
  jobsDelete,
  chatCompletions,
  responses,
  models,
  manifestsCreate,
  batchesCreate,
  batches,
  batchesControl,
  batchesFailures,
  batchesOutput,
  batchesMistral,
  buckets,
  contextsCreate,
  contextsImport,
  contexts,
  contextsMessages,
  contextsView,
  contextsImages,
  contextsAge,
  contextsSegments,
  contextsSearch,
  contextsRecall,
  contextsExport,
  compress,
  fidelity,
  mcp,
  keysCreate,
  keysList,
  whoami,
  keysChange,
  keysRotate,
  keysDelete,
  tokensCreate,
  webhookSecretRoute,
  endpointsCreate,
  endpoints,
  endpointsRotate,
  endpointsTest,
  deliveries,
  deliveriesReplay,
  usage,
  tenantSettings,
  auditList,
  receiptKeys,
  healthRoutes,
  metrics,
  pools,
  openapi,
  callbacks,
];
