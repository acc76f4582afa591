"""Erasure: a submission's key is destroyed, and with it all that was said.

erasing       what goes, what stays and why, in one transaction
journal       the file outside the database that names each erasure before it is committed
replaying     what a restored backup brought back is erased again, by that file
holds         legal holds: what must not be erased
people        all submissions of one person, by blind index
rendered      the emails that the mailbox transport wrote to files
sqlite_file   no trace in free pages and the write-ahead log
"""
