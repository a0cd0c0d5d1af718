"""Every SQL statement of the inventory context, one module per table.

Lists travel in binary (%b): writing them as text costs a wave about half of its time.
"""
