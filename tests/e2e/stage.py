"""The deployed stage: MiniStack with IAM enforced, and the unmodified template deployed into it by `sam deploy`."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[2]
STACK = "engine"
BUCKET = "artifacts"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


class Stage:
    """Starts the emulator, deploys, and ends what it started. Use it as a context manager."""

    def __init__(self, sam):
        self.sam = sam
        self.directory = Path(tempfile.mkdtemp(prefix="engine-e2e-"))
        self.port = _free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = self.directory / "ministack.log"
        self.process = None
        self.outputs = {}
        self.physical = {}

    def __enter__(self):
        try:
            self._start()
            self._deploy()
            self._describe()
            self._add_what_the_emulator_leaves_out()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *_failure):
        if self.process is not None and self.process.poll() is None:
            # The emulator ends its functions itself when it is asked politely; the group is for what is left over.
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                pass
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self, service):
        """A client of the account that owns the stack."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def base_url(self):
        """Where the deployed API answers."""
        return f"{self.endpoint}/_aws/execute-api/{self.physical['Api']}/$default"

    def emulator_log(self):
        """What the emulator has logged so far, the output of the functions' event sources included."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def logs(self):
        """Everything that the functions have logged, line by line."""
        logs, lines = self.client("logs"), []
        for page in logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
                lines += [event["message"] for page in pages for event in page["events"]]
        return lines

    def _start(self):
        # Functions inherit the emulator's environment, so it gets a clean one. AWS_ENDPOINT_URL is what keeps the
        # functions' SDK on this machine.
        environment = CREDENTIALS | {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory),
            "AUTH": "true",
            "AWS_ENDPOINT_URL": self.endpoint,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_HOST": "127.0.0.1",
            "SFTP_ENABLED": "0",
            # No deployment has it: the functions may send events to this machine.
            "WEBHOOKS_TO_LOOPBACK": "allowed",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [Path(sys.executable).parent / "ministack"],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for("the emulator to answer", self._answers, seconds=30)

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the emulator ended at its start:\n{self.emulator_log()}")
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _deploy(self):
        self.client("s3").create_bucket(Bucket=BUCKET)
        command = [self.sam, "deploy", "--config-file", ROOT / "tests/e2e/samconfig.toml"]
        command += ["--template-file", ROOT / ".aws-sam/build/template.yaml"]
        deployed = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | CREDENTIALS | {"AWS_ENDPOINT_URL": self.endpoint, "SAM_CLI_TELEMETRY": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        if deployed.returncode != 0:
            raise RuntimeError(f"sam deploy failed:\n{deployed.stdout}\n{self.emulator_log()[-4000:]}")

    def _describe(self):
        formation = self.client("cloudformation")
        stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        resources = formation.describe_stack_resources(StackName=STACK)["StackResources"]
        self.physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
        self.template = formation.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]

    def _add_what_the_emulator_leaves_out(self):
        self._add_routes()
        self._allow_batches()
        ttl = self.template["Resources"]["Table"]["Properties"]["TimeToLiveSpecification"]
        self.client("dynamodb").update_time_to_live(
            TableName=self.physical["Table"],
            TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl["AttributeName"]},
        )

    def _add_routes(self):
        """The emulator ignores the `Body` of an HTTP API, which is where SAM puts the routes."""
        api, functions = self.client("apigatewayv2"), self.client("lambda")
        self.routes = []
        for path, methods in self.template["Resources"]["Api"]["Properties"]["Body"]["paths"].items():
            for method, operation in methods.items():
                uri = str(operation["x-amazon-apigateway-integration"]["uri"])
                function = re.search(r"\$\{(\w+)\.Arn\}", uri).group(1)
                described = functions.get_function(FunctionName=self.physical[function])
                integration = api.create_integration(
                    ApiId=self.physical["Api"],
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=described["Configuration"]["FunctionArn"],
                    PayloadFormatVersion="2.0",
                )
                route = f"{method.upper()} {path}"
                target = f"integrations/{integration['IntegrationId']}"
                api.create_route(ApiId=self.physical["Api"], RouteKey=route, Target=target)
                self.routes.append((route, function))

    def _allow_batches(self):
        """On AWS `sqs:SendMessage` covers batches; the emulator asks for `sqs:SendMessageBatch`, no action there."""
        iam = self.client("iam")
        for logical_id, resource in self.template["Resources"].items():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            role = self.physical[logical_id]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                document["Statement"] = [
                    statement | {"Action": "sqs:SendMessageBatch"}
                    for statement in document["Statement"]
                    if "sqs:SendMessage" in statement["Action"]
                ]
                if document["Statement"]:
                    document = json.dumps(document)
                    iam.put_role_policy(RoleName=role, PolicyName="batches", PolicyDocument=document)


def waiting(stage, queue):
    """Messages in a queue, those in flight included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = stage.client("sqs").get_queue_attributes(QueueUrl=stage.physical[queue], AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def invoke(stage, function, event):
    """What a function answers to an event."""
    answer = stage.client("lambda").invoke(FunctionName=stage.physical[function], Payload=json.dumps(event))
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return body


def wait_for(what, ready, seconds):
    """Polls until `ready` answers something true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ready()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
