"""Every SQL statement of the orders context, one module per table or task.

Lists travel in binary (%b): writing them as text costs a wave about half of its time.
"""
