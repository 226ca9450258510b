"""What Ubertruck is measured against, served as Ubertruck's own services are: see README.md.

python -m bench.subjects.echo      row c, the ceiling of the stack
python -m bench.subjects.usual     row d, the usual way, well made
"""
