// Choosing a task: by looking through a split, or by its id.

import { button, element, field, form } from "./dom.js";

const SHOWN = 8;

/** The elements of the first page. `list` answers a page of tasks, `begin` takes {task_id} or {split, index} and a limit. */
export function startPage(info, list, begin) {
  const split = element("select", {}, info.splits.map(({ name, tasks }) => element("option", { value: name }, `${name} (${tasks})`)));
  const first = element("input", { type: "number", min: 0, step: 1, value: 0, inputMode: "numeric" });
  const limit = element("input", { type: "number", min: 1, max: 10000, step: 1, value: info.max_steps, inputMode: "numeric" });
  const found = element("ol", { className: "tasks" });
  const steps = () => (limit.checkValidity() ? limit.valueAsNumber : NaN) || info.max_steps;
  const size = () => info.splits.find(({ name }) => name === split.value).tasks;
  const at = () => Math.min(Math.max(first.valueAsNumber || 0, 0), size() - 1);
  const show = () => list(split.value, at(), SHOWN, (tasks) => {
    found.replaceChildren(...tasks.map((task, place) => entry(task, () => begin({ split: split.value, index: at() + place }, steps()))));
    found.start = at();
  });
  const move = (by) => {
    first.value = Math.min(Math.max(at() + by, 0), size() - 1);
    show();
  };
  split.addEventListener("change", () => move(-at()));
  first.addEventListener("change", () => move(0));
  show();
  return [
    element("h2", { tabIndex: -1 }, "Choose a task"),
    element("p", {}, "You are told what to buy. Find it, choose its options and buy it: the shop says how good a purchase it was."),
    element("div", { className: "row fields" }, field("Split", split), field("From number", first), field("Step limit", limit)),
    found,
    element(
      "div", { className: "row" },
      button("Earlier", () => move(-SHOWN), { className: "quiet" }),
      button("Later", () => move(SHOWN), { className: "quiet" }),
      button("Any of them", () => begin({ split: split.value, index: Math.floor(Math.random() * size()) }, steps()), { className: "quiet" }),
    ),
    form(
      ({ task }) => begin({ task_id: task.trim() }, steps()), { className: "row fields" },
      field("Or a task by its id", element("input", { name: "task", required: true, autocomplete: "off", placeholder: "synthetic-3" })),
      element("button", {}, "Begin"),
    ),
  ];
}

function entry({ id, goal }, begin) {
  return element("li", {}, button(goal, begin, { data: { task: id } }));
}
