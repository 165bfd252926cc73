"""The rule model where roles are enforced: every function counts, waits, gives and takes back with its own rights."""

from stage import wait_for

TERMS = {
    "max_referrals": 10,
    "min_earnings": [{"amount": 500, "currency": "USD"}],
    "rules": [
        {
            "id": "commission",
            "amount": {"percentage": {"percent": "10"}},
            "limits": {"caps": [{"per": "month", "amount": 5000, "currency": "USD"}]},
            "approval": {"manual_above": {"amount": 1500, "currency": "USD"}},
        },
        {
            "id": "booking",
            "trigger": "booking_completed",
            "kind": "points",
            "amount": {"fixed": {"amount": 50, "currency": "points"}},
        },
        {"id": "share", "trigger": "payout_recorded", "amount": {"percentage": {"percent": "5", "basis": "payout"}}},
        {"id": "override", "trigger": "reward_earned", "amount": {"percentage": {"percent": "50", "basis": "reward"}}},
        {
            "id": "bonus",
            "trigger": "referral_count",
            "amount": {"milestones": {"on_drop": "revoke", "steps": [{"at": 1, "amount": 100, "currency": "EUR"}]}},
        },
    ],
}


def terms_are_given_to_programs_groups_and_participants(story):
    api = story.other
    program = api.post("/v1/programs", {"name": "Rules", "type": "partner", "terms": TERMS}).expect(201)["id"]
    people = {name: api.put(f"/v1/programs/{program}/participants/{name}", {}).expect(201) for name in ["anna", "ben"]}
    story.rules = (program, people)
    simple = {"rules": [{"id": "commission", "amount": {"percentage": {"percent": "20"}}}]}
    api.put(f"/v1/programs/{program}/groups/gold", {"terms": simple}).expect(201)
    assert api.get(f"/v1/programs/{program}/groups").expect(200)["data"][0]["group"] == "gold"
    assert api.get(f"/v1/programs/{program}/terms/2").expect(200)["rules"][0]["id"] == "commission"
    api.patch(f"/v1/participants/{people['anna']['id']}", {"terms": simple}).expect(200)
    api.patch(f"/v1/participants/{people['anna']['id']}", {"terms": None}).expect(200)
    api.post(f"/v1/programs/{program}/codes", {"code": "SUMMER25", "participant": "anna", "max_uses": 1}).expect(201)
    at = "2026-01-01T00:00:00Z"
    events = [{"type": "signup", "referee": "cleo", "referrer": "anna", "at": at}]
    assert api.post(f"/v1/programs/{program}/simulate", {"events": events}).expect(200)["steps"]


def referees_are_bound_by_codes_links_and_administrators(story):
    api, (program, people) = story.other, story.rules
    api.post("/v1/track/touch", {"visitor_id": "v-1", "code": people["ben"]["code"]}).expect(201)
    linked = api.post("/v1/track/signup", {"external_id": "cleo", "visitor_id": "v-1"}).expect(201)
    assert linked["referral"]["found_by"] == "link", linked
    # Anna referred Ben, who referred Cleo.
    api.post("/v1/track/signup", {"external_id": "ben", "code": "summer25"}).expect(201)
    used = api.post("/v1/track/signup", {"external_id": "dora", "code": "summer25"}).expect(422)
    assert used["code"] == "code_limit_reached", used
    api.put("/v1/referrals/emil", {"program": program, "referrer": "anna"}).expect(201)
    assert api.delete("/v1/referrals/emil").expect(200)["referral"]["status"] == "inactive"
    assert api.get("/v1/referrals/emil").expect(200)["referral"]["found_by"] == "assignment"


