"""Who paid, and payments of several invoices, where roles are enforced."""

from stage import wait_for


def a_payer_is_found_by_a_promotion_code_or_by_an_address(story):
    api = story.other
    terms = {"attribution": {"match_email": True}, "rules": [{"id": "commission", "amount": share("10")}]}
    program = api.post("/v1/programs", {"name": "Payers", "terms": terms}).expect(201)["id"]
    vera = api.put(f"/v1/programs/{program}/participants/vera", {}).expect(201)
    story.vera = vera["id"]
    api.put("/v1/promotions/stripe/promo_e2e", {"code": vera["code"]}).expect(200)
    assert api.get("/v1/promotions/stripe/promo_e2e").expect(200)["code"] == vera["code"].replace("-", "")
    settled = pay(story, "e2e-promo", 10000, customer_id="cus_promo", promotion_codes=["promo_e2e"]).expect(200)
    assert settled["reason"] == "earned", settled
    pay(story, "e2e-mail", 10000, customer_id="cus_mail", email="wim@example.com").expect(202)
    parked = api.get("/v1/parked-events?reason=payer_unknown").expect(200)["data"]
    assert [row["source"] for row in parked] == ["invoice/stripe/e2e-mail"], parked
    signup = {"external_id": "wim", "code": vera["code"], "email": "wim@example.com"}
    api.post("/v1/track/signup", signup).expect(201)
    assert api.get("/v1/parked-events?reason=payer_unknown").expect(200)["data"] == []
    wait_for("both rewards", lambda: earned(story) == 2000, 10)


def a_refund_of_a_payment_is_shared_by_the_invoices_that_it_paid(story):
    for invoice, amount in [("e2e-a", 6000), ("e2e-b", 4000)]:
        payments = [{"payment_id": "pi_e2e", "amount": amount}]
        pay(story, invoice, amount, external_id="wim", payments=payments).expect(200)
    refund = {"refund_id": "re_e2e", "processor": "stripe", "payment_id": "pi_e2e", "currency": "USD"}
    story.other.post("/v1/track/refund", refund | {"amount": 2500}).expect(200)
    assert earned(story) == 2000 + 450 + 300, earned(story)
    story.other.post("/v1/track/refund", refund | {"amount": 2500, "status": "failed"}).expect(200)
    assert earned(story) == 2000 + 1000, earned(story)


def share(percent):
    """A percentage of what was paid."""
    return {"percentage": {"percent": percent}}


def pay(story, invoice, amount, **payer):
    """Reports a paid invoice of Stripe's."""
    body = {"invoice_id": invoice, "processor": "stripe", "amount_paid": amount, "currency": "USD"}
    return story.other.post("/v1/track/invoice-paid", body | payer)


def earned(story):
    """What stands of everything that the referrer of this part has earned."""
    data = story.other.get(f"/v1/participants/{story.vera}/balances").expect(200)["data"]
    return sum(balance["earned"] - balance["reversed"] for balance in data)


STEPS = [
    a_payer_is_found_by_a_promotion_code_or_by_an_address,
    a_refund_of_a_payment_is_shared_by_the_invoices_that_it_paid,
]
