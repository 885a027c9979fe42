// The main calls of Stripe's SDK for node against the provider's simulator.
// Usage: node provider.mjs <provider url> <secret key> <port for webhooks> <webhook secret>
import assert from "node:assert/strict";
import { createServer } from "node:http";
import Stripe from "stripe";

const [url, key, webhookPort, webhookSecret, switchHeaders] = process.argv.slice(2);
const provider = new URL(url);
const stripe = new Stripe(key, {
  host: provider.hostname,
  port: provider.port,
  protocol: "http",
  maxNetworkRetries: 0,
  telemetry: false,
});

const webhooks = [];
const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    webhooks.push({ body: Buffer.concat(parts), signature: request.headers["stripe-signature"] });
    response.end();
  });
});
await new Promise((ready) => server.listen(Number(webhookPort), "127.0.0.1", ready));

const until = async (what, holds) => {
  for (let tries = 0; tries < 600; tries++) {
    const found = await holds();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never happened: ${what}`);
};
const later = async (seconds) => {
  const body = JSON.stringify({ by_seconds: seconds });
  const headers = JSON.parse(switchHeaders);
  const answer = await fetch(`${url}/_clock`, { method: "PUT", headers, body });
  assert.equal(answer.status, 200);
};
const create = (orderId, more = {}, options = {}) =>
  stripe.paymentIntents.create(
    {
      amount: 1000,
      currency: "gbp",
      payment_method: "pm_card_visa",
      payment_method_types: ["card"],
      metadata: { order_id: orderId },
      ...more,
    },
    options,
  );

const checks = {
  async "an intent is created, confirmed, and charges"() {
    const intent = await create("n1");
    assert.equal(intent.status, "requires_confirmation");
    const paid = await stripe.paymentIntents.confirm(intent.id);
    assert.deepEqual([paid.status, paid.amount_received], ["succeeded", 1000]);
  },

  async "a decline is a card error with its code"() {
    const method = "pm_card_visa_chargeDeclinedInsufficientFunds";
    await assert.rejects(create("n2", { payment_method: method, confirm: true }), (error) => {
      assert.ok(error instanceof Stripe.errors.StripeCardError);
      assert.deepEqual([error.code, error.decline_code], ["card_declined", "insufficient_funds"]);
      assert.equal(error.payment_intent.status, "requires_payment_method");
      return true;
    });
  },

  async "3-D Secure is confirmed on its page"() {
    const intent = await create("n3", {
      payment_method: "pm_card_threeDSecure2Required",
      return_url: "https://shop.example/back",
      confirm: true,
    });
    assert.equal(intent.status, "requires_action");
    const page = intent.next_action.redirect_to_url.url;
    const html = await (await fetch(page)).text();
    const secret = /name="client_secret" value="([^"]+)"/.exec(html)[1];
    const back = await fetch(page, {
      method: "POST",
      body: new URLSearchParams({ client_secret: secret, outcome: "confirm" }),
      redirect: "manual",
    });
    assert.ok(back.headers.get("location").includes("redirect_status=succeeded"));
    assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, "succeeded");
  },

  async "a hold is captured in part, once"() {
    const intent = await create("n4", { capture_method: "manual", confirm: true });
    assert.deepEqual([intent.status, intent.amount_capturable], ["requires_capture", 1000]);
    const held = await stripe.paymentIntents.retrieve(intent.id, { expand: ["latest_charge"] });
    assert.ok(held.latest_charge.payment_method_details.card.capture_before > held.created);
    await assert.rejects(stripe.paymentIntents.capture(intent.id, { amount_to_capture: 2000 }), {
      code: "amount_too_large",
    });
    const paid = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 600 });
    assert.deepEqual([paid.status, paid.amount_received], ["succeeded", 600]);
    await assert.rejects(stripe.paymentIntents.capture(intent.id), {
      code: "payment_intent_unexpected_state",
    });
  },

  async "a hold is canceled"() {
    const intent = await create("n5", { capture_method: "manual", confirm: true });
    const reason = { cancellation_reason: "requested_by_customer" };
    const canceled = await stripe.paymentIntents.cancel(intent.id, reason);
    assert.deepEqual(
      [canceled.status, canceled.cancellation_reason],
      ["canceled", "requested_by_customer"],
    );
  },

  async "refunds are made and listed"() {
    const intent = await create("n6", { confirm: true });
    const part = await stripe.refunds.create({ payment_intent: intent.id, amount: 300 });
    const rest = await stripe.refunds.create({ payment_intent: intent.id });
    const listed = await stripe.refunds.list({ payment_intent: intent.id });
    assert.deepEqual(
      listed.data.map((each) => [each.id, each.amount]),
      [
        [rest.id, 700],
        [part.id, 300],
      ],
    );
    await assert.rejects(stripe.refunds.create({ payment_intent: intent.id }), {
      code: "charge_already_refunded",
    });
  },

  async "a refund that waits is canceled"() {
    const method = "pm_card_actionRefund";
    const intent = await create("n7", { payment_method: method, confirm: true });
    const refund = await stripe.refunds.create({ payment_intent: intent.id });
    assert.equal(refund.status, "requires_action");
    assert.equal((await stripe.refunds.cancel(refund.id)).status, "canceled");
  },

  async "a dispute is answered with evidence and won"() {
    const method = "pm_card_createDispute";
    const intent = await create("n8", { payment_method: method, confirm: true });
    await later(10);
    const [dispute] = await until("a dispute", async () => {
      const { data } = await stripe.disputes.list({ payment_intent: intent.id });
      return data.length ? data : null;
    });
    assert.equal(dispute.status, "needs_response");
    assert.ok(dispute.evidence_details.due_by > dispute.created);
    await assert.rejects(stripe.refunds.create({ payment_intent: intent.id }), {
      code: "charge_disputed",
    });
    const sent = await stripe.disputes.update(dispute.id, {
      evidence: { uncategorized_text: "winning_evidence" },
      submit: true,
    });
    assert.equal(sent.status, "under_review");
    await later(10);
    const won = await until("a decision", async () => {
      const found = await stripe.disputes.retrieve(dispute.id);
      return found.status === "won" ? found : null;
    });
    assert.equal(won.balance_transactions.length, 2);
  },

  async "a dispute is given up"() {
    const method = "pm_card_createDisputeProductNotReceived";
    const intent = await create("n9", { payment_method: method, confirm: true });
    await later(10);
    const [dispute] = await until("a dispute", async () => {
      const { data } = await stripe.disputes.list({ payment_intent: intent.id });
      return data.length ? data : null;
    });
    assert.equal((await stripe.disputes.close(dispute.id)).status, "lost");
  },

  async "balance transactions are paged, and sum up to the payouts"() {
    await later(5 * 86_400);
    const payouts = await until("a payout", async () => {
      const { data } = await stripe.payouts.list({ limit: 100 });
      return data.some((each) => each.status === "paid") ? data : null;
    });
    const every = [];
    for await (const each of stripe.balanceTransactions.list({ limit: 3 })) every.push(each);
    assert.ok(every.length > 6);
    assert.equal(new Set(every.map((each) => each.id)).size, every.length);
    assert.ok(every.every((each) => each.net === each.amount - each.fee));
    for (const payout of payouts) {
      const lines = await stripe.balanceTransactions
        .list({ payout: payout.id, limit: 3 })
        .autoPagingToArray({ limit: 1000 });
      const parts = lines.filter((each) => each.type !== "payout");
      assert.equal(
        parts.reduce((sum, each) => sum + each.net, 0),
        payout.amount,
      );
      assert.equal((await stripe.payouts.retrieve(payout.id)).id, payout.id);
    }
    const balance = await stripe.balance.retrieve();
    assert.equal(balance.object, "balance");
  },

  async "events are listed from the last one seen"() {
    const types = ["payment_intent.succeeded", "charge.dispute.closed"];
    const newest = await stripe.events.list({ types, limit: 2 });
    assert.ok(newest.has_more);
    const since = newest.data[1];
    const next = await stripe.events.list({ types, ending_before: since.id });
    assert.deepEqual(
      next.data.map((each) => each.id),
      [newest.data[0].id],
    );
    const all = await stripe.events
      .list({ created: { gte: 1 }, limit: 5 })
      .autoPagingToArray({ limit: 1000 });
    assert.ok(all.some((each) => each.type === "payment_intent.requires_action"));
    assert.equal((await stripe.events.retrieve(since.id)).type, since.type);
  },

  async "a webhook has a signature, and a changed one has not"() {
    const { body, signature } = await until("a webhook", () => webhooks[0]);
    const event = stripe.webhooks.constructEvent(body, signature, webhookSecret);
    assert.equal(event.object, "event");
    const changed = Buffer.from(body.toString().replace("evt_", "evt_x"));
    assert.throws(
      () => stripe.webhooks.constructEvent(changed, signature, webhookSecret),
      Stripe.errors.StripeSignatureVerificationError,
    );
  },

  async "an idempotency key is replayed, and refused with other parameters"() {
    const idempotencyKey = "node-key";
    const first = await create("n10", { confirm: true }, { idempotencyKey });
    const again = await create("n10", { confirm: true }, { idempotencyKey });
    assert.equal(again.id, first.id);
    assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
    await assert.rejects(
      create("n10", { confirm: true, amount: 2000 }, { idempotencyKey }),
      Stripe.errors.StripeIdempotencyError,
    );
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(name);
}
server.close();
server.closeAllConnections();
