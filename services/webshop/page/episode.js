// One episode on one session: what was done, where it stands, and how to go on when the session is lost.

import { Problem } from "./api.js";
import { pageOf } from "./observation.js";

const INCLUDE = ["admissible_actions"];
const MODE = "text_rich";

export class Episode {
  #api;
  #asked;
  #heir = null; // the id under which a lost session is played again; kept, so that trying again makes no second one

  constructor(api, id, asked) {
    this.#api = api;
    this.#asked = asked;
    this.id = id;
    this.steps = [];
    this.view = null;
    this.page = { kind: "start" };
    this.chosen = new Map(); // the name of an option to its chosen value, for the open product
    this.section = "";
    this.purchase = null;
  }

  /** An episode to be begun; `task` is {task_id} or {split, index}. */
  static of(api, task, maxSteps) {
    return new Episode(api, newId(), { ...task, max_steps: maxSteps, options: { observation: MODE }, include: INCLUDE });
  }

  /** The episode of a session that exists. Throws Problem. */
  static async resumed(api, id) {
    const episode = new Episode(api, id, null);
    await episode.sync();
    return episode;
  }

  get over() {
    const last = this.steps.at(-1);
    return Boolean(last && (last.done || last.truncated));
  }

  get score() {
    return this.steps.at(-1)?.score ?? 0;
  }

  /** Create the session. Safe to repeat. */
  async begin() {
    this.view = await this.#api.call("PUT", this.#path(), this.#asked);
  }

  /** Carry out the next action. Safe to repeat: the server answers a step that it has carried out from its record. */
  async act(action) {
    const step = await this.#step(this.id, this.steps.length + 1, action);
    this.#take(step);
  }

  /** Why the purchase earned what it did; asked for once. */
  async learnReward() {
    this.purchase ??= await this.#api.call("GET", `${this.#path()}/reward`);
  }

  /** Take over what the server has recorded. Throws Problem, also for a session that this page cannot show. */
  async sync() {
    const { steps, ...view } = await this.#api.call("GET", this.#path());
    if (view.options.observation !== MODE) {
      throw new Problem({ code: "other_mode", detail: `this page shows sessions with the option observation ${MODE} only` });
    }
    const last = steps.at(-1);
    if (last) steps[steps.length - 1] = await this.#step(this.id, last.seq, last.action); // with what can be clicked
    this.#adopt(view, steps);
  }

  /** The same actions in a new session: a shop answers them as before. Throws Problem. */
  async replay() {
    this.#heir ??= newId();
    const view = await this.#api.call("PUT", `v1/sessions/${this.#heir}`, this.#asked);
    const steps = [];
    for (const done of this.steps) {
      const step = await this.#step(this.#heir, done.seq, done.action);
      if (step.observation_hash !== done.observation_hash) {
        throw new Problem({ code: "other_shop", detail: `the server answers step ${done.seq} differently now` });
      }
      steps.push(step);
    }
    this.id = this.#heir;
    this.#heir = null;
    this.#adopt(view, steps);
  }

  /** Give the session back. */
  async leave() {
    await this.#api.call("DELETE", this.#path());
  }

  #path() {
    return `v1/sessions/${this.id}`;
  }

  #step(id, seq, action) {
    return this.#api.call("POST", `v1/sessions/${id}/steps`, { seq, action, include: INCLUDE });
  }

  #adopt(view, steps) {
    this.view = view;
    this.#asked = {
      task_id: view.task.id, seed: view.seed, max_steps: view.max_steps, options: view.options, include: INCLUDE,
    };
    this.steps = [];
    this.page = { kind: "start" };
    this.chosen = new Map();
    for (const step of steps) this.#take(step);
  }

  #take(step) {
    const before = this.page;
    this.steps.push(step);
    this.page = pageOf(step.observation, step.admissible_actions, step.done);
    const name = /^click\[(.*)\]$/.exec(step.action)?.[1].toLowerCase() ?? "";
    if (this.page.kind === "start" || this.page.kind === "results") this.chosen = new Map();
    if (this.page.kind === "section" && before.kind === "item") this.section = name;
    if (this.page.kind === "item" && before.kind === "item") this.#choose(before.groups, name);
  }

  #choose(groups, name) {
    const group = groups.findLast(({ values }) => values.some((value) => value.text === name)); // of two, the last counts
    if (group) this.chosen.set(group.name, name);
  }
}

/** A random UUID; crypto.randomUUID exists on pages from https or localhost only. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
