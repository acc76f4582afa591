"""How a submission comes in: from a vendor's bytes to raw answers by question id.

`payload` reads bytes as strict JSON, `json_api` and `webflow` know the shapes, `mapping` translates a vendor's fields.
What the answers say is judged later, by `pipeline.validation`.
"""
