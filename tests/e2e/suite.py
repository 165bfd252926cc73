"""Runs steps in their order, says what became of each, and ends with `N passed, N failed`."""

import traceback


class Suite:
    """The steps of one story. A step is a function whose name is a sentence; it fails by raising."""

    def __init__(self):
        self.steps = []

    def step(self, function):
        """Decorator: takes the function in as the next step."""
        self.steps.append(function)
        return function

    def run(self, story):
        """Runs every step on the same `story`, a later one even if an earlier one failed. True if none did."""
        passed = failed = 0
        for function in self.steps:
            sentence = function.__name__.replace("_", " ")
            try:
                function(story)
            except Exception as failure:  # pylint: disable=broad-except
                failed += 1
                print(f"FAILED  {sentence}\n        {type(failure).__name__}: {failure}", flush=True)
                if not isinstance(failure, (AssertionError, TimeoutError)):
                    traceback.print_exc()
            else:
                passed += 1
                print(f"ok      {sentence}", flush=True)
        self.passed, self.failed = passed, failed
        return failed == 0

    def closing_line(self):
        """The line that comes last."""
        return f"{self.passed} passed, {self.failed} failed"
