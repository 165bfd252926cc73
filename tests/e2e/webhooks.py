"""Webhooks: event destinations, what was delivered to them, rotation and replay."""

from stage import wait_for


def a_destination_is_made_for_the_teams_own_backend(story):
    story.destination = story.listen(story.api)
    listed = story.api.get("/v1/event-destinations").expect(200)["data"]
    assert [each["id"] for each in listed] == [story.destination["id"]], listed
    # Deployed as it is, no address of this machine could be called; the emulator's functions are told that they may.
    story.api.post("/v1/event-destinations", {"url": "https://10.0.0.1/"}).expect(400)


def what_was_delivered_is_in_the_log_and_can_be_delivered_again(story):
    path = f"/v1/event-destinations/{story.destination['id']}"
    story.hear()
    deliveries = wait_for("deliveries", lambda: story.api.get(f"{path}/deliveries").expect(200)["data"], seconds=20)
    delivery = f"{path}/deliveries/{deliveries[0]['id']}"
    detail = story.api.get(delivery).expect(200)
    assert detail["state"] == "delivered" and detail["attempts"][0]["status"] == 204, detail
    rotated = story.api.post(f"{path}/rotate-secret", {}).expect(200)
    story.secrets.append(rotated["secret"])
    # Both secrets sign now: the new one is enough, and so is the old one.
    story.receiver.secrets.append(rotated["secret"])
    story.api.post(f"{delivery}/replay", {}).expect(202)
    again = wait_for("the replay", story.receiver.hear, seconds=20)
    assert [event["id"] for event in again] == [detail["event"]], again


def a_destination_is_changed_and_removed(story):
    made = story.listen(story.api)
    path = f"/v1/event-destinations/{made['id']}"
    changed = story.api.patch(path, {"status": "disabled", "events": ["report.ready"]}).expect(200)
    assert changed["disabled_because"] == "owner", changed
    assert story.api.get(path).expect(200) == changed
    story.other.get(path).expect(404)
    story.api.delete(path).expect(204)


STEPS = [
    what_was_delivered_is_in_the_log_and_can_be_delivered_again,
    a_destination_is_changed_and_removed,
]
