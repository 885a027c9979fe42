// Amounts as people read them: as many decimals as ISO 4217 gives the currency, which the page says.
"use strict";

const EXPONENTS = JSON.parse(document.querySelector("[data-exponents]").dataset.exponents);
const formats = {};

// A figure of money is `revenue_minor/GBP`; without a currency nobody knows its decimals.
function currencyOf(figure) {
  return figure.split("/")[1] || "";
}

// How many minor units one shown unit is; 1 for what is not money, or in no known currency.
function unitsOf(figure) {
  return 10 ** (EXPONENTS[currencyOf(figure)] || 0);
}

function amount(minor, currency) {
  const digits = EXPONENTS[currency];
  // A no-break space keeps an amount and its currency on one line.
  formats[digits || 0] ??= new Intl.NumberFormat("en", {
    minimumFractionDigits: digits || 0, maximumFractionDigits: digits || 0,
  });
  const number = formats[digits || 0].format(minor / 10 ** (digits || 0));
  if (digits !== undefined) return `${number}\u00a0${currency}`;
  return currency ? `${number} minor units of ${currency}` : `${number} minor units`;
}

// The figures of `name` by currency, in the order of their codes: amounts are never added up.
function byCurrency(figures, name) {
  return Object.keys(figures).filter((figure) => figure.startsWith(`${name}/`)).sort();
}

// One amount a line.
function amounts(figures, name) {
  const all = byCurrency(figures, name);
  return all.map((figure) => amount(figures[figure], currencyOf(figure))).join("\n") || "-";
}
