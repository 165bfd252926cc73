"""Money: Stripe's events in both shapes, the tracking calls, refunds, and what the ledger says of each."""

import time

from story import WEBHOOK_SECRET

OLD = "invoice/stripe/in_1QsampleOldInvoice000000"
BASIL = "invoice/stripe/in_1QsampleNewInvoice000000"
BASIL_PAYMENT = "payment/stripe/pi_1QsampleNewIntent0000000"


def an_event_that_is_not_signed_or_not_in_time_is_refused(story):
    path, event = story.endpoint["path"], story.sample("2020-08-27/invoice.paid")
    refused = [
        story.anonymous.stripe(path, event, "whsec_of_somebody_else"),
        story.anonymous.stripe(path, event, WEBHOOK_SECRET, at=int(time.time()) - 301),
        story.anonymous.stripe(path, event, WEBHOOK_SECRET, at=int(time.time()) + 320),
        story.anonymous.post(path, event),
    ]
    assert [answer.expect(400)["code"] for answer in refused] == ["invalid_signature"] * 4
    nowhere = f"/v1/webhooks/stripe/whe_{'0' * 26}"
    story.anonymous.stripe(nowhere, event, WEBHOOK_SECRET).expect(404)
    assert story.rewards() == []


def events_of_no_concern_are_taken_and_ignored(story):
    path, event = story.endpoint["path"], story.sample("basil/invoice.paid")
    other = story.anonymous.stripe(path, event | {"type": "invoice.created"}, WEBHOOK_SECRET).expect(200)
    live = story.anonymous.stripe(path, event | {"livemode": True}, WEBHOOK_SECRET).expect(200)
    assert (other["ignored_because"], live["ignored_because"]) == ("event_type", "livemode"), (other, live)
    assert story.rewards() == []


def a_paid_invoice_earns_once_however_often_and_by_whatever_path_it_is_told(story):
    event = story.sample("2020-08-27/invoice.paid", story.paid_at + 1)
    (first,) = story.deliver(event)
    assert (first["source"], first["reason"], first["duplicate"]) == (OLD, "earned", False), first
    assert [line["amount"] for line in first["posted"]] == [{"amount": 2200, "currency": "USD"}], first
    twin = story.sample("2020-08-27/invoice.payment_succeeded", story.paid_at + 1)
    for repeated in [event, event, twin]:
        (again,) = story.deliver(repeated)
        assert (again["source"], again["duplicate"], again["posted"]) == (OLD, True, []), again
    told = {"invoice_id": OLD.rpartition("/")[2], "processor": "stripe", "external_id": "account-1042"}
    told |= {"amount_paid": 22000, "currency": "USD"}
    assert story.api.post("/v1/track/invoice-paid", told).expect(200)["posted"] == []
    assert len(story.rewards()) == 1
    assert story.lines_of(OLD) == [("earned", 2200)]


def the_reward_is_fulfilled_through_the_queue(story):
    reward = story.fulfilled(OLD)
    assert story.reward(reward["id"])["amount"] == {"amount": 2200, "currency": "USD"}
    nothing = dict.fromkeys(["shortfall", "cash", "elsewhere", "spent", "pending", "reversed"], 0)
    expected = {"unit": "USD", "available": 2200, "earned": 2200, **nothing}
    assert story.balance() == expected, story.balance()


def a_partial_refund_takes_its_part_back_and_a_failed_one_restores_it(story):
    event = story.sample("2020-08-27/charge.refunded")
    (refunded,) = story.deliver(event)
    assert [line["amount"]["amount"] for line in refunded["posted"]] == [-550], refunded
    (again,) = story.deliver(event)
    assert (again["duplicate"], again["posted"]) == (True, []), again
    assert story.balance()["available"] == 1650
    (failed,) = story.deliver(story.sample("2020-08-27/charge.refund.updated"))
    assert [line["amount"]["amount"] for line in failed["posted"]] == [550], failed
    assert story.lines_of(OLD) == [("earned", 2200), ("refund", -550), ("restored", 550)]
    assert story.balance()["available"] == 2200


def the_shapes_since_basil_come_to_the_same_in_another_order(story):
    # The refund names only the payment, and is told before Stripe ties the payment to the invoice.
    story.deliver(story.sample("basil/invoice.paid", story.paid_at + 1))
    story.fulfilled(BASIL)
    (early,) = story.deliver(story.sample("basil/charge.refunded"))
    assert (early["source"], early["reason"]) == (BASIL_PAYMENT, "awaiting_payment"), early
    assert story.lines_of(BASIL) == [("earned", 2200)]
    story.deliver(story.sample("basil/invoice_payment.paid", story.paid_at + 1))
    assert story.lines_of(BASIL) == [("earned", 2200), ("refund", -550)]
    (known,) = story.deliver(story.sample("basil/refund.updated"))
    assert (known["source"], known["posted"]) == (BASIL, []), known
    story.deliver(story.sample("basil/invoice.payment_succeeded", story.paid_at + 1))
    story.deliver(story.sample("basil/refund.failed"))
    assert story.lines_of(BASIL) == [("earned", 2200), ("refund", -550), ("restored", 550)]


