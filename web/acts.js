// Sends forms that act as JSON, with the token of the session; says in place what came of it.
"use strict";

// Each control says by data-type what it is in JSON: text (the standard), number, flag, lines, json.
function valueOf(control) {
  switch (control.dataset.type) {
    case "fault":
    case "number": return control.value === "" ? undefined : Number(control.value);
    case "flag": return control.checked;
    case "lines": return control.value.split("\n").map((line) => line.trim()).filter(Boolean);
    case "json": return JSON.parse(control.value);
    default: return control.type === "checkbox" || control.type === "radio"
      ? (control.checked ? control.value : undefined) : control.value;
  }
}

function bodyOf(form) {
  const body = {};
  for (const control of form.elements) {
    if (!control.name || control.disabled) continue;
    const value = valueOf(control);
    if (value === undefined) continue;
    if (control.dataset.type === "fault") (body.faults ??= {})[control.name] = value;
    else if (control.dataset.type === "many") (body[control.name] ??= []).push(value);
    else body[control.name] = value;
  }
  // A page may add what no control holds.
  form.dispatchEvent(new CustomEvent("body", { detail: body }));
  return body;
}

async function sent(form) {
  const [method, path] = form.dataset.act.split(" ");
  const csrf = document.querySelector('meta[name="csrf"]');
  const headers = { "Content-Type": "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf.content;
  const answer = await fetch(path, { method, headers, body: JSON.stringify(bodyOf(form)) });
  const text = await answer.text();
  const said = text ? JSON.parse(text) : {};
  if (!answer.ok) throw new Error(said.detail || answer.statusText);
  return said;
}

async function act(form) {
  const output = form.querySelector("output");
  const buttons = [...form.querySelectorAll("button")];
  const say = (text, kind) => {
    if (output) { output.textContent = text; output.className = kind; } else if (kind === "bad") alert(text);
  };
  buttons.forEach((button) => { button.disabled = true; });
  say("sending", "dim");
  try {
    const said = await sent(form);
    const waits = said.state === "proposed" && said.detail;
    say(waits || form.dataset.done || "done", "good");
    form.dispatchEvent(new CustomEvent("acted", { bubbles: true, detail: said }));
    if (form.dataset.then && !waits) location.assign(form.dataset.then);
  } catch (error) {
    say(String(error.message || error), "bad");
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

// What is revealed is shown in place, and never lies in an address or a history.
async function reveal(form) {
  const output = form.querySelector("output");
  const csrf = document.querySelector('meta[name="csrf"]');
  const said = new URLSearchParams(new FormData(form));
  const answer = await fetch(`${form.getAttribute("action")}?${said}`, { headers: { "X-CSRF-Token": csrf ? csrf.content : "" } });
  const body = await answer.json();
  output.textContent = answer.ok ? JSON.stringify(body, null, 2) : body.detail;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("data-reveal")) {
    event.preventDefault();
    reveal(form).catch((error) => { form.querySelector("output").textContent = String(error.message || error); });
    return;
  }
  if (!form.dataset.act) return;
  event.preventDefault();
  act(form);
});

// A form that were sent before this script is here would put its fields, a token too, into the address.
document.querySelectorAll("[data-ready]").forEach((button) => { button.disabled = false; });
