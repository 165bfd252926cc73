"""Partner billing where roles are enforced: a run, what it makes, and what a partner's token opens."""

import datetime

from stage import wait_for
from story import today

TERMS = {"rules": [{"id": "share", "kind": "cash", "amount": {"percentage": {"percent": "10"}}}]}
DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
BY = {"actor": "finance", "reason": "deployed stage"}


def a_partner_has_earned_something_on_a_day_that_is_over(story):
    """The stage's time cannot be moved, so the reward's row and the program's beginning are moved two days back."""
    api = story.other
    program = api.post("/v1/programs", {"name": "Partners", "type": "partner", "terms": TERMS}).expect(201)["id"]
    petra = api.put(f"/v1/programs/{program}/participants/petra", {"name": "Petra"}).expect(201)
    api.post("/v1/track/signup", {"external_id": "partner-2", "code": petra["code"]}).expect(201)
    paid = {"invoice_id": "partners-1", "external_id": "partner-2", "amount_paid": 20000, "currency": "USD"}
    reward = api.post("/v1/track/invoice-paid", paid).expect(200)["posted"][0]["reward"]

    def delivered():
        return api.get(f"/v1/rewards/{reward}").expect(200)["state"] == "fulfilled"

    wait_for("the partner's reward to be fulfilled", delivered, 30)
    day = today() - datetime.timedelta(days=2)
    move_back(story, program, reward, datetime.datetime.combine(day, datetime.time(12), datetime.UTC))
    story.partners = (program, petra, day.isoformat())


def move_back(story, program, reward, moment):
    """Puts a reward, and the beginning of its program, at another moment."""
    client, table = story.stage.client("dynamodb"), story.stage.physical["Table"]
    rows = [row for page in client.get_paginator("scan").paginate(TableName=table) for row in page["Items"]]
    (row,) = [row for row in rows if row.get("reward") == {"S": reward} and row["kind"] == {"S": "reward"}]
    key = {"pk": row["pk"], "sk": row["sk"]}
    millis = int(moment.timestamp() * 1000)
    time = "".join(DIGITS[(millis >> (5 * place)) & 31] for place in reversed(range(10)))
    (_, _, tail) = row["sk"]["S"].split("#")
    organization = row["pk"]["S"].partition("#")[0]
    at = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    moved = row | {
        "sk": {"S": f"L#{time}#{tail}"},
        "reward": {"S": f"rwd_{row['pk']['S'].partition('#prt_')[2]}{time}{tail}"},
        "recorded_at": {"S": at},
        "occurred_at": {"S": at},
        "day_pk": {"S": f"{organization}#{moment.date()}#0"},
        "day_sk": {"S": time},
    }
    client.put_item(TableName=table, Item=moved)
    client.delete_item(TableName=table, Key=key)
    client.update_item(
        TableName=table,
        Key={"pk": {"S": organization}, "sk": {"S": f"PROGRAM#{program}"}},
        UpdateExpression="SET #program.created_at = :at",
        ExpressionAttributeNames={"#program": "program"},
        ExpressionAttributeValues={":at": {"S": at}},
    )


def run(story, dry_run):
    """A billing run over the day, once it is done."""
    program, _, day = story.partners
    body = {"program": program, "from": day, "to": day, "dry_run": dry_run}
    begun = story.other.post("/v1/billing-runs", body).expect(202)["id"]

    def done():
        found = story.other.get(f"/v1/billing-runs/{begun}").expect(200)
        return found if found["status"] == "done" else None

    return wait_for("the billing run to be done", done, 30)


def a_run_bills_what_a_rehearsal_has_shown_and_nothing_twice(story):
    api, petra = story.other, story.partners[1]
    total = {"amount": 2000, "currency": "USD"}
    rehearsed, billed = run(story, True), run(story, False)
    for made in [rehearsed, billed]:
        assert (made["invoices"], made["lines"], made["totals"]) == (1, 1, [total]), made
        listed = api.get(f"/v1/billing-runs/{made['id']}/invoices").expect(200)["data"]
        assert [each["total"] for each in listed] == [total], listed
    (invoice,) = api.get(f"/v1/participants/{petra['id']}/partner-invoices").expect(200)["data"]
    api.post(f"/v1/partner-invoices/{invoice['id']}/void", BY).expect(200)
    again = run(story, False)
    assert again["totals"] == [total], again
    assert run(story, False)["invoices"] == 0
    assert len(api.get("/v1/billing-runs").expect(200)["data"]) == 4