def rules_that_count_give_hold_and_take_back(story):
    api, (_, people) = story.other, story.rules
    paid = {"invoice_id": "rules-1", "external_id": "cleo", "amount_paid": 20000, "currency": "USD"}
    api.post("/v1/track/invoice-paid", paid).expect(200)
    api.post("/v1/track/invoice-paid", paid | {"invoice_id": "rules-2"}).expect(200)
    booking = {"name": "booking_completed", "event_id": "b-1", "external_id": "cleo"}
    api.post("/v1/track/event", booking).expect(200)
    payout = {"payout_id": "p-1", "external_id": "cleo", "payout": 10000, "currency": "USD"}
    api.post("/v1/track/payout", payout).expect(200)
    ben = people["ben"]["id"]
    by = {"actor": "support", "reason": "deployed stage"}

    def of_ben():
        rewards = api.get(f"/v1/rewards?participant={ben}").expect(200)["data"]
        return {reward["source"]: reward for reward in rewards}

    first, second = of_ben()["invoice/own/rules-1"], of_ben()["invoice/own/rules-2"]
    assert (first["state"], second["state"]) == ("pending", "pending"), (first, second)
    api.post(f"/v1/rewards/{first['id']}/approve", by).expect(200)
    api.post(f"/v1/rewards/{second['id']}/reject", by).expect(200)
    wait_for("the approved reward to be fulfilled", lambda: of_ben()["invoice/own/rules-1"]["state"] == "fulfilled", 30)
    gift = {"amount": {"amount": 25, "currency": "points"}, "kind": "points", **by}
    given = api.post(f"/v1/participants/{ben}/rewards", gift, idempotency_key="gift-1").expect(201)
    wait_for("the gift to be fulfilled", lambda: of_ben()[given["source"]]["state"] == "fulfilled", 30)
    api.post(f"/v1/rewards/{given['id']}/reverse", by).expect(200)
    assert api.get(f"/v1/participants/{ben}/enrollments").expect(200)["data"]
    replayed = api.post("/v1/events/invoice:own:rules-1/replay", {}).expect(200)
    assert replayed["unchanged"], replayed


def a_second_level_follows_its_source(story):
    api, (_, people) = story.other, story.rules
    anna = people["anna"]["id"]

    def figures():
        data = api.get(f"/v1/participants/{anna}/balances").expect(200)["data"]
        return {row["unit"]: row["earned"] - row["reversed"] for row in data}

    # Half of 20.00 and of 5.00; the rejected reward has taken its share with it.
    assert figures().get("USD") == 1250, figures()
    refund = {"refund_id": "rules-re", "invoice_id": "rules-1", "amount": 20000, "currency": "USD"}
    api.post("/v1/track/refund", refund).expect(200)
    assert figures().get("USD") == 250, figures()


def a_payment_in_another_currency_waits_for_the_rate_of_its_day(story):
    api = story.other
    terms = {"payout_currency": "CHF", "rules": [{"id": "share", "amount": {"percentage": {"percent": "10"}}}]}
    program = api.post("/v1/programs", {"name": "Paid in francs", "terms": terms}).expect(201)["id"]
    rita = api.put(f"/v1/programs/{program}/participants/rita", {}).expect(201)
    # One that waits for the sign-up first, so that this too goes on to wait for the rate with the rights that it has.
    paid = {"invoice_id": "francs-1", "external_id": "sam", "amount_paid": 20000, "currency": "USD"}
    assert api.post("/v1/track/invoice-paid", paid).expect(202)["reason"] == "awaiting_signup"
    api.post("/v1/track/signup", {"external_id": "sam", "code": rita["code"]}).expect(201)
    waits = api.post("/v1/track/invoice-paid", paid | {"invoice_id": "francs-2"}).expect(202)
    assert waits["reason"] == "awaiting_rate", waits
    missing = api.get("/v1/decisions/invoice/own/francs-1").expect(200)["missing_rate"]
    path = f"/v1/exchange-rates/{missing['day']}"
    api.put(path, {"currency": "CHF", "rates": {"USD": "0.8"}}).expect(200)
    changed = api.put(path, {"currency": "CHF", "rates": {"USD": "0.9"}}).expect(409)
    assert changed["code"] == "rate_given", changed
    assert api.get(path).expect(200)["data"][0]["rates"] == {"USD": "0.8"}

    def delivered():
        data = api.get(f"/v1/participants/{rita['id']}/balances").expect(200)["data"]
        return {row["unit"]: row["available"] for row in data} == {"CHF": 3200}

    wait_for("both payments to be paid out in francs", delivered, 150)


STEPS = [
    terms_are_given_to_programs_groups_and_participants,
    referees_are_bound_by_codes_links_and_administrators,
    rules_that_count_give_hold_and_take_back,
    a_second_level_follows_its_source,
    a_payment_in_another_currency_waits_for_the_rate_of_its_day,
]
