// One transaction: nothing is taken from under a reader or a writer; the path of an approval; what a
// refund is.
"use strict";

const READING = "details[open]:not([data-open])";

function isWritten(form) {
  const written = [...form.querySelectorAll("input, textarea")].some((each) => each.value !== each.defaultValue);
  return written || form.contains(document.activeElement);
}

// Whether the same case still waits in what has come: the answer that was given is on its way.
function stillAsked(form, fragment) {
  return [...fragment.querySelectorAll("form")].some((each) => each.id === form.id && each.dataset.why === form.dataset.why);
}

// While somebody has opened an event or a row, or writes an answer, what lies there stays as it is.
document.addEventListener("htmx:oobBeforeSwap", ({ target, detail }) => {
  if (target.id === "below" && target.querySelector(READING)) detail.shouldSwap = false;
  if (target.id !== "cases") return;
  const forms = [...target.querySelectorAll("form")];
  const answered = forms.filter((form) => "acted" in form.dataset);
  const stays = answered.length
    ? answered.some((form) => stillAsked(form, detail.fragment))
    : Boolean(target.querySelector(READING)) || forms.some(isWritten);
  if (stays) detail.shouldSwap = false;
});

document.addEventListener("acted", ({ target }) => { target.dataset.acted = ""; });

document.addEventListener("htmx:afterSettle", () => {
  const [now, below] = ["now", "below"].map((id) => Number(document.getElementById(id).dataset.events));
  document.getElementById("newer").hidden = now <= below;
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id !== "approve") return;
  // Before it is sent: what is approved stands in the path.
  const refund = encodeURIComponent(document.getElementById("approved").value);
  form.dataset.act = `POST ${form.dataset.below}/${refund}/approve`;
}, true);

document.addEventListener("acted", (event) => {
  const output = event.target.querySelector("output");
  if (!output || !event.detail || event.detail.state !== "proposed") return;
  const number = event.target.elements.refund_id.value;
  output.textContent = `proposed as ${number}: it is above the limit, so another approver has to approve it`;
});
