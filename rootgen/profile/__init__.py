"""Profiles: YAML → one checked ``Profile`` value.

=============  ===============================================================
``model``      the vocabulary: ``Profile`` and its rules, each with its ``Place``
``shipped``    where the shipped profiles are, and which programs they know
``catalog``    their names and descriptions
``document``   YAML text → values with places, bounded; the one door to PyYAML
``mistakes``   collecting every mistake, nearest spellings
``schema``     values → the rules of one file; ``files``, ``users``, ``image`` and
               ``field`` are its parts
``merge``      what a profile extends, united with it: later over earlier
``read``       ``load_profiles``: names → one ``Profile``
=============  ===============================================================

Nothing here reads the root that a tree is made from: whether ``/etc/inputrc``
exists is found out when the Plan is assembled.
"""
