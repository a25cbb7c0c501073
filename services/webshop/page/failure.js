// A failed call in words, with what can be done about it. Nothing is lost by a failure, and the words say so.

import { button, element, field, form } from "./dom.js";

const LOST = new Set(["session_not_found", "session_gone"]);
const ELSEWHERE = new Set(["step_conflict", "step_gap", "episode_over"]);

/**
 * The elements that tell of `problem`. `ways` are what may be done: `again` repeats the call, `useToken` sends a token
 * from now on, `replay` plays the same actions in a new session, `sync` takes over what the server has recorded, and
 * `leave` goes back to the choice of a task.
 */
export function failureOf(problem, ways) {
  if (problem.status === 401) return token(ways);
  if (LOST.has(problem.code) && ways.replay) {
    return said(
      "This session is gone: it was idle for too long, or the server was started again. What you did is not lost.",
      problem, button("Play it again up to here", ways.replay), button("Another task", ways.leave, { className: "quiet" }),
    );
  }
  if (ELSEWHERE.has(problem.code) && ways.sync) {
    return said("The server has carried out another step in the meantime.", problem, button("Show where the session is", ways.sync));
  }
  const again = button("Try again", ways.again);
  if (problem.status === 0) {
    return said("The server cannot be reached. The same step can be sent again: it is carried out once at most.", problem, again);
  }
  if (problem.status === 429 || problem.status === 503) {
    const when = problem.retryAfter ? ` Try again in ${Math.ceil(problem.retryAfter)} seconds.` : "";
    return said(`The server cannot take this just now. Nothing is lost.${when}`, problem, again);
  }
  return said("That did not work.", problem, again, button("Another task", ways.leave, { className: "quiet" }));
}

function said(words, { status, code, message }, ...buttons) {
  const exactly = `${status || "no answer"} · ${code}: ${message}`;
  return [element("p", {}, words), element("p", { className: "soft" }, exactly), element("div", { className: "row" }, buttons)];
}

function token({ useToken }) {
  const input = element("input", { name: "token", type: "password", required: true, autocomplete: "off" });
  return [
    element("p", {}, "This server asks for a token. It is kept in this tab only."),
    form((fields) => useToken(fields.token.trim()), { className: "row fields" }, field("Token", input), element("button", {}, "Use it")),
  ];
}
