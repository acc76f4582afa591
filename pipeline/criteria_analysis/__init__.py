"""What is odd about criteria, found before they are published: exactly where a form has finitely many answers.

`regions` computes with sets of submissions, `space` says which submissions give a criterion a verdict, `program` looks
for criteria that nobody, everybody or only somebody else can meet, `effect` for settings that change nothing, `slips`
for what was hardly meant, and `sample` judges made-up people by the compiled network. A warning is given only when it
is certain; criteria that are too entangled to be certain about get none.
"""
