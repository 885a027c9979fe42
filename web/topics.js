// Searches a whole topic, or follows what comes: a row for each record, and how far it is.
"use strict";

const ROWS_MAX = 1000;
const WHY = { end: "everything was read", limit: "as many as were asked for", size: "no answer is longer", time: "time is up",
  runaway: "it was ended", cancelled: "stopped" };
const form = document.getElementById("search");
const byId = (id) => document.getElementById(id);
// What is under way: its stream, how far it is, whether it follows what comes, and what went before
// somebody said to go on.
let source = null;
let at = null;
let follows = false;
let earlier = null;

function nothing() { return { scanned: 0, matched: 0, first: new Map() }; }

function query() {
  const said = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) said.append(name, value);
  return said;
}

function add(parent, name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function row(record) {
  const line = document.createElement("tr");
  add(line, "th", `${record.partition}/${record.offset}`).scope = "row";
  for (const text of [moment(record.at_ms), record.type || "no event", record.key]) add(line, "td", text).className = "text";
  const cell = add(line, "td");
  cell.className = "text";
  const details = add(cell, "details");
  add(details, "summary", "Show");
  const transaction = record.headers.ce_correlationid;
  if (transaction) add(details, "a", "Its transaction").href = `/console/transactions/${encodeURIComponent(transaction)}`;
  const facts = add(details, "dl");
  facts.className = "facts";
  for (const [name, value] of Object.entries(record.headers)) { add(facts, "dt", name); add(facts, "dd", value); }
  if (record.error) add(details, "p", `✗ ${record.error}`).className = "bad";
  add(details, "pre", record.text || JSON.stringify(record.body, null, 2));
  return line;
}

// A record may claim a time that no calendar has.
function moment(ms) {
  const when = new Date(ms);
  return Number.isNaN(when.getTime()) ? `${ms} ms` : when.toISOString().replace("T", " ").replace("Z", "");
}

function found(record) {
  const rows = byId("records");
  if (follows) rows.prepend(row(record)); else rows.append(row(record));
  while (rows.children.length > ROWS_MAX) (follows ? rows.lastChild : rows.firstChild).remove();
}

function say(text) { byId("progress").textContent = text; }

function coverage() {
  const lines = at.coverage.map((part) => {
    const line = document.createElement("tr");
    // What follows goes on behind the end that there was when it began.
    const end = Math.max(part.end, part.last + 1);
    add(line, "th", part.partition).scope = "row";
    add(line, "td", end > part.begin ? `${part.begin} to ${end - 1}` : "nothing");
    const first = earlier.first.get(part.partition) ?? part.first;
    add(line, "td", part.last < first ? "nothing" : `${first} to ${part.last}`);
    add(line, "td", end - part.last - 1);
    return line;
  });
  byId("covered").replaceChildren(...lines);
  byId("cursor").textContent = at.cursor;
  byId("streamed").hidden = false;
}

function stop(text, whole) {
  if (source) source.close();
  source = null;
  byId("stop").hidden = true;
  byId("stream").disabled = byId("tail").disabled = false;
  if (at) coverage();
  byId("on").hidden = !at || Boolean(whole);
  if (text) say(text);
}

function so(said) {
  if (!said) return "nothing read yet";
  return `${earlier.matched + said.matched} found in ${earlier.scanned + said.scanned} records read`;
}

// Whether it began with the first record of every partition.
function wasWhole() {
  const fromFirst = (part) => (earlier.first.get(part.partition) ?? part.first) <= part.begin;
  return !form.elements.partition.value && at.coverage.every(fromFirst);
}

// An EventSource does not say why it was refused; a fetch of the same URL does.
async function refused(address) {
  const asking = new AbortController();
  try {
    const answer = await fetch(address, { signal: asking.signal });
    if (!answer.ok) return (await answer.json()).detail;
    return "the connection was lost";
  } catch (error) {
    return `the console does not answer (${error.message})`;
  } finally {
    asking.abort();
  }
}

async function broken(address) {
  // Left alone it would come back by itself, and begin all over again.
  const before = at;
  stop();
  say(before ? `The connection was lost: ${so(before)}.` : `✗ ${await refused(address)}`);
}

function begin(address) {
  byId("stop").hidden = false;
  byId("on").hidden = true;
  byId("stream").disabled = byId("tail").disabled = true;
  say(follows ? "waiting for what comes" : "searching");
  source = new EventSource(address);
  source.addEventListener("found", (event) => found(JSON.parse(event.data).record));
  source.addEventListener("progress", (event) => {
    at = JSON.parse(event.data);
    say(`${so(at)}${follows ? ", waiting for more" : ""}`);
  });
  source.addEventListener("done", (event) => {
    at = JSON.parse(event.data);
    const odd = at.errors ? ` The expression had no answer for ${at.errors}: ${at.error}.` : "";
    const why = at.why === "end" && !wasWhole() ? "everything from there to the end was read" : WHY[at.why];
    stop(`${so(at)}: ${why}.${odd}`, at.why === "end");
  });
  source.addEventListener("failed", (event) => stop(`✗ ${JSON.parse(event.data).detail}`));
  source.addEventListener("error", () => { if (source) broken(address); });
}

function addressOf(said) { return `/topics/${encodeURIComponent(form.dataset.topic)}/find?${said}`; }

function start(follow) {
  stop();
  follows = follow;
  at = null;
  earlier = nothing();
  byId("records").replaceChildren();
  byId("streamed").hidden = true;
  for (const id of ["hint", "answer"]) if (byId(id)) byId(id).remove();
  const said = query();
  if (follow) { said.set("from", "latest"); said.set("follow", "1"); said.delete("limit"); }
  else if (said.get("from") === "latest:20") said.delete("from");
  begin(addressOf(said));
}

function goOn() {
  const said = query();
  said.set("cursor", at.cursor);
  if (follows) { said.set("follow", "1"); said.delete("limit"); }
  earlier.scanned += at.scanned;
  earlier.matched += at.matched;
  for (const part of at.coverage) if (!earlier.first.has(part.partition)) earlier.first.set(part.partition, part.first);
  // Until the next event, the search stands where it stopped, and has read nothing since.
  at = { ...at, scanned: 0, matched: 0 };
  begin(addressOf(said));
}

byId("stream").addEventListener("click", () => start(false));
byId("tail").addEventListener("click", () => start(true));
byId("on").addEventListener("click", goOn);
byId("stop").addEventListener("click", () => stop(`Stopped: ${so(at)}.`));
window.addEventListener("pagehide", () => stop());
