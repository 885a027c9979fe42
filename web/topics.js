// Looks through a whole topic, or follows what comes: a row for each record, and how far it is.
"use strict";

const ROWS_MAX = 1000;
const form = document.getElementById("search");
const byId = (id) => document.getElementById(id);
let source = null;

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
  const when = new Date(record.at_ms).toISOString().replace("T", " ").replace("Z", "");
  for (const text of [when, record.type || "no event", record.key]) add(line, "td", text).className = "text";
  const cell = add(line, "td");
  cell.className = "text";
  const details = add(cell, "details");
  add(details, "summary", "Show");
  const transaction = record.headers.ce_correlationid;
  if (transaction) add(details, "a", "Its transaction").href = `/console/transactions/${encodeURIComponent(transaction)}`;
  const facts = add(details, "dl");
  facts.className = "facts";
  for (const [name, value] of Object.entries(record.headers)) { add(facts, "dt", name); add(facts, "dd", value); }
  if (record.error) add(details, "p", record.error).className = "bad";
  add(details, "pre", record.text || JSON.stringify(record.body, null, 2));
  return line;
}

function found(record, newestFirst) {
  const rows = byId("records");
  if (newestFirst) rows.prepend(row(record)); else rows.append(row(record));
  while (rows.children.length > ROWS_MAX) (newestFirst ? rows.lastChild : rows.firstChild).remove();
}

function say(text) { byId("progress").textContent = text; }

function stop(text) {
  if (source) source.close();
  source = null;
  byId("stop").hidden = true;
  byId("stream").disabled = byId("tail").disabled = false;
  if (text) say(text);
}

const WHY = { end: "everything was looked at", limit: "as many as were asked for", time: "time is up", cancelled: "stopped" };

function coverage(parts) {
  return parts.map((at) => `${at.partition}: ${at.first} to ${at.last} of ${at.end - 1}`).join("; ");
}

function begin(follow) {
  stop();
  byId("records").replaceChildren();
  if (byId("hint")) byId("hint").remove();
  const said = query();
  if (follow) { said.set("follow", "1"); said.set("from", "latest"); said.delete("limit"); }
  else if (said.get("from") === "latest:20") said.delete("from");
  byId("stop").hidden = false;
  byId("stream").disabled = byId("tail").disabled = true;
  say("looking");
  source = new EventSource(`/topics/${encodeURIComponent(form.dataset.topic)}/find?${said}`);
  source.addEventListener("found", (event) => found(JSON.parse(event.data).record, follow));
  source.addEventListener("progress", (event) => {
    const at = JSON.parse(event.data);
    say(`${at.scanned} looked at, ${at.matched} found`);
  });
  source.addEventListener("done", (event) => {
    const at = JSON.parse(event.data);
    stop(`${at.matched} found in ${at.scanned} records looked at: ${WHY[at.why]}. ${coverage(at.coverage)}`);
  });
  source.addEventListener("failed", (event) => stop(JSON.parse(event.data).detail));
  source.addEventListener("error", () => {
    // A stream that was refused does not come again by being asked again.
    if (source && source.readyState === EventSource.CLOSED) stop("refused: see whether the terms are right");
  });
}

byId("stream").addEventListener("click", () => begin(false));
byId("tail").addEventListener("click", () => begin(true));
byId("stop").addEventListener("click", () => stop("stopped"));
window.addEventListener("pagehide", () => stop());
