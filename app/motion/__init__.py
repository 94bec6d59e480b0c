# SPDX-License-Identifier: Apache-2.0
"""What a dense flow says beyond its picture: motion in zones, swipes of a hand, pages that swipes turn."""
