"""The database schema over time. Migrations only move forward once landed: there are no downgrades."""
