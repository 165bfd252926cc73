"""The sample events, as if they happened now."""

import datetime
import json
from pathlib import Path

EVENTS = Path(__file__).resolve().parents[2] / "infra/events"
SAMPLES = EVENTS / "stripe"

# Names of the fields that hold a moment: seconds since 1970.
MOMENTS = {"created", "paid_at", "finalized_at", "effective_at", "webhooks_delivered_at"}
MOMENTS |= {"period_start", "period_end", "start", "end", "start_date", "trial_start", "trial_end", "billing_cycle_anchor"}
MOMENTS |= {"current_period_start", "current_period_end", "canceled_at", "ended_at", "expires_at", "due_by"}
MOMENTS |= {"available_on", "due_date", "marked_uncollectible_at", "voided_at"}


def sample(name, created):
    """The sample `<version>/<type>`, every moment in it moved by the distance that lets it be created at `created`."""
    event = json.loads((SAMPLES / f"{name}.json").read_text())
    return _moved(event, created - event["created"])


def other_sample(processor, name, at):
    """The sample of another processor, with the money taken at `at`."""
    event = json.loads((EVENTS / processor / f"{name}.json").read_text())
    if processor == "paddle":
        moment = datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
        event["occurred_at"] = moment
        for attempt in event["data"].get("payments", []):
            attempt["captured_at"] = moment
    else:
        event["occurred_at"] = at
        if "paid_at" in event["content"].get("invoice", {}):
            event["content"]["invoice"]["paid_at"] = at
    return event


def _moved(value, seconds):
    if isinstance(value, list):
        return [_moved(each, seconds) for each in value]
    if not isinstance(value, dict):
        return value
    moved = {name: _moved(each, seconds) for name, each in value.items()}
    for name in MOMENTS & moved.keys():
        if isinstance(moved[name], int):
            moved[name] += seconds
    return moved
