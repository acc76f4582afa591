"""What people and providers live through: a real browser on the real processes, from the form to the answer.

Nothing here looks into the database. What a person can see is the pages and the emails, and that is what is judged:

    installation   the embedded stack over an empty folder, and what web sites send to it
    mailbox        the emails that left
    people         fictional people, and how to tell that a page says something about them
    browser        Chromium, if the machine has one
    visitor        somebody's browser: every page it comes to is checked
    keyboard       using a page without a pointer
"""
