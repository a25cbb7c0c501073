// An observation in the mode text_rich, read back into what stands on the page it describes.

const BUTTON = /^( {0,2})\[(clicked )?button\] (.*) \[(?:clicked )?button_\]$/;
const BACK = "[button] Back to Search [button_]";
const BUY = "[button] Buy Now [button_]";
const HEAD = /^Page (\d+) \(Total results: (\d+)\)$/;

/**
 * The page behind an observation: `kind` is start, results, item, section or done, the rest belongs to the kind.
 * `clickable` are the admissible actions that came with it, null where they were not asked for: then all values can be chosen.
 */
export function pageOf(observation, clickable, done) {
  if (done) return { kind: "done" };
  const lines = observation.split("\n");
  const back = lines.indexOf(BACK);
  if (back < 0) return { kind: "start" };
  const body = lines.slice(back + 1, lines.at(-1) === "" ? -1 : undefined);
  const head = HEAD.exec(body[0] ?? "");
  if (head) return { kind: "results", number: Number(head[1]), total: Number(head[2]), ...resultsOf(body.slice(1)) };
  if (body.at(-1) === BUY) return { kind: "item", ...itemOf(body, clickable && new Set(clickable)) };
  return { kind: "section", lines: body.slice(1).map((line) => line.trim()).filter((line) => line !== "") };
}

/** The action that clicks what is called `name`. */
export function click(name) {
  return `click[${name}]`;
}

function resultsOf(lines) {
  const products = [];
  const buttons = [];
  for (const line of lines) {
    const found = BUTTON.exec(line);
    if (found && /^(< Prev|Next >)$/.test(found[3])) buttons.push(found[3]);
    else if (found) products.push({ asin: found[3], seen: found[2] !== undefined, texts: [] });
    else if (line.trim() !== "" && products.length) products.at(-1).texts.push(line.trim());
  }
  return {
    buttons,
    products: products.map(({ asin, seen, texts }) => ({
      asin, seen, price: texts.at(-1) ?? "", name: texts.slice(0, -1).join(" ") || asin,
    })),
  };
}

function itemOf(lines, can) {
  const groups = [];
  const buttons = [];
  let texts = [];
  for (const line of lines) {
    const found = BUTTON.exec(line);
    if (!found) {
      texts.push(line);
    } else if (found[1] === "  ") {
      if (texts.length || !groups.length) groups.push({ name: texts.join(" ").trim(), values: [] });
      groups.at(-1).values.push({ text: found[3], can: can?.has(click(found[3])) ?? true });
      texts = [];
    } else {
      buttons.push(found[3]);
    }
  }
  const price = texts.findLastIndex((line) => line.startsWith("Price: "));
  return {
    groups, buttons,
    name: texts.slice(0, price).join(" ").trim(),
    price: (texts[price] ?? "").slice("Price: ".length),
    rating: (texts.at(-1) ?? "").replace("Rating: ", ""),
  };
}
