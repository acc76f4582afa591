"""What people agreed to, by purpose and recipient: a ledger that only grows, and what is live by it.

purposes      what may be agreed to, and by which question of the form
ledger        the lines, and the rule by which a consent is live
sharing       leave to share one submission's answers: no offer, and no provider's page, without it
mail          emails that may not leave for want of a consent are cancelled
withdrawing   a consent is taken back, by the person or by staff
backfill      lines for submissions that came in before there was a ledger
stopped       leads that ended for want of a consent or of its text go on once that is there
"""

from pipeline.consent.sharing import Sharing, sharing_allowed

__all__ = ["Sharing", "sharing_allowed"]
