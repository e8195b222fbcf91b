"use strict";

// Sorting: a header's button sorts the rows of each body, first upwards; what has no value stays last.
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
    const up = header.getAttribute("aria-sort") !== "ascending";
    for (const one of headers) one.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", up ? "ascending" : "descending");
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
      rows.sort((a, b) => compare(value(a.cells[column]), value(b.cells[column]), up));
      body.append(...rows);
    }
  }));
}

// What scrolls sideways must be reachable by keyboard; what does not would only be in the way.
const reachable = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const wide of document.querySelectorAll(".wide")) reachable.observe(wide);

function value(cell) {
  if (!("value" in cell.dataset)) return cell.textContent.trim();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function compare(a, b, up) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  return up ? order : -order;
}

const island = document.getElementById("island");
if (island) clips(JSON.parse(island.textContent));

function clips(data) {
  const NAMES = { s: "substituted", d: "deleted", i: "inserted" };
  const systems = Object.keys(data.ops);
  const get = (id) => document.getElementById(id);
  const [system, search, compared, order, wrong, list] = ["system", "search", "compared", "order", "wrong", "list"].map(get);
  const size = Number(list.dataset.size), language = list.dataset.language;
  const all = data.id.map((_, number) => number);
  const said = (number) => data.reference[number].split(" ").filter(Boolean);
  const joined = list.hasAttribute("data-characters");
  const counts = Object.fromEntries(systems.map((name) => [name, data.ops[name].map((ops) => [...ops].filter((op) => op !== "=").length)]));
  const lengths = all.map((number) => said(number).length);
  const haystacks = {};
  let found = all, page = 0;

  function make(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, given] of Object.entries(properties)) made.setAttribute(name, given);
    made.append(...children); // texts become text nodes: whatever a transcript holds, it is no markup
    return made;
  }

  function columns(number, name) {
    const words = said(number), heard = data.heard[name][number].split(" ");
    const ops = data.ops[name][number] || "=".repeat(words.length);
    let at = 0, next = 0;
    return [...ops].map((op) => {
      const reference = op === "i" ? "" : words[at++];
      return [op, reference, op === "=" ? reference : op === "d" ? "" : heard[next++]];
    });
  }

  function summary(number, name) {
    const ops = [...data.ops[name][number]], words = lengths[number];
    const parts = ["s", "d", "i"].map((op) => [ops.filter((one) => one === op).length, op.toUpperCase()]).filter(([n]) => n);
    const total = counts[name][number], unit = joined ? "character" : "word";
    const of = `${words} ${unit}${words === 1 ? "" : "s"}`;
    if (!total) return `no errors in ${of}`;
    return `${total} error${total === 1 ? "" : "s"} in ${of}: ${parts.map(([n, op]) => `${n} ${op}`).join(", ")}`;
  }

  function diff(number, name) {
    const aligned = columns(number, name), gap = joined ? "" : " ";
    const spoken = aligned.map(([, a]) => a).filter(Boolean).join(gap), got = aligned.map(([, , b]) => b).filter(Boolean).join(gap);
    const wrong = aligned.filter(([op]) => op !== "=").map(([op, a, b]) => `${NAMES[op]} ${[a, b].filter(Boolean).join(" by ")}`);
    const label = `Said: ${spoken || "nothing"}. Heard: ${got || "nothing"}. ${wrong.join("; ")}`;
    const shown = make("div", { class: joined ? "diff joined" : "diff", dir: "auto", lang: language, role: "img", "aria-label": label });
    for (const [op, a, b] of aligned)
      if (op === "=") shown.append(make("span", {}, a));
      else shown.append(make("span", { class: `pair ${op}`, "data-op": op.toUpperCase() }, make("span", {}, a || "–"), make("span", {}, b || "–")));
    if (!aligned.length) shown.append(make("i", {}, "nothing said, nothing heard"));
    return shown;
  }

  function more(number, name) {
    const items = make("dl");
    const add = (title, text) => items.append(make("dt", {}, title), make("dd", { dir: "auto", lang: language }, text || "–"));
    if (data.transcript) {
      add("transcript as written", data.transcript[number]);
      for (const one of systems) add(`${one} as written`, data.hypothesis[one][number]);
    }
    for (const other of systems.filter((one) => one !== name))
      items.append(make("dt", {}, `${other}: ${summary(number, other)}`), make("dd", {}, diff(number, other)));
    const facts = Object.entries(data.facts || {}).filter(([, column]) => column[number] !== null).map(([fact, column]) => `${fact} ${column[number]}`);
    if (facts.length) items.append(make("dt", {}, "measured"), make("dd", {}, facts.join(", ")));
    return items;
  }

  function item(number, name) {
    const about = [summary(number, name)];
    if (data.seconds[number] !== null) about.push(`${data.seconds[number].toFixed(1)} s`);
    if (data.speaker[number]) about.push(data.speaker[number]);
    const entry = make("li", {}, make("h3", {}, make("bdi", {}, data.id[number])), make("span", { class: "count" }, make("bdi", {}, about.join(" · "))));
    if (data.audio[data.id[number]])
      entry.append(make("audio", { controls: "", preload: "metadata", src: data.audio[data.id[number]], "aria-label": `recording of ${data.id[number]}` }));
    const details = make("details", {}, make("summary", {}, systems.length > 1 ? "As written, and other systems" : "As written"));
    details.addEventListener("toggle", () => { if (details.children.length === 1) details.append(more(number, name)); });
    entry.append(diff(number, name), details);
    return entry;
  }

  function haystack(number, name) {
    const texts = [data.id[number], data.speaker[number] || "", data.reference[number], data.heard[name][number]];
    if (data.transcript) texts.push(data.transcript[number]);
    if (joined) texts.push(texts[2].replaceAll(" ", ""));
    return ((haystacks[name] ??= [])[number] ??= texts.join(" ").toLowerCase());
  }

  function tester(name) {
    const text = search.value.normalize("NFC").toLowerCase().trim(), [a, b] = text.split(">").map((part) => part.trim());
    if (b !== undefined && (a || b))
      return (number) => data.ops[name][number] !== "" && columns(number, name).some(([op, x, y]) => op !== "=" && x.toLowerCase() === a && y.toLowerCase() === b);
    const parts = text.split(/\s+/).filter(Boolean);
    return (number) => parts.every((part) => haystack(number, name).includes(part));
  }

  function select() {
    const name = system.value, matches = tester(name), [sign, other] = compared.value.split(":");
    const errors = counts[name], rate = (number) => errors[number] / Math.max(1, lengths[number]);
    const change = (number) => Math.sign(errors[number] - counts[other][number]);
    found = all.filter((number) => (!wrong.checked || errors[number]) && (!other || change(number) === Number(sign)) && matches(number));
    const orders = {
      errors: (a, b) => errors[b] - errors[a] || rate(b) - rate(a),
      rate: (a, b) => rate(b) - rate(a) || errors[b] - errors[a],
      long: (a, b) => (data.seconds[b] || 0) - (data.seconds[a] || 0),
      id: (a, b) => compare(data.id[a], data.id[b], true),
      given: (a, b) => a - b,
    };
    found.sort(orders[order.value]);
    show(0);
  }

  function show(wanted) {
    const last = Math.max(0, Math.ceil(found.length / size) - 1);
    page = Math.min(Math.max(0, wanted), last);
    const from = page * size, some = found.slice(from, from + size), number = (n) => n.toLocaleString("en");
    list.replaceChildren(...some.map((clip) => item(clip, system.value)));
    list.start = from + 1;
    get("status").textContent = found.length ? `${number(from + 1)} to ${number(from + some.length)} of ${number(found.length)} clips, ${system.value}` : "No clip matches: search for less, or take a filter away.";
    get("at").value = page + 1;
    get("at").max = last + 1;
    get("of").textContent = `of ${number(last + 1)}`;
    get("before").parentElement.hidden = last === 0;
    get("before").disabled = page === 0;
    get("next").disabled = page === last;
  }

  function turn(wanted) {
    show(wanted);
    get("status").scrollIntoView({ block: "start" });
  }

  function offer() {
    const others = systems.filter((name) => name !== system.value);
    const options = others.flatMap((name) => [[`-1:${name}`, `better than ${name}`], [`1:${name}`, `worse than ${name}`]]);
    compared.replaceChildren(...[["", "with nothing"], ...options].map(([of, text]) => make("option", { value: of }, text)));
    compared.parentElement.hidden = !others.length;
  }

  const first = systems.includes("fine-tuned") ? "fine-tuned" : systems[0];
  system.append(...systems.map((name) => make("option", { value: name }, name)));
  system.value = first;
  offer();
  system.addEventListener("change", () => { offer(); select(); });
  for (const control of [compared, order, wrong]) control.addEventListener("change", select);
  search.addEventListener("input", select);
  get("controls").addEventListener("submit", (event) => event.preventDefault());
  get("before").addEventListener("click", () => turn(page - 1));
  get("next").addEventListener("click", () => turn(page + 1));
  get("at").addEventListener("change", () => turn(Number(get("at").value) - 1));
  for (const button of document.querySelectorAll("[data-search]"))
    button.addEventListener("click", () => {
      [system.value, search.value, compared.value, wrong.checked] = [first, button.dataset.search, "", false];
      offer();
      select();
      get("clips").scrollIntoView();
      search.focus({ preventScroll: true });
    });
  select();
}
