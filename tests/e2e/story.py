"""What the steps hand on to later ones, and what several of them ask."""

import datetime
import math
import time

from api import Api
from events import sample
from receiver import Receiver
from stage import wait_for

WEBHOOK_SECRET = "whsec_of_the_deployed_stage"


class Story:
    """One organization's story on the stage. Steps add to it what they made."""

    def __init__(self, stage):
        self.stage = stage
        # Every call of the API as (method, path, status): so that the last steps can say what was never called.
        self.calls = []
        self.anonymous = Api(stage.base_url, None, self.calls)
        # What must not be found in the logs.
        self.secrets = [WEBHOOK_SECRET]
        self.began = today()
        self.receiver = Receiver()
        # What the team's own backend was told: (reward, minor units, participant) by the message's id.
        self.announced = {}
        # Filled by the steps.
        self.api = self.other = self.destination = None
        self.program = self.participant = self.endpoint = self.paid_at = self.crowd = self.lost = None

    def api_with(self, key):
        """The API with a bearer key."""
        self.secrets.append(key)
        return Api(self.stage.base_url, key, self.calls)

    def sample(self, name, created=None):
        """A sample event that is created now, or at a moment that is given."""
        return sample(name, math.ceil(time.time()) if created is None else created)

    def listen(self, api):
        """Has an organization's events sent to the team's own backend; the destination."""
        made = api.post("/v1/event-destinations", {"url": self.receiver.url, "events": ["reward.fulfilled"]}).expect(201)
        self.secrets.append(made["secret"])
        self.receiver.secrets.append(made["secret"])
        return made

    def deliver(self, event):
        """Delivers an event to the organization's endpoint and answers what became of each source."""
        answer = self.anonymous.stripe(self.endpoint["path"], event, WEBHOOK_SECRET).expect(200)
        assert answer["outcome"] == "processed", answer
        return answer["results"]

    def sign_up(self, external_id, **more):
        """Signs a new customer up with the participant's code."""
        signup = {"external_id": external_id, "code": self.participant["code"]} | more
        return self.api.post("/v1/track/signup", signup)

    def rewards(self):
        """The participant's rewards, newest first."""
        return self.api.get(f"/v1/rewards?participant={self.participant['id']}").expect(200)["data"]

    def reward(self, identifier):
        """A reward."""
        return self.api.get(f"/v1/rewards/{identifier}").expect(200)

    def reward_from(self, source):
        """The reward that a source has earned, once it is written."""
        of_source = [reward for reward in self.rewards() if reward["source"] == source]
        assert len(of_source) <= 1, of_source
        return of_source[0] if of_source else None

    def fulfilled(self, source, seconds=30):
        """The reward that a source has earned, once it is delivered."""

        def delivered():
            reward = self.reward_from(source)
            return reward if reward is not None and reward["state"] == "fulfilled" else None

        return wait_for(f"the reward of {source} to be fulfilled", delivered, seconds)

    def ledger(self):
        """The participant's ledger, newest first."""
        return self.api.get(f"/v1/participants/{self.participant['id']}/ledger").expect(200)["data"]

    def lines_of(self, source):
        """What the ledger says of one source, oldest first: (cause, minor units)."""
        lines = [line for line in self.ledger() if line["source"] == source]
        return [(line["cause"], line["amount"]["amount"]) for line in reversed(lines)]

    def balance(self):
        """The participant's balance in US dollars."""
        balances = self.api.get(f"/v1/participants/{self.participant['id']}/balances").expect(200)["data"]
        assert [balance["unit"] for balance in balances] == ["USD"], balances
        return balances[0]

    def hear(self):
        """Takes what the team's own backend has been told: (reward, minor units, participant) by the message's id."""
        for event in self.receiver.hear():
            assert event["type"] == "reward.fulfilled", event
            data = event["data"]
            self.announced[event["id"]] = (data["reward"], data["amount"]["amount"], data["participant"])

    def decision(self, source):
        """The decision on a source, explained."""
        return self.api.get(f"/v1/decisions/{source}").expect(200)


def today():
    """The day that it is in UTC."""
    return datetime.datetime.now(datetime.UTC).date()
