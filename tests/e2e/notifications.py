"""Notifications where roles are enforced: a text message, a task, and a campaign's first step."""

import json
import urllib.request

from stage import wait_for

CODE = "{{ account_referral_code }}"
TERMS = {
    "rules": [
        {"id": "text", "trigger": "signup", "kind": "message", "message": {"transport": "sms", "text": f"Share {CODE}"}},
        {"id": "call", "trigger": "signup", "kind": "task", "task": {"title": "Call them", "due_days": 3}},
    ]
}


def inspected(stage, what):
    """What the emulator says was sent."""
    with urllib.request.urlopen(f"{stage.endpoint}/_ministack/{what}", timeout=5) as answer:
        return json.dumps(json.load(answer))


def who_refers_is_told_and_somebody_has_a_task(story):
    api = story.other
    program = api.post("/v1/programs", {"name": "Notifications", "terms": TERMS}).expect(201)["id"]
    contact = {"phone": "+4930123456"}
    mia = api.put(f"/v1/programs/{program}/participants/mia", {"name": "Mia", "contact": contact}).expect(201)
    story.mia, story.mias_program = mia, program
    for referee in ["tom", "tim"]:
        api.post("/v1/track/signup", {"external_id": referee, "code": mia["code"]}).expect(201)

    def sent():
        rows = api.get(f"/v1/participants/{mia['id']}/notifications").expect(200)["data"]
        return rows if [row["state"] for row in rows] == ["sent"] * 2 else None

    for row in wait_for("the notifications", sent, seconds=60):
        assert row["text"] == f"Share {mia['code']}" and row["reference"], row
    assert "+4930123456" in inspected(story.stage, "sns/sms-messages")

    task, other = api.get("/v1/tasks").expect(200)["data"]
    assert (task["title"], task["participant"]) == ("Call them", mia["id"]), task
    api.post(f"/v1/tasks/{other['id']}/dismiss", {"actor": "support"}).expect(200)
    path = f"/v1/tasks/{task['id']}"
    assert api.post(f"{path}/done", {"actor": "support"}).expect(200) == api.get(path).expect(200)
    assert api.post(f"{path}/dismiss", {"actor": "support"}).expect(409)["code"] == "task_closed"
    assert api.get("/v1/tasks").expect(200)["data"] == []


def a_campaign_comes_to_who_is_enrolled_and_can_be_left(story):
    api = story.other
    step = {"after_days": 0, "message": {"transport": "sms", "text": f"{CODE} {{{{ unsubscribe_url }}}}"}}
    campaign = {"program": story.mias_program, "name": "Spring", "audience": "new_participants", "steps": [step]}
    made = api.post("/v1/campaigns", campaign).expect(201)
    contact = {"phone": "+4930654321"}
    # Every instance knows of a new campaign half a minute later; whoever does not is put right by the walk.
    path = f"/v1/programs/{story.mias_program}/participants/pia"
    pia = api.put(path, {"name": "Pia", "contact": contact}).expect(201)

    def sent():
        rows = api.get(f"/v1/participants/{pia['id']}/notifications").expect(200)["data"]
        return rows if rows and rows[0]["state"] == "sent" else None

    text = wait_for("the campaign's first step", sent, seconds=300)[0]["text"]
    link = text.split()[1]
    token = link.rsplit("/", 1)[1]
    assert "<form" in api.get(f"/v1/unsubscribe/{token}").expect(200)
    api.post(f"/v1/unsubscribe/{token}", {}).expect(200)
    listed = api.get(f"/v1/programs/{story.mias_program}/participants").expect(200)["data"]
    assert {row["external_id"]: bool(row["unsubscribed_at"]) for row in listed} == {"mia": False, "pia": True}, listed
    journey = api.get(f"/v1/participants/{pia['id']}/campaigns").expect(200)["data"][0]
    assert (journey["over"], len(journey["sent"])) == ("completed", 1), journey
    path = f"/v1/campaigns/{made['id']}"
    assert api.get(path).expect(200)["sent_today"] == 1
    api.patch(path, {"status": "ended"}).expect(200)
    assert [row["status"] for row in api.get("/v1/campaigns").expect(200)["data"]] == ["ended"]


STEPS = [
    who_refers_is_told_and_somebody_has_a_task,
    a_campaign_comes_to_who_is_enrolled_and_can_be_left,
]
