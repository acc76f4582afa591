"""Programs beside Careroute: `verify_audit.py` is for auditors and stands alone, `data_flow.py` writes a page."""
