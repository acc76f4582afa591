"""The claims guard: nothing that people read promises what nobody can, and what has to be said is said.

    config/claims.yaml    the reviewed phrases; config.claims finds them in a text
    sources               claims in templates, catalogues, the words of modules, questions, conditions and providers
    emails                every email, rendered from samples: claims, links, protected values, size, subject
    required              the notices of each program, in each rendering that shows it

A provider file with a claim in it is refused by the reader of provider files and again on publication, so that no
claim comes in by a draft. `careroute email check` runs everything; so does `make check`.
"""
