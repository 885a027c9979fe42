// One transaction: nothing is taken from under a reader; the path of an approval; what a refund is.
"use strict";

const READING = "details[open]:not([data-open])";

// While somebody has opened an event or a row, what lies there stays as it is.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (event.target.id === "below" && event.target.querySelector(READING)) event.detail.shouldSwap = false;
});

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
