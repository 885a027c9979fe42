// Places the order of the form and goes to its page. The key lets the form be sent twice safely.
"use strict";

async function place(form) {
  const said = new FormData(form);
  const line = {
    sku: said.get("sku"),
    quantity: Number(said.get("quantity")),
    unit_price_minor: Number(said.get("unit_price_minor")),
  };
  const body = {
    country: said.get("country"), currency: "GBP",
    lines: said.get("other_sku") ? [line, { ...line, sku: said.get("other_sku") }] : [line],
    partial_shipment: said.has("partial_shipment"),
    payment_method: said.get("payment_method"),
  };
  const csrf = document.querySelector('meta[name="csrf"]');
  const headers = { "Content-Type": "application/json", "Idempotency-Key": form.dataset.key };
  if (csrf) headers["X-CSRF-Token"] = csrf.content;
  const answer = await fetch("/orders", {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  const answered = await answer.json();
  if (!answer.ok) throw new Error(answered.detail);
  location.assign(`/console/transactions/${encodeURIComponent(answered.order_id)}`);
}

document.getElementById("place")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const output = event.target.querySelector("output");
  output.textContent = "placing";
  try {
    await place(event.target);
  } catch (error) {
    output.className = "bad";
    output.textContent = String(error.message || error);
  }
});
