"""From the root key to a referral: organization, API key, program, participant, code, sign-up."""

import math
import time

import webhooks
from story import WEBHOOK_SECRET


def the_root_key_opens_organizations(story):
    secret = story.stage.outputs["RootKeyArn"]
    root_key = story.stage.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    story.anonymous.post("/v1/organizations", {"name": "Example Ltd"}).expect(401)
    root = story.api_with(root_key)
    made = root.post("/v1/organizations", {"name": "Example Ltd", "livemode": False}).expect(201)
    story.first_key = made["api_key"]
    story.api = story.api_with(made["api_key"]["secret"])
    other = root.post("/v1/organizations", {"name": "Other Example Ltd", "livemode": False}).expect(201)
    story.other = story.api_with(other["api_key"]["secret"])


def an_api_key_is_replaced_by_another(story):
    made = story.api.post("/v1/api-keys", {"name": "backend"}).expect(201)
    story.api = story.api_with(made["secret"])
    story.api.delete(f"/v1/api-keys/{story.first_key['id']}").expect(204)
    keys = story.api.get("/v1/api-keys").expect(200)["data"]
    assert {key["id"]: key["revoked_at"] is None for key in keys} == {
        story.first_key["id"]: False,
        made["id"]: True,
    }, keys


def a_program_is_created_once_per_idempotency_key(story):
    share = {"percentage": {"percent": "10", "basis": "paid_total"}}
    program = {"name": "Refer a friend", "terms": {"rules": [{"id": "commission", "amount": share}], "grace_hours": 24}}
    first = story.api.post("/v1/programs", program, idempotency_key="program-1").expect(201)
    again = story.api.post("/v1/programs", program, idempotency_key="program-1").expect(201)
    assert first == again, again
    story.api.post("/v1/programs", program | {"name": "Other"}, idempotency_key="program-1").expect(422)
    story.program = first
    path = f"/v1/programs/{first['id']}"
    renamed = story.api.patch(path, {"name": "Refer a colleague"}).expect(200)
    assert renamed["name"] == "Refer a colleague", renamed
    assert story.api.get(path).expect(200)["name"] == "Refer a colleague"
    assert len(story.api.get("/v1/programs").expect(200)["data"]) == 1


def a_participant_gets_a_code_and_keeps_it(story):
    path = f"/v1/programs/{story.program['id']}/participants/account-17"
    story.participant = story.api.put(path, {"name": "Blue Lotus Studio"}).expect(201)
    code = story.participant["code"]
    assert code.startswith("BLU-"), code
    assert story.api.put(path, {"name": "Blue Lotus Studio"}).expect(200)["code"] == code
    assert story.api.get(f"/v1/participants/{story.participant['id']}").expect(200)["code"] == code
    found = story.api.get(f"/v1/codes/{code.replace('-', '').lower()}").expect(200)
    assert (found["participant"], found["accepted"]) == (story.participant["id"], True), found


def a_webhook_endpoint_takes_its_secret_later_and_another_is_removed(story):
    wanted = {"processor": "stripe", "livemode": False}
    made = story.api.post("/v1/webhook-endpoints", wanted).expect(201)
    story.endpoint = story.api.patch(f"/v1/webhook-endpoints/{made['id']}", {"secrets": [WEBHOOK_SECRET]}).expect(200)
    mixed = story.api.post("/v1/webhook-endpoints", wanted | {"livemode": True}).expect(422)
    assert mixed["code"] == "mode_mismatch", mixed
    spare = story.api.post("/v1/webhook-endpoints", {"processor": "stripe"}).expect(201)
    story.api.delete(f"/v1/webhook-endpoints/{spare['id']}").expect(204)
    listed = story.api.get("/v1/webhook-endpoints").expect(200)["data"]
    assert [endpoint["id"] for endpoint in listed] == [made["id"]], listed


def a_sign_up_with_the_code_is_bound_to_the_referrer_once(story):
    customer = {"processor": "stripe", "id": "cus_QsampleBuyer01"}
    bound = story.sign_up("account-1042", channel="checkout", customer=customer).expect(201)
    assert bound["outcome"] == "referred", bound
    assert bound["referral"]["referrer"] == story.participant["id"], bound
    story.sign_up("account-1042").expect(200)
    # Stripe counts in whole seconds: the first one that lies after the sign-up.
    story.paid_at = math.ceil(time.time())
    myself = story.sign_up("account-17").expect(422)
    assert myself["code"] == "self_referral", myself


STEPS = [
    the_root_key_opens_organizations,
    webhooks.a_destination_is_made_for_the_teams_own_backend,
    an_api_key_is_replaced_by_another,
    a_program_is_created_once_per_idempotency_key,
    a_participant_gets_a_code_and_keeps_it,
    a_webhook_endpoint_takes_its_secret_later_and_another_is_removed,
    a_sign_up_with_the_code_is_bound_to_the_referrer_once,
]
