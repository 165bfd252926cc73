"""The main path, black box, against the deployed stage: from the root key to the nightly report."""

import argparse
import signal
import sys
import time

from api import Api
from permissions import queue_arn, secret_arn, table_arn, who_may
from stage import Stage, wait_for
from suite import Suite

NOT_SHOWN = [
    "API Gateway's import of the routes: the emulator ignores it; they were added after the deployment, from the"
    " deployed template itself",
    "throttling, access logs and the 500 that stands for a failed function (the emulator answers 502)",
    "point-in-time recovery and encryption of the table; TTL was switched on after the deployment",
    "the roles' rights to read from their queues and to write logs: the emulator does both itself",
    "alarms firing, and the redrive of a dead-letter queue",
    "arm64, Amazon Linux's own glibc, the memory limit",
    "latency, load, throttled or reordered deliveries",
    "the cron of the nightly run: it was invoked by hand",
]

suite = Suite()


class Story:
    """What the steps hand on to later ones."""

    def __init__(self, stage):
        self.stage = stage
        self.anonymous = Api(stage.base_url)
        self.started_at = time.time()


@suite.step
def every_route_of_the_template_is_deployed(story):
    assert len(story.stage.routes) > 20, story.stage.routes
    assert len({route for route, _ in story.stage.routes}) == len(story.stage.routes)


@suite.step
def each_role_may_do_what_its_function_does_and_no_more(story):
    stage = story.stage
    table = table_arn(stage)
    expected = {
        ("dynamodb:Scan", table): [],
        ("dynamodb:DeleteTable", table): [],
        ("dynamodb:DeleteItem", table): ["ManageProgram"],
        ("dynamodb:Query", f"{table}/index/due"): ["SweepDue"],
        ("dynamodb:Query", f"{table}/index/day"): ["AggregateReports", "ManageProgram"],
        ("dynamodb:Query", f"{table}/index/referrer"): ["ManageProgram"],
        ("secretsmanager:GetSecretValue", secret_arn(stage, "RootKey")): ["ManageProgram"],
        ("secretsmanager:GetSecretValue", secret_arn(stage, "SealingKey")): ["ManageProgram", "ProcessInvoice"],
        ("sqs:SendMessage", queue_arn(stage, "FulfillQueue")): ["AttributeSignup", "ProcessInvoice", "SweepDue"],
        ("sqs:ReceiveMessage", queue_arn(stage, "FulfillQueue")): ["FulfillReward"],
        ("sqs:SendMessage", queue_arn(stage, "EventsQueue")): ["FulfillReward"],
        ("sqs:ReceiveMessage", queue_arn(stage, "EventsQueue")): [],
        ("sqs:SendMessage", queue_arn(stage, "ReportQueue")): ["AggregateReports"],
        ("sqs:SendMessage", queue_arn(stage, "FulfillDlq")): [],
    }
    found = {(action, arn): who_may(stage, action, arn) for action, arn in expected}
    wrong = {key: found[key] for key, functions in expected.items() if found[key] != functions}
    assert not wrong, wrong


@suite.step
def a_message_that_cannot_be_used_ends_in_the_dead_letter_queue(story):
    sqs = story.stage.client("sqs")
    queue, dlq = story.stage.physical["FulfillQueue"], story.stage.physical["FulfillDlq"]
    # Five tries at the deployed three minutes each would take a quarter of an hour.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=queue, MessageBody="not a message of ours")

    def dead():
        return sqs.receive_message(QueueUrl=dlq, WaitTimeSeconds=1).get("Messages")

    messages = wait_for("the message in the dead-letter queue", dead, seconds=60)
    assert [message["Body"] for message in messages] == ["not a message of ours"], messages


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sam", required=True, help="path of the sam command")
    sam = arguments.parse_args().sam
    # So that whatever ends this process, the emulator ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    with Stage(sam) as stage:
        print(f"deployed to {stage.base_url}\n", flush=True)
        passed = suite.run(Story(stage))
        if not passed:
            print(f"\nthe emulator's last words:\n{stage.emulator_log()[-4000:]}")
    print("\nnot shown here:")
    for limit in NOT_SHOWN:
        print(f"- {limit}")
    print(f"\n{suite.closing_line()}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
