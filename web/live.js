// Shows the live figures: a snapshot first, then every change as it comes.
"use strict";

const SPANS_SECONDS = [5, 60, 300];

const byId = (id) => document.getElementById(id);
// Which figures are shown, and under which titles, is declared with them; the page carries it.
const declared = (id, name) => JSON.parse(byId(id).dataset[name]);
const TOTALS = declared("totals", "figures");
const GROUPS = [...document.querySelectorAll("[data-totals]")].map((list) => [list, JSON.parse(list.dataset.totals)]);
const RATES = declared("rates", "figures");
const SUMS = declared("rates", "sums");
const COUNTRY = declared("countries", "figures");
const MINUTE = declared("minutes", "series");
const LATENCY = byId("latency").dataset.figure;
const MOST = byId("countries").dataset.most;
const whole = new Intl.NumberFormat("en");
const rate = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function said(figures, name) {
  return name.endsWith("_minor") ? amounts(figures, name) : whole.format(figures[name] || 0);
}

function saidSeconds(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 120 ? `${rate.format(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function pairs(list, rows) {
  list.replaceChildren();
  for (const [name, value] of rows) {
    const box = element("div", undefined, list);
    element("dt", name, box);
    element("dd", value, box);
  }
}

// The first cell of a line heads it; a cell may be an element of its own.
function lines(body, rows) {
  body.replaceChildren();
  for (const row of rows) {
    const line = element("tr", undefined, body);
    row.forEach((cell, place) => {
      const made = element(place ? "td" : "th", undefined, line);
      if (!place) made.scope = "row";
      made.append(cell);
    });
  }
}

function table(target, heads, rows) {
  target.replaceChildren();
  const row = element("tr", undefined, element("thead", undefined, target));
  for (const text of heads) element("th", text, row).scope = "col";
  lines(element("tbody", undefined, target), rows);
}

// Tiles and funnel of one workflow: the first has elements of its own, others a section each.
function drawFunnel(body, totals, most, open) {
  const all = Math.max(totals[most] || 0, 1);
  for (const row of body.rows) {
    const reached = totals[row.dataset.figure] || 0;
    const bar = row.querySelector("progress");
    bar.max = all;
    bar.value = Math.min(reached, all);
    row.querySelector(".count").textContent = whole.format(reached);
    const waiting = open[row.dataset.step] || {};
    for (const cell of row.querySelectorAll("[data-status]")) {
      const count = waiting[cell.dataset.status] || 0;
      cell.textContent = whole.format(count);
      cell.classList.toggle("bad", cell.dataset.status === "stuck" && count > 0);
      cell.classList.toggle("dim", !count);
    }
  }
}

function tiles(list, titled, totals) {
  pairs(list, titled.map(([name, figure]) => [name, said(totals, figure)]));
}

function furtherWorkflows() {
  for (const section of document.querySelectorAll("[data-workflow]")) {
    const { workflow, figures, most } = section.dataset;
    const totals = (state.workflows || {})[workflow] || {};
    tiles(section.querySelector("dl"), JSON.parse(figures), totals);
    const open = (state.open_by_workflow || {})[workflow] || {};
    drawFunnel(section.querySelector("tbody"), totals, most, open);
  }
}

function toldRow(figures, columns) {
  return columns.map(([, figure]) => said(figures, figure));
}

// --- what is shown --------------------------------------------------------------

const SHOW = {
  totals: (totals) => {
    tiles(byId("totals"), TOTALS, totals);
    for (const [list, titled] of GROUPS) tiles(list, titled, totals);
    funnel();
  },
  open_orders: () => funnel(),
  workflows: () => furtherWorkflows(),
  open_by_workflow: () => furtherWorkflows(),
  [LATENCY]: ({ bounds }) => pairs(byId("latency"), Object.entries(bounds).map(
    ([name, bound]) => [name, bound === null ? "-" : `≤ ${whole.format(bound)} ms`])),
  minutes: (found) => {
    const minutes = Object.values(found).sort((a, b) => a.minute_ms - b.minute_ms);
    drawMinutes(byId("minutes"), minutes, MINUTE);
    table(byId("minutes-table"), ["minute", ...MINUTE.map(({ title }) => title)],
      minutes.map((at) => [
        new Date(at.minute_ms).toISOString().slice(11, 16),
        ...MINUTE.map(({ figure }) => said(at, figure)),
      ]));
  },
  countries: (found) => table(byId("countries"), ["country", ...COUNTRY.map(([name]) => name)],
    // Events that name no country count what is not shown here.
    Object.values(found).filter((at) => COUNTRY.some(([, figure]) => at[figure] || byCurrency(at, figure).length)).sort((a, b) => (b[MOST] || 0) - (a[MOST] || 0)).map(
      (at) => [at.country, ...toldRow(at, COUNTRY)])),
  clock: () => rates(),
  steps: (found) => lines(byId("steps").tBodies[0], Object.values(found).map((step) => [
    step.agent, whole.format(step.events), ...["p50", "p95", "p99"].map((name) => bound(step, name)),
    drawSpan(step),
  ])),
  services: (found) => lines(byId("services").tBodies[0], Object.values(found).map((each) => [
    each.name, each.workers ? whole.format(each.workers) : marked("✗ 0", "bad"),
    each.lag === null ? "-" : whole.format(each.lag),
    each.lag_seconds === null ? "-" : saidSeconds(each.lag_seconds),
    whole.format(each.retries), whole.format(each.failures),
  ])),
};

function marked(text, kind) {
  const made = element("strong", text);
  made.className = kind;
  return made;
}

function bound(step, name) {
  if (!step.events) return "-";
  return step[name] === null ? "longer" : `≤ ${saidSeconds(step[name])}`;
}

function funnel() {
  drawFunnel(byId("funnel").tBodies[0], state.totals || {}, MOST, state.open_orders || {});
}

// The plot of money has one currency at a time: those of another have no height in its scale.
function shownCurrency(totals) {
  const choice = byId("money-currency");
  const codes = [...new Set(Object.keys(totals).filter((each) => each.includes("_minor/")).map(currencyOf))].sort();
  if (codes.join() !== [...choice.options].map((each) => each.value).join()) {
    const chosen = choice.value;
    choice.replaceChildren(...codes.map((code) => new Option(code || "unknown", code)));
    if (codes.includes(chosen)) choice.value = chosen;
  }
  choice.parentElement.hidden = codes.length < 2;
  return choice.value;
}

function rates() {
  const now = state.clock.second;
  const seconds = state.seconds || {};
  const sum = (name, span) => {
    let found = 0;
    // The second that is under way is not over yet.
    for (let at = now - span; at < now; at += 1) found += (seconds[at] || {})[name] || 0;
    return found;
  };
  const totals = state.totals || {};
  const shown = RATES.flatMap(([title, name]) => (name.endsWith("_minor")
    ? byCurrency(totals, name).map((figure) => [`${title} ${currencyOf(figure)}`, figure])
    : [[title, name]]));
  lines(byId("rates").tBodies[0], shown.map(([title, name]) => [
    title,
    ...SPANS_SECONDS.map((span) => rate.format(sum(name, span) / span / unitsOf(name))),
    name in SUMS
      ? whole.format(SUMS[name].reduce((sum, part) => sum + (totals[part] || 0), 0))
      : name.includes("/") ? amount(totals[name] || 0, currencyOf(name)) : said(totals, name),
  ]));
  drawRates(now, seconds, shownCurrency(totals));
}

// --- the stream -----------------------------------------------------------------

let state = {};
let changed = new Set();

function merge(found) {
  for (const [section, rows] of Object.entries(found)) {
    const known = (state[section] ??= {});
    for (const [key, row] of Object.entries(rows)) {
      if (row === null) delete known[key];
      else known[key] = row;
    }
    changed.add(section);
  }
}

function draw() {
  const sections = changed;
  changed = new Set();
  for (const section of sections) if (SHOW[section]) SHOW[section](state[section]);
}

function apply(found) {
  merge(found);
  // A hidden page is not drawn until it is visible again.
  if (!document.hidden) requestAnimationFrame(draw);
}

const stream = new EventSource("/live");
stream.addEventListener("snapshot", (event) => { state = {}; apply(JSON.parse(event.data)); });
stream.addEventListener("change", (event) => apply(JSON.parse(event.data)));
stream.addEventListener("open", () => { byId("state").textContent = "live"; });
stream.addEventListener("error", () => { byId("state").textContent = "connection lost, trying again"; });
document.addEventListener("visibilitychange", () => { if (!document.hidden) requestAnimationFrame(draw); });
window.addEventListener("pagehide", () => stream.close());
