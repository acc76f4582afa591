"""Everything that speaks HTTP: the hosted form, the intake API, the secure pages behind the emails' links.

Handlers read a request, call one function of :mod:`web.services`, and turn its answer into a page or a JSON document.
No rule about submissions lives here; `app.create_app` shows every route on one screen.
"""
