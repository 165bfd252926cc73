"""Functions are killed (kill -9) at random moments while a stream of events is told; then every figure must be exact."""

import os
import random
import select
import signal
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from api import Api
from stage import invoke, wait_for, waiting

SEED = 1
SECONDS = 15
CALLERS = 8
REFERRERS = 4
# A worker that died holds its reward for 120 s, the sweeper leaves it alone for another 60 s.
LEASE_OVER = 200
EVENTS_HIDDEN = 360


class Crowd:
    """Customers of an organization of their own, and what they were told of."""

    def __init__(self, stage):
        self.stage = stage
        self.api = None
        self.participants = []
        self.customers = []
        self.counts = Counter()
        self.killed = Counter()
        self.lock = threading.Lock()
        self.over = self.killed_until = None

    def count(self, **more):
        """Counts from several threads."""
        with self.lock:
            self.counts.update(more)

    def tell(self, path, body):
        """Tells of something as a processor does: until it is acknowledged."""
        while True:
            answer = self.api.post(path, body)
            if answer.status in (200, 201, 202):
                return self.count(acknowledged=1)
            assert answer.status >= 500, f"{path}: {answer.status} {answer.body}"
            self.count(told_again=1)


def drawn(number):
    """A customer: its referrer, and its events as (path, body, copies) in the order in which they are told."""
    chance = random.Random(f"{SEED} {number}")
    payer, referrer = f"ben-{number}", chance.randrange(REFERRERS)
    events, standing = [], {}
    for each in range(chance.randint(1, 3)):
        invoice, amount = f"in_{number}_{each}", chance.randint(10_000, 50_000)
        paid = {"invoice_id": invoice, "processor": "stripe", "external_id": payer}
        events.append(("/v1/track/invoice-paid", paid | {"amount_paid": amount, "currency": "USD"}))
        standing[invoice] = amount
        if chance.random() < 0.05:
            part = chance.choice([amount, chance.randint(1, amount // 2)])
            refund = {"refund_id": f"re_{number}_{each}", "processor": "stripe", "invoice_id": invoice}
            # One refund of two is heard of before its payment.
            events.insert(len(events) - chance.randrange(2), ("/v1/track/refund", refund | {"amount": part, "currency": "USD"}))
            standing[invoice] -= part
    # One customer of five signs up after it has paid.
    at = chance.randint(0, len(events)) if chance.random() < 0.2 else 0
    events.insert(at, ("/v1/track/signup", {"external_id": payer}))
    copies = [chance.choice([2, 3]) if chance.random() < 0.2 else 1 for _ in events]
    told = [(path, body, often, chance.random() < 0.5) for (path, body), often in zip(events, copies)]
    return {"referrer": referrer, "payer": payer, "told": told, "standing": standing}


def a_stream_is_told_while_functions_are_killed(story):
    crowd = story.crowd = Crowd(story.stage)
    set_up(story, crowd)
    crowd.over = time.monotonic() + SECONDS
    numbers = iter(range(1_000_000))
    killer = threading.Thread(target=kill_functions, args=(crowd,))
    killer.start()
    with ThreadPoolExecutor(CALLERS) as callers, ThreadPoolExecutor(3 * CALLERS) as copies:
        working = [callers.submit(tell_all, crowd, numbers, copies) for _ in range(CALLERS)]
        for each in working:
            each.result()
    killer.join()
    crowd.killed_until = time.monotonic()
    assert len(crowd.killed) > 2 and crowd.counts["told_again"] > 0, (crowd.killed, crowd.counts)
    names = ["ApproximateNumberOfMessages"]
    sqs, queue = story.stage.client("sqs"), story.stage.physical["FulfillQueue"]

    def empty():
        answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return answer["Attributes"][names[0]] == "0"

    wait_for("the worker to take what is in its queue", empty, seconds=60)
    killed = ", ".join(f"{function} {count}" for function, count in sorted(crowd.killed.items()))
    print(f"        seed {SEED}: {len(crowd.customers)} customers, {crowd.counts['acknowledged']} acknowledged,"
          f" {crowd.counts['told_again']} told again; {crowd.killed.total()} killed: {killed}")


def set_up(story, crowd):
    """An organization with participants. Its calls are not noted with the others: many of them have to fail."""
    secret = story.stage.outputs["RootKeyArn"]
    root_key = story.stage.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    root = Api(story.stage.base_url, root_key, [])
    made = root.post("/v1/organizations", {"name": "Crowd Ltd", "livemode": False}).expect(201)
    key = made["api_key"]["secret"]
    story.secrets.append(key)
    crowd.api = Api(story.stage.base_url, key, [])
    story.listen(crowd.api)
    terms = {"rules": [{"id": "commission", "amount": {"percentage": {"percent": "10"}}}]}
    program = crowd.api.post("/v1/programs", {"name": "Refer a friend", "terms": terms}).expect(201)["id"]
    for number in range(REFERRERS):
        enrolled = crowd.api.put(f"/v1/programs/{program}/participants/anna-{number}", {"name": "Anna"})
        crowd.participants.append(enrolled.expect(201))


def tell_all(crowd, numbers, copies):
    """Tells one customer's events after the other's, for as long as functions are killed."""
    while time.monotonic() < crowd.over:
        with crowd.lock:
            customer = drawn(next(numbers))
        code = crowd.participants[customer["referrer"]]["code"]
        for path, body, often, at_once in customer["told"]:
            body = body | ({"code": code} if path == "/v1/track/signup" else {})
            if at_once:
                list(copies.map(lambda _, path=path, body=body: crowd.tell(path, body), range(often)))
            else:
                for _ in range(often):
                    crowd.tell(path, body)
        with crowd.lock:
            crowd.customers.append(customer)


def kill_functions(crowd):
    """Kills one process after the other, each a child of this stage's emulator."""
    chance = random.Random(SEED)
    never = threading.Event()
    while time.monotonic() < crowd.over:
        never.wait(chance.uniform(0.05, 0.3))
        running = functions(crowd.stage.process.pid)
        if running:
            kill(crowd, *chance.choice(running))


def functions(emulator):
    """The functions' processes: (process id, name of the function)."""
    running = []
    for child in Path(f"/proc/{emulator}/task").glob("*/children"):
        for pid in map(int, child.read_text().split()):
            try:
                is_function = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").endswith("/bootstrap")
                environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
            except OSError:
                continue
            name = next((each for each in environment if each.startswith("AWS_LAMBDA_FUNCTION_NAME=")), None)
            if is_function and name:
                running.append((pid, name.partition("=")[2]))
    return sorted(running)


def kill(crowd, pid, name):
    """Kills a process, if it is still the emulator's: by a handle, which no other process can take over."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if parent == crowd.stage.process.pid:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 5)
            crowd.killed[function_of(crowd.stage, name)] += 1
    except (OSError, ProcessLookupError):
        pass
    finally:
        os.close(handle)


def function_of(stage, name):
    """The logical id of a function, without the word Function."""
    return next((each for each, physical in stage.physical.items() if physical == name), name).removesuffix("Function")


def what_was_told_has_come_to_exactly_what_it_must(story):
    crowd = story.crowd
    left = max(0, crowd.killed_until + LEASE_OVER - time.monotonic())
    expected = defaultdict(dict)
    for customer in crowd.customers:
        for invoice, standing in customer["standing"].items():
            expected[customer["referrer"]][f"invoice/stripe/{invoice}"] = standing // 10
    wait_for("every reward to be delivered", lambda: delivered(crowd), seconds=left + 90)
    counts, rewards = Counter(lost=0, doubled=0, differing=0), set()
    for number, participant in enumerate(crowd.participants):
        rewards |= compare(crowd, participant["id"], expected[number], counts)
    # A killed deliver-webhook leaves its messages to the queue, which gives them out again after six of its timeouts.
    hidden = max(0, crowd.killed_until + EVENTS_HIDDEN - time.monotonic())
    wait_for("every delivery to be announced", lambda: rewards <= announced(story), seconds=hidden + 90)
    print(f"        {counts['rewards']} rewards, {counts['lines']} ledger lines: lost {counts['lost']},"
          f" doubled {counts['doubled']}, differing {counts['differing']}")
    assert counts["lost"] == counts["doubled"] == counts["differing"] == 0, counts
    swept = invoke(story.stage, "SweepDueFunction", {"type": "sweep"})
    assert swept == {"sent": 0, "finished": 0, "failed": 0}, swept
    assert waiting(story.stage, "FulfillDlq") == waiting(story.stage, "ReportDlq") == 0


def delivered(crowd):
    """Whether every reward that stands has been delivered."""
    rewards = [reward for each in crowd.participants for reward in rewards_of(crowd, each["id"])]
    return all(reward["state"] == "fulfilled" for reward in rewards if reward["amount"]["amount"] > 0)


def announced(story):
    """The rewards whose delivery the team's own backend was told of, each under one id."""
    story.hear()
    rewards = [reward for reward, _, _ in story.announced.values()]
    assert len(rewards) == len(set(rewards)), "a reward was announced under two ids"
    return set(rewards)


def compare(crowd, participant, expected, counts):
    """Counts what of a participant differs from what is expected of each source; answers what was delivered."""
    rewards, lines = rewards_of(crowd, participant), rows(crowd, f"/v1/participants/{participant}/ledger?")
    counts.update(rewards=len(rewards), lines=len(lines))
    of_source, of_reward = defaultdict(list), Counter()
    for reward in rewards:
        of_source[reward["source"]].append(reward["amount"]["amount"])
    for line in lines:
        of_reward[line["reward"]] += line["amount"]["amount"]
    for source, amount in expected.items():
        given = of_source.pop(source, [])
        counts.update(lost=sum(given) < amount, doubled=len(given) > 1 or sum(given) > amount)
    # Every source is refunded once at most, so no cause comes twice.
    causes = Counter((line["reward"], line["cause"]) for line in lines)
    counts.update(doubled=causes.total() - len(causes))
    counts.update(differing=len(of_source) + sum(of_reward[each["id"]] != each["amount"]["amount"] for each in rewards))
    (balance,) = crowd.api.get(f"/v1/participants/{participant}/balances").expect(200)["data"]
    total = sum(expected.values())
    found = (balance["available"], balance["shortfall"], balance["pending"], balance["earned"] - balance["reversed"])
    counts.update(differing=found != (total, 0, 0, total))
    return {reward["id"] for reward in rewards if reward["state"] == "fulfilled"}


def rewards_of(crowd, participant):
    """A participant's rewards."""
    return rows(crowd, f"/v1/rewards?participant={participant}&")


def rows(crowd, path):
    """All of a list, page by page."""
    found, cursor = [], ""
    while cursor is not None:
        page = crowd.api.get(f"{path}limit=100{cursor}").expect(200)
        found += page["data"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    return found
