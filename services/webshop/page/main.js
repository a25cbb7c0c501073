// The page as a whole: one episode at a time, drawn anew after each call that changed it.

import { Api, Problem } from "./api.js";
import { button, element } from "./dom.js";
import { Episode } from "./episode.js";
import { failureOf } from "./failure.js";
import { rewardPage } from "./reward.js";
import { shopPage, titleOf } from "./shop.js";
import { startPage } from "./start.js";

const MOST_CALLS = 60;
const SESSION = /^#session=([A-Za-z0-9][A-Za-z0-9_.:-]{0,127})$/;

const at = (id) => document.getElementById(id);
const api = new Api(logCall);
let episode = null;
let busy = false;

/** Do one thing at a time; what fails is told, and can be tried again as it was. */
async function attempt(work) {
  if (busy) return;
  busy = true;
  at("shop").setAttribute("aria-busy", "true");
  try {
    await work();
    at("failure").replaceChildren();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell(error, work);
  } finally {
    busy = false;
    at("shop").removeAttribute("aria-busy");
  }
}

function tell(problem, work) {
  const again = () => attempt(work);
  const known = episode?.view ? { replay: then(() => episode.replay()), sync: then(() => episode.sync()) } : {};
  const useToken = (token) => {
    api.useToken(token);
    again();
  };
  at("failure").replaceChildren(...failureOf(problem, { again, useToken, leave: () => attempt(leave), ...known }));
  at("failure").querySelector("input, button")?.focus();
}

/** Do something to the episode, then show it; what was done is not done again where only showing it failed. */
function then(change, focused) {
  let changed = false;
  return () => attempt(async () => {
    if (!changed) await change();
    changed = true;
    await show(focused);
  });
}

async function begin(task, maxSteps) {
  const begun = Episode.of(api, task, maxSteps);
  await attempt(async () => {
    await begun.begin();
    episode = begun;
    await show();
  });
}

/** Draw the episode as it stands. `focused` is a selector of what keeps the focus; without, the heading takes it. */
async function show(focused) {
  history.replaceState(null, "", `#session=${episode.id}`);
  if (episode.page.kind === "done") await episode.learnReward();
  const elements = episode.over ? rewardPage(episode, again()) : shopPage(episode, act);
  draw(elements, episode.over ? "The end" : titleOf(episode), focused);
}

function act(action) {
  const pressed = document.activeElement?.dataset.option;
  then(() => episode.act(action), pressed && `[data-option="${CSS.escape(pressed)}"]`)();
}

function again() {
  return button("Another task", () => attempt(leave), { className: "buy" });
}

async function leave() {
  const left = episode;
  episode = null;
  if (left?.view) left.leave().catch(() => {}); // its lease ends it too
  history.replaceState(null, "", location.pathname);
  await welcome();
}

async function welcome() {
  const info = await api.call("GET", "v1/environment");
  const list = (split, offset, limit, found) => attemptList(`v1/tasks?${new URLSearchParams({ split, offset, limit })}`, found);
  draw(startPage(info, list, begin), "Choose a task");
}

/** A list is drawn beside what is being done, and told of like everything when it fails. */
async function attemptList(path, found) {
  const work = async () => found((await api.call("GET", path)).tasks);
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell(error, work);
  }
}

// --- drawing ---------------------------------------------------------------------------------------------------------

function draw(elements, title, focused) {
  at("shop").replaceChildren(...elements);
  document.title = `${title} – WebShop`;
  at("leave").hidden = episode === null || episode.over;
  at("task").hidden = at("past").hidden = episode === null;
  at("status").textContent = episode === null ? "" : statusOf(title);
  if (episode !== null) {
    at("task").replaceChildren(element("h2", {}, "Your task"), element("p", {}, episode.view.task.goal), element("p", { className: "soft" }, episode.view.task.id));
    at("steps").replaceChildren(...episode.steps.map(stepLine));
  }
  const target = (focused && at("shop").querySelector(focused)) || at("shop").querySelector("[tabindex='-1']");
  target.focus();
}

function statusOf(title) {
  const { steps, view, over, score } = episode;
  const chosen = [...episode.chosen.values()];
  const said = `Step ${steps.length} of ${view.max_steps}`;
  if (over) return `${said} · the end · score ${score.toFixed(2)}`;
  if (steps.at(-1)?.valid === false) return `${said} · the shop did not understand that`;
  return `${said} · ${title}${chosen.length ? ` · chosen: ${chosen.join(", ")}` : ""}`;
}

function stepLine({ action, valid }) {
  const note = valid ? null : element("span", { className: "soft" }, " not understood");
  return element("li", {}, element("code", {}, action), note);
}

function logCall({ method, path, body, status, milliseconds }) {
  const head = `${method} /${path}`;
  const tail = element("span", { className: status >= 200 && status < 300 ? "soft" : "bad" }, ` ${status || "no answer"} · ${milliseconds.toFixed(0)} ms`);
  const line = body === undefined ? null : element("pre", {}, JSON.stringify(body));
  const log = at("log");
  log.prepend(element("li", {}, element("code", {}, head), tail, line));
  while (log.children.length > MOST_CALLS) log.lastChild.remove();
}

// --- begin -----------------------------------------------------------------------------------------------------------

at("leave").addEventListener("click", () => attempt(leave));
at("calls").open = matchMedia("(min-width: 60rem)").matches;
const known = SESSION.exec(location.hash);
attempt(async () => {
  if (!known) return welcome();
  episode = await Episode.resumed(api, known[1]);
  return show();
});
