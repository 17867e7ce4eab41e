/** What a backup is taken from and restored to. */

export interface StoredObject {
  key: string;
  bytes: number;
  /** Changes with the content. */
  etag: string;
}

export interface ObjectContent {
  contentType?: string | undefined;
  chunks: AsyncIterable<Uint8Array>;
}

export interface Store {
  /** Names it in messages and in the manifest. */
  readonly name: string;
  /** HMAC of the store's SIGNING_SECRET; `null` if that is not known here. */
  signingPrint(): string | null;
  /** Writes the database, as it is at one moment, to an SQLite file. */
  snapshot(path: string): Promise<void>;
  objects(): AsyncIterable<StoredObject>;
  /** @returns `null` if the object does not exist any more */
  read(key: string): Promise<ObjectContent | null>;

  /** What is there, in words; `null` if the store is empty. @throws if it is in use */
  content(): Promise<string | null>;
  /** Removes everything. */
  wipe(): Promise<void>;
  /** @returns the object's new etag */
  write(
    key: string,
    file: string,
    about: { contentType?: string; sha256: string },
  ): Promise<string>;
  /** Replaces the database by an SQLite file. The last step of a restore. */
  load(path: string): Promise<void>;
  close(): Promise<void>;
}

/** A mistake of the person at the terminal, or a backup that cannot be used; the message is for them. */
export class BackupError extends Error {}
