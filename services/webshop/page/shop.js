// The pages of the shop: what an observation describes, as things to press. `act` carries out an action.

import { button, element, field, form } from "./dom.js";
import { click } from "./observation.js";

const SECTIONS = { "< Prev": "Back to the product" };
const EMPTY = "There is nothing here.";

/** The elements of the page on which `episode` stands; the first one with tabindex -1 is its heading. */
export function shopPage(episode, act) {
  const { page } = episode;
  const show = { start: startPage, results: resultsPage, item: itemPage, section: sectionPage }[page.kind];
  return [searchBar(act), ...show(page, episode, act)];
}

/** What the page is called, for titles and announcements. */
export function titleOf(episode) {
  const { page } = episode;
  if (page.kind === "results") return `Results, page ${page.number}`;
  if (page.kind === "item") return page.name;
  return page.kind === "section" ? capital(episode.section) : "Search the shop";
}

function searchBar(act) {
  const input = element("input", { name: "keywords", type: "search", required: true, maxLength: 400, autocomplete: "off" });
  const send = ({ keywords }) => {
    if (keywords.trim() !== "") act(`search[${keywords.trim()}]`);
  };
  return form(send, { className: "search", role: "search" }, field("Search for products", input), element("button", {}, "Search"));
}

function startPage() {
  return [heading("Search the shop"), note("Type words that describe what you are asked to buy.")];
}

function resultsPage(page, episode, act) {
  const cards = page.products.map((product) => card(product, act));
  return [
    navigation(act, [["Back to Search", "Start over"], ...page.buttons.map((name) => [name, turn(name)])]),
    heading(titleOf(episode)),
    note(`${page.total} products found${page.total ? ", the best first" : ""}.`),
    cards.length ? element("ul", { className: "cards" }, cards) : note("No products on this page."),
  ];
}

function card({ asin, name, price, seen }, act) {
  const open = button(name, () => act(click(asin)), { className: "name", data: { asin } });
  return element(
    "li", { className: seen ? "card seen" : "card" },
    open,
    element("span", { className: "price" }, price),
    element("span", { className: "soft" }, seen ? `${asin} · looked at` : asin),
  );
}

function itemPage(page, episode, act) {
  return [
    navigation(act, [["Back to Search", "Start over"], ["< Prev", "Back to the results"]]),
    heading(page.name),
    element("p", { className: "price large" }, page.price),
    note(`Rating: ${page.rating}`),
    ...page.groups.map((group) => options(group, episode.chosen.get(group.name), act)),
    element("div", { className: "row" }, ["Description", "Features", "Reviews"].map((name) => button(name, () => act(click(name))))),
    button("Buy Now", () => act(click("Buy Now")), { className: "buy" }),
    note("A purchase ends the task."),
  ];
}

function options({ name, values }, chosen, act) {
  const made = values.map(({ text, can }) => {
    const pressed = text === chosen;
    const choose = button(text, () => act(click(text)), { data: { option: `${name}: ${text}` }, aria: { pressed } });
    choose.disabled = !can;
    return choose;
  });
  const said = chosen === undefined ? "choose one" : chosen;
  return element(
    "fieldset", { className: "options" },
    element("legend", {}, capital(name) || "Options", element("span", { className: "soft" }, ` · ${said}`)),
    element("div", { className: "row" }, made),
  );
}

function sectionPage(page, episode, act) {
  const lines = page.lines.map((line) => element("li", {}, line));
  return [
    navigation(act, [["Back to Search", "Start over"], ["< Prev", SECTIONS["< Prev"]]]),
    heading(titleOf(episode)),
    lines.length ? element("ul", { className: "lines" }, lines) : note(EMPTY),
  ];
}

function navigation(act, names) {
  const made = names.map(([name, text]) => button(text, () => act(click(name)), { className: "quiet", data: { name } }));
  return element("nav", { className: "row", ariaLabel: "Pages" }, made);
}

function turn(name) {
  return name === "Next >" ? "Next page" : "Previous page";
}

function heading(text) {
  return element("h2", { tabIndex: -1 }, text);
}

function note(text) {
  return element("p", { className: "soft" }, text);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
