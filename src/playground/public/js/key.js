/** The API key of this tab, which is kept in its `sessionStorage` until the tab is closed. */

const KEY = "fovea-key";

export const keptKey = () => sessionStorage.getItem(KEY) ?? "";

/** @param {string} key empty: keep none */
export function keepKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/**
 * The key in the address that `npm start` prints (`/#key=…`), which is cleared at once. Taken on loopback only: elsewhere
 * a link could make its reader upload documents to the sender's account.
 * @returns {string | null}
 */
export function keyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const key = given.get("key");
  if (key === null) return null;
  given.delete("key");
  const rest = given.size > 0 ? `#${given}` : "";
  history.replaceState(null, "", location.pathname + location.search + rest);
  return ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname) ? key : null;
}

export const takeKey = () => keyFromAddress() ?? keptKey();
