/** Every route, in the order of the docs. A new one is a file here and a line in this list. */
import type { App } from "../context.ts";
import { auditList } from "./account/audit.ts";
import { tenantSettings } from "./account/settings.ts";
import { usage } from "./account/usage.ts";
import { batches } from "./batches/batches.ts";
import { batchesControl } from "./batches/control.ts";
import { batchesCreate } from "./batches/create.ts";
import { batchesFailures } from "./batches/failures.ts";
import { manifestsCreate } from "./batches/manifests.ts";
import { batchesOutput } from "./batches/output.ts";
import { callbacks } from "./callbacks/callbacks.ts";
import { chatCompletions } from "./chat/completions.ts";
import { compress } from "./compress/compress.ts";
import { fidelity } from "./compress/fidelity.ts";
import { contextsAge } from "./contexts/age.ts";
import { contexts } from "./contexts/contexts.ts";
import { contextsCreate } from "./contexts/create.ts";
import { contextsExport } from "./contexts/export.ts";
import { contextsImages } from "./contexts/images.ts";
import { contextsLoss } from "./contexts/loss.ts";
import { contextsMessages } from "./contexts/messages.ts";
import { contextsRecall } from "./contexts/recall.ts";
import { contextsView } from "./contexts/show.ts";
import { filesCreate } from "./files/create.ts";
import { filesDelete } from "./files/delete.ts";
import { filesGet } from "./files/get.ts";
import { filesList } from "./files/list.ts";
import { filesTokens } from "./files/tokens.ts";
import { jobsCancel } from "./jobs/cancel.ts";
import { jobsDelete } from "./jobs/delete.ts";
import { jobsDeliveries } from "./jobs/deliveries.ts";
import { jobsEvents } from "./jobs/events.ts";
import { jobsGet } from "./jobs/get.ts";
import { jobsImage } from "./jobs/image.ts";
import { jobsList } from "./jobs/list.ts";
import { jobsOverlay } from "./jobs/overlay.ts";
import { jobsResult } from "./jobs/result.ts";
import { jobsTokens } from "./jobs/tokens.ts";
import { tokensCreate } from "./keys/browser-tokens.ts";
import { keysCreate } from "./keys/create.ts";
import { keysDelete } from "./keys/delete.ts";
import { keysList } from "./keys/list.ts";
import { keysRotate } from "./keys/rotate.ts";
import { whoami } from "./keys/whoami.ts";
import { ocrCreate } from "./ocr/create.ts";
import { healthRoutes } from "./service/health.ts";
import { metrics } from "./service/metrics.ts";
import { models } from "./service/models.ts";
import { openapi } from "./service/openapi.ts";
import { receiptKeys } from "./service/receipt-key.ts";
import { uploadsCreate } from "./uploads/create.ts";
import { uploads } from "./uploads/uploads.ts";
import { endpointsCreate } from "./webhooks/create.ts";
import { deliveries } from "./webhooks/deliveries.ts";
import { endpoints } from "./webhooks/endpoints.ts";
import { deliveriesReplay } from "./webhooks/replay.ts";
import { endpointsRotate } from "./webhooks/rotate.ts";
import { webhookSecretRoute } from "./webhooks/secret.ts";

export const routes: ((app: App) => void)[] = [
  filesCreate,
  filesList,
  filesGet,
  filesDelete,
  filesTokens,
  uploadsCreate,
  uploads,
  ocrCreate,
  jobsList,
  jobsGet,
  jobsEvents,
  jobsResult,
  jobsOverlay,
  jobsTokens,
  jobsImage,
  jobsDeliveries,
  jobsCancel,
  jobsDelete,
  chatCompletions,
  models,
  manifestsCreate,
  batchesCreate,
  batches,
  batchesControl,
  batchesFailures,
  batchesOutput,
  contextsCreate,
  contexts,
  contextsMessages,
  contextsView,
  contextsImages,
  contextsAge,
  contextsRecall,
  contextsLoss,
  contextsExport,
  compress,
  fidelity,
  keysCreate,
  keysList,
  whoami,
  keysRotate,
  keysDelete,
  tokensCreate,
  webhookSecretRoute,
  endpointsCreate,
  endpoints,
  endpointsRotate,
  deliveries,
  deliveriesReplay,
  usage,
  tenantSettings,
  auditList,
  receiptKeys,
  healthRoutes,
  metrics,
  openapi,
  callbacks,
];
