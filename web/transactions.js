// Lists the orders of the customer that was asked for, as links.
"use strict";

document.addEventListener("acted", (event) => {
  if (event.target.id !== "customer") return;
  const list = document.getElementById("customer-orders");
  const said = event.detail;
  list.replaceChildren(...said.ids.map((id) => {
    const link = document.createElement("a");
    link.href = `/console/transactions/${encodeURIComponent(id)}`;
    link.textContent = id;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
  const more = said.next ? "; there are more payments than were read" : "";
  event.target.querySelector("output").textContent = `${said.ids.length} found, ${said.said}${more}`;
});
