"""What the checks have to tell besides passed and failed; printed at the end of the run."""

lines: list[str] = []
