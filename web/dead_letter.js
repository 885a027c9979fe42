// Compares an edited dead letter with the original, and adds the headers that were written to what is sent.
"use strict";

const form = document.getElementById("edit");

function headers() {
  const said = {};
  for (const line of document.getElementById("headers").value.split("\n")) {
    const at = line.indexOf(":");
    if (at > 0) said[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return said;
}

async function compare() {
  const target = document.getElementById("difference");
  const csrf = document.querySelector('meta[name="csrf"]').content;
  const body = { place: form.elements.place.value, body: form.elements.body.value, headers: headers() };
  const answer = await fetch("/operators/dead-letters/check", {
    method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
  });
  const said = await answer.json();
  target.replaceChildren();
  const verdict = document.createElement("p");
  const wrong = answer.ok ? said.fails : said.detail;
  verdict.className = wrong ? "bad" : "good";
  verdict.textContent = wrong ? `✗ It would fail again: ${wrong}` : "✓ It is an event of Payflow.";
  target.append(verdict);
  if (!answer.ok) return;
  const lines = document.createElement("pre");
  lines.textContent = said.diff.join("\n") || "nothing is changed";
  target.append(lines);
}

if (form) {
  document.getElementById("check").addEventListener("click", compare);
  form.addEventListener("body", (event) => { event.detail.headers = headers(); });
}