def a_tracked_refund_takes_back_once(story):
    refund = {"refund_id": "re_tracked", "processor": "stripe", "invoice_id": OLD.rpartition("/")[2]}
    refund |= {"amount": 2000, "currency": "USD"}
    taken = story.api.post("/v1/track/refund", refund).expect(200)
    assert [line["amount"]["amount"] for line in taken["posted"]] == [-200], taken
    assert story.api.post("/v1/track/refund", refund).expect(200)["duplicate"] is True
    other = story.api.post("/v1/track/refund", refund | {"currency": "EUR"}).expect(409)
    assert other["code"] == "currency_mismatch", other


def payments_that_come_before_their_sign_up_are_parked_and_then_earn(story):
    by_id = {"invoice_id": "early-1", "external_id": "account-2077", "amount_paid": 10000, "currency": "USD"}
    parked = story.api.post("/v1/track/invoice-paid", by_id).expect(202)
    assert (parked["reason"], parked["parked"]) == ("awaiting_signup", True), parked
    by_customer = {"invoice_id": "in_early", "processor": "stripe", "customer_id": "cus_early"}
    by_customer |= {"amount_paid": 5000, "currency": "USD"}
    parked = story.api.post("/v1/track/invoice-paid", by_customer).expect(202)
    assert (parked["reason"], parked["parked"]) == ("payer_unknown", True), parked
    story.sign_up("account-2077").expect(201)
    story.sign_up("account-3001", customer={"processor": "stripe", "id": "cus_early"}).expect(201)
    assert story.fulfilled("invoice/own/early-1")["amount"]["amount"] == 1000
    assert story.fulfilled("invoice/stripe/in_early")["amount"]["amount"] == 500


def the_decision_says_what_it_was_made_from(story):
    decision = story.decision(OLD)
    assert (decision["source"], decision["reason"]) == (OLD, "earned"), decision
    inputs = decision["inputs"]
    assert (inputs["payer"], inputs["referrer"]) == ("account-1042", story.participant["id"]), inputs
    assert inputs["paid"] == {"amount": 22000, "currency": "USD"}, inputs
    assert (inputs["refunded"], inputs["standing"], inputs["terms_version"]) == (2000, 20000, 1), inputs
    (rule,) = decision["rules"]
    assert (rule["rule"], rule["fired"], rule["target"], rule["posted"]) == (
        "commission",
        True,
        {"amount": 2000, "currency": "USD"},
        {"amount": 2000, "currency": "USD"},
    ), rule
    # A payment is explained by the invoice that it paid.
    assert story.decision(BASIL_PAYMENT)["source"] == BASIL


def the_key_of_another_organization_finds_nothing(story):
    participant, program = story.participant["id"], story.program["id"]
    reward = story.reward_from(OLD)["id"]
    paths = [
        f"/v1/programs/{program}",
        f"/v1/participants/{participant}",
        f"/v1/participants/{participant}/ledger",
        f"/v1/participants/{participant}/balances",
        f"/v1/codes/{story.participant['code']}",
        f"/v1/rewards/{reward}",
        f"/v1/decisions/{OLD}",
    ]
    assert {path: story.other.get(path).expect(404)["code"] for path in paths} == dict.fromkeys(paths, "not_found")
    story.other.patch(f"/v1/programs/{program}", {"status": "paused"}).expect(404)
    story.other.put(f"/v1/programs/{program}/participants/account-17", {}).expect(404)
    story.other.patch(f"/v1/webhook-endpoints/{story.endpoint['id']}", {"secrets": [WEBHOOK_SECRET]}).expect(404)
    signup = {"external_id": "account-1042", "code": story.participant["code"]}
    assert story.other.post("/v1/track/signup", signup).expect(422)["code"] == "code_not_found"
    assert story.other.get(f"/v1/rewards?participant={participant}").expect(200)["data"] == []
    assert story.other.get(f"/v1/referrals?referrer={participant}").expect(200)["data"] == []


STEPS = [
    an_event_that_is_not_signed_or_not_in_time_is_refused,
    events_of_no_concern_are_taken_and_ignored,
    a_paid_invoice_earns_once_however_often_and_by_whatever_path_it_is_told,
    the_reward_is_fulfilled_through_the_queue,
    a_partial_refund_takes_its_part_back_and_a_failed_one_restores_it,
    the_shapes_since_basil_come_to_the_same_in_another_order,
    a_tracked_refund_takes_back_once,
    payments_that_come_before_their_sign_up_are_parked_and_then_earn,
    the_decision_says_what_it_was_made_from,
    the_key_of_another_organization_finds_nothing,
]
