"""What people look at: values → lines of text, values → what JSON can hold.

==============  ==============================================================
``words``       sizes and names of any origin, as words fit for a terminal
``reason``      why an entry is there, as a clause
``colour``      the palette: empty where colour is not wanted
``deps``        a ``Load`` as tree, list and JSON
``make``        what ``make`` did or would do, in a few lines and as JSON
``chain``       why a path is there, and what would go with it
``changes``     differences of Plans, drift of a tree
``progress``    a line on the terminal while work takes longer than a second
==============  ==============================================================

Every JSON document is an object with ``"rootgen": 1``, the version of these
shapes, and ``"command"``. Paths that are not UTF-8 keep their bytes as lone
surrogates (``os.fsdecode``).
"""
