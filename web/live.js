// Shows the live figures: a snapshot first, then every change as it comes.
"use strict";

const TOTALS = [
  ["placed", "orders"], ["completed", "completed"], ["cancelled", "cancelled"], ["open", "open"],
  ["revenue", "revenue_minor"], ["refunds", "refunds_minor"], ["stock-outs", "stock_outs"],
  ["fraud found", "fraud_detected"], ["cleared", "fraud_cleared"], ["shipments", "shipments"],
];
const FUNNEL = [
  ["placed", "orders"], ["paid", "payments"], ["reserved", "reserved"], ["confirmed", "confirmed"],
  ["shipped", "shipments"], ["delivered", "delivered"],
];
const COUNTRY = [
  ["orders", "orders"], ["completed", "completed"], ["cancelled", "cancelled"],
  ["revenue", "revenue_minor"], ["refunds", "refunds_minor"],
];
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function said(figures, name) {
  const value = figures[name] || 0;
  return name.endsWith("_minor") ? money.format(value / 100) : whole.format(value);
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

function table(target, heads, rows) {
  target.replaceChildren();
  const head = element("tr", undefined, element("thead", undefined, target));
  for (const text of heads) element("th", text, head).scope = "col";
  const body = element("tbody", undefined, target);
  for (const row of rows) {
    const line = element("tr", undefined, body);
    for (const cell of row) element("td", cell, line);
  }
}

function funnel(totals) {
  const target = byId("funnel");
  target.replaceChildren();
  const most = Math.max(totals.orders || 0, 1);
  for (const [name, figure] of FUNNEL) {
    const label = element("label", name, target);
    const bar = element("progress", undefined, label);
    bar.max = most;
    bar.value = totals[figure] || 0;
    element("output", said(totals, figure), label);
  }
}

function bars(minutes) {
  const target = byId("minutes");
  target.replaceChildren();
  const names = ["orders", "completed", "cancelled"];
  const most = Math.max(1, ...minutes.flatMap((at) => names.map((name) => at[name] || 0)));
  const width = 600 / Math.max(minutes.length, 8);
  minutes.forEach((at, place) => names.forEach((name, number) => {
    const height = 130 * (at[name] || 0) / most;
    const bar = document.createElementNS(SVG, "rect");
    const facts = {
      class: name, x: place * width + number * width * 0.3 + 2, y: 140 - height,
      width: width * 0.28, height,
    };
    for (const [fact, value] of Object.entries(facts)) bar.setAttribute(fact, value);
    target.append(bar);
  }));
}

function show(figures) {
  const totals = figures.totals;
  pairs(byId("totals"), TOTALS.map(([name, figure]) => [name, said(totals, figure)]));
  pairs(byId("latency"), Object.entries(figures.to_shipped_ms).map(
    ([name, bound]) => [name, bound === null ? "-" : `\u2264 ${whole.format(bound)} ms`]));
  funnel(totals);
  bars(figures.minutes);
  table(byId("minutes-table"), ["minute", "placed", "completed", "cancelled"],
    figures.minutes.map((at) => [
      new Date(at.minute_ms).toISOString().slice(11, 16),
      said(at, "orders"), said(at, "completed"), said(at, "cancelled"),
    ]));
  table(byId("countries"), ["country", ...COUNTRY.map(([name]) => name)],
    figures.countries.map((at) => [at.country, ...COUNTRY.map(([, figure]) => said(at, figure))]));
}

const stream = new EventSource("/live");
stream.addEventListener("figures", (event) => show(JSON.parse(event.data)));
stream.addEventListener("open", () => { byId("state").textContent = "live"; });
stream.addEventListener("error", () => { byId("state").textContent = "connection lost, trying again"; });
window.addEventListener("pagehide", () => stream.close());
