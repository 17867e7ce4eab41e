/** What the console asks of the API: JSON in, JSON out, problems as errors. */
import { Api } from "../../js/api.js";

/** @typedef {import("../../../../client/schema.ts").ApiKey} ApiKey */

export class Service {
  #api;

  /** @param {string} credential an API key, or the bootstrap secret */
  constructor(credential) {
    this.#api = new Api(credential);
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number | undefined>} [query] empty values are left out
   * @returns {Promise<any>}
   */
  async get(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
    return (await this.#api.call(search.size > 0 ? `${path}?${search}` : path)).json();
  }

  /** @param {string} path @returns {Promise<Blob>} */
  async blob(path) {
    return (await this.#api.call(path)).blob();
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>} `null` without a body
   */
  async send(method, path, body) {
    const response = await this.#api.call(path, {
      method,
      ...(body && {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    return response.headers.get("content-type")?.includes("json") ? response.json() : null;
  }

  /** All items of a list, of at most ten pages. @param {string} path @returns {Promise<any[]>} */
  async all(path) {
    const items = [];
    let cursor = "";
    for (let i = 0; i < 10; i++) {
      const page = await this.get(path, { limit: 100, cursor });
      items.push(...page.data);
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    return items;
  }
}

/**
 * Who is signed in.
 * @typedef {object} Session
 * @property {Service} service
 * @property {ApiKey | null} own the key; `null`: the operator
 */

/** `admin` includes all scopes. @param {Session} session @param {string} scope */
export const has = ({ own }, scope) =>
  own?.scopes.some((held) => held === scope || held === "admin") ?? false;