def a_partner_looks_at_its_own_with_a_token(story):
    api, (_, petra, day) = story.other, story.partners
    (invoice,) = [
        each
        for each in api.get(f"/v1/participants/{petra['id']}/partner-invoices").expect(200)["data"]
        if each["status"] == "paid"
    ]
    path = f"/v1/partner-invoices/{invoice['id']}"
    api.post(f"{path}/pay", BY).expect(200)
    assert api.post(f"{path}/void", BY).expect(409)["code"] == "partner_invoice_transition"
    token = api.post(f"/v1/participants/{petra['id']}/tokens", {"minutes": 5}).expect(201)["token"]
    own = story.api_with(token)
    (item,) = own.get(path).expect(200)["items"]
    assert (item["referee"], item["amount"]["amount"]) == ("partner-2", 2000), item
    (line,) = own.get(f"{path}/lines").expect(200)["data"]
    assert line["amount"]["amount"] == 2000, line
    report = own.get(f"/v1/reports/referrals?from={day}&to={today()}").expect(200)["data"]
    (row,) = [row for row in report if row["referee"] == "partner-2"]
    assert row["billed"] == row["balance"] == [{"amount": 2000, "currency": "USD"}], row
    assert own.get("/v1/billing-runs").expect(403)["code"] == "participant_token"


def batch(story):
    """A payout batch of what is finalized, once it is made."""
    program, _, _ = story.partners
    made = story.other.post("/v1/payout-batches", {"program": program, "currency": "USD"} | BY).expect(202)["id"]

    def done():
        found = story.other.get(f"/v1/payout-batches/{made}").expect(200)
        return found if found["status"] != "assembling" else None

    return wait_for("the payout batch to be made", done, 30)


def a_payout_that_failed_is_paid_by_the_next_batch(story):
    api, (_, petra, _) = story.other, story.partners
    (invoice,) = [
        each
        for each in api.get(f"/v1/participants/{petra['id']}/partner-invoices").expect(200)["data"]
        if each["status"] == "draft"
    ]
    path = f"/v1/partner-invoices/{invoice['id']}"
    api.post(f"{path}/finalize", BY).expect(200)
    first = batch(story)
    assert (first["status"], first["lines"], first["total"]["amount"]) == ("open", 1, 2000), first
    assert api.post(f"{path}/void", BY).expect(409)["code"] == "partner_invoice_in_payout_batch"
    (line,) = api.get(f"/v1/payout-batches/{first['id']}/lines").expect(200)["data"]
    assert (line["external_id"], line["invoices"]) == ("petra", [invoice["id"]]), line
    mark = f"/v1/payout-batches/{first['id']}/lines/{petra['id']}"
    api.post(f"{mark}/failed", {"reference": "tr_1"} | BY).expect(200)
    assert api.post(f"{mark}/paid", {"reference": "tr_1"} | BY).expect(409)["code"] == "payout_line_settled"
    second = batch(story)
    exported = api.get(f"/v1/payout-batches/{second['id']}/export").expect(200)
    assert "petra" in exported and "20.00" in exported, exported
    assert second["id"] in [each["id"] for each in api.get("/v1/payout-batches").expect(200)["data"]]
    api.post(f"/v1/payout-batches/{second['id']}/cancel", BY).expect(200)

    def cancelled():
        return api.get(f"/v1/payout-batches/{second['id']}").expect(200)["status"] == "cancelled"

    wait_for("the payout batch to be cancelled", cancelled, 30)
    third = batch(story)
    marks = [{"participant": petra["id"], "status": "paid", "reference": "tr_2"}]
    (marked,) = api.post(f"/v1/payout-batches/{third['id']}/lines/bulk", {"marks": marks} | BY).expect(200)["results"]
    assert marked["line"]["status"] == "paid", marked
    mark = f"/v1/payout-batches/{third['id']}/lines/{petra['id']}"
    assert api.post(f"{mark}/paid", {"reference": "tr_2"} | BY).expect(200)["status"] == "paid"
    assert api.get(path).expect(200)["status"] == "paid"
    assert api.get(f"/v1/payout-batches/{third['id']}").expect(200)["status"] == "closed"


STEPS = [
    a_partner_has_earned_something_on_a_day_that_is_over,
    a_run_bills_what_a_rehearsal_has_shown_and_nothing_twice,
    a_payout_that_failed_is_paid_by_the_next_batch,
    a_partner_looks_at_its_own_with_a_token,
]
