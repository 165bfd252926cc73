"""Fulfillment where roles are enforced: what is delivered, fails, is tried again, made by hand, spent and redeemed."""

from stage import wait_for

BY = {"actor": "support", "reason": "checked"}
DISCOUNT = {
    "rules": [
        {
            "id": "thanks",
            "trigger": "booking_completed",
            "kind": "discount",
            "amount": {"percent_off": {"percent": "15"}},
        }
    ]
}


def given(api, participant, kind, key):
    """A reward that is given by hand: its id."""
    gift = {"amount": {"amount": 500, "currency": "USD"}, "kind": kind, **BY}
    return api.post(f"/v1/participants/{participant}/rewards", gift, idempotency_key=key).expect(201)["id"]


def becomes(api, reward, state):
    """A reward once it is in a state."""

    def found():
        row = api.get(f"/v1/rewards/{reward}").expect(200)
        return row if row["state"] == state else None

    return wait_for(f"{reward} to be {state}", found, seconds=30)


def a_balance_is_spent_and_given_back(story):
    api = story.other
    program = api.post("/v1/programs", {"name": "Deliveries", "terms": DISCOUNT}).expect(201)["id"]
    lea = api.put(f"/v1/programs/{program}/participants/lea", {"name": "Lea"}).expect(201)
    story.lea = lea
    becomes(api, given(api, lea["id"], "allowance", "lea-1"), "fulfilled")
    path = f"/v1/participants/{lea['id']}/redemptions"
    spend = {"reference": "order_1", "amount": {"amount": 300, "currency": "USD"}}
    for _ in range(2):
        api.post(path, spend).expect(201)
    assert api.post(path, spend | {"reference": "order_2"}).expect(409)["code"] == "balance_too_low"
    assert [row["reference"] for row in api.get(path).expect(200)["data"]] == ["order_1"]
    api.post(f"{path}/order_1/return", BY).expect(200)
    assert api.get(f"{path}/order_1").expect(200)["return_note"]["actor"] == "support"
    balance = api.get(f"/v1/participants/{lea['id']}/balances").expect(200)["data"][0]
    assert (balance["available"], balance["spent"]) == (500, 0), balance


def credit_that_has_no_customer_fails_and_is_given_by_hand(story):
    api = story.other
    connection = "/v1/processor-connections/stripe"
    api.put(connection, {"api_key": "sk_test_0123456789abcdef01234567"}).expect(200)
    assert "sk_test_0123456789abcdef01234567" not in str(api.get(connection).expect(200))
    credit = given(api, story.lea["id"], "invoice_credit", "lea-2")
    assert becomes(api, credit, "failed")["failure"]["code"] == "no_processor_customer"
    api.post(f"/v1/rewards/{credit}/retry", BY).expect(200)
    becomes(api, credit, "failed")
    assert api.post(f"/v1/rewards/{credit}/fulfill", BY).expect(200)["state"] == "fulfilled"
    call = {"action": "fulfill", "rewards": [credit], **BY}
    results = api.post("/v1/rewards/bulk", call).expect(200)["results"]
    assert [result["status"] for result in results] == [200], results
    api.delete(connection).expect(204)


def a_one_time_code_is_redeemed_once(story):
    api = story.other
    api.post("/v1/track/signup", {"external_id": "noa", "code": story.lea["code"]}).expect(201)
    booking = {"name": "booking_completed", "event_id": "b-lea", "external_id": "noa"}
    source = api.post("/v1/track/event", booking).expect(200)["source"]

    def delivered():
        rows = api.get(f"/v1/rewards?participant={story.lea['id']}&state=fulfilled").expect(200)["data"]
        return next((row for row in rows if row["source"] == source), None)

    code = wait_for("the discount", delivered, seconds=30)["reference"]
    assert api.get(f"/v1/discounts/{code}").expect(200)["state"] == "open"
    for _ in range(2):
        api.post(f"/v1/discounts/{code}/redeem", {"reference": "order_3"}).expect(200)
    assert api.post(f"/v1/discounts/{code}/redeem", {"reference": "order_4"}).expect(409)["code"] == "discount_redeemed"


STEPS = [
    a_balance_is_spent_and_given_back,
    credit_that_has_no_customer_fails_and_is_given_by_hand,
    a_one_time_code_is_redeemed_once,
]
