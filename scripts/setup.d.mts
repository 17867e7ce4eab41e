/** What TypeScript uses of setup.mjs, which runs before there is a TypeScript. */
export class SetupError extends Error {
  /** One line. */
  summary: string;
}
export const ON_PYTORCH: string[];
export const NETWORK_STEPS: number;
export function networksReady(): boolean;
export function setUpNetworks(onStep: (step: number, what: string) => void): Promise<void>;
export function spaceFault(needed: number, free: number): string | null;
export function stop(signal?: NodeJS.Signals): void;
