// What a purchase earned, in words. The parts are those of the benchmark, and their names stand beside the words.

import { element } from "./dom.js";

const TYPES = new Map([
  [1, "The right kind of product."],
  [0.5, "Another kind of product with a like name: everything counts half."],
  [0.1, "Hardly the kind of product that was asked for: everything counts a tenth."],
  [0, "Another kind of product: nothing counts."],
]);

/** The elements of the page after the end; `purchase` is null where nothing was bought. */
export function rewardPage(episode, again) {
  const { purchase, view } = episode;
  if (purchase === null) {
    return [
      element("h2", { tabIndex: -1 }, "No more steps"),
      element("p", {}, `The limit of ${view.max_steps} steps is reached and nothing was bought: the reward is 0.`),
      again,
    ];
  }
  const { reward } = purchase;
  return [
    element("h2", { tabIndex: -1 }, `Reward ${number(reward.total)}`),
    element("meter", { min: 0, max: 1, value: reward.total, ariaLabel: "Reward" }),
    element("p", {}, reward.total === 1 ? "That is all that can be earned: the task is solved." : "1.00 would be a solved task."),
    bought(purchase),
    parts(reward),
    element("p", { className: "soft" }, sum(reward)),
    likeness(reward),
    again,
  ];
}

function bought({ asin, name, price, options }) {
  const chosen = Object.entries(options).map(([option, value]) => `${option}: ${value}`).join(", ");
  const rows = [["Bought", name], ["Number", asin], ["Price", `$${price.toFixed(2)}`], ["Options", chosen || "none chosen"]];
  return element("dl", {}, rows.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]));
}

function parts(reward) {
  const options = reward.w_option !== null;
  const rows = [
    ["Kind of product", "r_type", TYPES.get(reward.r_type) ?? "", `× ${number(reward.r_type)}`],
    ["Attributes", "r_att", share(reward.r_att, reward.w_att, reward), worth(reward.r_att, reward.w_att)],
    options
      ? ["Options", "r_option", share(reward.r_option, reward.w_option, reward), worth(reward.r_option, reward.w_option)]
      : ["Options", "r_option", "None was asked for.", "–"],
    ["Price", "r_price", reward.r_price ? "Within the limit." : "Over the limit.", worth(reward.r_price ? 1 : 0, reward.w_price)],
  ];
  return element(
    "table", { className: "parts" },
    element("caption", {}, "The parts of the reward"),
    element("thead", {}, element("tr", {}, ["Part", "What was found", "Worth"].map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, rows.map(([part, name, found, value]) => element(
      "tr", {},
      element("th", { scope: "row" }, part, " ", element("code", {}, name)),
      element("td", {}, found),
      element("td", { className: "number" }, value),
    ))),
  );
}

/** A share of what was wanted as a count: every wanted thing weighs as much as the price limit does. */
function share(found, weight, { w_price: one }) {
  const wanted = Math.round(weight / one);
  return `${Math.round(found * wanted)} of ${wanted} that were asked for.`;
}

function worth(found, weight) {
  return `${number(found * weight)} of ${number(weight)}`;
}

function sum({ total, r_type: type, r_att: att, w_att: wAtt, r_option: option, w_option: wOption, r_price: price, w_price: wPrice }) {
  const terms = [att * wAtt, ...(wOption === null ? [] : [option * wOption]), price ? wPrice : 0];
  return `Reward = ${number(type)} × (${terms.map(number).join(" + ")}) = ${number(total)}`;
}

function likeness({ query_match: query, category_match: category, title_score: title }) {
  const said = [
    `${query ? "the same" : "another"} search term`, `${category ? "the same" : "another"} category`,
    `${Math.round(title * 100)} % of the nouns of the wanted product's name`,
  ];
  return element("p", { className: "soft" }, `The kind is judged by these signs: ${said.join(", ")}.`);
}

function number(value) {
  return value.toFixed(2);
}
