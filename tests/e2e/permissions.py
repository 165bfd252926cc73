"""Least privilege, asked of the emulator's own evaluation of the deployed roles."""

FUNCTIONS = [
    "AggregateReports",
    "AttributeSignup",
    "DeliverWebhook",
    "FulfillReward",
    "IssueCode",
    "ManageProgram",
    "ProcessInvoice",
    "SendNotification",
    "SweepDue",
]


def allowed(stage, function, action, arn):
    """Whether the role of a function may do an action on a resource."""
    iam = stage.client("iam")
    role = iam.get_role(RoleName=stage.physical[f"{function}Role"])["Role"]["Arn"]
    answer = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], ResourceArns=[arn])
    return answer["EvaluationResults"][0]["EvalDecision"] == "allowed"


def who_may(stage, action, arn):
    """The functions whose role may do an action on a resource."""
    return [function for function in FUNCTIONS if allowed(stage, function, action, arn)]


def table_arn(stage):
    """ARN of the table."""
    return stage.client("dynamodb").describe_table(TableName=stage.physical["Table"])["Table"]["TableArn"]


def queue_arn(stage, logical_id):
    """ARN of a queue."""
    url = stage.physical[logical_id]
    answer = stage.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def secret_arn(stage, logical_id):
    """ARN of a secret."""
    return stage.client("secretsmanager").describe_secret(SecretId=stage.physical[logical_id])["ARN"]


def each_role_may_do_what_its_function_does_and_no_more(story):
    stage = story.stage
    table = table_arn(stage)
    expected = {
        ("dynamodb:Scan", table): [],
        ("dynamodb:DeleteTable", table): [],
        ("dynamodb:DeleteItem", table): ["ManageProgram", "SweepDue"],
        ("dynamodb:ConditionCheckItem", table): [
            "AttributeSignup", "FulfillReward", "ManageProgram", "ProcessInvoice", "SweepDue",
        ],
        ("dynamodb:BatchGetItem", table): ["AggregateReports", "ManageProgram", "SendNotification"],
        ("dynamodb:UpdateItem", table): FUNCTIONS,
        ("dynamodb:Query", table): FUNCTIONS,
        ("dynamodb:Query", f"{table}/index/due"): ["AggregateReports", "SweepDue"],
        ("dynamodb:Query", f"{table}/index/day"): ["AggregateReports", "ManageProgram"],
        ("dynamodb:Query", f"{table}/index/listing"): [
            "AggregateReports", "AttributeSignup", "FulfillReward", "ManageProgram", "ProcessInvoice",
            "SendNotification", "SweepDue",
        ],
        ("secretsmanager:GetSecretValue", secret_arn(stage, "RootKey")): ["ManageProgram"],
        ("secretsmanager:GetSecretValue", secret_arn(stage, "SealingKey")): [
            "DeliverWebhook", "FulfillReward", "ManageProgram", "ProcessInvoice", "SendNotification",
        ],
        ("sqs:SendMessage", queue_arn(stage, "FulfillQueue")): [
            "AttributeSignup", "FulfillReward", "ManageProgram", "ProcessInvoice", "SweepDue",
        ],
        ("sqs:ReceiveMessage", queue_arn(stage, "FulfillQueue")): ["FulfillReward"],
        ("sqs:SendMessage", queue_arn(stage, "EventsQueue")): FUNCTIONS,
        ("sqs:ReceiveMessage", queue_arn(stage, "EventsQueue")): ["DeliverWebhook"],
        ("sqs:SendMessage", queue_arn(stage, "ReportQueue")): ["AggregateReports", "ManageProgram", "SweepDue"],
        ("sqs:SendMessage", queue_arn(stage, "NotifyQueue")): ["FulfillReward", "SendNotification", "SweepDue"],
        ("sqs:ReceiveMessage", queue_arn(stage, "NotifyQueue")): ["SendNotification"],
        ("ses:SendEmail", "arn:aws:ses:us-east-1:000000000000:identity/example.com"): ["SendNotification"],
        ("ses:SendEmail", "arn:aws:ses:us-east-1:000000000000:identity/example.org"): [],
        ("sqs:SendMessage", queue_arn(stage, "FulfillDlq")): [],
    }
    found = {(action, arn): who_may(stage, action, arn) for action, arn in expected}
    wrong = {key: found[key] for key, functions in expected.items() if found[key] != functions}
    assert not wrong, wrong
