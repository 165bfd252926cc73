"""Runs steps in their order, says what became of each, and ends with `N passed, N failed`."""

import time
import traceback


class Suite:
    """The steps of one story. A step is a function whose name is a sentence; it fails by raising."""

    def __init__(self, steps):
        self.steps = steps
        self.passed = self.failed = 0

    def run(self, story):
        """Runs every step on the same `story`, a later one even if an earlier one failed. True if none did."""
        for step in self.steps:
            sentence = step.__name__.replace("_", " ")
            began = time.monotonic()
            try:
                step(story)
            except Exception as failure:  # pylint: disable=broad-except
                self.failed += 1
                print(f"FAILED  {sentence}\n        {type(failure).__name__}: {failure}", flush=True)
                if not isinstance(failure, (AssertionError, TimeoutError)):
                    traceback.print_exc()
            else:
                self.passed += 1
                print(f"ok      {sentence} ({time.monotonic() - began:.1f} s)", flush=True)
        return self.failed == 0

    def closing_line(self):
        """The line that comes last."""
        return f"{self.passed} passed, {self.failed} failed"
