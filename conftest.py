"""pytest names a test module by its path, so the folder `booking` would stand in for the package.

Imported first, the package keeps its name, and its tests are `booking.tests.…`; likewise `bench`.
Folders with a hyphen and those below `libs` have no such namesake.
"""

import bench
import booking

__all__ = ["bench", "booking"]
