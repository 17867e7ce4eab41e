/**
 * The folder of a deployment, `deployments/NAME`: what was answered, the secrets, the first key, how far the last run
 * came, and the configuration that Wrangler gets. Git and Docker ignore it. Files with secrets are for their owner only.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Answers, MADE_SECRETS, type RawConfig } from "./settings.ts";

/** How far a deployment has come. What may exist on Cloudflare is noted before it is made. */
export interface State {
  worker?: boolean;
  database?: boolean;
  databaseId?: string;
  bucket?: boolean;
  /** SHA-256 of the secrets that were stored last. */
  secrets?: string;
  /** Origin at which a page was read. */
  read?: string;
}

export interface FirstKey {
  origin: string;
  id: string;
  key: string;
}

export class Folder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get config(): string {
    return join(this.path, "wrangler.json");
  }

  get secretsFile(): string {
    return join(this.path, "secrets.json");
  }

  get keyFile(): string {
    return join(this.path, "key.json");
  }

  answers = () => this.#read<Answers>("answers.json");
  keepAnswers = (answers: Answers) => this.#write("answers.json", answers);

  state = () => this.#read<State>("state.json") ?? {};
  /** Adds to the state. */
  note = (more: State) => this.#write("state.json", { ...this.state(), ...more });

  keepConfig = (config: RawConfig) => this.#write("wrangler.json", config);

  key = () => this.#read<FirstKey>("key.json");
  keepKey = (key: FirstKey) => this.#write("key.json", key);

  secrets = () => this.#read<Record<string, string>>("secrets.json");

  /**
   * The secrets, after those that are missing were made. A secret that is there stays.
   * @param given secrets of the operator, which replace older ones
   */
  keptSecrets(given: Record<string, string>): Record<string, string> {
    const made = Object.fromEntries(
      MADE_SECRETS.map((name) => [name, randomBytes(32).toString("base64url")]),
    );
    const secrets = { ...made, ...this.secrets(), ...given };
    this.#write("secrets.json", secrets);
    return secrets;
  }

  #read<T>(name: string): T | null {
    const path = join(this.path, name);
    return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : null;
  }

  /** Whole or not at all: a run may be interrupted at any moment. */
  #write(name: string, value: object): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    const path = join(this.path, name);
    writeFileSync(`${path}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
