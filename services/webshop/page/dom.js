// Elements from data. Whatever a shop says becomes a text node, never markup.

/** An element; `properties` are set on it, those named `data` and `aria` as attributes; children are elements or texts. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  const { data = {}, aria = {}, ...own } = properties;
  Object.assign(made, own);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

/** A button that calls `act` when it is pressed. */
export function button(text, act, properties = {}) {
  const made = element("button", { type: "button", ...properties }, text);
  made.addEventListener("click", act);
  return made;
}

/** A labelled field of a form. */
export function field(text, input) {
  return element("label", { className: "field" }, element("span", {}, text), input);
}

/** A form of one line that hands what stands in its fields to `act`. */
export function form(act, properties, ...children) {
  const made = element("form", properties, ...children);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    act(Object.fromEntries(new FormData(made)));
  });
  return made;
}
