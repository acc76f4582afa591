"""The engine: `lane` (a kind of job as data), `stage` (what a lane does), `drain` (claim, work, finish), `sweep`."""
