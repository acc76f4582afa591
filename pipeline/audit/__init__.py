"""The audit record: what may be recorded (`actions`), how one is made provable (`record`), and checked (`verify`)."""
