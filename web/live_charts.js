// Draws the live figures: what comes per second and by minute, how long steps take.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const SHOWN_SECONDS = 300;
const SHOWN_SECONDS_MIN = 60;
const SMOOTH_SECONDS = 5;
const COLOURS = { neutral: "--some", strong: "--link", good: "--good", bad: "--bad" };
const SPAN_WIDTH = 160;
const SPAN_DECADES = 5;

const plots = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function drawn(name, facts, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [fact, value] of Object.entries(facts)) made.setAttribute(fact, value);
  if (parent) parent.append(made);
  return made;
}

function madePlot(target, series) {
  const axis = { stroke: () => colour("--dim"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false } };
  const clock = (_, times) => times.map((at) => new Date(at * 1000).toTimeString().slice(0, 8));
  return new uPlot({
    width: target.clientWidth || 480,
    height: 170,
    cursor: { show: false },
    legend: { show: false },
    scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
    axes: [{ ...axis, size: 26, space: 90, values: clock }, axis],
    series: [{}, ...series.map((each) => ({ label: each.title, stroke: () => colour(COLOURS[each.colour]), width: 2, points: { show: false } }))],
  }, [[], ...series.map(() => [])], target);
}

// Means of the last few seconds: single ones jump too much to be read.
function smooth(now, shown, seconds, name) {
  const scale = unitsOf(name);
  const found = [];
  let sum = 0;
  for (let at = now - shown - SMOOTH_SECONDS; at < now; at += 1) {
    sum += (seconds[at] || {})[name] || 0;
    sum -= (seconds[at - SMOOTH_SECONDS] || {})[name] || 0;
    if (at >= now - shown) found.push(sum / SMOOTH_SECONDS / scale);
  }
  return found;
}

// Of money, what is in `currency` is drawn.
function drawRates(now, seconds, currency) {
  // A console that has just begun knows of nothing before.
  const known = now - Math.min(now, ...Object.keys(seconds).map(Number));
  const shown = Math.min(Math.max(known, SHOWN_SECONDS_MIN), SHOWN_SECONDS);
  const times = Array.from({ length: shown }, (_, at) => now - shown + at);
  for (const target of document.querySelectorAll(".plot")) {
    const series = JSON.parse(target.dataset.series);
    if (!plots.has(target)) plots.set(target, madePlot(target, series));
    plots.get(target).setData([times, ...series.map(({ figure }) => smooth(now, shown, seconds, figure.endsWith("_minor") ? `${figure}/${currency}` : figure))]);
  }
}

function drawMinutes(target, minutes, series) {
  target.replaceChildren();
  const most = Math.max(1, ...minutes.flatMap((at) => series.map(({ figure }) => at[figure] || 0)));
  const width = 600 / Math.max(minutes.length, 8);
  const bar = width * 0.9 / series.length;
  minutes.forEach((at, place) => series.forEach(({ figure, colour }, number) => {
    const height = 130 * (at[figure] || 0) / most;
    drawn("rect", {
      class: colour, x: place * width + number * bar + 2, y: 140 - height,
      width: bar * 0.93, height,
    }, target);
  }));
}

// From p50 over p95 to p99 on a scale of decades, 1 ms to 100 s.
function drawSpan(step) {
  const made = drawn("svg", { class: "span", viewBox: `0 0 ${SPAN_WIDTH} 14`, width: SPAN_WIDTH, height: 14, "aria-hidden": "true" });
  if (!step.events) return made;
  const place = (seconds) => {
    const decades = seconds === null ? SPAN_DECADES : Math.log10(Math.max(seconds, 0.001) * 1000);
    return 4 + (SPAN_WIDTH - 8) * Math.min(decades / SPAN_DECADES, 1);
  };
  const [p50, p95, p99] = [step.p50, step.p95, step.p99].map(place);
  drawn("line", { class: "axis", x1: 4, x2: SPAN_WIDTH - 4, y1: 7, y2: 7 }, made);
  drawn("line", { class: "span", x1: p50, x2: p99, y1: 7, y2: 7 }, made);
  for (const [at, radius] of [[p50, 4], [p95, 3], [p99, 3]]) drawn("circle", { class: "step", cx: at, cy: 7, r: radius }, made);
  return made;
}

window.addEventListener("resize", () => {
  for (const [target, plot] of plots) plot.setSize({ width: target.clientWidth, height: 170 });
});
