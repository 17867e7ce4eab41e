/** Every route, in the order of the docs. A new one is a file here and a line in this list. */
import type { App } from "../app.ts";
import { auditList } from "./audit-list.ts";
import { batches } from "./batches.ts";
import { batchesControl } from "./batches-control.ts";
import { batchesCreate } from "./batches-create.ts";
import { batchesFailures } from "./batches-failures.ts";
import { batchesOutput } from "./batches-output.ts";
import { callbacks } from "./callbacks.ts";
import { chatCompletions } from "./chat-completions.ts";
import { compress } from "./compress.ts";
import { contexts } from "./contexts.ts";
import { contextsAge } from "./contexts-age.ts";
import { contextsCreate } from "./contexts-create.ts";
import { contextsExport } from "./contexts-export.ts";
import { contextsImages } from "./contexts-images.ts";
import { contextsLoss } from "./contexts-loss.ts";
import { contextsMessages } from "./contexts-messages.ts";
import { contextsRecall } from "./contexts-recall.ts";
import { contextsView } from "./contexts-view.ts";
import { deliveries } from "./deliveries.ts";
import { deliveriesReplay } from "./deliveries-replay.ts";
import { endpoints } from "./endpoints.ts";
import { endpointsCreate } from "./endpoints-create.ts";
import { endpointsRotate } from "./endpoints-rotate.ts";
import { fidelity } from "./fidelity.ts";
import { filesCreate } from "./files-create.ts";
import { filesDelete } from "./files-delete.ts";
import { filesGet } from "./files-get.ts";
import { filesList } from "./files-list.ts";
import { filesTokens } from "./files-tokens.ts";
import { healthRoutes } from "./health.ts";
import { jobsCancel } from "./jobs-cancel.ts";
import { jobsDelete } from "./jobs-delete.ts";
import { jobsDeliveries } from "./jobs-deliveries.ts";
import { jobsEvents } from "./jobs-events.ts";
import { jobsGet } from "./jobs-get.ts";
import { jobsImage } from "./jobs-image.ts";
import { jobsList } from "./jobs-list.ts";
import { jobsOverlay } from "./jobs-overlay.ts";
import { jobsResult } from "./jobs-result.ts";
import { jobsTokens } from "./jobs-tokens.ts";
import { keysCreate } from "./keys-create.ts";
import { keysDelete } from "./keys-delete.ts";
import { keysList } from "./keys-list.ts";
import { keysRotate } from "./keys-rotate.ts";
import { manifestsCreate } from "./manifests-create.ts";
import { metrics } from "./metrics.ts";
import { models } from "./models.ts";
import { ocrCreate } from "./ocr-create.ts";
import { openapi } from "./openapi.ts";
import { receiptKeys } from "./receipt-key.ts";
import { tenantSettings } from "./settings.ts";
import { tokensCreate } from "./tokens-create.ts";
import { uploads } from "./uploads.ts";
import { uploadsCreate } from "./uploads-create.ts";
import { usage } from "./usage.ts";
import { webhookSecretRoute } from "./webhook-secret.ts";
import { whoami } from "./whoami.ts";

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
