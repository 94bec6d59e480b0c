# SPDX-License-Identifier: Apache-2.0
"""A recorded session: the frames a run saw and what it said of them, to be run again and compared."""
