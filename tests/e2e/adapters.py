"""The other processors' webhooks and the rest of the tracking API, where roles are enforced."""

import math
import time

from events import other_sample
from stage import wait_for

PADDLE_SECRET = "pdl_ntfset_of_the_deployed_stage"
CHARGEBEE_SECRET = "chargebee:of_the_deployed_stage"
PADDLE = "invoice/paddle/txn_01samplepaddletransaction01"
CHARGEBEE = "invoice/chargebee/10042"


def a_referee_pays_through_every_processor(story):
    api = story.other
    story.secrets += [PADDLE_SECRET, CHARGEBEE_SECRET]
    share = {"percentage": {"percent": "10", "basis": "paid_total"}}
    terms = {"rules": [{"id": "commission", "amount": share}], "grace_hours": 24}
    program = api.post("/v1/programs", {"name": "Adapters", "terms": terms}).expect(201)["id"]
    olga = api.put(f"/v1/programs/{program}/participants/olga", {}).expect(201)
    story.olga = olga["id"]
    api.post("/v1/track/signup", {"external_id": "account-1042", "code": olga["code"]}).expect(201)
    story.paths = {}
    for processor, secret in [("paddle", PADDLE_SECRET), ("chargebee", CHARGEBEE_SECRET)]:
        endpoint = {"processor": processor, "livemode": False, "secrets": [secret]}
        story.paths[processor] = api.post("/v1/webhook-endpoints", endpoint).expect(201)["path"]
    told = {
        PADDLE: deliver(story, "paddle", "transaction.completed"),
        CHARGEBEE: deliver(story, "chargebee", "payment_succeeded"),
    }
    for source, results in told.items():
        assert [(each["source"], each["reason"]) for each in results] == [(source, "earned")], results


def what_goes_back_is_taken_back_whoever_tells_it(story):
    deliver(story, "paddle", "adjustment.created.credit")
    deliver(story, "paddle", "adjustment.created.chargeback")
    deliver(story, "paddle", "adjustment.created.chargeback_reverse")
    deliver(story, "chargebee", "credit_note_created")
    # 220.00 less 22.00, and 220.00 less 55.00.
    assert earned(story) == 1980 + 1650, earned(story)
    credit = {"credit_id": "CN-1", "processor": "chargebee", "invoice_id": "10042", "amount": 5500, "currency": "USD"}
    assert story.other.post("/v1/track/credit", credit).expect(200)["posted"] == []
    dispute = {"dispute_id": "dp_1", "processor": "paddle", "invoice_id": PADDLE.rpartition("/")[2]}
    dispute |= {"amount": 19800, "currency": "USD", "status": "open"}
    assert story.other.post("/v1/track/dispute", dispute).expect(200)["reason"] == "disputed"
    story.other.post("/v1/track/dispute", dispute | {"status": "won"}).expect(200)
    void = {"invoice_id": "10042", "processor": "chargebee"}
    assert story.other.post("/v1/track/void", void).expect(200)["reason"] == "voided"
    assert earned(story) == 1980, earned(story)


def a_batch_answers_for_each_of_its_items(story):
    paid = {"type": "invoice_paid", "invoice_id": "batch-1", "external_id": "account-1042", "amount_paid": 10000}
    items = [
        paid | {"currency": "USD", "lines": [{"line_id": "1", "amount": 10000}]},
        paid | {"currency": "dollars"},
        {"type": "refund", "refund_id": "r-1", "invoice_id": "batch-1", "amount": 4000, "currency": "USD"},
    ]
    for _ in range(2):
        results = story.other.post("/v1/track/batch", {"items": items}).expect(200)["results"]
        assert [each["status"] for each in results] == [200, 400, 200], results
        assert results[1]["problem"]["errors"][0]["pointer"] == "/items/1/currency", results
    assert earned(story) == 1980 + 600, earned(story)
    wait_for("the rewards to be settled", lambda: figures(story)["pending"] == 0, 30)


def no_processor_is_believed_at_the_endpoint_of_another(story):
    event = other_sample("paddle", "transaction.completed", int(time.time()))
    wrong = story.anonymous.paddle(story.paths["paddle"], event, "pdl_ntfset_of_somebody_else").expect(400)
    assert wrong["code"] == "invalid_signature", wrong
    elsewhere = story.paths["chargebee"].replace("chargebee", "paddle")
    story.anonymous.paddle(elsewhere, event, PADDLE_SECRET).expect(404)
    story.anonymous.basic(story.paths["chargebee"], {}, "chargebee:of_somebody_else").expect(400)


def deliver(story, processor, name):
    """Delivers a sample as its processor does, and answers what became of each source."""
    # Chargebee counts in whole seconds: the first one that lies after the sign-up.
    path, event = story.paths[processor], other_sample(processor, name, math.ceil(time.time()))
    if processor == "paddle":
        answer = story.anonymous.paddle(path, event, PADDLE_SECRET).expect(200)
    else:
        answer = story.anonymous.basic(path, event, CHARGEBEE_SECRET).expect(200)
    assert answer["outcome"] == "processed", answer
    return answer["results"]


def figures(story):
    """The participant's balance in US dollars."""
    (balance,) = story.other.get(f"/v1/participants/{story.olga}/balances").expect(200)["data"]
    assert balance["unit"] == "USD", balance
    return balance


def earned(story):
    """What stands of all that the participant has earned."""
    return figures(story)["earned"] - figures(story)["reversed"]


STEPS = [
    a_referee_pays_through_every_processor,
    what_goes_back_is_taken_back_whoever_tells_it,
    a_batch_answers_for_each_of_its_items,
    no_processor_is_believed_at_the_endpoint_of_another,
]
