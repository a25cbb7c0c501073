// The server as the page sees it: calls that answer JSON or throw a Problem, each of them reported to whoever listens.

const TOKEN = "restep-token";
const PATIENCE = 150_000; // milliseconds; the server itself gives up on its engine earlier

/** What went wrong with a call: an RFC 9457 document of the server, or a server that cannot be reached. */
export class Problem extends Error {
  constructor({ status = 0, code = "unreachable", title = "", detail = "", retry_after: retryAfter = null }) {
    super(detail || title || code);
    Object.assign(this, { status, code, retryAfter });
  }
}

export class Api {
  #listen;
  #token = stored();

  /** `listen` is told of every call when it has ended: {method, path, body, status, milliseconds}. */
  constructor(listen) {
    this.#listen = listen;
  }

  /** Send this bearer token from now on; it is kept until the tab is closed. */
  useToken(token) {
    this.#token = token;
    try {
      sessionStorage.setItem(TOKEN, token);
    } catch {
      // a browser that keeps nothing: the token lives as long as the page
    }
  }

  /** One call; `path` is relative to the page. Answers the document, or null where there is none. Throws Problem. */
  async call(method, path, body) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.#token) headers.Authorization = `Bearer ${this.#token}`;
    const begun = performance.now();
    const told = { method, path, body, status: 0 };
    try {
      const response = await fetch(path, {
        method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE),
      });
      told.status = response.status;
      return await answerOf(response);
    } catch (error) {
      throw error instanceof Problem ? error : new Problem({ detail: String(error.message) });
    } finally {
      this.#listen({ ...told, milliseconds: performance.now() - begun });
    }
  }
}

async function answerOf(response) {
  if (response.status === 204) return null;
  const text = await response.text();
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    document = { detail: text.slice(0, 200), code: "protocol_violation" }; // something between us and the server spoke
    if (response.ok) throw new Problem({ ...document, status: response.status });
  }
  if (response.ok) return document;
  throw new Problem({ retry_after: Number(response.headers.get("Retry-After")) || null, ...document, status: response.status });
}

function stored() {
  try {
    return sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    return "";
  }
}
