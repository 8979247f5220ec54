"""What one Plan has and another has not.

Vocabulary: a *Difference* (``difference``) is what was added, removed and
changed between a base and a new Plan; applied to the base it gives the new
one.
"""
