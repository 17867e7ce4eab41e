/** What clients of OpenAI and Mistral say about a file. */

/** Of a document, which is to be read. */
export const READ_PURPOSES = ["ocr", "user_data", "assistants", "vision"] as const;

/** Of the requests of a batch. */
export const BATCH_PURPOSE = "batch";

export const isReadPurpose = (purpose: string): boolean =>
  READ_PURPOSES.some((known) => known === purpose);
