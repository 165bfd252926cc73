"""The main path, black box, against the deployed stage: from the root key to the nightly report."""

import argparse
import signal
import sys

import enrolment
import operations
import payments
import permissions
from stage import Stage
from story import Story
from suite import Suite

NOT_SHOWN = [
    "API Gateway's import of the routes: the emulator ignores it; they were added after the deployment, from the"
    " deployed template itself",
    "that sqs:SendMessage covers batches, as on AWS: the roles that hold it were given the emulator's action for them",
    "e-mail: the emulator asks for ses:SendEmail on every resource, where AWS asks for it on the identity",
    "throttling, access logs and the 500 that stands for a failed function (the emulator answers 502)",
    "point-in-time recovery and encryption of the table; TTL was switched on after the deployment",
    "the roles' rights to read from their queues and to write logs: the emulator does both itself",
    "alarms firing, and `infra/redrive … all`: the emulator moves no messages",
    "arm64, Amazon Linux's own glibc, the memory limit",
    "that the functions cannot call loopback: here they are told that they may, since the receiver is on this machine",
    "latency, load, throttled or reordered deliveries",
    "the cron of the nightly run: it was invoked by hand; the sweeper's schedule ran by itself",
]


def every_route_of_the_template_is_deployed(story):
    assert len(story.stage.routes) > 20, story.stage.routes
    assert len({route for route, _ in story.stage.routes}) == len(story.stage.routes)


STEPS = [
    every_route_of_the_template_is_deployed,
    permissions.each_role_may_do_what_its_function_does_and_no_more,
    *enrolment.STEPS,
    *payments.STEPS,
    *operations.STEPS,
]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sam", required=True, help="path of the sam command")
    sam = arguments.parse_args().sam
    # So that whatever ends this process, the emulator ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    suite = Suite(STEPS)
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
