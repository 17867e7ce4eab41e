/**
 * A file of vision tokens from the worker (docs/WORKER-PROTOCOL.md). Its format is safetensors: eight bytes of
 * length, a JSON header, and the numbers. The edge parses only the header; the numbers are meaningful only to the
 * model that made them.
 */
export const TOKENS_FORMAT = "fovea-vision-tokens-1";

export interface TokensHead {
  modelDigest: string;
  mode: string;
  page: number;
  dtype: keyof typeof DTYPE_BYTES;
  positions: number;
}

const DTYPE_BYTES = { F32: 4, F16: 2, BF16: 2 } as const;
const MAX_HEADER_BYTES = 65_536;

/** @returns `null` unless the bytes are one complete file of vision tokens */
export function readTokensHead(bytes: Uint8Array): TokensHead | null {
  if (bytes.byteLength < 8) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES || 8n + length > BigInt(bytes.byteLength)) return null;
  const begin = 8 + Number(length);
  try {
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, begin)));
    const { format, model_digest: modelDigest, mode, page: number } = header.__metadata__;
    const { dtype, shape, data_offsets } = header.vision_tokens;
    const [positions, width] = shape;
    const page = Number(number);
    const size = DTYPE_BYTES[dtype as TokensHead["dtype"]];
    const whole =
      Object.keys(header).length === 2 &&
      shape.length === 2 &&
      [positions, width, page].every((value) => Number.isSafeInteger(value) && value > 0) &&
      data_offsets[0] === 0 &&
      data_offsets[1] === positions * width * size &&
      begin + data_offsets[1] === bytes.byteLength;
    const named =
      format === TOKENS_FORMAT &&
      /^sha256:[0-9a-f]{64}$/.test(modelDigest) &&
      /^[a-z]{1,32}$/.test(mode);
    return whole && named ? { modelDigest, mode, page, dtype, positions } : null;
  } catch {
    return null;
  }
}
